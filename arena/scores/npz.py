"""Scores as one `.npz` file: what `arena predict` writes, and what `arena score` takes from anywhere.

Arrays: `scores` float (images, tags), `tags` str (tags,), `image_ids` str (images,); optional `tag_counts` int (tags,), the
training images of each tag, and `tag_categories` str (tags,).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.errors import ScoresError
from arena.scores.store import Scores
from arena.tags import TagSpace

CHECK_ROWS = 1024
"""Rows looked at together for NaN and range; bounds the memory of the check."""


def read_npz(path: Path, required: Sequence[str]) -> dict[str, NDArray[Any]]:
    """All arrays of an `.npz` file.

    Raises:
        ScoresError: no such file, damaged, pickled, or without a required array.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise ScoresError(f"{path}: no such file") from None
    except Exception as error:  # zipfile, zlib and numpy each raise their own on damaged bytes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ScoresError(
            f"{path}: no readable npz file ({reason}); write it with numpy.savez, strings as str"
        ) from None
    missing = [name for name in required if name not in arrays]
    if missing:
        raise ScoresError(f"{path}: no array {', '.join(missing)}; it has {', '.join(sorted(arrays)) or 'none'}")
    return arrays


def read_scores(path: Path) -> Scores:
    """Read and check scores.

    Raises:
        ScoresError: shapes disagree, an image is listed twice, or a score is NaN or outside [0, 1].
    """
    arrays = read_npz(path, ("scores", "tags", "image_ids"))
    values, image_ids = arrays["scores"], as_texts(arrays["image_ids"])
    names = as_texts(arrays["tags"])
    if values.shape != (len(image_ids), len(names)):
        raise ScoresError(f"{path}: scores {values.shape}, but {len(image_ids)} image_ids and {len(names)} tags")
    if not np.issubdtype(values.dtype, np.floating):
        raise ScoresError(f"{path}: scores are {values.dtype}; they must be floating point, 0 to 1")
    refuse_twice(path, image_ids)
    check_values(path, values, image_ids, names)
    tags = TagSpace(names, _optional(arrays, "tag_categories", as_texts), _optional(arrays, "tag_counts", _as_numbers))
    return Scores(image_ids, tags, values)


def write_scores(path: Path, scores: Scores) -> None:
    """Write scores whole or not at all; categories and counts where the tagger has them."""
    optional: dict[str, NDArray[Any]] = {}
    if scores.tags.categories is not None:
        optional["tag_categories"] = np.array(scores.tags.categories, dtype=str)
    if scores.tags.counts is not None:
        optional["tag_counts"] = np.array(scores.tags.counts, dtype=np.int64)
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        np.savez(
            file,
            scores=scores.values,
            tags=np.array(scores.tags.names, dtype=str),
            image_ids=np.array(scores.image_ids, dtype=str),
            **optional,  # type: ignore[arg-type]
        )
    temporary.replace(path)


def check_values(where: Path, values: NDArray[Any], image_ids: Sequence[str], tags: Sequence[str]) -> None:
    """Refuse NaN and values outside [0, 1], naming the first."""
    for start in range(0, len(values), CHECK_ROWS):
        block = values[start : start + CHECK_ROWS]
        if block.size and not (block.min() >= 0 and block.max() <= 1):  # NaN fails both comparisons
            row, column = np.argwhere(~((block >= 0) & (block <= 1)))[0]
            seen = block[row, column]
            hint = "is the network's output damaged?" if np.isnan(seen) else "does this model need a sigmoid?"
            raise ScoresError(
                f"{where}: score {seen:.4g} of image {image_ids[start + row]!r}, tag {tags[column]!r}; "
                f"scores must lie in [0, 1]: {hint}"
            )


def refuse_twice(where: Path, image_ids: Sequence[str]) -> None:
    """Refuse a list of identifiers with one in it twice."""
    last = {image_id: row for row, image_id in enumerate(image_ids)}
    if len(last) != len(image_ids):
        twice = next(image_id for row, image_id in enumerate(image_ids) if last[image_id] != row)
        raise ScoresError(f"{where}: image {twice!r} is listed twice; every row needs an id of its own")


def as_texts(array: NDArray[Any]) -> tuple[str, ...]:
    """A string array (or one of integer post ids) as Python strings."""
    return tuple(str(item) for item in array.tolist())


def _as_numbers(array: NDArray[Any]) -> tuple[int, ...]:
    return tuple(int(item) for item in array.tolist())


def _optional(arrays: dict[str, NDArray[Any]], name: str, convert: Any) -> Any:
    return convert(arrays[name]) if name in arrays else None
