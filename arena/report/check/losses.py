"""What got worse: tags with the figures of both sides, and the images that show it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from arena.base.format import UNDEFINED, figure, plural
from arena.gate.verdict import Measure, Outcome, TagLoss, Verdict
from arena.metrics.registry import TAG_TABLE
from arena.report.check.words import measure_told
from arena.report.columns import number
from arena.report.page.evidence import EVIDENCE_IMAGES
from arena.report.page.pictures import OPEN_RATINGS, Shelf, pictures
from arena.report.view import names_images
from arena.results.run_folder import Result

SHOWN_LOSSES = 30
"""Tags that the page shows, the worst first; 15 images each are about what its file has room for."""


@dataclass
class Image:
    """An image that shows a loss.

    Attributes:
        what: whether it carries the tag: `tagged`, `not tagged`.
        scores: of the candidate and of the baseline, as far as they are known.
        picture: WebP in base64; None where there is none.
    """

    image_id: str
    what: str
    scores: Sequence[tuple[str, str]]
    picture: str | None = None
    rating: str = ""
    open: bool = False


@dataclass(frozen=True)
class ImageList:
    """Images of one kind, the clearest first; `mixed` if some of them carry the tag and others do not."""

    title: str
    images: Sequence[Image]
    mixed: bool = False


@dataclass(frozen=True)
class Loss:
    """A tag that got worse.

    Attributes:
        loss: what was measured of it.
        named_by: titles of the cases that name it; empty where no requirement does.
        sides: a row a side: whose it is, its threshold, true positives, false positives, misses, and those of `TAG_TABLE`.
        address: of the tag in the comparison page; empty where there is none.
    """

    loss: TagLoss
    named_by: Sequence[str] = ()
    sides: Sequence[Sequence[str]] = ()
    images: Sequence[ImageList] = ()
    address: str = ""

    @property
    def told(self) -> str:
        """Its measure on a line."""
        return measure_told(self.loss.measure)


@dataclass(frozen=True)
class Losses:
    """What got worse, as far as it is shown.

    Attributes:
        of: how many tags there are to show.
        told: how many tags are better, worse and undetermined; empty without a paired result.
    """

    shown: Sequence[Loss] = ()
    of: int = 0
    told: str = ""
    blurred: int = 0


def losses(verdict: Verdict, result: Result | None, shelf: Shelf | None) -> Losses:
    """Tags that cases name, and all others that are lower beyond doubt; with figures and images where there is a result."""
    new, old = verdict.candidate.name, verdict.baseline.name
    if result is None or not {new, old} <= set(result.models):
        found = _named(verdict)
        return Losses([Loss(loss, by) for loss, by in found[:SHOWN_LOSSES]], len(found))
    table = _differences(result, new=new, old=old)
    found = _named(verdict)
    known = {loss.tag for loss, _ in found}
    found += [(loss, ()) for loss in _decided(table, old) if loss.tag not in known]
    finder = _Finder(result, new, old)
    shown = [
        Loss(loss, by, finder.sides(loss.tag), finder.images(loss.tag), _address(loss.tag))
        for loss, by in found[:SHOWN_LOSSES]
    ]
    blurred = _illustrate(shown, shelf)
    return Losses(shown, len(found), _told(table, new=new, old=old), blurred)


def _named(verdict: Verdict) -> list[tuple[TagLoss, Sequence[str]]]:
    """Each tag that a case names which did not pass, once, with the titles of those cases; failures first."""
    found: dict[str, tuple[TagLoss, list[str]]] = {}
    for case in verdict.of(Outcome.INCOMPARABLE) + verdict.of(Outcome.FAIL) + verdict.of(Outcome.INCONCLUSIVE):
        for loss in case.tags:
            _, by = found.setdefault(loss.tag, (loss, []))
            by.append(case.title)
    return list(found.values())


def _differences(result: Result, *, new: str, old: str) -> pd.DataFrame:
    """The differences of F1 of this pair, candidate less baseline: `tag category support difference low high q higher`."""
    table = result.tables["tag_differences"]
    table = table[
        ((table["first"] == new) & (table["second"] == old)) | ((table["first"] == old) & (table["second"] == new))
    ]
    turned = table["first"] == old
    sign = 1 - 2 * turned.astype(int)
    low, high = table["f1_low"] * sign, table["f1_high"] * sign
    return pd.DataFrame(
        {
            "tag": table["tag"], "category": table["category"], "support": table["support"],
            "difference": table["f1_difference"] * sign, "low": low.where(~turned, high), "high": high.where(~turned, low),
            "q": table["f1_q"], "higher": table["f1_higher"],
        }
    ).sort_values(["difference", "tag"])  # fmt: skip


def _decided(table: pd.DataFrame, old: str) -> list[TagLoss]:
    """Tags on which the baseline is higher beyond doubt, the largest loss first."""
    worse = table[(table["higher"] == old) & table["q"].notna()]
    return [
        TagLoss(
            str(row["tag"]), str(row["category"]), int(row["support"]),
            Measure("f1", difference=row["difference"], low=row["low"], high=row["high"], p=row["q"]),
        )
        for row in worse.to_dict("records")
    ]  # fmt: skip


def _told(table: pd.DataFrame, *, new: str, old: str) -> str:
    tested = table[table["q"].notna()]
    better, worse = int((tested["higher"] == new).sum()), int((tested["higher"] == old).sum())
    rest = len(tested) - better - worse
    if not len(tested):
        return ""
    counts = f"{worse:,} lower beyond doubt, {better:,} higher, {rest:,} undetermined"
    return f"By F1 at both sides' own thresholds, {plural(len(tested), 'tag was', 'tags were')} tested: {counts}."


def _address(tag: str) -> str:
    """Where the comparison page of the same folder shows a tag.

    >>> _address("a&b")
    'index.html#tag=a%26b'
    """
    return f"index.html#tag={quote(tag, safe='', errors='replace')}"


class _Finder:
    """Looks up the figures and images of tags in a result."""

    def __init__(self, result: Result, new: str, old: str) -> None:
        self.models = {"candidate": new, "baseline": old}
        rows = result.per_tag.sort_values("compared", ascending=False, kind="stable")
        rows = rows[rows["model"].isin([new, old])].drop_duplicates(["model", "truth_tag"])
        self.rows = {(row["model"], row["truth_tag"]): row for row in rows.to_dict("records")}
        named = names_images(result)
        self.errors = _by_tag(result.tables["errors"], named)
        self.disagreements = _by_tag(result.tables["disagreements"], named)

    def sides(self, tag: str) -> list[list[str]]:
        """Baseline, then candidate; a side that lacks the tag has no row."""
        found = []
        for side in ("baseline", "candidate"):
            if row := self.rows.get((self.models[side], tag)):
                counts = [f"{int(row[name]):,}" for name in ("tp", "fp", "fn")]
                found.append(
                    [side, _threshold(row["threshold"]), *counts, *(figure(number(row[name])) for name in TAG_TABLE)]
                )
        return found

    def images(self, tag: str) -> list[ImageList]:
        """Where the baseline is right and the candidate wrong, then the candidate's worst false alarms and misses."""
        new, old = self.models["candidate"], self.models["baseline"]
        apart = [row for row in self.disagreements.get(tag, []) if row["wrong"] == new and row["right"] == old]
        wrong = [row for row in self.errors.get(tag, []) if row["model"] == new]
        lists = [ImageList("The baseline is right, the candidate wrong", [_apart(row) for row in apart], mixed=True)]
        for kind, title, what in _KINDS:
            images = [
                Image(str(row["image_id"]), what, [("candidate", figure(row["score"]))])
                for row in wrong
                if row["kind"] == kind
            ]
            lists.append(ImageList(title, images[:EVIDENCE_IMAGES]))
        return [one for one in lists if one.images]


