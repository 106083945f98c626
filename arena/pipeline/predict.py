"""`arena predict`: score a folder of images with one model."""

import shutil
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.files import make_folder
from arena.base.progress import Progress, Silent
from arena.cards import find_model
from arena.dataset.readers import list_images
from arena.pipeline.output import claim_folder
from arena.pipeline.stages import Compute, refuse_all_skipped, score_images
from arena.scores.npz import read_scores, write_scores
from arena.scores.store import Scores, read_store
from arena.taggers.predict import ImageSource


def predict_folder(
    model: str,
    images: Path,
    output: Path,
    *,
    limit: int | None = None,
    compute: Compute = Compute(),
    root: Path | None = None,
    progress: Progress = Silent(),
) -> Scores:
    """Score every image below a folder with one model, and write one `.npz`; an interrupted call continues.

    A file is recognised by its name, size and modification time. Unreadable images are skipped and listed in the result.

    Args:
        limit: the largest number of images, the first by name; None takes all.

    Raises:
        ArenaError: the output is a folder, or the model or the images are missing.
        ScoresError: no image can be read.
    """
    if output.is_dir() or not output.name:
        raise ArenaError(f"--output {output}: a folder; name a file, such as scores.npz")
    card = find_model(model, root)
    if card.caution:
        progress.note(card.caution)
    listed = dict(list(list_images(images).items())[:limit])
    stats = [path.stat() for path in listed.values()]
    digests = tuple(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)
    source = ImageSource(tuple(listed), tuple(listed.values()), digests, verified=False)
    make_folder(output.parent)
    parts = output.with_name(output.name + ".parts")
    claim_folder(parts)
    score_images([card], source, parts, compute=compute, progress=progress)
    scores = read_store(parts / card.name)
    refuse_all_skipped(scores)
    write_scores(output, scores)
    shutil.rmtree(parts)
    return read_scores(output)  # the files that `scores` reads from were just removed
