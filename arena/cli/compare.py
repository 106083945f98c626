"""The verb `compare`: what was scored apart, side by side."""

from pathlib import Path
from typing import Any

import click

from arena.base.errors import ArenaError
from arena.cli.options import (
    batch_option,
    bootstrap_option,
    compute_of,
    config_option,
    device_option,
    limit_option,
    option,
    precision_option,
    published_option,
    root_option,
    showing_of,
    showing_options,
)
from arena.cli.verbs import command_line


@click.command()
@config_option
@click.argument("sides", nargs=-1)
@option(
    "--dataset",
    "-d",
    show_default=False,
    help="Card, frozen folder or truth .npz.  [default: that of the runs, or demo]",
)
@option("--output", "-o", type=click.Path(path_type=Path), help="Run folder.  [default: runs/NAME]", show_default=False)
@option("--baselines", type=click.Path(path_type=Path), default="baselines", help="Where @baseline is recorded.")
@limit_option
@option("--seed", type=int, default=0, help="Of the resamples, and of the part that --limit takes.")
@bootstrap_option
@published_option
@batch_option
@device_option
@precision_option
@showing_options
@root_option
def compare(sides: tuple[str, ...], dataset: str | None, output: Path | None, **settings: Any) -> None:
    """Compare runs that were scored apart, on the same images; models may be run beside them.

    A side is a run (all its models), RUN:MODEL, a card, NAME=PATH of a model or of scores, or @baseline. Finished scores are
    only read; writes a run folder as arena run does. Exits with 4 where the images or labels are not the same.

    Example: arena compare runs/joytag-1.2 runs/joytag-1.3 wd14
    """
    if not sides:
        raise ArenaError("arena compare: name runs, models or scores, such as runs/old runs/new")
    from arena.cli.terminal.console import Terminal, show_summary
    from arena.pipeline.compare import compare as compare_sides
    from arena.pipeline.paired import Asked
    from arena.pipeline.recipe import Sample

    terminal = Terminal()
    asked = Asked(
        dataset, Sample(settings["limit"], settings["seed"]), settings["bootstrap"], settings["seed"],
        root=settings["root"], baselines=settings["baselines"], command=command_line(),
        compute=compute_of(settings),
        showing=showing_of(settings),
    )  # fmt: skip
    found, folder = compare_sides(sides, output, asked=asked, published=settings["published"], progress=terminal)
    for note in found.notes:
        terminal.note(note)
    show_summary(folder)
