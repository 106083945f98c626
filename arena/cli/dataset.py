"""The verbs that make a held-out dataset, each from the folder that the one before it wrote."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import click

from arena.cli.options import min_positives_option, option, root_option
from arena.cli.verbs import Verbs, split_names


def day(text: str | date) -> date:
    """A day as `2024-05-31`."""
    try:
        return text if isinstance(text, date) else date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day such as 2024-05-31") from None


@click.group("dataset", cls=Verbs)
def dataset() -> None:
    """Make, check and describe held-out datasets.

    Example: arena dataset import photos -o datasets/photos
    """


@dataset.command()
@click.argument("folder")
@option("--output", "-o", required=True, type=click.Path(path_type=Path), show_default=False, help="Folder to write.")
@option("--name", required=True, show_default=False, help="Name of the frozen set.")
@option("--title", default="", show_default=False, help="In place of the source's.")
@option("--licence", default="", show_default=False, help="In place of the source's.")
@option("--after-id", type=int, metavar="N", show_default=False, help="Posts after this one only.")
@option("--before-id", type=int, metavar="N", show_default=False, help="Posts before this one only.")
@option("--since", type=day, metavar="DAY", show_default=False, help="Posts of this day or later (UTC), as 2024-05-31.")
@option("--until", type=day, metavar="DAY", show_default=False, help="Posts of this day or earlier.")
@option(
    "--trained-until", default="", metavar="MODELS", show_default=False,
    help="Only what came after the training data of all these models; commas between.",
)  # fmt: skip
@option("--sample", type=click.IntRange(min=1), metavar="N", show_default=False, help="At most so many images.")
@option(
    "--representative", type=click.IntRange(min=1), metavar="K", show_default=False,
    help="First K images of every tag, then the rest of --sample at random.",
)  # fmt: skip
@option("--seed", type=int, default=0, help="Of the sample.")
@option("--min-images", type=click.IntRange(min=0), default=0, help="Images that a tag needs to stay a label.")
@option("--workers", type=click.IntRange(min=1), show_default=False, help="Threads.  [default: one a core]")
@root_option
def freeze(
    folder: str, output: Path, name: str, title: str, licence: str, trained_until: str, workers: int | None,
    root: Path | None, **chosen: Any,
) -> None:  # fmt: skip
    """Choose images of a dataset, pin every byte of them, and write them as a frozen folder.

    The same images and options give the same folder anywhere. Stopped at any point, the same command continues; done
    again, it changes nothing.

    Example: arena dataset freeze datasets/mine -o datasets/mine-1 --name mine-1
    """
    from arena.cards import find_dataset, find_models
    from arena.heldout.freeze import About
    from arena.heldout.freeze import freeze as freeze_dataset
    from arena.heldout.selection import Selection
    from arena.terminal import Terminal

    models = find_models(split_names(trained_until), root) if split_names(trained_until) else []
    frozen = freeze_dataset(
        find_dataset(folder, root), output, about=About(name, title, licence),
        selection=Selection(trained_until=tuple(models), **chosen), workers=workers, progress=Terminal(),
    )  # fmt: skip
    said = "" if frozen.written else "; the very same set was there, nothing is changed"
    click.echo(f"{output}: {frozen.images:,} images, digest {frozen.card.digest[:12]}{said}")


@dataset.command()
@click.argument("folder")
@option("--decode", is_flag=True, show_default=False, help="Also decode every image.")
@option("--workers", type=click.IntRange(min=1), show_default=False, help="Threads.  [default: one a core]")
@root_option
def verify(folder: str, decode: bool, workers: int | None, root: Path | None) -> None:
    """Check every byte of a frozen dataset against its card and its table.

    Prints a line a fault, at most 20, and how many there are; exits with 2 if there is any.

    Example: arena dataset verify datasets/mine-1
    """
    from arena.cards import find_dataset
    from arena.heldout import verify as verifying
    from arena.terminal import Terminal

    card = find_dataset(folder, root)
    found = verifying.verify(card, decoding=decode, workers=workers, progress=Terminal())
    for line in verifying.fault_lines(found):
        click.echo(line)
    verifying.refuse_faults(card, found)
    click.echo(f"{folder}: {found.images:,} images, {found.size_bytes:,} bytes, digest {found.digest[:12]}: as frozen")


@dataset.command()
@click.argument("folder")
@option("--json", "as_json", is_flag=True, show_default=False, help="Everything, as JSON.")
@min_positives_option
@option("--pairs", type=click.IntRange(min=0), default=15, help="Pairs of tags that are listed.")
@root_option
def describe(folder: str, as_json: bool, min_positives: int, pairs: int, root: Path | None) -> None:
    """Tell what a dataset is made of: tags, pairs, ratings, sizes, and what every step dropped.

    Example: arena dataset describe demo
    """
    from arena.catalogue import describe_dataset
    from arena.report.dataset_text import dataset_text

    description = describe_dataset(folder, root, min_positives=min_positives, pairs=pairs)
    click.echo(json.dumps(description, indent=1) if as_json else dataset_text(description), nl=as_json)


@dataset.command()
@click.argument("folder")
@option("--output", "-o", required=True, type=click.Path(path_type=Path), show_default=False, help="Page to write.")
@option(
    "--pictures", multiple=True, metavar="[SOURCE=]FOLDER", show_default=False,
    help="Dataset with pictures that this one dropped, or with those of an index; may be given again.",
)  # fmt: skip
@option("--blur", default="q,e", help="Ratings blurred until asked: g, s, q, e, unknown; or none.")
@option("--pairs", type=click.IntRange(0, 500), default=120, help="Pairs of duplicates that are shown.")
@root_option
def card(folder: str, output: Path, pictures: tuple[str, ...], blur: str, pairs: int, root: Path | None) -> None:
    """Write a page that tells a dataset: how it was made, its tags, and the duplicates that were found, side by side.

    Example: arena dataset card datasets/mine-1 -o card.html
    """
    from arena.dataset_card import write_card
    from arena.terminal import Terminal

    page = write_card(
        folder, output, pictures=pictures, blur=split_names(blur), pairs=pairs, root=root, progress=Terminal()
    )
    click.echo(f"{page}")
