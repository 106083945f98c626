"""Messages in protocol buffers' encoding, looked into field by field: what is not asked for is stepped over, not read.

Source: the encoding's public description, protobuf.dev/programming-guides/encoding.
"""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Field(NamedTuple):
    """One field of a message: a whole number, or the place of its bytes."""

    number: int
    value: int
    start: int
    end: int


@contextmanager
def mapped(path: Path) -> Iterator[memoryview]:
    """The bytes of a file, mapped into memory; none of an empty one."""
    with path.open("rb") as file:
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # an empty file
            yield memoryview(b"")
            return
        with content, memoryview(content) as view:
            yield view


def parts(message: memoryview, number: int) -> Iterator[memoryview]:
    """The messages inside a message that stand in the field of that number."""
    return (message[field.start : field.end] for field in fields(message) if field.number == number and field.end)


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message, in order.

    Raises:
        ValueError: it is no such message.
        IndexError: it is cut short.
    """
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        value = start = end = 0
        if wire == 0:
            value, place = _varint(message, place)
        elif wire in (1, 5):
            place += 8 if wire == 1 else 4
        elif wire == 2:
            length, start = _varint(message, place)
            place = end = start + length
        else:
            raise ValueError(f"wire type {wire}")
        if place > len(message) or not number:
            raise ValueError("cut short")
        yield Field(number, value, start, end)


def varints(packed: memoryview) -> Iterator[int]:
    """The whole numbers of a packed field."""
    place = 0
    while place < len(packed):
        value, place = _varint(packed, place)
        yield value


class _Varint(NamedTuple):
    """A whole number, and the place after it."""

    value: int
    end: int


def _varint(message: memoryview, place: int) -> _Varint:
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return _Varint(value, place)
