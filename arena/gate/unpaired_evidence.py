"""Evidence from two published results: intervals from the counts of each tag, with the results as independent samples.

The distance from a mean over tags to an end of its interval is the root of the summed squares of the tags' distances, divided
by the number of tags (Zou and Donner 2008). Tags are counted on the same images, and an image that is hard for one tag is hard
for others. So the distances are multiplied by the root of a design effect, 1 + `OVERDISPERSION` * m²/v. Here m is the mean and
v the variance, for independent tags, of an image's contribution to the metric. Both follow from the counts.

The two results are taken as independent. On the same images their errors are usually correlated, and the intervals of
differences are then wider than necessary. How much is unknown, because published files hold no scores.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from arena.gate.decide import DifferenceInterval
from arena.gate.evidence import EVIDENCE_TAG_COLUMNS, Evidence, EvidenceSlice, MetricPair
from arena.metrics import intervals
from arena.metrics.counts import CONVENTIONS, MIN_POSITIVES, Floats, TagCounts, divide
from arena.metrics.intervals import Interval
from arena.metrics.registry import TESTED
from arena.metrics.significance import benjamini_hochberg
from arena.metrics.slices import SUPPORT_LABELS, support_band
from arena.results.published.aggregates import CONVENTION_OF
from arena.results.published.record import Published

NO_PUBLISHED_COUNTS = (
    "no intervals: no tag has counts of true positives, false positives and false negatives for both models"
)
"""Why metrics without counts cannot be decided."""

OVERDISPERSION = 0.75
"""Squared coefficient of variation, over images, of the expected number of errors on an image. 0: all images are equally hard;
1: hardness is exponential. Simulations: two results of 1,500 images with 60 or 600 tags, whose errors are independent between
the results, on equally hard images, images with shifted or with noisier evidence, and images on which one result fails. With
0.75 intervals of the difference of macro F1 and of micro F1 contained the truth in 95 to 100 %, with 0.5 in 92 to 100 %, and
with 0 (independent tags) in 43 to 99 %."""

_COUNTS = ("tp", "fp", "fn")
_MODELS = ("candidate", "baseline")


def join_common_tags(*, candidate: Published, baseline: Published, aliases: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per tag that both files list, in the candidate's order.

    Columns: `tag`, and the columns of both files with a suffix, such as `tp_candidate` and `tp_baseline`.

    Args:
        aliases: old name -> new name; used for tags that the candidate does not list under the old name.
    """
    ours = candidate.tags.assign(key=candidate.tags["tag"])
    names = set(ours["tag"])
    keys = [aliases.get(tag, tag) if tag not in names else tag for tag in baseline.tags["tag"]]
    theirs = baseline.tags.assign(key=pd.Series(keys, baseline.tags.index, ours["tag"].dtype)).drop_duplicates("key")
    both: pd.DataFrame = ours.merge(theirs, on="key", suffixes=("_candidate", "_baseline"))
    return both.rename(columns={"key": "tag"})


def evidence_from_published(*, candidate: Published, baseline: Published, aliases: Mapping[str, str]) -> Evidence:
    """Return the evidence of two published results, over their common tags with counts.

    The means are over every tag whose F1 is defined for both by the convention of its file, as `arena published` computes it.
    Tests of single tags, and slices by support, are of tags with at least `MIN_POSITIVES` positives.
    """
    both = join_common_tags(candidate=candidate, baseline=baseline, aliases=aliases)
    counted = both[[f"{name}_{side}" for name in _COUNTS for side in _MODELS]].notna().all(axis=1)
    known = both[counted].reset_index(drop=True)
    counts = {side: known[[f"{name}_{side}" for name in _COUNTS]].to_numpy(np.float64).T for side in _MODELS}
    images = candidate.images if candidate.images is not None else baseline.images
    formats = {"candidate": candidate.format, "baseline": baseline.format}
    table = _Table(_tags(known, counts, formats), counts, images)
    tags = table.tags[table.tags["support"] >= MIN_POSITIVES].reset_index(drop=True)
    supports = baseline.tags["support"].fillna(0).astype(int)
    return Evidence(
        "own",
        _figures(table, np.ones(len(table.tags), bool)),
        _parts(table),
        tags,
        dict(zip(baseline.tags["tag"], supports, strict=True)),
        frozenset(candidate.tags["tag"]),
        images,
        "" if counted.any() else NO_PUBLISHED_COUNTS,
        paired=False,
        averaged=int(table.tags["f1_difference"].notna().sum()),
    )


