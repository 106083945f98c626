"""The grammar of entrants: how a user names what is compared. Nothing is opened here but to see whether a path exists."""

import re
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.base.names import split_named

GRAMMAR = (
    "RUN, RUN:MODEL, CARD, NAME=PATH (a model's folder, scores, a run, a published file), FILE (published) or @baseline"
)
"""Everything that a verb which compares can be given; help texts and errors quote it."""

RECORDED = "@baseline"
"""The baseline that `arena baseline set` recorded; `@baseline:RELEASE` is an earlier one."""


class Spec(NamedTuple):
    """What was typed, in its parts.

    Attributes:
        name: of `NAME=PATH`; empty without one.
        place: a path, the name of a card, or `@baseline`.
        model: of `RUN:MODEL` or `FILE:MODEL`, or the release of `@baseline:RELEASE`; empty where none is named.
    """

    name: str
    place: str
    model: str


def parse(spec: str) -> Spec:
    """Split what was typed; a path that exists is taken whole, whatever signs are in it.

    >>> parse("new=runs/demo")
    Spec(name='new', place='runs/demo', model='')
    >>> parse("@baseline:v1")
    Spec(name='', place='@baseline', model='v1')

    Raises:
        ArenaError: a part is empty, or a word that begins with `@` is not `@baseline`.
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
        raise ArenaError(f"{spec}: a word that begins with @ is {RECORDED} or {RECORDED}:RELEASE")
    return Spec(name, place, model)


def split_model(spec: str) -> tuple[str, str]:
    """`PLACE:MODEL` in its two parts, where the place is a path that exists or `@baseline`; anything else is a place.

    The colon of a Windows drive (`C:\\runs`) does not separate a model: no model's name holds a slash.

    Raises:
        ArenaError: nothing stands behind the colon.
    """
    place, _, model = spec.rpartition(":")
    is_place = place == RECORDED or (place != "" and Path(place).exists())
    if not is_place or re.search(r"[/\\]", model) or Path(spec).exists():
        return spec, ""
    if not model.strip():
        raise ArenaError(f"{spec!r}: no name behind the colon; write {place}:NAME, or {place} alone")
    return place, model
