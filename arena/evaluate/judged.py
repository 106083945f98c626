"""Judged truth: sampling plans for human answers, and the metrics of a run's models from these answers.

A plan has two waves. The first asks 30 % of the cells, where proxies from recorded labels and scores say that an answer is
most useful. The second asks the rest, with proxies learnt from the answers of the first. Every cell of the compared tags can
be drawn, with a known probability. So the estimates need no assumption on the labels that are missing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.base.errors import ArenaError
from arena.dataset.frozen import Truth
from arena.dataset.judgements import Judgements, PlannedCells, with_probabilities
from arena.evaluate.answers import agreement, error_rate, sampled_answers, useless
from arena.evaluate.matching import Entry, close_entry, compared_tags, match_model, scored_by_all
from arena.evaluate.proxy import first_proxy, learnt_proxy
from arena.metrics.counts import Floats, Integers
from arena.metrics.judged import (
    NO_CELLS,
    Bools,
    ErrorRate,
    Estimated,
    Forecast,
    JudgedCells,
    answers_needed,
    asking_intensity,
    estimate_all,
    inclusion_probabilities,
)
from arena.metrics.resamples import resampling_units
from arena.metrics.thresholds import assign_folds
from arena.results.recipe import Settings

FIRST_WAVE = 0.3
"""Share of the answers that the first wave asks for."""

REPEATED = 0.1
"""Share of the cells that are asked twice, or of two people, to measure how far answers agree."""

LABELS = "recorded labels"
"""Name under which the labels themselves are estimated: their recall is the completeness of the labels."""

FIRST_WAVE_COLUMN = "first_wave_probability"
"""Column of a plan: inclusion probability in the first wave alone, float64; plans of earlier versions lack it."""

PLAN_COLUMNS = ("image_id", "tag", "inclusion_probability", "wave", "repeat", "plan")
"""Columns of a plan: strings; `inclusion_probability` float64; `wave` int64, 1 or 2; `repeat` bool."""


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
    def first_proxy(self) -> Floats:
        """Proxies before any answer; float64 (images, tags)."""
        if self.prior is not None:
            return self.prior
        return first_proxy(self.labels, list(self.scores.values()))

    def proxy(self, answered: JudgedCells) -> Floats:
        """Return the proxies learnt from answers; float64 (images, tags)."""
        features = list(self.scores.values())
        if self.prior is not None:
            features.append(self.prior.astype(np.float32))
        return learnt_proxy(self.labels, features, answered, self.fold, self.first_proxy)

    def random_numbers(self, seed: int, wave: int) -> Floats:
        """Return a permanent random number of each cell: it depends on image, tag, seed and wave only; (images, tags)."""
        rows, columns = (
            np.array([_hashed(f"{seed} {wave} {kind} {name}") for name in names], np.uint64)
            for kind, names in (("image", self.image_ids), ("tag", self.tags))
        )
        return _mixed(rows[:, None] ^ columns) / 2.0**64


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return well-mixed bits of 64-bit numbers (the finaliser of SplitMix64, Steele and others 2014)."""
    mixed = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


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


def forecast(cells: Cells, difference: float) -> Forecast:
    """Return the answers that decide a difference of macro F1 and of micro F1 between the first two models."""
    pair = list(cells.predicted)[:2]
    predicted = {name: cells.predicted[name] for name in pair}
    labels = cells.labels.astype(np.float64) if cells.prior is None else cells.prior
    _, pairs = estimate_all(predicted, labels, NO_CELLS, cells.clusters)
    of_images = [pairs[pair[0], pair[1]][key].standard_error for key in ("macro_f1", "micro_f1")]
    return answers_needed(list(predicted.values()), cells.first_proxy, difference, of_images)


def plan_identifier(cells: Cells, answers: int, seed: int) -> str:
    """Return what identifies a plan: its models, images, tags, labels, decisions, size and seed."""
    digest = hashlib.blake2b(digest_size=8)
    for part in (*cells.image_ids, *cells.tags, *cells.predicted, str(answers), str(seed)):
        digest.update(f"{part}\0".encode("utf-8", "surrogatepass"))
    for array in (cells.labels, *cells.predicted.values()):
        digest.update(np.packbits(array).tobytes())
    return digest.hexdigest()


