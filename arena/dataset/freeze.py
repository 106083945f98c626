"""Freeze a dataset: choose its images, pin every byte, and put the whole into place at once or not at all.

The frozen folder depends on the images and the options alone: no date, no path and no order of input is written into it, so
that two people on two machines get one digest and one `dataset.toml`.
"""

import hashlib
import json
import math
import re
import shutil
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from arena.base.errors import ArenaError
from arena.base.files import digest_file
from arena.base.progress import Progress, Silent
from arena.cards import DatasetCard, check_name, read_dataset_card
from arena.dataset.files import (
    CARRIED_FILES,
    DROPPED_FILE,
    DUPLICATES_FILE,
    default_workers,
    in_threads,
    is_inside,
    place,
    stored_path,
)
from arena.dataset.frozen import NAMED_MISSING_FILES, HeldOut, read_frozen, toml_text, write_frozen
from arena.dataset.selection import INCLUDED_FOR, Selected, Selection, select

PINNED_FILES = ("tags.csv", *CARRIED_FILES)
"""Files whose digests the card lists."""

SAMPLING = "sampling"
"""Key of the card: `all`, `random` or `representative`. What is frozen from a sample stays one of that kind."""

REPRESENTATIVE_NOTE = (
    "chosen tag by tag (column included_for), so this is no random sample: "
    "rare tags are more common here than where it was drawn"
)


_SHA256 = re.compile("[0-9a-f]{64}")


class Frozen(NamedTuple):
    """A frozen folder.

    Attributes:
        written: False where the very same set was there already.
    """

    card: DatasetCard
    images: int
    written: bool


@dataclass(frozen=True)
class About:
    """What the card of the frozen set says that its source cannot know; empty keeps the source's."""

    name: str
    title: str = ""
    licence: str = ""


def freeze(
    source: DatasetCard,
    output: Path,
    *,
    about: About,
    selection: Selection,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Frozen:
    """Write a part of a dataset, or all of it, as a frozen folder.

    Each image is read and compared with its digest before it is linked. The folder grows beside `output` under a name with
    a dot and is renamed when it is whole; stopped before, the same call continues.

    Raises:
        ArenaError: the source is damaged, the selection leaves nothing, or `output` holds something else.
    """
    check_name(about.name)
    _refuse_overlap(source.folder, output)
    heldout = read_frozen(source)
    _refuse_outside(heldout)
    categories = {name: heldout.tags.category(column) for column, name in enumerate(heldout.tags.names)}
    selected = select(heldout.images, categories, selection)
    partial = output.resolve().parent / f".{output.resolve().name}.partial"
    partial.mkdir(parents=True, exist_ok=True)
    _write_tables(partial, heldout, selected, about, selection)
    if _is_there(output, partial):
        shutil.rmtree(partial)
        return Frozen(read_dataset_card(output / "dataset.toml"), len(selected.images), written=False)
    _place_images(heldout, selected.images, partial, workers or default_workers(), progress or Silent())
    _take_away(partial, selected.images)
    if output.is_dir():
        output.rmdir()
    partial.rename(output)
    return Frozen(read_dataset_card(output / "dataset.toml"), len(selected.images), written=True)


def digest_rows(path: Path) -> str:
    """SHA-256, in hexadecimal, over every column of every row of a Parquet file, whatever wrote it.

    `digest_images` pins what an image is; this one also pins its size, hashes, rating, group and any other column.
    """
    digest = hashlib.sha256()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=8_192):
            for row in batch.to_pylist():
                digest.update(json.dumps({key: _plain(row[key]) for key in sorted(row)}).encode() + b"\n")
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """A cell as JSON can hold it; a missing number and a missing cell are the same."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in sorted(value.items())}
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, str | int | float | bool | None) else _moment(value)


def _moment(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | datetime | pd.Timestamp) else str(value)


def _refuse_overlap(source: Path, output: Path) -> None:
    """A set is never frozen into itself."""
    inner, outer = output.resolve(), source.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise ArenaError(f"--output {output}: it lies in the dataset {source}, or around it; name a folder beside it")


def _refuse_outside(heldout: HeldOut) -> None:
    """Every path and digest becomes the name of a file, so none may lead elsewhere."""
    for path, sha256 in zip(heldout.images["path"], heldout.images["sha256"], strict=True):
        if not is_inside(path):
            raise ArenaError(
                f"{heldout.card.folder}: images.parquet names {path!r}, which is no place below the folder"
            )
        if not _SHA256.fullmatch(sha256):
            raise ArenaError(
                f"{heldout.card.folder}: images.parquet has sha256 {sha256[:70]!r} for {path!r}; it is 64 hex digits"
            )


def _whole_numbers(images: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The rows with every column of whole numbers as such: pandas reads one with an empty cell as decimals."""
    table = pq.read_table(
        path, columns=[field.name for field in pq.read_schema(path) if pa.types.is_integer(field.type)]
    )
    broken = [name for name in table.column_names if pd.api.types.is_float_dtype(images[name])]
    if not broken:
        return images
    mapper = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}.get
    whole = table.select(broken).to_pandas(types_mapper=mapper)
    whole.index = pd.Index(pq.read_table(path, columns=["image_id"])["image_id"].to_pylist())
    return images.assign(**{name: whole[name].loc[images["image_id"]].array for name in broken})


