"""A world of tags and images in which every tagger's true figures are known.

Supports are JoyTag's (`full-metrics.txt`). Images differ in how many tags they carry and in how hard they are, in a few
levels, so that errors are shared between tags and between models; a tagger's evidence for a tag is Gaussian around 0 without
the tag and around its separation d' with it, and its score is a sigmoid of that evidence. True precision, recall and F1
follow from normal tails, true average precision from an integral over them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array
from scipy.stats import norm

from arena.base.files import open_whole

Floats = NDArray[np.float64]

FULL_METRICS = Path(__file__).parents[2] / "tests/data/joytag/full-metrics.txt"
JOYTAG_IMAGES = 32_768

RICHNESS = np.array([0.4, 1.0, 1.6])
"""How many tags an image carries, relative to the mean, at each level; the levels are equally frequent."""

HARDNESS = np.array([-0.4, 0.0, 0.4])
"""What an image adds to the evidence for every tag at each level."""

SHARED = 0.5
"""Share of the noise that all taggers have in common: what is hard for one is hard for the other."""


@dataclass(frozen=True)
class Tagger:
    """Per-tag parameters: separation d' and the shift of the log-odds; float64 (tags,)."""

    separation: Floats
    shift: Floats


@dataclass(frozen=True)
class Drawn:
    """Held-out images of this world: truth, and one score matrix a tagger."""

    truth: csc_array
    scores: list[NDArray[np.float32]]
    groups: NDArray[np.int64]


@cache
def joytag_supports() -> NDArray[np.int64]:
    """Positives of each of JoyTag's tags, from its published figures."""
    rows = re.findall(r"^TP: (\d+), TN: \d+, FP: \d+, FN: (\d+)$", FULL_METRICS.read_text(), re.MULTILINE)
    return np.array([int(tp) + int(fn) for tp, fn in rows])


def true_prevalence(nominal: Floats) -> Floats:
    """The share of images that carry each tag, the rich ones at most always."""
    return np.asarray(np.minimum(nominal[:, None] * RICHNESS, 1).mean(1))


def make_tagger(prevalence: Floats, rng: np.random.Generator, *, quality: float = 3.9, shift: float = 0.5) -> Tagger:
    """A tagger of about JoyTag's quality, tags differing."""
    return Tagger(np.clip(rng.normal(quality, 0.7, len(prevalence)), 0.5, None), np.full(len(prevalence), shift))


def draw(
    prevalence: Floats,
    taggers: list[Tagger],
    images: int,
    rng: np.random.Generator,
    *,
    copies: int = 1,
    shared: float = SHARED,
) -> Drawn:
    """Draw images with their tags and every tagger's scores.

    Args:
        copies: each picture comes so many times, with the same tags and nearly the same scores: near duplicates.
        shared: share of the noise that all taggers have in common.
    """
    pictures = images // copies
    group = np.repeat(np.arange(pictures), copies)
    rich, hard = (rng.integers(0, 3, pictures) for _ in range(2))
    tags = len(prevalence)
    scores = [np.empty((tags, len(group)), np.float32) for _ in taggers]
    rows, columns = [], []
    for tag in range(tags):
        carried = rng.random(pictures) < np.minimum(prevalence[tag] * RICHNESS, 1)[rich]
        common = rng.standard_normal(pictures, np.float32) * np.float32(np.sqrt(shared))
        common += HARDNESS[hard].astype(np.float32)
        for matrix, tagger in zip(scores, taggers, strict=True):
            own = rng.standard_normal(pictures, np.float32) * np.float32(np.sqrt(1 - shared))
            evidence = np.repeat(common + own, copies)
            if copies > 1:
                evidence += 0.05 * rng.standard_normal(len(group), np.float32)
            evidence[carried[group]] += tagger.separation[tag]
            matrix[tag] = _score(evidence, prevalence[tag], tagger.separation[tag], tagger.shift[tag])
        image = np.flatnonzero(carried[group])
        rows.append(image)
        columns.append(np.full(len(image), tag))
    row, column = np.concatenate(rows), np.concatenate(columns)
    truth = csc_array((np.ones(len(row), bool), (row, column)), shape=(len(group), tags))
    truth.sort_indices()
    return Drawn(truth, [np.ascontiguousarray(matrix.T) for matrix in scores], group)


def write_npz(folder: Path, scores: Mapping[str, NDArray[np.float32]], truth: csc_array) -> None:
    """Write drawn scores as NAME.npz, and then their truth as truth.npz, as `arena score` reads them."""
    images, tags = truth.shape
    axes = {
        "tags": np.array([f"tag_{tag}" for tag in range(tags)]),
        "image_ids": np.array([f"{image:06d}" for image in range(images)]),
    }
    content: dict[str, dict[str, NDArray[Any]]] = {name: {"scores": values} for name, values in scores.items()}
    content["truth"] = {"truth": np.ascontiguousarray(truth.toarray())}
    for name, arrays in content.items():
        with open_whole(folder / f"{name}.npz") as file:
            np.savez(file, **arrays, **axes)  # type: ignore[arg-type]


def _score(evidence: NDArray[np.float32], prevalence: float, separation: float, shift: float) -> NDArray[np.float32]:
    odds = np.log(prevalence / (1 - prevalence)) - separation**2 / 2 + shift
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-(np.float32(separation) * evidence + np.float32(odds)))), np.float32)


def cut(thresholds: Floats, prevalence: Floats, tagger: Tagger) -> Floats:
    """The evidence at which a tag's score reaches a threshold; float64 (tags,)."""
    odds = np.log(prevalence / (1 - prevalence)) - tagger.separation**2 / 2 + tagger.shift
    return (np.log(thresholds / (1 - thresholds)) - odds) / tagger.separation


def rates(cuts: Floats, tagger: Tagger) -> tuple[Floats, Floats]:
    """True share of positives, and of negatives, at or above a cut; (..., tags).

    Richness and hardness are independent, so that both kinds meet each hardness equally often.
    """
    spread = np.array([norm.sf(cuts - hardness - tagger.separation) for hardness in HARDNESS])
    false = np.array([norm.sf(cuts - hardness) for hardness in HARDNESS])
    return spread.mean(0), false.mean(0)


@dataclass(frozen=True)
class True_:  # noqa: N801
    """True per-tag figures, float64 (tags,)."""

    tp: Floats
    fp: Floats
    positives: Floats

    @property
    def f1(self) -> Floats:
        """Of each tag."""
        return 2 * self.tp / (self.tp + self.fp + self.positives)

    @property
    def micro_f1(self) -> float:
        """Of all tags."""
        return float(2 * self.tp.sum() / (self.tp + self.fp + self.positives).sum())


def true_at(thresholds: Floats, prevalence: Floats, tagger: Tagger) -> True_:
    """True shares of images per tag at one threshold each; a mean over folds if thresholds are (folds, tags)."""
    hit, false = rates(cut(thresholds, prevalence, tagger), tagger)
    share = true_prevalence(prevalence)
    return True_(share * hit, (1 - share) * false, share)


def true_average_precision(prevalence: Floats, tagger: Tagger, steps: int = 4000) -> Floats:
    """Average precision on infinitely many images: precision integrated over recall."""
    grid = np.linspace(-6.5, 6.5, steps)[:, None] + tagger.separation / 2
    hit, false = rates(grid + 0.0, tagger)
    share = true_prevalence(prevalence)
    precision = share * hit / np.maximum(share * hit + (1 - share) * false, 1e-300)
    middle = (precision[1:] + precision[:-1]) / 2
    return np.asarray((middle * -np.diff(hit, axis=0)).sum(0))
