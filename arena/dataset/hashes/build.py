"""Build an index of hashes from folders, files and datasets, in parts that an interrupted run reuses.

Parts of `PART_IMAGES` images are stored in `INDEX.parquet.parts/` until all are complete. Each part is an index with its
rejects. Its name contains a digest of its inputs: identifier, size and modification time of every file, and the algorithms.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arena.base.errors import ArenaError, nearest, refuse_twice
from arena.base.files import remove_temporary_of
from arena.base.locks import lock_output
from arena.base.progress import Progress, Silent
from arena.base.scratch import open_scratch, remove_scratch
from arena.dataset.hashes.algorithms import ALGORITHMS, Algorithm
from arena.dataset.hashes.files import HASH_COLUMNS, HashImages, ImageFile, image_hasher
from arena.dataset.hashes.index import DIGESTS, HashIndex, count_index_rows, read_blocks, read_index_facts, write_blocks
from arena.dataset.listing import ImageListing, list_source
from arena.dataset.records import Reject
from arena.dataset.rejects import write_rejects
from arena.images.formats import decoder_versions

MIN_POOLED_IMAGES = 256
"""Least number of images for which worker processes are started (about a second each); fewer are hashed in this process."""

PART_IMAGES = 1024
"""Images per part; an interruption loses at most this many."""

_PIXEL_DIGEST = "with alpha"
"""Definition of `pixel_sha256`; parts that were made with another definition are not reused."""

_PART = re.compile(r"\d{6,}-[0-9a-f]{32}\.parquet")


class HashResult(NamedTuple):
    """Result of `hash_sources`: numbers of hashed and rejected images, and the file of the rejects."""

    images: int
    rejects: int
    rejects_file: Path


def hash_sources(
    sources: Sequence[str],
    output: Path,
    *,
    columns: Sequence[str] = ("phash", "dhash"),
    workers: int | None = None,
    root: Path | None = None,
    progress: Progress | None = None,
) -> HashResult:
    """Hash every image of some sources into one index; after an interruption the same call continues.

    Args:
        sources: folders, image files, or datasets by card or folder. With several sources, each identifier starts with the name
            of its source.
        output: the index file. A file with suffix `.rejects.csv` next to it lists the unreadable images.
        columns: names of `ALGORITHMS` and `DIGESTS`; `sha256` is always included.
        workers: number of processes; None: one per core.

    Raises:
        ArenaError: a column or source is unknown, a source has no image, two sources have the same name, no image is readable,
            or `output` is a folder.
    """
    columns = _checked_columns(columns)
    listing = [list_source(source, root) for source in sources]
    refuse_twice("arena hash", "source", [source.name for source in listing])
    if output.is_dir():
        raise ArenaError(f"-o {output}: a folder; name a file, such as {output / 'index.parquet'}")
    job = _Job(output, columns, listing)
    with lock_output(output, "hash"):
        remove_temporary_of(job.rejects_file)
        finished = job.finished()
        if finished is not None:
            remove_scratch(job.folder, _PART)  # a process that was killed after the index was complete left them
            (progress or Silent()).note(f"{output}: nothing has changed")
            return finished
        parts = job.hash(workers or os.cpu_count() or 1, progress or Silent())
        return job.join(parts)


class _Part(NamedTuple):
    """File of a part and its number of images."""

    path: Path
    images: int


class _Job:
    """One build: sources, columns, and the output index."""

    def __init__(self, output: Path, columns: Sequence[str], sources: Sequence[ImageListing]) -> None:
        self.output, self.sources = output, sources
        self.folder = output.with_name(output.name + ".parts")
        self.rejects_file = output.with_suffix(".rejects.csv")
        self.algorithms = {name: ALGORITHMS[name] for name in columns if name in ALGORITHMS}
        self.digests = tuple(name for name in DIGESTS if name in columns)
        # The hashes of tall pictures depend on the Pillow release, see `arena.dataset.hashes.resample`.
        self.made_with = {
            **decoder_versions(),
            **({"pixel_sha256": _PIXEL_DIGEST} if "pixel_sha256" in columns else {}),
        }

    def items(self) -> Iterator[ImageFile]:
        if len(self.sources) == 1:
            return self.sources[0].items()
        return chain.from_iterable(source.prefixed() for source in self.sources)

    def parts(self) -> Iterator[tuple[_Part, list[ImageFile]]]:
        """Yield every part of the sources in their current state, in order."""
        items = self.items()
        for number in count():
            batch = list(islice(items, PART_IMAGES))
            if not batch:
                return
            yield _Part(self.folder / f"{number:06d}-{self.key(batch)}.parquet", len(batch)), batch

    def key(self, batch: Iterable[ImageFile]) -> str:
        """Return the digest of everything that the rows of a part depend on."""
        digest = hashlib.sha256(repr((self.algorithms, self.digests, self.made_with)).encode())
        for item in batch:
            part = (item.offset, item.length) if item.length else ()
            digest.update(repr((item.image_id, *_stamp(item.path), *part)).encode())
        return digest.hexdigest()[:32]

    def finished(self) -> HashResult | None:
        """Return the result of an earlier build from the same inputs, or None."""
        if not self.output.exists():
            return None
        try:
            facts, images = read_index_facts(self.output), count_index_rows(self.output)
        except ArenaError:
            return None  # not an index, or damaged: it is built again
        if facts.get("key") != _digest(part.path.name for part, _ in self.parts()):
            return None
        if facts["rejects"] and not self.rejects_file.exists():
            return None
        return HashResult(images, int(facts["rejects"]), self.rejects_file)

    def hash(self, workers: int, progress: Progress) -> list[Path]:
        """Hash the missing parts, and return the paths of all parts, in order."""
        planned = [part for part, _ in self.parts()]
        if not planned:
            raise ArenaError("arena hash: no image in any source")
        done = sum(part.images for part in planned if part.path.exists())
        open_scratch(self.folder, _PART)
        paths = []
        total = sum(part.images for part in planned)
        with (
            image_hasher(workers if total - done >= MIN_POOLED_IMAGES else 1) as hashed,
            progress.count("hashing", total, done) as advance,
        ):
            for part, batch in self.parts():
                paths.append(part.path)
                if not part.path.exists():
                    self.write_part(part.path, batch, hashed, advance)
        return paths

    def write_part(
        self, path: Path, batch: Sequence[ImageFile], hashed: HashImages, advance: Callable[[int], None]
    ) -> None:  # fmt: skip
        """Hash the images of one part, in order, and write it."""
        columns = (*self.algorithms, *self.digests)
        rows: list[tuple[str, Mapping[str, int | str]]] = []
        rejects: list[Reject] = []
        for item, row in zip(batch, hashed(batch, columns), strict=True):
            if isinstance(row, Reject):
                rejects.append(row)
            else:
                rows.append((item.image_id, row))
            advance(1)
        write_blocks(
            path, [_block(rows, self.algorithms, self.digests)], algorithms=self.algorithms, digests=self.digests,
            facts={"rejects": rejects},
        )  # fmt: skip

    def join(self, parts: Sequence[Path]) -> HashResult:
        """Write the index from all parts, then remove the parts."""
        rejects = sum(len(read_index_facts(part)["rejects"]) for part in parts)
        if rejects:
            write_rejects(
                self.rejects_file, (Reject(*reject) for part in parts for reject in read_index_facts(part)["rejects"])
            )
        else:
            self.rejects_file.unlink(missing_ok=True)
        if not any(count_index_rows(part) for part in parts):
            raise ArenaError(f"arena hash: none of {rejects} files can be read; {self.rejects_file} lists the reasons")
        images = write_blocks(
            self.output, chain.from_iterable(map(read_blocks, parts)), algorithms=self.algorithms, digests=self.digests,
            facts={"key": _digest(part.name for part in parts), "rejects": rejects, "made_with": self.made_with},
        )  # fmt: skip
        remove_scratch(self.folder, _PART)
        return HashResult(images, rejects, self.rejects_file)


def _block(
    rows: Sequence[tuple[str, Mapping[str, int | str]]], algorithms: Mapping[str, Algorithm], digests: Sequence[str]
) -> HashIndex:
    return HashIndex(
        image_ids=tuple(image_id for image_id, _ in rows),
        hashes={name: np.array([row[name] for _, row in rows], np.uint64) for name in algorithms},
        algorithms=algorithms,
        digests={name: tuple(str(row[name]) for _, row in rows) for name in digests},
    )


def _checked_columns(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the requested columns and `sha256`, in the order of the index file."""
    for name in columns:
        if name not in HASH_COLUMNS:
            raise ArenaError(f"--algorithms {name}: no such hash. {nearest(name, HASH_COLUMNS)}")
    if not any(name in ALGORITHMS for name in columns):
        raise ArenaError(f"--algorithms: an index needs a hash besides digests: {', '.join(ALGORITHMS)}")
    return tuple(name for name in (*ALGORITHMS, *DIGESTS) if name in columns or name == "sha256")


def _stamp(path: str) -> tuple[int, int]:
    """Return size and modification time (ns) of a file; zeros if it is missing."""
    try:
        status = os.stat(path)  # noqa: PTH116  # making a Path for each of millions of files takes as long as the call
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _digest(names: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
