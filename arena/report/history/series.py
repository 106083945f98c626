"""Group the metrics of releases into comparable series, and find the tags that moved most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from arena.base.errors import ArenaError, nearest
from arena.metrics.registry import HEADLINES, METRICS, TAG_METRICS, titles
from arena.results.baselines.release import Release, number_image_sets
from arena.results.headline import as_published, headline

MOST_MOVED = 10
"""Largest number of tags shown if none is named."""


MOST_LISTED = 40
"""Largest number of tags that an error lists; with more, it names the command that lists them."""


class HistoryPoint(NamedTuple):
    """The value of one release: None if undefined; `low` and `high` are None without an interval."""

    place: int
    """Index of the release in the history."""
    value: float | None
    low: float | None
    high: float | None
    support: int | None
    """Positives of a tag; None for a headline metric."""
    threshold: float | None
    """Threshold of the value; None for a headline metric and for a metric that needs no threshold."""
    plain: float | None = None
    """The plain mean, as published results state it; None if the value is it."""


@dataclass(frozen=True)
class ComparableSeries:
    """Comparable points: scored on the same images by the same rules; for headline metrics also over the same compared tags.

    Attributes:
        group: index of its images in `History.datasets`.
        points: at least one, in the order of the releases.
    """

    group: int
    points: Sequence[HistoryPoint]


@dataclass(frozen=True)
class Track:
    """A headline metric, or the metric of one tag, over all releases.

    Attributes:
        name: key of the metric (`macro_f1`), or canonical name of the tag.
        title: title of the metric, or the tag as the ground truth of the newest release spells it.
        category: category of the tag; empty for a headline metric.
        unknown: indices of the releases that do not know the tag.
    """

    name: str
    title: str
    category: str
    series: Sequence[ComparableSeries]
    unknown: Sequence[int] = ()


@dataclass(frozen=True)
class History:
    """Metrics over releases.

    Attributes:
        releases: in the order in which they were set.
        datasets: name and number of images of each group of releases with the same images.
        figure: key of the per-tag metric of all tag tracks.
        headlines, tags: tracks; the tags in the order given, or those that moved most first.
        chosen: whether the user named the tags; otherwise they are those that moved most.
        of_tags: number of compared tags.
        moved: number of tags that moved: the intervals of two releases on the same images do not overlap.
    """

    releases: Sequence[Release]
    datasets: Sequence[str]
    figure: str
    headlines: Sequence[Track]
    tags: Sequence[Track]
    chosen: bool
    of_tags: int
    moved: int

    @property
    def tracks(self) -> list[Track]:
        """Headline metrics, then tags."""
        return [*self.headlines, *self.tags]


def build_history(
    releases: Sequence[Release],
    *,
    figure: str = "f1",
    tags: Sequence[str] = (),
    canonical: Callable[[str], str] = lambda name: name,
) -> History:
    """Collect metrics over releases.

    Args:
        releases: at least one, in order.
        figure: key of a per-tag metric.
        tags: tags to follow, in any spelling that a release or `canonical` knows; empty selects those that moved most.
        canonical: maps a spelling of a tag to its canonical name, for tags that were renamed.

    Raises:
        ArenaError: the metric or a tag is unknown, or no release has the metric.
    """
    if figure not in titles(TAG_METRICS):
        raise ArenaError(f"--figure {figure}: not a per-tag metric. {nearest(figure, titles(TAG_METRICS))}")
    if not any(figure in one.tags for one in releases):
        raise ArenaError(f"--figure {figure}: no release has this metric; score the runs again with this version")
    if not tags and not METRICS[figure].has_interval:
        raise ArenaError(
            f"--figure {figure}: has no intervals, so the tags that moved are unknown; name tags with --tag"
        )
    groups = number_image_sets(releases)
    table = _table(releases, figure, groups, canonical)
    changes = _moves(table)
    names = [_find(tag, table, canonical) for tag in dict.fromkeys(tags)] or changes.index[:MOST_MOVED].tolist()
    by_tag = dict(iter(table.groupby("tag", sort=False)))
    first = {key: next(one for one in releases if one.same_images == key) for key in groups}
    return History(
        releases,
        [f"{one.dataset}, {one.images:,} images" for one in first.values()],
        figure,
        [_headline(releases, key, groups) for key in HEADLINES],
        [_tag_track(name, by_tag[name], len(releases)) for name in dict.fromkeys(names)],
        chosen=bool(tags),
        of_tags=int(table.loc[table["compared"], "tag"].nunique()),
        moved=len(changes),
    )


def _headline(releases: Sequence[Release], key: str, groups: Mapping[str, int]) -> Track:
    """Return the track of a headline metric; other images or other compared tags start another series.

    A series has the values without their bias if every run of it has them, otherwise the plain ones: both kinds in one
    series would look like a change.
    """
    found: dict[str, list[HistoryPoint]] = {}
    group = {one.same_means: groups[one.same_images] for one in releases}
    uncorrected = {one.same_means for one in releases if key in uncorrected_means(one)}
    for place, one in enumerate(releases):
        own = own_figures(one)
        low, high, plain = (_number(own.get(name)) for name in (f"{key}_low", f"{key}_high", key))
        value = plain if one.same_means in uncorrected else _number(headline(own, key))
        other = None if one.same_means in uncorrected else _number(as_published(own, key))
        found.setdefault(one.same_means, []).append(HistoryPoint(place, value, low, high, None, None, other))
    return Track(key, HEADLINES[key], "", [ComparableSeries(group[means], points) for means, points in found.items()])


def own_figures(release: Release) -> Mapping[str, Any]:
    """Return the metrics of a release over all compared tags at its own thresholds."""
    figures: Mapping[str, Any] = release.result.summary["models"][release.model]["regimes"]["own"]
    return figures


def uncorrected_means(release: Release) -> set[str]:
    """Return the headline metrics that are means over tags and that the run of a release has only with their bias."""
    own = own_figures(release)
    return {key for key in HEADLINES if METRICS[key].average == "macro" and as_published(own, key) is None}


def _table(
    releases: Sequence[Release], figure: str, groups: Mapping[str, int], canonical: Callable[[str], str]
) -> pd.DataFrame:
    """Return one row for each release and tag, by canonical name.

    `truth_tag` is the spelling of the ground truth, `spelt` that of the model. A release has each canonical tag once; a
    compared tag is preferred.
    """
    frames = []
    for place, one in enumerate(releases):
        rows = one.tags
        at_threshold = METRICS[figure].needs_threshold
        frames.append(
            pd.DataFrame(
                {
                    "place": place, "group": groups[one.same_images], "tag": [canonical(name) for name in rows.index],
                    "truth_tag": rows.index, "spelt": rows["tag"], "category": rows["category"], "support": rows["support"],
                    "threshold": rows["threshold"].astype(str).astype(np.float64) if at_threshold else np.nan,
                    "compared": rows["compared"], "value": rows.get(figure, np.nan),
                    "low": rows.get(f"{figure}_low", np.nan), "high": rows.get(f"{figure}_high", np.nan),
                }
            )
        )  # fmt: skip
    joined = pd.concat(frames, ignore_index=True)
    return joined.sort_values(["place", "compared"], ascending=[True, False], kind="stable").drop_duplicates(
        ["place", "tag"]
    )


def _moves(table: pd.DataFrame) -> pd.Series[float]:
    """Return the largest change of each compared tag between two releases on the same images with disjoint intervals.

    Returns: signed change by tag, the largest absolute change first, ties by name; tags that did not move are left out.
    """
    known = table[table["compared"]]
    found = []
    for _, group in known.groupby("group", sort=False):
        wide = {name: group.pivot_table(index="tag", columns="place", values=name) for name in ("value", "low", "high")}
        for earlier, later in combinations(wide["low"].columns, 2):
            apart = (wide["low"][later] > wide["high"][earlier]) | (wide["high"][later] < wide["low"][earlier])
            change = wide["value"][later] - wide["value"][earlier]
            found.append(change[apart].dropna())
    moved = pd.concat(found) if found else pd.Series(dtype=np.float64)
    order = pd.DataFrame({"tag": moved.index, "change": moved.to_numpy(), "size": moved.abs().to_numpy()})
    order = order.sort_values(["size", "tag"], ascending=[False, True], kind="stable").drop_duplicates("tag")
    return order.set_index("tag")["change"]


def _find(tag: str, table: pd.DataFrame, canonical: Callable[[str], str]) -> str:
    """Return the canonical name of a tag in any spelling.

    Raises:
        ArenaError: no release knows the tag.
    """
    named = canonical(tag)
    for column, spelling in (("tag", named), ("truth_tag", tag), ("spelt", tag)):
        rows = table[table[column] == spelling]
        if len(rows):
            return str(rows["tag"].iloc[-1])
    known = set(table["tag"])
    close = nearest(tag, known)
    hint = (
        close if len(known) <= MOST_LISTED or close.startswith("Did") else "List the tags of a dataset: arena ls tags"
    )
    raise ArenaError(f"--tag {tag}: no release knows this tag. {hint}")


def _tag_track(name: str, rows: pd.DataFrame, releases: int) -> Track:
    found: dict[int, list[HistoryPoint]] = {}
    for row in rows.to_dict("records"):
        value, low, high, threshold = (_number(row[key]) for key in ("value", "low", "high", "threshold"))
        point = HistoryPoint(int(row["place"]), value, low, high, int(row["support"]), threshold)
        found.setdefault(int(row["group"]), []).append(point)
    unknown = sorted(set(range(releases)) - set(rows["place"]))
    newest = rows.iloc[-1]
    series = [ComparableSeries(group, points) for group, points in sorted(found.items())]
    return Track(name, str(newest["truth_tag"]), str(newest["category"]), series, unknown)


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
