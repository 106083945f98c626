"""Joint results made by hand: a few differences that a reader can hold against a margin."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from arena.gate.policy import Policy, read_policy
from arena.gate.verdict import Case
from arena.metrics.registry import HEADLINES
from arena.metrics.significance import benjamini_hochberg
from arena.results.run_folder import Result

OLD, NEW = "old", "new"

Seens = Mapping[str, tuple[float, float, float]]
"""By `slice:value`, or by `slice:value:figure`."""

FINE = (0.0, -0.001, 0.001)


class Tag(NamedTuple):
    """A compared tag: candidate less baseline."""

    name: str
    difference: float = 0.0
    low: float = -0.01
    high: float = 0.01
    p: float = 1.0
    support: int = 100
    category: str = "general"
    error: float = np.nan
    """Standard error of each model's metrics; NaN: no intervals."""


FACTS = {
    "images_per_second": 100.0, "timed_on": "one", "device": "cpu", "weight_bytes": 1000, "parameters": 500,
}  # fmt: skip


def joint(
    seen: Seens = MappingProxyType({}),
    tags: Sequence[Tag] = (Tag("hat"), Tag("cat")),
    *,
    regime: str = "own",
    turned: bool = False,
    images: int = 20_000,
    replicates: int = 1000,
    lost: Sequence[str] = (),
    gained: Sequence[str] = (),
    summary: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    facts: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    errors: Mapping[str, float] = MappingProxyType({}),
    of_candidate: float | None = None,
) -> Result:
    """A result of two models, the baseline first unless turned; every headline figure is fine where nothing else is said.

    Args:
        lost: tags that only the baseline knows; gained: only the candidate.
        summary, facts: what differs, by model.
        errors: standard errors of the models' metrics, by `slice:value` or `slice:value:figure`; no intervals elsewhere.
        of_candidate: standard error of every metric of the candidate instead.
    """
    first, second = (NEW, OLD) if turned else (OLD, NEW)
    rows, slices = [], []
    places = dict.fromkeys(["all:all", *(":".join(key.split(":")[:2]) for key in [*seen, *errors])])
    for place in places:
        kind, value = place.split(":")
        figures = {}
        for figure in HEADLINES:
            difference, low, high = seen.get(f"{place}:{figure}", seen.get(place, FINE))
            at = regime if kind == "all" and figure != "map" else "own"
            ends = (difference, low, high) if turned else (-difference, -high, -low)
            if replicates and not np.isnan(difference):
                rows.append([kind, value, at, figure, first, second, *ends])
            figures[figure] = difference
        for model in (first, second):
            values = {name: 0.5 + (value if model == NEW else 0.0) for name, value in figures.items()}
            values |= _ends(place, errors, of_candidate if model == NEW else None)
            count = 40 if value == "thin" else images
            slices.append(
                {"slice": kind, "value": value, "title": value, "model": model, "images": count, "tags": 9, **values}
            )
    columns = ["slice", "value", "regime", "figure", "first", "second", "difference", "low", "high"]
    tables = {
        "differences": pd.DataFrame(rows, columns=columns),
        "slices": pd.DataFrame(slices),
        "per_tag": _per_tag(tags, lost, gained),
        "tag_differences": _tag_differences(tags if replicates else (), first, second, turned=turned),
    }
    base = {"ece": 0.1, "brier": 0.05}
    regimes = {
        model: {**dict.fromkeys(HEADLINES, 0.5), **_ends("all:all", errors, of_candidate if model == NEW else None)}
        for model in (first, second)
    }
    models = {
        model: {**base, **summary.get(model, {}), "regimes": dict.fromkeys(("own", regime), regimes[model])}
        for model in (first, second)
    }
    run = {"models": {model: {**FACTS, **facts.get(model, {})} for model in (first, second)}}
    return Result(run, {"models": models, "images": images, "replicates": replicates}, tables)


def _ends(place: str, errors: Mapping[str, float], instead: float | None) -> dict[str, float]:
    """The ends of the 95 % intervals of a slice's metrics."""
    found = {}
    for figure in HEADLINES:
        error = errors.get(f"{place}:{figure}", errors.get(place))
        if error is not None:
            reach = 1.959964 * (error if instead is None else instead) / (0.8 if figure == "map" else 1)
            found |= {f"{figure}_low": 0.5 - reach, f"{figure}_high": 0.5 + reach}
    return found


def _per_tag(tags: Sequence[Tag], lost: Sequence[str], gained: Sequence[str]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for model, more in ((OLD, lost), (NEW, gained)):
        known = [(tag.name, tag.category, tag.support, True, tag.error) for tag in tags]
        known += [(name, "general", 5, False, np.nan) for name in more]
        rows += [
            {"model": model, "truth_tag": name, "category": category, "support": support, "compared": compared}
            | {"f1": 0.6, "f1_low": 0.6 - 1.96 * error, "f1_high": 0.6 + 1.96 * error, "ap": 0.7}
            for name, category, support, compared, error in known
        ]
    columns = ["model", "truth_tag", "category", "support", "compared", "f1", "f1_low", "f1_high", "ap"]
    return pd.DataFrame(rows, columns=columns)


def _tag_differences(tags: Sequence[Tag], first: str, second: str, *, turned: bool) -> pd.DataFrame:
    rows = []
    for tag, q in zip(tags, benjamini_hochberg(np.array([tag.p for tag in tags], float)), strict=True):
        ends = (tag.difference, tag.low, tag.high) if turned else (-tag.difference, -tag.high, -tag.low)
        row: dict[str, Any] = {
            "first": first,
            "second": second,
            "tag": tag.name,
            "category": tag.category,
            "support": tag.support,
        }
        for figure in ("f1", "ap"):
            row |= dict(zip((f"{figure}_{key}" for key in ("difference", "low", "high")), ends, strict=True))
            row |= {f"{figure}_p": tag.p, f"{figure}_q": q}
        rows.append(row)
    keys = ("difference", "low", "high", "p", "q")
    columns = ["first", "second", "tag", "category", "support", *(f"{f}_{key}" for f in ("f1", "ap") for key in keys)]
    return pd.DataFrame(rows, columns=columns)


def policy_of(text: str, folder: Any) -> Policy:
    """A policy of this text over the defaults."""
    path = folder / "gate.toml"
    path.write_text(text, encoding="utf-8")
    return read_policy(path)


def outcomes(cases: Sequence[Case], gate: str) -> dict[str, str]:
    """Of one gate, by name."""
    return {case.name: str(case.outcome) for case in cases if case.gate == gate}
