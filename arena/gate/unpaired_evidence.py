"""Evidence of published figures: intervals from the counts of each tag, both sides taken as independent.

Of a mean over tags each side of its interval is the root of the summed squares of the tags' (Zou and Donner 2008): tags are
taken as independent, which they are not quite, as the images of one count are those of another; and both sides as independent
too, which they are less, as what is hard for one is hard for the other. On the same images the second outweighs the first.
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

NO_COUNTS = (
    "no counts of true positives, false positives and misses are known of both sides, which intervals are made of"
)
"""Why nothing can be decided of figures alone."""

_COUNTS = ("tp", "fp", "fn")
_SIDES = ("candidate", "baseline")


def common_tags(*, candidate: Published, baseline: Published, aliases: Mapping[str, str]) -> pd.DataFrame:
    """A row a tag that both files list, in the order of the candidate's: `tag` and each side's columns, as `tp_candidate`.

    Args:
        aliases: old name -> new name, where the candidate has only the new one.
    """
    ours = candidate.tags.assign(key=candidate.tags["tag"])
    names = set(ours["tag"])
    keys = [aliases.get(tag, tag) if tag not in names else tag for tag in baseline.tags["tag"]]
    theirs = baseline.tags.assign(key=pd.Series(keys, baseline.tags.index, ours["tag"].dtype)).drop_duplicates("key")
    both: pd.DataFrame = ours.merge(theirs, on="key", suffixes=("_candidate", "_baseline"))
    return both.rename(columns={"key": "tag"})


def evidence_apart(*, candidate: Published, baseline: Published, aliases: Mapping[str, str]) -> Evidence:
    """What two published results say of each other, over their common tags with counts and `MIN_POSITIVES` positives."""
    both = common_tags(candidate=candidate, baseline=baseline, aliases=aliases)
    counted = both[[f"{name}_{side}" for name in _COUNTS for side in _SIDES]].notna().all(axis=1)
    known = both[counted]
    known = known[(known["tp_baseline"] + known["fn_baseline"]).astype(int) >= MIN_POSITIVES].reset_index(drop=True)
    tags = _tags(known)
    counts = {side: known[[f"{name}_{side}" for name in _COUNTS]].to_numpy(np.float64).T for side in _SIDES}
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
    """`TAG_COLUMNS` of the tags with counts; AP where both sides tell it."""
    support = (known["tp_baseline"] + known["fn_baseline"]).to_numpy(np.int64)
    category = known["category_candidate"].fillna(known["category_baseline"]).fillna("")
    columns: dict[str, Any] = {"tag": known["tag"], "category": category, "support": support}
    f1, ap = {}, {}
    for side in _SIDES:
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
    """Of AP without its error: as wide as that of a share of the positives, which is the wider one as a rule."""
    return intervals.ap_interval(ap, np.sqrt(ap * (1 - ap) / np.maximum(support, 1)), support)


def _apart(one: Any, ours: Interval, other: Any, theirs: Interval) -> Interval:
    return intervals.difference_interval(
        first=one, first_interval=ours, second=other, second_interval=theirs, correlation=0.0
    )


def _p(difference: Floats, ends: Interval) -> Floats:
    """Two-sided, of no difference, by the normal distribution that the interval is of."""
    reach = float(special.ndtri((1 + intervals.LEVEL) / 2))
    error = np.asarray(ends.high - ends.low) / 2 / reach
    ratio = np.divide(np.abs(difference), error, out=np.zeros(len(difference)), where=error > 0)
    return np.where(np.isnan(difference + error), np.nan, 2 * special.ndtr(-ratio))


def _figures(tags: pd.DataFrame, counts: Mapping[str, Floats], member: Any) -> dict[str, Figure]:
    """The headline figures over some tags; mAP over those whose AP both sides tell."""
    chosen = tags[member]
    mine = {side: counts[side][:, member] for side in _SIDES}
    f1 = {side: (chosen[f"f1_{side}"].to_numpy(), intervals.f1_interval(*mine[side])) for side in _SIDES}
    ranked = chosen[chosen[["ap_candidate", "ap_baseline"]].notna().all(axis=1)]
    positives, ap = ranked["support"].to_numpy(), {side: ranked[f"ap_{side}"].to_numpy() for side in _SIDES}
    sums = {side: mine[side].sum(1) for side in _SIDES}
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
    """A mean over tags and its interval; NaN where a tag is undefined, or there is none."""
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
    """By category, where it is known, and by support."""
    bands = support_band(tags["support"].to_numpy(np.int64))
    named = [("category", name, name) for name in sorted(set(tags["category"]) - {""})]
    named += [("support", band, f"{band} positives") for band in SUPPORT_LABELS if (bands == band).any()]
    found = []
    for kind, value, title in named:
        member = (bands if kind == "support" else tags["category"].to_numpy()) == value
        found.append(Part(kind, value, title, images, int(member.sum()), _figures(tags, counts, member)))
    return found
