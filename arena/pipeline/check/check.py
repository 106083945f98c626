"""Resolve candidate and baseline, judge them, and write the folder with the verdict."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from arena.base import provenance
from arena.base.errors import ArenaError, IncomparableError
from arena.base.format import listed
from arena.base.local_paths import shorten_word
from arena.base.locks import lock_output
from arena.base.progress import Progress, Silent
from arena.cards import ModelCard
from arena.dataset.frozen import Truth
from arena.evaluate import Settings
from arena.gate.judge import judge_paired
from arena.gate.limits import COVERAGE
from arena.gate.names import KnownNames, refuse_unknown_names
from arena.gate.options import CANARY_OPTIONS, VERDICT_OPTIONS
from arena.gate.parts import MARGINS
from arena.gate.policy import Policy, read_policy
from arena.gate.sample import fitted, reach_told
from arena.gate.verdict import Case, JudgedModel, Outcome, Verdict
from arena.pipeline.check.calibration import compare_joint
from arena.pipeline.check.canary import canary_case
from arena.pipeline.check.causes import causes_of
from arena.pipeline.check.speed import retime_if_slow
from arena.pipeline.check.unpaired import check_unpaired, weights_digest
from arena.pipeline.display_options import thumbnails_of
from arena.pipeline.entrants import (
    Entrant,
    ModelEntrant,
    PublishedEntrant,
    RunEntrant,
    find_entrant,
    give_unique_names,
    judgements_of_entrants,
    short_name,
)
from arena.pipeline.inputs import find_model_of
from arena.pipeline.output import OVERWRITE_FIX, claim_folder
from arena.pipeline.paired import ComparisonOptions, PairedEvaluation, evaluate_pair
from arena.pipeline.thresholds import refuse_thresholds
from arena.report.check.document import read_check
from arena.report.check.write import write_check
from arena.report.view import headline_view
from arena.report.view_model.judged import judged_facts
from arena.report.view_model.recorded_labels import recorded_labels
from arena.results.headline import notes_on_values
from arena.results.run_folder import Result, read_result

_ROLES = ("candidate", "baseline")
"""Suffixes for the names of candidate and baseline if both have the same name."""

_FITTED_TO = ("per_tag", "slices")
"""Tables of the baseline that a policy is fitted to; a recorded baseline of an older version has no slices."""

_COST_GATES = ("speed", "size")
"""Gates that do not depend on scores; if only they fail, no cause is searched for."""


class CheckFolder(NamedTuple):
    """A verdict, and the folder of its files."""

    verdict: Verdict
    folder: Path


class _Found(NamedTuple):
    """A verdict, and the result that was judged; None if the two were not evaluated together."""

    verdict: Verdict
    result: Result | None


def check_candidate(
    candidate: str,
    *,
    baseline: str,
    policy: Path | None = None,
    output: Path | None = None,
    asked: ComparisonOptions = ComparisonOptions(),
    diagnose: int = 16,
    progress: Progress = Silent(),
) -> CheckFolder:
    """Judge whether one model may replace another, and write the verdict.

    Args:
        candidate, baseline: one model each, in the form of `grammar.GRAMMAR`.
        policy: a TOML file that overrides the defaults; None takes the defaults.
        output: the folder; None creates one below `checks/`. It also stores new scores, so that an interrupted check continues.
        asked: options of the comparison; its renamed tags are added to the policy's.
        diagnose: number of images on which changes of the candidate's preprocessing are tried if it fails; 0 tries none.

    Raises:
        ArenaError: an input is missing or damaged. Two models that cannot be compared get a verdict, not an error.
    """
    rules = read_policy(policy)
    renamed = {**rules.of(COVERAGE).renamed, **asked.renamed}
    rules = rules.changed(COVERAGE, aliases=renamed)
    asked = replace(asked, renamed=renamed)
    folder = output or Path("checks") / f"{short_name(candidate)}-vs-{short_name(baseline)}"
    with lock_output(folder, "check"):
        if not asked.overwrite:
            _refuse_other_check(folder, candidate, baseline, rules)
        try:
            found = _judged(candidate, baseline, folder, rules, asked, diagnose, progress)
        except IncomparableError as error:
            found = _Found(_incomparable(candidate, baseline, rules, str(error)), None)
        claim_folder(folder)
        progress.note("writing the verdict")
        verdict, result = replace(found.verdict, notes=(*asked.notes, *found.verdict.notes)), found.result
        write_check(verdict, folder, result, None if result is None else thumbnails_of(result, folder))
    return CheckFolder(verdict, folder)


def _judged(
    candidate: str,
    baseline: str,
    folder: Path,
    rules: Policy,
    asked: ComparisonOptions,
    diagnose: int,
    progress: Progress,
) -> _Found:
    found = [find_entrant(spec, root=asked.root, baselines=asked.baselines) for spec in (candidate, baseline)]
    _refuse_overwriting(folder, found)
    first, second = give_unique_names(found, _ROLES)
    refuse_thresholds(asked.thresholds, [first.name, second.name])
    if rules.of(MARGINS).judged:
        _refuse_no_answers(rules, (first, second), asked)
    if isinstance(first, PublishedEntrant) or isinstance(second, PublishedEntrant):
        return _Found(check_unpaired(first, second, folder, rules, asked, progress), None)
    if isinstance(second, RunEntrant):
        limit = asked.part.limit
        own = read_result(second.folder, [name for name in _FITTED_TO if (second.folder / f"{name}.parquet").is_file()])
        images = int(own.summary["images"])
        rules = fitted(rules, own, second.model, images=min(images, limit or images))
        if said := reach_told(rules):
            progress.note(said)
    joint = evaluate_pair(first, second, folder, asked, progress, inspect=partial(_refuse_misspelt_names, rules))
    rules = fitted(rules, joint.result, joint.baseline.name)
    joint = replace(joint, notes=(*joint.notes, *filter(None, [reach_told(rules)])))
    return _paired(joint, first, second, rules, asked, diagnose, progress)


def _paired(
    joint: PairedEvaluation,
    candidate: Entrant,
    baseline: Entrant,
    rules: Policy,
    asked: ComparisonOptions,
    diagnose: int,
    progress: Progress,
) -> _Found:
    """Judge two entrants that were evaluated on the same images."""
    result = joint.result
    cards = [_runnable(one, asked) for one in (candidate, baseline)]
    judged = judge_paired(
        result, rules, candidate=joint.candidate.name, baseline=joint.baseline.name, calibration=compare_joint(joint)
    )
    cases = [
        *retime_if_slow(judged, joint, rules, cards, asked.compute, stored=_are_stored(candidate, baseline)),
        canary_case(joint, epsilon=rules.of(CANARY_OPTIONS).epsilon, wanted=asked.canary),
    ]
    models = result.summary["models"]
    ours, theirs = (
        JudgedModel(one.name, one.source, models[one.name]["threshold"], weights_digest(result, one.name))
        for one in (candidate, baseline)
    )
    verdict = Verdict(
        ours, theirs, cases, dataset=result.recipe.dataset.label(8), images=result.summary["images"],
        tags=result.summary["compared_tags"], policy=rules.title, signature=result.run["signature"],
        created=result.run["created"], accept_inconclusive=rules.of(VERDICT_OPTIONS).accept_inconclusive,
        notes=(*joint.notes, *notes_on_values(result.summary), *_judged_notes(result, rules)),
        labels=" ".join(recorded_labels(headline_view(result))),
    )  # fmt: skip
    if any(case.gate not in _COST_GATES for case in verdict.of(Outcome.FAIL)):
        progress.note("searching for the cause")
        causes = causes_of(joint, card=cards[0], compute=asked.compute, diagnose=diagnose, progress=progress)
        verdict = replace(verdict, causes=tuple(causes))
    return _Found(verdict, result)


def _refuse_no_answers(rules: Policy, entrants: Sequence[Entrant], asked: ComparisonOptions) -> None:
    """Refuse a check by judged truth without answers, or with a published file, which has no scores.

    Raises:
        ArenaError: the message says what to pass.
    """
    where = f"{rules.name}: [margins] judged = true"
    for one in entrants:
        if isinstance(one, PublishedEntrant):
            raise ArenaError(
                f"{where} needs the scores of both models, but {one.source} is a published file; name a run"
            )
    if not (asked.judgements or judgements_of_entrants(entrants)):
        raise ArenaError(f"{where} needs answers of people; pass their file with --judgements FILE (see arena judge)")


def _judged_notes(result: Result, rules: Policy) -> list[str]:
    """Return the sentences on the answers that decide; empty if the policy does not ask for them."""
    facts = judged_facts(headline_view(result)) if rules.of(MARGINS).judged else []
    return [one.removesuffix(".") for one in facts]


def _are_stored(*entrants: Entrant) -> bool:
    return all(isinstance(one, RunEntrant) for one in entrants)


def _runnable(entrant: Entrant, asked: ComparisonOptions) -> ModelCard | None:
    """The model of an entrant if it can be run here, else None."""
    card = entrant.card if isinstance(entrant, ModelEntrant) else None
    if isinstance(entrant, RunEntrant):
        card = find_model_of(entrant.result, entrant.model, entrant.folders, asked.root)
    return card if card and all(one.adapter != "precomputed" for one in card.single) else None


def _incomparable(candidate: str, baseline: str, rules: Policy, message: str) -> Verdict:
    """A verdict with one case, the reason why the two cannot be compared, without the folders of the two."""
    for spec in (candidate, baseline):
        message = message.replace(spec, shorten_word(spec))
    case = Case("ground", "comparable", "same images, labels and tags", Outcome.INCOMPARABLE, message)
    ours, theirs = (JudgedModel(short_name(spec), spec) for spec in (candidate, baseline))
    return Verdict(ours, theirs, [case], policy=rules.title, created=provenance.now())


def _refuse_misspelt_names(rules: Policy, truth: Truth, settings: Settings) -> None:
    """Refuse a policy with names that do not exist, as far as names are known before scoring."""
    tags, relations = truth.tags, truth.relations
    categories = None if tags.categories is None else set(tags.categories)
    names = {*tags.names, *relations.aliases, *rules.of(COVERAGE).renamed}
    refuse_unknown_names(rules, KnownNames(categories, {group.name for group in settings.tag_groups}, names))


def _refuse_other_check(folder: Path, candidate: str, baseline: str, rules: Policy) -> None:
    """Refuse a folder whose verdict is on other entrants or by another policy; an unreadable verdict is replaced."""
    if not (folder / "check.json").is_file():
        return
    try:
        found = read_check(folder / "check.json")
    except ArenaError:
        return
    there = {"candidate": found.candidate.source, "baseline": found.baseline.source, "policy": found.policy}
    now = {"candidate": candidate, "baseline": baseline, "policy": rules.title}
    if different := [f"{name} {there[name]} there, {now[name]} now" for name in now if there[name] != now[name]]:
        raise ArenaError(f"{folder}: holds the verdict of another check ({listed(different)}); {OVERWRITE_FIX}")


def _refuse_overwriting(folder: Path, entrants: Sequence[Entrant]) -> None:
    """Refuse a folder that holds a judged run, because the run of the check would replace it."""
    for one in entrants:
        if isinstance(one, RunEntrant) and one.folder.resolve() == folder.resolve():
            raise ArenaError(f"--output {folder}: holds {one.source}, an input of this check; name another folder")
