"""Ground truth and images from sources other than a frozen dataset."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from scipy.sparse import csr_array

from arena.base.errors import ArenaError, ScoresError, refuse_twice
from arena.dataset.frozen import Truth, exact_weights, sparse_rows
from arena.dataset.tars import list_tar_images
from arena.dataset.walk import walk_images
from arena.images.places import ImagePlace
from arena.metrics.known import KnownCells
from arena.tags import TagSpace
from arena.tags.spelling import merge_names

TAR_SUFFIX = ".tar"

NO_IMAGE = "no image in it; files are recognised by suffix or content, hidden folders are skipped"
"""End of the error for a folder without an image."""


def truth_from_rows(
    where: object,
    shape: tuple[int, ...],
    tiles: Iterable[np.ndarray],
    tags: tuple[str, ...],
    image_ids: tuple[str, ...],
    weights: np.ndarray | None = None,
    known: np.ndarray | None = None,
) -> Truth:
    """Return a ground truth from the rows of a file.

    Columns with one canonical spelling become one tag: an image has it if it is positive in any of them, lacks it if all are
    known to be negative, and is unknown otherwise.

    Args:
        where: the file, for error messages.
        shape: (images, tags) of all blocks together.
        tiles: consecutive blocks of rows; bool, or 0 and 1.
        weights: number of images of the population that each row represents, (images,); None if every weight is 1.
        known: which cells are known, bool or 0 and 1, (images, tags); None if all are. Values of other cells are ignored.

    Raises:
        ArenaError: shapes disagree, an image or a tag is listed twice, a value is neither 0 nor 1, or a weight is wrong.
    """
    refuse_twice(where, "image", image_ids)
    refuse_twice(where, "tag", tags)
    if shape != (len(image_ids), len(tags)):
        raise ScoresError(f"{where}: truth {shape}, but {len(image_ids)} image_ids and {len(tags)} tags")

    is_known = None if known is None else _checked_known(where, known, shape)

    def checked() -> Iterator[np.ndarray]:
        start = 0
        for tile in tiles:
            rows = slice(start, start + len(tile))
            labels = tile if is_known is None else np.where(is_known[rows], tile, False)
            start = rows.stop
            if labels.dtype != np.bool_ and not np.isin(labels, (0, 1)).all():
                raise ScoresError(
                    f"{where}: truth holds values other than 0 and 1; it must be bool, and unknown labels need an array known"
                )
            yield labels.astype(np.bool_, copy=False)

    exact = None if weights is None else exact_weights(where, weights, len(image_ids))
    values, merged = sparse_rows(shape, checked()), merge_names(where, tags)
    cells = None if is_known is None else KnownCells.of_rows([is_known], *shape)
    if len(merged.names) < len(tags):
        joined = csr_array(
            (np.ones(len(tags), np.int64), (np.arange(len(tags)), merged.places)), shape=(len(tags), len(merged.names))
        )
        values = (values.astype(np.int64) @ joined).astype(np.bool_)
        cells = None if cells is None else _merged(cells, values, np.array(merged.places))
    return Truth.of(image_ids, TagSpace(merged.names), values, weights=exact, note=merged.note, known=cells)


def _checked_known(where: object, known: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the array `known` as bool.

    Raises:
        ScoresError: it has another shape than the truth, or holds other values than 0 and 1.
    """
    if known.shape != shape:
        raise ScoresError(f"{where}: known {known.shape}, but truth {shape}; give one value for each image and tag")
    if known.dtype != np.bool_ and not (known.dtype.kind in "iuf" and np.isin(known, (0, 1)).all()):
        raise ScoresError(f"{where}: known is {known.dtype} and holds values other than 0 and 1; it must be bool")
    return known.astype(np.bool_, copy=False)


def _merged(cells: KnownCells, values: csr_array, places: np.ndarray) -> KnownCells:
    """Return the known cells of merged columns: those that are positive, and those that all columns know.

    Args:
        cells: of the columns before they were merged.
        values: bool (images, merged tags).
        places: (columns,), merged tag of each column.
    """
    images, tags = values.shape
    every = np.full((tags, cells.bits.shape[1]), 255, np.uint8)
    np.bitwise_and.at(every, places, cells.bits)
    positive = values.tocoo()
    return KnownCells(every | KnownCells.of_cells(positive.row, positive.col, images, tags).bits, images)


