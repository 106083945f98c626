"""The verb `pick`: compare models on pictures without labels."""

from pathlib import Path
from typing import Any

import click

from arena.cli.options import (
    batch_option,
    compute_of,
    config_option,
    device_option,
    limit_option,
    option,
    overwrite_option,
    precision_option,
    root_option,
    threshold_option,
)
from arena.cli.verbs import command_line, split_names, unique


@click.command("pick")
@config_option
@click.argument("images", metavar="FOLDER")
@option(
    "--models", "-m", required=True, show_default=False, help="Comma-separated cards, or NAME=PATH of local folders."
)
@option(
    "--output", "-o", type=click.Path(path_type=Path), show_default=False,
    help="Output folder.  [default: runs/pick-NAME]",
)  # fmt: skip
@option(
    "--calibration", type=click.Path(path_type=Path), metavar="RUN", show_default=False,
    help="Run of the same models on labelled images; estimates metrics and thresholds for similar pictures.",
)  # fmt: skip
@option(
    "--relations", type=click.Path(path_type=Path), metavar="FOLDER", show_default=False,
    help="Folder with tag_implications.csv, tag_aliases.csv, tag_exclusions.csv.  [default: of the dataset, else of RUN]",
)  # fmt: skip
@option(
    "--difference", type=click.FloatRange(0, 1, True, True), default=0.01, metavar="D",
    help="True difference of F1 that human answers are to decide.",
)  # fmt: skip
@limit_option
@option("--seed", type=int, default=0, help="Seed of --limit, a random sample.")
@threshold_option
@option(
    "--thumbnails", type=click.Choice(["none", "some"]), show_default=False,
    help="Whether the page shows example images.  [default: some; none for a private dataset]",
)  # fmt: skip
@batch_option
@device_option
@precision_option
@overwrite_option
@root_option
def pick(images: str, models: str, output: Path | None, root: Path | None, **settings: Any) -> None:
    """Compare models on pictures without labels: which tagger and threshold to take, or how many answers would tell.

    FOLDER is a folder of images, or a dataset whose labels are not used. Writes an output folder: index.html, pick.json,
    pick.md, and plan.parquet, a plan for arena judge. With a labelled run of the same models (--calibration), metrics and
    thresholds are estimated, under the assumption that the pictures are similar. After an interruption, the same command
    continues.

    Example: arena pick photos -m joytag,wd14 --calibration runs/mine
    """
    from arena.cli.terminal.console import Terminal
    from arena.cli.terminal.pick import show_pick
    from arena.pipeline.pick.options import PickOptions
    from arena.pipeline.pick.pick import pick_tagger
    from arena.pipeline.stages import Execution
    from arena.results.recipe import Sample

    options = PickOptions(
        Sample(settings["limit"], settings["seed"]), unique(settings["threshold"]), settings["calibration"],
        settings["relations"], settings["difference"], thumbnails={"none": False, "some": True}.get(settings["thumbnails"]),
    )  # fmt: skip
    execution = Execution(
        compute_of(settings), root=root, command=command_line(), overwrite=settings["overwrite"], progress=Terminal()
    )
    show_pick(pick_tagger(split_names(models), images, output, options=options, execution=execution))
