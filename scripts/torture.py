"""Kill, damage and starve the arena, and check that nothing is lost or silently changed.

Usage: python scripts/torture.py [--seed 0] [--kills 60] [--mutations 300] [--processes 2]

Four parts, each with cases that the seed chooses: (a) a verb is ended by a signal at a rename or after a random time, and the
same command runs again: its files must equal those of an undisturbed run, with nothing left over; (b) a file is changed, and
the verb that reads it must refuse it in one line or give an equal result; a file of others may give another result, because
it has no digest; (c) a verb runs twice or three times at once: the others are refused, or all give the right files; (d) a verb
runs with few file handles, without room, without hard links or shared memory, or with a clock that jumps back, and then again.
Writes reports/benchmarks/torture.{json,md}.
"""

import hashlib
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock, current_thread
from typing import NamedTuple

import numpy as np
from disturbed import IMPOSSIBLE, SYSTEMS, WORKS_ON, Done, Fault, finish, preload, run, start
from PIL import Image
from reporting import Options, machine_facts, machine_line, write_report

from arena.dataset.judgements import COLUMNS

FEW = ("--bootstrap", "20", "--min-positives", "1")
SCORE = ("score", "--scores", "a=a.npz", "--scores", "b=b.npz", "--truth", "truth.npz", *FEW)

VERBS: dict[str, tuple[str, ...]] = {
    "hash": ("hash", "set", "-o", "out/index.parquet", "--workers", "1"),
    "predict": ("predict", "-m", "t=tagger", "--images", "pictures", "-o", "out/s.npz"),
    "score": (*SCORE, "-o", "out/run"),
    "dataset import": ("dataset", "import", "pictures", "-o", "out/set"),
    "dataset freeze": ("dataset", "freeze", "set", "-o", "out/frozen", "--name", "frozen"),
    "dataset dedup": ("dataset", "dedup", "set", "-o", "out/kept"),
    "dataset card": ("dataset", "card", "set", "-o", "out/card.html"),
    "run": ("run", "-m", "t=tagger", "-d", "set", "-o", "out/run", *FEW),
    "report": ("report", "run"),
    "compare": ("compare", "run:a", "run:b", "-o", "out/compared"),
    "check": ("check", "run:b", "--baseline", "run:a", "-o", "out/check"),
    "publish": ("publish", "run", "--to", "out/site"),
    "baseline set": ("baseline", "set", "run:a", "--reason", "x", "--baselines", "out/baselines"),
    "judge plan": ("judge", "plan", "run", "--answers", "100", "-o", "out/plan.parquet"),
    "judge add": ("judge", "add", "answers.csv", "--judgements", "out/judgements.parquet"),
}  # fmt: skip
"""Verbs that write, and their arguments; they write to `out`, but `report` to `run`."""

READERS: dict[str, tuple[str, ...]] = {
    "run": VERBS["publish"],
    "set": VERBS["dataset freeze"],
    "pictures": VERBS["dataset import"],
    "tagger": VERBS["predict"],
    "answers.csv": VERBS["judge add"],
    "judgements.parquet": (
        "judge",
        "add",
        "answers.csv",
        "judgements.parquet",
        "--judgements",
        "out/judgements.parquet",
    ),
    "index.parquet": ("dataset", "dedup", "set", "--against", "index.parquet", "-o", "out/kept"),
    "policy.toml": (*VERBS["check"], "--policy", "policy.toml"),
    "a.npz": ("parity", "a=a.npz", "b=b.npz"),
    "truth.npz": VERBS["score"],
}
"""What is damaged -> the verb that reads all of it."""

OURS = ("run", "set")
"""What carries digests: a changed file must be noticed."""

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
FINISHED = "already holds a finished"
"""What a verb says that refuses to repeat finished work."""

REFUSALS = (2, 4)
"""Exit codes of a refusal."""

LONGEST_READ_S = 20.0
"""A verb that reads a changed file longer than this hangs."""


TAGGER = Path(__file__).parents[1] / "models" / "joytag-demo"
"""The demo model, in JoyTag's layout."""


