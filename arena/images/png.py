"""Removal of profiles and texts from PNG files in which they are larger than Pillow accepts."""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""First bytes of every PNG."""

MAX_TEXT_BYTES = 1 << 20
"""Uncompressed size, in bytes, from which a profile or text is removed; Pillow refuses larger ones."""

MAX_ALL_TEXT_BYTES = 16 << 20
"""Largest uncompressed size of all profiles and texts that are kept, in bytes; Pillow refuses 64 MiB."""

_TEXT_CHUNKS = frozenset({b"iCCP", b"tEXt", b"zTXt", b"iTXt"})


class _Chunk(NamedTuple):
    """A chunk of a PNG: its type, and the positions of its first byte, of its data and of the next chunk."""

    kind: bytes
    start: int
    data: int
    end: int


def without_large_text(content: bytes) -> bytes:
    """Return a PNG without the profiles and texts that Pillow refuses; the same object for any other file.

    Pixels do not depend on them. Small texts are kept, because one of them may contain the orientation. Memory is bounded: at
    most `MAX_TEXT_BYTES` + 1 bytes of a text are uncompressed.
    """
    if not content.startswith(PNG_SIGNATURE):
        return content
    view, kept, total, cut = memoryview(content), [memoryview(PNG_SIGNATURE)], 0, len(PNG_SIGNATURE)
    for chunk in _chunks(content):
        if chunk.kind not in _TEXT_CHUNKS:
            continue
        size = _text_bytes(chunk.kind, view[chunk.data : chunk.end - 4])
        total += size
        if size >= MAX_TEXT_BYTES or total > MAX_ALL_TEXT_BYTES:
            total -= size
            kept.append(view[cut : chunk.start])
            cut = chunk.end
    return content if cut == len(PNG_SIGNATURE) else b"".join([*kept, view[cut:]])


def _chunks(content: bytes) -> Iterator[_Chunk]:
    """Yield the chunks of a PNG, up to the first one that is incomplete."""
    start = len(PNG_SIGNATURE)
    while start + 12 <= len(content):
        end = start + 12 + int.from_bytes(content[start : start + 4], "big")
        if end > len(content):
            return
        yield _Chunk(content[start + 4 : start + 8], start, start + 8, end)
        start = end


def _text_bytes(kind: bytes, data: memoryview) -> int:
    """Return the uncompressed size of a profile or text, counted to at most one byte more than `MAX_TEXT_BYTES`."""
    if kind == b"tEXt" or len(data) > 16 * MAX_TEXT_BYTES:
        return min(len(data), MAX_TEXT_BYTES + 1)
    _, _, rest = bytes(data).partition(b"\0")
    if kind == b"iTXt":
        compressed, rest = rest[:1] != b"\0", rest[2:].split(b"\0", 2)[-1]
        if not compressed:
            return min(len(rest), MAX_TEXT_BYTES + 1)
    else:
        rest = rest[1:]
    try:
        return len(zlib.decompressobj().decompress(rest, MAX_TEXT_BYTES + 1))
    except zlib.error:
        return len(rest)
