"""Keys of a policy: the check of each kind of value, and dataclass fields with a default and a check."""

import math
from collections.abc import Callable, Mapping
from dataclasses import field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError, nearest
from arena.metrics.registry import TESTED

Margin = float | None
"""Largest allowed loss of a metric, 0 to below 1; None turns the requirement off."""


class DecisionRule(StrEnum):
    """How an interval decides; the header of the default policy explains each rule."""

    NON_INFERIORITY = "non-inferiority"
    MEASURED = "measured"
    REGRESSION = "regression"


class WrongValueError(Exception):
    """A value is wrong; the message says what it must be, such as `a number from 0 to 1`."""


KeyCheck = Callable[[Any], Any]
"""Converts a value of the file to a value of the policy; raises `WrongValueError`."""


def policy_key(default: Any, check: KeyCheck) -> Any:
    """Return a dataclass field for one key of a table in the policy file.

    Args:
        default: the value as written in the file; `False` turns a numeric requirement off.
        check: converts the default and values of a file.
    """
    return field(default_factory=lambda: check(default), metadata={"default": default, "check": check})


def default_keys(settings: type[Any]) -> dict[str, Any]:
    """Return the keys of a settings class with their defaults, as written in a file."""
    return {one.name: one.metadata["default"] for one in fields(settings)}


def check_table(where: object, table: str, settings: type[Any], keys: Any) -> dict[str, Any]:
    """Check the keys of one table of a policy file; return them with the values that the settings class takes.

    Args:
        where: path of the file, for errors.

    Raises:
        ArenaError: `keys` is not a table, or has an unknown key or a wrong value.
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


def number_in(low: float, high: float, *, off: bool = False, below: bool = False) -> KeyCheck:
    """Return a check for numbers from `low` to `high`.

    Args:
        low, high: the range.
        off: accept false, which becomes None.
        below: refuse `high` itself.
    """
    ends = f"of {low:g} or more" if math.isinf(high) else f"from {low:g} to {'below ' if below else ''}{high:g}"
    must = f"a number {ends}" + (", or false for none" if off else "")

    def check(value: Any) -> float | None:
        if off and value is False:
            return None
        known = isinstance(value, int | float) and not isinstance(value, bool)
        if not known or not math.isfinite(value) or not low <= value <= high or (below and value == high):
            raise WrongValueError(must)
        return float(value)

    return check


def whole_number(value: Any) -> int:
    """Check a whole number of 0 or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise WrongValueError("a whole number of 0 or more")
    return value


def true_or_false(value: Any) -> bool:
    """Check a boolean."""
    if not isinstance(value, bool):
        raise WrongValueError("true or false")
    return value


def one_of(*names: str) -> KeyCheck:
    """Return a check for one of these names."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in names:
            close = f". {nearest(value, names)}" if isinstance(value, str) else ""
            raise WrongValueError(f"one of {', '.join(names)}{close}")
        return value

    return check


def some_of(*names: str) -> KeyCheck:
    """Return a check for a list without repeats of these names; without arguments, of any names."""

    def check(value: Any) -> tuple[str, ...]:
        listed = isinstance(value, list) and all(isinstance(name, str) and name for name in value)
        if not listed or len(set(value)) != len(value) or (names and not set(value) <= set(names)):
            raise WrongValueError(f"a list of {', '.join(names) or 'names'}, each once")
        return tuple(value)

    return check


def margins(value: Any) -> Mapping[str, Margin]:
    """Check a table of margins by name."""
    if not isinstance(value, dict):
        raise WrongValueError("a table of margins by name")
    found = {}
    for name, one in value.items():
        try:
            found[name] = margin(one)
        except WrongValueError as wrong:
            raise WrongValueError(f"a table in which {name} is {wrong}") from None
    return found


def file_or_false(value: Any) -> Path | None:
    """Check a file name; false becomes None."""
    if value is False:
        return None
    if not isinstance(value, str) or not value:
        raise WrongValueError("the name of a file, or false for none")
    return Path(value)


def rule(value: Any) -> DecisionRule:
    """Check the name of a rule."""
    return DecisionRule(one_of(*DecisionRule)(value))


share = number_in(0, 1, off=True)
"""Checks a share from 0 to 1; false becomes None."""

margin = number_in(0, 1, off=True, below=True)
"""Checks a margin from 0 to below 1; false becomes None. A margin of 1 would allow every loss, as metrics lie in 0 to 1."""

required_margin = number_in(0, 1, below=True)
"""Checks a margin from 0 to below 1 that cannot be turned off."""

tested_metric = one_of(*TESTED)
"""Checks the key of a per-tag metric that has a paired test."""
