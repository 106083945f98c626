"""The verbs that make a held-out dataset, each from the folder that the one before it wrote."""

from pathlib import Path

import click

from arena.cli.options import option, root_option
from arena.cli.verbs import Verbs


@click.group("dataset", cls=Verbs)
def dataset() -> None:
    """Make, check and describe held-out datasets.

    Example: arena dataset import photos -o datasets/photos
    """


@dataset.command("tags")
@click.argument("folder")
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Folder to write.", show_default=False)
@option(
    "--aliases", multiple=True, type=click.Path(path_type=Path), metavar="FILE", show_default=False,
    help="Export of aliases, or a tag-complete list; may be given again.",
)  # fmt: skip
@option(
    "--implications", multiple=True, type=click.Path(path_type=Path), metavar="FILE", show_default=False,
    help="Export of implications; may be given again.",
)  # fmt: skip
@option(
    "--blacklist", multiple=True, metavar="FILE|NAME", show_default=False,
    help="Tags that are no labels, or an export that tells deprecated ones, or danbooru-meta; may be given again.",
)  # fmt: skip
@option(
    "--categories", multiple=True, type=click.Path(path_type=Path), metavar="FILE", show_default=False,
    help="Export of tags, for the category of those that come in.",
)  # fmt: skip
@option("--name", help="Of the new set.  [default: the folder's]", default="", show_default=False)
@root_option
def tags(
    folder: str, output: Path, aliases: tuple[Path, ...], implications: tuple[Path, ...], blacklist: tuple[str, ...],
    categories: tuple[Path, ...], name: str, root: Path | None,
) -> None:  # fmt: skip
    """Make a dataset's tags canonical, add what they imply, take out what is no label.

    FOLDER is a dataset's folder or name. Its own relations hold too. The relations that matter for its tags are written
    beside the new truth.

    Example: arena dataset tags mine --aliases tag_aliases.csv.gz --blacklist danbooru-meta -o datasets/mine-canonical
    """
    from arena.cards import find_dataset
    from arena.heldout.canonical import canonicalise, write_canonical
    from arena.heldout.dataset import read_frozen
    from arena.tag_exports import find_blacklist, read_categories, read_relations, relation_files
    from arena.terminal import Terminal, show_findings

    read = read_frozen(find_dataset(folder, root))
    relations = read_relations(
        relation_files(read.card.folder), aliases=aliases, implications=implications,
        blacklist=[find_blacklist(one, root) for one in blacklist],
    )  # fmt: skip
    known = read_categories(categories)
    made = canonicalise(read, relations, known.by_name)
    digest = write_canonical(read, made, output, name=name, progress=Terminal())
    show_findings([*relations.findings, *known.findings])
    click.echo(made.step["why"])
    click.echo(f"{output}: {len(read)} images, {len(made.tags)} tags, digest {digest[:12]}")
