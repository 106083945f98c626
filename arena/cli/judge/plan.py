"""The verb `judge plan`: choose the cells (image, tag) to ask people about."""

from pathlib import Path

import click

from arena.cli.judge.options import dataset_option, judgements_option
from arena.cli.options import config_option, option, root_option
from arena.cli.verbs import split_names


@click.command("plan")
@config_option
@click.argument("run", type=click.Path(path_type=Path))
@option(
    "--output", "-o", type=click.Path(path_type=Path), default=Path("plan.parquet"), metavar="FILE", help="The plan."
)
@option("--models", "-m", metavar="A,B", show_default=False, help="Models; the first two are compared.  [default: all]")
@option(
    "--difference", type=click.FloatRange(0, 1, True, True), default=0.01, metavar="D",
    help="True difference of F1 to decide. It sets the number of answers: a forecast, and the answers of the first wave then "
    "size the second.",
)  # fmt: skip
@option(
    "--answers", type=click.IntRange(100), metavar="N", show_default=False,
    help="Number of clear answers instead, about. The second wave makes up for unclear answers of the first. Metrics need 600.",
)  # fmt: skip
@option("--seed", type=click.IntRange(0), default=0, metavar="N", help="Seed of the sample.")
@judgements_option
@dataset_option
@root_option
def plan(
    run: Path, output: Path, models: str | None, difference: float, answers: int | None, seed: int, judgements: Path,
    dataset: str | None, root: Path | None,
) -> None:  # fmt: skip
    """Choose the cells (image, tag) to ask people about, and print how many answers decide a difference.

    The first wave asks 30 % of the forecast. After its answers were added, the same command writes both waves: their answers
    say how many more are needed. Cells that earlier plans have answers to are not asked again; these answers count for this
    plan as well.

    Example: arena judge plan runs/demo --difference 0.01
    """
    from arena.cli.terminal.console import Terminal
    from arena.cli.terminal.judge import show_plan
    from arena.pipeline.judge import PlanOptions, plan_questions

    options = PlanOptions(split_names(models or ""), answers, difference, seed, judgements)
    show_plan(plan_questions(run, output, options, dataset=dataset, root=root, progress=Terminal()), difference)
