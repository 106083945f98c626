"""Names of models and datasets: allowed names, `NAME=PATH`, and duplicate names."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from arena.base.errors import ArenaError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


class Named(NamedTuple):
    """The two parts of `NAME=PATH`."""

    name: str
    path: str


def check_name(name: str) -> None:
    """Refuse a model or dataset name that cannot be a file name."""
    if not _NAME.fullmatch(name):
        raise ArenaError(
            f"{name!r}: a name is made of letters, digits and . _ + - and starts with one of the first two"
        )


def split_named(spec: str) -> Named:
    """Split `NAME=PATH` at the first `=`; without one the path is empty.

    >>> split_named("new=runs/a=b"), split_named("joytag")
    (Named(name='new', path='runs/a=b'), Named(name='joytag', path=''))

    Raises:
        ArenaError: the name or the path is empty.
    """
    name, separator, path = spec.partition("=")
    if separator and not name.strip():
        raise ArenaError(f"{spec!r}: no name before the =; write NAME=PATH")
    if separator and not path.strip():
        raise ArenaError(f"{spec!r}: no path after the =; write NAME=PATH")
    return Named(name, path)


def disambiguate(names: Sequence[str], *longer: Sequence[str]) -> list[str]:
    """Replace each name that occurs more than once by a longer one, and repeat with the next list of longer names.

    Args:
        longer: lists as long as `names`.

    Returns: as many names; duplicates remain if no list distinguishes them.

    >>> disambiguate(["joytag", "wd14", "joytag"], ["joytag-old", "wd14-old", "joytag-new"])
    ['joytag-old', 'wd14', 'joytag-new']
    """
    found = list(names)
    for candidates in longer:
        often = Counter(found)
        found = [new if often[old] > 1 else old for old, new in zip(found, candidates, strict=True)]
    return found
