"""What a policy file may hold: its tables, their keys, and what each value must be."""

import math
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from arena.base.errors import ArenaError, nearest
from arena.metrics.registry import HEADLINES, TESTED
from arena.metrics.thresholds import CHOICES

REGIMES = ("own", *CHOICES, "tag")
"""Whose thresholds margins can be asked at."""


class Rule(StrEnum):
    """When an interval passes and fails; `default.toml` says both in full."""

    NON_INFERIORITY = "non-inferiority"
    REGRESSION = "regression"


class _WrongError(Exception):
    """What a value must be."""


Check = Callable[[Any], Any]
"""A value of the file -> the value of the policy; raises `_WrongError`."""


def _number(low: float, high: float, *, off: bool = False) -> Check:
    """A number of low to high; with `off` also false, which becomes None."""
    ends = f"of {low:g} or more" if math.isinf(high) else f"from {low:g} to {high:g}"
    must = f"a number {ends}" + (", or false for none" if off else "")

    def check(value: Any) -> float | None:
        if off and value is False:
            return None
        known = isinstance(value, int | float) and not isinstance(value, bool)
        if not known or not math.isfinite(value) or not low <= value <= high:
            raise _WrongError(must)
        return float(value)

    return check


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _WrongError("a whole number of 0 or more")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _WrongError("true or false")
    return value


def _one_of(*names: str) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            close = f". {nearest(value, names)}" if isinstance(value, str) else ""
            raise _WrongError(f"one of {', '.join(names)}{close}")
        return value

    return check


def _some_of(*names: str) -> Check:
    """A list of names without repeats; of any names where none is given."""

    def check(value: Any) -> tuple[str, ...]:
        listed = isinstance(value, list) and all(isinstance(name, str) and name for name in value)
        if not listed or len(set(value)) != len(value) or (names and not set(value) <= set(names)):
            raise _WrongError(f"a list of {', '.join(names) or 'names'}, each once")
        return tuple(value)

    return check


def _kinds(value: Any) -> tuple[str, ...] | None:
    """None for all of them."""
    try:
        return None if value == "all" else tuple(_some_of()(value))
    except _WrongError:
        raise _WrongError('"all", or a list of kinds such as ["support", "rating"]') from None


def _margins(value: Any) -> dict[str, float | None]:
    if not isinstance(value, dict):
        raise _WrongError("a table of margins by name")
    found = {}
    for name, margin in value.items():
        try:
            found[name] = _MARGIN(margin)
        except _WrongError as wrong:
            raise _WrongError(f"a table in which {name} is {wrong}") from None
    return found


def _file(value: Any) -> str | None:
    if value is False:
        return None
    if not isinstance(value, str) or not value:
        raise _WrongError("the name of a file, or false for none")
    return value


def _critical(value: Any) -> tuple[dict[str, Any], ...]:
    """Each tag with those keys that its entry holds."""
    if not isinstance(value, list):
        raise _WrongError('a list of tags, such as ["solo", { tag = "1girl", margin = 0.01 }]')
    entries = tuple({"tag": one} if isinstance(one, str) else _entry(one) for one in value)
    names = [entry["tag"] for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise _WrongError(f"a list that names each tag once; {twice!r} stands in it twice")
    if "" in names:
        raise _WrongError("a list of tags; one name is empty")
    return entries


def _entry(one: Any) -> dict[str, Any]:
    if not isinstance(one, dict) or not isinstance(one.get("tag"), str):
        raise _WrongError(f'a list of names and of tables with a tag, such as {{ tag = "1girl" }}; {one!r} is neither')
    entry = {}
    for key, value in one.items():
        if key not in _ENTRY:
            raise _WrongError(f"a list of tables with the keys {', '.join(_ENTRY)}; {key!r} is none of them")
        try:
            entry[key] = _ENTRY[key](value)
        except _WrongError as wrong:
            raise _WrongError(f"a list in which the {key} of {one['tag']!r} is {wrong}") from None
    return entry


_MARGIN = _number(0, 1, off=True)
_FIGURE, _RULE = _one_of(*HEADLINES), _one_of(*Rule)
_ENTRY: dict[str, Check] = {"tag": str, "margin": _number(0, 1), "figure": _one_of(*TESTED), "rule": _RULE}
_PARTS: dict[str, Check] = {"figure": _FIGURE, "margin": _MARGIN, "rule": _RULE, "margins": _margins}

KEYS: dict[str, dict[str, Check]] = {
    "margins": {"regime": _one_of(*REGIMES), **dict.fromkeys(HEADLINES, _MARGIN)},
    "categories": _PARTS,
    "slices": {**_PARTS, "kinds": _kinds, "min_images": _count},
    "tag_groups": _PARTS,
    "critical": {"tags": _critical, **{key: check for key, check in _ENTRY.items() if key != "tag"}},
    "tags": {
        "figures": _some_of(*TESTED), "margin": _number(0, 1), "q": _number(0, 1), "min_support": _count,
        "allowed": _count,
    },
    "calibration": {"ece": _MARGIN, "brier": _MARGIN},
    "coverage": {"min_share": _MARGIN, "aliases": _file},
    "speed": {"min_share": _number(0, math.inf, off=True)},
    "size": dict.fromkeys(("weight_bytes", "parameters"), _number(0, math.inf, off=True)),
    "canary": {"epsilon": _number(0, 1)},
    "unpaired": {"points": _MARGIN},
    "verdict": {"accept_inconclusive": _flag, "list_tags": _count},
}  # fmt: skip
"""What every key of every table must be."""


def checked(where: object, content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The tables of a policy with values as a policy holds them.

    Args:
        where: whose they are, for errors.

    Raises:
        ArenaError: a table or key that no policy has, or a value that it cannot have.

    >>> checked("gate.toml", {"speed": {"min_share": False}})
    {'speed': {'min_share': None}}
    >>> checked("gate.toml", {"margins": {"macrof1": 0.1}})
    Traceback (most recent call last):
    arena.base.errors.ArenaError: gate.toml: [margins] has no key 'macrof1'. Did you mean macro_f1 or micro_f1?
    """
    return {table: _checked_table(where, table, keys) for table, keys in content.items()}


def _checked_table(where: object, table: str, keys: Any) -> dict[str, Any]:
    if table not in KEYS:
        raise ArenaError(f"{where}: a policy has no table [{table}]. {nearest(table, KEYS)}")
    if not isinstance(keys, dict):
        raise ArenaError(f"{where}: {table} = {keys!r}; it must be a table, [{table}]")
    found = {}
    for key, value in keys.items():
        if key not in KEYS[table]:
            raise ArenaError(f"{where}: [{table}] has no key {key!r}. {nearest(key, KEYS[table])}")
        try:
            found[key] = KEYS[table][key](value)
        except _WrongError as wrong:
            raise ArenaError(f"{where}: [{table}] {key} = {value!r}; it must be {wrong}") from None
    return found
