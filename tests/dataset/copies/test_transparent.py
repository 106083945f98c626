"""The alpha channel is part of what is compared: pictures that only a background makes equal are no copies."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from arena.dataset.copies.signatures import compute_signature
from arena.dataset.hashes.algorithms import phash
from arena.images.decode import decode, pixel_digest, read_picture

from .test_dedup import run, tags_by_id, write_folder
from .test_pairs import drawing

Draw = Callable[[ImageDraw.ImageDraw, str], None]


def heart(canvas: ImageDraw.ImageDraw, colour: str) -> None:
    canvas.ellipse((40, 40, 110, 110), fill=colour)
    canvas.ellipse((90, 40, 160, 110), fill=colour)
    canvas.polygon([(45, 95), (155, 95), (100, 170)], fill=colour)


def arrow(canvas: ImageDraw.ImageDraw, colour: str) -> None:
    canvas.rectangle((30, 85, 120, 115), fill=colour)
    canvas.polygon([(120, 50), (175, 100), (120, 150)], fill=colour)


def glyph(draw: Draw, colour: str, *, ring: str = "", size: int = 200) -> Image.Image:
    image = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    canvas = ImageDraw.Draw(image)
    draw(canvas, colour)
    if ring:
        canvas.ellipse((4, 4, 196, 196), outline=ring, width=14)
        canvas.arc((20, 20, 180, 180), 20, 70, fill=ring, width=9)
    return image.resize((size, size), Image.Resampling.LANCZOS)


def kept(tmp_path: Path, **images: Image.Image) -> list[str]:
    folder = write_folder(tmp_path / "in", {name: (image, [name]) for name, image in images.items()})
    run(folder, tmp_path / "out")
    return list(tags_by_id(tmp_path / "out"))


@pytest.mark.parametrize(
    ("colour", "ring"),
    [("white", ""), ("white", "red"), ("black", ""), ("#808080", ""), ("white", "#808080"), ("#808080", "navy")],
)  # fmt: skip
def test_other_drawings_are_no_copies_on_whatever_background_they_vanish(
    tmp_path: Path, colour: str, ring: str
) -> None:
    assert kept(tmp_path, a=glyph(heart, colour, ring=ring), b=glyph(arrow, colour, ring=ring)) == ["a", "b"]


@pytest.mark.parametrize(("colour", "ring"), [("white", ""), ("white", "red"), ("black", ""), ("#808080", "")])
def test_a_smaller_copy_is_a_copy(tmp_path: Path, colour: str, ring: str) -> None:
    assert kept(tmp_path, a=glyph(heart, colour, ring=ring), b=glyph(heart, colour, ring=ring, size=130)) == ["a"]


def test_a_transparent_drawing_and_its_flattened_copy_are_copies(tmp_path: Path) -> None:
    image = drawing(1).convert("RGBA")
    image.putalpha(Image.eval(drawing(1).convert("L"), lambda level: 0 if level > 250 else 255))
    flat = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    assert kept(tmp_path, a=image, b=flat) == ["a"]


def test_a_white_square_is_no_copy_of_a_hidden_drawing(tmp_path: Path) -> None:
    white = Image.new("RGB", (200, 200), "white")
    assert kept(tmp_path, a=glyph(heart, "white"), b=white) == ["a", "b"]


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_equal_pixels_in_another_format_are_identical_and_other_alpha_is_not(tmp_path: Path) -> None:
    def digest(content: bytes) -> str:
        picture = read_picture(content)
        return pixel_digest(np.asarray(picture.image), picture.alpha)

    image = glyph(heart, "white", ring="red")
    png = encoded(image, "PNG")
    assert digest(png) == digest(encoded(image, "TIFF"))
    assert digest(png) == digest(encoded(image, "WEBP", lossless=True, exact=False)), "hidden colours are not compared"
    assert digest(png) != digest(encoded(glyph(arrow, "white", ring="red"), "PNG"))
    opaque = Image.new("RGBA", (9, 9), (1, 2, 3, 255))
    assert digest(encoded(opaque, "PNG")) == pixel_digest(np.asarray(opaque.convert("RGB"))), "without alpha bytes"


def test_hashes_of_an_index_stay_those_on_white(tmp_path: Path) -> None:
    image = glyph(heart, "white")
    white = phash(decode(encoded(image, "PNG")))
    picture = read_picture(encoded(image, "PNG"))
    signature = compute_signature(np.asarray(picture.image), picture.alpha)
    assert white == phash(np.full((200, 200, 3), 255, np.uint8))
    assert not signature.flat
    assert signature.hashes["as is"].phash != white
