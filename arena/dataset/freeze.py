"""Freeze a dataset: select its images, pin every byte by a digest, and write the folder completely or not at all.

The frozen folder depends only on the images and the options. It records no date, no path and no input order, so that two
people on two machines get the same digest and the same `dataset.toml`.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from arena.base.errors import ArenaError
from arena.base.files import copy_file, digest_file, write_whole
from arena.base.locks import lock_output
from arena.base.progress import Progress, Silent
from arena.base.scratch import open_scratch, remove_scratch
from arena.cards import DatasetCard, check_name, read_dataset_card
from arena.dataset.files import (
    CARRIED_FILES,
    DROPPED_FILE,
    DUPLICATES_FILE,
    default_workers,
)
from arena.dataset.frozen import HeldOut, read_frozen, toml_text, write_frozen
from arena.dataset.pins import FILES, ROWS, digest_rows
from arena.dataset.placing import place_images, plan_links, plan_tars
from arena.dataset.selection import INCLUDED_FOR, Selected, Selection, select

PINNED_FILES = ("tags.csv", *CARRIED_FILES)
"""Files whose digests are listed in the card."""

SAMPLING = "sampling"
"""Key of the card: `all`, `random` or `representative`. A dataset frozen from a sample keeps the value of that sample."""

REPRESENTATIVE_NOTE = (
    "chosen tag by tag (column included_for), so this is not a random sample: "
    "rare tags are more frequent here than in the source. The column weight is 1 / the inclusion probability"
)


_SHA256 = re.compile("[0-9a-f]{64}")


class FreezeResult(NamedTuple):
    """A frozen folder.

    Attributes:
        written: False if the identical dataset existed already.
    """

    card: DatasetCard
    images: int
    written: bool


class _Origin(NamedTuple):
    """Card and digest of the source."""

    card: DatasetCard
    digest: str


@dataclass(frozen=True)
class CardOverrides:
    """Card entries of the frozen dataset that its source does not have; an empty one keeps the entry of the source."""

    name: str
    title: str = ""
    licence: str = ""


def freeze_dataset(
    source: DatasetCard,
    output: Path,
    *,
    about: CardOverrides,
    selection: Selection,
    tars: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
) -> FreezeResult:
    """Write a dataset, or a selection of it, as a frozen folder.

    Each image is read and compared with its digest before it is linked. The folder is built next to `output` under a name that
    starts with a dot, and renamed when it is complete. After an interruption the same call continues.

    Args:
        tars: write the images into new tars. Otherwise image files are linked, and so are the tars of a source that has some.

    Raises:
        ArenaError: the source is damaged, the selection is empty, or `output` holds something else.
    """
    check_name(about.name)
    _refuse_overlap(source.folder, output)
    heldout = read_frozen(source)
    _refuse_malformed_digests(heldout)
    categories = {name: heldout.tags.category(column) for column, name in enumerate(heldout.tags.names)}
    origin = _Origin(heldout.card, heldout.digest)
    selected = select(heldout.images, categories, selection)
    del heldout  # its lists of tags take as much memory as those of the selection
    plan = plan_tars(source.folder, selected.images) if tars else plan_links(selected.images)
    scratch = output.resolve().parent / f".{output.resolve().name}.partial"
    with lock_output(output, "dataset freeze"):
        open_scratch(scratch)
        partial = scratch / "folder"
        partial.mkdir(exist_ok=True)
        _write_tables(partial, origin, selected._replace(images=plan.images), about, selection)
        try:
            is_there = _is_there(output, partial)
        except ArenaError:
            remove_scratch(scratch)
            raise
        if not is_there:
            place_images(origin.card.folder, plan, partial, workers or default_workers(), progress or Silent())
            if output.is_dir():
                output.rmdir()
            partial.rename(output)
        remove_scratch(scratch)
    return FreezeResult(read_dataset_card(output / "dataset.toml"), len(selected.images), written=not is_there)


def _refuse_overlap(source: Path, output: Path) -> None:
    """Raise if one of the two folders lies inside the other, or they are equal."""
    inner, outer = output.resolve(), source.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise ArenaError(f"--output {output}: it lies in the dataset {source}, or contains it; name a folder elsewhere")


def _refuse_malformed_digests(heldout: HeldOut) -> None:
    """Raise if a digest is malformed: it becomes a file name."""
    for path, sha256 in zip(heldout.images["path"].tolist(), heldout.images["sha256"].tolist(), strict=True):
        if not _SHA256.fullmatch(sha256):
            raise ArenaError(
                f"{heldout.card.folder}: images.parquet has sha256 {sha256[:70]!r} for {path!r}; it must be 64 hex digits"
            )


def _write_tables(
    partial: Path, origin: _Origin, selected: Selected, about: CardOverrides, selection: Selection
) -> None:
    """Write all files except the images."""
    for name in (*CARRIED_FILES, DUPLICATES_FILE, DROPPED_FILE):
        (partial / name).unlink(missing_ok=True)
        if (origin.card.folder / name).exists():
            copy_file(origin.card.folder / name, partial / name)
    images = selected.images
    card = _card(origin, selected, about, selection)
    digest = write_frozen(partial, card=card, images=images[sorted(images.columns)], tags=list(selected.tags.items()))
    pinned = [
        {"name": name, "sha256": digest_file(partial / name)} for name in PINNED_FILES if (partial / name).exists()
    ]
    steps = card.pop("steps", [])
    text = toml_text({
        **card, "images": len(images), "tags": len(selected.tags), "digest": digest,
        ROWS: digest_rows(partial / "images.parquet"), "steps": steps, FILES: pinned,
    })  # fmt: skip
    write_whole(partial / "dataset.toml", text)


def _card(origin: _Origin, selected: Selected, about: CardOverrides, selection: Selection) -> dict[str, Any]:
    """Return the content of `dataset.toml`: entries of the source's card, selection options, and what each step dropped."""
    made = {"name", "title", "licence", "images", "tags", "digest", ROWS, "steps", FILES}
    made |= {"frozen_from", "frozen_from_digest", SAMPLING, f"{SAMPLING}_note"}
    old = origin.card.facts
    sampling = _sampling(str(old.get(SAMPLING, "all")), selected, selection)
    return {
        "name": about.name,
        "title": about.title or _own_title(origin.card) or about.name,
        "licence": about.licence or origin.card.licence,
        **{key: value for key, value in old.items() if key not in made and not key.startswith("selected_")},
        "frozen_from": origin.card.name,
        "frozen_from_digest": origin.digest,
        **_options(selection),
        SAMPLING: sampling,
        **({f"{SAMPLING}_note": REPRESENTATIVE_NOTE} if sampling == "representative" else {}),
        "steps": [*old.get("steps", []), *(step._asdict() for step in selected.steps)],
    }


