r"""The canonical spelling of a tag name. Every name that is read gets it: in scores, truth, tag lists, relations, policies.

Tools write one name in several ways: `long hair` or `long_hair`; `miku \(cosplay\)`; `hand_on_another&#039;s_head`; with
decomposed accents; with invisible characters from web pages. Without one spelling these would be different tags, and would be
left out of a comparison.
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.base.format import plural, shown

_MAX_PASSES = 8
"""Largest number of passes over a name; only a hostile name needs more."""

_PLAIN = re.compile(r"[!-%'-\[\]-~]+")
"""Names that are canonical already: printable ASCII without space, `&` and backslash."""

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_BRACKET = re.compile(r"(\\{0,8})[()\[\]{}]")
_ESCAPED_BRACKET = re.compile(r"\\{1,8}([()\[\]{}])")
_ESCAPED_UNDERSCORE = re.compile(r"(?<=\w)\\+(?=_\w)")
_JOINERS = "\u200c\u200d"
"""Zero-width characters that shape letters of some scripts and join emoji; kept between two characters that are not ASCII."""


def canonical_spelling(name: str) -> str:
    r"""Return a tag name in the canonical spelling, which stays the same if the function is applied again.

    HTML entities are decoded, Unicode is composed (NFC), control characters and zero-width characters are removed, and a run of
    white space becomes one underscore. Backslashes before brackets are removed if every bracket has one, because a single one
    may belong to a kaomoji; so are backslashes before an underscore between two word characters. Letters keep their case.

    >>> [canonical_spelling(name) for name in (" long  hair ", r"miku \(cosplay\)", "another&#039;s", "&gt;_&lt;")]
    ['long_hair', 'miku_(cosplay)', "another's", '>_<']
    >>> [canonical_spelling(name) for name in ("^_^", ">_<", ":d", "=_=", "|_|", r"\(o)/", r"\m/")]
    ['^_^', '>_<', ':d', '=_=', '|_|', '\\(o)/', '\\m/']
    """
    for _ in range(_MAX_PASSES):  # an entity may be encoded twice, or be hidden by an invisible character
        if _PLAIN.fullmatch(name) or (found := _cleaned(name)) == name:
            break
        name = found
    return name


def decode_entities(text: str) -> str:
    """Return a text with every HTML entity that ends with a semicolon decoded once."""
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), text) if "&" in text else text


def _cleaned(name: str) -> str:
    """Return a name after one pass."""
    found = unicodedata.normalize("NFC", decode_entities(name))
    found = "".join(map(_visible, found, " " + found[:-1], found[1:] + " "))
    return "_".join(_unescaped(found).split())


def _visible(character: str, before: str, after: str) -> str:
    """Return a character, but "" for a control or zero-width one, except a joiner between two that are not ASCII."""
    if character.isspace() or unicodedata.category(character) not in ("Cc", "Cf"):
        return character
    return character if character in _JOINERS and not before.isascii() and not after.isascii() else ""


def _unescaped(name: str) -> str:
    """Return a name without the backslashes that escape brackets and underscores."""
    if "\\" not in name:
        return name
    brackets = [match[1] for match in _BRACKET.finditer(name)]
    if brackets and all(brackets):
        name = _ESCAPED_BRACKET.sub(r"\1", name)
    return _ESCAPED_UNDERSCORE.sub("", name)


class SpelledNames(NamedTuple):
    """Names in the canonical spelling, and a note of one line on those that were changed; empty if none was."""

    names: tuple[str, ...]
    note: str


def spell_names(where: object, names: Sequence[str]) -> SpelledNames:
    """Return names in the canonical spelling, in order.

    Args:
        where: the source of the names, for the note and the error.
        names: different names.

    Raises:
        ArenaError: two names have the same canonical spelling.

    >>> spell_names("a.npz", ["long hair", "hat"])
    SpelledNames(names=('long_hair', 'hat'), note="a.npz: 1 tag name respelled: 'long hair' as 'long_hair'")
    """
    spelled = tuple(map(canonical_spelling, names))
    if note := respelling_note(where, zip(names, spelled, strict=True)):
        _refuse_same(where, names, spelled)
    return SpelledNames(spelled, note)


class MergedNames(NamedTuple):
    """Canonical spellings of the columns of a ground truth; columns with the same spelling are one tag.

    Attributes:
        names: each canonical spelling once, in the order of its first column.
        places: position in `names` of each column.
        note: see `SpelledNames`.
    """

    names: tuple[str, ...]
    places: tuple[int, ...]
    note: str


def merge_names(where: object, names: Sequence[str]) -> MergedNames:
    """Return names in the canonical spelling; equal ones are merged, which is correct for labels but not for scores.

    >>> merge_names("truth.npz", ["hat", "long hair", "long_hair"])[:2]
    (('hat', 'long_hair'), (0, 1, 1))
    """
    spelled = list(map(canonical_spelling, names))
    place = {name: number for number, name in enumerate(dict.fromkeys(spelled))}
    note = respelling_note(where, zip(names, spelled, strict=True))
    return MergedNames(tuple(place), tuple(place[name] for name in spelled), note)


def respelling_note(where: object, names: Iterable[tuple[str, str]]) -> str:
    """Return one line on the names that the canonical spelling changes; empty if there are none.

    Args:
        where: the source of the names.
        names: pairs of old and new spelling; they may be equal.
    """
    listed = sorted({(old, new) for old, new in names if old != new})
    if not listed:
        return ""
    old, new = listed[0]
    return f"{where}: {plural(len(listed), 'tag name', 'tag names')} respelled: {old!r} as {new!r}{' ...' * (len(listed) > 1)}"


def _refuse_same(where: object, names: Sequence[str], spelled: Sequence[str]) -> None:
    """Raise if two different names have the same canonical spelling."""
    first: dict[str, str] = {}
    for name, spelling in zip(names, spelled, strict=True):
        other = first.setdefault(spelling, name)
        if other != name:
            raise ArenaError(
                f"{where}: tags {shown(other)!r} and {shown(name)!r} are one tag, {shown(spelling)}; keep one of them"
            )