_KINDS = (
    ("false alarm", "Highest-scored false alarms of the candidate", "not tagged"),
    ("miss", "Lowest-scored misses of the candidate", "tagged"),
)


def _apart(row: Mapping[Any, Any]) -> Image:
    scores = [("candidate", figure(row["wrong_score"])), ("baseline", figure(row["right_score"]))]
    return Image(str(row["image_id"]), "tagged" if row["carried"] else "not tagged", scores)


def _by_tag(table: pd.DataFrame, named: bool) -> dict[str, list[Mapping[Any, Any]]]:
    found: dict[str, list[Mapping[Any, Any]]] = {}
    for row in table.to_dict("records") if named else ():
        found.setdefault(str(row["tag"]), []).append(row)
    return found


def _threshold(value: Any) -> str:
    """As the shortest number that means this float32."""
    return UNDEFINED if value is None or math.isnan(value) else str(np.float32(value))


def _illustrate(shown: Sequence[Loss], shelf: Shelf | None) -> int:
    """Give the images their pictures, as far as the file has room; how many of them are blurred."""
    images = [image for loss in shown for one in loss.images for image in one.images]
    told = pictures([image.image_id for image in images], shelf)
    for image, rating, inside in zip(images, told["rating"], told["inside"], strict=True):
        if inside is not None:
            image.picture, image.rating, image.open = told["content"][inside], rating, rating in OPEN_RATINGS
    return sum(image.picture is not None and not image.open for image in images)
