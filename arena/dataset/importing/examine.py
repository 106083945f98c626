"""Examine one image of a source: decode it once, compute its digests and hashes, and store its file under its SHA-256."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from arena.base.errors import UnreadableImageError
from arena.base.files import write_whole
from arena.dataset.files import stored_path
from arena.dataset.frozen import ABSENT, KNOWN_COLUMNS
from arena.dataset.hashes.algorithms import dhash, phash
from arena.dataset.ratings import rating_letter
from arena.dataset.records import Record, Reject, RowRefusedError
from arena.dataset.sources.labels import refuse_long_tags
from arena.dataset.sources.tree import escape_name
from arena.dataset.tars import TAR_KINDS
from arena.images.decode import ImagePolicy, pixel_digest, read_picture
from arena.images.in_flight import picture_in_flight
from arena.images.places import read_image_file
from arena.tags import TagRelations

MAX_NAME_CHARACTERS = 1_000
"""Maximum length of an identifier and of a metadata text."""


class ExaminedImage(NamedTuple):
    """One image: its columns of `images.parquet` and the columns that only the import uses.

    Attributes:
        where: file of the source, and row.
        path: of the stored image file, relative to the dataset folder.
        sha256, pixel_sha256: digests of the image file and of the decoded pixels.
        width, height: in pixels.
        phash, dhash: 64-bit perceptual hashes of the decoded image.
        tags: canonical tags with implied ones, sorted.
        rating: letter of the rating; empty if unknown.
        rated: the rating as the source spells it.
        group: the parent post if there is one, else the identifier.
        facts: further columns of `images.parquet`.
        categories: tag -> category, for tags whose category the source knows.
    """

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
class ImageExaminer:
    """Examines records and stores their image files; may be called from several threads.

    Attributes:
        folder: the dataset folder, which gets `images/`.
        scratch: folder of the parts of the unfinished import.
        policy: which images are accepted.
        relations: aliases, implications and blacklist that are applied to the tags.
        tars: tar of the source -> its path in the dataset folder, for images that stay in it.
    """

    folder: Path
    scratch: Path
    policy: ImagePolicy
    relations: TagRelations
    tars: Mapping[Path, str] = field(default_factory=dict)

    def examine(self, found: Record | Reject) -> ExaminedImage | Reject:
        """Store the file of a record and return what was examined; a reject is returned for a record that is not accepted."""
        if isinstance(found, Reject):
            return found
        where = found.where or (escape_name(str(found.content)) if isinstance(found.content, Path) else "")
        try:
            with picture_in_flight(where or found.image_id):
                return self._take(found, where)
        except (RowRefusedError, UnreadableImageError) as error:
            return Reject(where, escape_name(found.image_id), error.reason, error.detail)

    def _take(self, record: Record, where: str) -> ExaminedImage:
        tags = sorted(self.relations.close(record.tags))
        facts = {**record.facts, **self._checked(record, tags)}
        content = record.content if isinstance(record.content, bytes) else read_image_file(record.content)
        picture = read_picture(content, self.policy)
        pixels, alpha = picture.pixels, picture.alpha
        sha256 = hashlib.sha256(content).hexdigest()
        path = stored_path(sha256, picture.suffix)
        if record.member is not None and (tar := self.tars.get(record.member.tar)):
            path = f"{tar}/{path.rpartition('/')[2]}"
            facts |= dict(zip(TAR_KINDS, (tar, record.member.offset, record.member.length), strict=True))
        else:
            self._store(self.folder / path, content)
        return ExaminedImage(
            where=where,
            image_id=record.image_id,
            path=path,
            sha256=sha256,
            pixel_sha256=pixel_digest(pixels, alpha),
            width=pixels.shape[1],
            height=pixels.shape[0],
            phash=phash(pixels),
            dhash=dhash(pixels),
            tags=tags,
            rating=rating_letter(record.rating),
            rated=record.rating,
            group=str(record.facts.get("parent_id", record.image_id)),
            facts=facts,
            categories={self.relations.canonical(tag): kind for tag, kind in record.categories.items()},
        )

    def _checked(self, record: Record, tags: Sequence[str]) -> dict[str, list[str]]:
        """Return the lists of checked tags with canonical names, without the blacklist.

        Raises:
            RowRefusedError: a tag is both present, or implied, and verified to be absent.
        """
        found = {}
        for name in KNOWN_COLUMNS:
            if name in record.facts:
                named = {self.relations.canonical(tag) for tag in record.facts[name]}
                found[name] = sorted(named - self.relations.blacklist.keys())
        if both := sorted({*tags} & {*found.get(ABSENT, ())}):
            raise RowRefusedError("unreadable row", f"{both[0]} is in {ABSENT}, but the tags include or imply it")
        return found

    def _store(self, path: Path, content: bytes) -> None:
        """Write the file whole or not at all; a file with this name and size has the same content and stays."""
        if path.exists() and path.stat().st_size == len(content):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)


def check_record_text(found: Record | Reject) -> Record | Reject:
    """Return the record, or a reject if a name or tag is not valid text or too long to hold many records in memory."""
    if isinstance(found, Reject):
        return Reject(*(escape_name(text) for text in found))
    try:
        _check_text(found)
    except RowRefusedError as error:
        return Reject(escape_name(found.where), escape_name(found.image_id), error.reason, error.detail)
    return found


def _check_text(record: Record) -> None:
    """Raise if a text of the record is too long or cannot be encoded as UTF-8."""
    checked = [tag for name in KNOWN_COLUMNS for tag in record.facts.get(name, ())]
    for tags in (record.tags, checked):
        refuse_long_tags(sum(map(len, tags)) + len(tags))
    facts = [value for value in record.facts.values() if isinstance(value, str)]
    if longest := max((len(text) for text in (record.image_id, *facts) if len(text) > MAX_NAME_CHARACTERS), default=0):
        raise RowRefusedError("unreadable row", f"an identifier or metadata text of {longest:,} characters")
    for text in (record.image_id, *record.tags, *checked, *facts):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise RowRefusedError("not text", f"{escape_name(text)} has characters that UTF-8 cannot encode") from None
