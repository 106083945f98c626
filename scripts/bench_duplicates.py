"""Exact search for near duplicates at the size of a training set, compared with faiss and brute force in one run.

Usage: python scripts/bench_duplicates.py [--queries 32768] [--rows 4000000] [--sampled 2048]

Hashes have exactly 32 ones, like median hashes, and some are planted near copies. A second set resembles a real one: flat
pictures share one hash, templates lie around hubs, and copies differ in few bits. Every contestant runs in its own process,
with one thread unless its name says otherwise. Its time starts from plain arrays, so it includes building any index. The
results are compared pair by pair. Writes reports/benchmarks/duplicates.{json,md}.
"""

import hashlib
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from reporting import Options, write_report

from arena.dataset.hamming.duplicates import (
    Hashes,
    Pairs,
    clusters,
    links_within,
    neighbours_between,
    pairs_between,
    pairs_within,
)

BETWEEN_RADIUS = 8
WITHIN_RADIUS = 4
PLANTED_SHARE = 0.02
FLAT_ROWS = 100_000
HUBS, HUB_ROWS, HUB_BITS = 20, 5_000, 3
COPIED_SHARE = 0.05
MOST = 10
TILE_ROWS, TILE_COLUMNS = 16, 4_096
WORKERS = 2

BETWEEN, WITHIN = f"between, radius {BETWEEN_RADIUS}", f"within, radius {WITHIN_RADIUS}"
REAL_BETWEEN, REAL_WITHIN = f"{BETWEEN}, with hubs", f"{WITHIN}, with hubs"


@dataclass(frozen=True)
class Measured:
    """Result of one contestant; `digest` covers every pair and distance that it found, in order."""

    task: str
    contestant: str
    seconds: float
    peak_mib: float
    found: int
    digest: str
    detail: str = ""


def median_hashes(count: int, rng: np.random.Generator) -> Hashes:
    """Return random hashes with exactly 32 ones."""
    parts = []
    for start in range(0, count, 1 << 18):
        noise = rng.random((min(1 << 18, count - start), 64), np.float32)
        ones = np.zeros(noise.shape, np.uint8)
        np.put_along_axis(ones, np.argpartition(noise, 31, axis=1)[:, :32], 1, axis=1)
        parts.append(np.packbits(ones, axis=1).view(">u8").ravel().astype(np.uint64))
    return np.concatenate(parts)


def copied(hashes: Hashes, rng: np.random.Generator, *, most_bits: int) -> Hashes:
    """Return each hash with up to `most_bits` bits flipped."""
    bits = np.uint64(1) << rng.integers(0, 64, (most_bits, len(hashes)), np.uint64)
    bits[rng.integers(0, most_bits + 1, len(hashes)) <= np.arange(most_bits)[:, None]] = 0
    return np.asarray(hashes ^ np.bitwise_xor.reduce(bits, axis=0), np.uint64)


def exchanged(hashes: Hashes, rng: np.random.Generator) -> Hashes:
    """Return each hash with up to four ones swapped with zeros: 32 ones remain, at an even distance of up to 8."""
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1)
    noise = rng.random(bits.shape)
    ranks = [np.argsort(np.argsort(noise + 2 * (bits == value), axis=1), axis=1) for value in (0, 1)]
    swaps = rng.integers(0, 5, (len(bits), 1))
    for rank in ranks:
        bits ^= (rank < swaps).astype(np.uint8)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


