"""Kill, damage and starve the arena, and check that nothing is lost or silently changed.

Usage: python scripts/torture.py [--seed 0] [--kills 60] [--mutations 300]

Four parts, each with cases that the seed chooses: (a) a verb is ended by a signal at a rename or after a random time, and the
same command runs again: its files must equal those of an undisturbed run, with nothing left over; (b) a file is changed, and
the verb that reads it must refuse it in one line or give an equal result; (c) a verb runs twice at once: the second is
refused, or both give the right files; (d) a verb runs with few file handles, or without room for larger files, and then
again. Each command runs in a process of its own, forked from a server that has imported the arena. Writes
reports/benchmarks/torture.{json,md}.
"""

import hashlib
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from reporting import Options, machine_facts, machine_line, write_report

VERBS: dict[str, tuple[str, ...]] = {
    "score": ("score", "--scores", "a=a.npz", "--scores", "b=b.npz", "--truth", "truth.npz", "-o", "out/run",
              "--bootstrap", "20", "--min-positives", "2"),
    "report": ("report", "run"),
    "dataset import": ("dataset", "import", "pictures", "-o", "out/set"),
    "dataset freeze": ("dataset", "freeze", "set", "-o", "out/frozen", "--name", "frozen"),
    "dataset dedup": ("dataset", "dedup", "set", "-o", "out/kept"),
    "hash": ("hash", "set", "-o", "out/index.parquet", "--workers", "1"),
    "publish": ("publish", "run", "--to", "out/site"),
    "baseline set": ("baseline", "set", "run:a", "--reason", "x", "--baselines", "out/baselines"),
}  # fmt: skip
"""Verbs that write, and their arguments; they write to `out`, but `report` to `run`."""

READERS: dict[str, tuple[str, ...]] = {
    "run": ("publish", "run", "--to", "out/site"),
    "set": ("dataset", "freeze", "set", "-o", "out/frozen", "--name", "frozen"),
    "npz": VERBS["score"],
}
"""What is damaged -> the verb that reads all of it."""

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
LONGEST_S = 60.0
FINISHED = "already holds a finished"
"""What a verb says that refuses to repeat finished work."""

EXPECTED = (2, 3, 4)
"""Exit codes of a refusal."""


class Fault(NamedTuple):
    """How a command is disturbed: by a signal at a rename, by one after some seconds, or by a limit of the system."""

    rename: int = 0
    seconds: float = 0.0
    signal: int = 0
    handles: int = 0
    file_bytes: int = 0


class Done(NamedTuple):
    """How a command ended."""

    code: int
    """Exit code, or minus the number of the signal."""
    error: str
    """Standard error."""
    seconds: float


_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["arena.cli", "arena.pipeline.score", "arena.dataset.freeze", "arena.report.plots"])


def start(folder: Path, arguments: Sequence[str], fault: Fault = Fault(), *, name: str = "error") -> BaseProcess:
    """Start a command in a process of its own; its output goes to files in the parent of the folder."""
    log = folder.parent / f"{folder.name}.{name}.log"
    process = _context.Process(target=_child, args=(str(folder), list(arguments), fault, str(log)))
    process.start()
    return process


def run(folder: Path, arguments: Sequence[str], fault: Fault = Fault()) -> Done:
    """Run a command to its end."""
    begun = time.monotonic()
    return finish(folder, start(folder, arguments, fault), begun)


def finish(folder: Path, process: BaseProcess, begun: float, *, name: str = "error") -> Done:
    """Wait for a command; one that takes longer than `LONGEST_S` is killed and has the code -9 and no error."""
    process.join(LONGEST_S)
    if process.is_alive():
        process.kill()
        process.join()
        return Done(-signal.SIGKILL, "", LONGEST_S)
    log = folder.parent / f"{folder.name}.{name}.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    return Done(process.exitcode or 0, text, time.monotonic() - begun)


