"""Judged truth: the cells of a run with what models and labels say of them, and metrics of the models from human answers."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.base.errors import ArenaError
from arena.dataset.frozen import Truth
from arena.dataset.judgements import Judgements, planned_probabilities
from arena.evaluate.answers import agreement, error_rate, sampled_answers, useless
from arena.evaluate.matching import Entry, close_entry, compared_tags, match_model, scored_by_all
from arena.evaluate.proxy import RECORDED_AT_LEAST, first_proxy, learnt_proxy, logits
from arena.metrics.counts import Floats, Integers
from arena.metrics.judged import Bools, ErrorRate, Estimated, JudgedCells
from arena.metrics.judged_design import asking_intensity
from arena.metrics.judged_estimates import estimate_all
from arena.metrics.resamples import resampling_units
from arena.metrics.thresholds import assign_folds
from arena.results.recipe import Settings

LABELS = "recorded labels"
"""Name under which the labels themselves are estimated: their recall is the completeness of the labels."""


@dataclass(frozen=True)
class Cells:
    """The cells of the compared tags, with what models and labels say of them.

    Attributes:
        image_ids, tags: of the rows and columns.
        labels: bool (images, tags), as recorded.
        scores: model -> float32 (images, tags).
        predicted: model -> bool (images, tags), decisions at the model's own thresholds.
        groups: duplicate cluster of each image; empty if every image stands alone.
        categories: category of each tag; empty if unknown.
        prior: float64 (images, tags), proxies of images without labels; None if there are labels.
    """

    image_ids: tuple[str, ...]
    tags: tuple[str, ...]
    labels: Bools
    scores: Mapping[str, NDArray[np.float32]]
    predicted: Mapping[str, Bools]
    groups: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    prior: Floats | None = None

    @cached_property
    def fold(self) -> Integers:
        """Fold of each image; int64 (images,)."""
        return assign_folds(self.groups or self.image_ids).astype(np.int64)

    @cached_property
    def clusters(self) -> Integers:
        """Number of the duplicate cluster of each image; int64 (images,)."""
        return np.asarray(resampling_units(self.groups or self.image_ids), np.int64)

    @cached_property
    def digest(self) -> str:
        """Digest of the models, images, tags, labels and decisions."""
        found = hashlib.blake2b(digest_size=16)
        for part in (*self.image_ids, *self.tags, *self.predicted):
            found.update(f"{part}\0".encode("utf-8", "surrogatepass"))
        for array in (self.labels, *self.predicted.values()):
            found.update(np.packbits(array).tobytes())
        return found.hexdigest()

    @cached_property
    def first_proxy(self) -> Floats:
        """Proxies before any answer; float64 (images, tags)."""
        if self.prior is not None:
            return self.prior
        return first_proxy(self.labels, self._log_odds)

    @property
    def forecast_proxy(self) -> Floats:
        """Proxies of a forecast of the number of answers: as many labels are missing as may be; float64 (images, tags)."""
        if self.prior is not None:
            return self.prior
        return first_proxy(self.labels, self._log_odds, RECORDED_AT_LEAST)

    @cached_property
    def first_intensity(self) -> Floats:
        """Intensity with which the first wave of a plan asks each cell; float64 (images, tags)."""
        return asking_intensity(list(self.predicted.values()), self.first_proxy)

    @cached_property
    def _log_odds(self) -> list[Floats]:
        """Log odds by the scores of each model, and by the prior if there is one; float64 (images, tags) each."""
        prior = [] if self.prior is None else [self.prior.astype(np.float32)]
        return [logits(one) for one in (*self.scores.values(), *prior)]

    def proxy(self, answered: JudgedCells, wrong: float = 0.0) -> Floats:
        """Return the proxies learnt from answers, of which a share is wrong; float64 (images, tags)."""
        known = 0.0 if math.isnan(wrong) else wrong
        return learnt_proxy(self.labels, self._log_odds, answered, self.fold, self.first_proxy, known)

    def random_numbers(self, seed: int, wave: int) -> Floats:
        """Return a permanent random number of each cell: it depends on image, tag, seed and wave only; (images, tags)."""
        rows, columns = self._hashes(seed, wave)
        return _mixed(rows[:, None] ^ columns) / 2.0**64

    def random_numbers_of(self, seed: int, wave: int, image: Integers, tag: Integers) -> Floats:
        """Return the random numbers of some cells; (cells,)."""
        rows, columns = self._hashes(seed, wave)
        return _mixed(rows[image] ^ columns[tag]) / 2.0**64

    def _hashes(self, seed: int, wave: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Return the hashes of the images and of the tags, from memory if they were computed before."""
        found = self._known_hashes.get((seed, wave))
        if found is None:
            rows, columns = (
                np.array([_hashed(f"{seed} {wave} {kind} {name}") for name in names], np.uint64)
                for kind, names in (("image", self.image_ids), ("tag", self.tags))
            )
            found = self._known_hashes[seed, wave] = rows, columns
        return found

    @cached_property
    def _known_hashes(self) -> dict[tuple[int, int], tuple[NDArray[np.uint64], NDArray[np.uint64]]]:
        return {}


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return well-mixed bits of 64-bit numbers (the finaliser of SplitMix64, Steele and others 2014)."""
    mixed = numbers ^ (numbers >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def read_cells(truth: Truth, entries: Sequence[Entry], settings: Settings) -> Cells:
    """Read labels, scores and decisions on the compared tags into memory, about 60 bytes a cell while proxies are computed.

    Raises:
        ScoresError: a model lacks scores of images of the ground truth.
        ArenaError: the images have weights, or no tag is compared.
    """
    if truth.weights is not None:
        raise ArenaError("judged truth of a weighted sample is not supported; judge a run on images without weights")
    truth, _ = scored_by_all(truth, entries)
    models = [match_model(truth, close_entry(truth, entry) if settings.imply else entry) for entry in entries]
    compared = compared_tags(truth, models, settings.min_positives)
    if not len(compared):
        raise ArenaError(f"no tag with {settings.min_positives} positives that all models know; lower --min-positives")
    scores, predicted = {}, {}
    for one in models:
        column = one.chosen[compared]
        scores[one.entry.name] = one.scored.matrix.columns(one.columns[column], one.scored.place).astype(np.float32)
        predicted[one.entry.name] = scores[one.entry.name] >= settings.counting.effective(one.own)[column]
    names = tuple(truth.tags.names[tag] for tag in compared)
    labels = truth.values[:, compared].toarray().astype(np.bool_)
    categories = tuple(models[0].categories[column] for column in models[0].chosen[compared])
    return Cells(truth.image_ids, names, labels, scores, predicted, tuple(truth.groups or ()), categories)


def answers_to(judgements: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Return the answers to the cells of a plan, with the inclusion probabilities of the plan."""
    identifier = str(plan["plan"].iloc[0]) if len(plan) else ""
    rows = judgements[judgements["plan"] == identifier]
    inclusion = planned_probabilities(rows, plan)
    known = ~np.isnan(inclusion)
    return rows[known].assign(inclusion_probability=inclusion[known])


