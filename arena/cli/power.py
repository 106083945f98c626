"""The verb `power`: compute the number of images that would decide a difference."""

from pathlib import Path

import click

from arena.cli.options import option
from arena.cli.verbs import split_names


@click.command("power")
@click.argument("run", type=click.Path(path_type=Path))
@option(
    "--difference", type=click.FloatRange(0, 1, min_open=True), metavar="D", show_default=False,
    help="Difference to decide.  [default: the observed one]",
)  # fmt: skip
@option("--figure", help="Comma-separated metrics.  [default: macro F1, micro F1, mAP]", show_default=False)
@option(
    "--power", type=click.FloatRange(0, 1, True, True), default=0.8, help="Probability of deciding a true difference."
)
@option(
    "--alpha",
    type=click.FloatRange(0, 1, True, True),
    default=0.05,
    help="Significance level: probability of deciding a difference where there is none.",
)
def power(run: Path, difference: float | None, figure: str | None, power: float, alpha: float) -> None:
    """Compute how many images would decide a difference between the models of a run.

    A difference is decided after Holm's correction for all metrics and pairs of models, as on the page of a run. More images
    also let tags with few positives into the means, which makes the means less certain.

    Example: arena power runs/demo --difference 0.01
    """
    from arena.cli.terminal.console import show_power
    from arena.evaluate.power import POWER_TABLES, power_rows
    from arena.metrics.registry import HEADLINES
    from arena.results.run_folder import read_result

    figures = split_names(figure) if figure else HEADLINES
    result = read_result(run, POWER_TABLES)
    show_power(power_rows(result, difference=difference, figures=tuple(figures), power=power, alpha=alpha))
