"""The images of a dataset as bytes for a browser; an image is named by its row, so no request contains a path."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from arena.images.places import ImagePlace, read_image_file
from arena.images.thumbnails import THUMBNAIL_SIDE, webp_thumbnail

WEBP = "image/webp"

QUESTION_SIDE = 640
"""Longest side of an image in a question, in pixels."""

QUESTION_BYTES = 500_000
"""Largest file that a question shows as it is: it is there at once, while a smaller copy takes 50 ms to make."""

FULL_SIDE = 4096
"""Longest side of a full image whose format browsers do not show, in pixels."""

_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
"""First bytes of files that every browser shows -> media type; WebP has its signature in two parts."""


class Picture(NamedTuple):
    """Bytes of an image and their media type."""

    content: bytes
    media_type: str


class Pictures:
    """Images by row, with the last thumbnails in memory."""

    def __init__(self, paths: Sequence[ImagePlace]) -> None:
        self._paths = paths
        self._small = lru_cache(maxsize=4_000)(self._scaled)
        self._medium = lru_cache(maxsize=300)(self._scaled)

    def _scaled(self, row: int, side: int) -> Picture:
        return Picture(webp_thumbnail(self._paths[row], side), WEBP)

    def thumbnail(self, row: int) -> Picture:
        """Return a thumbnail, as on pages.

        Raises:
            UnreadableImageError: the file cannot be decoded.
        """
        return self._small(row, THUMBNAIL_SIDE)

    def question(self, row: int) -> Picture:
        """Return an image for a question: a small file itself if browsers show its format and it does not move, else a copy.

        Raises:
            UnreadableImageError: the file cannot be decoded.
        """
        content = read_image_file(self._paths[row])
        media_type = _shown_type(content) if len(content) <= QUESTION_BYTES else ""
        return (
            Picture(content, media_type)
            if media_type in ("image/png", "image/jpeg")
            else self._medium(row, QUESTION_SIDE)
        )

    def full(self, row: int) -> Picture:
        """Return the file itself if browsers show its format, else the image as WebP.

        Raises:
            UnreadableImageError: the file is no image, or cannot be decoded.
        """
        content = read_image_file(self._paths[row])
        media_type = _shown_type(content)
        return Picture(content, media_type) if media_type else self._scaled(row, FULL_SIDE)


def _shown_type(content: bytes) -> str:
    """Return the media type of a file that every browser shows; empty for any other.

    >>> _shown_type(b"GIF89a"), _shown_type(b"RIFF....WEBPVP8 "), _shown_type(b"<svg")
    ('image/gif', 'image/webp', '')
    """
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return WEBP
    return next((kind for first, kind in _SIGNATURES.items() if content.startswith(first)), "")
