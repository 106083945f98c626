"""Tags that got worse, with the metrics of both models and example images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from arena.base.format import UNDEFINED, figure, plural
from arena.base.tables import rows_of
from arena.gate.verdict import Measure, Outcome, TagLoss, Verdict
from arena.metrics.registry import TAG_TABLE
from arena.report.check.words import measure_line
from arena.report.columns import exact_number
from arena.report.page.evidence import EVIDENCE_IMAGES
from arena.report.page.pictures import OPEN_RATINGS, RunThumbnails, embed_pictures
from arena.report.view import may_name_images
from arena.results.run_folder import Result

SHOWN_LOSSES = 30
"""Number of tags on the page, the worst first. With 15 images each they about fill the size limit of the file."""


@dataclass
class LossImage:
    """An image on which a loss shows.

    Attributes:
        what: its label: `tagged` or `not tagged`.
        scores: model (`candidate`, `baseline`) and formatted score, for each known score.
        picture: thumbnail as WebP in base64; None without one.
        open: whether the thumbnail is shown without a blur.
    """

    image_id: str
    what: str
    scores: Sequence[tuple[str, str]]
    picture: str | None = None
    rating: str = ""
    open: bool = False


@dataclass(frozen=True)
class LossImages:
    """Images of one kind, the clearest first; `mixed` if some of them may have the tag and others not."""

    title: str
    images: Sequence[LossImage]
    mixed: bool = False


@dataclass(frozen=True)
class TagLossDetails:
    """A tag that got worse.

    Attributes:
        loss: its measure.
        named_by: titles of the cases that list it; empty if none does.
        sides: one row for each model: `baseline` or `candidate`, threshold, TP, FP, FN, then the metrics of `TAG_TABLE`.
        images: lists of images, none of them empty.
        address: URL of the tag in the comparison page; empty without such a page.
    """

    loss: TagLoss
    named_by: Sequence[str] = ()
    sides: Sequence[Sequence[str]] = ()
    images: Sequence[LossImages] = ()
    address: str = ""

    @property
    def told(self) -> str:
        """The measure in one line."""
        return measure_line(self.loss.measure)


@dataclass(frozen=True)
class TagLosses:
    """The tags that got worse.

    Attributes:
        shown: the first `SHOWN_LOSSES` of them.
        of: number of all of them.
        told: numbers of better, worse and undetermined tags, and how the tags of this section add up; may be empty.
        blurred: number of blurred thumbnails.
    """

    shown: Sequence[TagLossDetails] = ()
    of: int = 0
    told: str = ""
    blurred: int = 0


def loss_columns(verdict: Verdict, result: Result | None, shelf: RunThumbnails | None) -> TagLosses:
    """Return the tags that cases list, then all others that are significantly lower.

    Metrics and images are added if there is a paired result of both models.
    """
    new, old = verdict.candidate.name, verdict.baseline.name
    if result is None or not {new, old} <= set(result.models):
        found = _listed_losses(verdict)
        return TagLosses([TagLossDetails(loss, by) for loss, by in found[:SHOWN_LOSSES]], len(found))
    table = _differences(result, new=new, old=old)
    found = _listed_losses(verdict)
    known = {loss.tag for loss, _ in found}
    more = [(loss, ()) for loss in _significant_losses(table, old) if loss.tag not in known]
    found += more
    finder = _Lookup(result, new, old)
    shown = [
        TagLossDetails(loss, by, finder.metrics(loss.tag), finder.images(loss.tag), _address(loss.tag))
        for loss, by in found[:SHOWN_LOSSES]
    ]
    blurred = _add_thumbnails(shown, shelf)
    told = f"{_test_summary(table, new=new, old=old)} {_below(len(known), len(more))}".strip()
    return TagLosses(shown, len(found), told, blurred)


def _below(listed: int, more: int) -> str:
    """Return the sentence on the tags of this section, whose numbers add up to the number in its heading.

    >>> _below(14, 3)
    'A requirement lists 14 tags of this section; 3 more are significantly lower.'
    """
    if not listed:
        return "No requirement lists a tag of this section." if more else ""
    rest = f"; {more:,} more {'is' if more == 1 else 'are'} significantly lower" if more else ""
    return f"A requirement lists {plural(listed, 'tag', 'tags')} of this section{rest}."


def _listed_losses(verdict: Verdict) -> list[tuple[TagLoss, Sequence[str]]]:
    """Return the tags that incomparable, failed and inconclusive cases list, in this order, each once, with the case titles."""
    found: dict[str, tuple[TagLoss, list[str]]] = {}
    for case in verdict.of(Outcome.INCOMPARABLE) + verdict.of(Outcome.FAIL) + verdict.of(Outcome.INCONCLUSIVE):
        for loss in case.tags:
            _, by = found.setdefault(loss.tag, (loss, []))
            by.append(case.title)
    return list(found.values())


def _differences(result: Result, *, new: str, old: str) -> pd.DataFrame:
    """Return the F1 differences of this pair, candidate minus baseline.

    Columns: `tag category support difference low high q higher`, sorted by difference, then tag.
    """
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


def _significant_losses(table: pd.DataFrame, old: str) -> list[TagLoss]:
    """Return the tags on which the baseline is significantly higher, the largest loss first."""
    worse = table[(table["higher"] == old) & table["q"].notna()]
    return [
        TagLoss(
            str(row["tag"]), str(row["category"]), int(row["support"]),
            Measure("f1", difference=row["difference"], low=row["low"], high=row["high"], p=row["q"]),
        )
        for row in rows_of(worse)
    ]  # fmt: skip


def _test_summary(table: pd.DataFrame, *, new: str, old: str) -> str:
    tested = table[table["q"].notna()]
    better, worse = int((tested["higher"] == new).sum()), int((tested["higher"] == old).sum())
    rest = len(tested) - better - worse
    if not len(tested):
        return ""
    counts = f"{worse:,} significantly lower, {better:,} significantly higher, {rest:,} undetermined"
    return f"F1 of {plural(len(tested), 'tag', 'tags')} was tested, each model at its own thresholds: {counts}."


def _address(tag: str) -> str:
    """Return the URL of a tag in the comparison page of the same folder.

    >>> _address("a&b")
    'index.html#tag=a%26b'
    """
    return f"index.html#tag={quote(tag, safe='', errors='replace')}"


class _Lookup:
    """Looks up the metrics and images of a tag in a result."""

    def __init__(self, result: Result, new: str, old: str) -> None:
        self.models = {"candidate": new, "baseline": old}
        rows = result.per_tag.sort_values("compared", ascending=False, kind="stable")
        rows = rows[rows["model"].isin([new, old])].drop_duplicates(["model", "truth_tag"])
        self.rows = {(row["model"], row["truth_tag"]): row for row in rows_of(rows)}
        named = may_name_images(result)
        self.errors = _by_tag(result.tables["errors"], named)
        self.disagreements = _by_tag(result.tables["disagreements"], named)

    def metrics(self, tag: str) -> list[list[str]]:
        """Return the rows of the baseline and of the candidate; a model without the tag has no row."""
        found = []
        for role in ("baseline", "candidate"):
            if row := self.rows.get((self.models[role], tag)):
                counts = [f"{int(row[name]):,}" for name in ("tp", "fp", "fn")]
                found.append(
                    [
                        role,
                        _threshold(row["threshold"]),
                        *counts,
                        *(figure(exact_number(row[name])) for name in TAG_TABLE),
                    ]
                )
        return found

    def images(self, tag: str) -> list[LossImages]:
        """Return images that only the baseline got right, then the candidate's worst false positives and false negatives."""
        new, old = self.models["candidate"], self.models["baseline"]
        disagreements = [row for row in self.disagreements.get(tag, []) if row["wrong"] == new and row["right"] == old]
        wrong = [row for row in self.errors.get(tag, []) if row["model"] == new]
        lists = [
            LossImages(
                "The baseline is right, the candidate wrong", list(map(_disagreement, disagreements)), mixed=True
            )
        ]
        for kind, title, what in _KINDS:
            images = [
                LossImage(str(row["image_id"]), what, [("candidate", figure(row["score"]))])
                for row in wrong
                if row["kind"] == kind
            ]
            lists.append(LossImages(title, images[:EVIDENCE_IMAGES]))
        return [one for one in lists if one.images]


