"""What any adapter must keep: one check a promise of the interface, each told with its numbers.

`arena check-adapter` prints them, and the project's own adapters are tested by them. In a plugin's tests:

    from arena.cards import find_model
    from arena.taggers.conformance import check

    assert [outcome for outcome in check(find_model("mine=folder")) if not outcome.passed] == []
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from arena import taggers
from arena.base.errors import ArenaError, ScoresError
from arena.cards import ModelCard, Preprocess
from arena.images.decode import RGB
from arena.taggers.adapters.ensemble import Ensemble, score_squares, single, wanted
from arena.taggers.base import Pixels, Scores, Tagger, check_scores
from arena.taggers.files.weights import fetch
from arena.taggers.plugins import PluginTagger, check_interface, tell
from arena.taggers.preprocess import square

IMAGES = 7
"""Images of the batch that is checked."""

TOLERANCE: Mapping[str, float] = {"fp32": 1e-5, "fp16": 5e-3, "bf16": 2e-2}
"""How far scores of one image may differ between batches, by precision."""

TOLD_APART = 1e-4
"""Standard deviation over images that some tag's scores must reach; below it a tagger does not look at its input."""

Squares = Mapping[Preprocess, Pixels]


class Outcome(NamedTuple):
    """What one check found."""

    name: str
    passed: bool
    told: str


class BrokenPromiseError(Exception):
    """A promise of the interface is not kept."""


@dataclass(frozen=True)
class Subject:
    """A tagger under test, with what it is shown.

    Attributes:
        again: loads it anew.
        squares: the pictures as it wants them.
    """

    tagger: Tagger
    again: Callable[[], Tagger]
    device: str
    squares: Squares

    def score(self, rows: slice = slice(None)) -> Scores:
        """Scores of some of the pictures, on a copy of their pixels."""
        return score_squares(self.tagger, {want: pixels[rows].copy() for want, pixels in self.squares.items()})

    @cached_property
    def seen(self) -> Scores:
        """Scores of all pictures in one batch, kept apart from whatever the adapter does with its own array."""
        return np.array(self.score())

    @property
    def tolerance(self) -> float:
        """Of the least exact precision that it tells."""
        return max(TOLERANCE.get(word, TOLERANCE["fp32"]) for word in self.tagger.precision.split("+"))


def check(card: ModelCard, *, device: str = "auto", precision: str = "auto") -> Iterator[Outcome]:
    """Load a card's tagger and check it, one promise after the other; nothing follows where it cannot be loaded.

    Raises:
        ArenaError: its files are not to be had, or it takes no pixels.
    """
    for one in card.single:
        if one.adapter == "precomputed":
            raise ArenaError(f"{one.name}: scores from a file, looked up by image; there is no adapter to check")
        fetch(one)

    def load() -> Tagger:
        return _bare(taggers.load(card, device=device, precision=precision))

    try:
        tagger = load()
        for member in single(tagger):
            check_interface(card.name, member)
    except Exception as error:
        yield Outcome("loads", passed=False, told=_reason(error))
        return
    yield Outcome("loads", passed=True, told=_introduce(tagger))
    subject = Subject(tagger, load, device, {want: _pictures(want) for want in wanted(tagger)})
    for name, examine in CHECKS.items():
        try:
            yield Outcome(name, passed=True, told=examine(subject))
        except Exception as error:
            yield Outcome(name, passed=False, told=_reason(error))


def _place(subject: Subject) -> str:
    device, precision = subject.tagger.device, subject.tagger.precision
    asked = subject.device.partition(":")[0]
    if not device or (asked != "auto" and not device.startswith(asked)):
        raise BrokenPromiseError(f"asked for {subject.device}, it tells {device!r}; it must tell where it really runs")
    if strange := sorted(set(precision.split("+")) - TOLERANCE.keys()):
        raise BrokenPromiseError(f"precision {strange[0]!r}; allowed: {', '.join(TOLERANCE)}")
    return f"{precision} on {device}"


