import json
from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.dataset.sources import open_source

from .kinds import put, read, reasons, tags_of

TAGS = {"tags": "1girl, long hair", "caption": "a girl"}


@pytest.mark.parametrize(
    ("images", "name"),
    [
        ({"img/0.png": TAGS}, "img/0"),
        ({"img/0": {**TAGS, "train_resolution": [64, 64]}}, "img/0"),
        ({"D:\\train\\img\\0.png": TAGS}, "img/0"),
        ({"/home/me/train/img/0.png": TAGS}, "img/0"),
        ({"img/0.png": {"caption": "1girl, long hair"}}, "img/0"),
        ({"img/0.png": {"tags": ["1girl", "long hair"]}}, "img/0"),
        (
            {"format_version": "1.0", "images": {"img/0.png": {"tags": ["1girl, long hair"], "image_size": [64, 64]}}},
            "img/0",
        ),
    ],
)
def test_metadata_of_every_step(tmp_path: Path, images: dict[str, object], name: str) -> None:
    put(tmp_path / "img/0.png", 1)
    put(tmp_path / "meta_x.json", json.dumps(images, indent=2))
    source = open_source(tmp_path / "meta_x.json")
    assert (source.kind, source.rows) == ("kohya", 1)
    assert tags_of(list(source.records())) == {name: ("1girl", "long_hair")}  # type: ignore[arg-type]


def test_a_folder_with_metadata_and_a_stem_alone(tmp_path: Path) -> None:
    put(tmp_path / "0.png", 1)
    put(
        tmp_path / "meta_lat.json",
        b"\xef\xbb\xbf" + json.dumps({"0": TAGS, "1": TAGS, "2": {"train_resolution": [1, 1]}}).encode(),
    )
    put(tmp_path / "2.png", 1)
    records, rejects = read(tmp_path)
    assert tags_of(records) == {"0": ("1girl", "long_hair")}
    assert reasons(rejects) == [("meta_lat.json:1", "missing"), ("meta_lat.json:2", "no tags")]
    assert read(tmp_path) == (records, rejects)


def test_other_objects_are_no_metadata(tmp_path: Path) -> None:
    put(tmp_path / "x.json", '{"a": {"b": 1}}')
    with pytest.raises(ArenaError, match="no image source recognised"):
        open_source(tmp_path / "x.json")
    with pytest.raises(ArenaError, match=r"x\.json: not metadata of kohya"):
        list(open_source(tmp_path / "x.json", "kohya").records())


def test_caption_files_and_waifucs_metadata(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        put(tmp_path / f"{name}.png", 1)
    put(tmp_path / "a.caption", "1girl, solo")
    put(tmp_path / ".b_meta.json", '{"tags": {"1girl": 0.98, "long_hair": 0.7}}')
    put(tmp_path / "c.caption", "from caption, x")
    put(tmp_path / "c.txt", "1girl, hat")
    assert tags_of(read(tmp_path)[0]) == {"a": ("1girl", "solo"), "b": ("1girl", "long_hair"), "c": ("1girl", "hat")}
