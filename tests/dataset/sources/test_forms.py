import time
from contextlib import suppress
from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.dataset.importing.label_warnings import label_warnings
from arena.dataset.records import RowRefusedError
from arena.dataset.sources import open_source
from arena.dataset.sources.forms import TagForms, fitting_form
from arena.dataset.sources.hints import Hints

from .kinds import put, read, reasons, tags_of

ROWS = (("1girl", "solo"), ("1girl", "long_hair"), ("hat",))
"""The tags that every table below holds."""


def table(folder: Path, cells: list[str]) -> Path:
    for number in range(len(cells)):
        put(folder / f"{number}.png", number + 1)
    quoted = "".join(f'{number}.png,"{cell.replace(chr(34), chr(34) * 2)}"\n' for number, cell in enumerate(cells))
    return put(folder / "t.csv", f"path,tags\n{quoted}")


@pytest.mark.parametrize(
    ("form", "cells"),
    [
        ("json", ['["1girl", "solo"]', '["1girl", "long_hair"]', '["hat"]']),
        ("python", ["['1girl', 'solo']", "['1girl', 'long_hair']", "['hat']"]),
        ("python", ["('1girl', 'solo')", "('1girl', 'long hair')", "('hat',)"]),
        ("python", ["{'solo', '1girl'}", "{'1girl', 'long_hair'}", "{'hat'}"]),
        ("python", ["['1girl' 'solo']", "['1girl'\n 'long_hair']", "['hat']"]),
        ("bar", ["1girl|solo", "1girl|long_hair", "hat"]),
        ("bar", ["1girl | solo", "1girl | long hair", "hat"]),
        ("semicolon", ["1girl; solo", "1girl; long hair", "hat"]),
        ("comma", ["1girl, solo", "1girl,long hair", "hat"]),
        ("comma", ["1girl，solo", "1girl、long hair", "hat"]),
        ("comma", ["((1girl)), {solo}", "{{1girl}}, [long hair]", "hat"]),
        ("comma", ["(1girl:1.2), solo", "((1girl, long hair:1.1):0.9)", "<lora:x:0.8>, hat"]),
        ("line", ["1girl\nsolo", "1girl\nlong hair", "hat"]),
        ("space", ["1girl solo", "1girl long_hair", "hat"]),
        ("space", ["1girl\u200b solo\ufeff", "1girl long&#95;hair", "hat"]),
    ],
)
def test_the_form_of_a_column_is_recognised_and_reported(tmp_path: Path, form: str, cells: list[str]) -> None:
    source = open_source(table(tmp_path, cells))
    found = [set(record.tags) for record in source.records()]  # type: ignore[union-attr]
    assert found == [set(row) for row in ROWS]
    assert source.forms._chosen == {"tags": form}
    assert source.forms.notes()[0].startswith("tags in 'tags': ")
    named = open_source(tmp_path / "t.csv", hints=Hints(separator=form))
    assert [set(record.tags) for record in named.records()] == found  # type: ignore[union-attr]
    assert named.forms.notes() == []


def test_kaomoji_are_no_separators() -> None:
    forms = TagForms()
    assert forms.split("1girl |_| ;_; :d ^_^") == ["1girl", "|_|", ";_;", ":d", "^_^"]
    assert forms.split("1girl, ||_||, \\||/, ;), steins;gate") == ["1girl", "||_||", "\\||/", ";)", "steins;gate"]
    assert [fitting_form(text) for text in ("steins;gate", "|_|", ">_<", "hat", "")] == [""] * 5


HOSTILE = [
    "a|b" + " " * 200_000, "&" + "amp;" * 50_000, "(" * 50_000 + "a" + ":1)" * 50_000, "\\" * 200_000 + "x(",
    "['" + "a' 'b" * 40_000, "[" + " " * 200_000, "<lora:" * 40_000, "('a', " * 40_000, ":" * 200_000,
]  # fmt: skip
"""Texts on which an expression with quadratic time takes minutes."""


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_takes_no_longer(text: str) -> None:
    forms, started = TagForms(), time.process_time()
    with suppress(RowRefusedError):
        forms.split(text)
    assert time.process_time() - started < 5


