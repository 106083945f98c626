"""The verb `report`: write the reports of finished runs again."""

from pathlib import Path
from typing import Any

import click

from arena.cli.options import add_display_options, display_options_of, judgements_option, option, root_option


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@judgements_option
@option("--dataset", "-d", show_default=False, help="Dataset of the run, if it is not where the run found it.")
@root_option
@add_display_options
def report(
    runs: tuple[Path, ...], judgements: tuple[Path, ...], dataset: str | None, root: Path | None, **settings: Any
) -> None:
    """Write the reports of finished runs again, from their folders.

    With --judgements, the metrics by judged truth are computed from the stored scores and added to the run.

    A page never shows more of the images than the run allowed. --thumbnails none writes a page without images and keeps the
    folder thumbnails/ unchanged.

    Example: arena report runs/demo --judgements judgements.parquet
    """
    from arena.cli.terminal.console import Terminal, show_path
    from arena.cli.terminal.summary import show_summary
    from arena.pipeline.report import rewrite_reports

    if not judgements:
        for folder in runs:
            rewrite_reports(folder, display_options_of(settings))
            show_path(folder / "index.html")
        return
    for folder in runs:
        rewrite_reports(
            folder, display_options_of(settings), judgements=judgements, dataset=dataset, root=root, progress=Terminal()
        )
        show_summary(folder)
