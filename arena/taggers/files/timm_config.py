"""timm's `config.json`: which network it is, and how a picture becomes its input.

A picture is made a square as the card says before timm's own steps see it. `crop_mode` has no effect then: on a square, timm's
three modes are one. What the file leaves out stays as the card says, where timm would take ImageNet's.

Source: timm's loader of the file (`timm.models._hub`), `timm.data.resolve_data_config` and `create_transform`; wdv3-timm for
the square before them and for the channels, which it swaps behind them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor
from typing import Any

from arena.cards import InputSpec, Preprocess
from arena.taggers.files.preprocess_values import (
    Preprocessing,
    UnclearError,
    is_number,
    read_filter,
    read_side,
    read_std,
    read_three,
)
from arena.taggers.preprocess import MAX_SIDE

PICTURES = "pretrained_cfg"
"""The table that tells how pictures are prepared; without it, as in old files, the whole file is that table."""

CROP_MODES = ("center", "squash", "border")

BYTE_SCALE = 255.0
"""timm divides bytes by it before mean and standard deviation are applied."""

NOT_SAID = ""
"""A size that a card leaves to the weights."""


@dataclass(frozen=True)
class TimmConfig:
    """What the file says.

    Attributes:
        architecture: timm's name of the network.
        num_classes: columns of its output.
        model_args: further arguments of the network.
        pictures: how pictures are prepared; what is null is left out.
    """

    architecture: str
    num_classes: int
    model_args: Mapping[str, Any]
    pictures: Mapping[str, Any]


def parse_timm_config(content: Any) -> TimmConfig:
    """Check the content of a `config.json`.

    Raises:
        UnclearError: no table, or a field that is missing or of another type.
    """
    if not isinstance(content, dict):
        raise UnclearError("no table; it must be timm's config.json")
    pictures = _table(content, PICTURES) if PICTURES in content else content
    architecture = content.get("architecture")
    if not isinstance(architecture, str) or not architecture:
        raise UnclearError(f"architecture = {architecture!r}; it must be timm's name of the network")
    model_args = _table(content, "model_args")
    if model_args.get("in_chans", 3) != 3:
        raise UnclearError(f"model_args.in_chans = {model_args['in_chans']!r}; only 3 channels are fed")
    return TimmConfig(
        architecture,
        read_side("num_classes", content.get("num_classes", pictures.get("num_classes"))),
        model_args,
        {key: value for key, value in pictures.items() if value is not None},
    )


def follow_timm_config(content: Any, family: Preprocessing) -> Preprocessing:
    """The preprocessing that the file tells; its notes say where it differs from the family's, and what it leaves to that.

    Raises:
        UnclearError: the file is not timm's, or a value of it cannot be followed.
    """
    config = parse_timm_config(content)
    differences = differences_from(content, family, whose="family")
    followed = (f"followed where its family differs: {differences}",) if differences else ()
    notes = (*followed, *_silences(config, family), *_crop_mode(config.pictures))
    return _followed(config, family)._replace(notes=notes)


def differences_from(content: Any, other: Preprocessing, *, whose: str) -> str:
    """What the file says otherwise, in timm's words; empty where nothing.

    Args:
        whose: `other` is, as it is so_far.

    Raises:
        UnclearError: as `follow_timm_config`.
    """
    config = parse_timm_config(content)
    old, new = _shown(other), _shown(_followed(config, other))
    if "crop_pct" in config.pictures:
        new["crop_pct"] = f"{config.pictures['crop_pct']:.3g}"
    so_far = [f"{key} {new[key]} ({whose}: {old[key]})" for key in new if new[key] != old[key] != NOT_SAID]
    return ", ".join(so_far)


def _followed(config: TimmConfig, family: Preprocessing) -> Preprocessing:
    return Preprocessing(_followed_square(config, family.preprocess), _followed_input(config.pictures, family.input))


def _table(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A table inside the file; one that is null or missing is empty."""
    table = content.get(key)
    if table is not None and not isinstance(table, dict):
        raise UnclearError(f"{key} = {table!r}; it must be a table")
    return table or {}


