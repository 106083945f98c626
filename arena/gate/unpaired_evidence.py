"""Evidence from two published results: intervals from the counts of each tag, with the results as independent samples.

The distance from a mean over tags to an end of its interval is the root of the summed squares of the tags' distances, divided
by the number of tags (Zou and Donner 2008). Two assumptions are approximate. Tags are taken as independent, although they are
counted on the same images. The two results are taken as independent, although an image that is hard for one model is hard for
the other. If both results are of the same images, the second error is larger than the first.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from arena.gate.decide import Seen
from arena.gate.evidence import TAG_COLUMNS, Evidence, Figure, Part
from arena.metrics import intervals
from arena.metrics.counts import MIN_POSITIVES, Floats, divide
from arena.metrics.intervals import Interval
from arena.metrics.slices import SUPPORT_LABELS, support_band
from arena.results.published.record import Published

NO_COUNTS = "no intervals: no tag has counts of true positives, false positives and false negatives for both models"
"""Why metrics without counts cannot be decided."""

_COUNTS = ("tp", "fp", "fn")
_MODELS = ("candidate", "baseline")


def common_tags(*, candidate: Published, baseline: Published, aliases: Mapping[str, str]) -> pd.DataFrame:
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


def evidence_apart(*, candidate: Published, baseline: Published, aliases: Mapping[str, str]) -> Evidence:
    """Return the evidence of two published results, over common tags with counts and at least `MIN_POSITIVES` positives."""
    both = common_tags(candidate=candidate, baseline=baseline, aliases=aliases)
    counted = both[[f"{name}_{side}" for name in _COUNTS for side in _MODELS]].notna().all(axis=1)
    known = both[counted]
    known = known[(known["tp_baseline"] + known["fn_baseline"]).astype(int) >= MIN_POSITIVES].reset_index(drop=True)
    tags = _tags(known)
    counts = {side: known[[f"{name}_{side}" for name in _COUNTS]].to_numpy(np.float64).T for side in _MODELS}
    supports = baseline.tags["support"].fillna(0).astype(int)
    return Evidence(
        "own",
        _figures(tags, counts, np.ones(len(tags), bool)),
        _parts(tags, counts, candidate.images),
        tags,
        dict(zip(baseline.tags["tag"], supports, strict=True)),
        frozenset(candidate.tags["tag"]),
        candidate.images if candidate.images is not None else baseline.images,
        "" if counted.any() else NO_COUNTS,
        paired=False,
    )


def _tags(known: pd.DataFrame) -> pd.DataFrame:
    """Return `TAG_COLUMNS` of the tags with counts; AP is NaN unless both results have it."""
    support = (known["tp_baseline"] + known["fn_baseline"]).to_numpy(np.int64)
    category = known["category_candidate"].fillna(known["category_baseline"]).fillna("")
    columns: dict[str, Any] = {"tag": known["tag"], "category": category, "support": support}
    f1, ap = {}, {}
    for side in _MODELS:
        tp, fp, fn = (known[f"{name}_{side}"].to_numpy(np.float64) for name in _COUNTS)
        f1[side] = divide(2 * tp, 2 * tp + fp + fn), intervals.f1_interval(tp, fp, fn)
        value = known[f"ap_{side}"].to_numpy(np.float64)
        ap[side] = value, _ap_interval(value, support)
    for name, sides in (("f1", f1), ("ap", ap)):
        (one, ours), (other, theirs) = sides["candidate"], sides["baseline"]
        low, high = _apart(one, ours, other, theirs)
        columns |= {f"{name}_candidate": one, f"{name}_baseline": other, f"{name}_difference": one - other}
        columns |= {f"{name}_low": low, f"{name}_high": high, f"{name}_p": _p(one - other, Interval(low, high))}
    return pd.DataFrame(columns)[list(TAG_COLUMNS)]


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


def _figures(tags: pd.DataFrame, counts: Mapping[str, Floats], member: Any) -> dict[str, Figure]:
    """Return the headline metrics over the tags of `member`; mAP is over those of them with the AP of both models."""
    chosen = tags[member]
    mine = {side: counts[side][:, member] for side in _MODELS}
    f1 = {side: (chosen[f"f1_{side}"].to_numpy(), intervals.f1_interval(*mine[side])) for side in _MODELS}
    ranked = chosen[chosen[["ap_candidate", "ap_baseline"]].notna().all(axis=1)]
    positives, ap = ranked["support"].to_numpy(), {side: ranked[f"ap_{side}"].to_numpy() for side in _MODELS}
    sums = {side: mine[side].sum(1) for side in _MODELS}
    micro = {
        side: (float(divide(2 * tp, 2 * tp + fp + fn)), intervals.f1_interval(tp, fp, fn))
        for side, (tp, fp, fn) in sums.items()
    }
    return {
        "macro_f1": _difference("macro_f1", {side: _mean(*one) for side, one in f1.items()}),
        "micro_f1": _difference("micro_f1", micro),
        "map": _difference("map", {side: _mean(one, _ap_interval(one, positives)) for side, one in ap.items()}),
    }


def _mean(values: Floats, ends: Interval) -> tuple[float, Interval]:
    """Return the mean over tags with its interval; NaN if a tag is undefined or there is no tag."""
    if not len(values):
        return np.nan, Interval(np.asarray(np.nan), np.asarray(np.nan))
    value = float(values.mean())
    down, up = (float(np.sqrt((away**2).sum())) / len(values) for away in (values - ends.low, ends.high - values))
    return value, Interval(np.asarray(value - down), np.asarray(value + up))


def _difference(name: str, sides: Mapping[str, tuple[float, Interval]]) -> Figure:
    (one, ours), (other, theirs) = sides["candidate"], sides["baseline"]
    low, high = _apart(one, ours, other, theirs)
    known = [None if np.isnan(value) else value for value in (one, other)]
    return Figure(name, known[0], known[1], Seen(one - other, float(low), float(high)))


def _parts(tags: pd.DataFrame, counts: Mapping[str, Floats], images: int | None) -> list[Part]:
    """Return the slices by category, where known, and by support."""
    bands = support_band(tags["support"].to_numpy(np.int64))
    named = [("category", name, name) for name in sorted(set(tags["category"]) - {""})]
    named += [("support", band, f"{band} positives") for band in SUPPORT_LABELS if (bands == band).any()]
    found = []
    for kind, value, title in named:
        member = (bands if kind == "support" else tags["category"].to_numpy()) == value
        found.append(Part(kind, value, title, images, int(member.sum()), _figures(tags, counts, member)))
    return found
