"""Shared code of the scripts: options, timing in alternating rounds, machine facts, and reports as JSON and Markdown."""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from arena.base import provenance
from arena.base.files import write_json, write_whole
from arena.base.version import __version__

if TYPE_CHECKING:
    from playwright.sync_api import Browser

T = TypeVar("T")
J = TypeVar("J")

OUT, BUILD, TINY = Path("reports/benchmarks"), Path("build"), Path("build/tiny")


class Options(argparse.ArgumentParser):
    """Argument parser of a script with the options `--tiny`, `--out` and `--build`.

    Args:
        description: docstring of the script.
        build: name of the folder below `build/` for files that are made once; empty if there are none.
    """

    def __init__(self, description: str | None, *, build: str = "") -> None:
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        self._build = build
        self._sizes: dict[str, tuple[Any, Any]] = {}
        self.add_argument("--tiny", action="store_true", help="use sizes that take seconds, to try the script")
        self.add_argument("--out", type=Path, help=f"folder of the report (default {OUT}; with --tiny {TINY})")
        if build:
            default = f"(default {BUILD / build}; with --tiny {TINY / build})"
            self.add_argument("--build", type=Path, help=f"folder for files that are made once {default}")

    def add_size(self, name: str, full: T, *, tiny: T, help: str = "") -> None:  # noqa: A002
        """Add an option whose default is different with `--tiny`."""
        help_text = f"{help} (default {full}; with --tiny {tiny})".strip()
        action = self.add_argument(name, type=type(full), help=help_text)
        self._sizes[action.dest] = (full, tiny)

    def read(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """Parse the arguments, fill in the defaults, and create the folders."""
        options = self.parse_args(arguments)
        for name, (full, tiny) in self._sizes.items():
            if getattr(options, name) is None:
                setattr(options, name, tiny if options.tiny else full)
        options.out = options.out or (TINY if options.tiny else OUT)
        options.out.mkdir(parents=True, exist_ok=True)
        if self._build:
            options.build = options.build or (TINY if options.tiny else BUILD) / self._build
            options.build.mkdir(parents=True, exist_ok=True)
        return options


class Timing(NamedTuple):
    """Time of one piece of work.

    Attributes:
        wall_s: wall-clock seconds.
        cpu_s: user and system seconds on all cores, of this process and of its finished children.
    """

    wall_s: float
    cpu_s: float


def timed(work: Callable[[], T]) -> tuple[T, Timing]:
    """Run some work; return its result and timing."""
    cpu, wall = _cpu_seconds(), time.perf_counter()
    result = work()
    return result, Timing(time.perf_counter() - wall, _cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    """Return user and system seconds of this process and of its finished children."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@dataclass(frozen=True)
class Rounds(Generic[T]):
    """Last result of one contestant, and its timing in every round."""

    result: T
    timings: Sequence[Timing]

    @property
    def median(self) -> Timing:
        """Medians of the wall-clock seconds and of the CPU seconds."""
        return Timing(*(statistics.median(column) for column in zip(*self.timings, strict=True)))

    def facts(self) -> dict[str, Any]:
        """Return the medians and every round, for JSON."""
        return {**self.median._asdict(), "rounds": [one._asdict() for one in self.timings]}


def take_turns(contestants: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, Rounds[T]]:
    """Time every contestant in every round; every second round runs in reverse order, so that none always runs first."""
    names = list(contestants)
    results: dict[str, T] = {}
    timings: dict[str, list[Timing]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            results[name], one = timed(contestants[name])
            timings[name].append(one)
            print(f"round {number + 1}: {name}: {one.wall_s:.2f} s, {one.cpu_s:.2f} CPU s", file=sys.stderr, flush=True)
    return {name: Rounds(results[name], timings[name]) for name in names}


def in_own_process(work: Callable[..., T], *arguments: object) -> T:
    """Run a module-level function in a fresh process, so that its peak memory can be measured alone."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def on_all_cores(work: Callable[[J], T], jobs: Iterable[J], processes: int | None = None) -> Iterator[T]:
    """Yield the results of a module-level function for the jobs, in their order, computed by one process per core."""
    with ProcessPoolExecutor(processes or os.cpu_count()) as pool:
        yield from pool.map(work, jobs)


def read_kept(path: Path | None) -> Iterator[dict[str, Any]]:
    """Yield the objects that `write_kept` added to a file, none if there is no file; a line cut by a kill is passed over."""
    for line in path.read_text().splitlines() if path is not None and path.exists() else []:
        if line.endswith("}"):
            yield json.loads(line)


def write_kept(path: Path | None, content: Mapping[str, Any]) -> None:
    """Add an object to a file as one line of JSON; without a path nothing happens."""
    if path is not None:
        with path.open("a") as file:
            file.write(json.dumps(content) + "\n")


_RSS_UNITS = 2**30 if platform.system() == "Darwin" else 2**20
"""Units of `ru_maxrss` in one GiB: bytes on macOS, KiB elsewhere."""


def peak_gib() -> float:
    """Return the peak memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _RSS_UNITS


def arena_peak_gib(*arguments: object) -> float:
    """Run the command `arena`; return its peak memory in GiB.

    On Linux a started process inherits the peak memory of its parent, so the caller must be small.

    Raises:
        CalledProcessError: the command failed.
    """
    command = [sys.executable, "-m", "arena", *map(str, arguments)]
    with subprocess.Popen(command) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_maxrss / _RSS_UNITS


def arena_command(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run the command `arena` in a new process; return the finished process with its exit code and output."""
    command = [sys.executable, "-m", "arena", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def machine_facts(*packages: str) -> dict[str, Any]:
    """Return the time, machine and versions of a measurement.

    Args:
        packages: packages to list besides Python and arena.
    """
    versions = {"python": platform.python_version(), "arena": __version__}
    return {
        "when": provenance.now(),
        "processor": provenance.processor_name(),
        "cores": os.cpu_count() or 1,
        "versions": versions | {package: version_of(package) for package in packages},
    }


def version_of(package: str) -> str:
    """Return the installed version of a package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def machine_line(facts: Mapping[str, Any]) -> str:
    """Return `machine_facts` as one line of text.

    >>> machine_line({"processor": "x86", "cores": 2, "versions": {"python": "3.11.9", "numpy": "2.1.0"}})
    'x86, 2 cores; python 3.11.9, numpy 2.1.0.'
    """
    versions = ", ".join(f"{name} {one}" for name, one in facts["versions"].items())
    return f"{facts['processor']}, {facts['cores']} cores; {versions}."


def write_report(out: Path, name: str, facts: Mapping[str, Any], lines: Sequence[str]) -> None:
    """Write `NAME.json` and `NAME.md`, and print the Markdown."""
    text = "\n".join(lines) + "\n"
    write_json(out / f"{name}.json", facts)
    write_whole(out / f"{name}.md", text)
    print(text)


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Open a headless browser: the installed Chromium or Chrome, else playwright's own."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
