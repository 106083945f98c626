"""A PNG with a large profile or text is read, in bounded memory; small texts keep their effect."""

import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from arena.base.errors import UnreadableImageError
from arena.images.decode import decode
from arena.images.png import MAX_TEXT_BYTES, PNG_SIGNATURE, without_large_text
from tests.conftest import draw


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def plain() -> bytes:
    buffer = io.BytesIO()
    draw(1, (30, 20)).save(buffer, "PNG")
    return buffer.getvalue()


def with_chunks(before: bytes = b"", after: bytes = b"") -> bytes:
    """A PNG with chunks before and after its pixels."""
    content = plain()
    header = len(PNG_SIGNATURE) + 25
    return content[:header] + before + content[header:-12] + after + content[-12:]


LARGE, ALMOST = (zlib.compress(bytes(size)) for size in (3 * MAX_TEXT_BYTES, MAX_TEXT_BYTES - 9))
CHUNKS = {
    "profile": chunk(b"iCCP", b"icc\0\0" + LARGE),
    "text": chunk(b"zTXt", b"prompt\0\0" + LARGE),
    "international": chunk(b"iTXt", b"workflow\0\1\0\0\0" + LARGE),
    "exactly": chunk(b"zTXt", b"prompt\0\0" + zlib.compress(bytes(MAX_TEXT_BYTES))),
}


@pytest.mark.parametrize("kind", CHUNKS)
@pytest.mark.parametrize("where", ["before", "after"])
def test_large_profiles_and_texts_do_not_matter(tmp_path: Path, kind: str, where: str) -> None:
    content = with_chunks(**{where: CHUNKS[kind]})
    assert np.array_equal(decode(content), decode(plain()))
    (tmp_path / "a.png").write_bytes(content)
    assert np.array_equal(decode(tmp_path / "a.png"), decode(plain()))


def test_many_texts_are_bounded_together() -> None:
    many = b"".join(chunk(b"zTXt", b"%d\0\0" % n + ALMOST) for n in range(65))
    assert np.array_equal(decode(with_chunks(many)), decode(plain()))


def test_the_orientation_in_a_small_text_stays() -> None:
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    small = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    assert decode(with_chunks(small)).shape == decode(with_chunks(CHUNKS["profile"] + small)).shape == (30, 20, 3)


def test_memory_is_bounded() -> None:
    content = with_chunks(chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(64 * MAX_TEXT_BYTES), 1)))
    tracemalloc.start()
    decode(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MAX_TEXT_BYTES


def test_only_what_pillow_refuses_is_left_out() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", "a cat", zip=True)
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "PNG", pnginfo=info)
    for content in (buffer.getvalue(), plain(), b"no PNG", plain()[:40]):
        assert without_large_text(content) is content
    damaged = chunk(b"zTXt", b"a\0\0" + b"not compressed")
    assert without_large_text(with_chunks(damaged + CHUNKS["text"])) == with_chunks(damaged)


def test_a_damaged_png_stays_damaged() -> None:
    with pytest.raises(UnreadableImageError, match="truncated"):
        decode(with_chunks(CHUNKS["text"])[:-40])
