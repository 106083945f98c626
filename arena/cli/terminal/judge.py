"""Terminal output of `arena judge`."""

import math

from arena.base.format import count, plural
from arena.cli.terminal.console import results_console
from arena.cli.terminal.judged import show_judged
from arena.pipeline.judge import Progressed, WrittenPlan


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
    if found.payload is None:
        console.print("metrics are printed once every cell of the plan has an answer", markup=False)
    else:
        show_judged(console, found.payload)
