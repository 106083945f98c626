"""The verb `judge page`: write the questions of a plan as one offline page."""

from pathlib import Path

import click

from arena.cli.judge.options import dataset_option, judgements_option
from arena.cli.options import config_option, option, root_option


@click.command("page")
@config_option
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("plan", type=click.Path(path_type=Path))
@option("--output", "-o", type=click.Path(path_type=Path), default=Path("judge.html"), metavar="FILE", help="The page.")
@judgements_option
@dataset_option
@root_option
def page(run: Path, plan: Path, output: Path, judgements: Path, dataset: str | None, root: Path | None) -> None:
    """Write the unanswered cells of a plan as one offline HTML file with their images.

    The page asks one question at a time and takes the keys y, n, u (unclear) and z (undo). It names no model and no recorded
    label, and saves the answers to a CSV file. A tenth of the cells comes twice, to measure how far answers agree.

    Example: arena judge page runs/demo plan.parquet -o judge.html
    """
    from arena.cli.terminal.console import Terminal, show_path
    from arena.pipeline.judge import write_page

    write_page(run, plan, output, judgements, dataset=dataset, root=root, progress=Terminal())
    show_path(output)
