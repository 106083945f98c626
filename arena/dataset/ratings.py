"""Ratings: one letter an image, and what `s` means, which changed.

Danbooru had safe, questionable and explicit until May 2022. Then what had been safe became *sensitive*, and a new *general*
was taken out of it. An `s` alone does not tell which of the two it is, so a dataset's card says by what scheme its letters
are to be read, why, or that it is not known.

Source: Danbooru's forum topic 21277 and its `howto:rate`.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

UNKNOWN_SCHEME = "unknown"
"""What `s` means could not be told."""

RATING_SCHEMES: Mapping[str, Mapping[str, str]] = {
    "danbooru-2022": {"g": "general", "s": "sensitive", "q": "questionable", "e": "explicit"},
    "danbooru-2021": {"s": "safe", "q": "questionable", "e": "explicit"},
    "e621": {"s": "safe", "q": "questionable", "e": "explicit"},
    UNKNOWN_SCHEME: {"s": "safe or sensitive", "q": "questionable", "e": "explicit"},
}
"""Scheme -> what each letter means; Danbooru's are named after the year whose posts have them."""

CHANGED_AFTER = datetime(2022, 5, 1, tzinfo=UTC)
"""Every copy of Danbooru's posts from before has the older scheme."""

CHANGED_BEFORE = datetime(2022, 6, 1, tzinfo=UTC)
"""Every copy from then on has the newer one."""

TELLING_IMAGES = 100
"""Images rated `s` among which one `g` would be expected: about a seventh of what had been safe became general."""


LETTERS: Mapping[str, str] = {
    **{letter: letter for letter in "gsqe"},
    **{word: letter for scheme in RATING_SCHEMES.values() for letter, word in scheme.items() if " " not in word},
}
"""Every spelling of a rating, and its letter."""


class Scheme(NamedTuple):
    """How the letters are to be read, and how that is known."""

    name: str
    """Of `RATING_SCHEMES`."""
    why: str


def rating_word(value: Any) -> str:
    """A rating as a source spells it, a letter or a word of `LETTERS`; empty where it is none.

    >>> [rating_word(value) for value in ("rating:safe", "Explicit", "g", "?", None)]
    ['safe', 'explicit', 'g', '', '']
    """
    word = str(value or "").strip().lower().removeprefix("rating:").strip()
    return word if word in LETTERS else ""


def rating_letter(word: str) -> str:
    """The letter of a rating: `safe`, `rating:s` and `S` are `s`; empty where it is none.

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
    """Tell by what scheme ratings are meant; `unknown` where nothing tells.

    Args:
        ratings: letters or words as the source has them (`rating_word`), and how many images have each.
        fetched: when the copy of the posts was made, where that is known.
        newest: the latest date of any post in it, of creation or change.

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
        return Scheme("danbooru-2021", "the source says safe in words")
    if general or new:
        return Scheme("danbooru-2022", f"{general or new} images are rated {'general' if general else 'sensitive'}")
    if not ambiguous:
        return Scheme(UNKNOWN_SCHEME, "no image is rated g or s, and the other letters mean the same in every scheme")
    return _by_date(ambiguous, fetched, newest)


def _by_date(ambiguous: int, fetched: datetime | None, newest: datetime | None) -> Scheme:
    """What dates tell of images rated `s`, where none is rated `g`."""
    if fetched is not None and fetched < CHANGED_AFTER:
        return Scheme("danbooru-2021", f"fetched on {fetched:%Y-%m-%d}, before Danbooru had other ratings")
    if fetched is not None and fetched >= CHANGED_BEFORE:
        return Scheme("danbooru-2022", f"fetched on {fetched:%Y-%m-%d}, when Danbooru had the newer ratings")
    if newest is not None and newest < CHANGED_AFTER and ambiguous >= TELLING_IMAGES:
        why = f"none of {ambiguous} images rated s or g is g, and no post is later than {newest:%Y-%m-%d}"
        return Scheme("danbooru-2021", why)
    return Scheme(UNKNOWN_SCHEME, f"{ambiguous} images are rated s, none g, and no date tells whether that is safe")
