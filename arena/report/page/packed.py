"""Packs columns of a page's data as gzip in base 85, a quarter of their size as JSON; the browser unpacks them.

The bytes of a column's numbers are stored plane by plane (all first bytes, then all second bytes), which gzip compresses best.
Null (undefined) is code 0 in every column. `templates/comparison/js/packed.js` is the reader.
"""

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arena.report.columns import NEARLY, rounded_column, rounded_values

PageColumn = Sequence[Any] | NDArray[Any]


class PackedColumn(NamedTuple):
    """A column: its header (name excluded) and its bytes."""

    told: dict[str, Any]
    data: bytes


def pack_columns(columns: Mapping[str, PackedColumn]) -> str:
    """Return columns as one block: `join_columns`, compressed."""
    return compress(join_columns(columns))


def join_columns(columns: Mapping[str, PackedColumn]) -> bytes:
    """Return a line of JSON with the headers of the columns in order, then the bytes of all columns."""
    head = [{"name": name, **one.told} for name, one in columns.items()]
    text = json.dumps(head, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n" + b"".join(one.data for one in columns.values())


BASE85_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%]()*+-;[=:?@^_`{|}~"
"""Digits of base 85 without HTML markup: those of RFC 1924, with `]`, `[` and `:` in place of `&`, `<` and `>`."""

_TO_SIGNS = str.maketrans("&<>", "][:")


def compress(content: bytes, *, level: int = 9) -> str:
    """Return content as gzip in base 85; equal content gives equal text."""
    return base64.b85encode(gzip.compress(content, compresslevel=level, mtime=0)).decode("ascii").translate(_TO_SIGNS)


def pack_integers(values: PageColumn) -> PackedColumn:
    """Pack integers of at least 0, or None.

    >>> pack_integers([3, None, 300]).data
    b'\\x04\\x00-\\x00\\x00\\x01'
    """
    return _planes({"type": "integer"}, _integer_codes(values))


def pack_ratios(values: PageColumn) -> PackedColumn:
    """Pack values in -1 to 1, or None, with the four displayed digits; only exact -1, 0 and 1 are packed as such.

    >>> pack_ratios([0.25, None]).told
    {'type': 'figure', 'length': 2, 'bytes': 2}
    """
    return _planes({"type": "figure"}, _figure_codes(values), width=2)


def pack_ratio_codes(codes: NDArray[np.int64]) -> PackedColumn:
    """Pack the result of `ratio_codes`."""
    return _planes({"type": "figure"}, codes, width=2)


def pack_places(values: Sequence[Any], places: NDArray[np.int64]) -> PackedColumn:
    """Pack a column of entries of `values`, each given by its index; only entries that occur are stored.

    >>> pack_places(["a", "b", "c"], np.array([2, 0, 2]))
    PackedColumn(told={'type': 'listed', 'of': ['a', 'c'], 'length': 3, 'bytes': 1}, data=b'\\x02\\x01\\x02')
    """
    used = np.flatnonzero(np.bincount(places, minlength=len(values)))
    codes = np.zeros(len(values), np.int64)
    codes[used] = np.arange(1, len(used) + 1)
    return _planes({"type": "listed", "of": [values[place] for place in used.tolist()]}, codes[places])


def pack_values(values: PageColumn) -> PackedColumn:
    """Pack JSON values as a list of distinct values and a column of indices: for few distinct values, or text.

    >>> pack_values(["a", None, "a"])
    PackedColumn(told={'type': 'listed', 'of': ['a'], 'length': 3, 'bytes': 1}, data=b'\\x01\\x00\\x01')
    """
    places: dict[Any, int] = {}
    coded = [None if value is None else places.setdefault(value, len(places)) for value in values]
    return _planes({"type": "listed", "of": list(places)}, _integer_codes(coded))


def _figure_codes(values: PageColumn) -> NDArray[np.int64]:
    """Return the codes of values in -1 to 1, or None; see `ratio_codes`."""
    return _codes_of_rounded(
        np.array([np.nan if value is None else value for value in rounded_column(values)], np.float64)
    )


def ratio_codes(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the code of each value in -1 to 1, as `pack_ratios` stores it; NaN is undefined.

    >>> ratio_codes(np.array([0.25, np.nan, -1.0])).tolist()
    [12505, 0, 5]
    """
    return _codes_of_rounded(rounded_values(values))


def _codes_of_rounded(short: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return codes: 0 for undefined, 1 and up for the values of `NEARLY`, then one for each 0.0001 from -1 up."""
    codes = np.nan_to_num(np.rint(short * 10_000) + 1 + len(NEARLY) + 10_000)
    for code, value in enumerate(NEARLY, 1):
        codes[short == value] = code
    codes[np.isnan(short)] = 0
    return np.asarray(codes, np.int64)


def _integer_codes(values: PageColumn) -> NDArray[np.int64]:
    """Return the code of each integer of 0 or more: 0 for None, else the integer plus 1."""
    if isinstance(values, np.ndarray):
        return values.astype(np.int64) + 1
    return np.array([-1 if value is None else value for value in values], np.int64) + 1


def _planes(header: dict[str, Any], codes: NDArray[np.int64], *, width: int | None = None) -> PackedColumn:
    """Pack codes as byte planes, least significant byte first; `width` is the number of bytes per code."""
    width = width or max(1, (int(codes.max(initial=0)).bit_length() + 7) // 8)
    planes = [(codes >> (8 * byte)).astype(np.uint8).tobytes() for byte in range(width)]
    return PackedColumn({**header, "length": len(codes), "bytes": width}, b"".join(planes))
