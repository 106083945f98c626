"""Search for the causes of a loss: changes that make the candidate agree with the baseline, then other differences."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from arena.base.format import clipped, figure, one_line, plural, signed
from arena.base.progress import Progress, Silent
from arena.cards import ModelCard
from arena.diagnostics.parity.measure import Parity, measure_parity
from arena.diagnostics.parity.pairs import ModelPair
from arena.diagnostics.parity.shifts import find_shift
from arena.diagnostics.parity.verdict import CauseFinding, ParityReport, ParityVerdict, Tolerances
from arena.evaluate import Entry, evaluate
from arena.evaluate.matching import describe_thresholds
from arena.pipeline.paired import PairedEvaluation
from arena.pipeline.parity.parity import Rerun, explain_difference
from arena.pipeline.parity.scoring import ParityImages, RunnableModel
from arena.pipeline.stages import Compute
from arena.taggers.predict import ImageSource

_MOST_IMAGES = 1024
"""Largest number of images on which scores are compared to find a cause."""

_CAUSE_SHARE = 0.5
"""Share of a loss that a change must undo to be called its cause."""

_WHOLE_NETWORK_SHARE = 0.75
"""Share of the tags that must lose AP before the loss is attributed to the whole network."""

_CAUSE_NAMES = {
    "sigmoid": "one sigmoid too many or too few", "tags": "the tag list does not match the columns of the scores",
    "channels": "colour channels are swapped", "resize": "images are resized with another filter",
    "layout": "images are made square in another way", "rounding": "the sides of fitted images are rounded in another way",
    "crop": "another part of the image is cropped", "pad": "the padding is different",
    "alpha": "the colour behind transparent pixels is different", "range": "the input is scaled to another range",
}  # fmt: skip
"""Descriptions of the causes that `arena.diagnostics.parity` finds."""

_RECORDED_FACTS = {
    "tags": "the tag list",
    "precision": "the precision",
    "device": "the device",
    "adapter": "the adapter",
}
"""Recorded facts, except the preprocessing, that may differ between two models."""


class Cause(NamedTuple):
    """A possible cause of a loss.

    Attributes:
        share: the share of the loss that it explains, or a rank for causes without a measured share; 0 to 1.
        says: the cause as a sentence.
    """

    share: float
    says: str


def causes_of(
    joint: PairedEvaluation,
    *,
    card: ModelCard | None = None,
    compute: Compute = Compute(),
    diagnose: int = 16,
    progress: Progress = Silent(),
) -> list[str]:
    """Possible causes of the candidate's loss, one sentence each, the most likely first.

    Args:
        card: the candidate's model if it can be run; changes of its preprocessing are then tried. None tries none.
        diagnose: number of images on which the changes are tried; 0 tries none.
    """
    found = [*_of_thresholds(joint), *_of_scores(joint, card, compute, diagnose, progress), *_of_records(joint)]
    found.sort(key=lambda cause: -cause.share)  # stable: equal shares keep their order
    return list(dict.fromkeys(cause.says for cause in found))


def _of_thresholds(joint: PairedEvaluation) -> list[Cause]:
    """A difference of thresholds, with the candidate's F1 at the baseline's thresholds if that explains the loss."""
    candidate, baseline = joint.candidate, joint.baseline
    ours, theirs = describe_thresholds(candidate), describe_thresholds(baseline)
    if candidate.thresholds == baseline.thresholds:
        return []
    moved = replace(candidate, thresholds=baseline.thresholds)
    what_if = evaluate(joint.ground.truth, [baseline, moved], replace(joint.settings, replicates=0)).summary["models"]
    best: tuple[float, str] = (0.0, "")
    for name, title in (("macro_f1", "macro F1"), ("micro_f1", "micro F1")):
        own = {one.name: _own(joint.result.summary, one)[name] for one in (candidate, baseline)}
        would = what_if[candidate.name]["regimes"]["own"][name]
        lost = own[baseline.name] - own[candidate.name]
        share = (would - own[candidate.name]) / lost if lost > 0 else 0.0
        text = f"with the baseline's thresholds its {title} is {figure(would)}, not {figure(own[candidate.name])}"
        best = max(best, (min(share, 1.0), f"{text} ({figure(own[baseline.name])} in the baseline)"))
    kind = _threshold_change(candidate, baseline)
    says = f"the threshold is {kind}: {ours}; the baseline has {theirs}"
    return [Cause(best[0], f"{says}; {best[1]}")] if best[0] >= _CAUSE_SHARE else [Cause(0.0, says)]


def _own(summary: dict[str, Any], entry: Entry) -> dict[str, float]:
    regimes: dict[str, dict[str, float]] = summary["models"][entry.name]["regimes"]
    return regimes["own"]


def _threshold_change(candidate: Entry, baseline: Entry) -> str:
    """The change of the default threshold: `halved`, `doubled`, `lower` or `higher`; `different` if either is unknown."""
    ours, theirs = candidate.thresholds.default, baseline.thresholds.default
    if not ours or not theirs:
        return "different"
    factor = ours / theirs
    known = {0.5: "halved", 2.0: "doubled"}
    return next(
        (word for at, word in known.items() if np.isclose(factor, at, rtol=0.02)), "lower" if factor < 1 else "higher"
    )


def _of_scores(
    joint: PairedEvaluation, card: ModelCard | None, compute: Compute, diagnose: int, progress: Progress
) -> list[Cause]:
    """Causes that show in the scores, or when the candidate is run again with other preprocessing."""
    pair = _few(joint.pair, _MOST_IMAGES)
    parity = measure_parity(pair)
    if parity.largest == 0:
        return []
    tolerances = Tolerances()
    report = ParityReport(parity, tolerances, ParityVerdict("different", ""))
    rerun = None if card is None else _rerun(joint, card, compute, diagnose)
    finding = explain_difference(report, pair, rerun, progress).finding if parity.largest > tolerances.score else None
    if finding is not None:
        found = [Cause(1.0 if finding.agrees else _CAUSE_SHARE, _describe(finding))]
        if finding.agrees or "tags" in finding.cause:
            return found
    else:
        found = []
    if shift := find_shift(pair):
        says = (
            f"{_CAUSE_NAMES['tags']}: it is shifted by {shift.columns:+d} from {clipped(shift.first, 40)!r} on; "
            f"shifted back, the scores of {plural(shift.tags, 'tag', 'tags')} correlate with the baseline's by "
            f"{shift.after:.2f}, not {shift.before:.2f}"
        )
        return [*found, Cause(0.9, says)]
    return [*found, *_of_weights(joint, parity)]


def _few(pair: ModelPair, most: int) -> ModelPair:
    """The pair reduced to at most `most` images, evenly spaced."""
    if len(pair.image_ids) <= most:
        return pair
    rows = np.linspace(0, len(pair.image_ids) - 1, num=most).round().astype(np.int64)
    place = np.full(len(pair.image_ids) + 1, -1, np.int64)  # the last entry is for images that are not common (row -1)
    place[rows] = np.arange(most)
    kept = tuple(pair.image_ids[row] for row in rows)
    return replace(pair, image_ids=kept, rows_a=place[pair.rows_a], rows_b=place[pair.rows_b])


def _rerun(joint: PairedEvaluation, card: ModelCard, compute: Compute, diagnose: int) -> Rerun | None:
    heldout = joint.ground.heldout
    if heldout is None:
        return None
    source = ImageSource(heldout.image_ids, heldout.paths, tuple(heldout.images["sha256"]), verified=True)
    images = ParityImages(heldout.card.name, source, joint.ground.truth.relations)
    return Rerun(RunnableModel(card, compute), images, diagnose)


def _describe(finding: CauseFinding) -> str:
    """The finding as a sentence, with the remaining difference from the baseline."""
    named = " and ".join(_CAUSE_NAMES[cause] for cause in finding.cause.split("+"))
    then = f"differ by {finding.after:.2g} at most, not {finding.before:.2g}"
    if finding.agrees:
        then = "equal the baseline's" + (f" to within {finding.after:.2g}" if finding.after else " exactly")
    return one_line(f"{named}: when {finding.says}, its scores {then} (on {plural(finding.images, 'image', 'images')})")


def _of_weights(joint: PairedEvaluation, parity: Parity) -> list[Cause]:
    """A difference of weights, and whether the whole network is worse."""
    ours, theirs = (str(one.facts.get("weights") or "")[:8] for one in (joint.candidate, joint.baseline))
    if ours == theirs:
        return []
    differ = f"the model's files differ ({theirs or 'unknown'} in the baseline, {ours or 'unknown'} now)"
    table = joint.result.tables["tag_differences"]
    changes = -table["ap_difference"].dropna()  # the table holds first minus second, and the baseline is the first
    ranks = parity.ranks_by_tag.mean
    agree = (
        ""
        if ranks is None
        else f", and the rank correlation of a tag's scores with the baseline's averages {ranks:.2f}"
    )
    lost = int((changes < 0).sum())
    if len(changes) and lost >= _WHOLE_NETWORK_SHARE * len(changes):
        share = f"{lost:,} of {plural(len(changes), 'tag', 'tags')} lose AP (median {signed(float(changes.median()))})"
        whole = "the whole network is worse, as with noisy weights or too little training, not single tags"
        return [Cause(0.4, f"{differ}: {share}{agree}: {whole}")]
    return [Cause(0.0, f"{differ}{agree}")]


def _of_records(joint: PairedEvaluation) -> list[Cause]:
    """Differences between the recorded facts of both."""
    candidate, baseline = joint.candidate.facts, joint.baseline.facts
    found = []
    for name, title in _RECORDED_FACTS.items():
        ours, theirs = candidate.get(name), baseline.get(name)
        if ours and theirs and ours != theirs:
            found.append(
                Cause(0.0, f"{title} differs: {_short(name, theirs)} in the baseline, {_short(name, ours)} now")
            )
    for part, title in (("preprocess", "preprocessing"), ("input", "the input")):
        ours, theirs = candidate.get(part), baseline.get(part)
        if isinstance(ours, dict) and isinstance(theirs, dict) and ours != theirs:
            keys = [key for key in ours if key in theirs and ours[key] != theirs[key]]
            values = ", ".join(f"{key} {theirs[key]} in the baseline, {ours[key]} now" for key in keys)
            found.append(Cause(0.1, f"{title} differs: {values}"))
    return [*found, *_of_tags(joint.pair)]


def _of_tags(pair: ModelPair) -> list[Cause]:
    if not pair.only_a:
        return []
    some = ", ".join(clipped(tag, 30) for tag in pair.only_a[:3])
    return [
        Cause(0.0, f"{plural(len(pair.only_a), 'tag', 'tags')} of the baseline are not in the candidate's list ({some}); list "
              "renamed tags with --aliases")
    ]  # fmt: skip


def _short(name: str, value: object) -> str:
    return str(value)[:8] if name == "tags" else str(value)
