"""Simulation of tags and images in which the true metrics of every tagger are known.

Supports are JoyTag's (`full-metrics.txt`). Images differ in their number of tags and in their difficulty, each with a few
levels, so that errors are correlated between tags and between models. The evidence of a tagger for a tag is Gaussian, with mean
0 without the tag and mean d' (the separation) with it. The score is a sigmoid of the evidence. True precision, recall and F1
follow from normal tails, and true average precision from an integral over them.
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
"""Number of tags of an image relative to the mean, at each level; the levels are equally frequent."""

HARDNESS = np.array([-0.4, 0.0, 0.4])
"""Value added to the evidence for every tag of an image, at each level; the levels are equally frequent."""

SHARED = 0.5
"""Share of the noise that all taggers have in common: images that are hard for one are hard for the others."""


@dataclass(frozen=True)
class Tagger:
    """Per-tag parameters: separation d' and the shift of the log-odds; float64 (tags,)."""

    separation: Floats
    shift: Floats


@dataclass(frozen=True)
class Drawn:
    """Simulated held-out images.

    Attributes:
        truth: bool (images, tags), labels.
        scores: one per tagger, float32 (images, tags).
    """

    truth: csc_array
    scores: list[NDArray[np.float32]]


@cache
def joytag_supports() -> NDArray[np.int64]:
    """Return the number of positives of each of JoyTag's tags, from its published metrics; int64 (5813,)."""
    rows = re.findall(r"^TP: (\d+), TN: \d+, FP: \d+, FN: (\d+)$", FULL_METRICS.read_text(), re.MULTILINE)
    return np.array([int(tp) + int(fn) for tp, fn in rows])


def true_prevalence(nominal: Floats) -> Floats:
    """Return the share of images that have each tag; the share at each level of richness is at most 1."""
    return np.asarray(np.minimum(nominal[:, None] * RICHNESS, 1).mean(1))


def make_tagger(prevalence: Floats, rng: np.random.Generator, *, quality: float = 3.9, shift: float = 0.5) -> Tagger:
    """Return a tagger of about JoyTag's quality, with a random separation for each tag."""
    return Tagger(np.clip(rng.normal(quality, 0.7, len(prevalence)), 0.5, None), np.full(len(prevalence), shift))


def draw(
    prevalence: Floats,
    taggers: list[Tagger],
    images: int,
    rng: np.random.Generator,
    *,
    shared: float = SHARED,
) -> Drawn:
    """Draw images with their labels and the scores of every tagger.

    Args:
        prevalence: nominal prevalence of each tag, float64 (tags,).
        taggers: the taggers.
        images: number of images.
        rng: random generator.
        shared: share of the noise that all taggers have in common.
    """
    rich, hard = (rng.integers(0, 3, images) for _ in range(2))
    tags = len(prevalence)
    scores = [np.empty((tags, images), np.float32) for _ in taggers]
    rows, columns = [], []
    for tag in range(tags):
        carried = rng.random(images) < np.minimum(prevalence[tag] * RICHNESS, 1)[rich]
        common = rng.standard_normal(images, np.float32) * np.float32(np.sqrt(shared))
        common += HARDNESS[hard].astype(np.float32)
        for matrix, tagger in zip(scores, taggers, strict=True):
            own = rng.standard_normal(images, np.float32) * np.float32(np.sqrt(1 - shared))
            evidence = common + own
            evidence[carried] += tagger.separation[tag]
            matrix[tag] = _score(evidence, prevalence[tag], tagger.separation[tag], tagger.shift[tag])
        image = np.flatnonzero(carried)
        rows.append(image)
        columns.append(np.full(len(image), tag))
    row, column = np.concatenate(rows), np.concatenate(columns)
    truth = csc_array((np.ones(len(row), bool), (row, column)), shape=(images, tags))
    truth.sort_indices()
    return Drawn(truth, [np.ascontiguousarray(matrix.T) for matrix in scores])


def write_npz(folder: Path, scores: Mapping[str, NDArray[np.float32]], truth: csc_array) -> None:
    """Write scores as NAME.npz, then labels as truth.npz, in the format of `arena score`."""
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
    """Return the evidence at which the score of each tag reaches its threshold; float64 (tags,)."""
    odds = np.log(prevalence / (1 - prevalence)) - tagger.separation**2 / 2 + tagger.shift
    return (np.log(thresholds / (1 - thresholds)) - odds) / tagger.separation


def rates(cuts: Floats, tagger: Tagger) -> tuple[Floats, Floats]:
    """Return the true share of positives, and of negatives, at or above a cut; (..., tags).

    Richness and hardness are independent, so positives and negatives have each hardness equally often.
    """
    true = np.array([norm.sf(cuts - hardness - tagger.separation) for hardness in HARDNESS])
    false = np.array([norm.sf(cuts - hardness) for hardness in HARDNESS])
    return true.mean(0), false.mean(0)


@dataclass(frozen=True)
class True_:  # noqa: N801
    """True shares of images per tag, float64 (tags,)."""

    tp: Floats
    fp: Floats
    positives: Floats

    @property
    def f1(self) -> Floats:
        """F1 of each tag; float64 (tags,)."""
        return 2 * self.tp / (self.tp + self.fp + self.positives)

    @property
    def micro_f1(self) -> float:
        """Micro F1 over all tags."""
        return float(2 * self.tp.sum() / (self.tp + self.fp + self.positives).sum())


def true_at(thresholds: Floats, prevalence: Floats, tagger: Tagger) -> True_:
    """Return the true shares of images of each tag at its threshold; thresholds are (tags,) or (folds, tags)."""
    hit, false = rates(cut(thresholds, prevalence, tagger), tagger)
    share = true_prevalence(prevalence)
    return True_(share * hit, (1 - share) * false, share)


def true_average_precision(prevalence: Floats, tagger: Tagger, steps: int = 4000) -> Floats:
    """Return the average precision of each tag on infinitely many images: precision integrated over recall."""
    grid = np.linspace(-6.5, 6.5, steps)[:, None] + tagger.separation / 2
    hit, false = rates(grid + 0.0, tagger)
    share = true_prevalence(prevalence)
    precision = share * hit / np.maximum(share * hit + (1 - share) * false, 1e-300)
    middle = (precision[1:] + precision[:-1]) / 2
    return np.asarray((middle * -np.diff(hit, axis=0)).sum(0))