class Judged(NamedTuple):
    """Metrics by judged truth.

    Attributes:
        answers, unclear: numbers of cells.
        models: model -> metric -> estimate; `LABELS` stands for the recorded labels, if there are any.
        pairs: pair of models -> metric -> difference.
        agreement: Krippendorff's alpha of the cells that were answered twice; NaN without one.
        repeated: number of these cells.
        errors: how often answers are wrong; the metrics are corrected for it.
    """

    answers: int
    unclear: int
    models: Mapping[str, Mapping[str, Estimated]]
    pairs: Mapping[tuple[str, str], Mapping[str, Estimated]]
    agreement: float
    repeated: int
    errors: ErrorRate


def estimate_judged(cells: Cells, judgements: pd.DataFrame, plan: pd.DataFrame) -> Judged:
    """Return the metrics by the answers to a plan.

    Raises:
        ArenaError: there are fewer than `LEAST_ANSWERS` clear answers.
    """
    of_plan = answers_to(judgements, plan)
    answers = sampled_answers(cells.image_ids, cells.tags, Judgements(of_plan))
    found, errors = answers.cells, error_rate(of_plan)
    if problem := answers.problem or useless(errors):
        raise ArenaError(problem)
    predicted = {**cells.predicted, **({LABELS: cells.labels} if cells.prior is None else {})}
    proxy = cells.proxy(found, errors.rate)
    models, pairs = estimate_all(predicted, proxy, found, cells.clusters, errors, cells.scores)
    between = {pair: each for pair, each in pairs.items() if LABELS not in pair}
    alpha, repeated = agreement(of_plan)
    return Judged(answers.clear, answers.unclear, models, between, alpha, repeated, errors)
