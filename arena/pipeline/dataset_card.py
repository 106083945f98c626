"""Write the page of a dataset from its folder."""

from collections.abc import Sequence
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.files import write_whole
from arena.base.locks import lock_output
from arena.base.progress import Progress
from arena.base.version import __version__
from arena.cards import find_dataset
from arena.dataset.describe import summarise_dataset
from arena.dataset.frozen import read_frozen
from arena.dataset.gallery import gallery, sample_pictures
from arena.report.dataset.page import BLURRED_RATINGS, parse_blurred_ratings, render_dataset


def write_card(
    dataset: str,
    output: Path,
    *,
    pictures: Sequence[str],
    blur: Sequence[str],
    pairs: int,
    root: Path | None,
    progress: Progress,
) -> Path:
    """Write the page of a dataset, whole or not at all.

    Args:
        pictures: folders with pictures that the dataset no longer has: `FOLDER` for pictures of the dataset, `SOURCE=FOLDER`
            for pictures of an index.
        blur: ratings whose pictures are blurred at first, or `none`.
        pairs: largest number of duplicate pairs on the page.

    Raises:
        ArenaError: a rating is unknown, or the dataset is missing or damaged.
    """
    try:
        blurred = parse_blurred_ratings(blur)
    except ValueError as error:
        raise ArenaError(f"--blur {error}: no such rating; choose from {', '.join(BLURRED_RATINGS)}, or none") from None
    heldout = read_frozen(find_dataset(dataset, root))
    sources = [_picture_source(text, root) for text in pictures]
    with lock_output(output, "dataset card"):
        shown = gallery(heldout.card.folder, sources, most=pairs, progress=progress)
        page = render_dataset(
            {
                "dataset": summarise_dataset(heldout),
                "pictures": sample_pictures(heldout, progress=progress),
                "gallery": shown,
                "blur": blurred,
                "arena_version": __version__,
            }
        )
        write_whole(output, page)
    return output


def _picture_source(text: str, root: Path | None) -> tuple[str, Path]:
    """Source and folder of `FOLDER` or `SOURCE=FOLDER`; an existing folder whose name contains `=` is a `FOLDER`.

    FOLDER may also be the name of a dataset.
    """
    source, separator, folder = text.partition("=")
    if not separator or Path(text).exists():
        source, folder = "", text
    return source, Path(folder) if Path(folder).is_dir() else find_dataset(folder, root).folder
