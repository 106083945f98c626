"""Read the arrays of an `.npz` file, each checked against the size of its member before memory is allocated for it."""

import math
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_COMPRESSED_BYTES = 4 << 30
"""Largest size of an array that is stored compressed; it must be decompressed into memory at once."""

_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

_PLAIN = "biufUS"
"""Kinds of data types that can be read: no objects, no structures, no dates."""


def member_names(archive: zipfile.ZipFile) -> list[str]:
    """Return the names of the arrays, without the suffix of their members."""
    return [name.removesuffix(".npy") for name in archive.namelist()]


def read_member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Return an array of an `.npz` file.

    Raises:
        ValueError: the array is a structure or of objects, or its header does not fit the size of the member.
    """
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED and info.file_size > MAX_COMPRESSED_BYTES:
        raise ValueError(
            f"{name} has {info.file_size:,} bytes when decompressed, more than {MAX_COMPRESSED_BYTES:,}; do not compress it"
        )
    with archive.open(info) as file:
        shape, fortran, dtype = _read_header(name, file)
        size = dtype.itemsize * math.prod(shape)
        if min(shape, default=0) < 0 or file.tell() + size != info.file_size:
            raise ValueError(f"{name} of {size:,} bytes in a member of {info.file_size:,}")
        array = np.zeros(math.prod(shape), dtype)
        _fill(name, file, array)
    return array.reshape(shape, order="F" if fortran else "C")


def _fill(name: str, file: Any, array: NDArray[Any]) -> None:
    """Read the values of an array; zipfile compares their CRC at the end."""
    left = array.view(np.uint8).data if array.nbytes else memoryview(b"")
    while len(left):
        if not (read := file.readinto(left)):
            raise ValueError(f"{name} is cut short")
        left = left[read:]
    file.read(1)


def _read_header(name: str, file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version not in _READ_HEADER:
        raise ValueError(f"{name} is of version {version[0]} of the format, this release reads 1 and 2")
    shape, fortran, dtype = _READ_HEADER[version](file)
    if dtype.kind not in _PLAIN:
        raise ValueError(f"{name} is {str(dtype)[:60]}; it must hold numbers or str")
    return shape, fortran, dtype