def _child(folder: str, arguments: list[str], fault: Fault, log: str) -> None:
    """Run the command line in this process, with the fault."""
    from arena import cli
    from arena.base import provenance

    os.chdir(folder)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    _stop_clock(provenance.now)
    if fault.handles:
        resource.setrlimit(resource.RLIMIT_NOFILE, (fault.handles, fault.handles))
    if fault.file_bytes:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (fault.file_bytes, fault.file_bytes))
    if fault.seconds:
        signal.signal(signal.SIGALRM, lambda number, frame: os.kill(os.getpid(), fault.signal))
        signal.setitimer(signal.ITIMER_REAL, fault.seconds)
    if fault.rename:
        _signal_at_rename(fault.rename, fault.signal)
    cli.main(arguments)


def _stop_clock(now: Callable[[], str]) -> None:
    """Replace the clock of all modules, so that the files of two commands are equal."""
    for module in list(sys.modules.values()):
        if getattr(module, "now", None) is now:
            setattr(module, "now", lambda: "2026-01-01T00:00:00Z")  # noqa: B010


def _signal_at_rename(number: int, which: int) -> None:
    """Send this process a signal just before it gives a file its name for the n-th time."""
    left = number

    def counted(work: Callable[..., Path]) -> Callable[..., Path]:
        def rename(path: Path, target: Path) -> Path:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), which)
            return work(path, target)

        return rename

    setattr(Path, "replace", counted(Path.replace))  # noqa: B010
    setattr(Path, "rename", counted(Path.rename))  # noqa: B010


def make_world(folder: Path, *, with_run: bool) -> None:
    """Write the inputs of the verbs: score files, pictures with tags, a dataset, and, if wanted, a run."""
    rng = np.random.default_rng(0)
    (folder / "out").mkdir(parents=True)
    axes = {
        "image_ids": np.array([f"i{n:03}" for n in range(40)]),
        "tags": np.array(["=cmd", "a<b", "hat", "long_hair"]),
    }
    truth = rng.random((40, 4)) < 0.4
    np.savez(folder / "truth.npz", truth=truth, **axes)  # type: ignore[arg-type]
    for name in "ab":
        scores = np.clip(0.4 * truth + 0.6 * rng.random(truth.shape), 0, 1).astype(np.float32)
        np.savez(folder / f"{name}.npz", scores=scores, **axes)  # type: ignore[arg-type]
    (folder / "pictures").mkdir()
    for number in range(6):
        pixels = rng.integers(0, 255, (9, 12, 3), np.uint8)
        Image.fromarray(pixels).resize((96, 72)).save(folder / "pictures" / f"{number}.png")
        (folder / "pictures" / f"{number}.txt").write_text("hat, long_hair" if number % 2 else "hat")
    for arguments in (
        ("dataset", "import", "pictures", "-o", "first"),
        ("dataset", "freeze", "first", "-o", "set", "--name", "set"),
        *([(*VERBS["score"][:8], "run", *VERBS["score"][9:])] if with_run else []),
    ):
        done = run(folder, arguments)
        if done.code:
            raise SystemExit(f"{' '.join(arguments)}: exit {done.code}: {done.error}")
    shutil.rmtree(folder / "first")


def files_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def holds_figures(name: str, kind: str) -> bool:
    """Return whether a file of an output must be equal although an input has other bytes.

    A run records the digest of its score files, so an `.npz` with another comment gives another `run.json` and page.
    """
    return name.startswith("out/") and (kind != "npz" or name.endswith((".parquet", "summary.json")))


def left_over(folder: Path) -> list[str]:
    """Return files and folders of unfinished work."""
    marks = (".arena-", ".part", ".parts", ".partial", ".old")
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.name != ".arena" and (path.name.startswith(marks[0]) or path.suffix in marks[1:])
    ]


