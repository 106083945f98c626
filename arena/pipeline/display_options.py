"""Which images of a dataset pages show, and the thumbnails that are made for them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from arena.base.progress import Progress
from arena.dataset.frozen import HeldOut
from arena.dataset.ratings import RATING_SCHEMES, UNKNOWN_SCHEME, rating_word
from arena.images.thumbnails import (
    TABLE,
    THUMBNAIL_FOLDER,
    Limits,
    ThumbnailSource,
    read_thumbnails,
    remove_thumbnails,
    write_thumbnails,
)
from arena.report.page.pictures import RunThumbnails
from arena.report.view import shown_images
from arena.results.run_folder import Result
from arena.results.written import refuse_changed_file

THUMBNAIL_TABLE = f"{THUMBNAIL_FOLDER}/{TABLE}"
"""Path of the table of the thumbnails below the run folder."""

THUMBNAIL_LIMITS = {"some": Limits(2_000, 16_000_000), "all": Limits(1_000_000, 4_000_000_000)}
"""Limits of a run folder's thumbnails: `some` for the first images that its page shows, `all` for all of them."""


@dataclass(frozen=True)
class DisplayOptions:
    """Which images pages show.

    Attributes:
        thumbnails: `none`, or a key of `THUMBNAIL_LIMITS`. None means `none` if the dataset's card says `private = true`, else
            `some`: the folder is the user's own, and a metric must be traceable to its images.
        image_ids: whether pages name images; if not, they show no thumbnails either.
    """

    thumbnails: str | None = None
    image_ids: bool = True

    def of(self, heldout: HeldOut | None) -> "DisplayOptions":
        """The options for a dataset, with None replaced by its default."""
        private = heldout is not None and heldout.card.facts.get("private") is True
        thumbnails = self.thumbnails or ("none" if private else "some")
        return DisplayOptions(thumbnails if self.image_ids else "none", self.image_ids)

    def again(self, run: Mapping[str, Any]) -> "DisplayOptions":
        """The options for writing the reports of a finished run again; they never show more than the run's own options.

        Args:
            run: the content of `run.json`.
        """
        kept = DisplayOptions(**run.get("shows", {"thumbnails": "none"}))
        image_ids = kept.image_ids and self.image_ids
        none = not image_ids or "none" in (kept.thumbnails, self.thumbnails)
        return DisplayOptions("none" if none else "some", image_ids)


def prepare_thumbnails(
    result: Result, folder: Path, heldout: HeldOut | None, showing: DisplayOptions, progress: Progress
) -> None:
    """Store the display options in the result, and write the thumbnails of the run folder.

    Thumbnails of an earlier run are removed. Without a dataset there are no image files, so no thumbnails are made.
    """
    options = showing.of(heldout)
    result.run["shows"] = asdict(options)
    if heldout is None or options.thumbnails not in THUMBNAIL_LIMITS:
        remove_thumbnails(folder)
        return
    sources = thumbnail_sources(heldout, shown_images(result))
    written = write_thumbnails(folder, sources, limits=THUMBNAIL_LIMITS[options.thumbnails], progress=progress)
    unread = f"; {written.unreadable} could not be read" if written.unreadable else ""
    megabytes = f"{written.bytes / 1e6:.1f} MB"
    progress.note(
        f"{written.images:,} thumbnails, {megabytes}, in {folder / THUMBNAIL_FOLDER} (--thumbnails none: no image){unread}"
    )


def thumbnails_of(result: Result, folder: Path) -> RunThumbnails | None:
    """The thumbnails of a run folder; None if its pages show none.

    The result decides, not the folder, which may still hold thumbnails of an earlier run.

    Raises:
        ArenaError: the table of the thumbnails cannot be read, or was changed after the run.
    """
    if result.run.get("shows", {}).get("thumbnails", "none") == "none":
        return None
    if not (folder / THUMBNAIL_TABLE).exists():
        return RunThumbnails(folder, {})
    refuse_changed_file(folder, THUMBNAIL_TABLE, result.run, fix="remove the folder thumbnails, or score again")
    return RunThumbnails(folder, read_thumbnails(folder))


def thumbnail_sources(heldout: HeldOut, images: Sequence[str]) -> list[ThumbnailSource]:
    """Return the files and ratings of images of a dataset, in their order."""
    row_of = {image: row for row, image in enumerate(heldout.image_ids)}
    rows = [row_of[image] for image in images if image in row_of]
    shown = heldout.images.iloc[rows]
    facts, sensitive = heldout.card.facts, set(heldout.card.facts.get("sensitive", ()))
    ratings = [
        "sensitive" if image in sensitive else rating_in_words(rating, facts)
        for image, rating in zip(shown["image_id"], shown["rating"], strict=True)
    ]
    paths = [heldout.paths[row] for row in rows]
    return [ThumbnailSource(*one) for one in zip(shown["image_id"], paths, shown["sha256"], ratings, strict=True)]


def rating_in_words(rating: Any, facts: Mapping[str, Any]) -> str:
    """A rating in words, by the `rating_scheme` of the dataset's card; an image without a rating gets the card's `unrated_is`.

    >>> rating_in_words("s", {}), rating_in_words("s", {"rating_scheme": "e621"})
    ('safe or sensitive', 'safe')
    >>> rating_in_words("unrated", {"unrated_is": "general"})
    'general'
    """
    scheme = str(facts.get("rating_scheme", UNKNOWN_SCHEME))
    words = {"g": "general"} | dict(RATING_SCHEMES.get(scheme, RATING_SCHEMES[UNKNOWN_SCHEME]))
    word = rating_word(rating) or str(facts.get("unrated_is", "")) or "unknown"
    return words.get(word, word)
