import csv
import gzip
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.base.errors import ArenaError
from arena.base.format import shown
from arena.gate.limits import COVERAGE
from arena.gate.policy import read_policy
from arena.tags import relations as tag_graph
from arena.tags.exports import read_relations
from arena.tags.relations import TagLink, TagRelations, close_implications, link_of, read_aliases, resolve_aliases
from arena.tags.rows import read_csv

names = st.sampled_from(["a", "b", "c", "d", "e", "^_^", "a\nb", "=1+1"])
links = st.lists(st.builds(TagLink, names, names, st.sampled_from([0.0, 1.0, 2.0]), st.integers(0, 2)), max_size=14)


def alias(*pairs: tuple[str, ...]) -> Mapping[str, str]:
    return resolve_aliases(TagLink(*pair) for pair in pairs).canonical  # type: ignore[arg-type]


def test_the_newest_of_conflicting_aliases_holds_then_the_alphabetically_first() -> None:
    old, new = TagLink("pup", "aardvark", when=10.0), TagLink("pup", "zebra", when=20.0)
    assert resolve_aliases([new, old]).canonical == {"pup": "zebra"}
    assert resolve_aliases([TagLink("pup", "zebra", 0.0, 8), TagLink("pup", "aardvark", 0.0, 7)]).canonical == {
        "pup": "zebra"
    }
    assert alias(("pup", "zebra"), ("pup", "aardvark")) == {"pup": "aardvark"}
    assert resolve_aliases([new, old]).findings == ["alias pup: leads to aardvark, zebra; zebra is used"]


def test_a_dated_row_outranks_one_without_a_date() -> None:
    assert resolve_aliases([TagLink("pup", "a"), TagLink("pup", "b", when=1.0)]).canonical == {"pup": "b"}


def test_a_reversed_alias_keeps_the_newer_direction() -> None:
    first, reversed_later = TagLink("colour", "color", when=1.0), TagLink("color", "colour", when=2.0)
    found = resolve_aliases([first, reversed_later])
    assert found.canonical == {"color": "colour"}
    assert found.findings == ["aliases in a cycle: color, colour; colour is used for all"]


def test_a_cycle_without_dates_resolves_to_its_first_name_and_so_does_what_leads_into_it() -> None:
    assert alias(("c", "b"), ("b", "d"), ("d", "c"), ("x", "d")) == {"c": "b", "d": "b", "x": "b"}


def test_an_alias_onto_itself_is_left_out_and_told() -> None:
    assert resolve_aliases([TagLink("a", "a"), TagLink("b", "a")]) == (
        {"b": "a"},
        ["alias a: leads to itself; left out"],
    )


def test_a_long_chain_ends_where_it_ends() -> None:
    chain = [TagLink(f"n{k}", f"n{k + 1}") for k in range(50_000)]
    canonical = resolve_aliases(chain[::-1]).canonical
    assert canonical["n0"] == canonical["n49999"] == "n50000"


HEADERS = ("antecedent_name,consequent_name", "old,new", "id,antecedent_name,consequent_name", "new,old")


def written(folder: Path, header: str, rows: Sequence[tuple[str, str]], *, packed: bool = False) -> Path:
    """A file of aliases with such a header."""
    text = io.StringIO()
    columns = header.split(",")
    first, second = ("old", "new") if "old" in columns else ("antecedent_name", "consequent_name")
    rows_of = csv.DictWriter(text, columns, restval="7", lineterminator="\n")
    rows_of.writeheader()
    rows_of.writerows({first: old, second: new} for old, new in rows)
    content = text.getvalue().encode()
    path = folder / f"renamed.csv{'.gz' * packed}"
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("packed", [False, True])
def test_one_file_of_aliases_serves_every_verb(tmp_path: Path, header: str, packed: bool) -> None:
    rows = [("hat", "headwear"), ("a,b", "c"), ("nan", "^_^"), ("old_hat", "hat"), ("hat", "headwear"), ("x", "x")]
    path = written(tmp_path, header, rows, packed=packed)
    wanted = {"hat": "headwear", "a,b": "c", "nan": "^_^", "old_hat": "headwear"}
    assert read_aliases(path) == wanted
    assert read_relations(aliases=[path]).aliases == wanted, "arena dataset tags --aliases"
    (tmp_path / "gate.toml").write_text(f"[coverage]\naliases = '{path.name}'")
    assert read_policy(tmp_path / "gate.toml").of(COVERAGE).renamed == wanted
    if not packed:
        path.rename(tmp_path / "tag_aliases.csv")
        assert TagRelations.read(tmp_path).aliases == wanted, "the file of a frozen dataset"


@pytest.mark.parametrize(
    ("encoding", "separator"), [("utf-16", ";"), ("utf-16", "\t"), ("utf-8-sig", ";"), ("utf-16", ",")]
)
def test_a_spreadsheet_may_write_the_aliases(tmp_path: Path, encoding: str, separator: str) -> None:
    named = "sep=;\n" if (encoding, separator) == ("utf-8-sig", ";") else ""
    path = tmp_path / "aliases.csv"
    path.write_text(f"{named}old{separator}new\nlong hair{separator}lange_haare\n", encoding=encoding)
    assert read_aliases(path) == {"long_hair": "lange_haare"}
    path.write_text(f"{named}name{separator}category{separator}count\n^_^{separator}0{separator}3\n", encoding=encoding)
    assert read_csv(path, ("name", "category")) == [{"name": "^_^", "category": "0", "count": "3"}]


