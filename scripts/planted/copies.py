"""Image files with known copies, made from drawings that are not copies of each other."""

import colorsys
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Picture = Image.Image
Change = Callable[[Picture, np.random.Generator], Picture]


class Planted(NamedTuple):
    """One file of the set.

    Attributes:
        image_id: name of the file.
        family: files of the same family are made from the same drawing.
        kind: change of the drawing, a key of `CLASSES`, or `original`.
        suffix: suffix of the file name.
        content: bytes of the file.
    """

    image_id: str
    family: str
    kind: str
    suffix: str
    content: bytes


CLASSES: Mapping[str, str] = {
    "same file": "identical",
    "same pixels": "identical",
    "re-encoded": "near",
    "resized": "near",
    "grey": "near",
    "watermarked": "near",
    "cropped 1 %": "near",
    "cropped 3 %": "near",
    "cropped 5 %": "near",
    "padded": "near",
    "mirrored": "near",
    "recoloured": "alternate",
    "symbol added": "alternate",
    "other symbol": "rejected",
}
"""Expected class of each kind of change, relative to the original drawing.

`other symbol` is a pair of badges: the same frame in two colours around two different drawings. They share a theme, but they
are not copies.
"""


def plant(drawings: Mapping[str, Picture], *, images: int, seed: int) -> Iterator[Planted]:
    """Yield originals, then changed copies of each in turn, until there are `images` files.

    Every original has about the same number of copies, every kind occurs about equally often, and the same seed gives the
    same bytes.
    """
    count = min(len(drawings), max(2, images // COPIES_AN_ORIGINAL))
    names = [sorted(drawings)[place * len(drawings) // count] for place in range(count)]
    planted = 0
    for name in names:
        yield Planted(f"{name}.original", name, "original", "png", png(drawings[name]))
        planted += 1
    kinds = list(CLASSES)
    for turn in range(len(kinds)):
        for place, name in enumerate(names):
            if planted >= images:
                return
            kind = kinds[(turn * 5 + place) % len(kinds)]
            rng = np.random.default_rng(list(hashlib.sha256(f"{seed} {kind} {name}".encode()).digest()))
            other = names[(place + int(rng.integers(1, len(names)))) % len(names)]
            for one in make(kind, name, other, drawings, rng):
                yield one
                planted += 1


COPIES_AN_ORIGINAL = 8
"""Images per original, including itself."""


def make(kind: str, name: str, other: str, drawings: Mapping[str, Picture], rng: np.random.Generator) -> list[Planted]:
    """Return the files of one kind made from a drawing: none, one, or two badges, the second with another drawing."""
    image_id = f"{name}.{kind.replace(' ', '_').replace('%', 'percent')}"
    drawing = drawings[name]
    if kind == "other symbol":
        frame = float(rng.random())
        return [
            Planted(f"{image_id}.{part}", f"badge of {symbol}", kind, "png", png(badge(drawings[symbol], hue, frame)))
            for part, symbol, hue in (("a", name, rng.random()), ("b", other, rng.random()))
        ]
    if kind == "recoloured" and not coloured(drawing):
        return []
    if kind == "same file":
        return [Planted(image_id, name, kind, "png", png(drawing))]
    if kind == "same pixels":
        return [Planted(image_id, name, kind, "bmp", encoded(drawing, "BMP"))]
    if kind == "symbol added":
        return [Planted(image_id, name, kind, "png", png(with_symbol(drawing, drawings[other], rng)))]
    quality = int(rng.integers(60, 95))
    return [Planted(image_id, name, kind, "jpg", encoded(CHANGES[kind](drawing, rng), "JPEG", quality=quality))]


def coloured(drawing: Picture) -> bool:
    """Return whether any pixel is far from grey. A recoloured grey drawing would look like the original of a grey copy."""
    bands = np.asarray(drawing).astype(int)
    return bool((bands.max(2) - bands.min(2)).max() > 40)


def reencode(drawing: Picture, rng: np.random.Generator) -> Picture:
    """Return the drawing unchanged; the only change is the JPEG compression that follows."""
    return drawing


def resize(drawing: Picture, rng: np.random.Generator) -> Picture:
    """Resize to 0.5 to 1.8 times the size with a random filter."""
    factor = float(rng.choice([0.5, 0.66, 0.8, 1.25, 1.8]))
    method = Image.Resampling(int(rng.choice([Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])))
    return drawing.resize((max(8, round(drawing.width * factor)), max(8, round(drawing.height * factor))), method)


def grey(drawing: Picture, rng: np.random.Generator) -> Picture:
    """Remove the colour."""
    return drawing.convert("L").convert("RGB")


def watermark(drawing: Picture, rng: np.random.Generator) -> Picture:
    """Add a half-transparent line of text in a corner, over half of the width."""
    layer = Image.new("RGBA", drawing.size)
    canvas = ImageDraw.Draw(layer)
    font = ImageFont.load_default(max(8.0, drawing.width / 11))
    text = "example.org"
    _, _, right, bottom = canvas.textbbox((0, 0), text, font=font)
    x = 2 if rng.random() < 0.5 else max(0, drawing.width - int(right) - 2)
    y = 2 if rng.random() < 0.5 else max(0, drawing.height - int(bottom) - 2)
    canvas.text((x, y), text, font=font, fill=(128, 128, 128, 128))
    return Image.alpha_composite(drawing.convert("RGBA"), layer).convert("RGB")


def crop(share: float) -> Change:
    """Return a change that crops a share of width and height, split at random between opposite edges."""

    def cropped(drawing: Picture, rng: np.random.Generator) -> Picture:
        wide, high = (max(1, round(side * share)) for side in drawing.size)
        left, top = int(rng.integers(0, wide + 1)), int(rng.integers(0, high + 1))
        return drawing.crop((left, top, drawing.width - wide + left, drawing.height - high + top))

    return cropped


def pad(drawing: Picture, rng: np.random.Generator) -> Picture:
    """Add a white, black or grey border of 4 to 15 % of the longer side, on all edges or on two opposite ones."""
    border = round(max(drawing.size) * float(rng.uniform(0.04, 0.15)))
    wide, high = [(border, border), (border, 0), (0, border)][int(rng.integers(3))]
    colour = [(255, 255, 255), (0, 0, 0), (128, 128, 128)][int(rng.integers(3))]
    canvas = Image.new("RGB", (drawing.width + 2 * wide, drawing.height + 2 * high), colour)
    canvas.paste(drawing, (wide, high))
    return canvas


def mirror(drawing: Picture, rng: np.random.Generator) -> Picture:
    """Mirror left to right."""
    return drawing.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def recolour(drawing: Picture, rng: np.random.Generator) -> Picture:
    """Rotate every hue by a third to two thirds of the circle, and raise weak saturation."""
    hue, saturation, value = drawing.convert("HSV").split()
    turned = (np.asarray(hue).astype(int) + int(rng.integers(85, 171))) % 256
    strong = np.maximum(np.asarray(saturation), 60)
    bands = [Image.fromarray(band.astype(np.uint8)) for band in (turned, strong)]
    return Image.merge("HSV", (*bands, value)).convert("RGB")


def with_symbol(drawing: Picture, other: Picture, rng: np.random.Generator) -> Picture:
    """Paste another drawing over a part of the drawing, at 0.25 to 0.4 of its sides."""
    share = float(rng.uniform(0.25, 0.4))
    symbol = other.resize((max(4, round(drawing.width * share)), max(4, round(drawing.height * share))))
    canvas = drawing.copy()
    x, y = (int(rng.integers(0, max(1, whole - part))) for whole, part in zip(drawing.size, symbol.size, strict=True))
    canvas.paste(symbol, (x, y))
    return canvas


def badge(symbol: Picture, hue: float, frame: float, side: int = 200) -> Picture:
    """Return a round or square frame of one hue with a symbol at its centre."""
    colour = tuple(round(255 * band) for band in colorsys.hsv_to_rgb(hue, 0.8, 0.8))
    canvas = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(canvas)
    shape = draw.ellipse if frame < 0.5 else draw.rectangle
    shape((8, 8, side - 8, side - 8), fill=colour, outline="black", width=4)
    inner = symbol.copy()
    inner.thumbnail((side * 0.45, side * 0.45))
    canvas.paste(inner, ((side - inner.width) // 2, (side - inner.height) // 2))
    return canvas


CHANGES: Mapping[str, Change] = {
    "re-encoded": reencode, "resized": resize, "grey": grey, "watermarked": watermark, "cropped 1 %": crop(0.01),
    "cropped 3 %": crop(0.03), "cropped 5 %": crop(0.05), "padded": pad, "mirrored": mirror, "recoloured": recolour,
}  # fmt: skip


def png(picture: Picture) -> bytes:
    return encoded(picture, "PNG")


def encoded(picture: Picture, kind: str, **options: int) -> bytes:
    """Return the bytes of an image file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()