def draw_plan(cells: Cells, answers: int, seed: int, judgements: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the cells to ask: the first wave, or both waves once the first is answered.

    Returns: columns `PLAN_COLUMNS` and `FIRST_WAVE_COLUMN`.

    The second wave changes the inclusion probabilities of the first, so both are listed.

    Args:
        answers: expected number of cells over both waves.
        seed: seed of the random numbers.
        judgements: earlier answers; those of the first wave of this plan make the second wave possible.
    """
    plan, decided = plan_identifier(cells, answers, seed), list(cells.predicted.values())
    first = inclusion_probabilities(asking_intensity(decided, cells.first_proxy), FIRST_WAVE * answers)
    drawn = cells.random_numbers(seed, 1) < first
    table = _plan_table(cells, plan, drawn, first, first, np.ones(drawn.shape, np.int64), seed)
    if judgements is None or not is_answered(table, judgements):
        return table
    found = answers_of(cells, judgements, table)
    second = inclusion_probabilities(asking_intensity(decided, cells.proxy(found)), (1 - FIRST_WAVE) * answers)
    also = cells.random_numbers(seed, 2) < second
    both = 1 - (1 - first) * (1 - second)
    return _plan_table(cells, plan, drawn | also, both, first, np.where(drawn, 1, 2), seed)


def _plan_table(
    cells: Cells, plan: str, drawn: Bools, inclusion: Floats, first: Floats, wave: Integers, seed: int
) -> pd.DataFrame:
    image, tag = np.nonzero(drawn)
    # in a random order, so that an interruption loses no kind of cell
    order = np.lexsort((cells.random_numbers(seed, 3)[drawn], wave[drawn]))
    image, tag = image[order], tag[order]
    values = {
        "image_id": [cells.image_ids[row] for row in image],
        "tag": [cells.tags[column] for column in tag],
        "inclusion_probability": inclusion[image, tag],
        "wave": wave[image, tag],
        "repeat": cells.random_numbers(seed, 4)[image, tag] < REPEATED,
        "plan": plan,
        FIRST_WAVE_COLUMN: first[image, tag],
    }
    return pd.DataFrame(values, columns=[*PLAN_COLUMNS, FIRST_WAVE_COLUMN])


def is_answered(plan: pd.DataFrame, judgements: pd.DataFrame) -> bool:
    """Return whether every cell of a plan has an answer, unclear ones included."""
    return not len(unanswered(plan, judgements))


def unanswered(plan: pd.DataFrame, judgements: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a plan without an answer."""
    of_plan = judgements[judgements["plan"] == plan["plan"].iloc[0]] if len(plan) else judgements
    known = pd.MultiIndex.from_frame(of_plan[["image_id", "tag"]])
    return plan[~pd.MultiIndex.from_frame(plan[["image_id", "tag"]]).isin(known)]


def planned_cells(cells: Cells, plan: pd.DataFrame) -> PlannedCells:
    """Return what a plan could ask: every cell of the compared tags."""
    return PlannedCells(len(plan), cells.tags, cells.image_ids)


def answers_to(judgements: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
    """Return the answers to the cells of a plan, with the inclusion probabilities of the plan."""
    identifier = str(plan["plan"].iloc[0]) if len(plan) else ""
    rows = judgements[judgements["plan"] == identifier]
    of_plan = pd.MultiIndex.from_frame(plan[["image_id", "tag"]])
    rows = rows[pd.MultiIndex.from_frame(rows[["image_id", "tag"]]).isin(of_plan)]
    return with_probabilities(rows, identifier, plan)


def answers_of(cells: Cells, judgements: pd.DataFrame, plan: pd.DataFrame) -> JudgedCells:
    """Return the clear answers to the cells of a plan; see `sampled_answers`."""
    return sampled_answers(cells.image_ids, cells.tags, Judgements(answers_to(judgements, plan))).cells


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
    models, pairs = estimate_all(predicted, cells.proxy(found), found, cells.clusters, errors)
    between = {pair: each for pair, each in pairs.items() if LABELS not in pair}
    alpha, repeated = agreement(of_plan)
    return Judged(answers.clear, answers.unclear, models, between, alpha, repeated, errors)
