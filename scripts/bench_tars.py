"""Time and peak memory of import, dedup, freeze and run for images in tars, at three sizes, to show how both grow.

Usage: python scripts/bench_tars.py [--images 200000] [--models joytag-demo,wd14-demo] [--build build/tars]

Writes tars of drawn PNG of 32 px with tags of the demo set. At a quarter, a half and all of the images, each stage is a command
in its own process: `dataset import --in-place`, `dataset dedup`, `dataset freeze`, `dataset freeze --tars`, and `run`. Writes
reports/benchmarks/tars.{json,md}.
"""

import io
import json
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from reporting import Options, arena_peak_gib, machine_facts, machine_line, timed, write_report

SIDE = 32
"""Pixels of each side."""

IMAGES_PER_TAR = 10_000

TAGS_PER_IMAGE = 6
"""Tags of an image, drawn without replacement."""

STAGES = ("import", "dedup", "freeze", "freeze --tars", "run")

ROOT = Path(__file__).resolve().parents[1]


class Cost(NamedTuple):
    """Cost of one stage at one size."""

    images: int
    stage: str
    wall_s: float
    cpu_s: float
    peak_gib: float


def tag_names() -> list[str]:
    """Return the tags of the demo set, which the demo models know."""
    lines = (ROOT / "datasets/demo/tags.csv").read_text(encoding="utf-8").splitlines()[1:]
    return [line.partition(",")[0] for line in lines]


def write_tars(folder: Path, images: int) -> None:
    """Write webdataset tars of noise on a gradient; every image has other pixels."""
    folder.mkdir(parents=True)
    names, rng = tag_names(), np.random.default_rng(0)
    for start in range(0, images, IMAGES_PER_TAR):
        with tarfile.open(folder / f"{start // IMAGES_PER_TAR:05d}.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
            for number in range(start, min(images, start + IMAGES_PER_TAR)):
                tags = rng.choice(names, min(TAGS_PER_IMAGE, len(names)), replace=False).tolist()
                for suffix, content in (("png", _picture(rng)), ("json", json.dumps({"tags": tags}).encode())):
                    info = tarfile.TarInfo(f"{number:08d}.{suffix}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
            tar.members = []  # type: ignore[attr-defined]


def _picture(rng: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def commands(work: Path, shards: Path, images: int, models: str) -> Iterator[tuple[str, list[object]]]:
    """Yield each stage and its command."""
    made, deduplicated, frozen = work / "imported", work / "deduplicated", work / "frozen"
    yield "import", ["dataset", "import", shards, "-o", made, "--in-place", "--limit", images]
    yield "dedup", ["dataset", "dedup", made, "-o", deduplicated]
    yield "freeze", ["dataset", "freeze", deduplicated, "-o", frozen, "--name", "tars"]
    yield "freeze --tars", ["dataset", "freeze", deduplicated, "-o", work / "packed", "--name", "tars", "--tars"]
    yield (
        "run",
        [
            "run",
            "-m",
            models,
            "-d",
            work / "packed",
            "-o",
            work / "run",
            "--bootstrap",
            0,
            "--min-positives",
            1,
            "--root",
            ROOT,
        ],
    )


def measure(build: Path, shards: Path, images: int, models: str) -> list[Cost]:
    """Run every stage at one size in a new folder, which is removed at the end."""
    work = build / f"work-{images}"
    shutil.rmtree(work, ignore_errors=True)
    found = []
    for stage, command in commands(work, shards, images, models):
        peak, timing = timed(lambda command=command: arena_peak_gib(*command))  # type: ignore[misc]
        found.append(Cost(images, stage, timing.wall_s, timing.cpu_s, peak))
    shutil.rmtree(work)
    return found


def growth_lines(costs: Sequence[Cost]) -> list[str]:
    """Return a table: a row a stage, with seconds and peak memory at each size, and the memory that a further image takes."""
    sizes = sorted({cost.images for cost in costs})
    by_key = {(cost.stage, cost.images): cost for cost in costs}
    heads = [f"{size:,} images: s, CPU s, GiB" for size in sizes]
    lines = [f"| stage | {' | '.join(heads)} | more bytes an image |", "| --- |" + " ---: |" * (len(sizes) + 1)]
    for stage in STAGES:
        row = [by_key[stage, size] for size in sizes]
        cells = [f"{cost.wall_s:.1f}, {cost.cpu_s:.1f}, {cost.peak_gib:.2f}" for cost in row]
        more = (row[-1].peak_gib - row[0].peak_gib) * 2**30 / max(1, sizes[-1] - sizes[0])
        lines.append(f"| {stage} | {' | '.join(cells)} | {more:,.0f} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__, build="tars")
    parser.add_size("--images", 200_000, tiny=24)
    parser.add_argument("--models", default="joytag-demo,wd14-demo", help="models of the run (default %(default)s)")
    options = parser.read(arguments)
    shards = options.build / f"shards-{options.images}"
    if not shards.exists():
        part = shards.with_name(f"{shards.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        write_tars(part, options.images)
        part.rename(shards)
    sizes = [options.images // 4, options.images // 2, options.images]
    costs = [cost for size in sizes for cost in measure(options.build, shards, size, options.models)]
    machine = machine_facts("numpy", "pyarrow", "pandas", "pillow")
    facts: dict[str, Any] = {**machine, "images": options.images, "costs": [cost._asdict() for cost in costs]}
    lines = [
        f"# {options.images:,} images of {SIDE} px in tars: import, dedup, freeze, run",
        "",
        f"Each stage is a command in its own process; models {options.models}. {machine_line(machine)}",
        "",
        *growth_lines(costs),
        "",
        "Made by `python scripts/bench_tars.py`.",
    ]
    write_report(options.out, "tars", facts, lines)


if __name__ == "__main__":
    main()
