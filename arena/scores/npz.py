"""Scores as one `.npz` file: the output of `arena predict`, and an input of `arena score` from any tool.

Arrays: `scores` float (images, tags), `tags` str (tags,), `image_ids` str (images,). Optional: `tag_counts` int (tags,), the
number of training images of each tag; `tag_categories` str (tags,); `skipped_ids` and `skipped_reasons` str (skipped,), the
images that could not be read. Any other array is an error.
"""

import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arena.base.errors import ArenaError, ScoresError, refuse_twice
from arena.base.files import open_whole
from arena.base.format import encodable, listed
from arena.scores.matrix import Matrix, stored_member
from arena.scores.members import member_names, read_member
from arena.scores.store import Scores, check_values
from arena.tags import TagSpace
from arena.tags.spelling import spell_names


def read_npz(path: Path, required: Sequence[str], *, large: str, optional: Collection[str] = ()) -> dict[str, Any]:
    """Read the arrays of an `.npz` file; the large one as a `Matrix`, which stays on disk if it is uncompressed.

    Raises:
        ScoresError: the file is missing, damaged or pickled, lacks a required array, or has an array that is neither required
            nor optional: to ignore a mask or weights would give figures that its author does not expect.
    """
    allowed = (*required, *optional)
    try:
        with zipfile.ZipFile(path) as archive:
            names = member_names(archive)
            stored = stored_member(path, large) if large in names else None
            read = [name for name in names if name in allowed and (name != large or stored is None)]
            arrays: dict[str, Any] = {name: read_member(archive, name) for name in read}
            if stored is not None:
                arrays[large] = Matrix((stored,))
    except FileNotFoundError:
        raise ScoresError(f"{path}: no such file") from None
    except Exception as error:  # zipfile, zlib and numpy raise different exceptions on damaged bytes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ScoresError(
            f"{path}: not a readable npz file ({reason}); write it with numpy.savez, strings as str"
        ) from None
    missing = [name for name in required if name not in arrays]
    if missing:
        raise ScoresError(f"{path}: no array {', '.join(missing)}; it has {', '.join(sorted(names)) or 'none'}")
    if others := sorted(set(names) - set(allowed)):
        named = f"{'array' if len(others) == 1 else 'arrays'} {listed([ascii(name)[1:-1] for name in others])}"
        raise ScoresError(
            f"{path}: {named}: not read from a file of {large}, which may hold {', '.join(allowed)}; remove the rest"
        )
    if arrays[large].dtype.kind not in "biuf":
        raise ScoresError(f"{path}: {large} is {str(arrays[large].dtype)[:60]}; it must hold numbers")
    if not isinstance(arrays[large], Matrix):  # compressed, or in Fortran order
        if arrays[large].ndim != 2:
            raise ScoresError(f"{path}: {large} {arrays[large].shape}; it must be a matrix (images, tags)")
        arrays[large] = Matrix.of(np.ascontiguousarray(arrays[large]))
    return arrays


def read_scores(path: Path, *, checked: bool = True) -> Scores:
    """Read scores from an `.npz` file and check them.

    Args:
        checked: whether values outside [0, 1] are refused, and clipped if they are rounding errors; only the diagnosis of such
            values turns this off.

    Raises:
        ScoresError: shapes disagree, an image or a tag is listed twice, or a score is NaN or outside [0, 1].
        ArenaError: two tags have the same canonical spelling.
    """
    arrays = read_npz(path, ("scores", "tags", "image_ids"), large="scores", optional=_OPTIONAL)
    values, image_ids = arrays["scores"], to_strings(path, "image_ids", arrays["image_ids"])
    names = to_strings(path, "tags", arrays["tags"])
    if values.shape != (len(image_ids), len(names)):
        raise ScoresError(f"{path}: scores {values.shape}, but {len(image_ids)} image_ids and {len(names)} tags")
    if not np.issubdtype(values.dtype, np.floating):
        raise ScoresError(f"{path}: scores are {values.dtype}; they must be floating point, 0 to 1")
    refuse_twice(path, "image", image_ids)
    refuse_twice(path, "tag", names)
    spelled, note = spell_names(path, names)
    clipped = 0
    if checked:
        values, clipped = check_values(path, values, image_ids, names)
    optional = {key: read(path, key, arrays[key]) for key, read in _OPTIONAL.items() if key in arrays}
    try:
        tags = TagSpace(spelled, optional.get("tag_categories"), optional.get("tag_counts"))
    except ArenaError as error:
        raise ScoresError(f"{path}: {error}") from None
    return Scores(image_ids, tags, values, _skipped(path, optional), respelled=note, clipped=clipped)


