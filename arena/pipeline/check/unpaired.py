"""Judge two entrants of which at least one is a published file, by their published metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from arena.base import provenance
from arena.base.errors import ArenaError, IncomparableError
from arena.base.progress import Progress
from arena.evaluate.matching import refuse_no_compared_tag
from arena.gate.options import VERDICT_OPTIONS
from arena.gate.policy import Policy
from arena.gate.sample import reach_told
from arena.gate.unpaired import averaged_tags, fitted_unpaired, judge_unpaired, unpaired_cost
from arena.gate.verdict import JudgedModel, Outcome, Verdict
from arena.pipeline.entrants import Entrant, ModelEntrant, PublishedEntrant, RunEntrant, ScoredEntrant
from arena.pipeline.output import open_run_folder, planned_recipe
from arena.pipeline.paired import (
    ComparisonOptions,
    entry_of,
    inputs_of_entrants,
    locate_entrants,
    score_models_of,
    settings_for,
    thresholds_of_entrant,
)
from arena.pipeline.recipe import make_recipe
from arena.pipeline.same_images import find_common_truth
from arena.pipeline.stages import evaluate_run, refuse_unfit_settings, write_run
from arena.report.view_model.recorded_labels import label_sentences
from arena.results.published.record import Published
from arena.results.published.rows import published_of
from arena.results.run_folder import Result


def check_unpaired(
    candidate: Entrant, baseline: Entrant, folder: Path, rules: Policy, asked: ComparisonOptions, progress: Progress
) -> Verdict:
    """Judge two entrants of which at least one is known by its published metrics only.

    A model or stored scores are evaluated first, and their run is written to the folder.

    Raises:
        ArenaError: an option sets the threshold of a published file.
        IncomparableError: an entrant was scored on a weighted sample, or where cells are unknown.
    """
    _refuse_thresholds_of_files((candidate, baseline), asked)
    ours, theirs = (_published(one, folder, asked, progress) for one in (candidate, baseline))
    for entrant, one in ((candidate, ours), (baseline, theirs)):
        if one.result is not None and one.result.recipe.dataset.weighted:
            raise IncomparableError(
                f"{entrant.name}: scored on a weighted sample, and a published file holds no weights for intervals; "
                "check it against a model or a run on the same images"
            )
        if one.result is not None and one.result.recipe.dataset.partly_known:
            raise IncomparableError(
                f"{entrant.name}: scored on labels of which some are unknown, and a published file counts all; "
                "check it against a model or a run on the same labels"
            )
    rules = fitted_unpaired(rules, theirs.published)
    cases = judge_unpaired(candidate=ours.published, baseline=theirs.published, policy=rules)
    result = ours.result or theirs.result
    first, second = (
        JudgedModel(entrant.name, entrant.source, one.threshold, one.published.digest or None)
        for entrant, one in ((candidate, ours), (baseline, theirs))
    )
    compared = all(case.outcome is not Outcome.INCOMPARABLE for case in cases)
    cost = unpaired_cost(cases) if compared else ""
    dataset = "" if result is None else result.recipe.dataset.label(8)
    return Verdict(
        first, second, cases, dataset=dataset, images=ours.published.images, paired=False,
        tags=averaged_tags(candidate=ours.published, baseline=theirs.published, policy=rules) if compared else None,
        unpaired_cost=cost, policy=rules.title,
        signature="" if result is None else result.run.get("signature", ""), created=provenance.now(),
        accept_inconclusive=rules.of(VERDICT_OPTIONS).accept_inconclusive,
        notes=("no images are shown, because a published file holds no scores", *filter(None, [reach_told(rules)])),
        labels=" ".join(_recorded_labels({candidate.name: ours, baseline.name: theirs})),
    )  # fmt: skip


class _Metrics(NamedTuple):
    """The published metrics of an entrant, its threshold as text, and its run if there is one."""

    published: Published
    threshold: str
    result: Result | None = None


def _recorded_labels(found: Mapping[str, _Metrics]) -> list[str]:
    """The sentences on recorded labels; the numbers of predictions are over the tags whose counts are known for both."""
    counts = {name: one.published.tags.set_index("tag")[["tp", "fp", "fn"]].dropna() for name, one in found.items()}
    common = reduce(pd.Index.intersection, [one.index for one in counts.values()])
    predicted, suspected = {}, {}
    for name, one in found.items():
        tp, fp, fn = counts[name].loc[common].sum()
        predicted[name] = (tp + fp) / (tp + fn) if tp + fn else None
        by_model = {} if one.result is None else one.result.summary["labels"].get("false_positives", {})
        if one.published.name in by_model:
            suspected[name] = by_model[one.published.name]
    return label_sentences(predicted, suspected)


def _published(entrant: Entrant, folder: Path, asked: ComparisonOptions, progress: Progress) -> _Metrics:
    """The metrics of an entrant in the form of a published file; a model is scored first.

    A run is evaluated again if an option sets its threshold.
    """
    if isinstance(entrant, PublishedEntrant):
        return _Metrics(entrant.published, _threshold_of(entrant.published))
    if isinstance(entrant, RunEntrant) and entrant.name not in asked.thresholds:
        threshold = entrant.result.summary["models"][entrant.model]["threshold"]
        digest = str(entrant.result.run["models"][entrant.model].get("weights") or "")
        return _Metrics(replace(published_of(entrant.result, entrant.model), digest=digest), threshold, entrant.result)
    result = _evaluate_alone(entrant, folder, asked, progress)
    threshold = result.summary["models"][entrant.name]["threshold"]
    digest = weights_digest(result, entrant.name) or ""
    return _Metrics(replace(published_of(result, entrant.name), digest=digest), threshold, result)


def _refuse_thresholds_of_files(entrants: Sequence[Entrant], asked: ComparisonOptions) -> None:
    for one in entrants:
        if isinstance(one, PublishedEntrant) and one.name in asked.thresholds:
            raise ArenaError(
                f"--threshold {one.name}={asked.thresholds[one.name]:g}: {one.source} is a published file, whose metrics are "
                "known only at its own thresholds"
            )


def _evaluate_alone(entrant: ScoredEntrant, folder: Path, asked: ComparisonOptions, progress: Progress) -> Result:
    """Evaluate one entrant alone, and write its run folder."""
    started = provenance.now()
    ground = find_common_truth((entrant,), asked.dataset, asked.part, asked.root)
    settings = settings_for((entrant,), asked, ground.folder)
    refuse_unfit_settings(ground.truth, settings)
    own = {entrant.name: thresholds_of_entrant(entrant, asked.thresholds.get(entrant.name), progress)}
    planned = planned_recipe(ground, settings, own, locate_entrants([entrant]))
    open_run_folder(folder, planned, overwrite=asked.overwrite)
    review = partial(refuse_no_compared_tag, ground.truth, min_positives=settings.min_positives, paired=True)
    if isinstance(entrant, ModelEntrant):
        entry = score_models_of([entrant], ground, folder, asked, progress, review=review)[entrant.name]
    else:
        entry = entry_of(entrant, asked, progress)
        review({entry.name: entry.scores.tags})
    result = evaluate_run(ground.truth, [entry], settings, progress)
    inputs = inputs_of_entrants((entrant,), [entry])
    recipe = make_recipe(ground, settings, [entry], inputs, command=asked.command, started=started)
    return write_run(folder, result, recipe, ground.heldout, asked.showing, progress)


def _threshold_of(published: Published) -> str:
    known = published.tags["threshold"].dropna().unique()
    return "unknown" if not len(known) else f"{known[0]:g}" if len(known) == 1 else "per tag"


def weights_digest(result: Result, model: str) -> str | None:
    """The digest of a model's weights; if unknown, that of its scores; None if both are unknown."""
    facts = result.run["models"][model]
    digest = facts.get("weights") or facts.get("key")
    return None if digest is None else str(digest)
