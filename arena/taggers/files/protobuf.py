"""Iterate over the fields of protocol buffer messages, without reading the content of length-delimited fields.

Source: the encoding's public description, protobuf.dev/programming-guides/encoding.
"""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Field(NamedTuple):
    """One field of a message.

    Attributes:
        value: a varint field's number; else 0.
        start, end: byte range of a length-delimited field's content; else 0.
    """

    number: int
    value: int
    start: int
    end: int


@contextmanager
def mapped_file(path: Path) -> Iterator[memoryview]:
    """Map a file's bytes into memory; an empty file gives an empty view."""
    with path.open("rb") as file:
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # an empty file
            yield memoryview(b"")
            return
        with content, memoryview(content) as view:
            yield view


def messages_in_field(message: memoryview, number: int) -> Iterator[memoryview]:
    """Yield the content of every length-delimited field of this number."""
    return (
        message[field.start : field.end] for field in message_fields(message) if field.number == number and field.end
    )


def message_fields(message: memoryview) -> Iterator[Field]:
    """Yield the fields of a message, in order.

    Raises:
        ValueError: an unknown wire type, a field number of 0, or a field that ends after the message.
        IndexError: the message ends within a varint.
    """
    offset = 0
    while offset < len(message):
        key, offset = _varint(message, offset)
        number, wire = key >> 3, key & 7
        value = start = end = 0
        if wire == 0:
            value, offset = _varint(message, offset)
        elif wire in (1, 5):
            offset += 8 if wire == 1 else 4
        elif wire == 2:
            length, start = _varint(message, offset)
            offset = end = start + length
        else:
            raise ValueError(f"wire type {wire}")
        if offset > len(message) or not number:
            raise ValueError("cut short")
        yield Field(number, value, start, end)


def packed_varints(packed: memoryview) -> Iterator[int]:
    """Yield the integers of a packed field."""
    offset = 0
    while offset < len(packed):
        value, offset = _varint(packed, offset)
        yield value


class _Varint(NamedTuple):
    """An integer, and the offset after it."""

    value: int
    end: int


def _varint(message: memoryview, offset: int) -> _Varint:
    value = shift = 0
    while True:
        byte = message[offset]
        value |= (byte & 127) << shift
        offset, shift = offset + 1, shift + 7
        if byte < 128:
            return _Varint(value, offset)
