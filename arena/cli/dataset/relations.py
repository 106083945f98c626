"""Options for the tag files that sites publish: aliases, implications, blacklists and categories."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from arena.cli.options import option

if TYPE_CHECKING:
    from arena.tags import TagRelations


def relation_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Add the options for tag files; `read_relation_options` reads the files."""
    options = [
        option(
            "--aliases", multiple=True, type=click.Path(path_type=Path), metavar="FILE", show_default=False,
            help="CSV with columns antecedent_name,consequent_name or old,new, an export of a site, or a tag-complete list. "
            "Repeatable.",
        ),
        option(
            "--implications", multiple=True, type=click.Path(path_type=Path), metavar="FILE", show_default=False,
            help="Export of implications. Repeatable.",
        ),
        option(
            "--blacklist", multiple=True, metavar="FILE|NAME", show_default=False,
            help="List of tags that are not labels, export with deprecated tags, or danbooru-meta. Repeatable.",
        ),
        option(
            "--categories", multiple=True, type=click.Path(path_type=Path), metavar="FILE", show_default=False,
            help="Export of tags, for categories that the source lacks. Repeatable.",
        ),
    ]  # fmt: skip
    for one in reversed(options):
        verb = one(verb)
    return verb


class TagFacts(NamedTuple):
    """Contents of the files that the options of `relation_options` name."""

    relations: "TagRelations"
    categories: Mapping[str, str]
    findings: list[str]


def read_relation_options(settings: Mapping[str, Any], root: Path | None, own: Iterable[Path] = ()) -> TagFacts:
    """Read the files named by the options, and the dataset's own relation files `own`."""
    from arena.dataset.blacklists import find_blacklist
    from arena.tags.exports import read_categories, read_relations

    relations = read_relations(
        own, aliases=settings["aliases"], implications=settings["implications"],
        blacklist=[find_blacklist(one, root) for one in settings["blacklist"]],
    )  # fmt: skip
    known = read_categories(settings["categories"])
    return TagFacts(relations, known.by_name, [*relations.findings, *known.findings])
