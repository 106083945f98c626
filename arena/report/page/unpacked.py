"""Reads the packed blocks of a comparison page again: the site takes curves and images of a tag from the page of its run.

`packed.py`, `histograms.py` and `evidence.py` write them; `templates/comparison/js/` reads them in the browser.
"""

import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.metrics.counts import Integers
from arena.report.columns import NEARLY
from arena.report.page.packed import BASE85_DIGITS

_BLOCK = re.compile(r'<script type="[a-z/]+" id="([a-z0-9-]+)">(.*?)</script>', re.DOTALL)

_MOST_BYTES = 1 << 28
"""Largest size of a decompressed block."""

_DIGITS = np.full(128, 84, np.uint32)
_DIGITS[[ord(sign) for sign in BASE85_DIGITS]] = np.arange(85)


def page_blocks(page: str) -> dict[str, str]:
    """Return the text of each data block of a page by its id."""
    return dict(_BLOCK.findall(page))


def decompress(text: str) -> bytes:
    """Return the content of `packed.compress`.

    Raises:
        ValueError: the text is no such block, or its content is too large.
    """
    padded = text + "~" * (-len(text) % 5)
    digits = _DIGITS[np.frombuffer(padded.encode("ascii", "replace"), np.uint8) & 127].reshape(-1, 5)
    words = digits @ np.array([85**4, 85**3, 85**2, 85, 1], np.uint32)
    return unzip(words.astype(">u4").tobytes()[: len(text) * 4 // 5])


def unzip(packed: bytes) -> bytes:
    """Return the content of a gzip file of at most `_MOST_BYTES`.

    Raises:
        ValueError: it is damaged, truncated or too large.
    """
    reader = zlib.decompressobj(wbits=31)
    try:
        content = reader.decompress(packed, _MOST_BYTES)
    except zlib.error as error:
        raise ValueError(f"damaged block: {error}") from None
    if not reader.eof:
        raise ValueError("a block of a page is truncated or too large")
    return content


class PackedColumns:
    """The columns of `packed.join_columns`; each is unpacked when it is read."""

    def __init__(self, content: bytes) -> None:
        head, _, self._bytes = content.partition(b"\n")
        self._columns: dict[str, tuple[Mapping[str, Any], int]] = {}
        start = 0
        for header in json.loads(head):
            self._columns[header["name"]] = (header, start)
            start += header["length"] * header["bytes"]

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def codes(self, name: str) -> NDArray[np.int64]:
        """Return the codes of a column; 0 is undefined."""
        header, start = self._columns[name]
        length, width = header["length"], header["bytes"]
        planes = np.frombuffer(self._bytes, np.uint8, length * width, start).reshape(width, length)
        codes: NDArray[np.int64] = (planes.astype(np.int64) << (8 * np.arange(width)[:, None])).sum(axis=0)
        return codes

    def column(self, name: str) -> list[Any]:
        """Return the values of a column; None where it is undefined."""
        header, _ = self._columns[name]
        codes = self.codes(name).tolist()
        if header["type"] == "listed":
            return [None if code == 0 else header["of"][code - 1] for code in codes]
        if header["type"] == "integer":
            return [None if code == 0 else code - 1 for code in codes]
        return [None if code == 0 else _ratio(code) for code in codes]


def _ratio(code: int) -> float:
    return NEARLY[code - 1] if code <= len(NEARLY) else (code - 1 - len(NEARLY) - 10_000) / 10_000


def decode_varints(data: bytes) -> Integers:
    """Return the integers of `histograms.encode_varints`.

    >>> decode_varints(b"\\x05\\xac\\x02").tolist()
    [5, 300]
    """
    groups = np.frombuffer(data, np.uint8)
    first = np.flatnonzero(np.concatenate([[True], groups[:-1] < 128])) if len(groups) else np.zeros(0, np.int64)
    if len(first) == len(groups):
        return groups.astype(np.int64)
    place = np.arange(len(groups), dtype=np.int32) - np.repeat(first, np.diff(np.append(first, len(groups)))).astype(
        np.int32
    )
    found: Integers = np.add.reduceat((groups & 127).astype(np.int64) << (7 * place), first)
    return found
