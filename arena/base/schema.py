"""Check the content of a JSON file against a JSON Schema; a wrong field is one line: file, field, value found, value wanted.

`jsonschema` (MIT) does the checks. It was chosen over pydantic because it checks plain tables in place: readers keep their
dictionaries, older files may lack fields or have more of them, and no second class is needed for each file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from arena.base.errors import ArenaError
from arena.base.format import shown

if TYPE_CHECKING:
    from jsonschema import ValidationError

_WORDS = {
    "string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "object": "a table", "array": "a list", "null": "null",
}  # fmt: skip

_TYPES: Mapping[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float)}
"""Types of the items of a flat list; a boolean is no number."""

_MAX_SHOWN = 40
"""Largest number of characters of a value in a message."""

TEXT: Mapping[str, Any] = {"type": "string"}
INTEGER: Mapping[str, Any] = {"type": "integer"}
COUNT: Mapping[str, Any] = {"type": "integer", "minimum": 0}
NUMBER: Mapping[str, Any] = {"type": "number"}
FLAG: Mapping[str, Any] = {"type": "boolean"}
TABLE: Mapping[str, Any] = {"type": "object"}


def optional(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the definition of the same value or null.

    >>> optional(COUNT)
    {'type': ['integer', 'null'], 'minimum': 0}
    """
    kinds = definition["type"]
    return {**definition, "type": [*([kinds] if isinstance(kinds, str) else kinds), "null"]}


def list_of(kind: str) -> Mapping[str, Any]:
    """Return the definition of a list of `string`, `integer` or `number`, which is checked at once: lists of tags are long."""
    return {"type": "array", "each": kind}


def table_of(
    needed: Mapping[str, Mapping[str, Any]] | None = None,
    known: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    others: Mapping[str, Any] | bool = True,
) -> dict[str, Any]:
    """Return the definition of a table.

    Args:
        needed: definitions of its required fields.
        known: definitions of fields that may be missing.
        others: definition of every other field; True allows any, False none.
    """
    needed, known = needed or {}, known or {}
    return {
        "type": "object",
        "required": list(needed),
        "properties": {**needed, **known},
        **({} if others is True else {"additionalProperties": others}),
    }


class Schema:
    """A JSON Schema (2020-12) of a file.

    A whole number must be an `int`: 3.0 is refused, because it cannot be used as a count. The additional keyword `each` names
    the type of all items of a list.
    """

    def __init__(self, definition: Mapping[str, Any]) -> None:
        self.definition = definition

    def check(self, content: Any, where: object, *, fix: str, error: type[ArenaError] = ArenaError) -> None:
        """Raise if content does not fit.

        Args:
            where: file, for the message.
            fix: what a user can do, for the end of the message.
            error: class of the error.

        >>> Schema(table_of({"a": COUNT})).check({"a": "x"}, "r.json", fix="restore it")
        Traceback (most recent call last):
        arena.base.errors.ArenaError: r.json: a is 'x'; it must be a whole number; restore it
        """
        from jsonschema.exceptions import best_match

        fault = best_match(self._validator.iter_errors(content))
        if fault is not None:
            raise error(f"{where}: {_described(fault)}; {fix}")

    @cached_property
    def _validator(self) -> Any:
        return _validator_class()(self.definition)


@cache
def _validator_class() -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    kinds = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    return extend(Draft202012Validator, {"each": _check_each}, type_checker=kinds)


def _check_each(validator: Any, kind: str, items: Any, schema: Any) -> Iterator[ValidationError]:
    """Yield an error for the first item of another type."""
    from jsonschema import ValidationError

    if isinstance(items, list) and not {*map(type, items)} <= {*_TYPES[kind]}:
        number = next(number for number, one in enumerate(items) if type(one) not in _TYPES[kind])
        yield ValidationError(
            "wrong type", path=deque([number]), validator="type", validator_value=kind, instance=items[number]
        )


def _described(fault: ValidationError) -> str:
    """Return a fault in words: the field, the value found, the value wanted."""
    field = _field(fault.absolute_path)
    if fault.validator == "required":
        missing = next(name for name in fault.validator_value if name not in fault.instance)
        return f"no field {_field([*fault.absolute_path, missing])}"
    return f"{field or 'the content'} is {_value(fault.instance)}; it must be {_wanted(fault)}"


def _field(path: Iterable[str | int]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{shown(key)}" for key in path).removeprefix(".")


def _value(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    text = repr(value)
    return shown(text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}...")


def _wanted(fault: ValidationError) -> str:
    wanted: Any = fault.validator_value
    if fault.validator == "type":
        return " or ".join(_WORDS[kind] for kind in ([wanted] if isinstance(wanted, str) else wanted))
    if fault.validator in ("minimum", "exclusiveMinimum", "maximum"):
        return {"minimum": f"{wanted} or more", "maximum": f"{wanted} or less"}.get(
            str(fault.validator), f"above {wanted}"
        )
    if fault.validator == "enum":
        return f"one of {', '.join(map(str, wanted))}"
    if fault.validator == "minProperties":
        return "a table that is not empty"
    return shown(fault.message)
