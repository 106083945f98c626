"""Conformance checks of an adapter: one check per requirement of the interface, each with a one-line result.

`arena check-adapter` prints the results, and the tests run the checks on the project's adapters. In a plugin's tests:

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
from arena.taggers.adapters.ensemble import Ensemble, members_of, preprocesses_of, score_squares
from arena.taggers.base import Pixels, Probabilities, Tagger, check_scores
from arena.taggers.files.weights import fetch_files
from arena.taggers.plugins import PluginTagger, check_interface, describe_exception
from arena.taggers.preprocess import square

_TEST_IMAGES = 7
"""Number of images in the test batch."""

_TOLERANCE_BY_PRECISION: Mapping[str, float] = {"fp32": 1e-5, "fp16": 5e-3, "bf16": 2e-2}
"""Largest allowed difference between one image's scores in different batches, by precision."""

_MIN_DEVIATION = 1e-4
"""Standard deviation over images that at least one tag's scores must exceed; otherwise the tagger ignores its input."""

_SquaresByPreprocess = Mapping[Preprocess, Pixels]


class CheckResult(NamedTuple):
    """Result of one check.

    Attributes:
        name: the check's name, as shown.
        told: what was measured, or why the check failed, in one line.
    """

    name: str
    passed: bool
    told: str


class NonconformingError(Exception):
    """A requirement of the interface is not met; the message says which and how."""


@dataclass(frozen=True)
class TaggerUnderTest:
    """A tagger under test, with its input.

    Attributes:
        again: loads the tagger again.
        device: the requested device.
        squares: preprocessing -> the test images as its squares.
    """

    tagger: Tagger
    again: Callable[[], Tagger]
    device: str
    squares: _SquaresByPreprocess

    def score(self, rows: slice = slice(None)) -> Probabilities:
        """Return the scores of some of the test images, computed on a copy of their pixels."""
        return score_squares(
            self.tagger, {preprocess: pixels[rows].copy() for preprocess, pixels in self.squares.items()}
        )

    @cached_property
    def seen(self) -> Probabilities:
        """Scores of all test images in one batch, copied because the adapter may reuse its array."""
        return np.array(self.score())

    @property
    def tolerance(self) -> float:
        """Allowed difference for the least exact precision that the tagger reports."""
        return max(
            _TOLERANCE_BY_PRECISION.get(word, _TOLERANCE_BY_PRECISION["fp32"])
            for word in self.tagger.precision.split("+")
        )


def check(card: ModelCard, *, device: str = "auto", precision: str = "auto") -> Iterator[CheckResult]:
    """Load a card's tagger and yield the result of each check; if loading fails, only that result.

    Raises:
        ArenaError: files are missing and cannot be downloaded, or the card is of precomputed scores.
    """
    for one in card.single:
        if one.adapter == "precomputed":
            raise ArenaError(f"{one.name}: its scores are read from a file; there is no adapter to check")
        fetch_files(one)

    def load() -> Tagger:
        return _bare(taggers.load(card, device=device, precision=precision))

    try:
        tagger = load()
        for member in members_of(tagger):
            check_interface(card.name, member)
    except Exception as error:
        yield CheckResult("loads", passed=False, told=_reason(error))
        return
    yield CheckResult("loads", passed=True, told=_summary(tagger))
    subject = TaggerUnderTest(
        tagger, load, device, {preprocess: _images(preprocess) for preprocess in preprocesses_of(tagger)}
    )
    for name, examine in CHECKS.items():
        try:
            yield CheckResult(name, passed=True, told=examine(subject))
        except Exception as error:
            yield CheckResult(name, passed=False, told=_reason(error))


def _device_and_precision(subject: TaggerUnderTest) -> str:
    device, precision = subject.tagger.device, subject.tagger.precision
    requested = subject.device.partition(":")[0]
    if not device or (requested != "auto" and not device.startswith(requested)):
        raise NonconformingError(
            f"device is {device!r}, but {subject.device} was requested; it must be where the tagger really runs"
        )
    if unknown := sorted(set(precision.split("+")) - _TOLERANCE_BY_PRECISION.keys()):
        raise NonconformingError(f"precision is {unknown[0]!r}; allowed: {', '.join(_TOLERANCE_BY_PRECISION)}")
    return f"{precision} on {device}"


