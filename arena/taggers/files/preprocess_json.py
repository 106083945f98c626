"""Preprocessing as vendors publish it beside their weights, read as it is.

Source: the lists of transforms of imgutils (`preprocess.json` of animetimm, of deepghs' ports of PixAI and Camie), and
OppaiOracle's `preprocessing.json`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from PIL import ImageColor

from arena.base.errors import WeightsError, nearest
from arena.cards import FILTERS, InputSpec, ModelCard, Preprocess

SECTIONS = ("test", "stages", "val")
"""Lists of transforms in one file, the one that counts first: `test` is what the vendor's figures were measured with."""

Transform = Mapping[str, Any]


class Told(NamedTuple):
    """What a file says, on top of what a card says."""

    preprocess: Preprocess
    input: InputSpec


def follow_preprocess_file(card: ModelCard, files: Mapping[str, Path]) -> ModelCard:
    """The card with the preprocessing that its own file tells; the card as it is where it names none.

    Raises:
        WeightsError: the file cannot be followed.
    """
    if not card.preprocess_file:
        return card
    told = read_preprocess_json(files[card.preprocess_file], card.preprocess, card.input)
    return replace(card, preprocess=told.preprocess, input=told.input)


def read_preprocess_json(
    path: Path, preprocess: Preprocess = Preprocess(), network_input: InputSpec = InputSpec()
) -> Told:
    """Read a list of transforms, or OppaiOracle's table.

    Args:
        preprocess, network_input: what the card says; what the file does not tell stays so.

    Raises:
        WeightsError: no readable JSON, no list of transforms, one that is unknown, or an order that no square comes of.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path}: no readable JSON ({error}); fetch the file again") from None
    told = Told(preprocess, network_input)
    try:
        if isinstance(content, dict) and "image_size" in content:
            return _table(content, told)
        return _transforms(_section(content), told)
    except _UnclearError as error:
        raise WeightsError(f"{path}: {error}") from None


class _UnclearError(Exception):
    """What is wrong, without the file's name."""


def _section(content: Any) -> list[Transform]:
    if isinstance(content, dict):
        section = next((name for name in SECTIONS if name in content), None)
        if section is None:
            raise _UnclearError(f"none of {', '.join(SECTIONS)} in it; it must hold a list of transforms")
        content = content[section]
    if not isinstance(content, list) or not all(isinstance(step, dict) and "type" in step for step in content):
        raise _UnclearError("no list of transforms, each with its type")
    return content


def _transforms(steps: list[Transform], told: Told) -> Told:
    """Follow the transforms one by one; the state is what is told so far, `size` being the side that a square has by now."""
    blank = Preprocess(size=0, pad="none", alpha=told.preprocess.alpha, library="pil")
    told = Told(blank, replace(told.input, scale=1.0, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)))
    if "normalize" in [step["type"] for step in steps[:-1]]:
        raise _UnclearError("a transform after normalize; it must be the last")
    for step in steps:
        kind, options = step["type"], {key: value for key, value in step.items() if key != "type"}
        if kind not in _STEPS:
            raise _UnclearError(f"transform {kind!r} is unknown. {nearest(str(kind), _STEPS)}")
        told = _STEPS[kind](told, options)
    if not told.preprocess.size:
        raise _UnclearError("no transform makes a square; one must resize or pad to a size")
    return told


def _convert_rgb(told: Told, options: Transform) -> Told:
    colour = options.get("force_background", "white")
    if colour is None:
        return told
    return told._replace(preprocess=replace(told.preprocess, alpha=_colour(colour)))


def _pad_to_size(told: Told, options: Transform) -> Told:
    if told.preprocess.size:
        raise _UnclearError("pad_to_size after another resize; it must come first")
    side, name = _square_side("pad_to_size", options), _filter("pad_to_size", options, "bilinear")
    colour = _colour(options.get("background_color", "white"))
    return told._replace(preprocess=replace(told.preprocess, size=side, pad="after", pad_colour=colour, resize=name))


def _resize(told: Told, options: Transform) -> Told:
    before, name = told.preprocess, _filter("resize", options, "bilinear")
    if options.get("antialias") is False or options.get("max_size") is not None:
        raise _UnclearError("resize with antialias = false or a max_size; neither can be followed")
    if not before.size and isinstance(options.get("size"), int):
        raise _UnclearError(
            f"resize to {options['size']} alone scales the shorter side; pad_to_size must come before it"
        )
    if before.fit_size or (before.size and before.pad == "none"):
        raise _UnclearError("a picture is resized more often than after one pad_to_size")
    side = _square_side("resize", options)
    if not before.size:
        return told._replace(preprocess=replace(before, size=side, resize=name))
    if side == before.size:
        return told
    fitted = replace(before, size=side, resize=name, fit_size=before.size, fit_resize=before.resize)
    return told._replace(preprocess=fitted)


