"""What pages show of a dataset's images, and the thumbnails that are made for them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from arena.base.progress import Progress
from arena.dataset.files import is_inside
from arena.dataset.frozen import HeldOut
from arena.dataset.ratings import RATING_SCHEMES, UNKNOWN_SCHEME, rating_word
from arena.images.thumbnails import FOLDER, Limits, Source, read_thumbnails, remove_thumbnails, write_thumbnails
from arena.report.page.pictures import Shelf
from arena.report.view import shown_images
from arena.results.run_folder import Result

LIMITS = {"some": Limits(2_000, 16_000_000), "all": Limits(1_000_000, 4_000_000_000)}
"""Thumbnails that a run folder gets: of the first images that its page shows, or of all of them."""

CHOICES = ("none", *LIMITS)
"""Of thumbnails."""


@dataclass(frozen=True)
class Showing:
    """What pages show of images.

    Attributes:
        thumbnails: of `CHOICES`; None is `some`, for a figure is to be followed down to the image and the folder is the
            reader's own, or `none` where the dataset's card says `private = true`.
        image_ids: whether pages name images; where they do not, they show none either.
    """

    thumbnails: str | None = None
    image_ids: bool = True

    def of(self, heldout: HeldOut | None) -> "Showing":
        """The choice, made."""
        private = heldout is not None and heldout.card.facts.get("private") is True
        chosen = self.thumbnails or ("none" if private else "some")
        return Showing(chosen if self.image_ids else "none", self.image_ids)

    def again(self, run: Mapping[str, Any]) -> "Showing":
        """What a finished run is to show when its reports are written again: no more than was chosen for it."""
        kept = Showing(**run.get("shows", {"thumbnails": "none"}))
        image_ids = kept.image_ids and self.image_ids
        none = not image_ids or "none" in (kept.thumbnails, self.thumbnails)
        return Showing("none" if none else "some", image_ids)


def show_images(result: Result, folder: Path, heldout: HeldOut | None, showing: Showing, progress: Progress) -> None:
    """Say in the result what its pages show, and fill the run folder's thumbnails; those of an earlier run go.

    Without a dataset there are no files to make them of.
    """
    chosen = showing.of(heldout)
    result.run["shows"] = asdict(chosen)
    if heldout is None or chosen.thumbnails not in LIMITS:
        remove_thumbnails(folder)
        return
    sources = _sources(heldout, shown_images(result))
    written = write_thumbnails(folder, sources, limits=LIMITS[chosen.thumbnails], progress=progress)
    unread = f"; {written.unreadable} could not be read" if written.unreadable else ""
    megabytes = f"{written.bytes / 1e6:.1f} MB"
    progress.note(
        f"{written.images:,} thumbnails, {megabytes}, in {folder / FOLDER} (--thumbnails none: no image){unread}"
    )


def shelf_of(result: Result, folder: Path) -> Shelf | None:
    """The thumbnails of a run folder, if its pages are to show any; those that another run left there are not its own."""
    if result.run.get("shows", {}).get("thumbnails", "none") == "none":
        return None
    return Shelf(folder, read_thumbnails(folder))


def _sources(heldout: HeldOut, images: Sequence[str]) -> list[Source]:
    inside = [is_inside(path) for path in heldout.images["path"]]
    place = {image: row for row, image in enumerate(heldout.image_ids) if inside[row]}
    rows = [place[image] for image in images if image in place]
    shown = heldout.images.iloc[rows]
    facts, sensitive = heldout.card.facts, set(heldout.card.facts.get("sensitive", ()))
    ratings = [
        "sensitive" if image in sensitive else rating_told(rating, facts)
        for image, rating in zip(shown["image_id"], shown["rating"], strict=True)
    ]
    paths = [heldout.paths[row] for row in rows]
    return [Source(*one) for one in zip(shown["image_id"], paths, shown["sha256"], ratings, strict=True)]


def rating_told(rating: Any, facts: Mapping[str, Any]) -> str:
    """A rating in words, as the dataset's card has them read; what has none is what the card says of such images.

    >>> rating_told("s", {}), rating_told("s", {"rating_scheme": "e621"}), rating_told("unrated", {"unrated_is": "general"})
    ('safe or sensitive', 'safe', 'general')
    """
    scheme = str(facts.get("rating_scheme", UNKNOWN_SCHEME))
    words = {"g": "general"} | dict(RATING_SCHEMES.get(scheme, RATING_SCHEMES[UNKNOWN_SCHEME]))
    word = rating_word(rating) or str(facts.get("unrated_is", "")) or "unknown"
    return words.get(word, word)
