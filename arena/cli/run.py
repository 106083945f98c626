"""The verb `run`: score a held-out dataset with every model and compare the models."""

from pathlib import Path
from typing import Any

import click

from arena.cli.options import (
    add_display_options,
    address_option,
    batch_option,
    compute_of,
    config_option,
    device_option,
    display_options_of,
    engine_option,
    limit_option,
    option,
    overwrite_option,
    precision_option,
    root_option,
    scoring_of,
    scoring_options,
    workers_option,
)
from arena.cli.verbs import command_line, split_names


@click.command("run")
@config_option
@option("--models", "-m", default="joytag-demo,wd14-demo", help="Comma-separated cards, or NAME=PATH of local folders.")
@option("--dataset", "-d", default="demo", help="Card, or path of a frozen dataset folder.")
@option("--output", "-o", type=click.Path(path_type=Path), help="Run folder.  [default: runs/NAME]", show_default=False)
@limit_option
@option("--seed", type=int, default=0, help="Seed of the bootstrap and of --limit.")
@batch_option
@device_option
@precision_option
@scoring_options
@workers_option
@engine_option
@address_option
@option(
    "--scores-only", is_flag=True, show_default=False, help="Write scores, and no reports; another process writes them."
)
@overwrite_option
@add_display_options
@root_option
def run(models: str, dataset: str, output: Path | None, limit: int | None, root: Path | None, **settings: Any) -> None:
    """Score a held-out dataset with every model and compare the models.

    Writes a run folder: index.html, summary.json, full-metrics/ and more. After an interruption, the same command continues.
    Scores that exist are used again, unless the model, its precision or the images have changed. The same command in several
    processes, on one machine or on several with a common file system, shares the work.

    Example: arena run --models joytag,wd14 --dataset datasets/mine
    """
    from arena.cli.terminal.console import Terminal
    from arena.cli.terminal.summary import show_summary
    from arena.pipeline.run import run_benchmark as run_all
    from arena.pipeline.stages import Execution
    from arena.results.recipe import Sample

    folder = run_all(
        split_names(models),
        dataset,
        output,
        scoring=scoring_of(settings),
        showing=display_options_of(settings),
        sample=Sample(limit=limit, seed=settings["seed"]),
        execution=Execution(
            compute=compute_of(settings),
            root=root,
            command=command_line(),
            overwrite=settings["overwrite"],
            progress=Terminal(),
            scores_only=settings["scores_only"],
        ),
    )
    if settings["scores_only"]:
        click.echo(f"{folder / 'scores'}: complete")
    else:
        show_summary(folder)
