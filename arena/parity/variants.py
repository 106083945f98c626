"""Causes that only pixels can show: B is run again with its preprocessing changed, one thing at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from arena import taggers
from arena.cards import InputSpec, ModelCard, Preprocess
from arena.errors import ArenaError
from arena.images import RGB, Colour, decode_on
from arena.parity.causes import HALVED, Search, Transform, distances
from arena.parity.pairs import Floats, Integers
from arena.pipeline import Compute
from arena.taggers.base import Pixels, Tagger
from arena.taggers.preprocess import square

FAULTS = 2
"""How many faults at once are looked for."""

RESIZES = (
    ("pil", "bicubic"), ("pil", "bilinear"), ("pil", "lanczos"), ("pil", "box"), ("pil", "nearest"),
    ("opencv", "bicubic"), ("opencv", "bilinear"), ("opencv", "area"), ("torch", "bicubic"), ("torch", "bilinear"),
)  # fmt: skip
"""Filters in use, by library."""

PAD_COLOURS = {
    "white": (255, 255, 255), "black": (0, 0, 0), "grey": (128, 128, 128), "grey 114": (114, 114, 114),
    "the ImageNet mean": (124, 116, 104),
}  # fmt: skip
"""Colours that taggers pad with."""

RANGES = {
    "0 to 1": InputSpec(),
    "0 to 255": InputSpec(scale=1.0),
    "-1 to 1": InputSpec(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    "ImageNet's mean and std": InputSpec(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "CLIP's mean and std": InputSpec(
        mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711)
    ),
}
"""How taggers scale their input."""


class Variant(NamedTuple):
    """A card with one thing changed."""

    cause: str
    says: str
    card: ModelCard


def variants(card: ModelCard) -> Iterator[Variant]:
    """Every change that is tried, cheap ones first; what the card says already is left out."""
    changed = chain(_channels(card), _resizes(card), _pads(card), _alphas(card), _ranges(card))
    return (one for one in changed if one.card != card)


def _channels(card: ModelCard) -> Iterator[Variant]:
    old = card.input.channels
    new = "rgb" if old == "bgr" else "bgr"
    says = f"its channels are swapped ({new.upper()}, where it has {old.upper()})"
    yield Variant("channels", says, replace(card, input=replace(card.input, channels=new)))


def _resizes(card: ModelCard) -> Iterator[Variant]:
    now = card.preprocess
    for library, name in RESIZES:
        says = f"it is resized by {_filter(library, name)}, not {_filter(now.library, now.resize)}"
        yield Variant("resize", says, _prepared(card, library=library, resize=name, resize_up=""))


def _filter(library: str, name: str) -> str:
    """A filter as readers know it: Pillow's names stand alone."""
    return name.upper() if library == "pil" else f"{library}'s {name.upper()}"


def _pads(card: ModelCard) -> Iterator[Variant]:
    now = card.preprocess
    names = {colour: name for name, colour in PAD_COLOURS.items()}
    old = names.get(now.pad_colour, str(now.pad_colour)) if now.pad_mode == "colour" else "its edges"
    for name, colour in PAD_COLOURS.items():
        says = f"it is padded with {name}, not {old}"
        yield Variant("pad", says, _prepared(card, pad_mode="colour", pad_colour=colour))
    yield Variant("pad", f"it is padded with its edges, not {old}", _prepared(card, pad_mode="edge"))
    for place, says in (
        ("before", "padded before the resize"),
        ("after", "padded after the resize"),
        ("none", "squashed"),
    ):
        yield Variant("pad", f"it is {says}", _prepared(card, pad=place))
    says = "small images are padded, not enlarged" if now.enlarge else "small images are enlarged, not padded"
    yield Variant("pad", says, _prepared(card, enlarge=not now.enlarge))


def _alphas(card: ModelCard) -> Iterator[Variant]:
    for name in ("white", "black"):
        says = f"{name} shows through transparency"
        yield Variant("alpha", says, _prepared(card, alpha=PAD_COLOURS[name]))


def _prepared(card: ModelCard, **change: object) -> ModelCard:
    return replace(card, preprocess=replace(card.preprocess, **change))  # type: ignore[arg-type]


