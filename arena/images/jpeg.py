"""Decode a JPEG with simplejpeg, in half of Pillow's time, to the pixels that Pillow gives.

Both libraries use libjpeg-turbo with the accurate inverse DCT and smooth upsampling. Pillow is slower because it stores four
bytes per pixel and copies them twice on the way to an array. The header selects the files for which the pixels are equal;
Pillow decodes every other file. The first call compares the two installed libraries.

Source: measured against Pillow 13.0 with simplejpeg 1.9, see `tests/images/test_jpeg.py`.
"""

import io
import stat
import threading
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from arena.images.in_flight import hold_pixels

RGB = NDArray[np.uint8]
"""Pixels, uint8 (height, width, 3), red, green, blue, 0 to 255."""

_HUFFMAN_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Markers of the frames that are decoded here: baseline, extended, progressive; not lossless, hierarchical or arithmetic."""

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _TABLES_OF_QUANTA = 0xDA, 0xDB
_PLAIN = frozenset({0xC4, 0xDD, 0xFE})
"""Markers of Huffman tables, restart interval, and comment."""

_START = b"\xff\xd8\xff"

_LARGEST_BYTES = 256 << 20
"""Larger files are left to Pillow, which reads them piece by piece."""

_LUMA_SAMPLING = frozenset({(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4)})
"""Horizontal and vertical sampling of the first of three components; the other two have (1, 1)."""


class Frame(NamedTuple):
    """The frame header of a JPEG.

    Attributes:
        marker: the second byte of its marker, such as 0xC0.
        bits: bits of a sample.
        width, height: in pixels.
        sampling: horizontal and vertical sampling factor of each component.
        metadata: whether the file has segments that Pillow has to read, such as the orientation.
    """

    marker: int
    bits: int
    width: int
    height: int
    sampling: tuple[tuple[int, int], ...]
    metadata: bool = False

    @property
    def is_common(self) -> bool:
        """Whether simplejpeg and Pillow decode such a frame to equal pixels."""
        if self.marker not in _HUFFMAN_FRAMES or self.bits != 8:
            return False
        if len(self.sampling) == 1:
            return self.sampling[0] == (1, 1)
        return len(self.sampling) == 3 and self.sampling[0] in _LUMA_SAMPLING and {*self.sampling[1:]} == {(1, 1)}


def read_frame_header(content: bytes) -> Frame | None:
    """Return the frame header of a JPEG; None if the segments before the first scan contain none, or are damaged.

    >>> read_frame_header(bytes.fromhex("ffd8 ffc0 000b 08 0002 0003 01 01 11 00 ffda 0000"))
    Frame(marker=192, bits=8, width=3, height=2, sampling=((1, 1),), metadata=False)
    """
    if not content.startswith(b"\xff\xd8"):
        return None
    at, frame, metadata = 2, None, False
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker, size = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker == _START_OF_SCAN:
            return frame and frame._replace(metadata=metadata)
        if marker < 0xC0 or size < 2:  # fill bytes and markers without a length
            return None
        segment = content[at + 4 : at + 2 + size]
        if marker in _FRAMES and (frame is not None or (frame := _parse_frame(marker, segment)) is None):
            return None
        metadata |= not _is_plain(marker, segment)
        at += 2 + size
    return None


def _is_plain(marker: int, segment: bytes) -> bool:
    """Return whether a segment is well-formed and has no effect on the picture beside its decoding."""
    if marker == 0xE0:
        return segment.startswith(b"JFIF\0") and len(segment) >= 14
    if marker == 0xEE:
        return segment.startswith(b"Adobe") and len(segment) >= 12
    if marker == _TABLES_OF_QUANTA:
        return len(segment) % 65 == 0 and all(byte < 4 for byte in segment[::65])
    return marker in _FRAMES or marker in _PLAIN


def _parse_frame(marker: int, segment: bytes) -> Frame | None:
    if len(segment) < 6 or len(segment) != 6 + 3 * segment[5]:
        return None
    height, width = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
    return Frame(marker, segment[0], width, height, tuple((byte >> 4, byte & 15) for byte in segment[7::3]))


class _Scratch(threading.local):
    """Memory of a thread for pixels that are used at once; new memory costs as much time as a conversion to grey."""

    memory: NDArray[np.uint8] = np.empty(0, np.uint8)

    def take(self, size: int) -> NDArray[np.uint8]:
        """Return `size` bytes; larger requests than `_LARGEST_SCRATCH_BYTES` are not kept."""
        if size > _LARGEST_SCRATCH_BYTES:
            return np.empty(size, np.uint8)
        if size > self.memory.size:
            self.memory = np.empty(size, np.uint8)
        return self.memory[:size]


_LARGEST_SCRATCH_BYTES = 64_000_000
"""Largest memory that a thread keeps: 16 million pixels of four bytes."""

_scratch = _Scratch()


def read_plain_jpeg(source: Path | bytes, *, max_pixels: int, grey: bool) -> Image.Image | RGB | None:
    """Decode a JPEG without metadata; None for any other file. Pillow would take half a millisecond to open it.

    Args:
        max_pixels: larger pictures are left to Pillow.
        grey: return the picture in mode L instead of its pixels.
    """
    if (content := _jpeg_content(source)) is None or (frame := read_frame_header(content)) is None:
        return None
    pixels = frame.width * frame.height
    if frame.metadata or not frame.is_common or not 0 < pixels <= max_pixels:
        return None
    hold_pixels(pixels)
    if not _equals_pillow():
        return None
    return _grey(content, frame) if grey else _decoded(content, "RGB")


def decode_opened_jpeg(image: Image.Image, source: Path | bytes, *, grey: bool) -> Image.Image | RGB | None:
    """Decode a JPEG that Pillow opened, and apply its orientation; None if Pillow has to decode it.

    Args:
        grey: return the picture in mode L.
    """
    if image.format not in ("JPEG", "MPO") or (content := _jpeg_content(source)) is None:
        return None
    pixels = decode_jpeg_grey(content) if grey else decode_jpeg(content)
    if pixels is None or _size(pixels) != image.size:
        return None
    if image.getexif().get(ExifTags.Base.Orientation, 1) == 1:
        return pixels
    upright = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    upright.info = image.info
    ImageOps.exif_transpose(upright, in_place=True)
    return upright


def _jpeg_content(source: Path | bytes) -> bytes | None:
    """Return the bytes of a file that starts as a JPEG does; None for any other file, and for one that cannot be read."""
    if isinstance(source, bytes):
        return source if source.startswith(_START) else None
    try:
        if not stat.S_ISREG(source.stat().st_mode):  # reading a pipe would block
            return None
        with source.open("rb") as file:
            if file.read(len(_START)) != _START:
                return None
            rest = file.read(_LARGEST_BYTES)
    except (OSError, ValueError):
        return None
    return _START + rest if len(rest) < _LARGEST_BYTES else None


def _size(pixels: Image.Image | RGB) -> tuple[int, int]:
    return pixels.size if isinstance(pixels, Image.Image) else (pixels.shape[1], pixels.shape[0])


def decode_jpeg_grey(content: bytes) -> Image.Image | None:
    """Return a JPEG in mode L, equal to `convert("L")` of `decode_jpeg`; None if Pillow has to decode it."""
    frame = _common_frame(content)
    return None if frame is None else _grey(content, frame)


def _common_frame(content: bytes) -> Frame | None:
    """Return the frame header of a JPEG that simplejpeg decodes as Pillow does; None for any other."""
    frame = read_frame_header(content)
    return frame if frame is not None and frame.is_common and _equals_pillow() else None


def _grey(content: bytes, frame: Frame) -> Image.Image | None:
    grey = len(frame.sampling) == 1
    memory = _scratch.take(frame.width * frame.height * (1 if grey else 4))
    if _decoded(content, "GRAY" if grey else "RGBX", memory) is None:
        return None
    mode = "L" if grey else "RGBX"
    picture = Image.frombuffer(mode, (frame.width, frame.height), memory, "raw", mode, 0, 1)
    return picture.copy() if grey else picture.convert("L")


def decode_jpeg(content: bytes) -> RGB | None:
    """Return the pixels of a JPEG, without its EXIF orientation, as Pillow decodes them; None if Pillow has to decode it.

    Pillow has to decode files of another kind, and files that are damaged in any way, because it defines which of them are
    accepted, and with which message the others are refused.

    Args:
        content: the bytes of the file.

    Returns: uint8 (height, width, 3).
    """
    return None if _common_frame(content) is None else _decoded(content, "RGB")


def _decoded(content: bytes, colours: str, memory: NDArray[np.uint8] | None = None) -> NDArray[np.uint8] | None:
    """Return the pixels; None for a damaged file.

    Args:
        memory: the pixels are written there.
    """
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            content, colours, fastdct=False, fastupsample=False, buffer=memory, strict=True
        )
    except (ValueError, OverflowError, MemoryError):
        return None
    return pixels


class _Probe(NamedTuple):
    """A kind of JPEG that `_equals_pillow` compares."""

    mode: str
    subsampling: str
    progressive: bool


_PROBES = tuple(
    _Probe(mode, subsampling, progressive)
    for mode, subsampling in (("RGB", "4:4:4"), ("RGB", "4:2:2"), ("RGB", "4:2:0"), ("L", "4:4:4"))
    for progressive in (False, True)
)


@lru_cache(maxsize=1)
def _equals_pillow() -> bool:
    """Return whether the two installed libraries decode a picture of each kind to equal pixels; it takes some milliseconds."""
    noise = np.random.default_rng(0).integers(0, 256, (37, 51, 3), dtype=np.uint8)
    return all(_equal_on(Image.fromarray(noise), probe) for probe in _PROBES)


def _equal_on(picture: Image.Image, probe: _Probe) -> bool:
    buffer = io.BytesIO()
    options = {"subsampling": probe.subsampling, "progressive": probe.progressive}
    picture.convert(probe.mode).save(buffer, "JPEG", quality=80, **options)
    pixels = _decoded(buffer.getvalue(), "RGB")
    with Image.open(buffer, formats=("JPEG",)) as image:
        return pixels is not None and np.array_equal(pixels, np.asarray(image.convert("RGB")))