def _followed_square(config: TimmConfig, card: Preprocess) -> Preprocess:
    said, followed = config.pictures, card
    if "interpolation" in said:
        name = read_filter("interpolation", said["interpolation"])
        followed = replace(followed, resize=name, resize_up="", library="pil")
    size = _side(config) or card.size
    if not size:
        raise UnclearError("no input_size, and the card has no size either; add one of them")
    if "crop_pct" in said:
        return replace(followed, size=size, **_crop(size, said["crop_pct"]))
    return replace(followed, size=size, crop_from=card.crop_from * size // card.size if card.crop_from else 0)


def _followed_input(said: Mapping[str, Any], card: InputSpec) -> InputSpec:
    """Mean and standard deviation are red, green, blue in the file, and in the network's order in the card."""
    if "mean" not in said and "std" not in said:
        return card
    mean = _ordered(card, read_three("mean", said["mean"])) if "mean" in said else card.mean
    std = _ordered(card, read_std("std", said["std"])) if "std" in said else card.std
    return replace(card, scale=BYTE_SCALE, mean=mean, std=std)


def _ordered(card: InputSpec, values: tuple[float, float, float]) -> tuple[float, float, float]:
    """Red, green, blue as the network wants them, or back."""
    first, second, third = values
    return (third, second, first) if card.channels == "bgr" else values


def _side(config: TimmConfig) -> int:
    """The side of the square; 0 where the file does not tell it.

    A network that is built for one size, as `model_args` have it, takes no other.
    """
    built, size = config.model_args.get("img_size"), config.pictures.get("input_size")
    free = config.model_args.get("dynamic_img_size") or config.model_args.get("strict_img_size") is False
    if built is not None and (size is None or (config.pictures.get("fixed_input_size") and not free)):
        return _square("model_args.img_size", built, built if isinstance(built, list) else [built, built])
    if size is None:
        return 0
    if not isinstance(size, list) or len(size) != 3 or size[0] != 3:
        raise UnclearError(f"input_size = {size!r}; it must be 3 channels, a height and a width")
    return _square("input_size", size, size[1:])


def _square(where: str, so_far: Any, sides: Sequence[Any]) -> int:
    if len(sides) != 2 or sides[0] != sides[1]:
        raise UnclearError(f"{where} = {so_far!r}; height and width differ, and only squares are fed")
    side = read_side(where, sides[0])
    if side > MAX_SIDE:
        raise UnclearError(f"{where} = {so_far!r}; {MAX_SIDE:,} pixels at most")
    return side


def _crop(size: int, share: Any) -> dict[str, Any]:
    """The share of a side that is kept in the middle, as fields of the preprocessing."""
    if not is_number(share) or not 0 < share <= 1:
        raise UnclearError(f"crop_pct = {share!r}; it must be a number above 0, at most 1")
    side = floor(size / share)
    if side > MAX_SIDE:
        raise UnclearError(f"crop_pct = {share:g} resizes to {side:,} pixels before the cut; {MAX_SIDE:,} at most")
    return {"crop_from": side, "crop_rounding": "nearest"} if side > size else {"crop_from": 0}


def _silences(config: TimmConfig, family: Preprocessing) -> tuple[str, ...]:
    """What the file does not say."""
    sized = {"input_size"} if _side(config) else set()
    values = {key: value for key, value in _shown(family).items() if key not in config.pictures.keys() | sized}
    used = ", ".join(f"{key} {value}" for key, value in values.items())
    return (f"no {', no '.join(values)} in it; its family's values are used: {used}",) if values else ()


def _crop_mode(said: Mapping[str, Any]) -> tuple[str, ...]:
    mode = said.get("crop_mode", CROP_MODES[0])
    if mode not in CROP_MODES:
        raise UnclearError(f"crop_mode = {mode!r}; allowed: {', '.join(CROP_MODES)}")
    return () if mode == CROP_MODES[0] else (f"crop_mode {mode} has no effect: the picture is a square before it",)


def _shown(so_far: Preprocessing) -> dict[str, str]:
    """A preprocessing in timm's words."""
    square, spec = so_far.preprocess, so_far.input
    mean, std = (" ".join(f"{value:g}" for value in _ordered(spec, values)) for values in (spec.mean, spec.std))
    return {
        "input_size": str(square.size) if square.size else NOT_SAID,
        "mean": mean,
        "std": std,
        "interpolation": square.resize if square.library == "pil" else f"{square.library}'s {square.resize}",
        "crop_pct": f"{square.size / square.crop_from if square.crop_from else 1:.3g}",
    }
