"""The record of one image of a source, and the reject of an image that cannot be imported."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from arena.images.places import TarMember

Content = Path | bytes
"""The file of an image, or its bytes if it is stored inside another file."""


@dataclass(frozen=True)
class Record:
    """One image as the source provides it.

    Attributes:
        image_id: identifier in the source, unique within it.
        content: its file or bytes, not decoded yet.
        tags: as the source spells them, in any order.
        rating: letter or word of the source, such as `s` or `safe`; empty if unknown.
        facts: further values by column name of `images.parquet`: `post_id`, `created_at`, `md5`, `parent_id`.
        categories: tag -> category, for tags whose category the source provides.
        member: where `content` is in a tar, if it is there in one piece.
        where: as `Reject.where`; empty if `content` is a file, whose path is then used.
    """

    image_id: str
    content: Content
    tags: tuple[str, ...]
    rating: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    member: TarMember | None = None


class RowRefusedError(Exception):
    """A row of a source cannot be imported; holds the reason (one of a small set) and the detail."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Reject(NamedTuple):
    """A rejected row of a source and the reason."""

    where: str
    """The file, with the line or row if it holds several images."""
    image_id: str
    """Empty if unknown."""
    reason: str
    """One of a small set of reasons, by which rejects are counted."""
    detail: str = ""


SourceItems = Iterable[Record | Reject]
"""Items that a source yields, in an order that does not depend on the file system."""
