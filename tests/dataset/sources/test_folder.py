import json
import os
from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.dataset.sources import open_source
from arena.dataset.sources.hints import Hints
from arena.dataset.sources.labels import parse_labels

from .kinds import put, read, reasons, tags_of


def test_captions_of_kohya_have_spaces_and_escaped_brackets(tmp_path: Path) -> None:
    put(tmp_path / "a.png", 1)
    put(tmp_path / "a.txt", "1girl, blue eyes, hatsune miku \\(cosplay\\), 1girl,\n")
    records, rejects = read(tmp_path)
    assert tags_of(records) == {"a": ("1girl", "blue_eyes", "hatsune_miku_(cosplay)")}
    assert not rejects


def test_hydrus_writes_a_tag_a_line_with_namespaces(tmp_path: Path) -> None:
    put(tmp_path / "sub/a.png", 1)
    put(tmp_path / "sub/a.png.txt", "creator:some one\nseries:re:zero\nblue eyes\nrating:explicit\n^_^\n")
    [record], _ = read(tmp_path)
    assert record.image_id == "sub/a"
    assert record.tags == ("some_one", "re:zero", "blue_eyes", "^_^")
    assert record.categories == {"some_one": "artist", "re:zero": "copyright"}
    assert record.rating == "explicit"


@pytest.mark.parametrize(
    ("table", "tags"),
    [
        ({"tags": ["blue eyes", "solo"]}, ("blue_eyes", "solo")),
        ({"tags": "blue eyes, solo"}, ("blue_eyes", "solo")),
        ({"tags": "blue_eyes solo"}, ("blue_eyes", "solo")),
        ({"tag_string": "blue_eyes solo", "id": 5}, ("blue_eyes", "solo")),
        ({"tags": {"general": ["solo"], "character": ["miku"]}}, ("solo", "miku")),
        ({"tags": []}, ()),
    ],
)
def test_objects_beside_an_image(tmp_path: Path, table: dict[str, object], tags: tuple[str, ...]) -> None:
    put(tmp_path / "a.jpg", 1)
    put(tmp_path / "a.json", json.dumps(table))
    [record], _ = read(tmp_path)
    assert record.tags == tags


def test_the_text_has_the_tags_and_the_object_the_rest(tmp_path: Path) -> None:
    put(tmp_path / "a.png", 1)
    put(tmp_path / "a.txt", "edited, miku")
    put(tmp_path / "a.png.json", '{"tags": ["raw"], "tag_string_character": "miku", "rating": "q", "md5": "0f"}')
    [record], _ = read(tmp_path)
    assert record.tags == ("edited", "miku")
    assert (record.rating, record.facts["md5"], record.categories) == ("q", "0f", {"miku": "character"})


def test_files_of_one_stem_keep_their_suffix_as_elsewhere(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "b.png"):
        put(tmp_path / name, 1)
    for name in ("a.txt", "b.txt"):
        put(tmp_path / name, "x")
    assert sorted(tags_of(read(tmp_path)[0])) == ["a.jpg", "a.png", "b"]


def test_what_is_wrong_with_one_image_is_one_reject(tmp_path: Path) -> None:
    for name in ("bare", "bad", "list", "long", "latin", "kind"):
        put(tmp_path / f"{name}.png", 1)
    put(tmp_path / "bad.json", "{")
    put(tmp_path / "list.json", "[" * 100_000)
    put(tmp_path / "long.txt", "a " * 6_000_000)
    put(tmp_path / "latin.txt", b"caf\xe9")
    put(tmp_path / "kind.json", '{"tags": [{"key": "x"}]}')
    records, rejects = read(tmp_path)
    assert not records
    assert reasons(rejects) == [
        ("bad.png", "unreadable row"), ("bare.png", "no tags"), ("kind.png", "unreadable row"), ("latin.png", "not text"),
        ("list.png", "unreadable row"), ("long.png", "tags too long"),
    ]  # fmt: skip


def test_links_to_files_are_followed_and_links_to_folders_outside_are_rejects(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    put(outside / "0a1b", 1)
    put(outside / "2c3d", "stored")
    inside = tmp_path / "inside"
    put(inside / "kept/a.png", 2)
    put(inside / "kept/a.txt", "x")
    put(inside / "b.png", 2)
    (inside / "b.txt").symlink_to(outside / "2c3d")
    (inside / "link.png").symlink_to("../outside/0a1b")
    put(inside / "link.txt", "w")
    (inside / "device.png").symlink_to("/dev/zero")
    put(inside / "device.txt", "z")
    (inside / "within.png").symlink_to("kept/a.png")
    put(inside / "within.txt", "y")
    (inside / "folder").symlink_to(outside)
    (inside / "again").symlink_to("kept")
    (inside / "circle.png").symlink_to("circle.png")
    put(inside / "circle.txt", "z")
    records, rejects = read(inside)
    assert tags_of(records) == {"b": ("stored",), "link": ("w",), "within": ("y",), "kept/a": ("x",)}
    assert reasons(rejects) == [("folder", "outside the folder"), ("circle.png", "missing"), ("device.png", "missing")]
    assert open_source(inside).found == "6 images, 4 of them links, with tag files"


def test_images_are_recognised_by_content(tmp_path: Path) -> None:
    put(tmp_path / "a.png", 1)
    for name in ("b", "c.jfif", "d.unknown", "e.tga", "f.heic"):
        put(tmp_path / name, (tmp_path / "a.png").read_bytes())
        put(tmp_path / f"{name}.txt", "x")
    put(tmp_path / "a.txt", "x")
    put(tmp_path / "notes.md", "no image")
    records, rejects = read(tmp_path)
    assert sorted(tags_of(records)) == ["a", "b", "c", "d", "e", "f"]
    assert not rejects


def test_names_may_be_anything(tmp_path: Path) -> None:
    for name in ("two\nlines", "=cmd", "a,b", os.fsdecode(b"caf\xe9")):
        put(tmp_path / f"{name}.png", 1)
        put(tmp_path / f"{name}.txt", "x")
    assert sorted(tags_of(read(tmp_path)[0])) == ["=cmd", "a,b", "caf\\xe9", "two\nlines"]


def test_a_pipe_is_no_image(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    put(tmp_path / "a.txt", "x")
    assert reasons(read(tmp_path)[1]) == [("a.png", "missing")]


def test_hidden_folders_and_datasets_are_left_out(tmp_path: Path) -> None:
    for folder in (".cache", "made", "half", "seen"):
        put(tmp_path / folder / "a.png", 1)
        put(tmp_path / folder / "a.txt", "x")
    put(tmp_path / "made/dataset.toml", "")
    (tmp_path / "half/.parts").mkdir()
    assert open_source(tmp_path).rows == 1
    assert list(tags_of(read(tmp_path)[0])) == ["seen/a"]


def test_a_separator_may_be_named(tmp_path: Path) -> None:
    put(tmp_path / "a.png", 1)
    put(tmp_path / "a.txt", "1girl solo >_<,\n")
    assert read(tmp_path, separator="space")[0][0].tags == ("1girl", "solo", ">_<,")
    with pytest.raises(ArenaError, match="--separator tab: allowed are auto, json, python, comma, line"):
        open_source(tmp_path, hints=Hints(separator="tab"))


def test_a_null_in_an_object_is_no_field_of_tags() -> None:
    assert parse_labels({"tags": None}) is None
