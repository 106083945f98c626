"""Compute signatures of the pictures of a frozen folder, stored in parts, and thumbnails of candidates."""

import errno
import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.base.errors import UnreadableImageError
from arena.base.files import open_whole, write_error
from arena.base.progress import Progress
from arena.base.tables import Kind, read_frame
from arena.dataset.copies.alignment import ALIGNMENT_SIDE, Thumbnails, thumbnail
from arena.dataset.copies.pairs import PerceptualHashes, Signatures
from arena.dataset.copies.signatures import VARIANTS, compute_signature, inner_box, visible_pixels
from arena.dataset.frozen import HeldOut
from arena.dataset.records import Reject
from arena.images.decode import read_picture
from arena.images.in_flight import picture_in_flight
from arena.images.places import ImagePlace, read_image_file

_IMAGES_PER_PART = 512
"""Signatures per file; an interruption loses at most this many."""

_CHANGED = "the file differs from its sha256"
"""Reason of a reject other than `unreadable`."""

THUMBNAILS_FILE = "thumbnails.npy"
"""File of `make_thumbnails` in the folder of the parts."""

WORK_FILES = re.compile(r"signatures-[0-9a-f]{16}\.parquet|thumbnails\.npy")
"""Names of the files in the folder of the parts."""

_SIGNATURE_VERSION = "2"
"""Version of the signatures; parts of another version are computed again."""


_HASHES = tuple(f"{name} {kind}" for name in VARIANTS for kind in PerceptualHashes._fields)

_KINDS = {
    **dict.fromkeys(("sha256", "version", "problem", "pixel_sha256"), Kind.TEXT),
    "flat": Kind.FLAG,
    **dict.fromkeys(_HASHES, Kind.INTEGER),
}
"""Columns of a part, in the order of `_signature_row`."""

_TYPES = {**dict.fromkeys(("sha256", "version", "problem", "pixel_sha256"), "str"), "flat": "bool"} | dict.fromkeys(
    _HASHES, "uint64"
)


class SignedImages(NamedTuple):
    """Signatures of the readable pictures, and rejects for the others.

    Attributes:
        images: the rows of `images.parquet` of the signatures, in the same order.
    """

    images: pd.DataFrame
    signatures: Signatures
    rejects: list[Reject]


def compute_signatures(heldout: HeldOut, work: Path, progress: Progress) -> SignedImages:
    """Return the signatures of every picture; those of an earlier, interrupted call are read from its parts.

    Args:
        work: folder of the parts; it must exist.
    """
    tables = [_read_parts(work)]
    known = set(tables[0]["sha256"].tolist())
    files = {sha256: row for row, sha256 in enumerate(heldout.images["sha256"].tolist())}
    new = [(sha256, row) for sha256, row in files.items() if sha256 not in known]
    with progress.count("hashing", len(files), len(files) - len(new)) as advance, _pool() as pool:
        for start in range(0, len(new), _IMAGES_PER_PART):
            part = []
            some = [(sha256, heldout.paths[row]) for sha256, row in new[start : start + _IMAGES_PER_PART]]
            for signed in pool.map(_sign_file, some):
                part.append(signed)
                advance(1)
            tables.append(_write_part(work, part))
    return _assemble(heldout, pd.concat(tables, ignore_index=True))


class CandidateThumbnails(NamedTuple):
    """Thumbnails of pictures as they are and trimmed, uint8 (n, 2, SIDE, SIDE, 4), and which could be read, bool (n,)."""

    pixels: Thumbnails
    readable: NDArray[np.bool_]


def make_thumbnails(paths: Sequence[ImagePlace], file: Path, progress: Progress) -> CandidateThumbnails:
    """Make thumbnails of pictures, in a file that is mapped into memory."""
    shape = (len(paths), 2, ALIGNMENT_SIDE, ALIGNMENT_SIDE, 4)
    pixels = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
    _reserve(file)
    readable = np.zeros(len(paths), np.bool_)
    with progress.count("reading the candidates", len(paths), 0) as advance, _pool() as pool:
        for row, pair in enumerate(pool.map(_thumbnails, paths)):
            if pair is not None:
                pixels[row], readable[row] = pair, True
            advance(1)
    return CandidateThumbnails(pixels, readable)


