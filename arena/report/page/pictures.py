"""The pictures of a page: a few in the file, so that it works alone, the others in the folder `thumbnails/` beside it."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from arena.images.thumbnails import FOLDER, Thumbnail
from arena.report.page.packed import Packed, integers, listed

PICTURE_BYTES = 1_500_000
"""Room in the page's file for pictures, in base64: about 700. The page's budget of 2 MB counts without them."""

OPEN_RATINGS = frozenset({"general", "safe"})
"""Ratings of pictures that are shown at once. Any other is blurred until asked: sensitive, questionable, explicit, unknown."""


class Shelf(NamedTuple):
    """What a run folder has of thumbnails."""

    folder: Path
    thumbnails: Mapping[str, Thumbnail]
    """By image."""


def pictures(images: Sequence[str], shelf: Shelf | None) -> dict[str, Any]:
    """What a page knows of its images, as columns in their order, and the pictures that lie in the file.

    The first pictures are in the file as long as there is room for them; `file` names all others, which lie in the folder.

    Returns: `rating` (text) and `open` (whether it is shown at once), null where there is no picture; `file`, null where the
    picture is in the page's file or there is none; `inside`, the number of a picture in the file, else null; and `content`,
    those pictures, WebP in base64.
    """
    known = [shelf.thumbnails.get(image) if shelf else None for image in images]
    content: list[str] = []
    inside: list[int | None] = []
    room = PICTURE_BYTES
    for one in known:
        coded = "" if one is None or shelf is None or room <= 0 else _base64(shelf.folder / FOLDER / one.file)
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


def picture_columns(told: Mapping[str, Any]) -> dict[str, Packed]:
    """The columns, packed; the browser reads them with the evidence."""
    packed = {name: integers(told[name]) for name in ("open", "inside")}
    packed |= {name: listed(told[name]) for name in ("rating", "file")}
    return {f"picture.{name}": one for name, one in packed.items()}


def picture_facts(told: Mapping[str, Any]) -> dict[str, Any]:
    """How many pictures are in the file and in the folder beside it, and how many are blurred at first."""
    beside = sum(name is not None for name in told["file"])
    return {
        "inside": len(told["content"]), "beside": beside, "folder": FOLDER, "type": "image/webp",
        "blurred": told["open"].count(0),
    }  # fmt: skip


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")
