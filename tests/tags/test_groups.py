from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.base.errors import ArenaError
from arena.tags import TagSpace
from arena.tags.groups import TagGroup, read_tag_groups
from arena.tags.rows import read_csv

ROOT = Path(__file__).parents[2]

# Few letters, so that patterns match; with the signs that only `*` among them may be special.
letters = "ab_?[]."
names = st.text(letters, min_size=1, max_size=4)
patterns = st.text(letters + "*", min_size=1, max_size=4)
spaces = st.lists(names, min_size=1, max_size=8, unique=True).map(lambda found: TagSpace(tuple(found)))


def group(*tags: str, exceptions: tuple[str, ...] = ()) -> TagGroup:
    return TagGroup("g", "G", "", tags, exceptions)


def write(folder: Path, text: str) -> Path:
    path = folder / "tag_groups.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_members_are_columns_in_ascending_order_each_once() -> None:
    space = TagSpace(("text_focus", "smile", "close-up", "animal_focus", "focus"))
    members = group("close-up", "*_focus", "text_focus", "unheard_of").members(space)
    assert members.tolist() == [0, 2, 3]
    assert members.dtype == np.int64


def test_exceptions_take_names_and_patterns_out() -> None:
    space = TagSpace(("red_hat", "hat", "top_hat", "red_top_hat"))
    assert group("*hat", exceptions=("hat",)).members(space).tolist() == [0, 2, 3]
    assert group("*hat", "red_hat", exceptions=("red_*",)).members(space).tolist() == [1, 2]
    nobody = group("*hat", exceptions=("*",)).members(space)
    assert nobody.shape == (0,)
    assert nobody.dtype == np.int64


def test_only_the_star_is_special() -> None:
    space = TagSpace(("!?", "!a", "[x]", "x", "photo_(medium)", "oil_(medium)", "a.b", "acb", ">:("))
    assert group("!?", "[x]", "photo_(medium)", "a.b", ">:(").members(space).tolist() == [0, 2, 4, 6, 8]
    assert group("*_(medium)").members(space).tolist() == [4, 5]
    assert group("*.b", "[*").members(space).tolist() == [2, 6]
    assert group("a*b").members(TagSpace(("ab", "axb", "abx", "xab"))).tolist() == [0, 1]


def test_matching_minds_the_case() -> None:
    assert group("*_Hat", "Hat").members(TagSpace(("hat", "Hat", "a_hat", "a_Hat"))).tolist() == [1, 3]


@given(spaces, st.lists(patterns, max_size=4), st.lists(patterns, max_size=3))
def test_members_are_those_of_a_shell_that_knows_only_the_star(
    space: TagSpace, tags: list[str], exceptions: list[str]
) -> None:
    def belongs(name: str, given: list[str]) -> bool:
        return any(fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]")) for pattern in given)

    wanted = [c for c, name in enumerate(space.names) if belongs(name, tags) and not belongs(name, exceptions)]
    assert group(*tags, exceptions=tuple(exceptions)).members(space).tolist() == wanted


def test_groups_are_read_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        '[sky]\ntitle = "Up there"\nwhy = " Blue or not. "\ntags = ["sky", "*_sky"]\nexcept = ["sky"]\n'
        '[a_1]\ntags = ["a"]\n[late_hats]\ntags = ["hat"]\ntitle = ""\n',
    )
    assert read_tag_groups(path) == (
        TagGroup("sky", "Up there", "Blue or not.", ("sky", "*_sky"), ("sky",)),
        TagGroup("a_1", "A 1", "", ("a",)),
        TagGroup("late_hats", "Late hats", "", ("hat",)),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[hats\n", "not valid TOML"),
        ("", "no group in it"),
        ('[hats]\ntitle = "Hats"\n', r"\[hats\]: no tags"),
        ("[hats]\ntags = []\n", r"\[hats\]: no tags"),
        ('[hats]\ntags = ["hat"]\nexcepts = ["cap"]\n', "a tag group has no key excepts. Did you mean except"),
        ('[hats]\ntags = "hat"\n', "tags = 'hat'; it must be a list of names"),
        ("[hats]\ntags = [1]\n", r"tags = \[1\]; it must be a list of names"),
        ('[hats]\ntags = [""]\n', "it must be a list of names"),
        ('[hats]\ntags = ["hat"]\nexcept = "cap"\n', "except = 'cap'; it must be a list of names"),
        ('[hats]\ntags = ["hat"]\ntitle = 3\n', "title = 3; it must be one line of text"),
        ('[hats]\ntags = ["hat"]\nwhy = """a\nb"""\n', "it must be one line of text"),
        ('[hats]\ntags = ["hat", "cap", "hat"]\n', "tag 'hat' is listed twice"),
        ('[Hats]\ntags = ["hat"]\n', r"\[Hats\]: the name of a group may contain"),
        ('["hats and caps"]\ntags = ["hat"]\n', "the name of a group may contain"),
        ('hats = ["hat"]\n', r"hats = \['hat'\] is outside a group"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ArenaError, match=says) as refused:
        read_tag_groups(path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ArenaError, match="cannot be read"):
            read_tag_groups(path)
    (tmp_path / "latin.toml").write_bytes(b'[hats]\ntags = ["caf\xe9"]\n')
    with pytest.raises(ArenaError, match="not UTF-8 text"):
        read_tag_groups(tmp_path / "latin.toml")


def joytag_names() -> TagSpace:
    lines = (ROOT / "tests/data/joytag/full-metrics.txt").read_text(encoding="utf-8").splitlines()
    return TagSpace(tuple(line.removeprefix("Tag: ").rsplit(" (", 2)[0] for line in lines if line.startswith("Tag: ")))


def test_the_shipped_groups_are_tags_that_joytag_knows() -> None:
    space = joytag_names()
    groups = {group.name: group for group in read_tag_groups(ROOT / "datasets/tag_groups.toml")}
    assert {"facial_expressions", "skin_tones", "clothing", "body_size", "watermark_and_text", "focus"} <= groups.keys()
    for found in groups.values():
        assert found.why
        literal = [name for name in found.tags if "*" not in name]
        assert sum(name in space.index for name in literal) >= 0.75 * len(literal), found.name
        assert len(found.members(space)) >= 7, found.name
    assert space.index["very_dark_skin"] in groups["skin_tones"].members(space)
    clothes = {space.names[column] for column in groups["clothing"].members(space)}
    assert {"apron", "maid_apron", "pleated_skirt"} <= clothes
    assert not {"naked_apron", "black_dress", "no_hat", "wet_shirt", "school_hat"} & clothes


def test_the_groups_of_the_demo_name_its_tags_only() -> None:
    folder = ROOT / "datasets/demo"
    space = TagSpace(tuple(row["name"] for row in read_csv(folder / "tags.csv", ("name",))))
    for found in read_tag_groups(folder / "tag_groups.toml"):
        assert [name for name in found.tags if "*" not in name and name not in space.index] == []
        assert len(found.members(space)) >= 5, found.name
