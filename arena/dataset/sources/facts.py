"""What a source knows of an image beside its tags, as it is kept in columns of `images.parquet`."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from arena.dataset.records import RefusedError

NUMBERS = ("post_id", "parent_id")
TEXTS = ("created_at", "md5")


def facts_of(table: Mapping[str, Any], keep: Sequence[str] = ()) -> dict[str, Any]:
    """The facts in a row: identifiers of posts as whole numbers, the others as text; what is absent is left out.

    Args:
        keep: further keys, kept as text.

    Raises:
        RefusedError: an identifier that is no whole number of 63 bits.

    >>> facts_of({"post_id": "7", "created_at": "2024-01-02", "score": 3})
    {'post_id': 7, 'created_at': '2024-01-02'}
    """
    numbers = {name: _whole(name, table[name]) for name in NUMBERS if table.get(name) not in (None, "")}
    texts = {name: _text(table[name]) for name in (*TEXTS, *keep) if table.get(name) not in (None, "")}
    return numbers | texts


def _whole(name: str, value: Any) -> int:
    try:
        number = int(value)
        if abs(number) >= 1 << 63 or (isinstance(value, float) and number != value):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise RefusedError("unreadable row", f"{name} is {str(value)[:50]!r}, no whole number") from None
    return number


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
