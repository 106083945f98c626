"""Policy for duplicates: which images are kept, with which tags, and in which groups."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from arena.dataset.copies.pairs import PAIR_CLASSES
from arena.dataset.hamming.duplicates import Pairs, clusters

POLICIES = ("merge", "drop", "mark")
"""`merge` keeps one copy with the tags of all, `drop` keeps one copy unchanged, `mark` keeps all and marks the copies."""


@dataclass(frozen=True)
class DuplicateRule:
    """Definition of a duplicate, and the policy for it.

    Attributes:
        radius: largest pHash distance of candidates, in bits; at 0, equal hashes are copies without a comparison.
        policy: one of `POLICIES`.
        alternates: whether other versions of a picture count as copies.
        unconfirmed: `keep` or `drop` an image that matches an index by hash but was not compared with it by pixels. Most such
            candidates are other pictures.
    """

    radius: int = 8
    policy: str = "merge"
    alternates: bool = False
    unconfirmed: str = "keep"

    @property
    def joined(self) -> tuple[str, ...]:
        """Classes of pairs that form a cluster of copies."""
        if self.radius == 0:
            return ("identical", "candidate")
        return ("identical", "near", "alternate") if self.alternates else ("identical", "near")

    @property
    def seen(self) -> tuple[str, ...]:
        """Classes of pairs for which an index counts as containing a picture."""
        return (*self.joined, "candidate") if self.radius and self.unconfirmed == "drop" else self.joined

    @property
    def related(self) -> tuple[str, ...]:
        """Classes of pairs that form a group: pictures that are not independent, whether or not one is dropped."""
        return self.joined if "alternate" in self.joined else (*self.joined, "alternate")

    def __str__(self) -> str:
        classes = ", ".join(self.joined) if self.radius else "equal pHash"
        dropped = ", unconfirmed candidates dropped" if self.unconfirmed == "drop" else ""
        return f"{self.policy} {classes} at radius {self.radius}{dropped}"


@dataclass
class Ledger:
    """Number of images kept and dropped at each step."""

    steps: list[dict[str, Any]] = field(default_factory=list)

    def record(self, name: str, *, before: int, kept: int, why: str) -> None:
        """Append one step; `before` is the number of images before it."""
        self.steps.append({"name": name, "kept": kept, "dropped": before - kept, "why": why})


class PolicyResult(NamedTuple):
    """Images that are kept, and those that are dropped, with column `why`; both as rows of `images.parquet`."""

    kept: pd.DataFrame
    dropped: pd.DataFrame


def apply_policy(
    images: pd.DataFrame, copies: pd.DataFrame, seen: pd.DataFrame, rule: DuplicateRule, ledger: Ledger
) -> PolicyResult:
    """Drop, merge or mark the clusters of copies.

    An image that an index contains is dropped together with all its copies, because the copies were seen in training as well.
    Of every other cluster the first image by `image_id` is kept. Policy `mark` keeps all images and marks unconfirmed ones.
    A group joins copies and other versions under every policy, also through images that are dropped.

    Args:
        images: sorted by `image_id`.
        copies: pairs of rows with `class`.
        seen: rows (`left`) that an index contains or may contain, with `source`, `class` and the identifier in the index
            (`right_id`).
    """
    unconfirmed = len(find_unconfirmed(seen, rule)) if rule.unconfirmed == "keep" else 0
    seen = seen[seen["class"].isin({*rule.seen, "candidate"} if rule.policy == "mark" else rule.seen)]
    joined = copies[copies["class"].isin(rule.joined)]
    cluster = clusters(len(images), _edges(joined))
    first = np.unique(cluster, return_index=True)[1][cluster]
    related = copies[copies["class"].isin(rule.related)]
    group = clusters(len(images), _edges(related), _same_group(images))
    if rule.policy == "mark":
        return _marked(images, joined, seen, first, group, ledger)
    known = np.isin(cluster, cluster[seen["left"].to_numpy(np.int64)])
    kept = (first == np.arange(len(images))) & ~known
    ledger.record("seen", before=len(images), kept=int((~known).sum()), why=_why_seen(seen, known, unconfirmed))
    merged = ", with the tags of all" if rule.policy == "merge" else ""
    why = f"{rule}: the first image of a cluster by image_id is kept{merged}"
    ledger.record("copies", before=int((~known).sum()), kept=int(kept.sum()), why=why)
    if rule.policy == "merge":
        images = images.assign(tags=_merged_tags(images, cluster))
    reason = np.where(known, _reasons(images, seen, cluster), "copy of " + images["image_id"].to_numpy(str)[first])
    out = images.assign(why=reason)[~kept].reset_index(drop=True)
    return PolicyResult(images[kept].assign(group=pd.factorize(group[kept])[0]).reset_index(drop=True), out)


def find_unconfirmed(seen: pd.DataFrame, rule: DuplicateRule) -> frozenset[Any]:
    """Return the images (values of `left`) that match an index by hash only, without a comparison of pixels.

    Args:
        seen: pairs of an image (`left`) and an entry of an index, with `class`.
    """
    if not rule.radius:
        return frozenset()
    confirmed = set(seen["left"][seen["class"].isin(rule.joined)])
    return frozenset(set(seen["left"][seen["class"] == "candidate"]) - confirmed)


def _marked(
    images: pd.DataFrame, joined: pd.DataFrame, seen: pd.DataFrame, first: NDArray[np.int64], group: NDArray[np.int64],
    ledger: Ledger,
) -> PolicyResult:  # fmt: skip
    """Return all images, each copy with the first image of its cluster and the class, and the index that contains it."""
    ids = images["image_id"].to_numpy(object)
    ends = pd.concat([joined[["left", "class"]].set_axis(["row", "class"], axis=1),
                      joined[["right", "class"]].set_axis(["row", "class"], axis=1)])  # fmt: skip
    best_class = ends["class"].map(PAIR_CLASSES.index).groupby(ends["row"]).min()
    copy = first != np.arange(len(images))
    classes = [PAIR_CLASSES[best_class[row]] if copy[row] else "" for row in range(len(images))]
    first_seen = {row["left"]: row for row in reversed(seen.to_dict("records"))}
    where = [first_seen.get(row, {"source": "", "class": ""}) for row in range(len(images))]
    marked = images.assign(
        group=group, duplicate_of=np.where(copy, ids[first], ""), duplicate_class=classes,
        seen_in=[row["source"] for row in where], seen_class=[row["class"] for row in where],
    )  # fmt: skip
    why = f"{int(copy.sum())} copies and {len(set(seen['left']))} images of an index are marked and kept"
    ledger.record("copies", before=len(images), kept=len(images), why=why)
    return PolicyResult(marked, images.iloc[:0].assign(why=""))


def _edges(pairs: pd.DataFrame) -> Pairs:
    left, right = (pairs[end].to_numpy(np.int64) for end in ("left", "right"))
    return Pairs(left, right, np.zeros(len(pairs), np.int64))


def _same_group(images: pd.DataFrame) -> Pairs:
    """Join the rows of each existing group to its first row; rows without a group stay apart."""
    known = images.reset_index(drop=True)["group"]
    known = known[known.notna() & (known.astype(str) != "")].astype(str)
    left = known.index.to_series().groupby(known).transform("min").to_numpy(np.int64)
    return Pairs(left, known.index.to_numpy(np.int64), np.zeros(len(left), np.int64))


def _merged_tags(images: pd.DataFrame, cluster: NDArray[np.int64]) -> pd.Series:
    """Return for each image the tags of all images of its cluster, sorted."""
    unions: dict[int, set[str]] = {}
    for label, names in zip(cluster.tolist(), images["tags"], strict=True):
        unions.setdefault(label, set()).update(names)
    return pd.Series([sorted(unions[label]) for label in cluster.tolist()], index=images.index)


def _reasons(images: pd.DataFrame, seen: pd.DataFrame, cluster: NDArray[np.int64]) -> NDArray[np.str_]:
    """Return why each image is dropped whose cluster an index contains; empty for others."""
    matches = {
        int(cluster[row["left"]]): f"{row['class']} of {row['right_id']} in {row['source']}"
        for row in reversed(seen.to_dict("records"))
    }
    direct = set(seen["left"])
    texts = [matches.get(label, "") for label in cluster.tolist()]
    return np.array(
        [t if row in direct or not t else f"copy of an image that is {t}" for row, t in enumerate(texts)], np.str_
    )


def _why_seen(seen: pd.DataFrame, known: NDArray[np.bool_], unconfirmed: int) -> str:
    """Return the reason of the step that drops the images of an index; `unconfirmed` images are kept."""
    kept = f"; {unconfirmed:,} with only unconfirmed candidates are kept" if unconfirmed else ""
    if seen.empty:
        return f"no index was named, or no image is in one{kept}"
    matched = seen.drop_duplicates(["source", "left"])
    counts = Counter(zip(matched["class"], matched["source"], strict=True))
    found = ", ".join(f"{count} {name} in {source}" for (name, source), count in sorted(counts.items()))
    return f"{found}; also {int(known.sum()) - len(set(seen['left']))} of their copies{kept}"