class _Table(NamedTuple):
    """Tags with counts in both results.

    Attributes:
        tags: `EVIDENCE_TAG_COLUMNS`.
        counts: TP, FP and FN of each model, float64 (3, tags).
        images: None where unknown.
    """

    tags: pd.DataFrame
    counts: Mapping[str, Floats]
    images: int | None


def _tags(known: pd.DataFrame, counts: Mapping[str, Floats], formats: Mapping[str, str]) -> pd.DataFrame:
    """Return `EVIDENCE_TAG_COLUMNS` of the tags with counts; AP is NaN unless both results have it."""
    support = (known["tp_baseline"] + known["fn_baseline"]).to_numpy(np.int64)
    category = known["category_candidate"].fillna(known["category_baseline"]).fillna("")
    columns: dict[str, Any] = {"tag": known["tag"], "category": category, "support": support}
    f1, ap = {}, {}
    for side in _MODELS:
        f1[side] = _f1(counts[side], formats[side])
        value = known[f"ap_{side}"].to_numpy(np.float64)
        ap[side] = value, _ap_interval(value, support)
    for name, sides in (("f1", f1), ("ap", ap)):
        (one, ours), (other, theirs) = sides["candidate"], sides["baseline"]
        low, high = _apart(one, ours, other, theirs)
        columns |= {f"{name}_candidate": one, f"{name}_baseline": other, f"{name}_difference": one - other}
        p = np.where(support >= MIN_POSITIVES, _p(one - other, Interval(low, high)), np.nan)
        columns |= {f"{name}_low": low, f"{name}_high": high, f"{name}_p": p}
    q = benjamini_hochberg(np.concatenate([columns[f"{name}_p"] for name in TESTED]))
    columns |= {f"{name}_q": one for name, one in zip(TESTED, np.split(q, len(TESTED)), strict=True)}
    return pd.DataFrame(columns)[list(EVIDENCE_TAG_COLUMNS)]


def _f1(counts: Floats, form: str) -> tuple[Floats, Interval]:
    """Return F1 of each tag by the convention of a format, with its interval."""
    tp, fp, fn = (one.astype(np.int64) for one in counts)
    whole = TagCounts(np.full(len(tp), np.nan, np.float32), tp, fp, tp + fn, images=0)
    values = np.asarray(CONVENTIONS[CONVENTION_OF.get(form, "arena")].ratios(whole).f1, np.float64)
    return values, _f1_ends(values, counts)


def _f1_ends(values: Floats, counts: Floats) -> Interval:
    """Return the intervals of F1. Without counts a convention sets the value, and both ends are equal to it."""
    return Interval(*(np.where(np.isnan(end), values, end) for end in intervals.f1_interval(*counts)))


def _ap_interval(ap: Floats, support: Any) -> Interval:
    """Return an interval of AP whose standard error is unknown.

    It uses the standard error of a proportion of the positives, which is usually larger than that of AP.
    """
    return intervals.ap_interval(ap, np.sqrt(ap * (1 - ap) / np.maximum(support, 1)), support)


def _apart(one: Any, ours: Interval, other: Any, theirs: Interval) -> Interval:
    return intervals.difference_interval(
        first=one, first_interval=ours, second=other, second_interval=theirs, correlation=0.0
    )


def _p(difference: Floats, ends: Interval) -> Floats:
    """Return the two-sided p of no difference, `LEAST_P` to 1, for a normal distribution with the width of the interval."""
    reach = float(special.ndtri((1 + intervals.LEVEL) / 2))
    error = np.asarray(ends.high - ends.low) / 2 / reach
    ratio = np.divide(np.abs(difference), error, out=np.zeros(len(difference)), where=error > 0)
    return np.where(np.isnan(difference + error), np.nan, np.maximum(2 * special.ndtr(-ratio), intervals.LEAST_P))