def test_only_active_aliases_count(tmp_path: Path) -> None:
    path = tmp_path / "tag_aliases.csv"
    path.write_text("antecedent_name,consequent_name,status\na,b,active\nc,d,deleted\ne,f,\n")
    assert read_aliases(path) == {"a": "b", "e": "f"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "unknown format, its first row is ''"),
        ("from,to\na,b\n", "unknown format, its first row is 'from,to'; give CSV with antecedent_name,consequent_name"),
        ("name,category\nhat,0\n", "its columns are name, category; give a CSV with antecedent_name,consequent_name or"),
        ("hat,0,12,headwear\n", "its columns are name, category, post_count, aliases; give a CSV"),
        ("old,new\na,b\nc\n", "row 2: a name is missing; each row needs two names"),
        ("old,new\na,\n", "row 1: a name is missing"),
        ("old,new\na,\x01b\n", "row 1: a name with control characters"),
        ("old,new\na,b\na,c\n", "a is renamed to b and to c; each old name needs one new name"),
        ("old,new\na,b\nb,a\n", "aliases in a cycle: a, b; remove the row of the name to keep"),
        (None, "no such file"),
    ],
)  # fmt: skip
def test_wrong_aliases_are_told_in_one_line(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "renamed.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ArenaError) as raised:
        read_aliases(path)
    assert str(raised.value).startswith(f"{path}: {said}")
    assert "\n" not in str(raised.value)


def test_an_alias_of_an_implied_tag_is_read_through_and_told() -> None:
    found = close_implications([TagLink("puppy", "doggy"), TagLink("dog", "animal")], {"doggy": "dog"})
    assert found.implied == {"puppy": {"dog", "animal"}, "dog": {"animal"}}
    assert found.findings == ["implication puppy -> doggy: names an alias; read as puppy -> dog"]


def test_an_implication_between_two_names_of_one_tag_is_left_out_and_told() -> None:
    found = close_implications([TagLink("doggy", "dog"), TagLink("cat", "cat")], {"doggy": "dog"})
    assert found.implied == {}
    assert found.findings == [
        "implication cat -> cat: both are cat; left out",
        "implication doggy -> dog: both are dog; left out",
    ]


def test_cycles_of_implications_are_told_once_and_harmless() -> None:
    rows = [
        TagLink("a", "b"),
        TagLink("b", "a"),
        TagLink("b", "c"),
        TagLink("x", "a"),
        TagLink("p", "q"),
        TagLink("q", "p"),
    ]
    found = close_implications(rows, {})
    assert found.implied == {
        "a": {"b", "c"}, "b": {"a", "c"}, "x": {"a", "b", "c"}, "p": {"q"}, "q": {"p"},
    }  # fmt: skip
    assert found.findings == [
        "implications in a cycle: a, b; each implies the others",
        "implications in a cycle: p, q; each implies the others",
    ]


def test_what_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_graph, "MAX_IMPLIED", 100)
    with pytest.raises(ArenaError, match="more than 100 follow"):
        close_implications([TagLink(f"n{k}", f"n{k + 1}") for k in range(20)], {})


@given(links, links, st.randoms(use_true_random=False))
def test_the_order_of_rows_never_matters(aliases: list[TagLink], implications: list[TagLink], random) -> None:
    before = resolve_aliases(aliases)
    closed = close_implications(implications, before.canonical)
    random.shuffle(aliases)
    random.shuffle(implications)
    after = resolve_aliases(aliases)
    assert after == before
    assert close_implications(implications, after.canonical) == closed


@given(links)
def test_every_alias_ends_at_a_name_that_is_none(aliases: list[TagLink]) -> None:
    canonical = resolve_aliases(aliases).canonical
    assert not canonical.keys() & set(canonical.values())
    mentioned = {name for link in aliases for name in link[:2]}
    assert canonical.keys() | set(canonical.values()) <= mentioned


def closure_by_squaring(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    while new := {(a, d) for a, b in edges for c, d in edges if b == c} - edges:
        edges |= new
    return edges


@given(links)
def test_the_closure_is_that_of_repeated_composition(rows: list[TagLink]) -> None:
    found = close_implications(rows, {})
    expected = closure_by_squaring(
        {(row.antecedent, row.consequent) for row in rows if row.antecedent != row.consequent}
    )
    assert {(a, b) for a, names in found.implied.items() for b in names} == {(a, b) for a, b in expected if a != b}


@given(links, links)
def test_findings_are_single_lines(aliases: list[TagLink], implications: list[TagLink]) -> None:
    found = resolve_aliases(aliases)
    lines: Sequence[str] = found.findings + close_implications(implications, found.canonical).findings
    assert all(line.isprintable() for line in lines)


def test_a_name_of_any_length_and_kind_is_shown_on_a_line() -> None:
    assert shown("||_||") == "||_||"
    assert len(shown("x" * 10_000_000)) < 100
    assert shown("a\r\x1b[31m\u2028") == r"a\r\x1b[31m\u2028"


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        ("2020-03-05 05:49:37.994", 1583387377.994),
        ("2020-03-05T00:49:37.994-05:00", 1583387377.994),
        ("2020-03-05 05:49:37 UTC", 1583387377.0),
        ("yesterday", 0.0),
        ("", 0.0),
        (None, 0.0),
    ],
)
def test_dates_of_every_export_are_comparable(moment: str | None, seconds: float) -> None:
    row = {"antecedent_name": "a", "consequent_name": "b", "created_at": moment, "id": "x"}
    assert link_of(row) == TagLink("a", "b", seconds, 0)
