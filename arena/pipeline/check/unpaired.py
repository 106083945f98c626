"""Sides of which one at least is known by its published figures alone: judged as if both were published."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from arena.base import provenance
from arena.base.files import make_folder
from arena.base.progress import Progress
from arena.gate.policy import Policy
from arena.gate.unpaired import judge_unpaired, unpaired_cost
from arena.gate.verdict import Outcome, Side, Verdict
from arena.pipeline.entrants import Given, ModelSide, PublishedSide, RunSide, ScoresSide
from arena.pipeline.paired import Asked, entry_of, inputs_of_sides, score_now, settings_for
from arena.pipeline.recipe import make_recipe
from arena.pipeline.same_images import find_ground
from arena.pipeline.stages import evaluate_run, write_run
from arena.results.published.record import Published
from arena.results.published.rows import published_of
from arena.results.run_folder import Result


def check_unpaired(
    candidate: Given, baseline: Given, folder: Path, rules: Policy, asked: Asked, progress: Progress
) -> Verdict:
    """Judge sides of which one at least is only known by its published figures."""
    ours, theirs = (_published(side, folder, asked, progress) for side in (candidate, baseline))
    cases = judge_unpaired(candidate=ours.published, baseline=theirs.published, policy=rules)
    result = ours.result or theirs.result
    sides = [
        Side(side.name, side.source, one.threshold, one.published.digest or None)
        for side, one in ((candidate, ours), (baseline, theirs))
    ]
    compared = all(case.outcome is not Outcome.INCOMPARABLE for case in cases)
    cost = unpaired_cost(cases) if compared else ""
    dataset = "" if result is None else result.recipe.dataset.label(8)
    return Verdict(
        sides[0], sides[1], cases, dataset=dataset, images=ours.published.images, paired=False,
        unpaired_cost=cost, policy=rules.title,
        signature="" if result is None else result.run.get("signature", ""), created=provenance.now(),
        accept_inconclusive=rules.accept_inconclusive, notes=("no page of images: a published file holds no scores",),
    )  # fmt: skip


class _Side(NamedTuple):
    """A side by its figures alone."""

    published: Published
    threshold: str
    result: Result | None = None


def _published(side: Given, folder: Path, asked: Asked, progress: Progress) -> _Side:
    """A side as if it were published: a run's figures as they are, a model's once it is scored."""
    if isinstance(side, PublishedSide):
        return _Side(side.published, _threshold_of(side.published))
    if isinstance(side, RunSide):
        told = side.result.summary["models"][side.model]["threshold"]
        digest = str(side.result.run["models"][side.model].get("weights") or "")
        return _Side(replace(published_of(side.result, side.model), digest=digest), told, side.result)
    result = _alone(side, folder, asked, progress)
    told = result.summary["models"][side.name]["threshold"]
    return _Side(replace(published_of(result, side.name), digest=weights_digest(result, side.name) or ""), told, result)


def _alone(side: ModelSide | ScoresSide, folder: Path, asked: Asked, progress: Progress) -> Result:
    """A run folder of one side."""
    started = provenance.now()
    ground = find_ground((side,), asked.dataset, asked.part, asked.root)
    entry = (
        score_now([side], ground, folder, asked, progress)[side.name]
        if isinstance(side, ModelSide)
        else entry_of(side, asked.root, progress)
    )
    settings = settings_for((side,), asked, ground.folder)
    make_folder(folder)
    result = evaluate_run(ground.truth, [entry], settings, progress)
    inputs = inputs_of_sides((side,), [entry])
    recipe = make_recipe(ground, settings, [entry], inputs, command=asked.command, started=started)
    return write_run(folder, result, recipe, ground.heldout, asked.showing, progress)


def _threshold_of(published: Published) -> str:
    known = published.tags["threshold"].dropna().unique()
    return "unknown" if not len(known) else f"{known[0]:g}" if len(known) == 1 else "per tag"


def weights_digest(result: Result, model: str) -> str | None:
    """Of a model's weights, or of its scores where these are not known."""
    facts = result.run["models"][model]
    told = facts.get("weights") or facts.get("key")
    return None if told is None else str(told)
