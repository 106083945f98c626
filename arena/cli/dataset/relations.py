"""Options that name what sites publish about their tags, and what is read from them."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from arena.cli.options import option

if TYPE_CHECKING:
    from arena.tags import TagRelations


def relation_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Options that name what sites publish about their tags; `read_given` reads them."""
    options = [
        option(
            "--aliases", multiple=True, type=click.Path(path_type=Path), metavar="FILE", show_default=False,
            help="CSV with antecedent_name,consequent_name or old,new, an export of a site, or a tag-complete list; may be "
            "given again.",
        ),
        option(
            "--implications", multiple=True, type=click.Path(path_type=Path), metavar="FILE", show_default=False,
            help="Export of implications; may be given again.",
        ),
        option(
            "--blacklist", multiple=True, metavar="FILE|NAME", show_default=False,
            help="Tags that are no labels, or an export that tells deprecated ones, or danbooru-meta; may be given again.",
        ),
        option(
            "--categories", multiple=True, type=click.Path(path_type=Path), metavar="FILE", show_default=False,
            help="Export of tags, for categories that the source does not tell.",
        ),
    ]  # fmt: skip
    for one in reversed(options):
        verb = one(verb)
    return verb


class Given(NamedTuple):
    """What the options of `relation_options` name, read."""

    relations: "TagRelations"
    categories: Mapping[str, str]
    findings: list[str]


def read_given(settings: Mapping[str, Any], root: Path | None, own: Iterable[Path] = ()) -> Given:
    """Read the files that were given, with those that a dataset has of its own."""
    from arena.dataset.blacklists import find_blacklist
    from arena.tags.exports import read_categories, read_relations

    relations = read_relations(
        own, aliases=settings["aliases"], implications=settings["implications"],
        blacklist=[find_blacklist(one, root) for one in settings["blacklist"]],
    )  # fmt: skip
    known = read_categories(settings["categories"])
    return Given(relations, known.by_name, [*relations.findings, *known.findings])
