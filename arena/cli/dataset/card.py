"""The verb `dataset card`: write the page of a dataset."""

from pathlib import Path

import click

from arena.cli.options import option, root_option
from arena.cli.verbs import split_names


@click.command("card")
@click.argument("folder")
@option("--output", "-o", required=True, type=click.Path(path_type=Path), show_default=False, help="Page to write.")
@option(
    "--pictures", multiple=True, metavar="[SOURCE=]FOLDER", show_default=False,
    help="Dataset with the images that this one dropped, or folder with the images of an index. Repeatable.",
)  # fmt: skip
@option("--blur", default="q,e", help="Comma-separated ratings to blur until clicked: g, s, q, e, unknown; or none.")
@option("--pairs", type=click.IntRange(0, 500), default=120, help="Maximum number of duplicate pairs shown.")
@root_option
def card(folder: str, output: Path, pictures: tuple[str, ...], blur: str, pairs: int, root: Path | None) -> None:
    """Write a page that describes a dataset: how it was made, its tags, and pairs of duplicates side by side.

    Example: arena dataset card datasets/mine-1 -o card.html
    """
    from arena.cli.terminal.console import Terminal, show_path
    from arena.pipeline.dataset_card import write_card

    page = write_card(
        folder, output, pictures=pictures, blur=split_names(blur), pairs=pairs, root=root, progress=Terminal()
    )
    show_path(page)
