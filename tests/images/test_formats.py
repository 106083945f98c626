"""Images are recognised by suffix or by content; a format without a decoder says how to install one."""

import importlib
import io
import os
from pathlib import Path

import pytest
from PIL import Image

from arena.base.errors import UnreadableImageError
from arena.images import formats
from arena.images.decode import decode
from arena.images.formats import HEAD_BYTES, decoder_versions, has_image_suffix, is_image_file, is_image_head
from arena.images.places import read_image_file
from tests.conftest import draw

HEIC = bytes.fromhex("00000018667479706865696300000000") + b"mif1heic"
JXL = b"\xff\x0a\0\0"


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    draw(1).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "JPEG2000", "AVIF", "QOI", "DDS", "ICNS", "SGI"]
)
def test_an_image_without_suffix_is_recognised_by_content(tmp_path: Path, kind: str) -> None:
    content = encoded(kind)
    assert is_image_head(content[:HEAD_BYTES])
    (tmp_path / "0a1b2c").write_bytes(content)
    (tmp_path / "0a1b2c.bin").write_bytes(content)
    assert is_image_file(tmp_path / "0a1b2c")
    assert is_image_file(tmp_path / "0a1b2c.bin")


@pytest.mark.parametrize(
    "head",
    [b"", b"text", b"{}", b"PK\3\4", b"\x93NUMPY", b"BMW is a car and no bitmap", b"%PDF-1.7", b"PAR1", b"\x1f\x8b\x08",
     b"\0\0\0\x18ftypisom", b"RIFF\0\0\0\0WAVE"],
)  # fmt: skip
def test_other_files_are_no_images(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "file").write_bytes(head)
    assert not is_image_file(tmp_path / "file")


def test_a_link_counts_by_its_target_and_what_cannot_be_read_by_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(encoded("PNG"))
    (tmp_path / "link").symlink_to("blob")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "gone.png").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    found = {path.name for path in tmp_path.iterdir() if is_image_file(path)}
    assert found == {"blob", "link", "gone.png"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEIC, r'no decoder: HEIF; run: pip install "tagger-arena\[heif\]"'),
        (JXL, r'no decoder: JPEG XL; run: pip install "tagger-arena\[jxl\]"'),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0a", "a Git LFS pointer, not its file; run: git lfs pull"),
        (b"../../blobs/0a1b", "the text of a link, not its target"),
        (b"\n<!DOCTYPE html><html>", "an HTML page"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "convert it to PNG"),
    ],
)  # fmt: skip
def test_what_is_not_decoded_says_what_to_do(monkeypatch: pytest.MonkeyPatch, content: bytes, message: str) -> None:
    def none_installed(name: str, imported=importlib.import_module):
        if name in ("pillow_heif", "pillow_jxl"):
            raise ImportError(name)
        return imported(name)

    monkeypatch.setattr(importlib, "import_module", none_installed)
    with pytest.raises(UnreadableImageError, match=message):
        decode(content)


def test_an_installed_plugin_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def register() -> None:  # a plugin of a format that is a PNG after four bytes
        def opened(file, name):
            return Image.open(io.BytesIO(file.read()[len(JXL) :]))

        Image.register_open("JXL", opened, lambda prefix: prefix.startswith(JXL))

    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    monkeypatch.setitem(formats._DECODERS, "jxl", formats._DECODERS["jxl"]._replace(register=register))
    assert (decode(JXL + encoded("PNG")) == decode(encoded("PNG"))).all()


def test_the_format_does_not_depend_on_the_files_before(monkeypatch: pytest.MonkeyPatch) -> None:
    icon = io.BytesIO()
    draw(1, (64, 64)).save(icon, "ICO")
    Image.init()
    expected = decode(icon.getvalue())
    for first in ("TGA", "SPIDER", "IMT", "CUR"):
        monkeypatch.setattr(Image, "ID", [first, *(name for name in Image.ID if name != first)])
        assert (decode(icon.getvalue()) == expected).all(), first


def test_versions_name_the_decoders_that_are_installed() -> None:
    assert decoder_versions()["pillow"] == Image.__version__
    assert decoder_versions().keys() <= {"pillow", "pillow-heif", "pillow-jxl-plugin"}


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "circle.png").symlink_to("circle.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "folder.png").symlink_to(tmp_path)
    for name in ("pipe.png", "circle.png", "device.png", "folder.png", "none.png"):
        for read in (decode, read_image_file):
            with pytest.raises(UnreadableImageError) as caught:
                read(tmp_path / name)
            assert caught.value.reason == "missing", name


def test_suffixes_need_a_name() -> None:
    assert [has_image_suffix(name) for name in ("a.jfif", "a.TGA", "a.tar", ".png", "png")] == [
        True,
        True,
        *[False] * 3,
    ]
