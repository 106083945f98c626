"""Thumbnails of a run folder: bounded, resumed, and never named by what an identifier says."""

from contextlib import nullcontext
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from arena.base.errors import ArenaError
from arena.images import thumbnails
from arena.images.thumbnails import (
    THUMBNAIL_SIDE,
    Limits,
    ThumbnailSource,
    changed_thumbnails,
    file_name,
    read_thumbnails,
    remove_thumbnails,
    webp_thumbnail,
    write_thumbnails,
)
from tests.conftest import draw

MANY = Limits(1_000, 10_000_000)
HOSTILE = [
    "../../x",
    "/etc/passwd",
    "CON",
    "a\0b",
    "<script>",
    "\u202ertl",
    "🐈" * 200,
    "C:\\x",
    "thumbnails.parquet",
    "",
]


def sources(folder: Path, image_ids: list[str]) -> list[ThumbnailSource]:
    folder.mkdir(exist_ok=True)
    found = []
    for number, image_id in enumerate(image_ids):
        path = folder / f"{number}.png"
        draw(number).save(path)
        found.append(ThumbnailSource(image_id, path, f"{number:064x}", "general"))
    return found


def made(run: Path) -> set[str]:
    return {path.name for path in (run / "thumbnails").iterdir()}


def test_a_thumbnail_is_small_and_keeps_its_shape(tmp_path: Path) -> None:
    Image.new("RGB", (900, 300), "red").save(tmp_path / "a.jpg")
    (tmp_path / "a.webp").write_bytes(webp_thumbnail(tmp_path / "a.jpg"))
    with Image.open(tmp_path / "a.webp") as image:
        assert (image.format, image.size) == ("WEBP", (THUMBNAIL_SIDE, round(THUMBNAIL_SIDE / 3)))
    Image.new("RGB", (30, 20)).save(tmp_path / "b.png")
    (tmp_path / "b.webp").write_bytes(webp_thumbnail(tmp_path / "b.png"))
    with Image.open(tmp_path / "b.webp") as image:
        assert image.size == (30, 20), "no larger than it was"


def test_hostile_identifiers_become_plain_names_and_come_back(tmp_path: Path) -> None:
    given = sources(tmp_path / "images", HOSTILE)
    written = write_thumbnails(tmp_path / "run", given, limits=MANY)
    assert (written.images, written.unreadable) == (len(HOSTILE), 0)
    found = read_thumbnails(tmp_path / "run")
    assert set(found) == set(HOSTILE)
    assert made(tmp_path / "run") == {one.file for one in found.values()} | {"thumbnails.parquet"}
    assert {path.name for path in tmp_path.iterdir()} == {"images", "run"}
    for one in found.values():
        with Image.open(tmp_path / "run/thumbnails" / one.file) as image:
            assert image.size == (one.width, one.height)


@settings(max_examples=50)
@given(st.text(max_size=50), st.text(max_size=50))
def test_a_name_depends_on_the_image_and_tells_nothing_of_it(first: str, second: str) -> None:
    names = [file_name(ThumbnailSource(image, Path("x"), "00" * 32, "")) for image in (first, second)]
    assert all(thumbnails._OWN.fullmatch(name) for name in names)
    assert (names[0] == names[1]) == (first == second)
    assert file_name(ThumbnailSource(first, Path("x"), "11" * 32, "")) != names[0], "another content, another name"