def _reserve(file: Path) -> None:
    """Take the disk space of a file now: on a full disk, writing to a mapped file would kill the process.

    Raises:
        ArenaError: the disk has too little space.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise write_error(file, error) from None


def _pool() -> ThreadPoolExecutor:
    """Return a thread pool; threads suffice because Pillow and numpy release the GIL in the expensive steps."""
    return ThreadPoolExecutor(os.cpu_count())


def _sign_file(named: tuple[str, ImagePlace]) -> dict[str, Any]:
    """Return one row of a part: signature of a file, or the problem with it."""
    sha256, path = named
    with picture_in_flight(str(path)):
        return _signature_row(sha256, path)


def _signature_row(sha256: str, path: ImagePlace) -> dict[str, Any]:
    row: dict[str, Any] = {
        "sha256": sha256,
        "version": _SIGNATURE_VERSION,
        "problem": "",
        "pixel_sha256": "",
        "flat": True,
    }
    row |= dict.fromkeys(_HASHES, 0)
    try:
        content = read_image_file(path)
        if hashlib.sha256(content).hexdigest() != sha256:
            return row | {"problem": _CHANGED}
        picture = read_picture(content)
        signature = compute_signature(picture.pixels, picture.alpha)
    except UnreadableImageError as error:
        return row | {"problem": str(error)}
    hashes = {
        f"{name} {kind}": value for name, pair in signature.hashes.items() for kind, value in pair._asdict().items()
    }
    return row | {"pixel_sha256": signature.pixel_sha256, "flat": signature.flat} | hashes


def _thumbnails(path: ImagePlace) -> Thumbnails | None:
    with picture_in_flight(str(path)):
        return _decoded_thumbnails(path)


def _decoded_thumbnails(path: ImagePlace) -> Thumbnails | None:
    try:
        picture = read_picture(path)
    except UnreadableImageError:
        return None
    pixels, alpha = picture.pixels, picture.alpha
    box = inner_box(visible_pixels(pixels, alpha))
    return np.stack([thumbnail(pixels, alpha), thumbnail(pixels[box], None if alpha is None else alpha[box])])


def _assemble(heldout: HeldOut, signed: pd.DataFrame) -> SignedImages:
    """Return the signatures in the order of the images.

    Args:
        signed: one row for each file.
    """
    order = pd.Index(signed["sha256"]).get_indexer(pd.Index(heldout.images["sha256"]))
    rows = signed.iloc[order]
    readable = (rows["problem"] == "").to_numpy(np.bool_)
    unreadable = heldout.images.loc[~readable, ["path", "image_id"]].assign(problem=rows["problem"][~readable].tolist())
    rejects = [
        Reject(path, image_id, _CHANGED if problem == _CHANGED else "unreadable", problem)
        for path, image_id, problem in unreadable.itertuples(index=False)
    ]
    rows = rows[readable]
    hashes = {
        name: PerceptualHashes(*(rows[f"{name} {kind}"].to_numpy(np.uint64) for kind in PerceptualHashes._fields))
        for name in VARIANTS
    }
    digests = {name: tuple(rows[name].tolist()) for name in ("sha256", "pixel_sha256")}
    images = heldout.images[readable].reset_index(drop=True)
    return SignedImages(images, Signatures(digests, hashes, rows["flat"].to_numpy(np.bool_)), rejects)


def _parts(work: Path) -> Iterable[Path]:
    return sorted(work.glob("signatures-*.parquet"))


def _read_parts(work: Path) -> pd.DataFrame:
    """Return the rows of earlier parts, without unreadable files, which may have been repaired since."""
    tables = [read_frame(path, _KINDS, fix=f"remove the folder {work}")[[*_KINDS]] for path in _parts(work)]
    rows = pd.concat([_table([]), *tables], ignore_index=True)
    usable = rows[(rows["version"] == _SIGNATURE_VERSION) & (rows["problem"] == "")]
    return usable.drop_duplicates("sha256", keep="last")


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows of `_signature_row` as a table, which takes a quarter of their memory."""
    return pd.DataFrame(rows, columns=list(_KINDS)).astype(_TYPES)


def _write_part(work: Path, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Write a part and return its rows."""
    table = _table(rows)
    place = work / f"signatures-{hashlib.sha256(rows[0]['sha256'].encode()).hexdigest()[:16]}.parquet"
    with open_whole(place) as file:
        table.to_parquet(file, index=False)
    return table