def make_world(folder: Path, *, tiny: bool) -> None:
    """Write the inputs of the verbs; a tiny world has pictures and a dataset only."""
    rng = np.random.default_rng(0)
    (folder / "out").mkdir(parents=True)
    write_pictures(folder / "pictures", rng)
    made: list[tuple[str, ...]] = [
        ("dataset", "import", "pictures", "-o", "first"),
        ("dataset", "freeze", "first", "-o", "set", "--name", "set"),
    ]
    if not tiny:
        write_pictures(folder / "others", rng)
        write_scores(folder, rng)
        write_answers(folder, rng)
        (folder / "tagger").mkdir()
        for name in ("config.json", "model.safetensors", "top_tags.txt"):
            shutil.copy(TAGGER / name, folder / "tagger" / name)
        (folder / "policy.toml").write_text("[margins]\nmacro_f1 = 0.02\n")
        made += [
            (*SCORE, "-o", "run"),
            ("hash", "others", "-o", "index.parquet", "--workers", "1"),
            ("judge", "add", "answers.csv", "--judgements", "judgements.parquet"),
        ]
    for arguments in made:
        done = run(folder, arguments)
        if done.code:
            raise SystemExit(f"{' '.join(arguments)}: exit {done.code}: {done.error}")
    shutil.rmtree(folder / "first")


def write_pictures(folder: Path, rng: np.random.Generator) -> None:
    """Write six pictures with tag files; the tags are known to the demo model."""
    folder.mkdir()
    for number in range(6):
        pixels = rng.integers(0, 255, (9, 12, 3), np.uint8)
        Image.fromarray(pixels).resize((96, 72)).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text("shape, star" if number % 2 else "shape")


def write_scores(folder: Path, rng: np.random.Generator) -> None:
    """Write the ground truth and the scores of two models, a and b."""
    ids, tags = np.array([f"i{n:03}" for n in range(40)]), np.array(["=cmd", "a<b", "hat", "long_hair"])
    truth = rng.random((40, 4)) < 0.4
    np.savez(folder / "truth.npz", truth=truth, tags=tags, image_ids=ids)
    for name in "ab":
        scores = np.clip(0.4 * truth + 0.6 * rng.random(truth.shape), 0, 1).astype(np.float32)
        np.savez(folder / f"{name}.npz", scores=scores, tags=tags, image_ids=ids)


def write_answers(folder: Path, rng: np.random.Generator) -> None:
    """Write 30 answers of one person."""
    rows = [
        f"i{n:03},hat,{rng.choice(['yes', 'no', 'unclear'])},anna,2026-01-01T00:00:{n:02}Z,0.5,p1" for n in range(30)
    ]
    (folder / "answers.csv").write_text("\n".join([",".join(COLUMNS), *rows, ""]))


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
    return name.startswith("out/") and (not kind.endswith(".npz") or name.endswith((".parquet", "summary.json")))


def left_over(folder: Path) -> list[str]:
    """Return files and folders of unfinished work."""
    marks = (".arena-", ".part", ".parts", ".partial", ".old")
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.name != ".arena" and (path.name.startswith(marks[0]) or path.suffix in marks[1:])
    ]


class Expected(NamedTuple):
    """What a command does that nothing disturbs."""

    code: int
    files: Mapping[str, str]
    seconds: float


