"""Pairs of tags that exclude each other."""

from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.tags.exclusions import canonical_pairs, read_exclusions
from tests.conftest import REPOSITORY


def test_names_of_both_columns_exclude_each_other(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("first_name,second_name\nday,night\nsolo no_humans,2girls solo\n")
    found = read_exclusions(tmp_path / "x.csv")
    assert found == {
        ("day", "night"), ("2girls", "solo"), ("2girls", "no_humans"), ("no_humans", "solo"),
    }  # fmt: skip
    assert canonical_pairs(found, {"day": "sun"}) >= {("night", "sun")}
    assert read_exclusions(tmp_path / "none.csv") == set()


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ArenaError, match="no column first_name"):
        read_exclusions(tmp_path / "x.csv")


def test_the_bundled_pairs_are_read() -> None:
    found = read_exclusions(REPOSITORY / "datasets" / "tag_exclusions.csv")
    assert {("1girl", "2girls"), ("no_humans", "solo")} & found == {("1girl", "2girls")}
    assert ("1boy", "no_humans") in found
    assert ("rating_explicit", "rating_safe") in found
