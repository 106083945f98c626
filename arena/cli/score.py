"""The verb `score`: compare existing scores."""

from pathlib import Path
from typing import Any

import click

from arena.base.errors import ArenaError
from arena.cli.options import (
    NamedFile,
    add_display_options,
    config_option,
    display_options_of,
    option,
    overwrite_option,
    root_option,
    scoring_of,
    scoring_options,
)
from arena.cli.verbs import command_line, unique


@click.command("score")
@config_option
@option(
    "--scores", type=NamedFile(), multiple=True, required=True, metavar="NAME=FILE", show_default=False,
    help="Scores .npz, or RUN/scores/MODEL. Repeatable.",
)  # fmt: skip
@option(
    "--truth", type=click.Path(path_type=Path), show_default=False,
    help="Ground truth .npz with the arrays truth (images x tags), tags, image_ids and, optionally, known and weight.",
)  # fmt: skip
@option("--dataset", "-d", help="Frozen dataset, used instead of --truth.", show_default=False)
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Run folder.", show_default=False)
@scoring_options
@overwrite_option
@add_display_options
@option("--seed", type=int, default=0, help="Seed of the bootstrap.")
@root_option
def score(
    scores: tuple[tuple[str, Path], ...], truth: Path | None, dataset: str | None, output: Path, root: Path | None,
    **settings: Any,
) -> None:  # fmt: skip
    """Compare existing scores without running a model.

    A scores file holds the arrays scores (images x tags), tags and image_ids. It may hold tag_counts.

    Example: arena score --scores a=a.npz --scores b=b.npz --truth truth.npz -o runs/ab
    """
    from arena.cli.terminal.console import Terminal
    from arena.cli.terminal.summary import show_summary
    from arena.pipeline.score import score_files
    from arena.pipeline.stages import Execution

    if (truth is None) == (dataset is None):
        raise ArenaError("arena score: give either --truth FILE or --dataset NAME")
    folder = score_files(
        unique(scores),
        output,
        truth=truth,
        dataset=dataset,
        scoring=scoring_of(settings),
        showing=display_options_of(settings),
        execution=Execution(root=root, command=command_line(), overwrite=settings["overwrite"], progress=Terminal()),
    )
    show_summary(folder)
