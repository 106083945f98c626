"""The verb `judge status`: the state of a plan, and the metrics by judged truth."""

from pathlib import Path

import click

from arena.cli.judge.options import dataset_option, judgements_option
from arena.cli.options import config_option, root_option


@click.command("status")
@config_option
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("plan", type=click.Path(path_type=Path))
@judgements_option
@dataset_option
@root_option
def status(run: Path, plan: Path, judgements: Path, dataset: str | None, root: Path | None) -> None:
    """Print how many cells of a plan are answered, and the metrics by judged truth next to those by recorded labels.

    Metrics need all cells of the plan, and 600 clear answers.

    Example: arena judge status runs/demo plan.parquet
    """
    from arena.cli.terminal.console import Terminal
    from arena.cli.terminal.judge import show_status
    from arena.pipeline.judge import judged_so_far

    show_status(judged_so_far(run, plan, judgements, dataset=dataset, root=root, progress=Terminal()))