_KINDS = (
    ("false alarm", "Highest-scored false positives of the candidate", "not tagged"),
    ("miss", "Lowest-scored false negatives of the candidate", "tagged"),
)


def _disagreement(row: Mapping[Any, Any]) -> LossImage:
    scores = [("candidate", figure(row["wrong_score"])), ("baseline", figure(row["right_score"]))]
    return LossImage(str(row["image_id"]), "tagged" if row["carried"] else "not tagged", scores)


def _by_tag(table: pd.DataFrame, named: bool) -> dict[str, list[Mapping[Any, Any]]]:
    found: dict[str, list[Mapping[Any, Any]]] = {}
    for row in rows_of(table) if named else ():
        found.setdefault(str(row["tag"]), []).append(row)
    return found


def _threshold(value: Any) -> str:
    """Return the shortest number that gives the same float32; a dash if unknown."""
    return UNDEFINED if value is None or math.isnan(value) else str(np.float32(value))


def _add_thumbnails(shown: Sequence[TagLossDetails], shelf: RunThumbnails | None) -> int:
    """Add thumbnails to the images, as far as the size limit of the file allows. Return the number of blurred ones."""
    images = [image for loss in shown for one in loss.images for image in one.images]
    stored = embed_pictures([image.image_id for image in images], shelf)
    for image, rating, inside in zip(images, stored["rating"], stored["inside"], strict=True):
        if inside is not None:
            image.picture, image.rating, image.open = stored["content"][inside], rating, rating in OPEN_RATINGS
    return sum(image.picture is not None and not image.open for image in images)