class Torture:
    """The world, the expected files of every verb, and the outcomes so far.

    Args:
        folder: an empty folder.
        seed: chooses the cases.
        with_run: whether the world has a run, which some verbs need.
    """

    def __init__(self, folder: Path, seed: int, *, with_run: bool) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.outcomes: dict[str, Counter[str]] = {}
        self.faults: list[str] = []
        self.world = folder / "world"
        make_world(self.world, with_run=with_run)
        self.undisturbed = cache(self._undisturbed)

    def _undisturbed(self, arguments: tuple[str, ...]) -> tuple[dict[str, str], float]:
        """Return the files and the seconds of a command that nothing disturbs."""
        place = self.folder / "undisturbed"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.world, place)
        done = run(place, arguments)
        if done.code:
            raise SystemExit(f"{' '.join(arguments)}: exit {done.code}: {done.error}")
        return files_of(place), done.seconds

    def copy(self) -> Path:
        """Return a fresh copy of the world."""
        place = self.folder / "case"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.world, place)
        return place

    def count(self, part: str, outcome: str, case: str = "") -> None:
        """Count an outcome; one with a case is a fault."""
        self.outcomes.setdefault(part, Counter())[outcome] += 1
        if case:
            self.faults.append(f"{part}: {outcome}: {case}")
            print(self.faults[-1], flush=True)

    def again(self, part: str, place: Path, arguments: tuple[str, ...], case: str) -> None:
        """Run a disturbed command again, and compare its files."""
        done = run(place, arguments)
        if done.code == 2 and FINISHED in done.error and files_of(place) == self.undisturbed(arguments)[0]:
            self.count(part, "equal files, finished before")
        elif done.code:
            self.count(part, "not continued", f"{case}: exit {done.code}: {done.error[-200:]}")
        elif (found := files_of(place)) != (wanted := self.undisturbed(arguments)[0]):
            other = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
            self.count(part, "other files", f"{case}: {', '.join(other[:5])}")
        elif left := left_over(place):
            self.count(part, "left over", f"{case}: {', '.join(left[:5])}")
        else:
            self.count(part, "equal files")

    def kill(self, verb: str) -> None:
        """End a verb by a signal, and run it again."""
        which = self.random.choice(SIGNALS)
        if self.random.random() < 0.6:
            fault = Fault(rename=self.random.randint(1, 30), signal=which)
        else:
            fault = Fault(seconds=self.random.uniform(0.05, max(0.1, self.undisturbed(VERBS[verb])[1])), signal=which)
        place = self.copy()
        done = run(place, VERBS[verb], fault)
        case = f"{verb}, {fault}"
        wanted = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[which]
        if "Traceback" in done.error:
            self.count("kills", "traceback", f"{case}: {done.error[-200:]}")
        elif done.code not in (0, wanted):
            self.count("kills", "other exit code", f"{case}: exit {done.code}: {done.error[-200:]}")
        else:
            self.again("kills", place, VERBS[verb], case)

    def mutate(self, kind: str) -> None:
        """Change a file, and run the verb that reads it."""
        place, arguments = self.copy(), READERS[kind]
        inside = place.glob("*.npz") if kind == "npz" else (place / kind).rglob("*")
        path = self.random.choice(sorted(one for one in inside if one.is_file() and one.stat().st_size))
        name, change = self.random.choice(list(MUTATIONS.items()))
        path.write_bytes(change(path.read_bytes(), self.random))
        done, case = run(place, arguments), f"{path.relative_to(place)}, {name}"
        right = self.undisturbed(arguments)[0]
        wanted, found = ({name: one for name, one in files.items() if holds_figures(name, kind)}
                         for files in (right, files_of(place)))  # fmt: skip
        lines = [line for line in done.error.splitlines() if line.startswith("arena: ")]
        if done.code in EXPECTED and len(lines) == 1 and "Traceback" not in done.error:
            self.count("mutations", "refused in one line")
        elif done.code == 0 and found == wanted:
            self.count("mutations", "equal result")
        elif done.code == 0:
            self.count("mutations", "changed result", case)
        else:
            self.count("mutations", "other end", f"{case}: exit {done.code}: {done.error[-300:]}")

    def twice(self, verb: str) -> None:
        """Run a verb twice at once."""
        place, begun = self.copy(), time.monotonic()
        both = [(name, start(place, VERBS[verb], name=name)) for name in ("first", "second")]
        ends = [finish(place, process, begun, name=name) for name, process in both]
        refused = [one for one in ends if one.code == 2 and ("writes to it" in one.error or FINISHED in one.error)]
        if any("Traceback" in one.error for one in ends) or not all(one.code in (0, 2) for one in ends):
            self.count("two at once", "other end", f"{verb}: {[(one.code, one.error[-150:]) for one in ends]}")
        elif len(refused) == 2 or (any(one.code for one in ends) and not refused):
            self.count("two at once", "both failed", f"{verb}: {[one.error[-150:] for one in ends]}")
        else:
            self.again("two at once", place, VERBS[verb], verb)

    def starve(self, verb: str) -> None:
        """Run a verb with few file handles, or without room for larger files, and then again."""
        fault = self.random.choice((Fault(handles=64), Fault(file_bytes=self.random.choice((500, 3_000, 20_000)))))
        place = self.copy()
        done = run(place, VERBS[verb], fault)
        lines = [line for line in done.error.splitlines() if line.startswith("arena: ")]
        if done.code == 0 or (done.code == 2 and len(lines) == 1 and "Traceback" not in done.error):
            self.again("limits", place, VERBS[verb], f"{verb}, {fault}")
        else:
            self.count("limits", "other end", f"{verb}, {fault}: exit {done.code}: {done.error[-300:]}")


