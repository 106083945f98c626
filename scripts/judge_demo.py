"""Hide labels of a run, let a simulated person answer, and compare both with the metrics by all labels.

Usage: arena run && python scripts/judge_demo.py [--run runs/demo] [--answers 3000] [--seed 1]

A share of the recorded positives is removed at random. The person answers both waves of a plan from the labels that were
recorded, with the given share of wrong answers. Writes reports/benchmarks/judge_demo.{json,md}.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from reporting import Options, arena_command, machine_facts, machine_line, write_report

from arena.base.format import figure, interval, signed
from arena.dataset.frozen import Truth
from arena.evaluate.judged import LABELS, Cells, Judged, estimate_judged, read_cells
from arena.evaluate.judged_plan import draw_plan
from arena.evaluate.judged_summary import bounded
from arena.metrics.intervals import resampled_interval
from arena.metrics.judged import NO_CELLS, Estimated
from arena.metrics.judged_estimates import estimate_all
from arena.pipeline.stored_run import StoredRun, read_stored_run

HIDDEN = 0.3
"""Share of the positives that are removed."""

SHOWN = ("macro_f1", "micro_f1", "map")


def hide(truth: Truth, seed: int) -> Truth:
    """Return the truth without a share of its positives."""
    values = truth.values.copy()
    values.data &= np.random.default_rng([seed, 5]).random(len(values.data)) >= HIDDEN
    return Truth.of(truth.image_ids, truth.tags, values, relations=truth.relations, groups=truth.groups)


def all_labels(truth: Truth, cells: Cells) -> NDArray[np.bool_]:
    """Return the recorded labels of the cells, before any was hidden; bool (images, tags)."""
    row_of = {name: place for place, name in enumerate(truth.image_ids)}
    rows = [row_of[one] for one in cells.image_ids]
    columns = [truth.tags.index[name] for name in cells.tags]
    return np.asarray(truth.values[rows][:, columns].toarray(), np.bool_)


def answers(
    plan: pd.DataFrame, cells: Cells, labels: NDArray[np.bool_], wrong: float, rng: np.random.Generator, wave: int
) -> pd.DataFrame:
    """Return the answers of the person to the cells of a wave; repeated cells are answered twice."""
    asked = plan[plan["wave"] == wave]
    asked = pd.concat([asked, asked[asked["repeat"]]])
    row, column = ({name: place for place, name in enumerate(names)} for names in (cells.image_ids, cells.tags))
    yes = labels[asked["image_id"].map(row), asked["tag"].map(column)] ^ (rng.random(len(asked)) < wrong)
    table = asked[["image_id", "tag", "inclusion_probability", "plan"]]
    return table.assign(answer=np.where(yes, "yes", "no"), judge="person", time="")


def judge(cells: Cells, labels: NDArray[np.bool_], budget: int, wrong: float, seed: int) -> Judged:
    """Return the metrics by the answers to both waves of a plan."""
    rng = np.random.default_rng([seed, 6])
    first = draw_plan(cells, budget, seed).table
    given = answers(first, cells, labels, wrong, rng, 1)
    both = draw_plan(cells, budget, seed, given).table
    return estimate_judged(cells, pd.concat([given, answers(both, cells, labels, wrong, rng, 2)]), both)


def compare(run: StoredRun, budget: int, wrong: float, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Return the report as facts and as lines of Markdown."""
    cells = read_cells(hide(run.truth.truth, seed), run.entries, run.settings)
    labels = all_labels(run.truth.truth, cells)
    (before, by_pair), (truth, true_pair) = (
        estimate_all(cells.predicted, one.astype(np.float64), NO_CELLS, cells.clusters, scores=cells.scores)
        for one in (cells.labels, labels)
    )
    judged = judge(cells, labels, budget, wrong, seed)
    pair = next(iter(by_pair))
    rows = [
        *((f"{name}, {metric}", before[name][metric], judged.models[name][metric], truth[name][metric])
          for name in cells.predicted for metric in SHOWN),
        *((f"{' - '.join(pair)}, {metric}", by_pair[pair][metric], judged.pairs[pair][metric], true_pair[pair][metric])
          for metric in SHOWN),
    ]  # fmt: skip
    complete, true_share = judged.models[LABELS]["micro_recall"], float(cells.labels.sum() / labels.sum())
    machine, title = machine_facts("numpy", "scikit-learn"), run.result.run.get("dataset", {}).get("title", "A run")
    lines = [
        f"# Labels with {100 * HIDDEN:.0f} % of the positives hidden, and {judged.answers:,} answers of a simulated person",
        "",
        f"{title}: {len(cells.image_ids):,} images, {len(cells.tags)} compared tags.",
        f"The person errs in {100 * wrong:g} % of the answers; the repeated ones show {100 * judged.errors.rate:.1f} %.",
        machine_line(machine),
        "",
        "| metric | by the labels left | by judged truth | by all labels |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {name} | {shown(left, name)} | {shown(answered, name)} {ends(answered, name)} | {shown(full, name)} |"
        for name, left, answered, full in rows
    ]
    recorded = f"{100 * complete.value:.1f} % {ends(complete, '')}"
    lines += ["", f"Recorded labels among the true ones: {recorded} by the answers, {100 * true_share:.1f} % in truth."]
    lines += ["", "Made by `python scripts/judge_demo.py`."]
    facts = {name: {"left": left.value, "judged": one.value, "all": all_.value} for name, left, one, all_ in rows}
    return {**machine, "answers": judged.answers, "wrong": wrong, "seed": seed, "metrics": facts}, lines


