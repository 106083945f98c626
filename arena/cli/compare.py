"""The verb `compare`: compare entrants that were scored at different times on the same images."""

from pathlib import Path
from typing import Any

import click

from arena.base.errors import ArenaError
from arena.cli.options import (
    add_display_options,
    aliases_option,
    baselines_option,
    batch_option,
    bootstrap_option,
    config_option,
    device_option,
    judgements_option,
    limit_option,
    names_entrants,
    option,
    overwrite_option,
    paired_settings_of,
    precision_option,
    published_option,
    root_option,
    threshold_option,
)
from arena.pipeline.grammar import GRAMMAR


@click.command()
@config_option
@click.argument("entrants", nargs=-1, metavar="ENTRANT...")
@option(
    "--dataset",
    "-d",
    show_default=False,
    help="Card, frozen folder or truth .npz.  [default: the runs' dataset, or demo]",
)
@option("--output", "-o", type=click.Path(path_type=Path), help="Run folder.  [default: runs/NAME]", show_default=False)
@baselines_option
@aliases_option
@limit_option
@option("--seed", type=int, default=0, help="Seed of the bootstrap and of --limit.")
@bootstrap_option
@threshold_option
@published_option
@judgements_option
@batch_option
@device_option
@precision_option
@overwrite_option
@add_display_options
@root_option
@names_entrants
def compare(entrants: tuple[str, ...], output: Path | None, **settings: Any) -> None:
    """Compare entrants that were scored at different times on the same images.

    {entrants} RUN names all models of the run, and their stored scores are used. A CARD or a model's folder is run now. The
    metrics of a published file are shown next to the others. Writes a run folder, as arena run does. Exits with 4 if the images
    or labels differ.

    Example: arena compare runs/joytag-1.2 runs/joytag-1.3 wd14
    """
    if not entrants:
        raise ArenaError(f"arena compare: name entrants, such as runs/old runs/new; an entrant is {GRAMMAR}")
    from arena.cli.terminal.console import Terminal
    from arena.cli.terminal.summary import show_summary
    from arena.pipeline.compare import compare_entrants as compare_entrants

    terminal = Terminal()
    asked = paired_settings_of(settings)
    found, folder = compare_entrants(entrants, output, asked=asked, published=settings["published"], progress=terminal)
    for note in found.notes:
        terminal.note(note)
    show_summary(folder)
