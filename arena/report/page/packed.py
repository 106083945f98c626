"""Columns of a page's data as bytes: gzip in base 85, a quarter of what they take as JSON, unpacked by the browser itself.

The bytes of a column's numbers lie plane by plane (all first bytes, then all second ones), which gzip shortens best. Null,
for what is undefined, is code 0 of every column. `templates/comparison/js/packed.js` is the other side.
"""

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.report.columns import NEARLY, rounded

Column = Sequence[Any]


class Packed(NamedTuple):
    """A column's type as the browser reads it, and its bytes."""

    told: dict[str, Any]
    data: bytes


def pack(columns: Mapping[str, Packed]) -> str:
    """Columns by name as one block: compressed, a line of JSON, their types in order, and the bytes of all."""
    head = [{"name": name, **one.told} for name, one in columns.items()]
    text = json.dumps(head, allow_nan=False, separators=(",", ":"))
    return compress(text.encode() + b"\n" + b"".join(one.data for one in columns.values()))


SIGNS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%]()*+-;[=:?@^_`{|}~"
"""Digits of base 85, none of which HTML takes for markup: those of RFC 1924, but `]`, `[` and `:` for `&`, `<` and `>`."""

_TO_SIGNS = str.maketrans("&<>", "][:")


def compress(content: bytes, *, level: int = 9) -> str:
    """Gzip in base 85; the same content always gives the same text."""
    return base64.b85encode(gzip.compress(content, compresslevel=level, mtime=0)).decode("ascii").translate(_TO_SIGNS)


def integers(values: Column) -> Packed:
    """Integers from 0 on, or null.

    >>> integers([3, None, 300]).data
    b'\\x04\\x00-\\x00\\x00\\x01'
    """
    return _planes({"type": "integer"}, values, lambda value: value + 1)


def figures(values: Column) -> Packed:
    """Figures of -1 to 1, or null, with the four digits that are shown; what is nearly 0 or 1 stays so.

    >>> figures([0.25, None]).told
    {'type': 'figure', 'length': 2, 'bytes': 2}
    """
    return _planes({"type": "figure"}, values, _figure_code, width=2)


def listed(values: Column) -> Packed:
    """Anything that JSON can say, each thing once and a column of places: few different things, or text.

    >>> listed(["a", None, "a"])
    Packed(told={'type': 'listed', 'of': ['a'], 'length': 3, 'bytes': 1}, data=b'\\x01\\x00\\x01')
    """
    places: dict[Any, int] = {}
    coded = [None if value is None else places.setdefault(value, len(places)) for value in values]
    return _planes({"type": "listed", "of": list(places)}, coded, lambda place: place + 1)


def _figure_code(value: float) -> int:
    """After null come those that are nearly a bound, then steps of 0.0001 from -1 on."""
    short = rounded(value)
    assert short is not None
    return 1 + NEARLY.index(short) if short in NEARLY else 1 + len(NEARLY) + 10_000 + round(short * 10_000)


def _planes(told: dict[str, Any], values: Column, code: Callable[[Any], int], *, width: int | None = None) -> Packed:
    """Little end first, a plane a byte."""
    codes: NDArray[np.int64] = np.array([0 if value is None else code(value) for value in values], np.int64)
    width = width or max(1, (int(codes.max(initial=0)).bit_length() + 7) // 8)
    planes = [(codes >> (8 * byte)).astype(np.uint8).tobytes() for byte in range(width)]
    return Packed({**told, "length": len(values), "bytes": width}, b"".join(planes))
