"""What a source says of one image, and what is wrong with one."""

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
        rating: `g`, `s`, `q`, `e`, or empty where unknown.
        facts: what else the source knows, by column name of `images.parquet`: `post_id`, `created_at`, `md5`, `parent_id`.
    """

    image_id: str
    content: Content
    tags: tuple[str, ...]
    rating: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Reject(NamedTuple):
    """What could not be taken, and why."""

    where: str
    """File, and line or row where there are several in one."""
    image_id: str
    """Empty where not even that is known."""
    reason: str
    """One of few: what the rejects are counted by."""
    detail: str = ""


Found = Iterable[Record | Reject]
"""What a source yields, in an order that does not depend on the file system."""
