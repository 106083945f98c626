"""Test of the gate on candidates with a known fault: does `arena check` detect the fault, and name it?

Usage: python scripts/plant_faults.py [--limit 600] [--bootstrap 1000]

Each fault is planted in a copy of the demo's WD model, or in a copy of the baseline run of that model. Then `arena check` runs
as a user would run it. Exits with 1 if a candidate gets an unexpected exit code. Writes
reports/benchmarks/planted_faults.{json,md}.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from planted.checkpoints import FAULTS, HONEST
from reporting import Options, arena_command


class Planted(NamedTuple):
    """A candidate and its expected exit code."""

    title: str
    candidate: str
    expected: int


class Caught(NamedTuple):
    """Result of the gate for one candidate."""

    title: str
    expected: int
    code: int
    outcome: str
    failed: int
    named: str


def planted(base: Path, folder: Path, limit: int) -> Iterator[Planted]:
    for expected, kinds in ((0, HONEST), (1, FAULTS)):
        for title, plant in kinds.items():
            yield Planted(title, f"candidate={plant(folder / title.replace(' ', '-'))}", expected)
    arena_command(
        "run", "-m", "wd14-demo", "-L", limit // 2, "--bootstrap", 0, "--thumbnails", "none", "-o", folder / "half"
    )
    yield Planted("half of the images missing", str(folder / "half"), 4)
    older = shutil.copytree(base, folder / "older")
    (older / "run.json").write_text(json.dumps(json.loads((older / "run.json").read_text()) | {"schema": 1}))
    yield Planted("an older schema", str(older), 4)
    damaged = shutil.copytree(base, folder / "damaged")
    (damaged / "scores" / "wd14-demo" / "00000.npy").write_bytes(b"")
    yield Planted("a shard of scores cut short", str(damaged), 2)


def catch(one: Planted, base: Path, out: Path, bootstrap: int) -> Caught:
    """Run the check and read its result."""
    given = (one.candidate, "--baseline", base, "-o", out, "--bootstrap", bootstrap, "--thumbnails", "none")
    done = arena_command("check", *given)
    if not (out / "check.json").exists():
        return Caught(one.title, one.expected, done.returncode, "no verdict", 0, done.stderr.splitlines()[-1])
    verdict = json.loads((out / "check.json").read_text(encoding="utf-8"))
    cases = [case for case in verdict["cases"] if case["outcome"] == verdict["outcome"]]
    named = verdict["causes"][0] if verdict["causes"] else cases[0]["message"] if done.returncode else ""
    failed = sum(case["outcome"] == "fail" for case in verdict["cases"])
    return Caught(one.title, one.expected, done.returncode, verdict["outcome"], failed, named)


def report(found: list[Caught], limit: int, bootstrap: int, folder: str) -> str:
    rows = [
        f"| {one.title} | {one.expected} | {one.code} | {one.outcome} | {one.failed} | {one.named.replace(folder + '/', '')} |"
        for one in found
    ]
    conditions = f"on {limit} images of the demo set, with {bootstrap:,} resamples and the default policy."
    lines = [
        "# Planted faults", "",
        "Each fault is planted in the demo's WD model or in a run of it. `arena check` compares it with the unchanged model",
        conditions, "",
        "| planted fault | expected exit code | exit code | outcome | failed requirements | first cause or message |",
        "|---|---|---|---|---|---|", *rows, "", f"Made by `python scripts/plant_faults.py --limit {limit}`.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = Options(__doc__)
    parser.add_size("--limit", 600, tiny=40)
    parser.add_size("--bootstrap", 1000, tiny=50)
    parser.add_size("--most", 99, tiny=1, help="largest number of candidates to check")
    options = parser.read(arguments)
    found = []
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        base = folder / "base"
        arena_command(
            "run", "-m", "wd14-demo", "-L", options.limit, "--bootstrap", 0, "--thumbnails", "none", "-o", base
        )
        for number, one in enumerate(islice(planted(base, folder, options.limit), options.most)):
            found.append(catch(one, base, folder / f"check-{number}", options.bootstrap))
            print(found[-1], file=sys.stderr)
        text = report(found, options.limit, options.bootstrap, str(folder))
    facts = {"limit": options.limit, "bootstrap": options.bootstrap, "rows": [one._asdict() for one in found]}
    (options.out / "planted_faults.json").write_text(
        json.dumps(facts, indent=1).replace(f"{folder}/", "") + "\n", encoding="utf-8"
    )
    (options.out / "planted_faults.md").write_text(text, encoding="utf-8")
    print(text)
    return int(any(one.code != one.expected for one in found))


if __name__ == "__main__":
    sys.exit(main())