def _ranges(card: ModelCard) -> Iterator[Variant]:
    for name, spec in RANGES.items():
        scaled = replace(card.input, scale=spec.scale, mean=spec.mean, std=spec.std)
        yield Variant("range", f"its input is scaled to {name}", replace(card, input=scaled))


class Bench:
    """A model and a few images, on which changed cards are tried; its weights are loaded again only for another range.

    Args:
        images: their files.
        columns: which of its scores are compared.
        transform: what is done to them.

    Attributes:
        card: of the model as it is loaded, the side of the square filled in: what changes start from.
    """

    def __init__(
        self, card: ModelCard, images: Sequence[Path], columns: Integers, transform: Transform, *, compute: Compute
    ) -> None:
        self._compute = compute
        self._tagger = self._load(card)
        self.card = replace(self._tagger.card, preprocess=self._tagger.preprocess, preprocess_file="")
        self._range = self.card.input
        self._paths = images
        self._decoded: dict[Colour, list[RGB]] = {}
        self._columns, self._transform = columns, transform
        self._seen: dict[Preprocess, Pixels] = {}

    def scores(self, card: ModelCard, images: slice) -> Floats:
        """What the model gives for some of the images by a changed card, float32 (images, columns)."""
        self._take_range(replace(card.input, channels=self.card.input.channels))
        pixels = self.pixels(card.preprocess)[images]
        if card.input.channels != self.card.input.channels:
            pixels = np.ascontiguousarray(pixels[..., ::-1])
        return self._transform(self._tagger.scores(pixels)[:, self._columns])

    def pixels(self, preprocess: Preprocess) -> Pixels:
        """The squares of all images, uint8 (images, size, size, 3)."""
        if preprocess not in self._seen:
            self._seen[preprocess] = np.stack([square(image, preprocess) for image in self._images(preprocess.alpha)])
        return self._seen[preprocess]

    def _images(self, behind: Colour) -> list[RGB]:
        if behind not in self._decoded:
            self._decoded[behind] = [decode_on(path, {behind})[behind] for path in self._paths]
        return self._decoded[behind]

    def _take_range(self, spec: InputSpec) -> None:
        if self._range != spec:
            self._tagger = self._load(replace(self.card, input=spec))
            self._range = spec

    def _load(self, card: ModelCard) -> Tagger:
        return taggers.load(card, device=self._compute.device, precision=self._compute.precision)


def search_variants(
    bench: Bench, wanted: Floats, so_far: Search, *, few: int, tolerance: float, advance: Callable[[int], None]
) -> Search:
    """The change of B's preprocessing, or the two, by which it comes nearest to A; the search as it was where none helps.

    Args:
        wanted: A's scores of the bench's images, float32 (images, columns).
        few: so many images decide which change is best; all then tell how well it does.
        advance: called with 1 for each change that was tried.
    """
    card, found = bench.card, so_far
    for _ in range(FAULTS):
        best = _best(bench, card, found.cause, wanted[:few], advance)
        if best is None:
            break
        largest, mean = distances(wanted, bench.scores(best.card, slice(None)))
        if mean >= found.mean:
            break
        found = found._replace(
            after=largest, mean=mean, cause=(*found.cause, best.cause), says=(*found.says, best.says)
        )
        card = best.card
        if largest <= tolerance:
            break
    return found if found.mean < HALVED * so_far.mean else so_far


def _best(
    bench: Bench, card: ModelCard, known: Sequence[str], wanted: Floats, advance: Callable[[int], None]
) -> Variant | None:
    """The change of a cause not yet known with the least mean difference."""
    images = slice(0, len(wanted))
    least, best = np.inf, None
    for variant in variants(card):
        advance(1)
        if variant.cause in known or not _differs(bench, card, variant.card):
            continue
        try:
            _, mean = distances(wanted, bench.scores(variant.card, images))
        except ArenaError:  # a range that the network cannot take
            continue
        if mean < least:
            least, best = mean, variant
    return best


def _differs(bench: Bench, old: ModelCard, new: ModelCard) -> bool:
    """Whether a change shows in the pixels, or is none of pixels; a library that is not installed changes nothing."""
    if old.preprocess == new.preprocess:
        return True
    try:
        return not np.array_equal(bench.pixels(old.preprocess), bench.pixels(new.preprocess))
    except ArenaError:
        return False
