"""Score matrices in memory or on disk, read in blocks of rows, so that a million images need the memory of one block."""

import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

TILE_BYTES = 32 << 20
"""Bytes of rows mapped at a time; a larger tile is not faster and counts as memory of this process."""


_READ_BYTES = 1 << 20
"""Bytes read at a time for a checksum."""


class MatrixPart(Protocol):
    """Consecutive rows of a matrix: an array, or a location in a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, columns)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the scores."""

    def __getitem__(self, rows: slice, /) -> NDArray[Any]:
        """Return some rows."""


class StoredMatrix(NamedTuple):
    """A C-ordered matrix in a file; rows are memory-mapped on access, and unmapped when the last view of them is deleted."""

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def end(self) -> int:
        """Number of bytes that the file has at least."""
        return self.offset + self.dtype.itemsize * math.prod(self.shape)

    def __getitem__(self, rows: slice) -> NDArray[Any]:  # type: ignore[override]
        """Return some rows, memory-mapped."""
        start, stop, _ = rows.indices(self.shape[0])
        if start >= stop:
            return np.empty((0, *self.shape[1:]), self.dtype)
        row_bytes = self.dtype.itemsize * int(np.prod(self.shape[1:]))
        shape = (stop - start, *self.shape[1:])
        return np.memmap(self.path, self.dtype, "r", offset=self.offset + start * row_bytes, shape=shape)


@dataclass(frozen=True)
class DerivedPart:
    """Rows that are computed from those of another part when they are read; the shape and data type are the same."""

    part: MatrixPart

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, columns)."""
        return self.part.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the scores."""
        return self.part.dtype


@dataclass(frozen=True)
class ClippedPart(DerivedPart):
    """Rows of another part, clipped to 0 to 1 when they are read."""

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Return some rows, clipped."""
        clipped: NDArray[Any] = self.part[rows].clip(0, 1)
        return clipped


@dataclass(frozen=True)
class Matrix:
    """Scores of many images, stored as consecutive parts.

    Attributes:
        parts: at least one; all have the same columns.
    """

    parts: Sequence[MatrixPart]

    @classmethod
    def of(cls, values: NDArray[Any]) -> "Matrix":
        """Wrap an array in memory."""
        return cls((values,))

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(images, tags)."""
        return sum(part.shape[0] for part in self.parts), self.parts[0].shape[1]

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Common data type of the parts, by numpy's promotion rules."""
        return np.result_type(*(part.dtype for part in self.parts))

    def tiles(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield blocks of rows of about `TILE_BYTES`, each with the number of its first row."""
        first = 0
        for part in self.parts:
            step = max(1, TILE_BYTES // max(1, part.shape[1] * part.dtype.itemsize))
            for start in range(0, part.shape[0], step):
                yield first + start, part[start : start + step]
            first += part.shape[0]

    def clipped(self) -> "Matrix":
        """Return the same matrix with its values clipped to [0, 1] when they are read."""
        return Matrix([ClippedPart(part) for part in self.parts])

    def read(self) -> NDArray[Any]:
        """Read the whole matrix into memory."""
        return self.columns(np.arange(self.shape[1]), None)

    def rows(self, wanted: NDArray[np.int64]) -> NDArray[Any]:
        """Return the wanted rows in that order, (len(wanted), tags); only these rows are read from disk."""
        ends = np.cumsum([part.shape[0] for part in self.parts])
        gathered = np.empty((len(wanted), self.shape[1]), self.dtype)
        for place, row in enumerate(wanted.tolist()):
            number = int(np.searchsorted(ends, row, side="right"))
            local = row - (int(ends[number]) - self.parts[number].shape[0])
            gathered[place] = self.parts[number][local : local + 1][0]
        return gathered

    def columns(self, wanted: NDArray[np.int64], place: NDArray[np.int64] | None) -> NDArray[Any]:
        """Return the wanted columns, (images, len(wanted)), in the type of the matrix; a view if possible.

        Args:
            wanted: int64 (k,), which columns.
            place: int64 (rows of the matrix,), output row of each row, or -1 for a row that is left out; None keeps all.
        """
        consecutive = len(wanted) > 0 and bool((np.diff(wanted) == 1).all())
        if place is None and consecutive and len(self.parts) == 1 and isinstance(self.parts[0], np.ndarray):
            return self.parts[0][:, wanted[0] : wanted[-1] + 1]
        rows = self.shape[0] if place is None else int((place >= 0).sum())
        gathered = np.empty((rows, len(wanted)), self.dtype)
        for start, tile in self.tiles():
            # indexing with an array would give a transposed copy, which is slow to assign
            some = tile[:, wanted[0] : wanted[-1] + 1] if consecutive else np.take(tile, wanted, axis=1)
            if place is None:
                gathered[start : start + len(tile)] = some
                continue
            here = place[start : start + len(tile)]
            kept = here >= 0
            gathered[here[kept]] = some if kept.all() else some[kept]
        return gathered


def stored_npy(path: Path) -> StoredMatrix | None:
    """Return the location of an `.npy` file's matrix; None if it cannot be mapped (Fortran order, objects)."""
    with path.open("rb") as file:
        return _stored(path, file, 0)


def stored_member(path: Path, member: str) -> StoredMatrix | None:
    """Return the location of an array in an `.npz` file; None if it is compressed or cannot be mapped.

    Its bytes are compared with their CRC-32, because `zipfile` checks only what it reads itself.

    Raises:
        ValueError: the array is cut short, or its CRC-32 differs.
    """
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{member}.npy")
        if info.compress_type != zipfile.ZIP_STORED:
            return None
        with archive.open(info) as file:
            inside = _stored(path, file, 0)
    if inside is None:
        return None
    if info.file_size < inside.offset + inside.dtype.itemsize * math.prod(inside.shape):
        raise ValueError(f"{member} is cut short")
    with path.open("rb") as file:  # lengths in the local header may differ from those in the central directory
        file.seek(info.header_offset + 26)
        lengths = np.frombuffer(file.read(4), "<u2")
    start = info.header_offset + 30 + int(lengths.sum())
    if _crc32(path, start, info.file_size) != info.CRC:
        raise ValueError(f"the CRC-32 of {member} differs, so its bytes were changed")
    return inside._replace(offset=start + inside.offset)


def _crc32(path: Path, start: int, size: int) -> int:
    """Return the CRC-32 of some bytes of a file; about 1 s for a gigabyte."""
    buffer, found = memoryview(bytearray(_READ_BYTES)), 0
    with path.open("rb") as file:
        file.seek(start)
        while size > 0 and (read := file.readinto(buffer[: min(size, _READ_BYTES)])):
            found, size = zlib.crc32(buffer[:read], found), size - read
    return found


def _stored(path: Path, file: Any, start: int) -> StoredMatrix | None:
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        return None
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = read(file)
    except Exception as error:  # numpy parses the header as Python, and its tokenizer has exceptions of its own
        raise ValueError(f"not a readable header ({str(error).splitlines()[0] if str(error) else error!r})") from None
    if fortran or dtype.hasobject or len(shape) != 2:
        return None
    return StoredMatrix(path, start + file.tell(), shape, dtype)
