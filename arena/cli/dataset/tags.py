"""The verb `dataset tags`: make the tags of a dataset canonical."""

from pathlib import Path
from typing import Any

import click

from arena.cli.dataset.relations import read_relation_options, relation_options
from arena.cli.options import option, root_option


@click.command("tags")
@click.argument("folder")
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Folder to write.", show_default=False)
@relation_options
@option("--name", help="Name of the new dataset.  [default: the folder's name]", default="", show_default=False)
@root_option
def tags(folder: str, output: Path, name: str, root: Path | None, **settings: Any) -> None:
    """Make a dataset's tags canonical, add implied tags, and remove tags that are not labels.

    FOLDER is a dataset's folder or name. The dataset's own relations also apply. The relations that concern its tags are
    written next to the new labels.

    Example: arena dataset tags mine --aliases tag_aliases.csv.gz --blacklist danbooru-meta -o datasets/mine-canonical
    """
    from arena.cards import find_dataset
    from arena.cli.terminal.console import Terminal, show_findings
    from arena.dataset.canonical import canonicalise, write_canonical
    from arena.dataset.frozen import read_frozen
    from arena.tags.exports import relation_files

    read = read_frozen(find_dataset(folder, root))
    tag_facts = read_relation_options(settings, root, relation_files(read.card.folder))
    made = canonicalise(read, tag_facts.relations, tag_facts.categories)
    digest = write_canonical(read, made, output, name=name, progress=Terminal())
    show_findings(tag_facts.findings)
    click.echo(made.step["why"])
    click.echo(f"{output}: {len(read)} images, {len(made.tags)} tags, digest {digest[:12]}")
