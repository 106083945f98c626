"""Ratings: one letter an image, and the scheme that defines the letters.

Until May 2022 Danbooru's ratings were safe, questionable and explicit. Then *safe* was renamed to *sensitive*, and a new
rating *general* was split off from it. The letter `s` alone does not show whether it means safe or sensitive, so a dataset's
card records the rating scheme and the evidence for it, or that the scheme is unknown.

Source: Danbooru's forum topic 21277 and its `howto:rate`.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

UNKNOWN_SCHEME = "unknown"
"""The meaning of `s` could not be determined."""

RATING_SCHEMES: Mapping[str, Mapping[str, str]] = {
    "danbooru-2022": {"g": "general", "s": "sensitive", "q": "questionable", "e": "explicit"},
    "danbooru-2021": {"s": "safe", "q": "questionable", "e": "explicit"},
    "e621": {"s": "safe", "q": "questionable", "e": "explicit"},
    UNKNOWN_SCHEME: {"s": "safe or sensitive", "q": "questionable", "e": "explicit"},
}
"""Scheme -> meaning of each letter; Danbooru's schemes are named after a year in which they were in use."""

CHANGED_AFTER = datetime(2022, 5, 1, tzinfo=UTC)
"""A copy of Danbooru's posts made before this date has the older scheme."""

CHANGED_BEFORE = datetime(2022, 6, 1, tzinfo=UTC)
"""A copy made on this date or later has the newer scheme."""

_MIN_RATED_IMAGES = 100
"""Least number of images rated `s` from which the absence of `g` is evidence: about a seventh of the safe images became
general."""


LETTERS: Mapping[str, str] = {
    **{letter: letter for letter in "gsqe"},
    **{word: letter for scheme in RATING_SCHEMES.values() for letter, word in scheme.items() if " " not in word},
}
"""Every accepted spelling of a rating -> its letter."""


class Scheme(NamedTuple):
    """A rating scheme and the evidence for it."""

    name: str
    """Key of `RATING_SCHEMES`."""
    why: str


def rating_word(value: Any) -> str:
    """Normalise a rating to a letter or word of `LETTERS`; empty if it is not a rating.

    >>> [rating_word(value) for value in ("rating:safe", "Explicit", "g", "?", None)]
    ['safe', 'explicit', 'g', '', '']
    """
    word = str(value or "").strip().lower().removeprefix("rating:").strip()
    return word if word in LETTERS else ""


def rating_letter(word: str) -> str:
    """Return the letter of a rating: `safe`, `rating:s` and `S` give `s`; empty if it is not a rating.

    >>> [rating_letter(text) for text in ("rating:safe", "Explicit", "g", "?")]
    ['s', 'e', 'g', '']
    """
    return LETTERS.get(rating_word(word), "")


def detect_scheme(
    ratings: Mapping[str, int],
    *,
    fetched: datetime | None = None,
    newest: datetime | None = None,
) -> Scheme:
    """Determine the rating scheme of a source; `unknown` without evidence.

    Args:
        ratings: number of images of each rating, as the source spells it (`rating_word`).
        fetched: when the copy of the posts was made, if known.
        newest: latest date of creation or change of any post, if known.

    >>> detect_scheme({"s": 1, "g": 2}).name, detect_scheme({"s": 1, "q": 1}).name
    ('danbooru-2022', 'unknown')
    """
    words = Counter(ratings)
    old, new = words["safe"], words["general"] + words["sensitive"]
    general, ambiguous = words["g"] + words["general"], words["s"] + words["safe"] + words["sensitive"]
    if old and (new or general):
        return Scheme(
            UNKNOWN_SCHEME, "some images are rated safe and some by the newer words; the source mixes schemes"
        )
    if old:
        return Scheme("danbooru-2021", "the source uses the word safe")
    if general or new:
        return Scheme("danbooru-2022", f"{general or new} images are rated {'general' if general else 'sensitive'}")
    if not ambiguous:
        return Scheme(UNKNOWN_SCHEME, "no image is rated g or s, and the other letters mean the same in every scheme")
    return _by_date(ambiguous, fetched, newest)


def _by_date(ambiguous: int, fetched: datetime | None, newest: datetime | None) -> Scheme:
    """Determine the scheme from dates, for images of which some are rated `s` and none `g`."""
    if fetched is not None and fetched < CHANGED_AFTER:
        return Scheme("danbooru-2021", f"fetched on {fetched:%Y-%m-%d}, before Danbooru changed its ratings")
    if fetched is not None and fetched >= CHANGED_BEFORE:
        return Scheme("danbooru-2022", f"fetched on {fetched:%Y-%m-%d}, after Danbooru changed its ratings")
    if newest is not None and newest < CHANGED_AFTER and ambiguous >= _MIN_RATED_IMAGES:
        why = f"none of {ambiguous} images rated s or g is g, and no post is later than {newest:%Y-%m-%d}"
        return Scheme("danbooru-2021", why)
    return Scheme(UNKNOWN_SCHEME, f"{ambiguous} images are rated s, none g, and no date shows whether s means safe")
