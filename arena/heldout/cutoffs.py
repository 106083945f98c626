"""Until when a tagger's training data goes: what comes after it is held out for that tagger.

A model's card says so in `trained_until`, in one of three ways: a post (`Danbooru post 7,220,105`), a published snapshot
(`Danbooru2021`), or a day (`2022-05-01`). Anything else cannot be compared with an image.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from arena.cards import ModelCard
from arena.errors import ArenaError


@dataclass(frozen=True)
class Cutoff:
    """The last post and the last day that a tagger may have seen; None where it is not known by that.

    Attributes:
        said: as the card says it.
    """

    said: str
    post_id: int | None = None
    day: date | None = None


SNAPSHOTS = {
    "Danbooru2020": Cutoff("Danbooru2020", 4_279_845, date(2020, 12, 31)),
    "Danbooru2021": Cutoff("Danbooru2021", 5_020_995, date(2021, 12, 31)),
}
"""Last post and last day of the published snapshots. Source: gwern.net, the pages of both."""

_POST = re.compile(r"\bpost #?(\d[\d,]*)", re.IGNORECASE)
_SNAPSHOT = re.compile(r"\bDanbooru ?(20\d\d)\b", re.IGNORECASE)
_DAY = re.compile(r"\b(\d{4}-\d{2}-\d{2})\b")


def read_cutoff(said: str) -> Cutoff | None:
    """What `trained_until` of a card says, or None where it names neither a post, nor a known snapshot, nor a day.

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


def last_post(cards: Sequence[ModelCard]) -> int:
    """The post after which every image is held out for all of these models.

    Raises:
        ArenaError: a card without a cut-off, or with a day only.
    """
    cutoffs = [_cutoff(card) for card in cards]
    if (without := next((cutoff for cutoff in cutoffs if cutoff.post_id is None), None)) is not None:
        raise ArenaError(
            f"--trained-until: a card says {without.said!r}, no post, while the images are known by post; give --after-id"
        )
    return max(cutoff.post_id for cutoff in cutoffs if cutoff.post_id is not None)


def last_day(cards: Sequence[ModelCard]) -> date:
    """The day after which every image is held out for all of these models.

    Raises:
        ArenaError: a card without a cut-off, or with a post only.
    """
    cutoffs = [_cutoff(card) for card in cards]
    if (without := next((cutoff for cutoff in cutoffs if cutoff.day is None), None)) is not None:
        raise ArenaError(
            f"--trained-until: a card says {without.said!r}, no day, while the images are known by day; give --since"
        )
    return max(cutoff.day for cutoff in cutoffs if cutoff.day is not None)


def _cutoff(card: ModelCard) -> Cutoff:
    if (cutoff := read_cutoff(card.trained_until)) is not None:
        return cutoff
    raise ArenaError(
        f"--trained-until {card.name}: its card says trained_until = {card.trained_until!r}, which names no post, no day and "
        f"none of {', '.join(SNAPSHOTS)}; correct the card, or give --after-id or --since"
    )
