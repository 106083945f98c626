"""Training cut-offs: images posted after the end of a tagger's training data are held out for that tagger.

A model's card records the cut-off in `trained_until`, in one of three forms: a post (`Danbooru post 7,220,105`), a published
snapshot (`Danbooru2021`), or a day (`2022-05-01`). Any other text cannot be compared with an image.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from arena.base.errors import ArenaError
from arena.cards import ModelCard


@dataclass(frozen=True)
class Cutoff:
    """The last post and the last day of a tagger's training data; None if that one is not known.

    Attributes:
        said: the text of the card.
    """

    said: str
    post_id: int | None = None
    day: date | None = None


SNAPSHOTS = {
    "Danbooru2020": Cutoff("Danbooru2020", 4_279_845, date(2020, 12, 31)),
    "Danbooru2021": Cutoff("Danbooru2021", 5_020_995, date(2021, 12, 31)),
}
"""Last post and last day of the published snapshots. Source: the page of each snapshot on gwern.net."""

_POST = re.compile(r"\bpost #?(\d[\d,]*)", re.IGNORECASE)
_SNAPSHOT = re.compile(r"\bDanbooru ?(20\d\d)\b", re.IGNORECASE)
_DAY = re.compile(r"\b(\d{4}-\d{2}-\d{2})\b")


def read_cutoff(said: str) -> Cutoff | None:
    """Parse `trained_until` of a card; None if it names neither a post, nor a known snapshot, nor a day.

    >>> read_cutoff("Danbooru post 7,220,105")
    Cutoff(said='Danbooru post 7,220,105', post_id=7220105, day=None)
    >>> read_cutoff("Danbooru2021").post_id, read_cutoff("until 2022-05-01").day, read_cutoff("unknown")
    (5020995, datetime.date(2022, 5, 1), None)
    """
    if (post := _POST.search(said)) is not None:
        return Cutoff(said, post_id=int(post[1].replace(",", "")))
    if (snapshot := _SNAPSHOT.search(said)) is not None:
        return SNAPSHOTS.get(f"Danbooru{snapshot[1]}")
    if (day := _DAY.search(said)) is not None:
        try:
            return Cutoff(said, day=date.fromisoformat(day[1]))
        except ValueError:
            return None
    return None


def cutoffs(cards: Sequence[ModelCard]) -> list[Cutoff]:
    """Return the cut-off of every model.

    Raises:
        ArenaError: a card records no cut-off that can be parsed.
    """
    found = [read_cutoff(card.trained_until) for card in cards]
    for card, cutoff in zip(cards, found, strict=True):
        if cutoff is None:
            raise ArenaError(
                f"--trained-until {card.name}: its card says trained_until = {card.trained_until!r}, which names no post, no "
                f"day and none of {', '.join(SNAPSHOTS)}; correct the card, or give --after-id or --since"
            )
    return [cutoff for cutoff in found if cutoff is not None]


def last_post(known: Sequence[Cutoff]) -> int | None:
    """Return the post after which an image is held out for all models; None if a cut-off has no post."""
    posts = [cutoff.post_id for cutoff in known if cutoff.post_id is not None]
    return max(posts) if len(posts) == len(known) else None


def last_day(known: Sequence[Cutoff]) -> date | None:
    """Return the day after which an image is held out for all models; None if a cut-off has no day."""
    days = [cutoff.day for cutoff in known if cutoff.day is not None]
    return max(days) if len(days) == len(known) else None


def to_timestamps(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Convert a column of dates, of ISO 8601 text or of seconds since 1970 to UTC timestamps; NaT for any other value.

    >>> to_timestamps(pd.Series(["2024-05-31T01:00:00+02:00", "soon"])).tolist()
    [Timestamp('2024-05-30 23:00:00+0000', tz='UTC'), NaT]
    """
    if pd.api.types.is_numeric_dtype(column):
        return pd.to_datetime(column, unit="s", utc=True, errors="coerce")
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.to_datetime(column, utc=True)
    return pd.to_datetime(column, utc=True, errors="coerce", format="ISO8601")
