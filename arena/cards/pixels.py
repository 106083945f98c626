"""Preprocessing of a tagger: the square of pixels, and its conversion to the network's input."""

from dataclasses import dataclass

from arena.base.errors import ArenaError
from arena.cards.toml import CardTable

FILTERS = {
    "pil": ("bicubic", "bilinear", "lanczos", "box", "hamming", "nearest"),
    "opencv": ("bicubic", "bilinear", "lanczos", "area", "nearest"),
    "torch": ("bicubic", "bilinear"),
}
"""Library -> its resize filters."""

RGBColour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""


@dataclass(frozen=True)
class Preprocess:
    """How an image becomes a square of pixels; models with equal values share the computed squares.

    Attributes:
        size: side of the square, pixels; 0: read from the weights.
        pad: `before` the resize, `after` it (the image is fitted into the square, then padded), `none`, which ignores the
            aspect ratio, or `crop` (the shorter side is resized to `crop_from`, or else `size`, and the centre is cropped). A
            padded image is centred (offset `//2`).
        pad_mode: `colour`, or `edge` for the colour of the nearest pixel.
        pad_colour: red, green, blue, 0 to 255.
        enlarge: whether a small image is enlarged; if not, it is padded to the full size.
        resize: filter, by its name in the library: `bicubic`, `bilinear`, `lanczos`, `box`, `hamming`, `nearest`, `area`.
        resize_up: filter for images that are enlarged; empty: `resize`.
        library: library of the filter: `pil`, `opencv` or `torch` (antialiased, on uint8).
        alpha: background colour of transparent pixels, 0 to 255.
        rounding: rounding of the sides of a fitted image: `nearest` (halves to even), `down` from the aspect ratio, or `cut`,
            which scales both sides by one ratio, so that the longer side may also lose a pixel.
        fit_size: side of a first square; the image is fitted into it and padded before the resize; 0: none.
        fit_resize: filter of the first square; empty: `resize`.
        crop_from: side to which the square (with `pad = "crop"`, the shorter side of the image) is resized before the centre of
            side `size` is cropped; 0: the square is not cropped (with `pad = "crop"`, `size`).
        crop_rounding: rounding of the crop's offset if the margin is odd: `down`, or `nearest` (halves to even).
    """

    size: int = 0
    pad: str = "before"
    pad_mode: str = "colour"
    pad_colour: RGBColour = (255, 255, 255)
    enlarge: bool = True
    resize: str = "bicubic"
    resize_up: str = ""
    library: str = "pil"
    alpha: RGBColour = (255, 255, 255)
    rounding: str = "nearest"
    fit_size: int = 0
    fit_resize: str = ""
    crop_from: int = 0
    crop_rounding: str = "down"


@dataclass(frozen=True)
class InputSpec:
    """Conversion of pixels to the network's input: `(pixels / scale - mean) / std` for each channel.

    Attributes:
        channels: `rgb` or `bgr`, the network's channel order; mean and std are in this order.
        scale: divisor, 255 or 1.
        layout: `nhwc` or `nchw`; `auto`: read from the graph.
        name: name of the graph's input; empty: its first.
        padding_mask: name of a further input, bool (n, size, size), true for padding pixels; empty: none.
    """

    channels: str = "rgb"
    scale: float = 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: str = "auto"
    name: str = ""
    padding_mask: str = ""


def read_preprocess(table: CardTable) -> Preprocess:
    """Read the `[preprocess]` table of a card, except its field `file`.

    Raises:
        ArenaError: a field is unknown, has a value that is not allowed, or contradicts another field.
    """
    library = table.choice("library", tuple(FILTERS), "pil")
    filters = FILTERS[library]
    preprocess = Preprocess(
        size=table.count("size", 0),
        pad=table.choice("pad", ("before", "after", "none", "crop"), "before"),
        pad_mode=table.choice("pad_mode", ("colour", "edge"), "colour"),
        pad_colour=_colour(table, "pad_colour"),
        enlarge=table.flag("enlarge", True),
        resize=table.choice("resize", filters, "bicubic"),
        resize_up=table.choice("resize_up", ("", *filters), ""),
        library=library,
        alpha=_colour(table, "alpha"),
        rounding=table.choice("rounding", ("nearest", "down", "cut"), "nearest"),
        fit_size=table.count("fit_size", 0),
        fit_resize=table.choice("fit_resize", ("", *filters), ""),
        crop_from=table.count("crop_from", 0),
        crop_rounding=table.choice("crop_rounding", ("down", "nearest"), "down"),
    )
    table.finish()
    _refuse_contradiction(preprocess, table.where)
    return preprocess


def read_input(table: CardTable) -> InputSpec:
    """Read the `[input]` table of a card."""
    spec = InputSpec(
        channels=table.choice("channels", ("rgb", "bgr"), "rgb"),
        scale=table.number("scale", 255.0),
        mean=table.numbers("mean", (0.0, 0.0, 0.0)),
        std=table.numbers("std", (1.0, 1.0, 1.0)),
        layout=table.choice("layout", ("auto", "nhwc", "nchw"), "auto"),
        name=table.text("name", ""),
        padding_mask=table.text("padding_mask", ""),
    )
    table.finish()
    if not spec.scale > 0:
        raise ArenaError(f"{table.where}: scale = {spec.scale:g}; pixels are divided by it, so it must be above 0")
    if not all(value > 0 for value in spec.std):
        raise ArenaError(f"{table.where}: std = {list(spec.std)}; pixels are divided by it, so each must be above 0")
    return spec


def _colour(table: CardTable, key: str) -> RGBColour:
    colour = table.numbers(key, (255, 255, 255))
    if any(not value.is_integer() or not 0 <= value <= 255 for value in colour):
        raise ArenaError(f"{table.where}: {key} = {list(colour)}; it must be three whole numbers from 0 to 255")
    return int(colour[0]), int(colour[1]), int(colour[2])


def _refuse_contradiction(read: Preprocess, where: str) -> None:
    if read.pad in ("none", "crop") and not read.enlarge:
        raise ArenaError(
            f'{where}: enlarge = false, pad = "{read.pad}"; a small image must be padded: write pad = "after"'
        )
    if read.fit_size and read.pad != "after":
        raise ArenaError(
            f'{where}: fit_size = {read.fit_size}, pad = {read.pad!r}; the image must be padded: write pad = "after"'
        )
    if read.fit_resize and not read.fit_size:
        raise ArenaError(f"{where}: fit_resize = {read.fit_resize!r} without fit_size; add fit_size")
    if read.crop_from and read.crop_from < read.size:
        raise ArenaError(f"{where}: crop_from = {read.crop_from}, size = {read.size}; crop_from must be at least size")
