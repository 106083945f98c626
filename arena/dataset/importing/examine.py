"""One image of a source: read, decoded once, described, and its file stored under the name that its content gives it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from arena.base.errors import UnreadableImageError
from arena.base.files import write_whole
from arena.dataset.files import stored_path
from arena.dataset.hashes.algorithms import dhash, phash
from arena.dataset.ratings import rating_letter
from arena.dataset.records import Content, Record, RefusedError, Reject
from arena.dataset.sources.labels import refuse_long
from arena.dataset.sources.tree import shown
from arena.images.decode import ImagePolicy, pixel_digest, read_picture
from arena.tags import TagRelations

MAX_NAME_CHARACTERS = 1_000
"""Longest identifier and longest fact."""

MAX_FILE_BYTES = 512_000_000
"""Largest image file; what decodes to a million pixels has a thousandth of it."""


class Examined(NamedTuple):
    """One image as `images.parquet` has it, and what else is known of it: `rated` is its rating as the source spells it."""

    where: str
    image_id: str
    path: str
    sha256: str
    pixel_sha256: str
    width: int
    height: int
    phash: int
    dhash: int
    tags: list[str]
    rating: str
    rated: str
    group: str
    facts: Mapping[str, Any]
    categories: Mapping[str, str]


@dataclass(frozen=True)
class Examiner:
    """Takes records in, from several threads at once.

    Attributes:
        folder: where `images/` is made.
        scratch: for the parts of the unfinished import.
    """

    folder: Path
    scratch: Path
    policy: ImagePolicy
    relations: TagRelations

    def examine(self, found: Record | Reject) -> Examined | Reject:
        """What a record shows, its file being stored; a reject where it cannot be taken, or is one already."""
        if isinstance(found, Reject):
            return found
        where = found.where or (shown(str(found.content)) if isinstance(found.content, Path) else "")
        try:
            return self._take(found, where)
        except (RefusedError, UnreadableImageError) as error:
            return Reject(where, shown(found.image_id), error.reason, error.detail)

    def _take(self, record: Record, where: str) -> Examined:
        content = read_content(record.content)
        image, suffix = read_picture(content, self.policy)
        pixels = np.asarray(image)
        sha256 = hashlib.sha256(content).hexdigest()
        path = stored_path(sha256, suffix)
        examined = Examined(
            where=where,
            image_id=record.image_id,
            path=path,
            sha256=sha256,
            pixel_sha256=pixel_digest(pixels),
            width=pixels.shape[1],
            height=pixels.shape[0],
            phash=phash(pixels),
            dhash=dhash(pixels),
            tags=sorted(self.relations.close(record.tags)),
            rating=rating_letter(record.rating),
            rated=record.rating,
            group=str(record.facts.get("parent_id", record.image_id)),
            facts=record.facts,
            categories={self.relations.canonical(tag): kind for tag, kind in record.categories.items()},
        )
        self._store(self.folder / path, content)
        return examined

    def _store(self, path: Path, content: bytes) -> None:
        """Write a file whole or not at all; one of this name and size is there already, for its content names it."""
        if path.exists() and path.stat().st_size == len(content):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)


def admit(found: Record | Reject) -> Record | Reject:
    """A record whose names and tags are text of a bearable length, so that many fit into memory; otherwise a reject."""
    if isinstance(found, Reject):
        return Reject(*(shown(text) for text in found))
    try:
        _check_text(found)
    except RefusedError as error:
        return Reject(shown(found.where), shown(found.image_id), error.reason, error.detail)
    return found


def _check_text(record: Record) -> None:
    refuse_long(sum(map(len, record.tags)) + len(record.tags))
    facts = [value for value in record.facts.values() if isinstance(value, str)]
    if longest := max((len(text) for text in (record.image_id, *facts) if len(text) > MAX_NAME_CHARACTERS), default=0):
        raise RefusedError("unreadable row", f"a name or fact of {longest:,} characters")
    for text in (record.image_id, *record.tags, *facts):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise RefusedError("not text", f"{shown(text)} has characters that are none") from None


def read_content(content: Content) -> bytes:
    """The bytes of an image's file.

    Raises:
        RefusedError: `missing`, or `file too large`.
    """
    if isinstance(content, bytes):
        return content
    try:
        if not content.is_file():  # a pipe would block, a device never end
            raise RefusedError("missing", "no regular file")
        with content.open("rb") as file:
            found = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise RefusedError("missing", (error.strerror or "").lower()) from None
    if len(found) > MAX_FILE_BYTES:
        raise RefusedError("file too large", f"more than {MAX_FILE_BYTES:,} bytes")
    return found
