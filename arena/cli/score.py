"""`score`: compare scores that exist already."""

from pathlib import Path
from typing import Any

import click

from arena.base.errors import ArenaError
from arena.cli.options import (
    NamedFile,
    config_option,
    option,
    root_option,
    scoring_of,
    scoring_options,
    showing_of,
    showing_options,
)
from arena.cli.verbs import command_line, unique


@click.command("score")
@config_option
@option(
    "--scores", type=NamedFile(), multiple=True, required=True, metavar="NAME=FILE", show_default=False,
    help="Scores .npz, or RUN/scores/MODEL; may be given again.",
)  # fmt: skip
@option("--truth", type=click.Path(path_type=Path), help="Truth .npz: truth, tags, image_ids.", show_default=False)
@option("--dataset", "-d", help="Frozen dataset, in place of --truth.", show_default=False)
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Run folder.", show_default=False)
@scoring_options
@showing_options
@option("--seed", type=int, default=0, help="Of the resamples.")
@root_option
def score(
    scores: tuple[tuple[str, Path], ...], truth: Path | None, dataset: str | None, output: Path, root: Path | None,
    **settings: Any,
) -> None:  # fmt: skip
    """Compare scores that are there already; no model is needed.

    A scores file holds scores (images, tags), tags, image_ids, and may hold tag_counts.

    Example: arena score --scores a=a.npz --scores b=b.npz --truth truth.npz -o runs/ab
    """
    from arena.cli.terminal.console import Terminal, show_summary
    from arena.pipeline.score import score_files

    if (truth is None) == (dataset is None):
        raise ArenaError("arena score: give either --truth FILE or --dataset NAME")
    folder = score_files(
        unique(scores), output, truth=truth, dataset=dataset, scoring=scoring_of(settings), showing=showing_of(settings),
        root=root, command=command_line(), progress=Terminal(),
    )  # fmt: skip
    show_summary(folder)
