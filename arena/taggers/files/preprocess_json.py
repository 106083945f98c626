"""Readers of the preprocessing files that vendors publish with their weights.

Source: lists of transforms of imgutils (`preprocess.json` of animetimm, and of deepghs' ports of PixAI and Camie), and
OppaiOracle's `preprocessing.json`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from PIL import ImageColor

from arena.base.errors import nearest
from arena.cards import Preprocess
from arena.taggers.files.preprocess_values import (
    Preprocessing,
    UnsupportedValueError,
    read_channel_values,
    read_filter,
    read_positive_integer,
    read_std,
)

_SECTIONS = ("test", "stages", "val")
"""Lists of transforms in one file, by priority; vendors measure their published metrics with `test`."""

_Transform = Mapping[str, Any]


def apply_transforms(content: Any, so_far: Preprocessing) -> Preprocessing:
    """Return the preprocessing of a list of transforms, or of OppaiOracle's table.

    Args:
        so_far: the card's values. With a list of transforms, only its background of transparent pixels and its channel order,
            layout and input names are kept; OppaiOracle's table keeps whatever it does not set.

    Raises:
        UnclearError: no list of transforms, an unknown transform, or an order that is not supported.
    """
    if isinstance(content, dict) and "image_size" in content:
        return _table(content, so_far)
    return _transforms(_section(content), so_far)


def _section(content: Any) -> list[_Transform]:
    if isinstance(content, dict):
        section = next((name for name in _SECTIONS if name in content), None)
        if section is None:
            raise UnsupportedValueError(
                f"has none of {', '.join(_SECTIONS)}; one of them must hold a list of transforms"
            )
        content = content[section]
    if not isinstance(content, list) or not all(isinstance(step, dict) and "type" in step for step in content):
        raise UnsupportedValueError("is not a list of transforms; it must be a list of tables, each with a type")
    return content


def _transforms(steps: list[_Transform], so_far: Preprocessing) -> Preprocessing:
    """Apply the transforms one by one to an empty preprocessing; its `size` is the side of the square so far, 0 before it."""
    blank = Preprocess(size=0, pad="none", alpha=so_far.preprocess.alpha, library="pil")
    so_far = Preprocessing(blank, replace(so_far.input, scale=1.0, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)))
    kinds = [step["type"] for step in steps]
    if "normalize" in kinds[:-1]:
        raise UnsupportedValueError("has a transform after normalize; normalize must be the last")
    for step in steps:
        kind, options = step["type"], {key: value for key, value in step.items() if key != "type"}
        if not isinstance(kind, str) or kind not in _STEPS:
            raise UnsupportedValueError(f"transform {kind!r} is unknown. {nearest(str(kind), _STEPS)}")
        so_far = _STEPS[kind](so_far, options)
    if not so_far.preprocess.size:
        raise UnsupportedValueError("has no transform that makes a square; one must resize or pad to a size")
    if so_far.preprocess.pad == "crop" and "center_crop" not in kinds:
        raise UnsupportedValueError(
            f"resize to {so_far.preprocess.size} scales only the shorter side; pad_to_size must come before it, or center_crop "
            "after it"
        )
    return so_far


def _convert_rgb(so_far: Preprocessing, options: _Transform) -> Preprocessing:
    colour = options.get("force_background", "white")
    if colour is None:
        return so_far
    return so_far._replace(preprocess=replace(so_far.preprocess, alpha=_colour(colour)))


def _pad_to_size(so_far: Preprocessing, options: _Transform) -> Preprocessing:
    if so_far.preprocess.size:
        raise UnsupportedValueError("has pad_to_size after another resize; it must come first")
    side, name = _square_side("pad_to_size", options), _filter("pad_to_size", options)
    colour = _colour(options.get("background_color", "white"))
    return so_far._replace(
        preprocess=replace(so_far.preprocess, size=side, pad="after", pad_colour=colour, resize=name)
    )


def _resize(so_far: Preprocessing, options: _Transform) -> Preprocessing:
    before, name = so_far.preprocess, _filter("resize", options)
    if options.get("antialias") is False or options.get("max_size") is not None:
        raise UnsupportedValueError("has a resize with antialias = false or max_size; neither is supported")
    if before.fit_size or (before.size and before.pad != "after"):
        raise UnsupportedValueError(
            "resizes the image more than once after pad_to_size, or twice without it; not supported"
        )
    side = _square_side("resize", options)
    if not before.size:
        shorter = isinstance(options["size"], int) or len(options["size"]) == 1
        pad = "crop" if shorter else before.pad
        return so_far._replace(preprocess=replace(before, size=side, resize=name, pad=pad))
    if side == before.size:
        return so_far
    fitted = replace(before, size=side, resize=name, fit_size=before.size, fit_resize=before.resize)
    return so_far._replace(preprocess=fitted)


def _center_crop(so_far: Preprocessing, options: _Transform) -> Preprocessing:
    side, before = _square_side("center_crop", options), so_far.preprocess
    if not before.size:
        raise UnsupportedValueError("has center_crop before any resize; a resize to a size must come first")
    if side > before.size or before.crop_from:
        raise UnsupportedValueError(
            f"has center_crop to {side} from a square of {before.size}; it must be smaller, and the only crop"
        )
    if side == before.size:
        return so_far
    return so_far._replace(preprocess=replace(before, size=side, crop_from=before.size))


def _to_tensor(so_far: Preprocessing, options: _Transform) -> Preprocessing:
    return so_far._replace(input=replace(so_far.input, scale=so_far.input.scale * 255))


def _rescale(so_far: Preprocessing, options: _Transform) -> Preprocessing:
    factor = options.get("rescale_factor", 1 / 255)
    if not isinstance(factor, (int, float)) or not factor > 0:
        raise UnsupportedValueError(f"rescale_factor = {factor!r}; it must be a number above 0")
    scale = round(1 / factor) if abs(1 / factor - round(1 / factor)) < 1e-3 else 1 / factor  # the file holds a float32
    return so_far._replace(input=replace(so_far.input, scale=so_far.input.scale * scale))


def _normalize(so_far: Preprocessing, options: _Transform) -> Preprocessing:
    mean, std = (
        read_channel_values("normalize: mean", options.get("mean")),
        read_std("normalize: std", options.get("std")),
    )
    return so_far._replace(input=replace(so_far.input, mean=mean, std=std))


_STEPS: dict[str, Callable[[Preprocessing, _Transform], Preprocessing]] = {
    "convert_rgb": _convert_rgb,
    "pad_to_size": _pad_to_size,
    "resize": _resize,
    "center_crop": _center_crop,
    "to_tensor": _to_tensor,
    "maybe_to_tensor": _to_tensor,
    "rescale": _rescale,
    "normalize": _normalize,
}


def _table(content: Mapping[str, Any], so_far: Preprocessing) -> Preprocessing:
    """Return the preprocessing of OppaiOracle's table: the image is fitted, then padded.

    Its keys are `image_size`, `pad_color_rgb`, `normalize_mean` and `normalize_std`.
    """
    size = read_positive_integer("image_size", content["image_size"])
    colour = content.get("pad_color_rgb", list(so_far.preprocess.pad_colour))
    options = {"mean": content.get("normalize_mean"), "std": content.get("normalize_std")}
    padded = replace(so_far.preprocess, size=size, pad="after", pad_colour=_colour(colour))
    return _normalize(Preprocessing(padded, replace(so_far.input, scale=255.0)), options)


def _square_side(kind: str, options: _Transform) -> int:
    size = options.get("size")
    sides = size if isinstance(size, list) and size else [size]
    side = sides[0] if all(one == sides[0] for one in sides) else None
    if not isinstance(side, int) or isinstance(side, bool) or side < 1:
        raise UnsupportedValueError(f"{kind}: size = {size!r}; it must be the side of a square, or two equal sides")
    return side


def _filter(kind: str, options: _Transform) -> str:
    return read_filter(f"{kind}: interpolation", options.get("interpolation", "bilinear"))


def _colour(colour: Any) -> tuple[int, int, int]:
    """Parse a colour: a name, one grey value, or three values."""
    try:
        if isinstance(colour, str):
            colour = ImageColor.getrgb(colour)[:3]
        elif isinstance(colour, int):
            colour = (colour,) * 3
        red, green, blue = (int(value) for value in colour)
    except (ValueError, TypeError):
        raise UnsupportedValueError(
            f"colour {colour!r}; it must be a name, or red, green, blue from 0 to 255"
        ) from None
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise UnsupportedValueError(f"colour {colour!r}; it must be a name, or red, green, blue from 0 to 255")
    return red, green, blue
