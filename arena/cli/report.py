"""The verb `report`: write the reports of finished runs again."""

from pathlib import Path
from typing import Any

import click

from arena.cli.options import add_display_options, display_options_of


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@add_display_options
def report(runs: tuple[Path, ...], **settings: Any) -> None:
    """Write the reports of finished runs again, from their folders.

    A page never shows more of the images than the run allowed. --thumbnails none writes a page without images and keeps the
    folder thumbnails/ unchanged.

    Example: arena report runs/demo
    """
    from arena.pipeline.report import rewrite_reports

    for folder in runs:
        rewrite_reports(folder, display_options_of(settings))
        click.echo(f"{folder / 'index.html'}")