def _skipped(path: Path, optional: Mapping[str, Any]) -> dict[str, str]:
    """Return the reason of each skipped image; `unknown` if the file has no array of reasons.

    Raises:
        ScoresError: the numbers of images and of reasons differ.
    """
    ids = optional.get("skipped_ids", ())
    reasons = optional.get("skipped_reasons", ("unknown",) * len(ids))
    if len(ids) != len(reasons):
        raise ScoresError(
            f"{path}: {len(ids)} skipped_ids, but {len(reasons)} skipped_reasons; give one reason per skipped image, "
            "or leave skipped_reasons out"
        )
    return dict(zip(ids, reasons, strict=True))


def write_scores(path: Path, scores: Scores) -> None:
    """Write scores completely or not at all, with categories and counts if the tagger has them."""
    optional: dict[str, NDArray[Any]] = {}
    if scores.skipped:
        optional["skipped_ids"] = np.array(list(scores.skipped), dtype=str)
        optional["skipped_reasons"] = np.array(list(scores.skipped.values()), dtype=str)
    if scores.tags.categories is not None:
        optional["tag_categories"] = np.array(scores.tags.categories, dtype=str)
    if scores.tags.counts is not None:
        optional["tag_counts"] = np.array(scores.tags.counts, dtype=np.int64)
    with open_whole(path) as file:
        np.savez(
            file,
            scores=scores.values.read(),
            tags=np.array(scores.tags.names, dtype=str),
            image_ids=np.array(scores.image_ids, dtype=str),
            **optional,  # type: ignore[arg-type]
        )


def to_strings(path: Path, name: str, array: NDArray[Any]) -> tuple[str, ...]:
    """Convert an array of strings, or of post ids (integers, or floats that are whole), to Python strings.

    Raises:
        ScoresError: the array is of another kind or shape.
    """
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.floor(array)).all():
        array = array.astype(np.int64)  # pandas stores integers as floats if one is missing
    if array.ndim != 1 or array.dtype.kind not in "USiu":
        raise ScoresError(f"{path}: {name} is {array.dtype} {array.shape}; it must be a one-dimensional array of str")
    try:
        items = array.tolist()
    except (ValueError, SystemError) as error:  # a number that is not a character
        raise ScoresError(f"{path}: {name} holds text that is not Unicode ({error})") from None
    texts = tuple(item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item) for item in items)
    wrong = next((number for number, text in enumerate(texts) if not text.isascii() and encodable(text) != text), None)
    if wrong is not None:
        raise ScoresError(f"{path}: {name}[{wrong}] is {texts[wrong]!a}; a lone surrogate is not text, correct it")
    return texts


def _as_counts(path: Path, name: str, array: NDArray[Any]) -> tuple[int, ...]:
    if array.ndim != 1 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ScoresError(
            f"{path}: {name} is {array.dtype} {array.shape}; it must be a one-dimensional array of integers"
        )
    return tuple(int(item) for item in array.tolist())


_OPTIONAL: Mapping[str, Callable[[Path, str, NDArray[Any]], Any]] = {
    "tag_categories": to_strings,
    "tag_counts": _as_counts,
    "skipped_ids": to_strings,
    "skipped_reasons": to_strings,
}
