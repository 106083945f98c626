"""Series over releases: what joins which figures, and which tags moved most."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from arena.base.errors import ArenaError, nearest
from arena.metrics.registry import HEADLINES, METRICS, TAG_METRICS, titles
from arena.results.baselines.release import Release, numbered

MOST_MOVED = 10
"""Tags that are shown where none are named."""


MOST_LISTED = 40
"""Tags that an error lists; where there are more, it says where they are listed."""


class Point(NamedTuple):
    """A figure of one release; `value` is None where undefined, both ends None without an interval."""

    place: int
    value: float | None
    low: float | None
    high: float | None
    support: int | None
    """Positives of a tag; None for a mean."""
    threshold: float | None
    """At which a tag's figure stands; None for a mean, and for AP."""


@dataclass(frozen=True)
class Series:
    """Points that a line may join: the same images and rules, for means also the same compared tags.

    Attributes:
        group: place of its images among those of the history.
        points: at least one, in the order of the releases.
    """

    group: int
    points: Sequence[Point]


@dataclass(frozen=True)
class Track:
    """One headline figure, or one figure of one tag, over all releases.

    Attributes:
        name: the figure (`macro_f1`) or the tag, by the newest spelling.
        title: the same for people; category: of a tag, empty for a mean.
        unknown: places of the releases that do not know the tag.
    """

    name: str
    title: str
    category: str
    series: Sequence[Series]
    unknown: Sequence[int] = ()


@dataclass(frozen=True)
class History:
    """Figures over releases.

    Attributes:
        releases: in the order in which they were set.
        datasets: what the images of each group are called, with their number.
        figure: key of a metric of a tag, the one of all tags here.
        headlines, tags: tracks; the tags as they were named, or those that moved most first.
        chosen: whether the tags were named; otherwise they moved most, out of `of_tags`.
        moved: how many tags moved beyond their intervals.
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
        """Headline figures, then tags."""
        return [*self.headlines, *self.tags]


def history_of(
    releases: Sequence[Release],
    *,
    figure: str = "f1",
    tags: Sequence[str] = (),
    canonical: Callable[[str], str] = lambda name: name,
) -> History:
    """Follow figures over releases.

    Args:
        releases: at least one, in order.
        figure: key of a metric of a tag.
        tags: to follow, in any spelling that a release or `canonical` knows; none takes those that moved most.
        canonical: the name that stands for a spelling, for tags that were renamed.

    Raises:
        ArenaError: a metric or a tag that is not there.
    """
    if figure not in titles(TAG_METRICS):
        raise ArenaError(f"--figure {figure}: no metric of a tag. {nearest(figure, titles(TAG_METRICS))}")
    if not any(figure in one.tags for one in releases):
        raise ArenaError(f"--figure {figure}: no release has it; score the runs again with this version")
    if not tags and not METRICS[figure].has_interval:
        raise ArenaError(f"--figure {figure}: has no intervals to show which tags moved; name tags with --tag")
    groups = numbered(releases)
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
    """A mean over releases; a line ends where the images or the compared tags are others."""
    found: dict[str, list[Point]] = {}
    group = {one.same_means: groups[one.same_images] for one in releases}
    for place, one in enumerate(releases):
        own = one.result.summary["models"][one.model]["regimes"]["own"]
        value, low, high = (_number(own.get(name)) for name in (key, f"{key}_low", f"{key}_high"))
        found.setdefault(one.same_means, []).append(Point(place, value, low, high, None, None))
    return Track(key, HEADLINES[key], "", [Series(group[means], points) for means, points in found.items()])


def _table(
    releases: Sequence[Release], figure: str, groups: Mapping[str, int], canonical: Callable[[str], str]
) -> pd.DataFrame:
    """A row a release and tag that its truth knows, by canonical name; `spelt` is the model's own spelling."""
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
    """Of each compared tag the largest change between two releases of the same images whose intervals do not meet.

    Returns: signed change by tag, the largest first, ties by name; tags that did not move so far are left out.
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
    """The canonical name of a tag in any spelling."""
    named = canonical(tag)
    for column, spelling in (("tag", named), ("truth_tag", tag), ("spelt", tag)):
        rows = table[table[column] == spelling]
        if len(rows):
            return str(rows["tag"].iloc[-1])
    known = set(table["tag"])
    close = nearest(tag, known)
    told = close if len(known) <= MOST_LISTED or close.startswith("Did") else "arena ls tags lists those of a dataset"
    raise ArenaError(f"--tag {tag}: no release knows it. {told}")


def _tag_track(name: str, rows: pd.DataFrame, releases: int) -> Track:
    found: dict[int, list[Point]] = {}
    for row in rows.to_dict("records"):
        value, low, high, threshold = (_number(row[key]) for key in ("value", "low", "high", "threshold"))
        point = Point(int(row["place"]), value, low, high, int(row["support"]), threshold)
        found.setdefault(int(row["group"]), []).append(point)
    unknown = sorted(set(range(releases)) - set(rows["place"]))
    newest = rows.iloc[-1]
    series = [Series(group, points) for group, points in sorted(found.items())]
    return Track(name, str(newest["truth_tag"]), str(newest["category"]), series, unknown)


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
