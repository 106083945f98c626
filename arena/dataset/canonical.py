"""Labels of a dataset with canonical names, with implied tags and without tags that are not labels."""

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from arena.base.errors import ArenaError
from arena.base.progress import Progress, Silent
from arena.cards import check_name
from arena.dataset.files import is_inside, place
from arena.dataset.frozen import HeldOut, write_frozen
from arena.tags import UNKNOWN_CATEGORY, TagRelations
from arena.tags.exports import RELATION_FILES, write_relations

WRITTEN = ("dataset.toml", "images.parquet", "tags.csv", *RELATION_FILES)
"""Files of a dataset folder that are written anew; every other one beside them is taken over."""

NAMED_FINDINGS = 20
"""Findings that a card holds; it counts the others."""


class Canonical(NamedTuple):
    """A truth that obeys its relations."""

    images: pd.DataFrame
    """As before, with other `tags`."""
    tags: list[tuple[str, str]]
    """(name, category), sorted."""
    relations: TagRelations
    """What matters for these tags."""
    step: dict[str, Any]
    """What was done, for the card."""


def canonicalise(dataset: HeldOut, relations: TagRelations, categories: Mapping[str, str] | None = None) -> Canonical:
    """Give every image its canonical tags with what they imply, less the blacklist.

    No image is dropped: one without a tag left is still an example of what it does not show.

    Args:
        relations: all that are known, the dataset's own among them.
        categories: of tags that come in by implication; a tag of the dataset keeps its own.
    """
    done: Counter[str] = Counter()
    closed = [_close(names, relations, done) for names in dataset.images["tags"]]
    own = {name: dataset.tags.category(column) for column, name in enumerate(dataset.tags.names)}
    known = {relations.canonical(name): category for name, category in own.items()} | own
    wanted = {relations.canonical(name) for name in dataset.tags.names}
    wanted |= {implied for name in wanted for implied in relations.implications.get(name, ())}
    other = categories or {}
    tags = [
        (name, known.get(name) or other.get(name) or UNKNOWN_CATEGORY)
        for name in sorted(wanted - relations.blacklist.keys())
    ]
    if not tags:
        raise ArenaError(f"{dataset.card.folder}: the blacklist leaves no tag; name fewer")
    why = (
        f"{done['renamed']} labels renamed by aliases, {done['implied']} added by implications, "
        f"{done['blacklisted']} taken out by the blacklist; {done['bare']} images are left without a tag"
    )
    kept = relations.about(wanted | dataset.relations.blacklist.keys())
    step = {"name": "tags", "kept": len(dataset), "dropped": 0, "why": why}
    return Canonical(dataset.images.assign(tags=pd.Series(closed, index=dataset.images.index)), tags, kept, step)


def write_canonical(
    dataset: HeldOut, made: Canonical, output: Path, *, name: str = "", progress: Progress = Silent()
) -> str:
    """Write the dataset with its new truth into a folder of its own, whole or not at all.

    Image files are hard-linked, and copied where that fails; other files beside the card are copied.

    Args:
        name: of the new set; empty takes the folder's.

    Returns: the digest of the new set.

    Raises:
        ArenaError: the folder is there already, the name cannot be one, or an image lies outside the dataset.
    """
    check_name(name or output.name)
    if output.exists():
        raise ArenaError(f"--output {output}: is there already; name another folder")
    part = output.with_name(output.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _take_over(dataset, part, progress)
    write_relations(part, made.relations)
    digest = write_frozen(part, card=_card(dataset, made, name or output.name), images=made.images, tags=made.tags)
    part.rename(output)
    return digest


def _close(names: list[str], relations: TagRelations, done: Counter[str]) -> list[str]:
    """The tags of one image, sorted; counts what was changed."""
    direct = {relations.canonical(name) for name in names}
    closed = relations.close(names)
    done["renamed"] += sum(relations.canonical(name) != name for name in names)
    done["implied"] += len(closed - direct)
    done["blacklisted"] += len(direct - closed)
    done["bare"] += not closed
    return sorted(closed)


def _card(dataset: HeldOut, made: Canonical, name: str) -> dict[str, Any]:
    """The card of before, with the step and what was found wrong with the relations."""
    kept = {key: value for key, value in dataset.card.facts.items() if key not in ("digest", "images", "tag_findings")}
    return {**kept, "name": name, "steps": [*kept.pop("steps", []), made.step], **told_findings(made.relations)}


def told_findings(relations: TagRelations) -> dict[str, Any]:
    """What a card says was wrong with the relations; nothing where nothing was."""
    told = [{"found": text} for text in relations.findings[:NAMED_FINDINGS]]
    if len(relations.findings) > NAMED_FINDINGS:
        told.append({"found": f"and {len(relations.findings) - NAMED_FINDINGS} more"})
    return {"tag_findings": told} if told else {}


def _take_over(dataset: HeldOut, folder: Path, progress: Progress) -> None:
    """Every image, and the files beside the card that are not written anew."""
    source = dataset.card.folder
    for path in sorted(source.iterdir()):
        if path.is_file() and not path.is_symlink() and path.name not in WRITTEN:
            shutil.copy2(path, folder / path.name)
    with progress.count("images", len(dataset), 0) as advance:
        for path in dataset.images["path"]:
            if not is_inside(path):
                raise ArenaError(f"{source}: image {path!r} lies outside the folder; take it out of images.parquet")
            place(source / path, folder / path)
            advance(1)
