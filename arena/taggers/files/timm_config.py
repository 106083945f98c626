"""Reader of timm's `config.json`: the network and its preprocessing.

The card says how an image becomes a square; timm's steps follow. `crop_mode` therefore has no effect: on a square, timm's three
modes are equal. Values that the file leaves out are the card's, where timm would use ImageNet's.

Source: timm's loader of the file (`timm.models._hub`), `timm.data.resolve_data_config` and `create_transform`; wdv3-timm for
the square before these steps, and for the swap of channels after them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor
from typing import Any

from arena.cards import InputSpec, Preprocess
from arena.taggers.files.preprocess_values import (
    Preprocessing,
    UnsupportedValueError,
    is_number,
    read_channel_values,
    read_filter,
    read_positive_integer,
    read_std,
)
from arena.taggers.preprocess import MAX_SIDE

_PREPROCESSING_KEY = "pretrained_cfg"
"""Key of the table with the preprocessing; in old files without it, the whole file is that table."""

CROP_MODES = ("center", "squash", "border")

BYTE_SCALE = 255.0
"""Divisor of timm's pixel bytes before mean and standard deviation are applied."""

_NO_SIZE = ""
"""Shown size of a card that takes the size from the weights."""


@dataclass(frozen=True)
class TimmConfig:
    """Content of timm's `config.json`.

    Attributes:
        architecture: timm's name of the network.
        num_classes: number of output columns.
        model_args: further arguments of the network.
        pictures: the preprocessing, without null values.
    """

    architecture: str
    num_classes: int
    model_args: Mapping[str, Any]
    pictures: Mapping[str, Any]


def parse_timm_config(content: Any) -> TimmConfig:
    """Parse the content of a `config.json`.

    Raises:
        UnclearError: not a table, or a field is missing, has another type, or is not supported.
    """
    if not isinstance(content, dict):
        raise UnsupportedValueError("is not a table; it must be timm's config.json")
    pictures = _table(content, _PREPROCESSING_KEY) if _PREPROCESSING_KEY in content else content
    architecture = content.get("architecture")
    if not isinstance(architecture, str) or not architecture:
        raise UnsupportedValueError(f"architecture = {architecture!r}; it must be timm's name of the network")
    model_args = _table(content, "model_args")
    if model_args.get("in_chans", 3) != 3:
        raise UnsupportedValueError(f"model_args.in_chans = {model_args['in_chans']!r}; only 3 channels are supported")
    return TimmConfig(
        architecture,
        read_positive_integer("num_classes", content.get("num_classes", pictures.get("num_classes"))),
        model_args,
        {key: value for key, value in pictures.items() if value is not None},
    )


def apply_timm_config(content: Any, family: Preprocessing) -> Preprocessing:
    """Return the preprocessing of the file, with notes on its differences from the family's and on values taken from it.

    Args:
        content: of the file.
        family: preprocessing of the model's family, for values that the file leaves out.

    Raises:
        UnclearError: the file is not timm's, or a value is not supported.
    """
    config = parse_timm_config(content)
    differences = timm_differences(content, family, whose="family")
    overrides = (f"used instead of its family's values: {differences}",) if differences else ()
    notes = (*overrides, *_notes_on_defaults(config, family), *_crop_mode_notes(config.pictures))
    return _followed(config, family)._replace(notes=notes)


def timm_differences(content: Any, other: Preprocessing, *, whose: str) -> str:
    """Return the values in which the file differs from another preprocessing, with timm's keys; empty if none differs.

    Args:
        whose: name of `other` in the text, such as `card`.

    Raises:
        UnclearError: the file is not timm's, or a value is not supported.
    """
    config = parse_timm_config(content)
    old, new = _shown(other), _shown(_followed(config, other))
    if "crop_pct" in config.pictures:
        new["crop_pct"] = f"{config.pictures['crop_pct']:.3g}"
    differing = [f"{key} {new[key]} ({whose}: {old[key]})" for key in new if new[key] != old[key] != _NO_SIZE]
    return ", ".join(differing)


def _followed(config: TimmConfig, family: Preprocessing) -> Preprocessing:
    return Preprocessing(_followed_square(config, family.preprocess), _followed_input(config.pictures, family.input))