def test_text_files_with_spaces_are_taken_apart_if_the_source_shows_it(tmp_path: Path) -> None:
    for number, text in enumerate(["1girl solo long_hair blue_eyes", "1girl solo hat", "long_hair smile hat"]):
        put(tmp_path / f"{number}.png", number)
        put(tmp_path / f"{number}.txt", text)
    assert tags_of(read(tmp_path)[0])["1"] == ("1girl", "solo", "hat")


def test_a_name_in_a_source_with_commas_is_one_tag(tmp_path: Path) -> None:
    assert [record.tags for record in read(table(tmp_path, ["1girl, long hair", "1girl, hat", "long hair"]))[0]] == [
        ("1girl", "long_hair"), ("1girl", "hat"), ("long_hair",),
    ]  # fmt: skip


def test_names_of_classes_are_one_tag_each(tmp_path: Path) -> None:
    records, _ = read(table(tmp_path, ["golden retriever", "tabby cat"] * 3))
    assert {record.tags for record in records} == {("golden_retriever",), ("tabby_cat",)}


def test_sentences_are_refused(tmp_path: Path) -> None:
    cells = ["A girl with long hair is standing in a field.", "Two dogs on the beach.", "1girl, solo"]
    path = table(tmp_path, cells)
    with pytest.raises(ArenaError, match="2 of 3 texts are sentences, not tags, such as 'A girl with long hair"):
        list(open_source(path).records())
    assert len(read(path, separator="comma")[0]) == 3


def test_a_list_that_cannot_be_read_is_a_reject(tmp_path: Path) -> None:
    records, rejects = read(table(tmp_path, ["['1girl' 'solo' ... 'hat']", "['a']", '["x", {"y": 1}]', "{'a': 0.9}"]))
    assert [record.tags for record in records] == [("a",)]
    assert [reason for _, reason in reasons(rejects)] == ["unreadable row"] * 3


def test_ratings_and_categories_in_tags(tmp_path: Path) -> None:
    record, *_ = read(table(tmp_path, ["1girl, rating:safe, character:hatsune miku", "1girl, a:b"]))[0]
    assert (record.tags, record.rating, record.categories) == (
        ("1girl", "hatsune_miku"), "safe", {"hatsune_miku": "character"},
    )  # fmt: skip


def test_names_that_differ_in_capitals_are_merged(tmp_path: Path) -> None:
    source = open_source(table(tmp_path, ["1Girl, Solo", "1girl, Hatsune Miku", "1girl, solo"]))
    assert [record.tags for record in source.records()] == [  # type: ignore[union-attr]
        ("1girl", "solo"), ("1girl", "Hatsune_Miku"), ("1girl", "solo"),
    ]  # fmt: skip
    assert source.forms.notes()[-1].startswith("tags: merged 2 names that differ from another only in capitals")


def test_tags_that_look_wrong_are_named() -> None:
    assert label_warnings(2, {"hat": 2}, {"hat": 2, ">_<": 1, "(o)_(o)": 1, "miku_(cosplay)": 1, "another's": 1}) == ()
    lines = label_warnings(2, {}, {'["1girl"': 1, "solo": 1, "x" * 65: 1})
    assert lines[0].startswith('1 tag with quotes, brackets or weights: ["1girl"')
    assert lines[1].startswith("1 tag of more than 64 characters: xxx")
    assert "one tag, which no other image has" in label_warnings(3, {"a_b": 1, "c_d": 1}, {"a_b": 1, "c_d": 1})[0]


def test_a_text_file_in_utf_16(tmp_path: Path) -> None:
    put(tmp_path / "a.png", 1)
    put(tmp_path / "a.txt", "1girl, long hair".encode("utf-16"))
    assert tags_of(read(tmp_path)[0]) == {"a": ("1girl", "long_hair")}