def flipped(content: bytes, chance: random.Random) -> bytes:
    """Return the content with one bit changed."""
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]


Change = Callable[[bytes, random.Random], bytes]

MUTATIONS: Mapping[str, Change] = {
    "a flipped bit": flipped,
    "cut": lambda content, chance: content[: chance.randrange(len(content))],
    "empty": lambda content, chance: b"",
    "a longer end": lambda content, chance: content + b"x" * chance.randint(1, 40),
    "deep brackets": lambda content, chance: b"[" * 100_000,
    "no text": lambda content, chance: bytes(chance.randrange(256) for _ in range(200)),
    "another number": lambda content, chance: content.replace(b"1", b"7", 1),
}
"""Changes of a file's content."""


def cases(verbs: Sequence[str], number: int) -> Iterator[str]:
    """Yield the verbs in turn, as many as there are cases."""
    return (verbs[place % len(verbs)] for place in range(number))


def report(done: Torture, options: Mapping[str, int], minutes: float) -> tuple[dict[str, object], list[str]]:
    """Return the report as facts and as lines of Markdown."""
    machine = machine_facts("numpy", "pandas", "pyarrow")
    lines = [f"# Kills, damaged files, two at once, limits: seed {options['seed']}", "", machine_line(machine), "",
             f"It took {minutes:.1f} minutes. Every command is a process of its own; each case starts from fresh inputs.", "",
             "| part | cases | outcome | number |", "| --- | --- | --- | --- |"]  # fmt: skip
    for part, outcomes in done.outcomes.items():
        for outcome, number in outcomes.most_common():
            lines.append(f"| {part} | {outcomes.total():,} | {outcome} | {number:,} |")
    lines += ["", f"Faults: {len(done.faults)}.", *(f"- {one}" for one in done.faults), ""]
    facts = {
        **machine,
        **options,
        "outcomes": {part: dict(one) for part, one in done.outcomes.items()},
        "faults": done.faults,
    }
    return facts, [*lines, "Made by `python scripts/torture.py`."]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the script."""
    parser = Options(__doc__, build="torture")
    parser.add_argument("--seed", type=int, default=0, help="chooses the cases (default 0)")
    parser.add_size("--kills", 60, tiny=1, help="commands that are ended by a signal")
    parser.add_size("--mutations", 300, tiny=2, help="files that are changed")
    parser.add_size("--pairs", 16, tiny=1, help="commands that run twice at once")
    parser.add_size("--limits", 16, tiny=1, help="commands with few handles or little room")
    options = parser.read(arguments)
    begun, folder = time.monotonic(), options.build / "work"
    shutil.rmtree(folder, ignore_errors=True)
    done = Torture(folder.resolve(), options.seed, with_run=not options.tiny)
    verbs, kinds = (["hash"], ["set"]) if options.tiny else (list(VERBS), list(READERS))
    for verb in cases(verbs, options.kills):
        done.kill(verb)
    for kind in cases(kinds, options.mutations):
        done.mutate(kind)
    for verb in cases(verbs, options.pairs):
        done.twice(verb)
    for verb in cases(verbs, options.limits):
        done.starve(verb)
    sizes = {name: getattr(options, name) for name in ("seed", "kills", "mutations", "pairs", "limits")}
    write_report(options.out, "torture", *report(done, sizes, (time.monotonic() - begun) / 60))
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
