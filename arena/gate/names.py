"""Refuse categories, tag groups and critical tags of a policy that do not exist, because they would never be judged."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from arena.base.errors import ArenaError, nearest
from arena.base.format import shown
from arena.gate.by_tag import CRITICAL
from arena.gate.parts import CATEGORY_MARGINS, TAG_GROUP_MARGINS
from arena.gate.policy import Policy
from arena.results.published.record import Published
from arena.results.run_folder import Result
from arena.tags import CATEGORY_NAMES


@dataclass(frozen=True)
class KnownNames:
    """The names that a policy can use. None: the names are not known, so they are not checked.

    Attributes:
        categories: categories of the tags; those of `CATEGORY_NAMES` are always accepted.
        groups: names of tag groups.
        tags: tags of the ground truth, with their aliases.
    """

    categories: Collection[str] | None = None
    groups: Collection[str] | None = None
    tags: Collection[str] | None = None


def names_in_run(result: Result) -> KnownNames:
    """Return the names in a paired run. Tags are not checked, because a run has no tags that neither model knows."""
    recipe = result.recipe
    slices = result.tables["slices"]
    values = {kind: set(slices.loc[slices["slice"] == kind, "value"]) for kind in ("category", "group")}
    groups = {group.name for group in recipe.settings.tag_groups} | values["group"]
    categories = set(result.per_tag["category"]) | values["category"]
    return KnownNames(categories, groups if recipe.groups_digest is None else None)


def names_in_published(*results: Published) -> KnownNames:
    """Return the names in published files. They have no tag groups, and some have no categories."""
    categories = {name for one in results for name in one.tags["category"].dropna()}
    return KnownNames(categories or None, None, {tag for one in results for tag in one.tags["tag"]})


def refuse_unknown_names(policy: Policy, known: KnownNames) -> None:
    """Refuse a policy that names something that does not exist.

    Raises:
        ArenaError: a name does not exist; the message has the nearest one.
    """
    for where, what, names, existing in _named(policy, known):
        wrong = next((name for name in names if name not in existing), None)
        if wrong is not None:
            raise ArenaError(
                f"{policy.name}: {where} {shown(wrong)}: there is no such {what}. {nearest(wrong, existing)}"
            )


def _named(policy: Policy, known: KnownNames) -> Iterator[tuple[str, str, Collection[str], Collection[str]]]:
    """Yield the place in the policy, the kind of name, the names there, and the names that exist."""
    if known.categories is not None:
        existing = {*known.categories, *CATEGORY_NAMES.values()} - {""}
        yield "[categories.margins]", "category", policy.of(CATEGORY_MARGINS).margins, existing
    if known.groups is not None:
        yield "[tag_groups.margins]", "tag group", policy.of(TAG_GROUP_MARGINS).margins, known.groups
    if known.tags is not None:
        yield "[critical] tags", "tag", [one.tag for one in policy.of(CRITICAL).each], known.tags