def _write_tables(partial: Path, heldout: HeldOut, selected: Selected, about: About, selection: Selection) -> None:
    """Everything but the images."""
    for name in (*CARRIED_FILES, DUPLICATES_FILE, DROPPED_FILE):
        (partial / name).unlink(missing_ok=True)
        if (heldout.card.folder / name).exists():
            shutil.copyfile(heldout.card.folder / name, partial / name)
    images = _whole_numbers(selected.images, heldout.card.folder / "images.parquet").assign(
        path=_stored_paths(selected.images)
    )
    card = _card(heldout, selected, about, selection)
    digest = write_frozen(partial, card=card, images=images[sorted(images.columns)], tags=list(selected.tags.items()))
    pinned = [
        {"name": name, "sha256": digest_file(partial / name)} for name in PINNED_FILES if (partial / name).exists()
    ]
    steps = card.pop("steps", [])
    text = toml_text({
        **card, "images": len(images), "tags": len(selected.tags), "digest": digest,
        "rows_digest": digest_rows(partial / "images.parquet"), "steps": steps, "files": pinned,
    })  # fmt: skip
    (partial / "dataset.toml").write_text(text, encoding="utf-8")


def _card(heldout: HeldOut, selected: Selected, about: About, selection: Selection) -> dict[str, Any]:
    """Content of `dataset.toml`: what the source's card says, which options shaped the set, and what every step dropped."""
    made = {"name", "title", "licence", "images", "tags", "digest", "rows_digest", "steps", "files"}
    made |= {"frozen_from", "frozen_from_digest", SAMPLING, f"{SAMPLING}_note"}
    old = heldout.card.facts
    sampling = _sampling(str(old.get(SAMPLING, "all")), selected, selection)
    return {
        "name": about.name,
        "title": about.title or heldout.card.title,
        "licence": about.licence or heldout.card.licence,
        **{key: value for key, value in old.items() if key not in made and not key.startswith("selected_")},
        "frozen_from": heldout.card.name,
        "frozen_from_digest": heldout.digest,
        **_options(selection),
        SAMPLING: sampling,
        **({f"{SAMPLING}_note": REPRESENTATIVE_NOTE} if sampling == "representative" else {}),
        "steps": [*old.get("steps", []), *(step._asdict() for step in selected.steps)],
    }


def _sampling(before: str, selected: Selected, selection: Selection) -> str:
    if INCLUDED_FOR in selected.images.columns:
        return "representative"
    return "random" if selection.sample is not None else before


def _options(selection: Selection) -> dict[str, Any]:
    """Every option of the selection that was used, by the key under which the card records it."""
    drawn = selection.sample is not None or selection.representative is not None
    used = {
        "after_id": selection.after_id,
        "before_id": selection.before_id,
        "since": None if selection.since is None else selection.since.isoformat(),
        "until": None if selection.until is None else selection.until.isoformat(),
        "trained_until": "; ".join(sorted(f"{card.name}: {card.trained_until}" for card in selection.trained_until)),
        "sample": selection.sample,
        "representative": selection.representative,
        "seed": selection.seed if drawn else None,
        "min_images": selection.min_images or None,
    }
    return {f"selected_{key}": value for key, value in used.items() if value not in (None, "")}


def _is_there(output: Path, partial: Path) -> bool:
    """Whether the very same set is in place already; anything else there is refused."""
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return False
    card = output / "dataset.toml"
    if not card.is_file():
        shutil.rmtree(partial)
        raise ArenaError(f"--output {output}: it exists and is no frozen dataset; name another folder")
    if card.read_bytes() != (partial / "dataset.toml").read_bytes():
        shutil.rmtree(partial)
        raise ArenaError(
            f"--output {output}: it holds another set ({_digest_of(card)}); name another folder, or remove that one"
        )
    return True


def _digest_of(card: Path) -> str:
    try:
        return f"digest {read_dataset_card(card).digest[:12]}"
    except ArenaError:
        return "its card cannot be read"


def _stored_paths(images: pd.DataFrame) -> list[str]:
    """Where each image lies in the frozen folder."""
    named = zip(images["sha256"], images["path"], strict=True)
    return [stored_path(sha256, PurePosixPath(path).suffix) for sha256, path in named]


class _Image(NamedTuple):
    """Where an image lies in the source, and what its digest must be."""

    path: str
    sha256: str


def _place_images(heldout: HeldOut, images: pd.DataFrame, partial: Path, workers: int, progress: Progress) -> None:
    """Link every image that is as its digest says; one that is not stops the freezing, with those like it named."""
    named = zip(_stored_paths(images), images["path"], images["sha256"], strict=True)
    plan = {target: _Image(path, sha256) for target, path, sha256 in named}
    todo = [target for target in plan if not (partial / target).exists()]

    def place_one(target: str) -> str:
        source = heldout.card.folder / plan[target].path
        if not source.is_file() or digest_file(source) != plan[target].sha256:
            return plan[target].path
        place(source, partial / target)
        return ""

    with progress.count("images", len(plan), len(plan) - len(todo)) as advance:
        damaged = [path for path in in_threads(place_one, todo, workers=workers, advance=advance) if path]
    if damaged:
        some = ", ".join(damaged[:NAMED_MISSING_FILES]) + (" ..." if len(damaged) > NAMED_MISSING_FILES else "")
        raise ArenaError(
            f"{heldout.card.folder}: {len(damaged)} images differ from their sha256: {some}. Restore them, or import again"
        )


def _take_away(partial: Path, images: pd.DataFrame) -> None:
    """Remove what an earlier attempt with other options left."""
    wanted = {partial / path for path in _stored_paths(images)}
    for path in sorted((partial / "images").rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in wanted:
            path.unlink()
