"""Pictures of an index, if still available: its candidates are then compared by pixels, not only by hash distance."""

import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from arena.base.errors import ArenaError, nearest
from arena.base.progress import Progress
from arena.dataset.copies.pairs import classify_candidates
from arena.dataset.copies.signing import make_thumbnails
from arena.dataset.listing import ImageListing, list_source
from arena.images.places import ImagePlace


def find_pictures(
    given: Sequence[str], indexes: Sequence[Path], root: Path | None = None
) -> dict[str, list[ImageListing]]:
    """Return the picture sources of each index, by the file name of the index.

    Args:
        given: `INDEX=SOURCE`, or `SOURCE` if there is only one index; a source as `arena hash` takes it.

    Raises:
        ArenaError: the index of a source is ambiguous, or the source does not exist.
    """
    names = [path.name for path in indexes]
    found: dict[str, list[ImageListing]] = {}
    for text in given:
        name, separator, source = text.partition("=")
        if not separator or name not in names:
            if len(names) != 1:
                raise ArenaError(f"--pictures {text}: no index named; write INDEX={text}. {nearest(name, names)}")
            name, source = names[0], text
        found.setdefault(name, []).append(list_source(source, root))
    return found


def find_image_files(image_ids: Collection[str], sources: Sequence[ImageListing]) -> dict[str, ImagePlace]:
    """Return the places of some images of an index; an image that no source has is left out."""
    wanted, found = set(image_ids), dict[str, ImagePlace]()
    for source in sources:
        for plain, prefixed in zip(source.items(), source.prefixed(), strict=True):
            for one in (plain, prefixed):
                if one.image_id in wanted:
                    found.setdefault(one.image_id, one.place)
    return found


def compare_candidates(
    pairs: pd.DataFrame, lefts: Sequence[ImagePlace], rights: Mapping[int, ImagePlace], progress: Progress
) -> pd.DataFrame:  # fmt: skip
    """Compare candidates by their pictures; pairs without two readable pictures stay candidates.

    Args:
        pairs: as `classify_candidates` takes them, with rows of held-out images (`left`) and of an index (`right`), of class
            `candidate`.
        lefts: file of every held-out image, by row.
        rights: row of the index -> file, for the pictures that are available.

    Returns: the same pairs, in another order, with class and the columns of `AlignmentDifference` for those compared.
    """
    some = pairs[pairs["right"].isin(rights.keys())]
    if some.empty:
        return pairs
    left, right = (np.unique(some[end]) for end in ("left", "right"))
    with tempfile.TemporaryDirectory(prefix="arena-") as folder:
        paths = [*(lefts[row] for row in left), *(rights[row] for row in right)]
        pictures = make_thumbnails(paths, Path(folder) / "thumbnails.npy", progress)
        ends = some.assign(
            left=np.searchsorted(left, some["left"]), right=np.searchsorted(right, some["right"]) + len(left)
        )
        readable = ends[pictures.readable[ends["left"]] & pictures.readable[ends["right"]]]
        parts = []
        with progress.count("comparing candidates", len(readable), 0) as advance:
            for part in classify_candidates(readable.drop(columns="class"), pictures.pixels):
                parts.append(part.assign(left=left[part["left"]], right=right[part["right"] - len(left)]))
                advance(len(part))
    compared = pd.concat(parts) if parts else readable.iloc[:0]
    keys = pd.MultiIndex.from_frame(pairs[["left", "right"]])
    done = keys.isin(pd.MultiIndex.from_frame(compared[["left", "right"]]))
    return pd.concat([pairs[~done], compared], ignore_index=True)
