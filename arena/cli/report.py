"""The verb `report`: write the reports of finished runs again."""

from pathlib import Path
from typing import Any

import click

from arena.cli.options import showing_of, showing_options


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@showing_options
def report(runs: tuple[Path, ...], **settings: Any) -> None:
    """Write the reports of finished runs again, from their folders.

    A page never shows more of the images than the run allowed. --thumbnails none writes a page without images and keeps the
    folder thumbnails/ unchanged.

    Example: arena report runs/demo
    """
    from arena.pipeline.report import render

    for folder in runs:
        render(folder, showing_of(settings))
        click.echo(f"{folder / 'index.html'}")
