"""Select the images and labels of a held-out dataset: by post, by day, at random, or by tag.

Every selection depends on the images, never on their order: two people with the same images and the same options select the
same images.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

import pandas as pd

from arena.base.errors import ArenaError
from arena.cards import ModelCard
from arena.dataset.cutoffs import cutoffs, last_day, last_post, to_timestamps
from arena.dataset.frozen import random_order

INCLUDED_FOR = "included_for"
"""Column of `images.parquet`: the tag for which an image was selected, or `RANDOM`."""

RANDOM = "random"
"""Value of `INCLUDED_FOR` of an image that was selected at random."""

NAMED_TAGS = 10
"""Largest number of dropped tags that a step names."""


@dataclass(frozen=True)
class Selection:
    """Options that select images and labels of a dataset; None applies no condition.

    Attributes:
        after_id, before_id: exclusive bounds of the post, by column `post_id`.
        since, until: first and last day, inclusive, UTC, by column `created_at`.
        trained_until: models that were not trained on the images: only images after the latest of their cut-offs are kept.
        sample: number of images.
        representative: number of images selected for each tag (or all, if it has fewer) before the rest of the sample is
            drawn at random.
        seed: seed of the sample.
        min_images: least number of images of a tag for it to stay a label.
    """

    after_id: int | None = None
    before_id: int | None = None
    since: date | None = None
    until: date | None = None
    trained_until: tuple[ModelCard, ...] = ()
    sample: int | None = None
    representative: int | None = None
    seed: int = 0
    min_images: int = 0


class Step(NamedTuple):
    """A row of `[[steps]]`: the numbers of images kept and dropped, and the reason."""

    name: str
    kept: int
    dropped: int
    why: str


class Selected(NamedTuple):
    """Result of a selection.

    Attributes:
        images: the selected rows, with column `INCLUDED_FOR` if the sample is representative.
        tags: name -> category of each label.
        steps: numbers and reason of each step.
    """

    images: pd.DataFrame
    tags: dict[str, str]
    steps: list[Step]


def select(images: pd.DataFrame, tags: Mapping[str, str], selection: Selection) -> Selected:
    """Apply a selection: posts and days, then the models' cut-off, then the sample.

    Tags with fewer than `min_images` images are removed before the sample and again after it. An image whose last label is
    removed stays: it is a negative of every remaining tag.

    Args:
        images: with `IMAGE_COLUMNS`, in any order.
        tags: name -> category.

    Raises:
        ArenaError: a column that an option needs is missing, a model has no cut-off, the sample is smaller than
            `representative` needs, or no image or tag is left.
    """
    steps: list[Step] = []
    for step, keep, why in _bounds(images, selection):
        images = _keep(images, keep, steps, step, why)
    kept = _frequent(images, tags, selection.min_images)
    images = _sampled(_without_rare(images, kept), selection, steps)
    if selection.min_images:
        kept = _frequent(images, kept, selection.min_images)
        images = _without_rare(images, kept)
        steps.append(Step("min_images", len(images), 0, _why_rare(set(tags) - set(kept), selection.min_images, images)))
    _refuse_empty(images, kept, steps)
    return Selected(images, kept, steps)


class _Bound(NamedTuple):
    """A step that keeps some rows.

    Attributes:
        keep: bool by index of the images, whether the row is kept.
        why: description of the dropped rows.
    """

    step: str
    keep: "pd.Series[bool]"
    why: str


def _bounds(images: pd.DataFrame, selection: Selection) -> Iterable[_Bound]:
    """Yield every bound of the selection, in a fixed order."""
    if selection.after_id is not None or selection.before_id is not None:
        posts = _posts(images, "--after-id, --before-id")
        if selection.after_id is not None:
            yield _Bound("after_id", posts > selection.after_id, f"post {selection.after_id} or before{_blank(posts)}")
        if selection.before_id is not None:
            yield _Bound(
                "before_id", posts < selection.before_id, f"post {selection.before_id} or after{_blank(posts)}"
            )
    if selection.since is not None or selection.until is not None:
        days = _moments(images, "--since, --until")
        if selection.since is not None:
            yield _Bound("since", days >= _start(selection.since), f"before {selection.since}{_blank(days)}")
        if selection.until is not None:
            end = _start(selection.until + timedelta(days=1))
            yield _Bound("until", days < end, f"after {selection.until}{_blank(days)}")
    if selection.trained_until:
        yield _after_training(images, selection.trained_until)


def _after_training(images: pd.DataFrame, cards: Sequence[ModelCard]) -> _Bound:
    """Return the bound that keeps images after the training data of every model, by post if known, else by day."""
    names, known = ", ".join(sorted(card.name for card in cards)), cutoffs(cards)
    if (post := last_post(known)) is not None and "post_id" in images.columns:
        posts = _posts(images, "--trained-until")
        return _Bound(
            "trained_until", posts > post, f"post {post} or before, possibly training data of {names}{_blank(posts)}"
        )
    if (day := last_day(known)) is not None and "created_at" in images.columns:
        days = _moments(images, "--trained-until")
        keep = days >= _start(day + timedelta(days=1))
        return _Bound("trained_until", keep, f"{day} or before, possibly training data of {names}{_blank(days)}")
    present = (
        " and ".join(name for name in ("post_id", "created_at") if name in images.columns) or "no post and no date"
    )
    recorded = "; ".join(f"{card.name}: {card.trained_until}" for card in cards)
    fix = "give --after-id or --since"
    if present.startswith("no"):  # such as a folder of images
        fix = "leave --trained-until out, and remove training images with arena dataset dedup --against INDEX"
    raise ArenaError(f"--trained-until: the cards say {recorded}, the images have {present}; {fix}")


def _posts(images: pd.DataFrame, options: str) -> "pd.Series[float]":
    """Return the post of each row; NaN if it is not a number. float64 is exact because posts are far below 2**53."""
    if "post_id" not in images.columns:
        raise ArenaError(f"{options}: the images have no column post_id; import them from a source that has posts")
    return pd.to_numeric(images["post_id"], errors="coerce").astype("float64")


def _moments(images: pd.DataFrame, options: str) -> Any:
    """Return the time of each post, as `to_timestamps` converts it."""
    if "created_at" not in images.columns:
        raise ArenaError(f"{options}: the images have no column created_at; import them from a source that has dates")
    return to_timestamps(images["created_at"])


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _blank(column: Any) -> str:
    """Describe the rows without a value; a comparison with a missing value is false, so these rows are dropped."""
    blank = int(column.isna().sum())
    return f"; {blank} without {'a post' if column.dtype == 'float64' else 'a date'}" if blank else ""


def _keep(images: pd.DataFrame, keep: "pd.Series[bool]", steps: list[Step], name: str, why: str) -> pd.DataFrame:
    kept = images[keep.reindex(images.index)]
    steps.append(Step(name, len(kept), len(images) - len(kept), why))
    return kept


def _frequent(images: pd.DataFrame, tags: Mapping[str, str], min_images: int) -> dict[str, str]:
    """Return the tags that at least `min_images` images carry."""
    counts = Counter(name for names in images["tags"] for name in set(names))
    return {name: category for name, category in tags.items() if counts[name] >= min_images}


def _without_rare(images: pd.DataFrame, kept: Mapping[str, str]) -> pd.DataFrame:
    carried = [sorted(kept.keys() & set(names)) for names in images["tags"].tolist()]
    return images.assign(tags=pd.Series(carried, index=images.index, dtype=object))


def _why_rare(rare: set[str], min_images: int, images: pd.DataFrame) -> str:
    names = ", ".join(sorted(rare)[:NAMED_TAGS]) + (", ..." if len(rare) > NAMED_TAGS else "")
    bare = sum(not len(names) for names in images["tags"])
    text = (
        f"tags removed, because fewer than {min_images} images carry them: {len(rare)}{f' ({names})' if rare else ''}"
    )
    return f"{text}; images left without a label: {bare}" if bare else text


def _sampled(images: pd.DataFrame, selection: Selection, steps: list[Step]) -> pd.DataFrame:
    """Return the sample of the selection, and append its step; without a sample option, all images in random order."""
    order = random_order(images["sha256"], images["image_id"], seed=selection.seed)
    size = len(images) if selection.sample is None else selection.sample
    if selection.representative is None:
        chosen = images.iloc[order[:size]]
        if selection.sample is not None:
            why = f"a random sample of {selection.sample} images, seed {selection.seed}"
            steps.append(Step("sample", len(chosen), len(images) - len(chosen), why))
        return chosen
    carried: list[list[str]] = images["tags"].tolist()
    reasons = choose_representative([carried[row] for row in order], least=selection.representative)
    if selection.sample is not None and len(reasons) > selection.sample:
        raise ArenaError(
            f"--sample {selection.sample}: {selection.representative} images for every tag need {len(reasons)} images; "
            "raise --sample, or lower --representative"
        )
    wanted = len(reasons) if selection.sample is None else size
    rest = [place for place in range(len(order)) if place not in reasons][: wanted - len(reasons)]
    reasons |= dict.fromkeys(rest, RANDOM)
    chosen = images.iloc[[order[place] for place in reasons]].assign(**{INCLUDED_FOR: list(reasons.values())})
    why = (
        f"not a random sample: {len(reasons) - len(rest)} images chosen so that every tag has {selection.representative} (or "
        f"all, if it has fewer), then {len(rest)} at random; seed {selection.seed}"
    )
    steps.append(Step("representative", len(chosen), len(images) - len(chosen), why))
    return chosen


def choose_representative(images: Sequence[Iterable[str]], *, least: int) -> dict[int, str]:
    """Select the first images that give every tag at least `least` images, or all if it has fewer.

    Tags are processed from the rarest to the most frequent, ties by name, so that images of rare tags also count for frequent
    ones.

    Args:
        images: tags of each image, in order of preference.

    Returns: position of a selected image -> the tag for which it was selected.

    >>> choose_representative([["dog"], ["dog", "cat"], ["dog"], []], least=2)
    {1: 'cat', 0: 'dog'}
    """
    places: dict[str, list[int]] = {}
    for place, names in enumerate(images):
        for name in sorted(set(names)):
            places.setdefault(name, []).append(place)
    reasons: dict[int, str] = {}
    for name in sorted(places, key=lambda name: (len(places[name]), name)):
        lacking = least - sum(place in reasons for place in places[name])
        fresh = [place for place in places[name] if place not in reasons]
        reasons |= dict.fromkeys(fresh[: max(0, lacking)], name)
    return reasons


def _refuse_empty(images: pd.DataFrame, tags: Mapping[str, str], steps: Sequence[Step]) -> None:
    if images.empty or not tags:
        lost = "; ".join(f"{step.name} left {step.kept} ({step.why})" for step in steps)
        raise ArenaError(f"no {'image' if images.empty else 'tag'} is left: {lost or 'the dataset has none'}")
