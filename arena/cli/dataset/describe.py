"""`verify`, `describe` and `card`: what a dataset folder holds."""

import json
from pathlib import Path

import click

from arena.cli.options import min_positives_option, option, root_option
from arena.cli.verbs import split_names


@click.command("verify")
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
    from arena.cli.terminal.console import Terminal
    from arena.dataset import verify as verifying

    card = find_dataset(folder, root)
    found = verifying.verify(card, decoding=decode, workers=workers, progress=Terminal())
    for line in verifying.fault_lines(found):
        click.echo(line)
    verifying.refuse_faults(card, found)
    click.echo(f"{folder}: {found.images:,} images, {found.size_bytes:,} bytes, digest {found.digest[:12]}: as frozen")


@click.command("describe")
@click.argument("folder")
@option("--json", "as_json", is_flag=True, show_default=False, help="Everything, as JSON.")
@min_positives_option
@option("--pairs", type=click.IntRange(min=0), default=15, help="Pairs of tags that are listed.")
@root_option
def describe(folder: str, as_json: bool, min_positives: int, pairs: int, root: Path | None) -> None:
    """Tell what a dataset is made of: tags, pairs, ratings, sizes, and what every step dropped.

    Example: arena dataset describe demo
    """
    from arena.pipeline.catalogue import describe_dataset
    from arena.report.dataset.text import dataset_text

    description = describe_dataset(folder, root, min_positives=min_positives, pairs=pairs)
    click.echo(json.dumps(description, indent=1) if as_json else dataset_text(description), nl=as_json)


@click.command("card")
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
    from arena.cli.terminal.console import Terminal
    from arena.pipeline.dataset_card import write_card

    page = write_card(
        folder, output, pictures=pictures, blur=split_names(blur), pairs=pairs, root=root, progress=Terminal()
    )
    click.echo(f"{page}")