def _tags(subject: Subject) -> str:
    first, second = subject.tagger.tags, subject.again().tags
    if first != second:
        differ = [
            place for place, pair in enumerate(zip(first.names, second.names, strict=False)) if len(set(pair)) > 1
        ]
        where = (
            f"name {differ[0]} is {first.names[differ[0]]!r}, then {second.names[differ[0]]!r}" if differ else "lengths"
        )
        raise BrokenPromiseError(
            f"loaded twice, its tags differ ({where}); their order must be that of a file, not of a set"
        )
    return f"{len(first):,} unique names, the same when loaded again"


def _shape(subject: Subject) -> str:
    seen, expected = subject.score(), (IMAGES, len(subject.tagger.tags))
    if not isinstance(seen, np.ndarray):
        raise BrokenPromiseError(f"scores are a {type(seen).__name__}; they must be a numpy array")
    if seen.shape != expected:
        raise BrokenPromiseError(f"scores of shape {seen.shape}, expected {expected}: images x tags")
    return f"{seen.shape[0]} images x {seen.shape[1]} tags"


def _type(subject: Subject) -> str:
    if subject.seen.dtype != np.float32:
        raise BrokenPromiseError(f"scores are {subject.seen.dtype}; they must be float32")
    return "float32"


def _range(subject: Subject) -> str:
    seen = subject.seen
    if np.isnan(seen).any():
        raise BrokenPromiseError(f"{int(np.isnan(seen).sum())} of {seen.size} scores are NaN")
    if not (seen.min() >= 0 and seen.max() <= 1):
        raise BrokenPromiseError(
            f"scores from {seen.min():.4g} to {seen.max():.4g}, outside 0 to 1; does it need a sigmoid?"
        )
    return f"from {seen.min():.4g} to {seen.max():.4g}"


def _told_apart(subject: Subject) -> str:
    deviation = float(subject.seen.std(axis=0).max())
    if not deviation > TOLD_APART:
        raise BrokenPromiseError(
            f"{IMAGES} different pictures score alike (standard deviation {deviation:.1g}); does it see its input?"
        )
    return f"standard deviation over {IMAGES} pictures up to {deviation:.2g}"


def _batch(subject: Subject) -> str:
    ones = np.concatenate([np.array(subject.score(slice(row, row + 1))) for row in range(IMAGES)])
    return _close(ones, subject.seen, subject.tolerance, f"{IMAGES} batches of 1 differ from a batch of {IMAGES}")


def _order(subject: Subject) -> str:
    turned = np.array(subject.score(slice(None, None, -1)))[::-1]
    return _close(turned, subject.seen, subject.tolerance, "in reverse order, the pictures score otherwise")


def _repeats(subject: Subject) -> str:
    exact = subject.tagger.device == "cpu"
    _close(np.array(subject.score()), subject.seen, 0.0 if exact else subject.tolerance, "a second time, scores differ")
    fresh = score_squares(subject.again(), {want: pixels.copy() for want, pixels in subject.squares.items()})
    return _close(np.array(fresh), subject.seen, 0.0 if exact else subject.tolerance, "loaded again, scores differ")


def _own_array(subject: Subject) -> str:
    first = subject.score(slice(0, 3))
    kept = np.array(first)
    subject.score(slice(3, 6))
    if not np.array_equal(first, kept, equal_nan=True):
        raise BrokenPromiseError(
            "the scores of one batch change when the next is scored; each call must return an array of its own"
        )
    return "a batch's scores stay when the next is scored"


def _input_untouched(subject: Subject) -> str:
    given = {want: pixels.copy() for want, pixels in subject.squares.items()}
    score_squares(subject.tagger, given)
    changed = sum(int((pixels != subject.squares[want]).sum()) for want, pixels in given.items())
    if changed:
        raise BrokenPromiseError(f"{changed} bytes of the pixels were changed; other models share them")
    return "no byte changed"


def _empty(subject: Subject) -> str:
    return _refused_or_right(subject, lambda pixels: pixels[:0], "a batch of no image", images=0)


