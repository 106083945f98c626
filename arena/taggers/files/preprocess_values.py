"""What a model's own file tells of its preprocessing, and how such a file is read."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from arena.base.errors import WeightsError
from arena.cards import FILTERS, InputSpec, Preprocess

LARGEST = 1e6
"""No mean, no standard deviation and no side is larger."""


class Preprocessing(NamedTuple):
    """What a file says, on top of what a card says.

    Attributes:
        notes: what a user should know of it, a line each, without the file's name.
    """

    preprocess: Preprocess
    input: InputSpec
    notes: tuple[str, ...] = ()


class UnclearError(Exception):
    """What is wrong with a file, without its name."""


def read_json(path: Path) -> Any:
    """The content of a JSON file; a byte-order mark is skipped.

    Raises:
        WeightsError: no readable JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: no readable JSON ({error}); fetch the file again") from None


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a finite number, and not a truth value."""
    return type(value) in (int, float) and -LARGEST <= value <= LARGEST


def read_side(where: str, value: Any) -> int:
    """One side of a square, pixels.

    Raises:
        UnclearError: no whole number above 0.
    """
    if type(value) is not int or not 0 < value <= LARGEST:
        raise UnclearError(f"{where} = {value!r}; it must be a whole number above 0")
    return int(value)


def read_three(where: str, so_far: Any) -> tuple[float, float, float]:
    """Three numbers, or one for all channels.

    Raises:
        UnclearError: another count, or no numbers.
    """
    values = so_far if isinstance(so_far, list) else [so_far]
    if len(values) not in (1, 3) or not all(is_number(value) for value in values):
        raise UnclearError(f"{where} = {so_far!r}; it must be one number or three")
    red, green, blue = (float(value) for value in (values * 3)[:3])
    return red, green, blue


def read_std(where: str, so_far: Any) -> tuple[float, float, float]:
    """Three standard deviations, or one for all channels.

    Raises:
        UnclearError: another count, or one that is not above 0.
    """
    std = read_three(where, so_far)
    if not all(value > 0 for value in std):
        raise UnclearError(f"{where} = {list(std)}; each must be above 0")
    return std


def read_filter(where: str, name: Any) -> str:
    """The name of one of Pillow's filters.

    Raises:
        UnclearError: another name.
    """
    if name not in FILTERS["pil"]:
        raise UnclearError(f"{where} = {name!r}; allowed: {', '.join(FILTERS['pil'])}")
    return str(name)
