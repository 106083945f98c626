"""Pictures of an index, where they are still at hand: its candidates are then compared, not only told by their distance."""

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from arena.base.errors import ArenaError, nearest
from arena.base.progress import Progress
from arena.dataset.copies.pairs import confirm
from arena.dataset.copies.signing import read_thumbnails
from arena.dataset.listing import Listed, list_source


def find_pictures(given: Sequence[str], indexes: Sequence[Path], root: Path | None = None) -> dict[str, list[Listed]]:
    """Where the pictures of each index are, by its file name.

    Args:
        given: `INDEX=SOURCE`, or `SOURCE` where there is one index; a source is what `arena hash` takes.

    Raises:
        ArenaError: it cannot be told of which index, or there is nothing.
    """
    names = [path.name for path in indexes]
    found: dict[str, list[Listed]] = {}
    for text in given:
        name, separator, source = text.partition("=")
        if not separator or name not in names:
            if len(names) != 1:
                raise ArenaError(f"--pictures {text}: of which index? Write INDEX={text}. {nearest(name, names)}")
            name, source = names[0], text
        found.setdefault(name, []).append(list_source(source, root))
    return found


def paths_of(image_ids: Collection[str], sources: Sequence[Listed]) -> dict[str, Path]:
    """The files of some images of an index; one that no source has is left out."""
    wanted, found = set(image_ids), dict[str, Path]()
    for source in sources:
        for plain, prefixed in zip(source.items(), source.prefixed(), strict=True):
            for image_id, path in (plain, prefixed):
                if image_id in wanted:
                    found.setdefault(image_id, Path(path))
    return found


def compare(
    pairs: pd.DataFrame, lefts: Sequence[Path], rights: Mapping[int, Path], progress: Progress
) -> pd.DataFrame:  # fmt: skip
    """Candidates with the class and the figures that their pictures show; those without a readable picture stay candidates.

    Args:
        pairs: as `confirm` takes them, with rows of held-out images and of an index, of class `candidate`.
        lefts: of every held-out image.
        rights: of those rows of the index whose picture is at hand.
    """
    some = pairs[pairs["right"].isin(rights.keys())]
    if some.empty:
        return pairs
    left, right = (np.unique(some[end]) for end in ("left", "right"))
    with tempfile.TemporaryDirectory(prefix="arena-") as folder:
        paths = [*(lefts[row] for row in left), *(rights[row] for row in right)]
        pictures = read_thumbnails(paths, Path(folder) / "thumbnails.npy", progress)
        ends = some.assign(
            left=np.searchsorted(left, some["left"]), right=np.searchsorted(right, some["right"]) + len(left)
        )
        told = ends[pictures.readable[ends["left"]] & pictures.readable[ends["right"]]]
        parts = []
        with progress.count("comparing candidates", len(told), 0) as advance:
            for part in confirm(told.drop(columns="class"), pictures.pixels):
                parts.append(part.assign(left=left[part["left"]], right=right[part["right"] - len(left)]))
                advance(len(part))
    compared = pd.concat(parts) if parts else told.iloc[:0]
    keys = pd.MultiIndex.from_frame(pairs[["left", "right"]])
    done = keys.isin(pd.MultiIndex.from_frame(compared[["left", "right"]]))
    return pd.concat([pairs[~done], compared], ignore_index=True)
