"""The page of a dataset, from its folder: where what is known of the images meets what a page shows."""

from collections.abc import Sequence
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.files import write_whole
from arena.base.progress import Progress
from arena.base.version import __version__
from arena.cards import find_dataset
from arena.dataset.describe import describe
from arena.dataset.frozen import read_frozen
from arena.dataset.gallery import gallery
from arena.report.dataset.page import RATINGS, check_blur, render_dataset


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
        pictures: folders in which pictures are looked up that the set no longer has: `FOLDER`, or `SOURCE=FOLDER` for those
            of an index.
        blur: ratings of which pictures are blurred at first, or `none`.
        pairs: pairs of duplicates that are shown.
    """
    try:
        veiled = check_blur(blur)
    except ValueError as error:
        raise ArenaError(f"--blur {error}: no such rating; some of {', '.join(RATINGS)}, or none") from None
    heldout = read_frozen(find_dataset(dataset, root))
    found = gallery(heldout.card.folder, [_shelf(text, root) for text in pictures], most=pairs, progress=progress)
    page = render_dataset(
        {"dataset": describe(heldout), "gallery": found, "blur": veiled, "arena_version": __version__}
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(output, page)
    return output


def _shelf(text: str, root: Path | None) -> tuple[str, Path]:
    """`FOLDER` or `SOURCE=FOLDER`; a folder whose own name holds `=` is taken as it is."""
    source, separator, folder = text.partition("=")
    if not separator or Path(text).exists():
        source, folder = "", text
    return source, Path(folder) if Path(folder).is_dir() else find_dataset(folder, root).folder
