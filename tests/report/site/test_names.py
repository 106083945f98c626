"""Addresses: one for each name, on every file system, for ever."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.report.site.names import run_id, slug
from arena.results.run_folder import read_result

from .conftest import change_json

HOSTILE = [
    "../../x", "..", ".", "", " ", "CON", "con", "nul", "com1", "lpt9", "NUL.txt", "index", "x" * 500, "a/b", "a\\b", "c:d",
    "\u202ertl\u202c \u05d0\u05d1", "🐈‍⬛", "<script>alert(1)</script>", "trailing.", "-rf", "~", "Cat", "cat", "CAT", "\x00",
    "%2e%2e%2f", "猫", "\udcff", "é", "e\u0301", "con~d0d4f7e8bfab8bbd", ":d", "?", "*", "|", '"',
]  # fmt: skip
SAFE = re.compile(r"[a-z0-9][a-z0-9_()~-]{0,79}")


@given(st.one_of(st.text(max_size=200), st.sampled_from(HOSTILE)))
def test_a_name_becomes_a_safe_part_of_an_address(name: str) -> None:
    found = slug(name)
    assert SAFE.fullmatch(found)
    assert found not in {"con", "prn", "aux", "nul", "com1", "lpt9", "index"}


@given(st.lists(st.one_of(st.text(max_size=6), st.sampled_from(HOSTILE)), unique=True, max_size=40))
def test_no_two_names_share_a_file_even_where_case_is_ignored(names: list[str]) -> None:
    assert len({slug(name).casefold() for name in names}) == len(names)


def test_plain_names_stand_as_they_are() -> None:
    for name in ("1girl", "hatsune_miku_(vocaloid)", "blue-eyes", "a" * 80):
        assert slug(name) == name


def test_the_address_of_a_run_is_made_of_its_date_and_what_it_found(runs: list[Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(runs[0], tmp_path / "run"))
    first = run_id(read_result(folder))
    assert re.fullmatch(r"2026-11-20-[0-9a-f]{12}", first)
    (folder / "index.html").write_text("rendered by a later version")
    assert run_id(read_result(folder)) == first
    change_json(folder / "run.json", signature="another")
    assert run_id(read_result(folder)) != first


@pytest.mark.parametrize("created", ["", "yesterday", "../../2026"])
def test_a_run_without_a_date_says_so(runs: list[Path], created: str) -> None:
    result = read_result(runs[0], ())
    assert run_id(replace(result, run=result.run | {"created": created})).startswith("undated-")
