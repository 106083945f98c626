import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.base.errors import ArenaError
from arena.tags import TagRelations
from arena.tags.rows import RowTally
from arena.tags.spelling import canonical_spelling, merge_names, spell_names

KAOMOJI = [
    "^_^",
    ">_<",
    ":d",
    "=_=",
    ";_;",
    "|_|",
    "||_||",
    "(o)_(o)",
    "<|>_<|>",
    r"\m/",
    r"\\(o)/",
    r"\\||/",
    "0_0",
    "._.",
    ":>",
    "&_&",
]


@pytest.mark.parametrize(
    "name", [*KAOMOJI, "steins;gate", "miku_(cosplay)", "r&d", "1girl", "初音ミク", "👩\u200d🚀", "Long_Hair"]
)
def test_canonical_names_stay(name: str) -> None:
    assert canonical_spelling(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("long hair", "long_hair"),
        (" long \t hair\n", "long_hair"),
        ("^ ^", "^_^"),
        (r"miku \(cosplay\)", "miku_(cosplay)"),
        (r"miku \\\(cosplay\\\)", "miku_(cosplay)"),
        (r"long\_hair", "long_hair"),
        ("another&#039;s_head", "another's_head"),
        ("&gt;_&lt;", ">_<"),
        ("&amp;gt;_&amp;lt;", ">_<"),
        ("&amp;#39;tis", "'tis"),
        ("e\u0301clair", "\u00e9clair"),
        ("\ufeffhat", "hat"),
        ("ha\u200bt", "hat"),
        ("h\u00adat\u200d", "hat"),
        ("blue\u3000eyes", "blue_eyes"),
        ("&l\u200bt;", "<"),
    ],
)
def test_other_spellings_become_canonical(name: str, expected: str) -> None:
    assert canonical_spelling(name) == expected


@given(st.text(st.sampled_from("ab &;#39lt\\()[]_ \u200b\u200d\u0301é>"), max_size=12))
def test_spelling_twice_changes_nothing(name: str) -> None:
    spelled = canonical_spelling(name)
    assert canonical_spelling(spelled) == spelled
    assert not any(letter.isspace() for letter in spelled)


def test_scores_with_two_spellings_of_one_tag_are_refused() -> None:
    with pytest.raises(ArenaError, match=r"a\.npz: tags 'long hair' and 'long_hair' are one tag, long_hair"):
        spell_names("a.npz", ["long hair", "hat", "long_hair"])
    assert spell_names("a.npz", ["hat"]).note == ""


def test_labels_with_two_spellings_of_one_tag_are_merged() -> None:
    merged = merge_names("t", ["hat", "a b", "a_b", "c d"])
    assert (merged.names, merged.places) == (("hat", "a_b", "c_d"), (0, 1, 1, 2))
    assert merged.note == "t: 2 tag names respelled: 'a b' as 'a_b' ..."


def test_names_of_relations_and_lists_are_respelled_and_reported_once(tmp_path) -> None:  # type: ignore[no-untyped-def]
    tally = RowTally(tmp_path / "x.csv")
    assert [tally.name(name) for name in ("long hair", "long hair", "hat")] == ["long_hair", "long_hair", "hat"]
    assert tally.findings() == ["x.csv: 1 tag name respelled: 'long hair' as 'long_hair'"]
    (tmp_path / "tag_aliases.csv").write_text("old,new\nlong hairs,long hair\n")
    (tmp_path / "tag_blacklist.csv").write_text("name,reason\nblue &amp; red,x\n")
    relations = TagRelations.read(tmp_path)
    assert dict(relations.aliases) == {"long_hairs": "long_hair"}
    assert dict(relations.blacklist) == {"blue_&_red": "x"}
    assert np.all([name == canonical_spelling(name) for name in relations.blacklist])