def test_what_is_there_is_kept_and_what_belongs_to_nothing_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, run = sources(tmp_path / "images", list("abcd")), tmp_path / "run"
    write_thumbnails(run, given, limits=MANY)
    before = {path: path.stat().st_mtime_ns for path in (run / "thumbnails").glob("*.webp")}
    (run / "thumbnails" / file_name(given[1])).write_bytes(b"cut sho")
    (run / "thumbnails" / ".arena-1-0123456789abcdef.part").write_bytes(b"of a run that was stopped")
    (run / "thumbnails" / "notes.txt").write_text("mine")
    opened: list[Path] = []
    whole = thumbnails.webp_thumbnail
    monkeypatch.setattr(thumbnails, "webp_thumbnail", lambda path: opened.append(path) or whole(path))
    written = write_thumbnails(run, given[:3], limits=MANY)
    assert written.images == 3
    assert opened == [given[1].path], "only the damaged one is made again"
    assert made(run) == {file_name(one) for one in given[:3]} | {"thumbnails.parquet", "notes.txt"}
    kept = run / "thumbnails" / file_name(given[0])
    assert kept.stat().st_mtime_ns == before[kept]


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, run = sources(tmp_path / "images", [str(n) for n in range(200)]), tmp_path / "run"

    class Stops(thumbnails.Silent):
        def count(self, what, total, done, *, unit="items"):  # type: ignore[no-untyped-def]
            seen = iter(range(70))

            def advance(number: int) -> None:
                if next(seen, None) is None:
                    raise KeyboardInterrupt

            return nullcontext(advance)

    with pytest.raises(KeyboardInterrupt):
        write_thumbnails(run, given, limits=MANY, progress=Stops())
    assert read_thumbnails(run) == {}, "the table comes last"
    there = len(list((run / "thumbnails").glob("*.webp")))
    assert 64 <= there < 200
    again: list[Path] = []
    whole = thumbnails.webp_thumbnail
    monkeypatch.setattr(thumbnails, "webp_thumbnail", lambda path: again.append(path) or whole(path))
    assert write_thumbnails(run, given, limits=MANY).images == 200
    assert len(again) == 200 - there


def test_an_unreadable_file_is_left_out_and_counted(tmp_path: Path) -> None:
    given = sources(tmp_path / "images", list("abc"))
    given[0].path.write_bytes(given[0].path.read_bytes()[:60])
    given[2].path.unlink()
    written = write_thumbnails(tmp_path / "run", given, limits=MANY)
    assert (written.images, written.unreadable) == (1, 2)
    assert list(read_thumbnails(tmp_path / "run")) == ["b"]


def test_the_first_images_are_taken_as_far_as_the_limits_go(tmp_path: Path) -> None:
    given, run = sources(tmp_path / "images", [str(n) for n in range(90)]), tmp_path / "run"
    assert write_thumbnails(run, given, limits=Limits(7, 10_000_000)).images == 7
    assert list(read_thumbnails(run)) == [str(n) for n in range(7)]
    sizes = [len(webp_thumbnail(one.path)) for one in given]
    written = write_thumbnails(run, given, limits=Limits(90, sum(sizes[:70]) + sizes[70] - 1))
    assert (written.images, written.bytes) == (70, sum(sizes[:70]))
    assert len(made(run)) == 71, "nothing that was made in vain stays"


def test_a_table_that_names_other_files_shows_none_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "thumbnails"
    folder.mkdir()
    (tmp_path / "secret.webp").write_bytes(b"x")
    (folder / "0123456789abcdef.webp").write_bytes(b"x")
    names = ["../secret.webp", "fedcba9876543210.webp", "0123456789abcdef.webp", "0123456789abcdef.webp/../x"]
    table = pd.DataFrame({"image_id": list("abcd"), "file": names, "rating": "g", "width": 1, "height": 1})
    table.to_parquet(folder / "thumbnails.parquet")
    assert list(read_thumbnails(tmp_path)) == ["c"]
    (folder / "thumbnails.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(ArenaError, match=r"thumbnails.parquet: not a readable Parquet file .*; remove the folder"):
        read_thumbnails(tmp_path)
    remove_thumbnails(tmp_path)
    assert read_thumbnails(tmp_path) == {}


def test_a_changed_thumbnail_is_not_shown_and_is_made_again(tmp_path: Path) -> None:
    given, run = sources(tmp_path / "images", list("ab")), tmp_path / "run"
    write_thumbnails(run, given, limits=MANY)
    path = run / "thumbnails" / file_name(given[1])
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    assert list(read_thumbnails(run)) == ["a"]
    assert changed_thumbnails(run) == [path.name]
    write_thumbnails(run, given, limits=MANY)
    assert path.read_bytes() == whole
    assert changed_thumbnails(run) == []