def make_sets(folder: Path, queries: int, rows: int) -> None:
    """Write random and realistic hashes, as queries (left) and rows (right)."""
    rng = np.random.default_rng(0)
    right, left = median_hashes(rows, rng), median_hashes(queries, rng)
    twins = rng.choice(rows, (2, int(rows * PLANTED_SHARE / 2)), replace=False)
    right[twins[0]] = exchanged(right[twins[1]], rng)
    planted = rng.choice(queries, int(queries * PLANTED_SHARE), replace=False)
    left[planted] = exchanged(rng.choice(right, len(planted)), rng)
    np.save(folder / "left.npy", left)
    np.save(folder / "right.npy", right)
    scale = rows / 4_000_000
    hubs = rng.choice(right, HUBS).repeat(int(HUB_ROWS * scale))
    real = right.copy()
    real[: int(FLAT_ROWS * scale)] = np.uint64(1 << 63)
    real[-len(hubs) :] = copied(hubs, rng, most_bits=HUB_BITS)
    copies = rng.choice(rows, (2, int(rows * COPIED_SHARE)), replace=False)
    real[copies[0]] = copied(real[copies[1]], rng, most_bits=WITHIN_RADIUS)
    left[rng.choice(queries, queries // 40, replace=False)] = np.uint64(1 << 63)
    np.save(folder / "real_left.npy", left)
    np.save(folder / "real_right.npy", rng.permutation(real))


def digest(pairs: Pairs) -> str:
    """Return a digest of all pairs, sorted by left, then right, so that their order does not matter."""
    order = np.lexsort((pairs.right, pairs.left))
    hasher = hashlib.sha256()
    for column in pairs:
        hasher.update(np.ascontiguousarray(column[order], np.int64).tobytes())
    return hasher.hexdigest()


def by_faiss(left: Hashes, right: Hashes, radius: int) -> Pairs:
    """Find pairs with `IndexBinaryFlat`; its range search excludes the radius itself, hence `radius + 1`."""
    faiss.omp_set_num_threads(1)
    index = faiss.IndexBinaryFlat(64)
    index.add(right.view(np.uint8).reshape(-1, 8))
    limits, bits, rows = index.range_search(left.view(np.uint8).reshape(-1, 8), radius + 1)
    sizes = np.diff(limits.astype(np.int64))
    return Pairs(np.repeat(np.arange(len(left)), sizes), rows.astype(np.int64), bits.astype(np.int64))


def by_brute_force(left: Hashes, right: Hashes, radius: int) -> Pairs:
    """Find pairs with `numpy.bitwise_count` of all against all, in tiles that fit into the L2 cache."""
    found = [np.empty((3, 0), np.int64)]
    for first in range(0, len(right), TILE_COLUMNS):
        columns = right[first : first + TILE_COLUMNS]
        for top in range(0, len(left), TILE_ROWS):
            bits = np.bitwise_count(left[top : top + TILE_ROWS, None] ^ columns)
            if len(near := np.flatnonzero(bits <= radius)):
                row, column = np.divmod(near, len(columns))
                found.append(np.stack([row + top, column + first, bits.ravel()[near]]))
    return Pairs(*np.concatenate(found, axis=1))


def measure(task: str, contestant: str, folder: Path, prefix: str, work: str, workers: int) -> Measured:
    """Measure time and memory of one contestant; call it in a fresh process."""
    left, right = (np.load(folder / f"{prefix}{side}.npy") for side in ("left", "right"))
    between: dict[str, Callable[[], Pairs]] = {
        "arena": lambda: pairs_between(left, right, radius=BETWEEN_RADIUS, workers=workers),
        "faiss": lambda: by_faiss(left, right, BETWEEN_RADIUS),
        "brute force": lambda: by_brute_force(left, right, BETWEEN_RADIUS),
        "nearest": lambda: neighbours_between(left, right, radius=BETWEEN_RADIUS, most=MOST, workers=workers).pairs,
        "within": lambda: pairs_within(right, radius=WITHIN_RADIUS, workers=workers),
        "links": lambda: links_within(right, radius=WITHIN_RADIUS, workers=workers),
    }
    start = time.perf_counter()
    found = between[work]()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    detail = ""
    if work == "links":
        start = time.perf_counter()
        labels = clusters(len(right), found)
        detail = f"{labels.max() + 1:,} clusters in another {time.perf_counter() - start:.1f} s"
    return Measured(task, contestant, seconds, peak, len(found.left), digest(found), detail)


def check_sample(folder: Path, count: int) -> int:
    """Compare the pairs of a sample of rows between arena and faiss; return their number, or exit if they differ."""
    rows = np.load(folder / "right.npy")
    found = pairs_within(rows, radius=WITHIN_RADIUS, workers=WORKERS)
    sample = np.unique(
        np.concatenate([found.left[: count // 2], np.random.default_rng(1).choice(len(rows), count // 2)])
    )
    theirs = by_faiss(rows[sample], rows, WITHIN_RADIUS)
    others = sample[theirs.left] != theirs.right
    expected = Pairs(sample[theirs.left][others], theirs.right[others], theirs.hamming_bits[others])
    both = Pairs(
        *(np.concatenate(c) for c in zip(found, Pairs(found.right, found.left, found.hamming_bits), strict=True))
    )
    sampled = np.isin(both.left, sample)
    if digest(Pairs(*(column[sampled] for column in both))) != digest(expected):
        raise SystemExit("pairs_within and faiss differ")
    return len(expected.left)


CONTESTS = [
    (BETWEEN, "arena", "", "arena", 1),
    (BETWEEN, f"arena, {WORKERS} threads", "", "arena", WORKERS),
    (BETWEEN, "faiss IndexBinaryFlat", "", "faiss", 1),
    (BETWEEN, "numpy brute force", "", "brute force", 1),
    (REAL_BETWEEN, f"arena, {MOST} nearest, all counted", "real_", "nearest", 1),
    (WITHIN, "arena", "", "within", 1),
    (WITHIN, f"arena, {WORKERS} threads", "", "within", WORKERS),
    (REAL_WITHIN, "arena, links that join all", "real_", "links", 1),
    (REAL_WITHIN, f"arena, links that join all, {WORKERS} threads", "real_", "links", WORKERS),
]


def table(measured: list[Measured], facts: dict[str, Any]) -> list[str]:
    """Return the report as lines of Markdown."""
    return [
        f"# Near duplicates of {facts['queries']:,} hashes in a set of {facts['rows']:,}, and within the set",
        "",
        "| | | seconds | peak memory, MiB | pairs |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {m.task} | {m.contestant} | {m.seconds:.2f} | {m.peak_mib:,.0f} | {m.found:,} |" for m in measured),
        "",
        f"With one thread, arena is {facts['ratio_to_faiss']:.1f} times faster than faiss and",
        f"{facts['ratio_to_brute_force']:.1f} times faster than brute force. All found the same pairs with the same distances.",
        f"Within the set, the {facts['sampled_pairs']:,} pairs of a sample of rows are the same as those of faiss.",
        *(f"{m.task}, {m.contestant}: {m.detail}." for m in measured if m.detail),
        f"Peak memory includes the interpreter, its libraries and the hashes. Load of the machine: {facts['load']:.1f}.",
        "Made by `python scripts/bench_duplicates.py`.",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__)
    parser.add_size("--queries", 32_768, tiny=200)
    parser.add_size("--rows", 4_000_000, tiny=4_000)
    parser.add_size(
        "--sampled", 2_048, tiny=100, help="number of rows whose pairs within the set are checked with faiss"
    )
    options = parser.read(arguments)
    measured = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:  # a process inherits the peak memory of its parent
            alone.submit(make_sets, folder, options.queries, options.rows).result()
        for task, contestant, prefix, work, workers in CONTESTS:
            with ProcessPoolExecutor(1, get_context("spawn")) as alone:
                measured.append(alone.submit(measure, task, contestant, folder, prefix, work, workers).result())
            print(measured[-1], flush=True)
        sampled = check_sample(folder, options.sampled)
    for task in {m.task for m in measured}:
        if len({m.digest for m in measured if m.task == task}) != 1:
            raise SystemExit(f"{task}: contestants found different pairs")
    seconds = {m.contestant: m.seconds for m in measured if m.task == BETWEEN}
    facts = {
        "queries": options.queries, "rows": options.rows, "sampled_pairs": sampled,
        "ratio_to_faiss": seconds["faiss IndexBinaryFlat"] / seconds["arena"],
        "ratio_to_brute_force": seconds["numpy brute force"] / seconds["arena"],
        "measured": [asdict(m) for m in measured], "load": os.getloadavg()[0], "cores": os.cpu_count(),
        "processor": platform.machine(), "numpy": np.__version__, "faiss": faiss.__version__,
    }  # fmt: skip
    write_report(options.out, "duplicates", facts, table(measured, facts))


if __name__ == "__main__":
    main()
