"""The verbs below `judge`: plan questions to people, show them, add answers, and estimate metrics from them."""

import click

from arena.cli.judge.add import add
from arena.cli.judge.page import page
from arena.cli.judge.plan import plan
from arena.cli.judge.status import status
from arena.cli.verbs import Verbs


@click.group("judge", cls=Verbs)
def judge() -> None:
    """Estimate metrics from the answers of people, where recorded labels are incomplete.

    \b
    arena judge plan runs/demo -o plan.parquet     choose the cells (image, tag) to ask
    arena judge page runs/demo plan.parquet        write them as a page with yes and no buttons
    arena judge add answers.csv                    add the answers that the page saved
    arena judge plan runs/demo -o plan.parquet     choose the second wave from these answers
    arena judge status runs/demo plan.parquet      metrics by judged truth, with intervals
    """


for verb in (plan, page, add, status):
    judge.add_command(verb)
