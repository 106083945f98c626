"""Populations of images in which the true metrics of every tagger are known, and random samples of them.

The evidence of a tagger for a tag is Gaussian with variance 1: mean 0 without the tag, and mean d' (the separation) with it.
The score is a sigmoid of the evidence; it is a calibrated probability where `sharpness` is 1. Dependence between tags, between
images and between taggers never changes the distribution of one score, so true counts follow from normal tails.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit, ndtr, ndtri

from arena.evaluate.passes import FINE_STEPS
from arena.metrics.counts import Floats, Integers
from arena.metrics.thresholds import THRESHOLD_CHOICES, TrainingCounts, sweep_thresholds

OWN_THRESHOLD = 0.37
SHARED = 0.6
"""Share of the noise that all taggers have in common."""

ALIKE = 0.9
"""Share of the noise that near duplicates have in common."""

IMAGE_WIDE = 0.3
"""Share of the noise that all tags of an image have in common where tags are correlated."""

COMMON_CAUSE = 0.35
"""Correlation of the latent labels of two tags, up to its sign, where tags are correlated."""

MANY_IMAGES = 1e7
"""Number of images that the choice of a threshold on the population stands for."""

LEVELS = (np.arange(256) / 255).astype(np.float32)
"""The values of an 8-bit score."""

RATINGS = {"safe": 0.5, "questionable": 0.3, "explicit": 0.2}
"""Values of the column by which images are sliced, with their shares. They are independent of labels and scores."""

CATEGORIES = ("general",) * 6 + ("character",) * 3 + ("copyright",)
"""Categories of the tags, in turn."""


@dataclass(frozen=True)
class World:
    """How images are drawn.

    Attributes:
        name: key in the report.
        about: one line for the report.
        positives: largest and smallest expected number of positives of a tag among 1,500 images.
        correlated: whether tags occur together, and errors on an image go together.
        eight_bit: whether scores are rounded to 1/255 and saturated.
        clusters: (number, size) of the clusters of near duplicates, as shares of 1,500 images; all other images are single.
    """

    name: str
    about: str
    positives: tuple[float, float] = (600.0, 18.0)
    correlated: bool = False
    eight_bit: bool = False
    clusters: tuple[int, int] = (0, 1)

    def cluster_sizes(self, images: int) -> Integers:
        """Return the sizes of all clusters, single images included; their sum is `images`."""
        number, size = self.clusters
        number = min(max(1, round(number * images / 1_500)), images // size) if number else 0
        return np.concatenate([np.full(number, size), np.ones(images - number * size)]).astype(np.int64)

    def effective(self, images: int) -> float:
        """Return the effective number of clusters, n^2 / sum m^2."""
        sizes = self.cluster_sizes(images)
        return float(images**2 / (sizes**2).sum())


WORLDS = {
    world.name: world
    for world in (
        World("plain", "independent images and tags; 18 to 600 positives a tag"),
        World("correlated", "tags occur together, and errors on an image go together", correlated=True),
        World("eight_bit", "scores rounded to 1/255, many of them 0 or 1", eight_bit=True),
        World("rare", "12 to 30 expected positives a tag", positives=(30.0, 12.0)),
        World("clustered", "300 clusters of 5 near duplicates", clusters=(300, 5)),
        World("unequal", "5 clusters of 52 near duplicates, and single images", clusters=(5, 52)),
        World("few_clusters", "10 clusters of 60 near duplicates, and single images", clusters=(10, 60)),
    )
}


@dataclass(frozen=True)
class Tagger:
    """A tagger on the whole population.

    Attributes:
        prevalence, separation: float64 (tags,).
        sharpness: factor of the log-odds; 1 is calibrated.
        eight_bit: whether scores are rounded to 1/255.
    """

    prevalence: Floats
    separation: Floats
    sharpness: float
    eight_bit: bool

    def scores(self, evidence: Floats) -> NDArray[np.float32]:
        """Return the scores of evidence, (images, tags)."""
        log_odds = self.separation * evidence - self.separation**2 / 2 + logit(self.prevalence)
        scores = 1 / (1 + np.exp(-self.sharpness * log_odds))
        found = LEVELS[np.rint(scores * 255).astype(np.int64)] if self.eight_bit else scores
        return np.asarray(found, np.float32)

    def rates(self, thresholds: NDArray[np.float32]) -> tuple[Floats, Floats]:
        """Return the shares of images that are TP and FP at some thresholds, (..., tags) each."""
        lowest = thresholds.astype(np.float64)
        if self.eight_bit:
            lowest = (np.searchsorted(LEVELS, thresholds) - 0.5) / 255
        with np.errstate(divide="ignore"):
            log_odds = logit(np.clip(lowest, 0, 1)) / self.sharpness
        cut = (log_odds + self.separation**2 / 2 - logit(self.prevalence)) / self.separation
        return self.prevalence * ndtr(self.separation - cut), (1 - self.prevalence) * ndtr(-cut)

    @cached_property
    def average_precision(self) -> Floats:
        """AP of each tag: precision integrated over recall, equal scores taken together; float64 (tags,)."""
        if self.eight_bit:
            tp, fp = self.rates(np.repeat(LEVELS[::-1, None], len(self.prevalence), axis=1))
            return np.asarray((np.diff(tp, axis=0, prepend=0) * tp / np.maximum(tp + fp, 1e-300)).sum(0) / tp[-1])
        cut = np.linspace(8, -8, 8_001)[:, None] + self.separation / 2
        recall, false = ndtr(self.separation - cut), (1 - self.prevalence) * ndtr(-cut)
        tp = self.prevalence * recall
        precision = tp / np.maximum(tp + false, 1e-300)
        return np.asarray((np.diff(recall, axis=0) * (precision[1:] + precision[:-1]) / 2).sum(0))

    @cached_property
    def _sweep(self) -> tuple[NDArray[np.float32], Floats, Floats]:
        steps = sweep_thresholds((*FINE_STEPS, OWN_THRESHOLD))
        return steps, *self.rates(np.repeat(steps[:, None], len(self.prevalence), axis=1))

    def chosen(self, compared: NDArray[np.bool_], categories: Integers) -> dict[str, NDArray[np.float32]]:
        """Return the thresholds that each regime chooses on the whole population; float32 (tags,), NaN if there is none."""
        steps, tp, fp = self._sweep
        counts = [(MANY_IMAGES * x).astype(np.float32) for x in (tp, fp, self.prevalence)]
        train = TrainingCounts(counts[0], counts[1], counts[2], compared, categories)
        found = {"own": np.full(len(compared), OWN_THRESHOLD, np.float32)}
        for name, choice in THRESHOLD_CHOICES.items():
            places = choice(train)
            found[name] = np.where(places < 0, np.float32(np.nan), steps[places])
        return found


@dataclass(frozen=True)
class Sample:
    """Images that were drawn at random from a population.

    Attributes:
        labels: bool (images, tags).
        scores: by name of the tagger, float32 (images, tags).
        clusters: int64 (images,), cluster of near duplicates of each image.
        ratings: (images,), names of `RATINGS`.
    """

    labels: NDArray[np.bool_]
    scores: Mapping[str, NDArray[np.float32]]
    clusters: Integers
    ratings: NDArray[np.str_]


class Population:
    """The tags and taggers of a world: `a1` to `a5` are equally good, and `b` is better on most tags."""

    def __init__(self, world: World, tags: int) -> None:
        rng = np.random.default_rng(1)
        self.world = world
        self.prevalence = np.geomspace(world.positives[0] / 1_500, world.positives[1] / 1_500, tags)
        self.categories = np.array([CATEGORIES[place % len(CATEGORIES)] for place in range(tags)])
        self.loadings = np.sqrt(COMMON_CAUSE) * rng.choice([-1, 1], tags, p=[0.25, 0.75])
        separation = rng.uniform(1.2, 3.2, tags)
        better = np.maximum(separation + rng.normal(0.15, 0.15, tags), 0.8)
        sharpness = 2.5 if world.eight_bit else 1.0
        equal = Tagger(self.prevalence, separation, sharpness, world.eight_bit)
        self.taggers = {f"a{number}": equal for number in range(1, 6)}
        self.taggers["b"] = Tagger(self.prevalence, better, sharpness, world.eight_bit)

    def draw(self, images: int, rng: np.random.Generator) -> Sample:
        """Draw images with their labels and the scores of all taggers."""
        sizes = self.world.cluster_sizes(images)
        clusters = np.repeat(np.arange(len(sizes)), sizes)
        labels = (self._latent(len(sizes), rng) < ndtri(self.prevalence))[clusters]
        shared = self._noise(clusters, rng)
        scores = {}
        for name, tagger in self.taggers.items():
            noise = np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * self._noise(clusters, rng)
            scores[name] = tagger.scores(noise + labels * tagger.separation)
        ratings = rng.choice(list(RATINGS), len(sizes), p=list(RATINGS.values()))[clusters]
        return Sample(labels, scores, clusters, ratings)

    def _latent(self, pictures: int, rng: np.random.Generator) -> Floats:
        """Return standard normal variables, (pictures, tags), which decide the labels."""
        latent = rng.standard_normal((pictures, len(self.prevalence)))
        if self.world.correlated:
            cause = rng.standard_normal((pictures, 1))
            latent = self.loadings * cause + np.sqrt(1 - self.loadings**2) * latent
        return latent

    def _noise(self, clusters: Integers, rng: np.random.Generator) -> Floats:
        """Return standard normal noise, (images, tags)."""
        pictures, shape = int(clusters[-1]) + 1, (len(clusters), len(self.prevalence))
        noise = self._noise_of(pictures, rng)[clusters]
        if pictures == len(clusters):
            return noise
        return np.asarray(np.sqrt(ALIKE) * noise + np.sqrt(1 - ALIKE) * rng.standard_normal(shape))

    def _noise_of(self, pictures: int, rng: np.random.Generator) -> Floats:
        noise = rng.standard_normal((pictures, len(self.prevalence)))
        if self.world.correlated:
            noise = np.sqrt(1 - IMAGE_WIDE) * noise + np.sqrt(IMAGE_WIDE) * rng.standard_normal((pictures, 1))
        return noise
