"""`arena predict`: score the images of a folder, of tars or of a dataset with one model."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.locks import lock_output
from arena.base.progress import Progress, Silent
from arena.base.scratch import open_scratch, remove_scratch
from arena.cards import find_model
from arena.dataset.files import file_stamp
from arena.dataset.frozen import HeldOut
from arena.dataset.readers import list_pictures
from arena.images.places import ImagePlace, TarMember
from arena.pipeline.stages import Compute, refuse_all_skipped, score_images
from arena.scores.cut import Selection
from arena.scores.files import read_score_file
from arena.scores.npz import write_scores
from arena.scores.sparse import SUFFIX, write_sparse
from arena.scores.store import STORE_FILES, Scores
from arena.taggers.predict import ImageSource


def predict_folder(
    model: str,
    images: Path | HeldOut,
    output: Path,
    *,
    limit: int | None = None,
    selection: Selection | None = None,
    compute: Compute = Compute(),
    root: Path | None = None,
    progress: Progress = Silent(),
) -> Scores:
    """Score the images of a folder or a dataset with one model, and write one file; an interrupted call continues.

    A file is recognised by its name, size and modification time, an image in a tar by those of the tar. Unreadable images are
    skipped and listed in the result.

    Args:
        images: a folder, a tar or a list, as `list_pictures` takes it, or a dataset, which has identifiers.
        output: an `.npz` file, or a `.parquet` file if only some scores are stored.
        limit: the largest number of images, the first by name; None takes all.
        selection: which scores are stored; None stores all.

    Raises:
        ArenaError: the output is a folder, or the model or the images are missing.
        ScoresError: no image can be read.
    """
    if output.is_dir() or not output.name:
        raise ArenaError(f"--output {output}: a folder; name a file, such as scores.npz")
    if (selection is not None) != (output.suffix == SUFFIX):
        raise ArenaError(
            f"--output {output}: a file of some scores ends in {SUFFIX}, one of all scores in .npz; --top-k and --min-score "
            "choose some scores"
        )
    card = find_model(model, root)
    if card.caution:
        progress.note(card.caution)
    source = _folder_source(images, limit, progress) if isinstance(images, Path) else _dataset_source(images, limit)
    parts = output.with_name(output.name + ".parts")
    with lock_output(output, "predict"):
        open_scratch(parts)
        stores = score_images([card], source, parts, compute=replace(compute, selection=selection), progress=progress)
        scores = stores[card.name].read()
        refuse_all_skipped(scores)
        if selection is None:
            write_scores(output, scores)
        else:
            write_sparse(output, scores, selection)
        remove_scratch(parts, STORE_FILES)
        return read_score_file(output)  # the files that `scores` reads from were just removed


def _folder_source(folder: Path, limit: int | None, progress: Progress) -> ImageSource:
    listed = dict(list(list_pictures(folder).items())[:limit])
    if place := next(
        (place for place in (folder, *folder.resolve().parents[:2]) if (place / "dataset.toml").exists()), None
    ):
        progress.note(
            f"--images {folder}: these images belong to the dataset {place.name}, which has other identifiers; "
            "use --dataset to keep its identifiers"
        )
    return ImageSource(tuple(listed), tuple(listed.values()), tuple(_stamps(listed.values())), verified=False)


def _stamps(places: Iterable[ImagePlace]) -> Iterator[str]:
    """Yield what identifies the content of each image; one in a tar is identified by the tar and its place there."""
    stamp = lru_cache(file_stamp)
    for place in places:
        if isinstance(place, TarMember):
            yield f"{stamp(place.tar)}:{place.offset}:{place.length}"
        else:
            yield file_stamp(place)


def _dataset_source(dataset: HeldOut, limit: int | None) -> ImageSource:
    digests = tuple(dataset.images["sha256"])
    return ImageSource(dataset.image_ids[:limit], dataset.paths[:limit], digests[:limit], verified=True)
