"""The grammar of entrants: how a user names what is compared.

This module opens no file; it only checks whether a path exists.
"""

import re
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.base.names import split_named

GRAMMAR = (
    "RUN, RUN:MODEL, CARD, NAME=PATH (a model's folder, scores, a run, a published file), FILE (published) or @baseline"
)
"""The forms of an entrant; help texts and errors quote them."""

RECORDED = "@baseline"
"""The baseline that `arena baseline set` recorded last; `@baseline:RELEASE` is the baseline of that release."""


class Spec(NamedTuple):
    """The parts of an entrant's name as the user typed it.

    Attributes:
        name: NAME of `NAME=PATH`, or empty.
        place: a path, the name of a card, or `@baseline`.
        model: MODEL of `RUN:MODEL` or `FILE:MODEL`, RELEASE of `@baseline:RELEASE`, or empty.
    """

    name: str
    place: str
    model: str


def parse(spec: str) -> Spec:
    """Split an entrant's name into its parts; an existing path is never split, whatever characters it contains.

    >>> parse("new=runs/demo")
    Spec(name='new', place='runs/demo', model='')
    >>> parse("@baseline:v1")
    Spec(name='', place='@baseline', model='v1')

    Raises:
        ArenaError: a part is empty, or a name starts with `@` but is not `@baseline`.
    """
    if not spec.strip():
        raise ArenaError(f"{spec!r} names nothing; name {GRAMMAR}")
    place, model = split_model(spec)
    if not Path(place).exists() and "=" in spec and not re.search(r"[/\\@]", spec.partition("=")[0]):
        name, path = split_named(spec)
        place, model = split_model(path)
    else:
        name = ""
    if place.startswith("@") and place != RECORDED and not Path(place).exists():
        raise ArenaError(f"{spec}: a name with @ at its start must be {RECORDED} or {RECORDED}:RELEASE")
    return Spec(name, place, model)


def split_model(spec: str) -> tuple[str, str]:
    """Split `PLACE:MODEL`, where PLACE is an existing path or `@baseline`; any other text is a place without a model.

    The colon of a Windows drive (`C:\\runs`) does not separate a model, because no model's name contains a slash.

    Raises:
        ArenaError: the part after the colon is empty.
    """
    place, _, model = spec.rpartition(":")
    is_place = place == RECORDED or (place != "" and Path(place).exists())
    if not is_place or re.search(r"[/\\]", model) or Path(spec).exists():
        return spec, ""
    if not model.strip():
        raise ArenaError(f"{spec!r}: no name after the colon; write {place}:NAME, or {place} alone")
    return place, model
