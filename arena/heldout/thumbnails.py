"""Small pictures for a reader of a page."""

import io
from pathlib import Path

from PIL import Image

from arena.images import decode

SIDE = 176
"""Longest side, pixels: enough to see a changed eye, and 3 to 8 kB."""

QUALITY = 50
"""Of WebP."""


def webp_thumbnail(path: Path) -> bytes:
    """A small WebP of an image file.

    Raises:
        UnreadableImageError: the file cannot be decoded.
    """
    image = Image.fromarray(decode(path))
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY)
    return buffer.getvalue()
