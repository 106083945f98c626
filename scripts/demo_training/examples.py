"""Images with their tags, ready for training: one uint8 array and one matrix of labels."""

import csv
import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.base.files import open_whole
from arena.cards import Preprocess
from arena.images.decode import decode
from arena.taggers.preprocess import square

CACHE = Path("build/training/cache")
"""Folder where decoded squares are cached between runs."""

DECODERS = 2
"""Number of threads that decode images; Pillow releases the GIL while decoding."""


@dataclass(frozen=True)
class Examples:
    """Images of one part of a dataset, in the order of its `images.parquet`.

    Attributes:
        folder: folder in the frozen layout.
        images: rows of its `images.parquet` (`image_id path phash tags group` ...).
        tags: names of the columns of `truth`, sorted.
        truth: bool (images, tags), labels.
    """

    folder: Path
    images: pd.DataFrame
    tags: tuple[str, ...]
    truth: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.images)

    def squares(self, side: int) -> NDArray[np.uint8]:
        """Return the images padded to white squares and resized as arena does; uint8 (images, side, side, 3), cached."""
        key = "\n".join((*self.images["sha256"], str(side)))
        path = CACHE / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}-{side}.npy"
        if not path.exists():
            preprocess = Preprocess(size=side)
            with ThreadPoolExecutor(DECODERS) as pool:
                pixels = list(
                    pool.map(lambda name: square(decode(self.folder / name), preprocess), self.images["path"])
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            with open_whole(path) as file:
                np.save(file, np.stack(pixels))
        loaded: NDArray[np.uint8] = np.load(path)
        return loaded

    def take(self, rows: NDArray[np.bool_]) -> "Examples":
        """Return the chosen rows with the same tags."""
        return Examples(self.folder, self.images[rows].reset_index(drop=True), self.tags, self.truth[rows])

    def columns(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Return the labels of the named tags, bool (images, names); all False for a tag that no image has."""
        index = {name: column for column, name in enumerate(self.tags)}
        truth = np.zeros((len(self), len(names)), dtype=bool)
        for column, name in enumerate(names):
            if name in index:
                truth[:, column] = self.truth[:, index[name]]
        return truth


class Split(NamedTuple):
    """Training examples, and the validation slice on which thresholds and recipes are chosen."""

    train: Examples
    validation: Examples


def read_examples(folder: Path) -> Examples:
    """Read one part of a dataset in the frozen layout."""
    images = pd.read_parquet(folder / "images.parquet")
    tags = tuple(sorted({name for names in images["tags"] for name in names}))
    index = {name: column for column, name in enumerate(tags)}
    truth = np.zeros((len(images), len(tags)), dtype=bool)
    for row, names in enumerate(images["tags"]):
        truth[row, [index[name] for name in names]] = True
    return Examples(folder, images, tags, truth)


def split_validation(examples: Examples, share: float) -> Split:
    """Set aside about `share` of the near-duplicate groups for validation, chosen by a hash of the group number.

    A group with more than 2 % of the images stays in training, so that no single icon theme dominates the validation slice.
    """
    groups = examples.images["group"].astype(str)
    sizes = Counter(groups)
    drawn = {g for g in sizes if int(hashlib.sha256(f"validation {g}".encode()).hexdigest()[:8], 16) < share * 2**32}
    limit = 0.02 * len(examples)
    held = np.array([g in drawn and sizes[g] <= limit for g in groups])
    return Split(examples.take(~held), examples.take(held))


def read_aliases(folder: Path) -> list[tuple[str, str]]:
    """Return the active pairs (spelling, tag) of `tag_aliases.csv`, in its order."""
    with (folder / "tag_aliases.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row.get("status") or "active") == "active"]
    return [(row["antecedent_name"], row["consequent_name"]) for row in rows]


def read_categories(folder: Path) -> dict[str, str]:
    """Return the category of each tag of `tags.csv`."""
    with (folder / "tags.csv").open(newline="", encoding="utf-8") as file:
        return {row["name"]: row["category"] for row in csv.DictReader(file)}
