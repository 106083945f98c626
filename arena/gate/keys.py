"""What the keys of a policy may hold: the check of each kind of value, and a field of a settings class with its default."""

import math
from collections.abc import Callable, Mapping
from dataclasses import field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError, nearest
from arena.metrics.registry import HEADLINES, TESTED

Margin = float | None
"""How far a metric may fall, 0 to 1; None asks for nothing."""


class Rule(StrEnum):
    """When an interval passes and fails; the head of the default policy says both in full."""

    NON_INFERIORITY = "non-inferiority"
    REGRESSION = "regression"


class WrongValueError(Exception):
    """What a value must be, as in `a number from 0 to 1`."""


Check = Callable[[Any], Any]
"""A value of the file -> the value of the policy; raises `WrongValueError`."""


def key(default: Any, check: Check) -> Any:
    """A field of a settings class: a key of its table in the policy file.

    Args:
        default: as the file writes it; `False` turns off what a number asks for.
    """
    return field(default_factory=lambda: check(default), metadata={"default": default, "check": check})


def defaults_of(settings: type[Any]) -> dict[str, Any]:
    """The keys of a settings class with their defaults, as a file writes them."""
    return {one.name: one.metadata["default"] for one in fields(settings)}


def checked_keys(where: object, table: str, settings: type[Any], keys: Any) -> dict[str, Any]:
    """The keys that a file has for a table, with values as the settings class holds them.

    Raises:
        ArenaError: no table, a key that the table does not have, or a value that it cannot have.
    """
    if not isinstance(keys, dict):
        raise ArenaError(f"{where}: {table} = {keys!r}; it must be a table, [{table}]")
    checks = {one.name: one.metadata["check"] for one in fields(settings)}
    found = {}
    for name, value in keys.items():
        if name not in checks:
            raise ArenaError(f"{where}: [{table}] has no key {name!r}. {nearest(name, checks)}")
        try:
            found[name] = checks[name](value)
        except WrongValueError as wrong:
            raise ArenaError(f"{where}: [{table}] {name} = {value!r}; it must be {wrong}") from None
    return found


def number(low: float, high: float, *, off: bool = False) -> Check:
    """A number of low to high; with `off` also false, which becomes None."""
    ends = f"of {low:g} or more" if math.isinf(high) else f"from {low:g} to {high:g}"
    must = f"a number {ends}" + (", or false for none" if off else "")

    def check(value: Any) -> float | None:
        if off and value is False:
            return None
        known = isinstance(value, int | float) and not isinstance(value, bool)
        if not known or not math.isfinite(value) or not low <= value <= high:
            raise WrongValueError(must)
        return float(value)

    return check


def count(value: Any) -> int:
    """A whole number of 0 or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise WrongValueError("a whole number of 0 or more")
    return value


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise WrongValueError("true or false")
    return value


def one_of(*names: str) -> Check:
    """One of some names."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            close = f". {nearest(value, names)}" if isinstance(value, str) else ""
            raise WrongValueError(f"one of {', '.join(names)}{close}")
        return value

    return check


def some_of(*names: str) -> Check:
    """A list of names without repeats; of any names where none is given."""

    def check(value: Any) -> tuple[str, ...]:
        listed = isinstance(value, list) and all(isinstance(name, str) and name for name in value)
        if not listed or len(set(value)) != len(value) or (names and not set(value) <= set(names)):
            raise WrongValueError(f"a list of {', '.join(names) or 'names'}, each once")
        return tuple(value)

    return check


def margins(value: Any) -> Mapping[str, Margin]:
    """A table of margins by name."""
    if not isinstance(value, dict):
        raise WrongValueError("a table of margins by name")
    found = {}
    for name, one in value.items():
        try:
            found[name] = margin(one)
        except WrongValueError as wrong:
            raise WrongValueError(f"a table in which {name} is {wrong}") from None
    return found


def file(value: Any) -> Path | None:
    """The name of a file; None for false."""
    if value is False:
        return None
    if not isinstance(value, str) or not value:
        raise WrongValueError("the name of a file, or false for none")
    return Path(value)


def rule(value: Any) -> Rule:
    """One of the rules."""
    return Rule(one_of(*Rule)(value))


margin = number(0, 1, off=True)
"""A margin, or false."""

headline = one_of(*HEADLINES)
"""A headline metric."""

tested = one_of(*TESTED)
"""A metric of a tag that has a paired test."""