class Torture:
    """The world, what every command does undisturbed, and the outcomes so far; cases may run in several threads.

    Args:
        folder: an empty folder.
        seed: chooses the cases.
        tiny: whether the world has pictures and a dataset only.
    """

    def __init__(self, folder: Path, seed: int, *, tiny: bool) -> None:
        self.folder, self.seed = folder, seed
        self.outcomes: dict[str, Counter[str]] = {}
        self.faults: list[str] = []
        self.lock = Lock()
        self.world = folder / "world"
        make_world(self.world, tiny=tiny)
        commands = {VERBS["hash"], READERS["set"]} if tiny else {*VERBS.values(), *READERS.values()}
        self.undisturbed = {arguments: self._undisturbed(arguments) for arguments in sorted(commands)}

    def _undisturbed(self, arguments: tuple[str, ...]) -> Expected:
        """Run a command that nothing disturbs.

        Raises:
            SystemExit: it is refused.
        """
        place = self.copy()
        done = run(place, arguments)
        if done.code not in (0, 1, 3):
            raise SystemExit(f"{' '.join(arguments)}: exit {done.code}: {done.error}")
        return Expected(done.code, files_of(place), done.seconds)

    def chance(self, part: str, number: int) -> random.Random:
        """Return the random numbers of a case."""
        return random.Random(f"{self.seed} {part} {number}")

    def copy(self) -> Path:
        """Return a fresh copy of the world for a case of this thread."""
        place = self.folder / current_thread().name
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.world, place)
        return place

    def count(self, part: str, outcome: str, case: str = "") -> None:
        """Count an outcome; one with a case is a fault."""
        with self.lock:
            self.outcomes.setdefault(part, Counter())[outcome] += 1
            if case:
                self.faults.append(f"{part}: {outcome}: {case}")
                print(self.faults[-1], flush=True)

    def again(self, part: str, place: Path, arguments: tuple[str, ...], case: str) -> None:
        """Run a disturbed command again, and compare its exit code and files."""
        done, expected = run(place, arguments), self.undisturbed[arguments]
        if done.code == 2 and FINISHED in done.error and files_of(place) == expected.files:
            self.count(part, "equal files, finished before")
        elif done.code != expected.code:
            self.count(part, "not continued", f"{case}: exit {done.code}: {done.error[-200:]}")
        elif (found := files_of(place)) != expected.files:
            names = found.keys() | expected.files.keys()
            other = sorted(name for name in names if found.get(name) != expected.files.get(name))
            self.count(part, "other files", f"{case}: {', '.join(other[:5])}")
        elif left := left_over(place):
            self.count(part, "left over", f"{case}: {', '.join(left[:5])}")
        else:
            self.count(part, "equal files")

    def kill(self, verb: str, number: int) -> None:
        """End a verb by a signal, and run it again."""
        chance, arguments = self.chance("kills", number), VERBS[verb]
        which = chance.choice(SIGNALS)
        if chance.random() < 0.6:
            fault = Fault(rename=chance.randint(1, 30), signal=which)
        else:
            fault = Fault(seconds=chance.uniform(0.05, max(0.1, self.undisturbed[arguments].seconds)), signal=which)
        place = self.copy()
        done = run(place, arguments, fault)
        case = f"{verb}, {fault}"
        wanted = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[which]
        if "Traceback" in done.error:
            self.count("kills", "traceback", f"{case}: {done.error[-200:]}")
        elif done.code not in (self.undisturbed[arguments].code, wanted):
            self.count("kills", "other exit code", f"{case}: exit {done.code}: {done.error[-200:]}")
        else:
            self.again("kills", place, arguments, case)

    def mutate(self, kind: str, number: int) -> None:
        """Change a file, and run the verb that reads it."""
        chance, place, arguments = self.chance("mutations", number), self.copy(), READERS[kind]
        target = place / kind
        inside = target.rglob("*") if target.is_dir() else [target]
        path = chance.choice(sorted(one for one in inside if one.is_file() and one.stat().st_size))
        name, change = chance.choice(list(MUTATIONS.items()))
        path.write_bytes(change(path.read_bytes(), chance))
        done, case = run(place, arguments), f"{path.relative_to(place)}, {name}"
        expected = self.undisturbed[arguments]
        wanted, found = ({name: one for name, one in files.items() if holds_figures(name, kind)}
                         for files in (expected.files, files_of(place)))  # fmt: skip
        if done.seconds > LONGEST_READ_S:
            self.count("mutations", "took too long", f"{case}: {done.seconds:.0f} s")
        elif done.code in REFUSALS and in_one_line(done):
            self.count("mutations", "refused in one line")
        elif done.code not in (0, 1, 3):
            self.count("mutations", "other end", f"{case}: exit {done.code}: {done.error[-300:]}")
        elif done.code == expected.code and found == wanted:
            self.count("mutations", "equal result")
        elif kind in OURS:
            self.count("mutations", "changed result", case)
        else:
            self.count("mutations", "another result of another input")

    def at_once(self, verb: str, number: int) -> None:
        """Run a verb two or three times at once."""
        arguments, place, begun = VERBS[verb], self.copy(), time.monotonic()
        names = ("first", "second", "third")[: self.chance("at once", number).choice((2, 2, 3))]
        started = [(name, start(place, arguments, name=name)) for name in names]
        ends = [finish(place, process, begun, name=name) for name, process in started]
        code = self.undisturbed[arguments].code
        refused = [one for one in ends if one.code == 2 and ("writes to it" in one.error or FINISHED in one.error)]
        if any("Traceback" in one.error for one in ends) or not all(one.code in (code, 2) for one in ends):
            self.count("at once", "other end", f"{verb}: {[(one.code, one.error[-150:]) for one in ends]}")
        elif len(refused) == len(ends) or any(one.code == 2 and one not in refused for one in ends):
            self.count("at once", "wrongly refused", f"{verb}: {[one.error[-150:] for one in ends]}")
        else:
            self.again("at once", place, arguments, verb)

    def starve(self, verb: str, number: int) -> None:
        """Run a verb under a limit or on a broken system, and then again without."""
        chance, arguments = self.chance("limits", number), VERBS[verb]
        limits = [Fault(handles=64), Fault(file_bytes=chance.choice((500, 3_000, 20_000)))]
        fault = chance.choice([*limits, *(Fault(system=name) for name in SYSTEMS)])
        place = self.copy()
        done = run(place, arguments, fault)
        if done.code == IMPOSSIBLE:
            self.count("limits", "not possible on this machine")
        elif done.code == self.undisturbed[arguments].code or (
            done.code == 2 and in_one_line(done) and fault.system not in WORKS_ON
        ):
            self.again("limits", place, arguments, f"{verb}, {fault}")
        else:
            self.count("limits", "other end", f"{verb}, {fault}: exit {done.code}: {done.error[-300:]}")


