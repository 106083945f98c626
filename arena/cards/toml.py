"""Read TOML tables field by field, so that an error names the field, its value and the allowed values."""

import math
from collections.abc import Iterator
from typing import Any

from arena.base.errors import ArenaError, nearest

_MISSING: Any = object()


class CardTable:
    """One TOML table, read field by field; `finish` refuses the fields that were not read."""

    def __init__(self, content: dict[str, Any], where: str) -> None:
        self.content = content
        self.where = where
        self.known: list[str] = []

    def take(self, key: str, kinds: tuple[type, ...], default: Any) -> Any:
        self.known.append(key)
        value = self.content.pop(key, default)
        if value is _MISSING:
            raise ArenaError(f"{self.where}: no {key}; add it")
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ArenaError(f"{self.where}: {key} = {value!r}; it must be {kinds[0].__name__}")
        return value

    def text(self, key: str, default: Any = _MISSING) -> str:
        return str(self.take(key, (str,), default))

    def texts(self, key: str) -> list[str]:
        values = self.take(key, (list,), _MISSING)
        if not values or not all(isinstance(value, str) for value in values):
            raise ArenaError(f"{self.where}: {key} = {values!r}; it must list at least one name")
        return list(values)

    def choice(self, key: str, allowed: tuple[str, ...], default: Any = _MISSING) -> str:
        value = self.text(key, default)
        if value not in allowed:
            raise ArenaError(f"{self.where}: {key} = {value!r}; allowed: {', '.join(allowed)}")
        return value

    def number(self, key: str, default: Any = _MISSING) -> float:
        value = float(self.take(key, (float, int), default))
        if not math.isfinite(value):
            raise ArenaError(f"{self.where}: {key} = {value}; it must be a finite number")
        return value

    def count(self, key: str, default: Any = _MISSING) -> int:
        value = self.number(key, default)
        if value < 0 or not value.is_integer():
            raise ArenaError(f"{self.where}: {key} = {value:g}; it must be a whole number, 0 or more")
        return int(value)

    def numbers(self, key: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
        values = self.take(key, (list, tuple), default)
        if len(values) != 3 or not all(type(value) in (int, float) and math.isfinite(value) for value in values):
            raise ArenaError(f"{self.where}: {key} = {values!r}; it must be three numbers, one per channel")
        return float(values[0]), float(values[1]), float(values[2])

    def flag(self, key: str, default: bool) -> bool:
        return bool(self.take(key, (bool,), default))

    def table(self, key: str) -> "CardTable":
        return CardTable(self.take(key, (dict,), {}), f"{self.where}: [{key}]")

    def strings(self) -> dict[str, str]:
        return {key: self.text(key) for key in self.keys()}

    def floats(self) -> dict[str, float]:
        return {key: self.number(key) for key in self.keys()}

    def keys(self) -> Iterator[str]:
        return iter(list(self.content))

    def finish(self) -> None:
        for key in self.content:
            raise ArenaError(f"{self.where}: {key} is not a field of a card. {nearest(key, self.known)}")
