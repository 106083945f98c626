import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.base.errors import ArenaError
from arena.tags import TagRelations, TagSpace, project
from arena.tags.rows import read_csv

names = st.text("abcdef", min_size=1, max_size=3)
pairs = st.lists(st.tuples(names, names), max_size=12)


def test_tag_space_refuses_what_cannot_be_columns() -> None:
    with pytest.raises(ArenaError, match="no tag"):
        TagSpace(())
    with pytest.raises(ArenaError, match="'b' is listed twice"):
        TagSpace(("a", "b", "b"))
    with pytest.raises(ArenaError, match="2 names but 1 categories"):
        TagSpace(("a", "b"), ("general",))


def test_digest_depends_on_order() -> None:
    assert TagSpace(("a", "b")).digest != TagSpace(("b", "a")).digest
    assert TagSpace(("a", "b")).digest == TagSpace(("a", "b"), ("general", "meta")).digest


def test_alias_chains_resolve_and_the_first_of_conflicting_names_holds() -> None:
    relations = TagRelations.of(aliases=[("a", "x"), ("b", "c"), ("a", "b")])
    assert relations.canonical("a") == "c"
    assert relations.canonical("x") == "x"
    assert relations.findings == ("alias a: leads to b, x; b is used",)


def test_alias_cycle_resolves_to_one_name() -> None:
    relations = TagRelations.of(aliases=[("b", "c"), ("c", "b"), ("a", "b")])
    assert {relations.canonical(name) for name in "abc"} == {"b"}


def test_implications_close_over_aliases_and_respect_the_blacklist() -> None:
    relations = TagRelations.of(
        aliases=[("doggy", "dog")],
        implications=[("puppy", "doggy"), ("dog", "mammal"), ("mammal", "animal")],
        blacklist={"mammal": "nobody searches for it"},
    )
    assert relations.close(["puppy"]) == {"puppy", "dog", "animal"}


@given(pairs, pairs, st.lists(names, max_size=5))
def test_closing_twice_changes_nothing(
    aliases: list[tuple[str, str]], implications: list[tuple[str, str]], tags: list[str]
) -> None:
    relations = TagRelations.of(aliases=aliases, implications=implications)
    once = relations.close(tags)
    assert relations.close(once) == once
    assert all(relations.canonical(name) == name for name in once)


@given(st.permutations(["a", "b", "c", "d"]), st.permutations(["b", "c", "d", "e"]))
def test_project_finds_every_shared_name(source: list[str], target: list[str]) -> None:
    columns = project(TagSpace(tuple(source)), TagSpace(tuple(target)), TagRelations())
    found = [source[c] if c >= 0 else None for c in columns]
    assert found == [name if name in source else None for name in target]


def test_project_prefers_the_exact_spelling_then_the_first_column() -> None:
    relations = TagRelations.of(aliases=[("pup", "dog"), ("doggy", "dog")])
    dog = TagSpace(("dog",))
    assert project(TagSpace(("pup", "dog")), dog, relations).tolist() == [1]
    assert project(TagSpace(("doggy", "pup")), dog, relations).tolist() == [0]
    assert project(dog, TagSpace(("pup", "dog", "cat")), relations).tolist() == [0, 0, -1]


def test_csv_keeps_nan_as_a_name(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('name,category\nnan,0\nnull,0\n"a,b",0\n')
    assert [row["name"] for row in read_csv(path, ("name",))] == ["nan", "null", "a,b"]
    with pytest.raises(ArenaError, match="no column count"):
        read_csv(path, ("count",))


def test_relations_read_only_active_rows(tmp_path) -> None:
    (tmp_path / "tag_aliases.csv").write_text("antecedent_name,consequent_name,status\na,b,active\nc,d,deleted\n")
    assert dict(TagRelations.read(tmp_path).aliases) == {"a": "b"}
    assert np.array_equal(project(TagSpace(("a",)), TagSpace(("b",)), TagRelations.read(tmp_path)), [0])


def test_relations_of_a_folder_pass_over_rows_that_lack_a_name(tmp_path) -> None:
    (tmp_path / "tag_aliases.csv").write_text("antecedent_name,consequent_name,status\na\n,b,active\nc,d,\n")
    found = TagRelations.read(tmp_path)
    assert found.aliases == {"c": "d"}
    assert found.findings == ("tag_aliases.csv: 2 of 3 rows left out; row 1: a name is missing",)


@given(pairs, pairs, st.dictionaries(names, st.just("why"), max_size=3), st.lists(names, max_size=4))
def test_what_is_about_some_tags_closes_them_alike(
    aliases: list[tuple[str, str]], implications: list[tuple[str, str]], blacklist: dict[str, str], tags: list[str]
) -> None:
    relations = TagRelations.of(aliases=aliases, implications=implications, blacklist=blacklist)
    wanted = {relations.canonical(name) for name in tags}
    about = relations.about(wanted)
    spellings = [*tags, *(old for old, new in relations.aliases.items() if new in wanted)]
    for name in spellings:
        assert about.close([name]) == relations.close([name])
    assert about.about(wanted) == about
    # read again from what would be written, it is the same
    again = TagRelations.of(
        aliases=about.aliases.items(),
        implications=[(a, b) for a, implied in about.implications.items() for b in implied],
        blacklist=about.blacklist,
    )
    assert (again.aliases, again.implications, again.blacklist) == (about.aliases, about.implications, about.blacklist)


def test_about_keeps_what_implies_a_tag_and_drops_the_rest() -> None:
    relations = TagRelations.of(
        aliases=[("pup", "puppy"), ("kitty", "cat"), ("beast", "animal")],
        implications=[("puppy", "dog"), ("dog", "animal"), ("cat", "animal"), ("rose", "flower")],
        blacklist={"animal": "too general", "highres": "meta"},
    )
    about = relations.about(["dog"])
    assert about.implications == {"puppy": {"dog", "animal"}, "dog": {"animal"}, "cat": {"animal"}}
    assert about.aliases == {"pup": "puppy", "kitty": "cat", "beast": "animal"}
    assert about.blacklist == {"animal": "too general"}


def test_a_name_in_other_capitals_matches_if_it_is_the_only_one() -> None:
    assert project(TagSpace(("Hat", "cat")), TagSpace(("hat", "CAT", "dog")), TagRelations()).tolist() == [0, 1, -1]
    assert project(TagSpace(("Hat", "hat")), TagSpace(("hat", "HAT")), TagRelations()).tolist() == [1, -1]
    assert project(TagSpace(("us",)), TagSpace(("US", "Us")), TagRelations()).tolist() == [-1, -1]