def in_one_line(done: Done) -> bool:
    """Return whether a command ended with one error of the arena, and no traceback."""
    lines = [line for line in done.error.splitlines() if line.startswith("arena: ")]
    return len(lines) == 1 and "Traceback" not in done.error


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


def report(done: Torture, options: Mapping[str, int], minutes: float) -> tuple[dict[str, object], list[str]]:
    """Return the report as facts and as lines of Markdown."""
    machine = machine_facts("numpy", "pandas", "pyarrow")
    lines = [f"# Kills, damaged files, several at once, limits: seed {options['seed']}", "", machine_line(machine), "",
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


def in_turn(case: Callable[[str, int], None], kinds: Sequence[str], number: int) -> Iterator[Callable[[], None]]:
    """Yield a case for each number, with the kinds in turn."""
    return (partial(case, kinds[place % len(kinds)], place) for place in range(number))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the script."""
    parser = Options(__doc__, build="torture")
    parser.add_argument("--seed", type=int, default=0, help="chooses the cases (default 0)")
    parser.add_argument("--processes", type=int, default=1, help="cases that run at the same time (default 1)")
    parser.add_size("--kills", 60, tiny=1, help="commands that are ended by a signal")
    parser.add_size("--mutations", 300, tiny=2, help="files that are changed")
    parser.add_size("--pairs", 16, tiny=1, help="commands that run two or three times at once")
    parser.add_size("--limits", 32, tiny=1, help="commands under a limit or on a broken system")
    options = parser.read(arguments)
    begun, folder = time.monotonic(), options.build / "work"
    shutil.rmtree(folder, ignore_errors=True)
    if not options.tiny:
        preload("arena.pipeline.run", "arena.report.plots", "torch")  # what draws plots and runs models
    done = Torture(folder.resolve(), options.seed, tiny=options.tiny)
    verbs, kinds = (["hash"], ["set"]) if options.tiny else (list(VERBS), list(READERS))
    cases = [
        *in_turn(done.kill, verbs, options.kills),
        *in_turn(done.mutate, kinds, options.mutations),
        *in_turn(done.at_once, verbs, options.pairs),
        *in_turn(done.starve, verbs, options.limits),
    ]
    with ThreadPoolExecutor(options.processes) as threads:
        list(threads.map(lambda case: case(), cases))
    sizes = {name: getattr(options, name) for name in ("seed", "kills", "mutations", "pairs", "limits")}
    write_report(options.out, "torture", *report(done, sizes, (time.monotonic() - begun) / 60))
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