def _tags(subject: TaggerUnderTest) -> str:
    first, second = subject.tagger.tags, subject.again().tags
    if first != second:
        differ = [
            column for column, pair in enumerate(zip(first.names, second.names, strict=False)) if len(set(pair)) > 1
        ]
        where = (
            f"tag {differ[0]} is {first.names[differ[0]]!r}, then {second.names[differ[0]]!r}"
            if differ
            else "other lengths, categories or counts"
        )
        raise NonconformingError(
            f"the tags differ when loaded again ({where}); their order must come from a file, not from a set"
        )
    return f"{len(first):,} unique names, the same when loaded again"


def _shape(subject: TaggerUnderTest) -> str:
    scores, expected = subject.score(), (_TEST_IMAGES, len(subject.tagger.tags))
    if not isinstance(scores, np.ndarray):
        raise NonconformingError(f"scores are a {type(scores).__name__}; they must be a numpy array")
    if scores.shape != expected:
        raise NonconformingError(f"scores have shape {scores.shape}; it must be {expected}: images x tags")
    return f"{scores.shape[0]} images x {scores.shape[1]} tags"


def _type(subject: TaggerUnderTest) -> str:
    if subject.seen.dtype != np.float32:
        raise NonconformingError(f"scores are {subject.seen.dtype}; they must be float32")
    return "float32"


def _range(subject: TaggerUnderTest) -> str:
    scores = subject.seen
    if np.isnan(scores).any():
        raise NonconformingError(f"{int(np.isnan(scores).sum())} of {scores.size} scores are NaN")
    if not (scores.min() >= 0 and scores.max() <= 1):
        raise NonconformingError(
            f"scores from {scores.min():.4g} to {scores.max():.4g}, outside 0 to 1; does it need a sigmoid?"
        )
    return f"from {scores.min():.4g} to {scores.max():.4g}"


def _distinct_scores(subject: TaggerUnderTest) -> str:
    deviation = float(subject.seen.std(axis=0).max())
    if not deviation > _MIN_DEVIATION:
        raise NonconformingError(
            f"{_TEST_IMAGES} different images get equal scores (standard deviation {deviation:.1g}); is the input used?"
        )
    return f"standard deviation over {_TEST_IMAGES} images up to {deviation:.2g}"


def _batch(subject: TaggerUnderTest) -> str:
    ones = np.concatenate([np.array(subject.score(slice(row, row + 1))) for row in range(_TEST_IMAGES)])
    difference = f"scores of {_TEST_IMAGES} batches of 1 differ from those of one batch of {_TEST_IMAGES}"
    return _close(ones, subject.seen, subject.tolerance, difference)


def _order(subject: TaggerUnderTest) -> str:
    scores = np.array(subject.score(slice(None, None, -1)))[::-1]
    return _close(scores, subject.seen, subject.tolerance, "scores differ if the images are in reverse order")


def _repeats(subject: TaggerUnderTest) -> str:
    allowed = 0.0 if subject.tagger.device == "cpu" else subject.tolerance
    _close(np.array(subject.score()), subject.seen, allowed, "scores differ when computed again")
    fresh = score_squares(
        subject.again(), {preprocess: pixels.copy() for preprocess, pixels in subject.squares.items()}
    )
    return _close(np.array(fresh), subject.seen, allowed, "scores differ when the tagger is loaded again")


def _separate_arrays(subject: TaggerUnderTest) -> str:
    first = subject.score(slice(0, 3))
    kept = np.array(first)
    subject.score(slice(3, 6))
    if not np.array_equal(first, kept, equal_nan=True):
        raise NonconformingError(
            "the scores of one batch change when the next batch is scored; each call must return a new array"
        )
    return "the scores of one batch do not change when the next batch is scored"


def _input_unchanged(subject: TaggerUnderTest) -> str:
    squares = {preprocess: pixels.copy() for preprocess, pixels in subject.squares.items()}
    score_squares(subject.tagger, squares)
    changed = sum(int((pixels != subject.squares[preprocess]).sum()) for preprocess, pixels in squares.items())
    if changed:
        raise NonconformingError(f"{changed} bytes of the pixels were changed; other models share the pixels")
    return "no byte changed"


def _empty(subject: TaggerUnderTest) -> str:
    return _invalid_input(subject, lambda pixels: pixels[:0], "an empty batch", images=0)