def _center_crop(told: Told, options: Transform) -> Told:
    side, before = _square_side("center_crop", options), told.preprocess
    if side > before.size or before.crop_from:
        raise _UnclearError(f"center_crop to {side} of a square of {before.size}; it must be smaller, and the only one")
    if side == before.size:
        return told
    return told._replace(preprocess=replace(before, size=side, crop_from=before.size))


def _to_tensor(told: Told, options: Transform) -> Told:
    return told._replace(input=replace(told.input, scale=told.input.scale * 255))


def _rescale(told: Told, options: Transform) -> Told:
    factor = options.get("rescale_factor", 1 / 255)
    if not isinstance(factor, (int, float)) or not factor > 0:
        raise _UnclearError(f"rescale_factor = {factor!r}; a number above 0")
    scale = round(1 / factor) if abs(1 / factor - round(1 / factor)) < 1e-3 else 1 / factor  # the file holds a float32
    return told._replace(input=replace(told.input, scale=told.input.scale * scale))


def _normalize(told: Told, options: Transform) -> Told:
    mean, std = (_three(name, options.get(name)) for name in ("mean", "std"))
    if not all(value > 0 for value in std):
        raise _UnclearError(f"normalize: std = {list(std)}; each must be above 0")
    return told._replace(input=replace(told.input, mean=mean, std=std))


_STEPS: dict[str, Callable[[Told, Transform], Told]] = {
    "convert_rgb": _convert_rgb,
    "pad_to_size": _pad_to_size,
    "resize": _resize,
    "center_crop": _center_crop,
    "to_tensor": _to_tensor,
    "maybe_to_tensor": _to_tensor,
    "rescale": _rescale,
    "normalize": _normalize,
}


def _table(content: Mapping[str, Any], told: Told) -> Told:
    """OppaiOracle's: `image_size`, `pad_color_rgb`, `normalize_mean`, `normalize_std`; fitted, then padded."""
    size, colour = content["image_size"], content.get("pad_color_rgb", list(told.preprocess.pad_colour))
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise _UnclearError(f"image_size = {size!r}; a whole number above 0")
    options = {"mean": content.get("normalize_mean"), "std": content.get("normalize_std")}
    padded = replace(told.preprocess, size=size, pad="after", pad_colour=_colour(colour))
    return _normalize(Told(padded, replace(told.input, scale=255.0)), options)


def _square_side(kind: str, options: Transform) -> int:
    size = options.get("size")
    sides = set(size) if isinstance(size, list) and size else {size}
    side = sides.pop() if len(sides) == 1 else None
    if not isinstance(side, int) or isinstance(side, bool) or side < 1:
        raise _UnclearError(f"{kind}: size = {size!r}; it must be one side of a square, or the same twice")
    return side


def _filter(kind: str, options: Transform, default: str) -> str:
    name = options.get("interpolation", default)
    if name not in FILTERS["pil"]:
        raise _UnclearError(f"{kind}: interpolation = {name!r}; allowed: {', '.join(FILTERS['pil'])}")
    return str(name)


def _colour(told: Any) -> tuple[int, int, int]:
    """A name, one grey, or three numbers."""
    try:
        values = ImageColor.getrgb(told)[:3] if isinstance(told, str) else [told] * 3 if isinstance(told, int) else told
        red, green, blue = (int(value) for value in values)
    except (ValueError, TypeError):
        raise _UnclearError(f"colour {told!r}; a name, or red, green, blue from 0 to 255") from None
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise _UnclearError(f"colour {told!r}; a name, or red, green, blue from 0 to 255")
    return red, green, blue


def _three(name: str, told: Any) -> tuple[float, float, float]:
    """Three numbers, or one for all channels."""
    values = told if isinstance(told, list) else [told]
    if len(values) not in (1, 3) or not all(type(value) in (int, float) for value in values):
        raise _UnclearError(f"normalize: {name} = {told!r}; it must be one number or three")
    red, green, blue = (float(value) for value in (values * 3)[:3])
    return red, green, blue
