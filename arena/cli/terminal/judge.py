"""Terminal output of `arena judge`."""

import math
from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

from arena.base.format import count, figure, interval, plural, signed
from arena.cli.terminal.console import results_console
from arena.evaluate.judged import LABELS
from arena.metrics.intervals import resampled_interval
from arena.metrics.judged import Estimated
from arena.metrics.registry import METRICS
from arena.pipeline.judge import Progressed, WrittenPlan

_SHOWN = ("macro_f1", "micro_f1", "micro_precision", "micro_recall")


def show_plan(plan: WrittenPlan, difference: float) -> None:
    """Print the number of answers that a difference needs, and the cells of the plan."""
    console = results_console()
    if not math.isnan(plan.needed.macro):
        needed = "; ".join(
            f"{title} {count(round(value)) if math.isfinite(value) else 'not with any number'}"
            for title, value in (("macro F1", plan.needed.macro), ("micro F1", plan.needed.micro))
        )
        console.print(f"answers that show a true difference of {difference:g} with 80 % power: {needed}", markup=False)
    waves = "the first wave" if plan.wave == 1 else "both waves"
    console.print(
        f"{plan.path}: {plural(len(plan.table), 'cell', 'cells')} ({waves}), {count(plan.left)} without an answer",
        markup=False,
    )


def show_status(found: Progressed) -> None:
    """Print the state of a plan and the metrics by judged truth."""
    console = results_console()
    console.print(f"{count(found.asked - found.left)} of {plural(found.asked, 'cell', 'cells')} answered", markup=False)
    if found.judged is None:
        console.print("metrics are printed once every cell of the plan has an answer", markup=False)
        return
    judged = found.judged
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("by judged truth", overflow="fold")
    for name in _SHOWN:
        table.add_column(METRICS[name].heading, justify="right")
    for model, each in judged.models.items():
        if model != LABELS:
            table.add_row(Text(model), *(_value(each[name]) for name in _SHOWN))
    for (first, second), each in judged.pairs.items():
        table.add_row(Text(f"{first} - {second}"), *(_difference(each[name]) for name in _SHOWN))
    console.print(table)
    if LABELS in judged.models:
        console.print(_labels(judged.models[LABELS]), markup=False)
    agreement = ""
    if not math.isnan(judged.agreement):
        twice = plural(judged.repeated, "cell", "cells")
        agreement = f"; agreement (Krippendorff's alpha) {judged.agreement:.2f} on {twice} answered twice"
    console.print(f"{count(judged.answers)} clear answers, {count(judged.unclear)} unclear{agreement}", markup=False)


def _value(one: Estimated) -> str:
    ends = resampled_interval(one.value, one.standard_error, math.inf)
    low, high = max(0.0, float(ends.low)), min(1.0, float(ends.high))
    return f"{figure(one.value)}\n{interval(low, high)}"


def _difference(one: Estimated) -> str:
    ends = resampled_interval(one.value, one.standard_error, math.inf)
    return f"{signed(one.value)}\n{interval(float(ends.low), float(ends.high), signed)}"


def _labels(each: Mapping[str, Estimated]) -> str:
    """Return how complete and how right the recorded labels are."""
    complete, right = (min(1.0, each[name].value) for name in ("micro_recall", "micro_precision"))
    return f"{100 * complete:.1f} % of the true tags are recorded; {100 * right:.1f} % of the recorded tags are true"
