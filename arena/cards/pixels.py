"""What a tagger wants to see: which square of pixels, and how it becomes the network's input."""

from dataclasses import dataclass

from arena.base.errors import ArenaError
from arena.cards.toml import Table

FILTERS = {
    "pil": ("bicubic", "bilinear", "lanczos", "box", "hamming", "nearest"),
    "opencv": ("bicubic", "bilinear", "lanczos", "area", "nearest"),
    "torch": ("bicubic", "bilinear"),
}
"""The filters of each library by which a picture is resized."""

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""


@dataclass(frozen=True)
class Preprocess:
    """Which pixels a tagger wants; two equal ones are computed once and shared.

    Attributes:
        size: side of the square, pixels; 0 where the weights tell it.
        pad: `before` the resize, `after` it (fitted into the square, then padded), or `none`, which squashes the picture;
            padded around its centre (offset `//2`).
        pad_mode: `colour`, or `edge` for the nearest pixel's.
        pad_colour: red, green, blue, 0 to 255.
        enlarge: whether a small picture is enlarged; if not, it is padded to the whole size.
        resize: filter, by its name in the library: `bicubic`, `bilinear`, `lanczos`, `box`, `hamming`, `nearest`, `area`.
        resize_up: another filter for pictures that are enlarged; empty: the same.
        library: whose filter: `pil`, `opencv` or `torch` (antialiased, on uint8).
        alpha: what shows through transparency, 0 to 255.
        rounding: how the sides of a fitted picture become whole: `nearest` (halves to the even one), `down` from the aspect, or
            `cut`, both sides by one ratio, where the longer may lose a pixel too.
        fit_size: side of a first square, into which the picture is fitted and padded before that is resized; 0: none.
        fit_resize: filter of the first square; empty: `resize`.
        crop_from: side to which the square is resized so that the middle `size` of it is cut out; 0: no cut.
        crop_rounding: where the middle of an odd rest starts: `down`, or `nearest` (halves to the even one).
    """

    size: int = 0
    pad: str = "before"
    pad_mode: str = "colour"
    pad_colour: Colour = (255, 255, 255)
    enlarge: bool = True
    resize: str = "bicubic"
    resize_up: str = ""
    library: str = "pil"
    alpha: Colour = (255, 255, 255)
    rounding: str = "nearest"
    fit_size: int = 0
    fit_resize: str = ""
    crop_from: int = 0
    crop_rounding: str = "down"


@dataclass(frozen=True)
class InputSpec:
    """How pixels become the network's input: `(pixels / scale - mean) / std`, channel by channel.

    Attributes:
        channels: `rgb` or `bgr`, the order that the network wants; mean and std are in this order.
        scale: divisor, 255 or 1.
        layout: `nhwc` or `nchw`, or `auto` where the graph tells it.
        name: of the graph's input; empty: its first.
        padding_mask: name of a further input, bool (n, size, size), true where a pixel is padding; empty: none.
    """

    channels: str = "rgb"
    scale: float = 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: str = "auto"
    name: str = ""
    padding_mask: str = ""


def read_preprocess(table: Table) -> Preprocess:
    """The `[preprocess]` table of a card; its `file` is another reader's.

    Raises:
        ArenaError: a field unknown, of a value that is not allowed, or two that contradict each other.
    """
    library = table.choice("library", tuple(FILTERS), "pil")
    filters = FILTERS[library]
    preprocess = Preprocess(
        size=table.count("size", 0),
        pad=table.choice("pad", ("before", "after", "none"), "before"),
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


def read_input(table: Table) -> InputSpec:
    """The `[input]` table of a card."""
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


def _colour(table: Table, key: str) -> Colour:
    colour = table.numbers(key, (255, 255, 255))
    if any(not value.is_integer() or not 0 <= value <= 255 for value in colour):
        raise ArenaError(f"{table.where}: {key} = {list(colour)}; three whole numbers from 0 to 255")
    return int(colour[0]), int(colour[1]), int(colour[2])


def _refuse_contradiction(told: Preprocess, where: str) -> None:
    if told.pad == "none" and not told.enlarge:
        raise ArenaError(f'{where}: enlarge = false, pad = "none"; what is not enlarged is padded: say pad = "after"')
    if told.fit_size and told.pad != "after":
        raise ArenaError(f'{where}: fit_size = {told.fit_size}, pad = {told.pad!r}; it is padded: say pad = "after"')
    if told.fit_resize and not told.fit_size:
        raise ArenaError(f"{where}: fit_resize = {told.fit_resize!r} without fit_size; say which side it has")
    if told.crop_from and told.crop_from < told.size:
        raise ArenaError(
            f"{where}: crop_from = {told.crop_from}, size = {told.size}; no {told.size} can be cut from it"
        )
