"""Convert the PNG files of the packages to small WebP images with hashes; results are cached."""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from rich.progress import track

from arena.base.errors import UnreadableImageError
from arena.dataset.hashes.algorithms import dhash, phash
from arena.images.decode import RGB, decode

LONGEST_SIDE = 256
"""Longest side of an image in pixels; larger drawings are shrunk, smaller ones are not changed."""

WEBP_QUALITY = 80
WEBP_EFFORT = 6

BLANK_DEVIATION = 1.0
"""Standard deviation of the grey levels (0 to 255) below which a drawing counts as blank: the renderer drew nothing."""

TRIM_LEVELS = 16
"""Distance from white, in any channel, from which a pixel does not belong to the border."""


class Picture(NamedTuple):
    """Properties of one PNG file; `problem` is empty if the file is usable.

    `phash` and `dhash` are hashes of the published WebP, so anyone can check them. The other hashes are of the flattened PNG:
    unchanged (`source_`), mirrored, and without its white border. Compression noise changes the hash of a symmetric drawing
    by more than the radius, because half of its coefficients are zero without noise. So neither the WebP nor the PNG alone
    finds all near duplicates.
    """

    png_sha256: str
    problem: str = ""
    pixels_sha256: str = ""
    webp_sha256: str = ""
    width: int = 0
    height: int = 0
    deviation: float = 0.0
    phash: int = 0
    dhash: int = 0
    source_phash: int = 0
    source_dhash: int = 0
    mirrored_phash: int = 0
    mirrored_dhash: int = 0
    trimmed_phash: int = 0
    trimmed_dhash: int = 0


def make_pictures(paths: Iterable[Path], cache: Path) -> list[Picture]:
    """Convert and measure every PNG, in order; results of earlier calls come from the cache folder."""
    (cache / "webp").mkdir(parents=True, exist_ok=True)
    paths = list(paths)
    digests = [file_sha256(path) for path in track(paths, "reading the PNG files")]
    known = _load(cache / "pictures.parquet")
    new = {digest: path for digest, path in zip(digests, paths, strict=True) if digest not in known}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = pool.map(_make, new.values(), new.keys(), [cache / "webp"] * len(new), chunksize=8)
        known |= {p.png_sha256: p for p in track(jobs, "flattening, shrinking, hashing", total=len(new))}
    _save(known, cache / "pictures.parquet")
    return [known[digest] for digest in digests]


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _make(path: Path, png_sha256: str, folder: Path) -> Picture:
    """Flatten, shrink, encode and measure one file."""
    try:
        pixels = decode(path)
    except UnreadableImageError as error:
        return Picture(png_sha256, problem=str(error))
    image = Image.fromarray(pixels)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    target = folder / f"{png_sha256}.webp"
    image.save(target, quality=WEBP_QUALITY, method=WEBP_EFFORT)
    small = decode(target)
    mirrored, trimmed = np.ascontiguousarray(pixels[:, ::-1]), _trim(pixels)
    return Picture(
        png_sha256=png_sha256,
        pixels_sha256=hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest(),
        webp_sha256=file_sha256(target),
        width=image.width,
        height=image.height,
        deviation=float(np.asarray(image.convert("L")).std()),
        phash=phash(small),
        dhash=dhash(small),
        source_phash=phash(pixels),
        source_dhash=dhash(pixels),
        mirrored_phash=phash(mirrored),
        mirrored_dhash=dhash(mirrored),
        trimmed_phash=phash(trimmed),
        trimmed_dhash=dhash(trimmed),
    )


def _trim(pixels: RGB) -> RGB:
    """Return the pixels without their white border; unchanged if all pixels are white."""
    ink = (pixels < 256 - TRIM_LEVELS).any(axis=2)
    rows, columns = np.flatnonzero(np.any(ink, axis=1)), np.flatnonzero(np.any(ink, axis=0))
    if not len(rows):
        return pixels
    return np.ascontiguousarray(pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _load(path: Path) -> dict[str, Picture]:
    if not path.exists():
        return {}
    table = pd.read_parquet(path)
    if tuple(table.columns) != Picture._fields:
        return {}
    return {row[0]: Picture(*row) for row in table.itertuples(index=False, name=None)}


def _save(pictures: dict[str, Picture], path: Path) -> None:
    table = pd.DataFrame(list(pictures.values()), columns=list(Picture._fields))
    hashes = [name for name in Picture._fields if name.endswith(("phash", "dhash"))]
    table.astype(dict.fromkeys(hashes, np.uint64)).to_parquet(path, index=False)