def list_images(folder: Path) -> dict[str, Path]:
    """Return every image file below a folder by identifier, in sorted order of file name.

    An identifier is the path below the folder without its suffix; files that would share one keep their suffixes. Links to
    files are followed; links to folders are not, and hidden folders are skipped. A broken link, and a link to a folder outside,
    is listed, so that it is reported.

    Raises:
        ArenaError: no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise ArenaError(f"--images {folder}: no such folder")
    names = sorted(level.path(name) for level in walk_images(folder) for name in (*level.files, *level.links))
    if not names:
        raise ArenaError(f"--images {folder}: {NO_IMAGE}")
    return dict(zip(identifiers(names), (folder / name for name in names), strict=True))


def list_pictures(named: Path) -> dict[str, ImagePlace]:
    """Return the images that a user names, by identifier: those of a folder, of a tar, or of a list of files.

    Args:
        named: a folder, as `list_images` takes it, or one with tars and no image; a `.tar` file without compression; or
            `@FILE`, a text with the path of an image or of a tar in each line, relative to the current folder.

    Returns: identifier -> place. Identifiers are the paths below the folder, the names in the tar, or the lines of the list,
        without suffix, as `identifiers` returns them. If two tars share a name, the path of the tar comes before it.

    Raises:
        ArenaError: no such file or folder, no image, a damaged tar, or a file is listed twice.
    """
    if str(named).startswith("@") and not named.exists():
        lines = _read_list(Path(str(named)[1:]))
        return _with_tars(named, lines, [*map(Path, lines)])
    if named.is_file():
        if named.suffix != TAR_SUFFIX:
            raise ArenaError(f"--images {named}: a file; name a folder, a .tar, or @{named} if it is a list of paths")
        return _with_tars(named, [named.name], [named])
    tars = [] if not named.is_dir() else sorted(named.rglob(f"*{TAR_SUFFIX}"))
    if tars and next(walk_images(named), None) is None:
        return _with_tars(named, [tar.relative_to(named).as_posix() for tar in tars], tars)
    return dict(list_images(named))


def _read_list(path: Path) -> list[str]:
    """Return the lines of a list of files, without empty ones."""
    try:
        lines = [os.fsdecode(line) for line in path.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise ArenaError(f"--images @{path}: cannot be read ({(error.strerror or '').lower()})") from None
    refuse_twice(f"--images @{path}", "path", lines)
    return lines


def _with_tars(where: Path, names: Sequence[str], paths: Sequence[Path]) -> dict[str, ImagePlace]:
    """Return the images at some paths by identifier, and those inside of the paths that are tars."""
    found: list[tuple[str, str, ImagePlace]] = []
    for name, path in zip(names, paths, strict=True):
        if path.suffix == TAR_SUFFIX:
            found += [(f"{name}/", inside, place) for inside, place in list_tar_images(path)]
        else:
            found.append(("", name, path))
    if not found:
        raise ArenaError(f"--images {where}: {NO_IMAGE}")
    shared = {name for name, count in Counter(name for _, name, _ in found).items() if count > 1}
    whole = [tar + name if name in shared else name for tar, name, _ in found]
    refuse_twice(f"--images {where}", "image", whole)
    return dict(zip(identifiers(whole), (place for *_, place in found), strict=True))


def identifiers(names: Sequence[str]) -> list[str]:
    """Convert file names to unique identifiers: names without suffix; names that would then be equal keep it.

    Bytes that are not UTF-8 become backslash escapes.

    >>> identifiers(["a.png", "b.png", "b.jpg"])
    ['a', 'b.png', 'b.jpg']
    """
    whole = [os.fsencode(name).decode("utf-8", "backslashreplace") for name in names]
    ids = [name.removesuffix(PurePosixPath(name).suffix) for name in whole]
    while shared := {name for name, count in Counter(ids).items() if count > 1}:
        longer = [name if short in shared else short for name, short in zip(whole, ids, strict=True)]
        if longer == ids:  # a name contains a backslash escape as text, and another the byte that is written so
            longer = [f"{name}~{place}" if name in shared else name for place, name in enumerate(ids)]
        ids = longer
    return ids
