"""Pixels, reasons and messages of JPEG files are those of Pillow alone."""

import io
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageOps

from arena.base.errors import UnreadableImageError
from arena.images import jpeg
from arena.images.decode import decode, read_grey, read_picture
from arena.images.jpeg import decode_jpeg, read_frame_header

SIZES = ((1, 1), (1, 9), (17, 1), (8, 8), (16, 16), (15, 33), (51, 37), (64, 129))


def drawing(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    """Return smooth colours with noise, so that every frequency of both chroma channels is present."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([x * 5, y * 7, (x + y) * 3], axis=-1) % 256
    noise = np.random.default_rng(width * 1000 + height).integers(-60, 60, (height, width, 3))
    return Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8)).convert(mode)


def encoded(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def by_pillow(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


KINDS: dict[str, dict[str, object]] = {
    "4:4:4": {"subsampling": "4:4:4"},
    "4:2:2": {"subsampling": "4:2:2"},
    "4:2:0": {"subsampling": "4:2:0"},
    "quality 1": {"quality": 1},
    "quality 100": {"quality": 100, "subsampling": "4:4:4"},
    "progressive": {"progressive": True},
    "progressive 4:4:4": {"progressive": True, "subsampling": "4:4:4"},
    "restart rows": {"restart_marker_rows": 1},
    "restart blocks": {"restart_marker_blocks": 3, "subsampling": "4:2:2"},
    "RGB without transform": {"keep_rgb": True},
    "optimised": {"optimize": True},
    "profile": {"icc_profile": b"\0" * 70_000},
    "comment": {"comment": b"\xff\xc0\xff\xd9" * 100},
    "dots per inch": {"dpi": (72, 72)},
}


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kind", KINDS)
def test_pixels_equal_pillow(kind: str, mode: str) -> None:
    options = (
        KINDS[kind] if mode == "RGB" else {k: v for k, v in KINDS[kind].items() if k not in ("keep_rgb", "subsampling")}
    )
    for size in SIZES:
        content = encoded(drawing(size, mode), **options)
        pixels = decode_jpeg(content)
        assert pixels is not None, size
        assert np.array_equal(pixels, by_pillow(content)), size
        assert np.array_equal(decode(content), pixels), size
        assert np.array_equal(read_grey(content), read_picture(content).image.convert("L")), size


@pytest.mark.parametrize("sampling", ["444", "422", "420", "440", "411"])
def test_every_sampling_equals_pillow(sampling: str) -> None:
    for size in SIZES:
        content = simplejpeg.encode_jpeg(np.ascontiguousarray(drawing(size)), 90, "RGB", sampling)
        pixels = decode_jpeg(content)
        assert pixels is not None
        assert np.array_equal(pixels, by_pillow(content)), size


@pytest.mark.parametrize("orientation", range(10))
def test_the_orientation_is_applied(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(drawing((21, 14)), exif=exif)
    assert np.array_equal(decode(content), by_pillow(content))
    (tmp_path / "a.jpg").write_bytes(content)
    assert np.array_equal(np.asarray(read_picture(tmp_path / "a.jpg").image), by_pillow(content))
    assert np.array_equal(read_grey(tmp_path / "a.jpg"), Image.fromarray(by_pillow(content)).convert("L"))


def test_four_components_are_left_to_pillow() -> None:
    content = encoded(drawing((20, 10), "CMYK"))
    assert decode_jpeg(content) is None
    assert np.array_equal(decode(content), by_pillow(content))


def with_frame(content: bytes, *, marker: int = 0xC0, bits: int = 8, sampling: int | None = None) -> bytes:
    at = content.index(b"\xff\xc0\0\x11")
    frame = bytearray(content[at : at + 19])
    frame[1], frame[4] = marker, bits
    frame[11] = sampling or frame[11]
    return content[:at] + bytes(frame) + content[at + 19 :]


@pytest.mark.parametrize(
    "change", [{"bits": 12}, {"bits": 16}, {"marker": 0xC3}, {"marker": 0xC9}, {"marker": 0xCA}, {"sampling": 0x31},
               {"sampling": 0x24}],
)  # fmt: skip
def test_rare_frames_are_left_to_pillow(change: dict[str, int]) -> None:
    assert decode_jpeg(with_frame(encoded(drawing((40, 24))), **change)) is None


def outcome(content: bytes) -> object:
    try:
        return decode(content).tobytes()
    except UnreadableImageError as error:
        return str(error)


def damaged() -> list[bytes]:
    """Return truncated, extended and altered files."""
    whole = [encoded(drawing((48, 40))), encoded(drawing((48, 40)), progressive=True), encoded(drawing((40, 48), "L"))]
    cut = [content[:size] for content in whole for size in range(2, len(content), max(1, len(content) // 40))]
    tails = [content[:-2] for content in whole] + [content + b"junk" * 50 for content in whole]
    rng = np.random.default_rng(0)
    altered = []
    for content in whole:
        for _ in range(40):
            one = bytearray(content)
            one[int(rng.integers(2, len(one)))] = int(rng.integers(256))
            altered.append(bytes(one))
    return [*cut, *tails, *altered]


def test_damaged_files_have_the_pixels_or_the_reason_of_pillow(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    files = damaged()
    found = [outcome(content) for content in files]
    monkeypatch.setattr(jpeg, "_equals_pillow", lambda: False)
    assert [a == b for a, b in zip(found, map(outcome, files), strict=True)] == [True] * len(files)
    assert "truncated" in str(found[30])
    assert capfd.readouterr() == ("", "")


def test_libraries_that_differ_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(drawing((20, 10)))
    jpeg._equals_pillow.cache_clear()
    right = simplejpeg.decode_jpeg
    monkeypatch.setattr(
        simplejpeg, "decode_jpeg", lambda *given, **more: right(*given, **more | {"fastupsample": True})
    )
    try:
        assert decode_jpeg(content) is None
        assert np.array_equal(decode(content), by_pillow(content))
    finally:
        jpeg._equals_pillow.cache_clear()


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xc0\0\x02", b"GIF89a"]
)
def test_a_file_without_a_frame_has_no_header(content: bytes) -> None:
    assert read_frame_header(content) is None


def test_metadata_is_left_to_pillow() -> None:
    image, exif = drawing((9, 5)), Image.Exif()
    exif[0x010E] = "a text"
    kinds = ({}, {"comment": b"text"}, {"exif": exif}, {"icc_profile": b"x" * 200}, {"xmp": b"<x/>"})
    headers = [read_frame_header(encoded(image, **kind)) for kind in kinds]
    assert [header.metadata for header in headers if header] == [False, False, True, True, True]
