"""Pictures of a page: the first are embedded in the file, the others are in the folder `thumbnails/` next to it."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from arena.images.thumbnails import THUMBNAIL_FOLDER, Thumbnail
from arena.report.page.packed import PackedColumn, pack_integers, pack_values

PICTURE_BYTES = 1_500_000
"""Most bytes of embedded pictures in base64, about 700 pictures; not part of the page's budget of 2 MB."""

OPEN_RATINGS = frozenset({"general", "safe"})
"""Ratings of pictures that are shown unblurred; all others (sensitive, questionable, explicit, unknown) are blurred."""


class RunThumbnails(NamedTuple):
    """Thumbnails of a run folder."""

    folder: Path
    thumbnails: Mapping[str, Thumbnail]
    """Thumbnail of each image id."""


def embed_pictures(images: Sequence[str], shelf: RunThumbnails | None) -> dict[str, Any]:
    """Return columns over the images of a page, and the embedded pictures.

    Pictures are embedded in order until `PICTURE_BYTES` is reached; the others are referred to by file name.

    Returns: `rating` (text) and `open` (1 if shown unblurred), None without a picture; `file`, the file name in the folder,
    None if the picture is embedded or missing; `inside`, the number of an embedded picture, else None; and `content`, the
    embedded pictures, WebP in base64.
    """
    known = [shelf.thumbnails.get(image) if shelf else None for image in images]
    content: list[str] = []
    inside: list[int | None] = []
    room = PICTURE_BYTES
    for one in known:
        coded = "" if one is None or shelf is None or room <= 0 else _base64(shelf.folder / THUMBNAIL_FOLDER / one.file)
        room -= len(coded) + 1 if coded else 0
        fits = bool(coded) and room >= 0
        inside.append(len(content) if fits else None)
        content += [coded] if fits else []
    return {
        "rating": [None if one is None else one.rating for one in known],
        "open": [None if one is None else int(one.rating in OPEN_RATINGS) for one in known],
        "file": [None if one is None or at is not None else one.file for one, at in zip(known, inside, strict=True)],
        "inside": inside,
        "content": content,
    }


def picture_columns(found: Mapping[str, Any]) -> dict[str, PackedColumn]:
    """Return the columns of `embed_pictures`, packed; the page stores them in the evidence block."""
    packed = {name: pack_integers(found[name]) for name in ("open", "inside")}
    packed |= {name: pack_values(found[name]) for name in ("rating", "file")}
    return {f"picture.{name}": one for name, one in packed.items()}


def picture_facts(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many pictures are embedded, in the folder next to the page, and blurred."""
    beside = sum(name is not None for name in found["file"])
    return {
        "inside": len(found["content"]), "beside": beside, "folder": THUMBNAIL_FOLDER, "type": "image/webp",
        "blurred": found["open"].count(0),
    }  # fmt: skip


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")