def _wrong_size(subject: TaggerUnderTest) -> str:
    def cut(pixels: Pixels) -> Pixels:
        return np.ascontiguousarray(pixels[:, : pixels.shape[1] // 2 + 1])

    return _invalid_input(subject, cut, "squares cut to half their height")


def _wrong_channels(subject: TaggerUnderTest) -> str:
    result = _invalid_input(subject, lambda pixels: pixels[..., :2].copy(), "two channels")
    if result.startswith("scored"):
        raise NonconformingError(f"{result}; a tagger must refuse input that is not (n, size, size, 3)")
    return result


def _float_pixels(subject: TaggerUnderTest) -> str:
    result = _invalid_input(subject, lambda pixels: pixels.astype(np.float32), "float32 pixels")
    if result.startswith("scored"):
        squares: dict[Preprocess, Any] = {
            preprocess: pixels.astype(np.float32) for preprocess, pixels in subject.squares.items()
        }
        _close(
            score_squares(subject.tagger, squares),
            subject.seen,
            subject.tolerance,
            "scores of float32 pixels differ from those of uint8",
        )
    return result


CHECKS: Mapping[str, Callable[[TaggerUnderTest], str]] = {
    "device and precision": _device_and_precision,
    "tags": _tags,
    "shape": _shape,
    "type": _type,
    "range": _range,
    "distinct scores": _distinct_scores,
    "batch size": _batch,
    "image order": _order,
    "repeatable": _repeats,
    "separate arrays": _separate_arrays,
    "input unchanged": _input_unchanged,
    "empty batch": _empty,
    "wrong size": _wrong_size,
    "wrong channels": _wrong_channels,
    "float pixels": _float_pixels,
}
"""Checks after loading: shown name -> function that returns what it measured, or raises if the check fails."""


def _invalid_input(
    subject: TaggerUnderTest, spoil: Callable[[Pixels], Any], what: str, *, images: int = _TEST_IMAGES
) -> str:
    """Return how a tagger handles invalid input: an error, an output that `check_scores` refuses, or valid scores.

    Args:
        spoil: makes the pixels invalid.
        what: name of the invalid input, for the result.
        images: images in the invalid batch.

    Raises:
        BrokenPromiseError: the output for an empty batch is not an empty matrix of scores.
    """
    try:
        values = score_squares(
            subject.tagger, {preprocess: spoil(pixels) for preprocess, pixels in subject.squares.items()}
        )
    except Exception as error:
        return f"{what}: refused ({_short(_reason(error))})"
    try:
        check_scores(what, values, images=images, tags=len(subject.tagger.tags))
    except ScoresError as error:
        if not images:
            raise NonconformingError(str(error)) from None
        return f"{what}: the output is refused ({_short(str(error))})"
    return f"scored {what} as {values.shape[0]} x {values.shape[1]} probabilities"


def _close(scores: Probabilities, expected: Probabilities, tolerance: float, failure: str) -> str:
    if scores.shape != expected.shape:
        raise NonconformingError(f"{failure}: shape {scores.shape}, not {expected.shape}")
    largest = float(np.abs(scores.astype(np.float64) - expected).max(initial=0))
    if not largest <= tolerance:
        raise NonconformingError(f"{failure} by up to {largest:.2g}; allowed: {tolerance:g}")
    return f"largest difference {largest:.2g}, allowed {tolerance:g}"


def _images(preprocess: Preprocess) -> Pixels:
    """Return `_TEST_IMAGES` images of coloured patches, (n, size, size, 3); equal for all taggers with this preprocessing."""
    return np.stack([square(_image(seed), preprocess) for seed in range(_TEST_IMAGES)])


def _image(seed: int) -> RGB:
    patches = np.random.default_rng(seed).integers(0, 256, (5 + seed % 3, 6, 3), dtype=np.uint8)
    return np.kron(patches, np.ones((16, 16, 1), np.uint8))


def _summary(tagger: Tagger) -> str:
    sizes = " and ".join(str(preprocess.size) for preprocess in preprocesses_of(tagger))
    return f"{len(tagger.tags):,} tags, squares of {sizes} pixels"


def _bare(tagger: Tagger) -> Tagger:
    """Return a plugin's own object without `PluginTagger`, whose checks would hide its faults; so for an ensemble's members."""
    if isinstance(tagger, Ensemble):
        return Ensemble(tagger.card, [_bare(member) for member in tagger.members])
    return tagger.inner if isinstance(tagger, PluginTagger) else tagger


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, (NonconformingError, ArenaError)) else describe_exception(error)


def _short(text: str) -> str:
    return text if len(text) <= 100 else text[:97] + "..."
