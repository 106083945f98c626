"""Messages of image libraries are collected under the picture that they are about; nothing else is."""

import io
import logging
import re
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arena.base.errors import UnreadableImageError
from arena.dataset.hashes.files import ImageFile, _hash_in_worker
from arena.images.decode import read_picture
from arena.images.in_flight import picture_in_flight
from arena.images.messages import LibraryMessages, add_library_messages, collect_library_messages
from tests.conftest import arena_here


def damaged_tiff() -> bytes:
    """An LZW strip with codes that libtiff reports on standard error."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "TIFF", compression="tiff_lzw")
    content = bytearray(buffer.getvalue())
    content[20:60] = b"\xff" * 40
    return bytes(content)


def warned_tiff() -> bytes:
    """A tag with more entries than expected, of which Pillow warns."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "TIFF")
    planar = struct.Struct("<HHI")  # tag, type, number of entries
    return buffer.getvalue().replace(planar.pack(284, 3, 1), planar.pack(284, 3, 2))


def read_anyway(path: Path) -> None:
    with suppress(UnreadableImageError):
        read_picture(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four damaged files, four of which Pillow warns, four without fault."""
    (tmp_path / "in").mkdir()
    for number in range(4):
        (tmp_path / f"in/damaged{number}.tif").write_bytes(damaged_tiff())
        (tmp_path / f"in/warned{number}.tif").write_bytes(warned_tiff())
        Image.new("RGB", (8, 8)).save(tmp_path / f"in/plain{number}.png")
    return tmp_path / "in"


def test_each_message_belongs_to_its_picture(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with collect_library_messages() as found, ThreadPoolExecutor(4) as pool:
        list(pool.map(read_anyway, sorted(folder.iterdir())))
    assert sorted(Path(name).name for name in found.counts) == sorted(
        f"{kind}{number}.tif" for kind in ("damaged", "warned") for number in range(4)
    )
    assert all("libtiff: " in text for name, text in found.examples.items() if "damaged" in name)
    assert found.line.count("\n") == 0
    assert f"{found.counts.total()} messages on 8 images" in found.line
    assert capfd.readouterr().err == ""


def test_warnings_and_records_that_concern_no_picture_are_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with collect_library_messages() as found:
        with pytest.warns(UserWarning, match="about something else"):
            warnings.warn("about something else", stacklevel=1)
        logging.getLogger("PIL.Image").warning("of no picture")
        with picture_in_flight("a"):
            logging.getLogger("PIL.TiffImagePlugin").error("More samples per pixel than can be decoded")
    assert found.examples == {"a": "More samples per pixel than can be decoded"}
    assert "of no picture" in capfd.readouterr().err


def test_a_worker_process_hands_its_messages_to_its_parent(folder: Path) -> None:
    _, sent = _hash_in_worker(ImageFile("a", str(folder / "damaged0.tif")), ["phash"])
    assert sent.counts
    with collect_library_messages() as found:
        add_library_messages(sent)
        add_library_messages(LibraryMessages())
    assert found == sent


@pytest.mark.parametrize("command", ["hash {} -o out.parquet", "dataset import {} -o out"])
def test_a_verb_prints_one_line_of_them(
    folder: Path, command: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.parent)
    for path in list(folder.iterdir()):
        path.with_suffix(".txt").write_text("tag")
    done = arena_here(*command.format("in").split())
    lines = [line for line in done.stderr.splitlines() if line.startswith("image libraries: ")]
    assert len(lines) == 1, done.stderr
    assert "on 8 images; " in lines[0]
    assert re.search(r"damaged\d\.tif: libtiff: ", lines[0])
    assert "site-packages" not in done.stderr
    assert capfd.readouterr().err == "", "nothing is written past Python"


def test_a_line_keeps_hostile_names_and_long_texts_short() -> None:
    found = LibraryMessages()
    for number in range(9):
        found.add("a\n\x1b[2J" + "x" * 500 + f"{number}.tif", "y" * 5_000)
    assert "\n" not in found.line
    assert "\x1b" not in found.line
    assert len(found.line) < 500
    assert found.line.count(".tif: ") == 3