def _figures(table: _Table, member: Any) -> dict[str, MetricPair]:
    """Return the headline metrics over the tags of `member`; each mean is over those of them where both models have it."""
    chosen = table.tags[member]
    counts = {side: table.counts[side][:, member] for side in _MODELS}
    found = {"macro_f1": _means(chosen, counts, table.images, "f1")}
    found["micro_f1"] = {side: _micro(counts[side], table.images) for side in _MODELS}
    found["map"] = _means(chosen, counts, table.images, "ap")
    return {name: _difference(name, sides) for name, sides in found.items()}


def _means(
    chosen: pd.DataFrame, counts: Mapping[str, Floats], images: int | None, name: str
) -> dict[str, tuple[float, Interval]]:
    """Return the mean of F1 or AP for each model, with its interval, over the tags where both models have it."""
    defined = chosen[f"{name}_difference"].notna().to_numpy()
    positives, found = chosen["support"].to_numpy()[defined], {}
    for side in _MODELS:
        values, some = chosen[f"{name}_{side}"].to_numpy()[defined], counts[side][:, defined]
        ends = _f1_ends(values, some) if name == "f1" else _ap_interval(values, positives)
        found[side] = _mean(values, ends, design_effect(some, images, mean=True))
    return found


def _micro(counts: Floats, images: int | None) -> tuple[float, Interval]:
    tp, fp, fn = counts.sum(1)
    effect = design_effect(counts, images, mean=False)
    return float(divide(2 * tp, 2 * tp + fp + fn)), intervals.f1_interval(tp, fp, fn, design_effect=effect)


def design_effect(counts: Floats, images: int | None, *, mean: bool) -> float:
    """Return the variance of a metric divided by its variance for independent tags; 1 or more.

    Args:
        counts: TP, FP and FN, float64 (3, tags).
        images: number of images; if unknown, the largest support is used, which gives a larger effect.
        mean: of a mean over tags, to which an error contributes 1 / positives of its tag; else of pooled counts.

    >>> two = np.array([[5.0, 5.0], [5.0, 5.0], [5.0, 5.0]])
    >>> design_effect(two, 20, mean=False)  # one error per image
    1.75
    """
    tp, fp, fn = counts
    whole = images or float((tp + fn).max(initial=1.0))
    weight = divide(np.ones(len(tp)), tp + fn) if mean else np.ones(len(tp))
    weight = np.nan_to_num(weight)
    errors = (fp + fn) / whole
    contribution, variance = float((weight * errors).sum()), float((weight**2 * errors).sum())
    return 1 + OVERDISPERSION * contribution**2 / variance if variance else 1.0


def _mean(values: Floats, ends: Interval, effect: float) -> tuple[float, Interval]:
    """Return the mean over tags with its interval, widened by a design effect; NaN if a tag is undefined or there is no tag."""
    if not len(values):
        return np.nan, Interval(np.asarray(np.nan), np.asarray(np.nan))
    value = float(values.mean())
    down, up = (
        float(np.sqrt(effect * (away**2).sum())) / len(values) for away in (values - ends.low, ends.high - values)
    )
    return value, Interval(np.asarray(value - down), np.asarray(value + up))


def _difference(name: str, sides: Mapping[str, tuple[float, Interval]]) -> MetricPair:
    (one, ours), (other, theirs) = sides["candidate"], sides["baseline"]
    low, high = _apart(one, ours, other, theirs)
    known = [None if np.isnan(value) else value for value in (one, other)]
    return MetricPair(name, known[0], known[1], DifferenceInterval(one - other, float(low), float(high)))


def _parts(table: _Table) -> list[EvidenceSlice]:
    """Return the slices by category, where known, and by support."""
    tags, support = table.tags, table.tags["support"].to_numpy(np.int64)
    bands = np.where(support >= MIN_POSITIVES, support_band(support), "")
    named = [("category", name, name) for name in sorted(set(tags["category"]) - {""})]
    named += [("support", band, f"{band} positives") for band in SUPPORT_LABELS if (bands == band).any()]
    found = []
    for kind, value, title in named:
        member = (bands if kind == "support" else tags["category"].to_numpy()) == value
        found.append(EvidenceSlice(kind, value, title, table.images, int(member.sum()), _figures(table, member)))
    return found
