"""The verb `dataset freeze`: select images and record the digest of each file."""

from datetime import date
from pathlib import Path
from typing import Any

import click

from arena.cli.options import option, root_option
from arena.cli.verbs import split_names


def day(text: str | date) -> date:
    """Parse a day such as `2024-05-31`."""
    try:
        return text if isinstance(text, date) else date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a day such as 2024-05-31") from None


@click.command("freeze")
@click.argument("folder")
@option("--output", "-o", required=True, type=click.Path(path_type=Path), show_default=False, help="Folder to write.")
@option("--name", required=True, show_default=False, help="Name of the frozen set.")
@option(
    "--title", default="", show_default=False, help="Title.  [default: the source's title, or --name if it has none]"
)
@option("--licence", default="", show_default=False, help="Licence of the images.  [default: the source's]")
@option("--after-id", type=int, metavar="N", show_default=False, help="Only posts with a higher id.")
@option("--before-id", type=int, metavar="N", show_default=False, help="Only posts with a lower id.")
@option(
    "--since",
    type=day,
    metavar="DAY",
    show_default=False,
    help="Only posts of this day or later (UTC), such as 2024-05-31.",
)
@option("--until", type=day, metavar="DAY", show_default=False, help="Only posts of this day or earlier.")
@option(
    "--trained-until", default="", metavar="MODELS", show_default=False,
    help="Only posts newer than the training data of all these models; comma-separated.",
)  # fmt: skip
@option("--sample", type=click.IntRange(min=1), metavar="N", show_default=False, help="Maximum number of images.")
@option(
    "--representative", type=click.IntRange(min=1), metavar="K", show_default=False,
    help="Take K images of every tag first, then fill --sample at random; each image gets a weight.",
)  # fmt: skip
@option("--seed", type=int, default=0, help="Seed of the sample.")
@option("--min-images", type=click.IntRange(min=0), default=0, help="Images that a tag needs to remain a label.")
@option("--tars", is_flag=True, help="Write the images into tars of up to 1 GB instead of a file each.")
@option("--workers", type=click.IntRange(min=1), show_default=False, help="Threads.  [default: one per core]")
@root_option
def freeze(
    folder: str, output: Path, trained_until: str, tars: bool, workers: int | None, root: Path | None, **settings: Any
) -> None:  # fmt: skip
    """Select images of a dataset, record the digest of each file, and write a frozen folder.

    The same images and options give the same folder on any machine. After an interruption, the same command continues.
    Repeating a finished command changes nothing.

    Images that an import left inside tars stay there: the tars are linked, and read in place. --tars writes new tars of the
    selected images only.

    Example: arena dataset freeze datasets/mine -o datasets/mine-1 --name mine-1
    """
    from arena.cards import find_dataset, find_models
    from arena.cli.terminal.console import Terminal
    from arena.dataset.freeze import CardOverrides
    from arena.dataset.freeze import freeze_dataset as freeze_dataset
    from arena.dataset.selection import Selection

    models = find_models(split_names(trained_until), root) if split_names(trained_until) else []
    about = CardOverrides(*(settings.pop(key) for key in ("name", "title", "licence")))
    frozen = freeze_dataset(
        find_dataset(folder, root), output, about=about,
        selection=Selection(trained_until=tuple(models), **settings), tars=tars, workers=workers, progress=Terminal(),
    )  # fmt: skip
    note = "" if frozen.written else "; the same set is already there, nothing is changed"
    click.echo(f"{output}: {frozen.images:,} images, digest {frozen.card.digest[:12]}{note}")
