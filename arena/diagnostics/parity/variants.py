"""Search for causes in the preprocessing: B is run again with one setting changed at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np

from arena.base.errors import ArenaError
from arena.cards import InputSpec, ModelCard, Preprocess
from arena.diagnostics.parity.causes import MAX_REMAINING_SHARE, CauseSearch, ScoreTransform, score_distance
from arena.diagnostics.parity.pairs import ParityIntegers, ScoreFloats
from arena.images.decode import RGB, Colour, decode_on
from arena.images.places import ImagePlace
from arena.taggers.base import Pixels, Tagger
from arena.taggers.preprocess import square

_MAX_FAULTS = 2
"""Largest number of simultaneous faults that is searched for."""

MAX_PASSES = _MAX_FAULTS + 1
"""Largest number of passes over all changes."""

_RESIZES = (
    ("pil", "bicubic"), ("pil", "bilinear"), ("pil", "lanczos"), ("pil", "box"), ("pil", "nearest"),
    ("opencv", "bicubic"), ("opencv", "bilinear"), ("opencv", "area"), ("torch", "bicubic"), ("torch", "bilinear"),
)  # fmt: skip
"""Resize filters in use: (library, filter)."""

_PAD_COLOURS = {
    "white": (255, 255, 255), "black": (0, 0, 0), "grey": (128, 128, 128), "grey 114": (114, 114, 114),
    "the ImageNet mean": (124, 116, 104),
}  # fmt: skip
"""Colours that taggers pad with."""

_LAYOUT_TEXTS = {
    "before": "padded to a square, then resized",
    "after": "resized to fit, then padded",
    "none": "squashed",
    "crop": "cropped",
}
"""Description of each value of the card's `pad`."""

_CROP_RATIOS = (1.0, 0.965, 0.95, 0.9, 0.875)
"""Centre-crop ratios of common evaluations; 224/232 is 0.965, 224/256 is 0.875."""

