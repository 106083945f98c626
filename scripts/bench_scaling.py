"""Workers that share a run: images a second of one and two, and the scores after many of them were killed.

Usage: python scripts/bench_scaling.py [--images 2048] [--kills 100] [--pause 2.5] [--rounds 1] [--seed 0] [--tiny]

Speed: `arena run --scores-only` scores the demo model, by one worker on one core, by two workers on a core each, and by one
command on two cores with `--workers 1` and `--workers 2`. The images are small, so that the network is the limit, or large, so
that the decoding is. Kills: three workers share a run; one of them after the other, chosen at random, gets kill -9 after a
random time and is started again; the run begins anew when it is finished. Whenever it is, all scores must equal those of one
process, and no finished shard may have been written again. Ray, if it is installed: a cluster of two nodes on this machine, a
core each, scores all images; then once more, and one node is killed after the first shard. Writes
reports/benchmarks/scaling.{json,md}.
"""

import hashlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from disturbed import Fault, preload, start
from PIL import Image
from reporting import Options, Rounds, machine_facts, machine_line, take_turns, write_report

from arena.base.files import open_whole
from arena.dataset.frozen import write_frozen

MODEL = "wd14-demo"
TAGS = ("animal", "shape", "star", "tree")
SIDES = {"network": 96, "decode": 1_600}
"""Longest side of the images in pixels, by what limits the speed."""

SHARE = {"network": 1.0, "decode": 0.5}
"""Part of the images that are scored: a large one takes longer."""

WORKERS = 3
"""Processes of the part with kills; two at a tiny size."""


class Case(NamedTuple):
    """Commands that score together, and the cores of each; no core means all."""

    name: str
    cores: tuple[tuple[int, ...], ...]
    workers: int = 1


CASES = (
    Case("one worker, one core", ((0,),)),
    Case("two workers, a core each", ((0,), (1,))),
    Case("one command, two cores", ((),)),
    Case("one command, two cores, `--workers 2`", ((),), 2),
)


def make_dataset(folder: Path, images: int, side: int) -> Path:
    """Write a frozen dataset of JPEG files with coloured blocks and grain; one that exists is kept."""
    if (folder / "dataset.toml").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    rows = [_make_image(folder, number, side) for number in range(images)]
    card = {"name": folder.name, "title": "Blocks", "licence": "CC0-1.0"}
    write_frozen(folder, card=card, images=pd.DataFrame(rows), tags=[(tag, "general") for tag in TAGS])
    return folder


