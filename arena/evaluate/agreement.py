"""What models say about pictures without labels: agreement, tags that one model gives alone, and broken rules between tags."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csc_array, csr_array

from arena.evaluate.unlabelled import Pictures, read_scores
from arena.metrics.agreement import (
    Rules,
    Share,
    broken_exclusions,
    broken_implications,
    mean_over_images,
    only_one,
    pair_sums,
    share_of,
)
from arena.metrics.counts import Floats, Integers

TAGS_ALONE = 12
"""Tags of each model that are listed because only this model gives them."""

EXAMPLES = 4
"""Images of each of these tags that are named."""

WORST_RULES = 10
"""Rules of each model and kind that are listed, those with the most broken cases."""


def agreement(pictures: Pictures) -> list[dict[str, Any]]:
    """Return the agreement of every pair of models on the tags that both know: over all of them, and by category.

    Each entry has `first`, `second` and `parts`; a part has `category` (None for all), `tags`, `equal` (share of equal
    decisions) and `jaccard` (mean over the images where either gives a tag). Without a common tag, `parts` is empty.
    """
    return [
        {"first": first, "second": second, "parts": list(_parts(pictures, first, second))}
        for first, second in combinations(pictures.predicted, 2)
    ]


def _parts(pictures: Pictures, first: str, second: str) -> Iterable[dict[str, Any]]:
    common = np.flatnonzero(pictures.known[first] & pictures.known[second])
    if not len(common):
        return
    tags = pictures.truth.tags
    by_category: dict[str, list[int]] = {}
    for tag in common:
        by_category.setdefault(tags.category(int(tag)), []).append(int(tag))
    one, other = pictures.predicted[first], pictures.predicted[second]
    rows = [(None, common), *((name, np.array(by_category[name])) for name in sorted(by_category))]
    for category, columns in rows if len(by_category) > 1 else rows[:1]:
        yield {"category": category, "tags": len(columns), **_agreement(one, other, columns, pictures.units)}


def _agreement(one: csc_array, other: csc_array, columns: Integers, units: Integers | None) -> dict[str, Any]:
    sums = pair_sums(csr_array(one[:, columns]), csr_array(other[:, columns]))
    cells = np.full(len(sums.both), float(len(columns)))
    equal = share_of(cells - (sums.either - sums.both), cells, units)
    return {"equal": equal._asdict(), "jaccard": mean_over_images(sums.jaccard, units)._asdict()}


def given_alone(pictures: Pictures) -> dict[str, dict[str, Any]]:
    """Return, for each model, the decisions that no other model makes, on tags that at least one other model knows.

    An entry has `decisions`, `of` (all decisions on these tags), `unknown_to_others` (number of tags that only this model
    knows) and `tags`, the most frequent ones with `images`, `given` (all images to which the model gives the tag) and
    `examples`.
    """
    found = {}
    for one in pictures.models:
        name = one.entry.name
        others = [other for other in pictures.predicted if other != name]
        elsewhere = np.any([pictures.known[other] for other in others], axis=0) if others else np.zeros(0, np.bool_)
        shared = np.flatnonzero(pictures.known[name] & elsewhere) if others else np.empty(0, np.int64)
        own = csc_array(pictures.predicted[name][:, shared])
        alone = only_one(own, [csc_array(pictures.predicted[other][:, shared]) for other in others])
        given = np.diff(own.indptr)
        order = [place for place in np.argsort(-alone.images, kind="stable")[:TAGS_ALONE] if alone.images[place]]
        found[name] = {
            "decisions": int(alone.images.sum()),
            "of": int(given.sum()),
            "unknown_to_others": int((pictures.known[name] & ~elsewhere).sum()) if others else 0,
            "tags": [
                {
                    "tag": pictures.truth.tags.names[shared[place]],
                    "category": pictures.truth.tags.category(int(shared[place])),
                    "images": int(alone.images[place]),
                    "given": int(given[place]),
                    "examples": _examples(pictures, one, int(shared[place]), _rows(alone.where, int(place))),
                }
                for place in order
            ],
        }
    return found


def _rows(matrix: csc_array, column: int) -> Integers:
    return np.asarray(matrix.indices[matrix.indptr[column] : matrix.indptr[column + 1]], np.int64)


def _examples(pictures: Pictures, one: Any, tag: int, rows: Integers) -> list[dict[str, Any]]:
    """Return the images with the highest scores of the model; ties by place."""
    scores = read_scores(one, np.array([tag]))[rows, 0]
    best = np.argsort(-scores, kind="stable")[:EXAMPLES]
    return [
        {"image_id": pictures.truth.image_ids[rows[place]], "score": round(float(scores[place]), 4)} for place in best
    ]


class RuleSet(NamedTuple):
    """Rules between the tags of all models."""

    implications: Rules
    exclusions: Rules


def rules_of(pictures: Pictures, exclusive: Iterable[tuple[str, str]]) -> RuleSet:
    """Return the implications of the relations, and the pairs of tags that exclude each other, as columns.

    Args:
        exclusive: pairs of canonical names; names without a column are left out.
    """
    index = pictures.truth.tags.index
    implied = sorted(
        (index[name], index[general])
        for name, generals in pictures.truth.relations.implications.items()
        for general in generals
        if name in index and general in index
    )
    known = ((index[one], index[other]) for one, other in exclusive if one in index and other in index)
    pairs = sorted({(min(pair), max(pair)) for pair in known if pair[0] != pair[1]})
    return RuleSet(_rules(implied), _rules(pairs))


def _rules(pairs: Sequence[tuple[int, int]]) -> Rules:
    return Rules(*(np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1)))


def broken_rules(pictures: Pictures, rules: RuleSet) -> dict[str, dict[str, Any]]:
    """Return, for each model, the broken implications and exclusions: over the rules it knows, and over those all know.

    `implications` and `exclusions` have `rules`, `share` (see `broken_implications` and `broken_exclusions` for the cases),
    `shared_rules`, `shared` and `worst`.
    """
    every = np.all(list(pictures.known.values()), axis=0)
    found: dict[str, dict[str, Any]] = {}
    for name, predicted in pictures.predicted.items():
        found[name] = {
            kind: _broken(pictures, predicted, kind, (one.known(pictures.known[name]), one.known(every)))
            for kind, one in (("implications", rules.implications), ("exclusions", rules.exclusions))
        }
    return found


def _broken(pictures: Pictures, predicted: csc_array, kind: str, rules: tuple[Rules, Rules]) -> dict[str, Any]:
    count = broken_implications if kind == "implications" else broken_exclusions
    own, shared = (count(predicted, one) for one in rules)
    names, given = pictures.truth.tags.names, np.diff(predicted.indptr)
    worst = [place for place in np.argsort(-own.by_rule, kind="stable")[:WORST_RULES] if own.by_rule[place]]
    return {
        "rules": len(rules[0]),
        "share": _share(own.broken, own.cases, pictures.units),
        "images": int((own.broken > 0).sum()),
        "shared_rules": len(rules[1]),
        "shared": _share(shared.broken, shared.cases, pictures.units),
        "worst": [
            {
                "first": names[rules[0].first[place]],
                "second": names[rules[0].second[place]],
                "broken": int(own.by_rule[place]),
                "cases": int(given[rules[0].first[place]]),
            }
            for place in worst
        ],
    }


def _share(hits: Floats, cases: Floats, units: Integers | None) -> Mapping[str, float]:
    found: Share = share_of(hits, cases, units)
    return found._asdict()


EXPECTED_TOGETHER = 5.0
"""Images with both tags that chance would give, from which on a pair that never occurs together is taken as exclusive. Chance
alone gives none in 0.7 % of such pairs. On random halves of the demo, an eighth of these pairs occur together in the other one,
in 2 % of the images that chance would give."""

MOST_EXCLUSIVE = 100_000
"""Largest number of exclusive pairs from labels; those with the most images by chance are kept."""

_ROWS = 512
"""Tags that are compared with all others at a time."""


def exclusive_by_labels(labels: csc_array) -> list[tuple[int, int]]:
    """Return the pairs of tags that labels never have together, although chance would give `EXPECTED_TOGETHER` images or more.

    Args:
        labels: bool (images, tags).

    >>> exclusive_by_labels(csc_array(np.repeat([[True, False, True], [False, True, True]], 10, axis=0)))
    [(0, 1)]
    """
    images, counts = max(1, labels.shape[0]), np.diff(labels.indptr).astype(np.float64)
    frequent = np.flatnonzero(counts * counts.max(initial=0) >= EXPECTED_TOGETHER * images)
    kept = csc_array(labels[:, frequent]).astype(np.int64)
    pairs: list[tuple[float, int, int]] = []
    for start in range(0, len(frequent), _ROWS):
        rows = slice(start, start + _ROWS)
        together = np.asarray((kept[:, rows].T @ kept).todense())
        expected = np.outer(counts[frequent[rows]], counts[frequent]) / images
        after = np.arange(len(frequent)) > np.arange(start, start + len(together))[:, None]
        first, second = np.nonzero((together == 0) & (expected >= EXPECTED_TOGETHER) & after)
        ends = zip(frequent[start + first].tolist(), frequent[second].tolist(), strict=True)
        pairs += [(-value, *pair) for value, pair in zip(expected[first, second].tolist(), ends, strict=True)]
    return sorted((one, other) for _, one, other in sorted(pairs)[:MOST_EXCLUSIVE])
