"""Decode any image file to canonical RGB, or say why not.

Canonical: EXIF orientation applied, the first frame of an animation, transparency composited on white, 8 bits a channel.
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from arena.errors import UnreadableImageError


@dataclass(frozen=True)
class ImagePolicy:
    """What counts as an image, and what becomes of its transparency.

    Attributes:
        animated: `first` takes the first frame of an animation, `drop` refuses it.
        transparent: `white` composites on white, `drop` refuses a picture with any transparent pixel.
        max_pixels: larger images are refused before a pixel is decoded.
    """

    animated: str = "first"
    transparent: str = "white"
    max_pixels: int = 89_478_485


RGB = NDArray[np.uint8]
"""Pixels, (height, width, 3), red green blue, 0 to 255."""

MAX_PIXELS = 89_478_485
"""Larger images are refused before a pixel is decoded, for a few kilobytes of PNG can hold gigabytes; Pillow's own limit."""

# Pillow only warns at that limit, and a warning filter set around each decode would not be safe in threads.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"})
"""Suffixes that a folder scan takes for images; a file named outright may have any."""


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


def decode(source: Path | bytes) -> RGB:
    """Decode a file, or its bytes, to canonical RGB.

    Returns: uint8 (height, width, 3).

    Raises:
        UnreadableImageError: as `canonical`.
    """
    return np.asarray(canonical(source))


def canonical(source: Path | bytes, *, least_side: int | None = None) -> Image.Image:
    """Decode a file, or its bytes, to a canonical picture in mode RGB.

    Args:
        least_side: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as long as both sides keep so many pixels; other
            pixels, and several times quicker. None: always the whole.

    Raises:
        UnreadableImageError: missing, empty, truncated, no image, or more than `MAX_PIXELS`. The message is the reason
            alone ("truncated"), for the caller knows the name.
    """
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            refuse_bomb(Size(*image.size))
            if least_side is not None:
                image.draft("RGB", (least_side, least_side))
            ImageOps.exif_transpose(image, in_place=True)  # a copy of every picture would take a millisecond
            return flatten(image)
    except UnreadableImageError:
        raise
    except FileNotFoundError:
        raise UnreadableImageError("no such file") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UnreadableImageError(f"more than {MAX_PIXELS:,} pixels") from None
    except Exception as error:  # Pillow's plugins raise nearly anything on hostile bytes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableImageError("not an image" if "cannot identify" in reason else reason) from None


def refuse_bomb(size: Size) -> None:
    """Raise `UnreadableImageError` where an image would decode to more than `MAX_PIXELS`."""
    if size.width * size.height > MAX_PIXELS:
        raise UnreadableImageError(f"{size.width} x {size.height} is more than {MAX_PIXELS:,} pixels")


def flatten(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode to RGB, its transparency composited on white.

    16-bit greys are scaled to 8 bits; Pillow's own conversion would clip them to white.
    """
    if image.mode.startswith("I;16") or image.mode == "I":
        grey = np.asarray(image, dtype=np.int64)
        return Image.fromarray(
            (grey >> 8 if grey.max(initial=0) > 255 else grey).clip(0, 255).astype(np.uint8)
        ).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
