"""The verb `dataset import`: make a dataset from existing images and tags."""

from pathlib import Path
from typing import Any

import click

from arena.cli.dataset.relations import read_relation_options, relation_options
from arena.cli.options import config_option, option, root_option
from arena.cli.verbs import split_names

HINTS = ("images", "path_column", "tags_column", "id_column", "rating_column", "separator", "tag_names")
"""Options of `import` that describe the layout of a source."""


@click.command("import")
@config_option
@click.argument("source", type=click.Path(path_type=Path))
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Folder to write.", show_default=False)
@option(
    "--as", "kind", metavar="KIND", show_default=False,
    help="folder, table, posts, kohya, joytag, webdataset or huggingface.  [default: detected]",
)  # fmt: skip
@option("--images", type=click.Path(path_type=Path), help="Folder of the images.", show_default=False)
@option("--path-column", default="", help="Column of paths.", show_default=False)
@option("--tags-column", default="", help="Column of tags.", show_default=False)
@option("--id-column", default="", help="Column of identifiers.", show_default=False)
@option("--rating-column", default="", help="Column of ratings.", show_default=False)
@option("--keep", default="", help="Comma-separated further columns to keep.", show_default=False)
@option(
    "--separator",
    default="auto",
    help="How a text separates its tags: auto, comma, line, space, bar, semicolon, json or python.",
)
@option(
    "--tag-names",
    type=click.Path(path_type=Path),
    help="File with one tag per line, if tags are numbers.",
    show_default=False,
)
@option(
    "--transparent",
    type=click.Choice(["white", "drop"]),
    default="white",
    help="Put transparent images on white, or drop them.",
)
@option(
    "--animated",
    type=click.Choice(["drop", "first"]),
    default="drop",
    help="Drop animated images, or take the first frame.",
)
@option(
    "--max-pixels", type=click.IntRange(min=1), help="Refuse larger images.  [default: 89478485]", show_default=False
)
@relation_options
@option("--name", default="", help="Name of the dataset.  [default: its folder's name]", show_default=False)
@option("--title", default="", help="Title of the dataset.", show_default=False)
@option("--licence", default="unknown", help="Licence of the images.")
@option("--workers", type=click.IntRange(min=1), help="Threads.  [default: one per core]", show_default=False)
@option("--in-place", is_flag=True, help="Leave the images of webdataset tars in the tars, which are linked.")
@option("--limit", "-L", type=click.IntRange(min=1), help="Maximum number of rows to read.", show_default=False)
@root_option
def import_(source: Path, output: Path, kind: str | None, root: Path | None, **settings: Any) -> None:
    """Make a dataset from existing images: decode, hash, store and describe each image once.

    Reads a folder with a .txt or .json tag file for each image, a table of paths and tags (CSV, TSV, JSON lines, Parquet;
    also with one tag per cell, or one column of 0 and 1 per tag), Danbooru posts, gallery-dl's data.jsonl, metadata of
    kohya's trainers, JoyTag's Parquet, webdataset tars, or a saved Hugging Face dataset. Images are recognised by suffix
    or content. Links to files are followed; hidden folders and links to folders outside are skipped. rejects.csv lists
    the images that could not be imported. With --in-place, images of tars are not written as files: the dataset gets a link to
    each tar, or a copy on another disk, and reads the images there. After an interruption, the same command continues.

    Example: arena dataset import photos -o datasets/photos
    """
    from arena.cli.terminal.console import Terminal, show_findings, show_table
    from arena.dataset.importing.collect import ImportSettings, import_source
    from arena.dataset.sources import open_source
    from arena.dataset.sources.hints import Hints
    from arena.images.decode import MAX_PIXELS, ImagePolicy

    terminal = Terminal()
    keep = tuple(split_names(settings["keep"]))
    hints = Hints(keep=keep, **{name: settings[name] for name in HINTS})
    opened = open_source(source, kind, hints)
    terminal.note(f"{source}: {opened.kind}, {opened.found}")
    policy = ImagePolicy(settings["animated"], settings["transparent"], settings["max_pixels"] or MAX_PIXELS)
    tag_facts = read_relation_options(settings, root)
    wanted = ImportSettings(
        policy, tag_facts.relations, tag_facts.categories,
        **{name: settings[name] for name in ("name", "title", "licence", "limit", "workers", "in_place")},
    )  # fmt: skip
    for note in opened.forms.notes():
        terminal.note(note)
    outcome = import_source(opened, output, wanted, terminal)
    for warning in outcome.warnings:
        terminal.note(f"warning: {warning}")
    show_findings(tag_facts.findings)
    rejected = [(reason, f"{count:,}") for reason, count in outcome.rejected.most_common()]
    show_table(("", "rows"), [("read", f"{outcome.rows:,}"), *rejected, ("kept", f"{outcome.images:,}")])
    click.echo(f"{output}: {outcome.images:,} images, {outcome.tags:,} tags; rejects in {output / 'rejects.csv'}")
