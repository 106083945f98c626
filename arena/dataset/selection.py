"""Select the images and labels of a held-out dataset: by post, by day, at random, or by tag.

Every selection depends on the images, never on their order: two people with the same images and the same options select the
same images.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

import pandas as pd

from arena.base.errors import ArenaError
from arena.cards import ModelCard
from arena.dataset.cutoffs import cutoffs, last_day, last_post, to_timestamps
from arena.dataset.frozen import WEIGHT, random_numbers, random_order, tag_columns

INCLUDED_FOR = "included_for"
"""Column of `images.parquet`: the tag for which an image was selected, or `RANDOM`."""

RANDOM = "random"
"""Value of `INCLUDED_FOR` of an image that was selected at random, or because it has no tag."""

_NO_TAG = ""
"""Name under which images without a tag are counted."""

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
            drawn at random. Each image gets the weight 1 / its inclusion probability.
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
        images: the selected rows, with the columns `INCLUDED_FOR` and `WEIGHT` if the sample is representative.
        tags: name -> category of each label.
        steps: numbers and reason of each step.
    """

    images: pd.DataFrame
    tags: dict[str, str]
    steps: list[Step]


def select(images: pd.DataFrame, tags: Mapping[str, str], selection: Selection) -> Selected:
    """Apply a selection: posts and days, then the models' cut-off, then the sample.

    Tags with fewer than `min_images` images are removed before the sample and again after it. An image whose last label is
    removed stays: it is a negative of every remaining tag, as far as they are known.

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
    if present.startswith("no"):  # for example, an import of a folder of images
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
    columns = {
        column: [sorted(kept.keys() & set(names)) for names in images[column].tolist()]
        for column in tag_columns(images)
    }
    return images.assign(
        **{column: pd.Series(lists, index=images.index, dtype=object) for column, lists in columns.items()}
    )


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
    if selection.representative is not None:
        return _representative_sample(images, order, selection, selection.representative, steps)
    size = len(images) if selection.sample is None else selection.sample
    chosen = _weighted(images.iloc[order[:size]], len(images) / max(1, min(size, len(images))))
    if selection.sample is not None:
        why = f"a random sample of {selection.sample} images, seed {selection.seed}"
        steps.append(Step("sample", len(chosen), len(images) - len(chosen), why))
    return chosen


def _representative_sample(
    images: pd.DataFrame, order: list[int], selection: Selection, least: int, steps: list[Step]
) -> pd.DataFrame:
    """Return a sample with at least `least` images of each tag, and the weights of its images; append its step.

    Args:
        order: rows of the images, in random order.
    """
    carried: list[list[str]] = images["tags"].tolist()
    found = choose_representative(
        [carried[row] for row in order],
        random_numbers(images["sha256"].iloc[order], seed=selection.seed),
        least=least,
        sample=selection.sample,
    )
    chosen = images.iloc[[order[one.place] for one in found]].assign(**{INCLUDED_FOR: [one.reason for one in found]})
    chosen = _weighted(chosen, [1 / one.probability for one in found])
    rest = sum(one.reason == RANDOM for one in found)
    why = (
        f"not a random sample: {len(found) - rest} images chosen so that every tag has {least} (or all, if it has fewer), "
        f"then {rest} at random; seed {selection.seed}"
    )
    steps.append(Step("representative", len(chosen), len(images) - len(chosen), why))
    return chosen


def _weighted(chosen: pd.DataFrame, factor: float | Sequence[float]) -> pd.DataFrame:
    """Return the images with their weights multiplied by a factor.

    Args:
        factor: one for all images, or one for each. One for all adds no column of weights to images without one.
    """
    if WEIGHT in chosen.columns:
        return chosen.assign(**{WEIGHT: chosen[WEIGHT] * factor})
    return chosen if isinstance(factor, float) else chosen.assign(**{WEIGHT: factor})


class Chosen(NamedTuple):
    """An image of a representative sample.

    Attributes:
        place: its position in the order of preference.
        reason: the rarest tag for which it was selected, or `RANDOM`.
        probability: inclusion probability, conditional on the random numbers of all other images; above 0, at most 1.
    """

    place: int
    reason: str
    probability: float


def choose_representative(
    images: Sequence[Iterable[str]], numbers: Sequence[float], *, least: int, sample: int | None = None
) -> list[Chosen]:
    """Select the first `least` images of every tag (or all, if it has fewer), then the first of the others.

    Images without a tag count as images of one more tag. All tags take their images in the same random order, so the first
    images of a rare tag are often among the first of a frequent tag too.

    The inclusion probability is known. With the numbers of all other images fixed, an image is selected exactly if its own
    number is below a limit. The limit is the probability, because the number is uniform. The limit of a tag is the number of
    the `least`-th of its other images; the largest limit counts. So a sum with weights of 1 / probability is an unbiased
    estimate of the sum over all images.

    Args:
        images: tags of each image, in order of preference.
        numbers: random number of each image, independent, uniform in 0 to 1, ascending.
        least: number of images to select for each tag.
        sample: number of images to select; None selects only those that the tags need.

    Returns: the selected images; those that the tags need come first, from the rarest tag to the most frequent.

    Source: Cohen and Kaplan, "Leveraging discarded samples for tighter estimation of multiple-set aggregates", 2009.

    Raises:
        ArenaError: the tags need more than `sample` images.

    >>> found = choose_representative([["dog"], ["dog", "cat"], ["dog"], []], [0.1, 0.3, 0.4, 0.8], least=1)
    >>> [(one.place, one.reason, one.probability) for one in found]  # the only cat is always selected
    [(3, 'random', 1.0), (1, 'cat', 1.0), (0, 'dog', 0.3)]
    """
    members = _members_by_tag(images)
    needed = _needed_by_tags(members, least)
    wanted = len(needed) if sample is None else min(sample, len(images))
    if wanted < len(needed):
        raise ArenaError(
            f"--sample {sample}: {least} images for every tag need {len(needed)} images; "
            "raise --sample, or lower --representative"
        )
    others = [place for place in range(len(images)) if place not in needed]
    reasons = needed | dict.fromkeys(others[: wanted - len(needed)], "")
    found = []
    for place, reason in reasons.items():
        of_tags, successors = _limit_of_tags(
            place, [members[name] for name in set(images[place]) or {_NO_TAG}], least, numbers
        )
        successors -= needed.keys()
        left = 0 if sample is None else wanted - len(needed) - len(successors) + (place in needed)
        of_rest = _limit_of_rest(others, left, successors | ({place} - needed.keys()), numbers)
        found.append(Chosen(place, reason or RANDOM, max(of_tags, of_rest)))
    return found


def _members_by_tag(images: Sequence[Iterable[str]]) -> dict[str, list[int]]:
    """Return the positions of the images of each tag, ascending; those of images without a tag are under `_NO_TAG`."""
    members: dict[str, list[int]] = {}
    for place, names in enumerate(images):
        for name in sorted(set(names)) or [_NO_TAG]:
            members.setdefault(name, []).append(place)
    return members


def _needed_by_tags(members: Mapping[str, Sequence[int]], least: int) -> dict[int, str]:
    """Return the positions of the first `least` images of each tag, with the rarest tag that needs the image."""
    needed: dict[int, str] = {}
    for name in sorted(members, key=lambda name: (len(members[name]), name)):
        for place in members[name][:least]:
            needed.setdefault(place, name)
    return needed


def _limit_of_tags(
    place: int, tags: Iterable[Sequence[int]], least: int, numbers: Sequence[float]
) -> tuple[float, set[int]]:
    """Return the number below which a tag needs an image, and the images that tags would need if it had the largest number.

    Args:
        place: position of the image.
        tags: positions of the images of each of its tags, ascending.
        least, numbers: see `choose_representative`.
    """
    limits, successors = [], set[int]()
    for members in tags:
        if len(members) <= least:
            limits.append(1.0)
        elif place < members[least]:  # it is one of the first; without it, the next one would be
            limits.append(numbers[members[least]])
            successors.add(members[least])
        else:
            limits.append(numbers[members[least - 1]])
    return max(limits), successors


def _limit_of_rest(others: Sequence[int], wanted: int, taken: Set[int], numbers: Sequence[float]) -> float:
    """Return the number below which an image would be among the first `wanted` images that no tag needs.

    Args:
        others: positions of the images that no tag needs, ascending.
        wanted: number of images that would be selected without a tag that needs them.
        taken: the image itself, and those that a tag would need if the image had the largest number.
        numbers: random number of each image.
    """
    if wanted <= 0:
        return 0.0
    index = wanted - 1
    for place in sorted(taken):
        index += bisect_left(others, place) <= index
    return numbers[others[index]] if index < len(others) else 1.0


def _refuse_empty(images: pd.DataFrame, tags: Mapping[str, str], steps: Sequence[Step]) -> None:
    if images.empty or not tags:
        lost = "; ".join(f"{step.name} left {step.kept} ({step.why})" for step in steps)
        raise ArenaError(f"no {'image' if images.empty else 'tag'} is left: {lost or 'the dataset has none'}")