def _other_size(subject: Subject) -> str:
    def cut(pixels: Pixels) -> Pixels:
        return np.ascontiguousarray(pixels[:, : pixels.shape[1] // 2 + 1])

    return _refused_or_right(subject, cut, "squares cut to half their height")


def _channels(subject: Subject) -> str:
    told = _refused_or_right(subject, lambda pixels: pixels[..., :2].copy(), "two channels")
    if told.startswith("scored"):
        raise BrokenPromiseError(f"{told}; a tagger takes (n, size, size, 3), and must not answer for less")
    return told


def _float_pixels(subject: Subject) -> str:
    told = _refused_or_right(subject, lambda pixels: pixels.astype(np.float32), "pixels of float32")
    if told.startswith("scored"):
        given: dict[Preprocess, Any] = {want: pixels.astype(np.float32) for want, pixels in subject.squares.items()}
        _close(
            score_squares(subject.tagger, given),
            subject.seen,
            subject.tolerance,
            "as float32 the pixels score otherwise",
        )
    return told


CHECKS: Mapping[str, Callable[[Subject], str]] = {
    "device and precision": _place,
    "tags": _tags,
    "shape": _shape,
    "type": _type,
    "range": _range,
    "pictures told apart": _told_apart,
    "batch size": _batch,
    "order of images": _order,
    "repeats": _repeats,
    "own array": _own_array,
    "input untouched": _input_untouched,
    "empty batch": _empty,
    "other size": _other_size,
    "other channels": _channels,
    "float pixels": _float_pixels,
}
"""Every check that follows loading, by the name that is shown."""


def _refused_or_right(subject: Subject, spoil: Callable[[Pixels], Any], what: str, *, images: int = IMAGES) -> str:
    """What becomes of bad input: refused with any error, or told by an output that the arena refuses, or scored.

    Raises:
        BrokenPromiseError: no image gave something else than no scores.
    """
    try:
        values = score_squares(subject.tagger, {want: spoil(pixels) for want, pixels in subject.squares.items()})
    except Exception as error:
        return f"{what}: refused ({_short(_reason(error))})"
    try:
        check_scores(what, values, images=images, tags=len(subject.tagger.tags))
    except ScoresError as error:
        if not images:
            raise BrokenPromiseError(str(error)) from None
        return f"{what}: refused by what comes out ({_short(str(error))})"
    return f"scored {what} as {values.shape[0]} x {values.shape[1]} probabilities"


def _close(seen: Scores, expected: Scores, tolerance: float, otherwise: str) -> str:
    if seen.shape != expected.shape:
        raise BrokenPromiseError(f"{otherwise}: shape {seen.shape}, not {expected.shape}")
    largest = float(np.abs(seen.astype(np.float64) - expected).max(initial=0))
    if not largest <= tolerance:
        raise BrokenPromiseError(f"{otherwise} by up to {largest:.2g}; allowed: {tolerance:g}")
    return f"largest difference {largest:.2g}, allowed {tolerance:g}"


def _pictures(want: Preprocess) -> Pixels:
    """`IMAGES` pictures of soft coloured patches, (n, size, size, 3); the same for every tagger of one preprocessing."""
    return np.stack([square(_picture(seed), want) for seed in range(IMAGES)])


def _picture(seed: int) -> RGB:
    patches = np.random.default_rng(seed).integers(0, 256, (5 + seed % 3, 6, 3), dtype=np.uint8)
    return np.kron(patches, np.ones((16, 16, 1), np.uint8))


def _introduce(tagger: Tagger) -> str:
    sizes = " and ".join(str(want.size) for want in wanted(tagger))
    return f"{len(tagger.tags):,} tags, squares of {sizes} pixels"


def _bare(tagger: Tagger) -> Tagger:
    """A plugin's own object, without the guard that would answer for it; an ensemble's members likewise."""
    if isinstance(tagger, Ensemble):
        return Ensemble(tagger.card, [_bare(member) for member in tagger.members])
    return tagger.inner if isinstance(tagger, PluginTagger) else tagger


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, (BrokenPromiseError, ArenaError)) else tell(error)


def _short(text: str) -> str:
    return text if len(text) <= 100 else text[:97] + "..."