def _table(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a table of the file; empty if it is null or missing."""
    table = content.get(key)
    if table is not None and not isinstance(table, dict):
        raise UnsupportedValueError(f"{key} = {table!r}; it must be a table")
    return table or {}


def _followed_square(config: TimmConfig, card: Preprocess) -> Preprocess:
    pictures, followed = config.pictures, card
    if "interpolation" in pictures:
        name = read_filter("interpolation", pictures["interpolation"])
        followed = replace(followed, resize=name, resize_up="", library="pil")
    size = _side(config) or card.size
    if not size:
        raise UnsupportedValueError("has no input_size, and the card has no size; add one of them")
    if "crop_pct" in pictures:
        return replace(followed, size=size, **_crop(size, pictures["crop_pct"]))
    return replace(followed, size=size, crop_from=card.crop_from * size // card.size if card.crop_from else 0)


def _followed_input(pictures: Mapping[str, Any], card: InputSpec) -> InputSpec:
    """Return the card's input with the file's mean and standard deviation.

    The file has them in the order red, green, blue; the card has them in the network's channel order.
    """
    if "mean" not in pictures and "std" not in pictures:
        return card
    mean = _ordered(card, read_channel_values("mean", pictures["mean"])) if "mean" in pictures else card.mean
    std = _ordered(card, read_std("std", pictures["std"])) if "std" in pictures else card.std
    return replace(card, scale=BYTE_SCALE, mean=mean, std=std)


def _ordered(card: InputSpec, values: tuple[float, float, float]) -> tuple[float, float, float]:
    """Convert three values from RGB to the network's channel order, or back."""
    first, second, third = values
    return (third, second, first) if card.channels == "bgr" else values


def _side(config: TimmConfig) -> int:
    """Return the side of the square in pixels; 0 if the file has none.

    `model_args.img_size` has priority if the network is built for this size only, or if there is no `input_size`.
    """
    built, size = config.model_args.get("img_size"), config.pictures.get("input_size")
    free = config.model_args.get("dynamic_img_size") or config.model_args.get("strict_img_size") is False
    if built is not None and (size is None or (config.pictures.get("fixed_input_size") and not free)):
        return _square("model_args.img_size", built, built if isinstance(built, list) else [built, built])
    if size is None:
        return 0
    if not isinstance(size, list) or len(size) != 3 or size[0] != 3:
        raise UnsupportedValueError(f"input_size = {size!r}; it must be 3 channels, a height and a width")
    return _square("input_size", size, size[1:])


def _square(where: str, value: Any, sides: Sequence[Any]) -> int:
    if len(sides) != 2 or sides[0] != sides[1]:
        raise UnsupportedValueError(f"{where} = {value!r}; height and width must be equal")
    side = read_positive_integer(where, sides[0])
    if side > MAX_SIDE:
        raise UnsupportedValueError(f"{where} = {value!r}; it must be at most {MAX_SIDE:,} pixels")
    return side


def _crop(size: int, crop_pct: Any) -> dict[str, Any]:
    """Return the crop fields of `Preprocess` for timm's `crop_pct`, the fraction of a side that the crop keeps."""
    if not is_number(crop_pct) or not 0 < crop_pct <= 1:
        raise UnsupportedValueError(f"crop_pct = {crop_pct!r}; it must be a number above 0, at most 1")
    side = floor(size / crop_pct)
    if side > MAX_SIDE:
        raise UnsupportedValueError(
            f"crop_pct = {crop_pct:g} resizes to {side:,} pixels before the crop; at most {MAX_SIDE:,} are allowed"
        )
    return {"crop_from": side, "crop_rounding": "nearest"} if side > size else {"crop_from": 0}


def _notes_on_defaults(config: TimmConfig, family: Preprocessing) -> tuple[str, ...]:
    """Return a note on the values that the file leaves out."""
    sized = {"input_size"} if _side(config) else set()
    values = {key: value for key, value in _shown(family).items() if key not in config.pictures.keys() | sized}
    used = ", ".join(f"{key} {value}" for key, value in values.items())
    return (f"has no {', no '.join(values)}; its family's values are used: {used}",) if values else ()


def _crop_mode_notes(pictures: Mapping[str, Any]) -> tuple[str, ...]:
    mode = pictures.get("crop_mode", CROP_MODES[0])
    if mode not in CROP_MODES:
        raise UnsupportedValueError(f"crop_mode = {mode!r}; allowed: {', '.join(CROP_MODES)}")
    return () if mode == CROP_MODES[0] else (f"crop_mode {mode} has no effect, because the image is already a square",)


def _shown(preprocessing: Preprocessing) -> dict[str, str]:
    """Return a preprocessing as text, by timm's keys."""
    square, spec = preprocessing.preprocess, preprocessing.input
    mean, std = (" ".join(f"{value:g}" for value in _ordered(spec, values)) for values in (spec.mean, spec.std))
    return {
        "input_size": str(square.size) if square.size else _NO_SIZE,
        "mean": mean,
        "std": std,
        "interpolation": square.resize if square.library == "pil" else f"{square.library}'s {square.resize}",
        "crop_pct": f"{square.size / square.crop_from if square.crop_from else 1:.3g}",
    }
