"""Where the bytes of an image are: a file, or a part of a tar file that is read in place."""

import stat
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import UnreadableImageError
from arena.base.files import digest_bytes, digest_file
from arena.base.remote import RemotePath

MAX_FILE_BYTES = 512_000_000
"""Maximum size of an image file, in bytes; a file of a million pixels is about a thousand times smaller."""


class TarMember(NamedTuple):
    """An image in a tar file without compression.

    Attributes:
        tar: the tar file.
        offset: first byte of the image's content, after its header.
        length: number of bytes of the content.
    """

    tar: Path
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.tar} at byte {self.offset}"


ImagePlace = Path | TarMember
"""An image file, or an image in a tar file."""


def is_remote(place: ImagePlace) -> bool:
    """Return whether an image, or the tar file that holds it, is in an object store."""
    return isinstance(place.tar if isinstance(place, TarMember) else place, RemotePath)


def read_image_file(place: ImagePlace) -> bytes:
    """Return the bytes of an image; a link to a regular file is followed.

    Each call opens the file for itself, so threads share no position in it.

    Raises:
        UnreadableImageError: `missing`, also for anything that is not a regular file, and for a tar file that ends before the
            image does; or `file too large`.
    """
    path, offset, length = place if isinstance(place, TarMember) else (place, 0, None)
    if length is not None and length > MAX_FILE_BYTES:
        raise UnreadableImageError("file too large", f"{length:,} bytes")
    if not is_remote(path):  # a second request for each image
        refuse_irregular(path)
    try:
        content = _read_part(path, offset, MAX_FILE_BYTES + 1 if length is None else length)
    except OSError as error:
        raise UnreadableImageError("missing", (error.strerror or "").lower()) from None
    if len(content) > MAX_FILE_BYTES:
        raise UnreadableImageError("file too large", f"more than {MAX_FILE_BYTES:,} bytes")
    if length is not None and len(content) < length:
        raise UnreadableImageError("missing", f"{path.name} ends before byte {offset + length:,}")
    return content


def _read_part(path: Path, offset: int, length: int) -> bytes:
    """Return at most so many bytes of a file from an offset on."""
    if isinstance(path, RemotePath) and offset:  # the whole tar file would be fetched
        return path.read_range(offset, length)
    with path.open("rb") as file:
        if offset:
            file.seek(offset)
        content: bytes = file.read(length)
        return content


def digest_image(place: ImagePlace) -> str:
    """Return the SHA-256 of an image's bytes, in hexadecimal.

    Raises:
        UnreadableImageError: a tar file cannot be read.
        OSError: an image file cannot be read.
    """
    return digest_file(place) if isinstance(place, Path) else digest_bytes(read_image_file(place))


def refuse_irregular(path: Path) -> None:
    """Raise `missing` for anything that is not a regular file: reading a pipe would block, and a device has no end."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:  # ValueError: a NUL character
        text = (error.strerror or "") if isinstance(error, OSError) else str(error)
        raise UnreadableImageError("missing", text.lower()) from None
    if stat.S_ISDIR(mode):
        link = path.is_symlink()
        raise UnreadableImageError("missing", "a link to a folder, which is not followed" if link else "is a directory")
    if not stat.S_ISREG(mode):
        raise UnreadableImageError("missing", "not a regular file")
