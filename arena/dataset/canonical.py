"""Canonicalise the labels of a dataset: resolve aliases, add implied tags, remove blacklisted tags."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from arena.base.errors import ArenaError
from arena.base.files import copy_file, own_name
from arena.base.locks import lock_output
from arena.base.progress import Progress, Silent
from arena.base.scratch import open_scratch, remove_scratch
from arena.cards import check_name
from arena.dataset.files import link_or_copy
from arena.dataset.frozen import ABSENT, KNOWN_COLUMNS, HeldOut, write_frozen
from arena.dataset.tars import Stored, stored_images
from arena.images.places import digest_image
from arena.tags import UNKNOWN_CATEGORY, TagRelations
from arena.tags.exports import RELATION_FILES, write_relations

_REWRITTEN_FILES = ("dataset.toml", "images.parquet", "tags.csv", *RELATION_FILES)
"""Files of a dataset folder that are written again; every other file of the folder is copied."""

NAMED_RELATION_FINDINGS = 20
"""Number of findings that a card lists; further ones are only counted."""


class Canonical(NamedTuple):
    """Result of `canonicalise`: labels that are consistent with the tag relations."""

    images: pd.DataFrame
    """The rows of the dataset, with canonical `tags`."""
    tags: list[tuple[str, str]]
    """(name, category), sorted."""
    relations: TagRelations
    """The relations that concern these tags."""
    step: dict[str, Any]
    """The row of `[[steps]]` for the card: what was changed."""


def canonicalise(dataset: HeldOut, relations: TagRelations, categories: Mapping[str, str] | None = None) -> Canonical:
    """Replace the tags of every image by their canonical names, add implied tags, and remove blacklisted tags.

    No image is dropped: an image without any tag left is still a negative of every tag.

    Args:
        relations: all relations to apply, including those of the dataset.
        categories: category of each tag that an implication may add; a tag of the dataset keeps its category.

    Raises:
        ArenaError: the blacklist removes every tag.
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
        raise ArenaError(f"{dataset.card.folder}: the blacklist leaves no tag; use a shorter blacklist")
    why = (
        f"{done['renamed']} labels renamed by aliases, {done['implied']} added by implications, "
        f"{done['blacklisted']} removed by the blacklist; {done['bare']} images are left without a tag"
    )
    kept = relations.about(wanted | dataset.relations.blacklist.keys())
    step = {"name": "tags", "kept": len(dataset), "dropped": 0, "why": why}
    lists = {"tags": closed, **_canonical_known(dataset, relations, closed)}
    columns = {column: pd.Series(names, index=dataset.images.index) for column, names in lists.items()}
    return Canonical(dataset.images.assign(**columns), tags, kept, step)


def _canonical_known(
    dataset: HeldOut, relations: TagRelations, closed: Sequence[Sequence[str]]
) -> dict[str, list[list[str]]]:
    """Return the columns of known tags with canonical names and without blacklisted tags.

    Args:
        closed: canonical tags of each image.

    Raises:
        ArenaError: a tag that was verified to be absent is an alias of, or implied by, a tag of the image.
    """
    images, found = dataset.images, dict[str, list[list[str]]]()
    for column in KNOWN_COLUMNS:
        if column in images.columns:
            named = ({relations.canonical(name) for name in names} for names in images[column])
            found[column] = [sorted(names - relations.blacklist.keys()) for names in named]
    for image_id, present, absent in zip(
        images["image_id"], closed, found.get(ABSENT, [[]] * len(images)), strict=True
    ):
        if both := sorted(set(present) & set(absent)):
            raise ArenaError(
                f"{dataset.card.folder}: image {image_id} has {both[0]} in {ABSENT}, but its tags include or imply it; "
                "correct one of the two columns, or the relations"
            )
    return found


def write_canonical(
    dataset: HeldOut, made: Canonical, output: Path, *, name: str = "", progress: Progress = Silent()
) -> str:
    """Write the dataset with its new labels to a new folder, completely or not at all.

    Image files are hard-linked, or copied if that fails. Other files of the dataset folder are copied.

    Args:
        name: name of the new dataset; empty: the name of the folder.

    Returns: the digest of the new dataset.

    Raises:
        ArenaError: the folder exists already, the name is invalid, or an image lies outside the dataset.
    """
    check_name(name or output.name)
    scratch = output.with_name(f".{output.name}.part")
    with lock_output(output, "dataset tags"):
        if output.exists():
            raise ArenaError(f"--output {output}: exists already; name another folder")
        remove_scratch(scratch)
        open_scratch(scratch)
        part = scratch / "folder"
        part.mkdir()
        _take_over(dataset, part, progress)
        write_relations(part, made.relations)
        digest = write_frozen(part, card=_card(dataset, made, name or output.name), images=made.images, tags=made.tags)
        part.rename(output)
        remove_scratch(scratch)
    return digest


def _close(names: list[str], relations: TagRelations, done: Counter[str]) -> list[str]:
    """Return the canonical tags of one image, sorted, and add the numbers of changes to `done`."""
    direct = {relations.canonical(name) for name in names}
    closed = relations.close(names)
    done["renamed"] += sum(relations.canonical(name) != name for name in names)
    done["implied"] += len(closed - direct)
    done["blacklisted"] += len(direct - closed)
    done["bare"] += not closed
    return sorted(closed)


def _card(dataset: HeldOut, made: Canonical, name: str) -> dict[str, Any]:
    """Return the card of the dataset with the new step and the findings about the relations."""
    kept = {key: value for key, value in dataset.card.facts.items() if key not in ("digest", "images", "tag_findings")}
    return {**kept, "name": name, "steps": [*kept.pop("steps", []), made.step], **relation_findings(made.relations)}


def relation_findings(relations: TagRelations) -> dict[str, Any]:
    """Return the findings about the relations as entries of the card; empty if there are none."""
    findings = [{"found": text} for text in relations.findings[:NAMED_RELATION_FINDINGS]]
    if len(relations.findings) > NAMED_RELATION_FINDINGS:
        findings.append({"found": f"and {len(relations.findings) - NAMED_RELATION_FINDINGS} more"})
    return {"tag_findings": findings} if findings else {}


def _take_over(dataset: HeldOut, folder: Path, progress: Progress) -> None:
    """Link every image, and copy the files of the dataset folder that are not written again."""
    source = dataset.card.folder
    for path in sorted(source.iterdir()):
        if path.is_file() and not path.is_symlink() and path.name not in _REWRITTEN_FILES and not own_name(path.name):
            copy_file(path, folder / path.name)
    with progress.count("images", len(dataset), 0) as advance:
        for one, sha256 in zip(stored_images(dataset.images), dataset.images["sha256"], strict=True):
            if _is_other_file(source, one, sha256):
                raise ArenaError(
                    f"{source}: image {one.path!r} is a link to a file that differs from its sha256; restore it"
                )
            link_or_copy(source / one.file, folder / one.file)
            advance(1)


def _is_other_file(folder: Path, one: Stored, sha256: str) -> bool:
    """Return whether a link on the way to an image leads out of the folder, to a file with another digest.

    A link may name any file of this machine. One to a file with the digest of the image, as in the cache of a hub, is followed.
    """
    outside = not (folder / one.file).resolve().is_relative_to(folder.resolve())
    return outside and digest_image(one.place(folder)) != sha256