_INPUT_RANGES = {
    "0 to 1": InputSpec(),
    "0 to 255": InputSpec(scale=1.0),
    "-1 to 1": InputSpec(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    "ImageNet's mean and std": InputSpec(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "CLIP's mean and std": InputSpec(
        mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711)
    ),
}
"""Common input scalings."""


_CACHED_BATCHES = 4
"""Number of cached batches of pixels, including the unchanged one; each change needs its batch twice."""


class _CardVariant(NamedTuple):
    """A card with one setting changed."""

    cause: str
    says: str
    card: ModelCard


def card_variants(card: ModelCard) -> Iterator[_CardVariant]:
    """Yield every change of the card, cheap ones first; changes without effect are left out."""
    changed = chain(
        _channels(card), _resizes(card), _layouts(card), _crops(card), _pads(card), _alphas(card), _ranges(card)
    )
    return (one for one in changed if one.card != card)


def _channels(card: ModelCard) -> Iterator[_CardVariant]:
    old = card.input.channels
    new = "rgb" if old == "bgr" else "bgr"
    says = f"its channels are swapped ({new.upper()}, where it has {old.upper()})"
    yield _CardVariant("channels", says, replace(card, input=replace(card.input, channels=new)))


def _resizes(card: ModelCard) -> Iterator[_CardVariant]:
    now = card.preprocess
    for library, name in _RESIZES:
        says = f"it is resized by {_filter(library, name)}, not {_filter(now.library, now.resize)}"
        yield _CardVariant("resize", says, _prepared(card, library=library, resize=name, resize_up=""))


def _filter(library: str, name: str) -> str:
    """Return the display name of a filter; Pillow's have no library name."""
    return name.upper() if library == "pil" else f"{library}'s {name.upper()}"


def _layouts(card: ModelCard) -> Iterator[_CardVariant]:
    """Yield other orders of padding and resizing; a card without padding has no pad colour, so every colour is tried."""
    now = card.preprocess
    whole = {"crop_from": 0} if now.pad == "crop" else {}
    for place in ("before", "after", "none"):
        layout = _LAYOUT_TEXTS[place]
        says = f"it is {layout}, not {_LAYOUT_TEXTS[now.pad]}"
        if now.pad in ("before", "after") or place == "none":
            yield _CardVariant("layout", says, _prepared(card, pad=place, **whole))
            continue
        for name, colour in _PAD_COLOURS.items():
            says = f"it is {layout.replace('padded', f'padded with {name}')}, not {_LAYOUT_TEXTS[now.pad]}"
            yield _CardVariant(
                "layout", says, _prepared(card, pad=place, pad_mode="colour", pad_colour=colour, **whole)
            )
        says = f"it is {layout}, with its edges, not {_LAYOUT_TEXTS[now.pad]}"
        yield _CardVariant("layout", says, _prepared(card, pad=place, pad_mode="edge", **whole))
    if now.pad == "after":
        new, old = ("nearest", "down") if now.rounding == "down" else ("down", "nearest")
        says = f"the sides of the fitted picture are rounded {new}, not {old}"
        yield _CardVariant("rounding", says, _prepared(card, rounding=new))


def _crops(card: ModelCard) -> Iterator[_CardVariant]:
    """Yield centre crops of the square, and of the image with its aspect ratio kept."""
    now = card.preprocess
    if now.pad == "crop":
        for side in (now.size, *(int(now.size / part) for part in _CROP_RATIOS)):
            says = f"its shorter side is resized to {side}, not {now.crop_from}"
            yield _CardVariant("crop", says, _prepared(card, crop_from=side))
        return
    yield _CardVariant("crop", f"its middle is not cut out of {now.crop_from} pixels", _prepared(card, crop_from=0))
    for side in (int(now.size / part) for part in _CROP_RATIOS):
        if side > now.size:
            says = f"the middle {now.size} of {side} pixels is cut out"
            yield _CardVariant("crop", says, _prepared(card, crop_from=side))
        says = f"its shorter side is resized to {side} and the middle {now.size} cut out, not {_LAYOUT_TEXTS[now.pad]}"
        cut = {
            "pad": "crop",
            "enlarge": True,
            "fit_size": 0,
            "fit_resize": "",
            "resize_up": "",
            "crop_rounding": "nearest",
        }
        yield _CardVariant("crop", says, _prepared(card, crop_from=side, **cut))


def _pads(card: ModelCard) -> Iterator[_CardVariant]:
    now = card.preprocess
    names = {colour: name for name, colour in _PAD_COLOURS.items()}
    old = names.get(now.pad_colour, str(now.pad_colour)) if now.pad_mode == "colour" else "its edges"
    for name, colour in _PAD_COLOURS.items():
        says = f"it is padded with {name}, not {old}"
        yield _CardVariant("pad", says, _prepared(card, pad_mode="colour", pad_colour=colour))
    yield _CardVariant("pad", f"it is padded with its edges, not {old}", _prepared(card, pad_mode="edge"))
    says = "small images are padded, not enlarged" if now.enlarge else "small images are enlarged, not padded"
    yield _CardVariant("pad", says, _prepared(card, enlarge=not now.enlarge))


def _alphas(card: ModelCard) -> Iterator[_CardVariant]:
    for name in ("white", "black"):
        says = f"transparent pixels are filled with {name}"
        yield _CardVariant("alpha", says, _prepared(card, alpha=_PAD_COLOURS[name]))


def _prepared(card: ModelCard, **change: object) -> ModelCard:
    return replace(card, preprocess=replace(card.preprocess, **change))  # type: ignore[arg-type]


def _ranges(card: ModelCard) -> Iterator[_CardVariant]:
    for name, spec in _INPUT_RANGES.items():
        scaled = replace(card.input, scale=spec.scale, mean=spec.mean, std=spec.std)
        yield _CardVariant("range", f"its input is scaled to {name}", replace(card, input=scaled))


class VariantScorer:
    """Scores a few images with changed cards; the model is loaded again only if the input range changes.

    Args:
        images: where each image is read.
        columns: columns of the scores that are compared.
        transform: change that is applied to the scores.
        load: returns the tagger of a card.

    Attributes:
        card: card of the loaded model with its input size filled in; the start of every change.
        pixels: returns the network's input for the first images, uint8 (images, size, size, 3); arguments are the preprocessing
            and the number of images.
    """

    def __init__(
        self,
        card: ModelCard,
        images: Sequence[ImagePlace],
        columns: ParityIntegers,
        transform: ScoreTransform,
        *,
        load: Callable[[ModelCard], Tagger],
    ) -> None:
        self._load = load
        self._tagger = load(card)
        self.card = replace(self._tagger.card, preprocess=self._tagger.preprocess, preprocess_file="")
        self._range = self.card.input
        self._paths = images
        self._columns, self._transform = columns, transform
        self._decoded = cache(self._decode)
        self.pixels = lru_cache(_CACHED_BATCHES)(self._pixels)

    def scores(self, card: ModelCard, images: int) -> ScoreFloats:
        """Return the scores of the first images with a changed card, float32 (images, columns)."""
        self._take_range(replace(card.input, channels=self.card.input.channels))
        pixels = self.pixels(card.preprocess, images)
        if card.input.channels != self.card.input.channels:
            pixels = np.ascontiguousarray(pixels[..., ::-1])
        return self._transform(self._tagger.scores(pixels)[:, self._columns])

    def _pixels(self, preprocess: Preprocess, images: int) -> Pixels:
        decoded = (self._decoded(path, preprocess.alpha) for path in self._paths[:images])
        return np.stack([square(image, preprocess) for image in decoded])

    @staticmethod
    def _decode(path: ImagePlace, behind: Colour) -> RGB:
        return decode_on(path, {behind})[behind]

    def _take_range(self, spec: InputSpec) -> None:
        if self._range != spec:
            self._tagger = self._load(replace(self.card, input=spec))
            self._range = spec


def search_variants(
    bench: VariantScorer,
    wanted: ScoreFloats,
    so_far: CauseSearch,
    *,
    few: int,
    tolerance: float,
    advance: Callable[[int], None],
) -> CauseSearch:
    """Search for up to `_MAX_FAULTS` changes of B's preprocessing that reduce the difference from A most.

    The search is greedy: the best single change, then the best second change with the first one applied. If the scores still
    disagree, it starts again with swapped channels, which alone may help as little as the other fault.

    Args:
        wanted: A's scores of the bench's images, float32 (images, columns).
        few: number of images for choosing the best change; its effect is then measured on all images.
        advance: called with 1 for each change tried.

    Returns: the state with the changes added; `so_far` if no change helps enough.
    """
    card, found = bench.card, so_far
    for _ in range(_MAX_FAULTS):
        best = _best(bench, card, found.cause, wanted[:few], advance)
        changed = found if best is None else _with(bench, best, found, wanted)
        if best is None or changed.mean >= found.mean:
            break
        card, found = best.card, changed
        if found.after <= tolerance:
            break
    if found.after > tolerance and "channels" not in found.cause:
        swapped = next(_channels(bench.card))
        best = _best(bench, swapped.card, (*so_far.cause, swapped.cause), wanted[:few], advance)
        if best is not None:
            start = so_far._replace(cause=(*so_far.cause, swapped.cause), says=(*so_far.says, swapped.says))
            found = min(found, _with(bench, best, start, wanted), key=lambda search: search.mean)
    return found if found.mean < MAX_REMAINING_SHARE * so_far.mean else so_far


def _with(bench: VariantScorer, variant: _CardVariant, found: CauseSearch, wanted: ScoreFloats) -> CauseSearch:
    """Return the state of the search with one more change, measured on all images."""
    largest, mean = score_distance(wanted, bench.scores(variant.card, len(wanted)))
    return found._replace(
        after=largest, mean=mean, cause=(*found.cause, variant.cause), says=(*found.says, variant.says)
    )


def _best(
    bench: VariantScorer, card: ModelCard, known: Sequence[str], wanted: ScoreFloats, advance: Callable[[int], None]
) -> _CardVariant | None:
    """Return the change with the smallest mean difference, among causes that are not in `known`."""
    images = len(wanted)
    least, best = np.inf, None
    for variant in card_variants(card):
        advance(1)
        if variant.cause in known or not _differs(bench, card, variant.card, images):
            continue
        try:
            _, mean = score_distance(wanted, bench.scores(variant.card, images))
        except ArenaError:  # a range that the network cannot take
            continue
        if mean < least:
            least, best = mean, variant
    return best


def _differs(bench: VariantScorer, old: ModelCard, new: ModelCard, images: int) -> bool:
    """Return whether a change affects the network's input; False if the change needs a library that is not installed."""
    if old.preprocess == new.preprocess:
        return True
    try:
        return not np.array_equal(bench.pixels(old.preprocess, images), bench.pixels(new.preprocess, images))
    except ArenaError:
        return False