def shown(one: Estimated, name: str) -> str:
    """Return a value, with its sign if it is a difference."""
    return signed(one.value) if " - " in name else figure(one.value)


def ends(one: Estimated, name: str) -> str:
    """Return the 95 % interval of a value."""
    if " - " not in name:
        _, low, high = bounded(one)
        return interval(low, high) or ""
    found = resampled_interval(one.value, one.standard_error, np.inf)
    return interval(float(found.low), float(found.high), signed) or ""


def tiny_run(folder: Path) -> Path:
    """Score a small world of drawn labels, and return the run folder."""
    rng = np.random.default_rng(0)
    axes: Mapping[str, Any] = {
        "image_ids": np.array([f"i{n}" for n in range(400)]),
        "tags": np.array(["hat", "tree", "car"]),
    }
    truth = rng.random((400, 3)) < 0.3
    np.savez(folder / "truth.npz", truth=truth, **axes)
    for name, noise in (("a", 0.5), ("b", 0.6)):
        scores = np.clip(0.5 * truth + noise * rng.random(truth.shape), 0, 1).astype(np.float32)
        np.savez(folder / f"{name}.npz", scores=scores, **axes)
    models = [part for name in "ab" for part in ("--scores", f"{name}={folder / name}.npz")]
    done = arena_command(
        "score", *models, "--truth", folder / "truth.npz", "-o", folder / "run", "--bootstrap", "0", "--overwrite"
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return folder / "run"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the script."""
    parser = Options(__doc__, build="judge_demo")
    parser.add_argument("--run", type=Path, help="run with its scores (default runs/demo; with --tiny a drawn one)")
    parser.add_size("--answers", 3_000, tiny=800, help="expected number of answers")
    parser.add_argument("--wrong", type=float, default=0.0, help="share of wrong answers (default 0)")
    parser.add_argument("--seed", type=int, default=1, help="chooses hidden labels, plan and errors (default 1)")
    options = parser.read(arguments)
    folder = options.run or (tiny_run(options.build) if options.tiny else Path("runs/demo"))
    facts, lines = compare(read_stored_run(folder), options.answers, options.wrong, options.seed)
    write_report(options.out, "judge_demo", facts, lines)


if __name__ == "__main__":
    main()
