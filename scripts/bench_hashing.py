"""Hashing a folder of JPEG files, compared with a plain imagehash loop and imagededup's PHash.

Usage: python scripts/bench_hashing.py [--images 5000] [--workers N] [--rounds 3]

The files are made once, below build/, from the drawings of the demo set: random crops, 700 to 1,400 pixels, qualities 70 to
95, every chroma subsampling. The methods take turns in every round, first with one worker, then with all workers, on files that
were read before. With several workers, imagehash uses a pool of processes. Arena also writes an index with the digest of every
file.
Writes reports/benchmarks/hashing.{json,md}.
"""

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import imagehash
import numpy as np
from PIL import Image
from reporting import Options, Timing, machine_facts, machine_line, on_all_cores, take_turns, write_report

from arena.base.files import open_whole
from arena.cards import find_dataset
from arena.dataset.frozen import read_frozen
from arena.dataset.hashes.build import hash_sources
from arena.dataset.hashes.index import read_index
from arena.images.places import ImagePlace, read_image_file

FOLDER = Path("build/bench_hashing")
SIDES = (700, 1400)
QUALITIES = (70, 95)


class Row(NamedTuple):
    """One method with a number of workers.

    `different` counts the images whose hash differs from imagehash's; None if the method computes another kind of hash.
    """

    name: str
    workers: int
    timing: Timing
    different: int | None


def make_files(count: int, home: Path) -> Path:
    """Return a folder of the first `count` files; files of earlier runs are linked, not made again."""
    originals = [path for path in read_frozen(find_dataset("demo")).paths if isinstance(path, Path)]
    library = home / "library"
    library.mkdir(parents=True, exist_ok=True)
    numbers = [number for number in range(count) if not (library / f"{number:05d}.jpg").exists()]
    list(on_all_cores(_make_file, [(number, originals[number % len(originals)], library) for number in numbers]))
    folder = home / f"{count}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number in range(count):
        os.link(library / f"{number:05d}.jpg", folder / f"{number:05d}.jpg")
    return folder


def _make_file(job: tuple[int, ImagePlace, Path]) -> None:
    number, original, library = job
    rng = np.random.default_rng(number)
    with Image.open(io.BytesIO(read_image_file(original))) as image:
        picture = image.convert("RGB")
    width, height = (int(side * rng.uniform(0.6, 1.0)) for side in picture.size)
    left, top = int(rng.integers(picture.width - width + 1)), int(rng.integers(picture.height - height + 1))
    scale = rng.integers(*SIDES) / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = picture.resize(size, Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
    grain = rng.normal(0, 3, (picture.height, picture.width, 1))  # the JPEG of a photograph has no empty blocks
    pixels = (np.asarray(picture) + grain).round().clip(0, 255).astype(np.uint8)
    encoding = {"quality": int(rng.integers(*QUALITIES)), "subsampling": int(rng.integers(3))}
    with open_whole(library / f"{number:05d}.jpg") as file:
        Image.fromarray(pixels).save(file, "JPEG", **encoding)


def by_arena(columns: tuple[str, ...]) -> Callable[[Path, int], list[int]]:
    """Return a method that hashes as the command `arena hash` does; hashes are in order of file name."""

    def run(folder: Path, workers: int) -> list[int]:
        with tempfile.TemporaryDirectory() as place:
            hash_sources([str(folder)], Path(place) / "index.parquet", columns=columns, workers=workers)
            return [int(value) for value in read_index(Path(place) / "index.parquet").hashes[columns[0]]]

    return run


def by_imagehash(folder: Path, workers: int) -> list[int]:
    """Hash with imagehash in a plain loop, or in a pool of processes."""
    paths = sorted(folder.iterdir())
    if workers == 1:
        return list(map(_imagehash_of, paths))
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(_imagehash_of, paths, chunksize=16))


def _imagehash_of(path: Path) -> int:
    with Image.open(path) as image:
        return int(str(imagehash.phash(image)), 16)


def by_imagededup(folder: Path, workers: int) -> list[int]:
    """Hash with imagededup's PHash, which is a different perceptual hash."""
    from imagededup.methods import PHash

    found = PHash(verbose=False).encode_images(str(folder), num_enc_workers=0 if workers == 1 else workers)
    return [int(found[name], 16) for name in sorted(found)]


METHODS: dict[str, Callable[[Path, int], list[int]]] = {
    "arena, phash and file digest": by_arena(("phash",)),
    "arena, phash, dhash and file digest": by_arena(("phash", "dhash")),
    "arena, scaled and file digest (another hash)": by_arena(("scaled",)),
    "imagehash.phash, plain loop": by_imagehash,
    "imagededup PHash (another hash)": by_imagededup,
}


def measure(folder: Path, workers: int, rounds: int, expected: list[int]) -> list[Row]:
    """Let every method that is installed take its turn in every round, with this number of workers."""
    methods = {name: partial(method, folder, workers) for name, method in METHODS.items() if _is_installed(name)}
    rows = []
    for name, found in take_turns(methods, rounds).items():
        different = sum(a != b for a, b in zip(found.result, expected, strict=True))
        rows.append(Row(name, workers, found.median, None if "another hash" in name else different))
    return rows


def _is_installed(name: str) -> bool:
    return not name.startswith("imagededup") or find_spec("imagededup") is not None


def report(rows: list[Row], images: int, size_mb: float, facts: Mapping[str, Any]) -> list[str]:
    """Return the report as lines of Markdown."""
    peer = {row.workers: row.timing for row in rows if row.name.startswith("imagehash")}
    lines = [
        f"# Hashing {images:,} JPEG files of {SIDES[0]} to {SIDES[1]} pixels ({size_mb:,.0f} MB), {os.cpu_count()} cores",
        "",
        machine_line(facts),
        "",
        "| | workers | images/s | images per CPU second | speed relative to imagehash | in CPU time | different hashes |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        theirs, ours = peer[row.workers], row.timing
        lines.append(
            f"| {row.name} | {row.workers} | {images / ours.wall_s:.0f} | {images / ours.cpu_s:.0f} "
            f"| {theirs.wall_s / ours.wall_s:.2f} | {theirs.cpu_s / ours.cpu_s:.2f} "
            f"| {'–' if row.different is None else row.different} |"
        )
    return [*lines, "", "With several workers every method uses processes. Made by `python scripts/bench_hashing.py`."]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__, build="hashing")
    parser.add_size("--images", 5_000, tiny=6)
    parser.add_size("--workers", os.cpu_count() or 1, tiny=1)
    parser.add_size("--rounds", 3, tiny=1)
    options = parser.read(arguments)
    folder = make_files(options.images, options.build)
    size_mb = sum(len(path.read_bytes()) for path in folder.iterdir()) / 1e6  # reads every file once before the timing
    expected = by_imagehash(folder, options.workers)
    rows = [
        row for workers in sorted({1, options.workers}) for row in measure(folder, workers, options.rounds, expected)
    ]
    facts = machine_facts("numpy", "scipy", "pillow", "simplejpeg", "imagehash", "imagededup")
    entries = [{**row._asdict(), "timing": row.timing._asdict()} for row in rows]
    write_report(
        options.out, "hashing", {**facts, "images": options.images, "megabytes": size_mb, "rows": entries},
        report(rows, options.images, size_mb, facts),
    )  # fmt: skip


if __name__ == "__main__":
    main()
