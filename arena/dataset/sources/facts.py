"""Metadata of an image other than its tags, stored as columns of `images.parquet`."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from arena.dataset.records import RowRefusedError

INTEGER_FACTS = ("post_id", "parent_id")
_TEXT_FACTS = ("created_at", "md5")


def row_facts(table: Mapping[str, Any], keep: Sequence[str] = ()) -> dict[str, Any]:
    """Return the metadata in a row: post identifiers as integers, the rest as text; missing or empty values are omitted.

    Args:
        keep: further keys to keep, as text.

    Raises:
        RowRefusedError: an identifier is not an integer, or its magnitude needs more than 63 bits.

    >>> row_facts({"post_id": "7", "created_at": "2024-01-02", "score": 3})
    {'post_id': 7, 'created_at': '2024-01-02'}
    """
    numbers = {name: _whole(name, table[name]) for name in INTEGER_FACTS if table.get(name) not in (None, "")}
    texts = {name: _text(table[name]) for name in (*_TEXT_FACTS, *keep) if table.get(name) not in (None, "")}
    return numbers | texts


def _whole(name: str, value: Any) -> int:
    try:
        number = int(value)
        if abs(number) >= 1 << 63 or (isinstance(value, float) and number != value):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise RowRefusedError("unreadable row", f"{name} is {str(value)[:50]!r}, not an integer of 64 bits") from None
    return number


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
