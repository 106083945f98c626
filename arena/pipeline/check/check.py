"""From two names to a verdict, and the folder that holds it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from arena.base import provenance
from arena.base.errors import ArenaError, IncomparableError
from arena.base.files import make_folder
from arena.base.progress import Progress, Silent
from arena.cards import ModelCard
from arena.gate.judge import judge
from arena.gate.limits import COVERAGE
from arena.gate.options import CANARY, VERDICT
from arena.gate.policy import Policy, read_policy
from arena.gate.verdict import Case, JudgedModel, Outcome, Verdict
from arena.pipeline.check.canary import canary_case
from arena.pipeline.check.causes import causes_of
from arena.pipeline.check.speed import time_again
from arena.pipeline.check.unpaired import check_unpaired, weights_digest
from arena.pipeline.display_options import shelf_of
from arena.pipeline.entrants import (
    Entrant,
    ModelEntrant,
    PublishedEntrant,
    RunEntrant,
    find_entrant,
    give_unique_names,
    short_name,
)
from arena.pipeline.inputs import find_model_of
from arena.pipeline.paired import Asked, Joint, evaluate_together
from arena.pipeline.thresholds import refuse_thresholds
from arena.report.check.write import write_check
from arena.results.run_folder import Result
from arena.tags.relations import read_aliases

ROLES = ("candidate", "baseline")
"""What follows the name of a model that is on both sides."""

COST_GATES = ("speed", "size")
"""What fails by these says nothing about scores; no cause is looked for."""


class CheckFolder(NamedTuple):
    """A verdict, and where its files are."""

    verdict: Verdict
    folder: Path


class _Found(NamedTuple):
    """What was judged, and the result that it stands on."""

    verdict: Verdict
    result: Result | None


def check(
    candidate: str,
    *,
    baseline: str,
    policy: Path | None = None,
    output: Path | None = None,
    aliases: Path | None = None,
    asked: Asked = Asked(),
    diagnose: int = 16,
    progress: Progress = Silent(),
) -> CheckFolder:
    """Judge whether one model may replace another, and write what was found.

    Args:
        candidate, baseline: as `grammar.GRAMMAR` says, one model each.
        policy: a TOML file over the defaults.
        output: the folder; None is below `checks/`. Scores that are made are kept there, so that a stopped check continues.
        aliases: file of renamed tags, see `read_aliases`, on top of the policy's.
        diagnose: on how many images changes of the candidate's preprocessing are tried where it fails; 0 tries none.

    Raises:
        ArenaError: something is missing or damaged. What cannot be compared is no error but a verdict.
    """
    rules = read_policy(policy)
    renamed = {**rules.of(COVERAGE).renamed, **(read_aliases(aliases) if aliases else {})}
    rules = rules.changed(COVERAGE, aliases=renamed)
    asked = replace(asked, renamed=renamed)
    folder = output or Path("checks") / f"{short_name(candidate)}-vs-{short_name(baseline)}"
    try:
        found = _judged(candidate, baseline, folder, rules, asked, diagnose, progress)
    except IncomparableError as error:
        found = _Found(_incomparable(candidate, baseline, rules, str(error)), None)
    make_folder(folder)
    progress.note("writing the verdict")
    result = found.result
    write_check(found.verdict, folder, result, None if result is None else shelf_of(result, folder))
    return CheckFolder(found.verdict, folder)


def _judged(
    candidate: str, baseline: str, folder: Path, rules: Policy, asked: Asked, diagnose: int, progress: Progress
) -> _Found:
    found = [find_entrant(spec, root=asked.root, baselines=asked.baselines) for spec in (candidate, baseline)]
    _refuse_overwriting(folder, found)
    first, second = give_unique_names(found, ROLES)
    refuse_thresholds(asked.thresholds, [first.name, second.name])
    (folder / "check.json").unlink(missing_ok=True)  # of an earlier check; without it a folder holds no finished one
    if isinstance(first, PublishedEntrant) or isinstance(second, PublishedEntrant):
        return _Found(check_unpaired(first, second, folder, rules, asked, progress), None)
    joint = evaluate_together(first, second, folder, asked, progress)
    return _paired(joint, first, second, rules, asked, diagnose, progress)


def _paired(
    joint: Joint, candidate: Entrant, baseline: Entrant, rules: Policy, asked: Asked, diagnose: int, progress: Progress
) -> _Found:
    """Judge two entrants that were scored on the same images."""
    result = joint.result
    cards = [_runnable(one, asked) for one in (candidate, baseline)]
    judged = judge(result, rules, candidate=joint.candidate.name, baseline=joint.baseline.name)
    cases = [
        *time_again(judged, joint, rules, cards, asked.compute),
        canary_case(joint, epsilon=rules.of(CANARY).epsilon, wanted=asked.canary),
    ]
    models = result.summary["models"]
    ours, theirs = (
        JudgedModel(one.name, one.source, models[one.name]["threshold"], weights_digest(result, one.name))
        for one in (candidate, baseline)
    )
    verdict = Verdict(
        ours, theirs, cases, dataset=result.recipe.dataset.label(8), images=result.summary["images"],
        tags=result.summary["compared_tags"], policy=rules.title, signature=result.run["signature"],
        created=result.run["created"], accept_inconclusive=rules.of(VERDICT).accept_inconclusive, notes=joint.notes,
    )  # fmt: skip
    if any(case.gate not in COST_GATES for case in verdict.of(Outcome.FAIL)):
        progress.note("looking for the cause")
        causes = causes_of(joint, card=cards[0], compute=asked.compute, diagnose=diagnose, progress=progress)
        verdict = replace(verdict, causes=tuple(causes))
    return _Found(verdict, result)


def _runnable(entrant: Entrant, asked: Asked) -> ModelCard | None:
    """The model of an entrant, if it can be run here."""
    card = entrant.card if isinstance(entrant, ModelEntrant) else None
    if isinstance(entrant, RunEntrant):
        card = find_model_of(entrant.result, entrant.model, entrant.folders, asked.root)
    return card if card and all(one.adapter != "precomputed" for one in card.single) else None


def _incomparable(candidate: str, baseline: str, rules: Policy, message: str) -> Verdict:
    """A verdict of one case: why the two cannot be compared."""
    case = Case("ground", "comparable", "same images, labels and tags", Outcome.INCOMPARABLE, message)
    ours, theirs = (JudgedModel(short_name(spec), spec) for spec in (candidate, baseline))
    return Verdict(ours, theirs, [case], policy=rules.title, created=provenance.now())


def _refuse_overwriting(folder: Path, entrants: Sequence[Entrant]) -> None:
    """Refuse a folder that holds what is judged: its run would be replaced by that of the check."""
    for one in entrants:
        if isinstance(one, RunEntrant) and one.folder.resolve() == folder.resolve():
            raise ArenaError(f"--output {folder}: holds {one.source}, which is judged; name another folder")
