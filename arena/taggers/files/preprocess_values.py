"""Preprocessing read from a model's own file, and checked readers of its values."""

from pathlib import Path
from typing import Any, NamedTuple

from arena.base.errors import WeightsError
from arena.base.reading import read_json
from arena.cards import FILTERS, InputSpec, Preprocess

_MAX_MAGNITUDE = 1e6
"""Largest accepted magnitude of a number."""


class Preprocessing(NamedTuple):
    """A card's preprocessing, updated with the values of a file.

    Attributes:
        notes: notes for the user on the file, one line each, without its name.
    """

    preprocess: Preprocess
    input: InputSpec
    notes: tuple[str, ...] = ()


class UnsupportedValueError(Exception):
    """A file's content is invalid or not supported; the message does not name the file."""


def read_json_file(path: Path) -> Any:
    """Return the content of a JSON file; a byte order mark is skipped.

    Raises:
        WeightsError: not readable JSON.
    """
    return read_json(path, fix="download the file again", error=WeightsError)


def is_number(value: Any) -> bool:
    """Return whether a JSON value is a number, not a boolean, of magnitude `_MAX_MAGNITUDE` at most."""
    return type(value) in (int, float) and -_MAX_MAGNITUDE <= value <= _MAX_MAGNITUDE


def read_positive_integer(where: str, value: Any) -> int:
    """Return a whole number, such as the side of a square in pixels.

    Args:
        where: the value's name, for the error.

    Raises:
        UnclearError: not a whole number above 0, or above `_MAX_MAGNITUDE`.
    """
    if type(value) is not int or not 0 < value <= _MAX_MAGNITUDE:
        raise UnsupportedValueError(f"{where} = {value!r}; it must be a whole number above 0")
    return int(value)


def read_channel_values(where: str, value: Any) -> tuple[float, float, float]:
    """Return three numbers, one for each channel; a single number counts for all of them.

    Raises:
        UnclearError: another count, or not numbers.
    """
    values = value if isinstance(value, list) else [value]
    if len(values) not in (1, 3) or not all(is_number(one) for one in values):
        raise UnsupportedValueError(f"{where} = {value!r}; it must be one number or three")
    red, green, blue = (float(one) for one in (values * 3)[:3])
    return red, green, blue


def read_std(where: str, value: Any) -> tuple[float, float, float]:
    """Return three standard deviations, one for each channel; a single one counts for all of them.

    Raises:
        UnclearError: another count, or one that is not above 0.
    """
    std = read_channel_values(where, value)
    if not all(one > 0 for one in std):
        raise UnsupportedValueError(f"{where} = {list(std)}; each must be above 0")
    return std


def read_filter(where: str, name: Any) -> str:
    """Return the name of a resize filter of Pillow.

    Raises:
        UnclearError: Pillow has no such filter.
    """
    if not isinstance(name, str) or name not in FILTERS["pil"]:
        raise UnsupportedValueError(f"{where} = {name!r}; allowed: {', '.join(FILTERS['pil'])}")
    return str(name)
