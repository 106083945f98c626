"""Terminal output of `arena judge`."""

import math

from rich.console import Console
from rich.table import Table
from rich.text import Text

from arena.base.format import count, figure, interval, plural, signed
from arena.cli.terminal.console import results_console
from arena.cli.terminal.judged import show_judged
from arena.evaluate.answers import LEAST_ANSWERS
from arena.evaluate.judged import Judged
from arena.metrics.intervals import resampled_interval
from arena.metrics.judged import Estimated
from arena.metrics.judged_design import Forecast
from arena.metrics.registry import METRICS
from arena.pipeline.judge import Progressed, WrittenPlan

_SHOWN = ("macro_f1", "micro_f1", "micro_precision", "micro_recall")
"""Metrics of images without labels."""


def show_plan(plan: WrittenPlan, difference: float) -> None:
    """Print the number of answers that a difference needs, and the cells of the plan."""
    console = results_console()
    if not math.isnan(plan.needed.macro):
        needed = f"clear answers that show a true difference of {difference:g} with 80 % power: {_numbers(plan.needed)}"
        if plan.again is None and math.isfinite(max(plan.needed)):
            needed += (
                "; a forecast for labels with half of the positives, and no wrong answer; the first wave checks both"
            )
        console.print(needed, markup=False)
    if plan.again is not None:
        console.print(f"by the answers of the first wave: {_numbers(plan.again)}{_decides(plan)}", markup=False)
    waves = "the first wave" if plan.wave == 1 else "both waves"
    console.print(
        f"{plan.path}: {plural(len(plan.table), 'cell', 'cells')} ({waves}), {count(plan.left)} without an answer",
        markup=False,
    )


def _numbers(needed: Forecast) -> str:
    return "; ".join(
        f"{title} {count(round(value)) if math.isfinite(value) else 'not with any number'}"
        for title, value in (("macro F1", needed.macro), ("micro F1", needed.micro))
    )


def _decides(plan: WrittenPlan) -> str:
    """Return which number sizes the second wave."""
    wanted = max(plan.again or (math.inf,))
    if not math.isfinite(wanted):
        return "; the second wave keeps the number of before"
    if wanted < LEAST_ANSWERS:
        return f"; the second wave asks for the {LEAST_ANSWERS} that metrics need"
    return "; this sizes the second wave"


def show_status(found: Progressed) -> None:
    """Print the state of a plan and the metrics by judged truth."""
    console = results_console()
    console.print(f"{count(found.asked - found.left)} of {plural(found.asked, 'cell', 'cells')} answered", markup=False)
    if found.unlabelled is not None:
        _show_unlabelled(console, found.unlabelled)
    elif found.payload is not None:
        show_judged(console, found.payload)
    else:
        console.print("metrics are printed once every cell of the plan has an answer", markup=False)


def _show_unlabelled(console: Console, judged: Judged) -> None:
    """Print the metrics by judged truth of images without labels."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("by judged truth", overflow="fold")
    for name in _SHOWN:
        table.add_column(METRICS[name].heading, justify="right")
    for model, each in judged.models.items():
        table.add_row(Text(model), *(_value(each[name]) for name in _SHOWN))
    for (first, second), each in judged.pairs.items():
        table.add_row(Text(f"{first} - {second}"), *(_difference(each[name]) for name in _SHOWN))
    console.print(table)
    agreement = ""
    if not math.isnan(judged.agreement):
        twice = plural(judged.repeated, "cell", "cells")
        agreement = f"; agreement (Krippendorff's alpha) {judged.agreement:.2f} on {twice} answered twice"
    console.print(f"{count(judged.answers)} clear answers, {count(judged.unclear)} unclear{agreement}", markup=False)
    if judged.errors.rate > 0:
        share, error = (f"{100 * one:.1f} %" for one in judged.errors)
        console.print(
            f"about {share} of the answers are wrong (standard error {error}); this is corrected", markup=False
        )


def _value(one: Estimated) -> str:
    ends = resampled_interval(one.value, one.standard_error, math.inf)
    low, high = max(0.0, float(ends.low)), min(1.0, float(ends.high))
    return f"{figure(one.value)}\n{interval(low, high)}"


def _difference(one: Estimated) -> str:
    ends = resampled_interval(one.value, one.standard_error, math.inf)
    return f"{signed(one.value)}\n{interval(float(ends.low), float(ends.high), signed)}"