def _own_title(card: DatasetCard) -> str:
    """Return the title of a dataset; empty if it has none but its name."""
    title = str(card.facts.get("title", ""))
    return "" if title == card.name else title


def _sampling(before: str, selected: Selected, selection: Selection) -> str:
    if INCLUDED_FOR in selected.images.columns:
        return "representative"
    return "random" if selection.sample is not None else before


def _options(selection: Selection) -> dict[str, Any]:
    """Return every option of the selection that was used, by its key in the card."""
    sampled = selection.sample is not None or selection.representative is not None
    used = {
        "after_id": selection.after_id,
        "before_id": selection.before_id,
        "since": None if selection.since is None else selection.since.isoformat(),
        "until": None if selection.until is None else selection.until.isoformat(),
        "trained_until": "; ".join(sorted(f"{card.name}: {card.trained_until}" for card in selection.trained_until)),
        "sample": selection.sample,
        "representative": selection.representative,
        "seed": selection.seed if sampled else None,
        "min_images": selection.min_images or None,
    }
    return {f"selected_{key}": value for key, value in used.items() if value not in (None, "")}


def _is_there(output: Path, partial: Path) -> bool:
    """Return whether `output` holds the identical dataset already.

    Raises:
        ArenaError: `output` holds something else.
    """
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return False
    card = output / "dataset.toml"
    if not card.is_file():
        raise ArenaError(f"--output {output}: it exists and is not a frozen dataset; name another folder")
    if card.read_bytes() != (partial / "dataset.toml").read_bytes():
        raise ArenaError(
            f"--output {output}: it holds another dataset ({_digest_of(card)}); name another folder, or remove it"
        )
    return True


def _digest_of(card: Path) -> str:
    try:
        return f"digest {read_dataset_card(card).digest[:12]}"
    except ArenaError:
        return "its card cannot be read"