def _make_image(folder: Path, number: int, side: int) -> dict[str, Any]:
    rng = np.random.default_rng(number)
    height, width = (int(side * part) for part in (0.75, 1.0))
    blocks = Image.fromarray(rng.integers(0, 255, (6, 8, 3), np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    pixels = np.asarray(blocks) + rng.normal(0, 3, (height, width, 1))
    path = f"images/{number:06d}.jpg"
    with open_whole(folder / path) as file:
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    digest = hashlib.sha256((folder / path).read_bytes()).hexdigest()
    tags = [tag for place, tag in enumerate(TAGS) if number >> place & 1]
    return {
        "image_id": f"{number:06d}", "path": path, "sha256": digest, "width": width, "height": height,
        "phash": digest[:16], "dhash": digest[16:32], "tags": tags, "rating": "g", "group": str(number),
    }  # fmt: skip


class Scored(NamedTuple):
    """Digest of all scores of a run, and its number of images."""

    digest: str
    images: int


class Bench:
    """The datasets, and the commands that score them.

    Args:
        folder: keeps the datasets; the runs in it are replaced.
        images: number of small images.
    """

    def __init__(self, folder: Path, images: int) -> None:
        self.folder = folder.absolute()
        self.images = {kind: int(images * SHARE[kind]) for kind in SIDES}
        self.datasets = {
            kind: make_dataset(self.folder / f"{kind}-{number}", number, SIDES[kind])
            for kind, number in self.images.items()
        }

    def command(self, kind: str, workers: int = 1) -> tuple[str, ...]:
        """Return the arguments of the command for one dataset; it runs in the folder of the runs."""
        return (
            "run", "-m", MODEL, "-d", str(self.datasets[kind]), "-o", "run", "--scores-only", "--device", "cpu",
            "--min-positives", "1", "--workers", str(workers),
        )  # fmt: skip

    def place(self, name: str) -> Path:
        """Return an empty folder for runs."""
        place = self.folder / "runs" / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        return place

    def score(self, kind: str, case: Case) -> Scored:
        """Score one dataset with the workers of a case."""
        place, command = self.place("speed"), self.command(kind, case.workers)
        commands = [start(place, command, Fault(cores=cores), name=str(n)) for n, cores in enumerate(case.cores)]
        for process in commands:
            process.join()
            if process.exitcode:
                raise SystemExit(f"{case.name}: exit {process.exitcode}, see {place}*.log")
        return Scored(digest_of(place / "run"), self.images[kind])


def digest_of(run: Path) -> str:
    """Return one SHA-256 over all scores of a run; empty if it is not finished."""
    files = sorted((run / "scores" / MODEL).glob("*.npy"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest() if files else ""


class Kills:
    """Workers share runs, and are killed.

    Args:
        place: an empty folder for the run and the logs.
        command: arguments of each worker.
        expected: digest of the scores of one process.
        seed: chooses who is killed, and when.
        count: number of workers.
        pause_s: mean time in seconds between two kills.
    """

    def __init__(
        self, place: Path, command: Sequence[str], expected: str, *, seed: int, count: int, pause_s: float
    ) -> None:
        self.place, self.command, self.expected = place, command, expected
        self.random, self.count, self.pause_s = random.Random(seed), count, pause_s
        self.killed = self.finished = self.different = self.rewritten = 0
        self.failed: list[str] = []
        self.written: dict[str, int] = {}
        self.workers = [self.started(number) for number in range(self.count)]

    def started(self, number: int) -> Any:
        """Start a worker."""
        return start(self.place, self.command, name=str(number))

    def until(self, kills: int) -> None:
        """Kill workers until this number is reached, and let the last run finish."""
        while self.killed < kills:
            next_kill = time.monotonic() + self.random.expovariate(1 / self.pause_s)
            while time.monotonic() < next_kill and self.watch():
                time.sleep(0.05)
            number = self.random.randrange(self.count)
            self.workers[number].kill()
            self.workers[number].join()
            self.killed += 1
            self.workers[number] = self.started(number)
        while self.watch(last=True):
            time.sleep(0.05)

    def watch(self, *, last: bool = False) -> bool:
        """Look at the shards; if the run is finished, compare it and begin anew. Return false after the last run."""
        for path in (self.place / "run/scores" / MODEL).glob("*.json"):
            mtime_ns = path.stat().st_mtime_ns
            self.rewritten += path.name != "store.json" and self.written.setdefault(path.name, mtime_ns) != mtime_ns
            self.written[path.name] = mtime_ns
        ended = [worker for worker in self.workers if not worker.is_alive()]
        self.failed += [f"exit {worker.exitcode}" for worker in ended if worker.exitcode]
        if len(ended) < self.count:
            return True
        self.finished += 1
        self.different += digest_of(self.place / "run") != self.expected
        shutil.rmtree(self.place / "run")
        self.written.clear()
        self.workers = [] if last else [self.started(number) for number in range(self.count)]
        return not last


class RayRun(NamedTuple):
    """A run on two Ray nodes: its time with the start of the command, its scores, and whether a node was killed."""

    seconds: float
    scored: Scored
    killed: bool


def run_on_ray(bench: Bench, kind: str, *, kill: bool) -> RayRun:
    """Score one dataset on a new cluster of two nodes, each with one core; `kill`: end one node after the first shard."""
    from ray.cluster_utils import Cluster

    place = bench.place("ray")
    environment = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    os.environ.update(environment)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        second = cluster.add_node(num_cpus=1)
        start_s = time.monotonic()
        command = [*bench.command(kind), "--engine", "ray", "--address", cluster.address]
        with (place.parent / "ray.log").open("w") as log:
            process = subprocess.Popen([sys.executable, "-m", "arena", *command], cwd=place, stdout=log, stderr=log)
            while kill and process.poll() is None and not digest_of(place / "run"):
                time.sleep(0.05)
            if kill and process.poll() is None:
                cluster.remove_node(second, allow_graceful=False)
            if process.wait():
                raise SystemExit(f"Ray: exit {process.returncode}, see {place.parent / 'ray.log'}")
        return RayRun(time.monotonic() - start_s, Scored(digest_of(place / "run"), bench.images[kind]), kill)
    finally:
        cluster.shutdown()


def ray_lines(runs: Sequence[RayRun], expected: str) -> list[str]:
    """Return the lines of the report on Ray."""
    if not runs:
        return ["Ray: skipped, because it is not installed, or the size is tiny."]
    return [
        "| two Ray nodes, a core each | images | seconds | images a second | scores |", "| --- | --- | --- | --- | --- |",
        *(
            f"| {'one killed after the first shard' if one.killed else 'both to the end'} | {one.scored.images:,} | "
            f"{one.seconds:.1f} | {one.scored.images / one.seconds:.1f} | "
            f"{'equal' if one.scored.digest == expected else '**different**'} |"
            for one in runs
        ),
    ]  # fmt: skip


def report(
    options: Any, speed: dict[str, dict[str, Rounds[Scored]]], kills: Kills, on_ray: Sequence[RayRun]
) -> tuple[dict[str, Any], list[str]]:
    """Return the facts and the lines of the report."""
    load = os.getloadavg()[1]
    chosen = {"images": options.images, "kills": options.kills, "pause": options.pause, "seed": options.seed}
    command = f"`python scripts/bench_scaling.py {' '.join(f'--{name} {value:g}' for name, value in chosen.items())}`"
    busy = f" Other programs used the machine: load average {load:.0f}." if load > WORKERS else ""
    machine = machine_facts("numpy", "pillow", "onnxruntime-gpu", "onnxruntime", *(["ray"] if on_ray else []))
    facts = {
        "machine": machine,
        "load": load,
        "speed": {
            kind: {name: {"images": one.result.images, **one.facts()} for name, one in rounds.items()}
            for kind, rounds in speed.items()
        },
        "kills": {
            "seed": options.seed, "kills": kills.killed, "runs": kills.finished, "different": kills.different,
            "rewritten_shards": kills.rewritten, "failed": kills.failed,
        },
        "ray": [{"seconds": one.seconds, "killed": one.killed, **one.scored._asdict()} for one in on_ray],
    }  # fmt: skip
    text = f"""# Workers that share a run, {machine["cores"]} cores

| limit | workers | images | seconds | images a second | against the first | scores |
| --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(row for kind, rounds in speed.items() for row in speed_rows(kind, rounds))}

Network: {MODEL} on JPEG of {SIDES["network"]} pixels; decode: the same on JPEG of {SIDES["decode"]:,} pixels. The times contain
the start of the commands. A core is fixed by the CPU affinity of the process.

{kills.killed} times kill -9 of one of {kills.count} workers, after {kills.pause_s:g} s on average:
{kills.finished} runs finished, {kills.different} with other scores than one process,
{kills.rewritten} finished shards written again, {len(kills.failed)} workers that failed.

{chr(10).join(ray_lines(on_ray, kills.expected))}

{machine_line(machine)} Made by
{command}.{busy}"""
    return facts, text.splitlines()


def speed_rows(kind: str, rounds: dict[str, Rounds[Scored]]) -> list[str]:
    """Return a row of the table for each case."""
    first = next(iter(rounds.values()))
    rows = []
    for name, one in rounds.items():
        images, seconds = one.result.images, one.median.wall_s
        equal = "equal" if one.result == first.result else "**different**"
        ratio = first.median.wall_s / seconds
        rows.append(
            f"| {kind} | {name} | {images:,} | {seconds:.1f} | {images / seconds:.1f} | {ratio:.2f} | {equal} |"
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, kill, and write the report; return 1 if scores differ or a worker failed."""
    options = Options(__doc__, build="bench_scaling")
    options.add_size("--images", 2_048, tiny=12, help="small images; half as many large ones")
    options.add_size("--kills", 100, tiny=1, help="workers to kill")
    options.add_size("--pause", 2.5, tiny=0.5, help="mean seconds between two kills")
    options.add_size("--rounds", 1, tiny=1, help="rounds of the measurement of speed")
    options.add_argument("--seed", type=int, default=0, help="chooses who is killed, and when")
    chosen = options.read(arguments)
    preload("arena.pipeline.run")
    bench = Bench(chosen.build, chosen.images)
    cases = CASES[:1] if chosen.tiny else CASES
    speed = {
        kind: take_turns({case.name: partial(bench.score, kind, case) for case in cases}, chosen.rounds)
        for kind in list(SIDES)[: 1 if chosen.tiny else None]
    }
    expected = speed["network"][cases[0].name].result.digest
    kills = Kills(
        bench.place("kills"), bench.command("network"), expected, seed=chosen.seed, pause_s=chosen.pause,
        count=2 if chosen.tiny else WORKERS,
    )  # fmt: skip
    kills.until(chosen.kills)
    nodes = () if chosen.tiny or find_spec("ray") is None else (False, True)
    on_ray = [run_on_ray(bench, "network", kill=kill) for kill in nodes]
    write_report(chosen.out, "scaling", *report(chosen, speed, kills, on_ray))
    results = [{one.result for one in rounds.values()} for rounds in speed.values()]
    different = any(one.scored.digest != expected for one in on_ray) or any(len(one) > 1 for one in results)
    return int(different or kills.different > 0 or bool(kills.failed))


if __name__ == "__main__":
    raise SystemExit(main())
