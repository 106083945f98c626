"""`report`: write the reports of finished runs again."""

from pathlib import Path
from typing import Any

import click

from arena.cli.options import showing_of, showing_options


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@showing_options
def report(runs: tuple[Path, ...], **settings: Any) -> None:
    """Write the reports of finished runs again, from their folders.

    A page shows no more of the images than was chosen for the run; --thumbnails none makes one without pictures, and
    leaves the folder thumbnails/ as it is.

    Example: arena report runs/demo
    """
    from arena.pipeline.report import render

    for folder in runs:
        render(folder, showing_of(settings))
        click.echo(f"{folder / 'index.html'}")
