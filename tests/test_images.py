import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arena.errors import UnreadableImageError
from arena.images import decode

from .conftest import draw


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_transparency_is_composited_on_white() -> None:
    image = Image.new("RGBA", (2, 1), (200, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    assert decode(encoded(image)).tolist() == [[[255, 255, 255], [0, 0, 0]]]


def test_palette_transparency_is_composited_on_white() -> None:
    image = Image.new("P", (2, 2), 0)
    image.putpalette([10, 20, 30] + [0] * 765)
    assert (decode(encoded(image, transparency=0)) == 255).all()
    assert (decode(encoded(image)) == [10, 20, 30]).all()


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(encoded(draw(1, (30, 20)), "JPEG", exif=exif)).shape == (30, 20, 3)


@pytest.mark.parametrize("mode", ["L", "LA", "1", "CMYK", "P", "RGB", "RGBA"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    pixels = decode(encoded(draw(2, (9, 5)).convert(mode), kind))
    assert pixels.shape == (5, 9, 3)
    assert pixels.dtype == np.uint8


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    image = Image.fromarray(np.array([[0, 32768, 65535]], np.uint16))
    assert decode(encoded(image))[0, :, 0].tolist() == [0, 128, 255]


def test_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    assert decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an image"),
        (b"no image at all", "not an image"),
        (encoded(draw(3))[:300], "truncated"),
        (encoded(draw(3), "JPEG")[:-200], "truncated"),
        (encoded(Image.new("1", (20_000, 20_000))), "more than 89,478,485 pixels"),
    ],
)
def test_unreadable_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableImageError, match=reason):
        decode(content)


def test_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="no such file"):
        decode(tmp_path / "none.png")
