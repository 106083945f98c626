"""`dataset tags`: make the tags of a dataset canonical."""

from pathlib import Path
from typing import Any

import click

from arena.cli.dataset.relations import read_given, relation_options
from arena.cli.options import option, root_option


@click.command("tags")
@click.argument("folder")
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Folder to write.", show_default=False)
@relation_options
@option("--name", help="Of the new set.  [default: the folder's]", default="", show_default=False)
@root_option
def tags(folder: str, output: Path, name: str, root: Path | None, **settings: Any) -> None:
    """Make a dataset's tags canonical, add what they imply, take out what is no label.

    FOLDER is a dataset's folder or name. Its own relations hold too. The relations that matter for its tags are written
    beside the new truth.

    Example: arena dataset tags mine --aliases tag_aliases.csv.gz --blacklist danbooru-meta -o datasets/mine-canonical
    """
    from arena.cards import find_dataset
    from arena.cli.terminal.console import Terminal, show_findings
    from arena.dataset.canonical import canonicalise, write_canonical
    from arena.dataset.frozen import read_frozen
    from arena.tags.exports import relation_files

    read = read_frozen(find_dataset(folder, root))
    given = read_given(settings, root, relation_files(read.card.folder))
    made = canonicalise(read, given.relations, given.categories)
    digest = write_canonical(read, made, output, name=name, progress=Terminal())
    show_findings(given.findings)
    click.echo(made.step["why"])
    click.echo(f"{output}: {len(read)} images, {len(made.tags)} tags, digest {digest[:12]}")
