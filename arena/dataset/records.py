"""The record of one image in a source, and the reject of one that cannot be taken."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

Content = Path | bytes
"""An image's file, or its bytes where it lies inside another."""


@dataclass(frozen=True)
class Record:
    """One image as a source has it.

    Attributes:
        image_id: what the source calls it, unique within the source.
        content: its file or bytes, not decoded yet.
        tags: as the source spells them, in any order.
        rating: a letter or a word as the source has it, such as `s` or `safe`; empty where unknown.
        facts: what else the source knows, by column name of `images.parquet`: `post_id`, `created_at`, `md5`, `parent_id`.
        categories: the category of those tags whose category the source knows.
        where: as `Reject.where`; empty where the content is a file that says it.
    """

    image_id: str
    content: Content
    tags: tuple[str, ...]
    rating: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)
    where: str = ""


class RefusedError(Exception):
    """One row of a source cannot be taken: why (one of few reasons), and what was seen."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Reject(NamedTuple):
    """A rejected row and the reason."""

    where: str
    """File, and line or row where there are several in one."""
    image_id: str
    """Empty where not even that is known."""
    reason: str
    """One of few: what the rejects are counted by."""
    detail: str = ""


Found = Iterable[Record | Reject]
"""What a source yields, in an order that does not depend on the file system."""
