"""What label issues find, and what evidence there is that a recorded label is wrong, where the truth is known.

Usage: python scripts/simulate_label_issues.py [--images 6000] [--groups 12]

Tags come in groups of five that exclude each other but for 3 % of the images. Two taggers with correlated errors score the
images; in the worlds "by context" they also lower the score of a tag if they see another one of its group, as trained taggers
do. Labels are removed and added at random. Writes reports/benchmarks/label_issues.{json,md}.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from reporting import Options, machine_facts, machine_line, write_report

from arena.metrics.counts import divide
from arena.metrics.labels import LABEL_ISSUES_PER_TAG, find_label_issues, rank_label_issues

Bools = NDArray[np.bool_]
Scores = NDArray[np.float32]

GROUP = 5
"""Tags of one group."""

SECOND = 0.03
"""Share of the images with a tag of a group that get a second one."""

CONTEXT = 3.0
"""How much a tag that is surely there lowers the logits of the others of its group, in the worlds by context."""

NEIGHBOURS = 20
"""Images that the rule of neighbours looks at."""

RARE = 5
"""Two tags contradict each other if chance alone would bring them together `RARE` times, and `RARE` times as often as seen."""

THRESHOLDS = (0.14, 0.58)
"""Thresholds of the two taggers: the first predicts nearly twice as many tags as the second."""

TOP = (50, 500, 1000)
"""Lengths of the head of the list whose precision is reported."""


class Setting(NamedTuple):
    """Shares of the labels that are missing and wrong, and whether taggers use context."""

    missing: float
    wrong: float
    by_context: bool

    @property
    def title(self) -> str:
        """Return the name of the world."""
        return f"{share(self.missing)} missing, {share(self.wrong)} wrong{', by context' if self.by_context else ''}"


SETTINGS = (
    Setting(0.0, 0.0, False),
    Setting(0.1, 0.0, False),
    Setting(0.3, 0.0, False),
    Setting(0.3, 0.0, True),
    Setting(0.3, 0.005, True),
    Setting(0.3, 0.02, False),
    Setting(0.3, 0.02, True),
    Setting(0.3, 0.1, True),
)


class World(NamedTuple):
    """Truth and recorded labels, bool (images, tags), and the scores of both taggers, float32 (images, tags)."""

    truth: Bools
    recorded: Bools
    scores: Sequence[Scores]


def draw_truth(rng: np.random.Generator, images: int, groups: int) -> Bools:
    """Return tags in groups; 70 % of the images have a tag of a group, and `SECOND` of those another one."""
    truth = np.zeros((images, groups * GROUP), np.bool_)
    for first in range(0, groups * GROUP, GROUP):
        shares = rng.dirichlet(np.full(GROUP, 1.5)) * 0.7
        chosen = rng.choice(GROUP + 1, size=images, p=[*shares, 1 - shares.sum()])
        rows = np.flatnonzero(chosen < GROUP)
        truth[rows, first + chosen[rows]] = True
        both = rows[rng.random(len(rows)) < SECOND]
        truth[both, first + rng.integers(0, GROUP, len(both))] = True
    return truth


def record(rng: np.random.Generator, truth: Bools, setting: Setting) -> Bools:
    """Return the labels with some removed, and for each tag as many added as the share of its positives."""
    recorded = truth & (rng.random(truth.shape) >= setting.missing)
    for tag, labels in enumerate(truth.T):
        number = rng.binomial(int(labels.sum()), setting.wrong)
        recorded[rng.choice(np.flatnonzero(~labels), number, replace=False), tag] = True
    return recorded


def draw_world(setting: Setting, images: int, groups: int) -> World:
    """Return a world of one setting; the truth is the same for all settings."""
    rng = np.random.default_rng(1)
    truth = draw_truth(rng, images, groups)
    separation, shared = rng.uniform(1.7, 3.6, truth.shape[1]), rng.normal(size=truth.shape)
    prior = truth.mean(0).clip(1 / images, 1 - 1 / images)
    scores = []
    for _ in THRESHOLDS:
        seen = truth * separation + 0.9 * shared + 0.43 * rng.normal(size=truth.shape)
        logits = separation * seen - separation**2 / 2 + np.log(prior / (1 - prior))
        scores.append(sigmoid(lower_by_context(logits) if setting.by_context else logits))
    return World(truth, record(rng, truth, setting), scores)


def lower_by_context(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logits, each lowered by the scores of the other tags of its group."""
    parts: NDArray[np.floating[Any]] = sigmoid(logits).reshape(len(logits), -1, GROUP)
    others = parts.sum(2, keepdims=True) - parts
    return np.asarray(logits - CONTEXT * others.reshape(logits.shape))


def sigmoid(logits: NDArray[np.float64]) -> Scores:
    """Return scores of logits."""
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def missing_facts(world: World) -> dict[str, Any]:
    """Return how many missing labels are listed, how many rightly, and of each tagger's false positives the two shares."""
    found = [
        find_label_issues([one[:, tag] for one in world.scores], world.recorded[:, tag], tag=tag)
        for tag in range(world.truth.shape[1])
    ]
    listed = rank_label_issues(one.strongest(LABEL_ISSUES_PER_TAG) for one in found)
    right = world.truth[listed.image, listed.tag]
    suspected = np.zeros(world.truth.shape, np.bool_)
    for one in found:
        suspected[one.image, one.tag] = True
    wrongly = [(s >= np.float32(t)) & ~world.recorded for s, t in zip(world.scores, THRESHOLDS, strict=True)]
    return {
        "missing": int((world.truth & ~world.recorded).sum()),
        "listed": len(right),
        "right": {str(top): float(right[:top].mean()) for top in (*TOP, len(right)) if 0 < top <= len(right)},
        "false_positives": [
            {"truly": float(divide(world.truth[one].sum(), one.sum())),
             "suspected": float(divide(suspected[one].sum(), one.sum()))}
            for one in wrongly
        ],
    }  # fmt: skip


def low_everywhere(world: World) -> Bools:
    """Return the labels that every tagger scores no higher than the mean of the images without the tag."""
    low = world.recorded.copy()
    for scores in world.scores:
        others = np.where(world.recorded, 0, scores).sum(0) / (~world.recorded).sum(0)
        low &= scores <= others
    return low


def contradicted(recorded: Bools) -> Bools:
    """Return the labels on images that also have a tag which occurs with them far less often than by chance."""
    labels = recorded.astype(np.float64)
    together, chance = labels.T @ labels, np.outer(labels.sum(0), labels.sum(0)) / len(labels)
    contradict = (chance >= RARE) & (together <= chance / RARE)
    return recorded & (labels @ contradict > 0)


def alone_among_neighbours(world: World, low: Bools) -> Bools:
    """Return the labels of `low` that none of the images with the nearest scores of all other tags has."""
    mean = np.mean([np.log(one.clip(1e-6) / (1 - one).clip(1e-6)) for one in world.scores], axis=0)
    points, found = (mean - mean.mean(0)) / mean.std(0), np.zeros(low.shape, np.bool_)
    for tag in range(low.shape[1]):
        rows, others = np.flatnonzero(low[:, tag]), np.delete(points, tag, axis=1)
        squares = (others**2).sum(1)
        distance = squares[rows, None] - 2 * others[rows] @ others.T + squares
        distance[np.arange(len(rows)), rows] = np.inf
        nearest = np.argpartition(distance, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        found[rows, tag] = ~world.recorded[nearest, tag].any(1)
    return found


def wrong_facts(world: World) -> dict[str, dict[str, float | None]]:
    """Return for each rule how many labels it calls wrong, and the share that is."""
    low, rare = low_everywhere(world), contradicted(world.recorded)
    alone = alone_among_neighbours(world, low)
    rules = {"low": low, "neighbours": alone, "together": low & rare, "both": alone & rare}
    return {
        name: {"called": int(chosen.sum()), "right": float((~world.truth[chosen]).mean()) if chosen.any() else None}
        for name, chosen in rules.items()
    }


RULES = {
    "low": "every tagger scores it low",
    "neighbours": "… and no similar image has it",
    "together": "… and a tag that rarely occurs with it",
    "both": "all three",
}
"""Each rule for wrong labels as the heading of a column."""


def share(value: float | None) -> str:
    """Return a share in percent."""
    return "–" if value is None or np.isnan(value) else f"{value:.1%}".replace("%", " %")


def missing_rows(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table of missing labels."""
    yield "| world | missing | listed | right at 50 | at 500 | at 1,000 | of all | FP of A: truly, suspected | FP of B |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for title, facts in found.items():
        one = facts["missing"]
        right = [one["right"].get(str(top)) for top in (*TOP, one["listed"])]
        shares = [f"{share(each['truly'])}, {share(each['suspected'])}" for each in one["false_positives"]]
        yield f"| {title} | {one['missing']:,} | {one['listed']:,} | {' | '.join([*map(share, right), *shares])} |"


def wrong_rows(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table of wrong labels."""
    yield f"| world | wrong | {' | '.join(RULES.values())} |"
    yield "| --- " * (len(RULES) + 2) + "|"
    for title, facts in found.items():
        cells = [f"{facts['wrong'][rule]['called']:,}: {share(facts['wrong'][rule]['right'])}" for rule in RULES]
        yield f"| {title} | {facts['added']:,} | {' | '.join(cells)} |"


def report(found: Mapping[str, Mapping[str, Any]], facts: Mapping[str, Any]) -> list[str]:
    """Return the report as lines of Markdown."""
    return [
        f"# Label issues where the truth is known: {facts['images']:,} images, {facts['tags']} tags",
        "",
        f"Missing labels: the list holds at most {LABEL_ISSUES_PER_TAG} per tag. The last columns are shares of the false",
        f"positives of two taggers, A at {THRESHOLDS[0]} and B at {THRESHOLDS[1]}: those whose label is truly missing,",
        "and those that label issues suspect. A confident mistake is suspected too, so the share is not an estimate of the",
        "missing labels.",
        "",
        *missing_rows(found),
        "",
        "Wrong labels: how many recorded labels each rule calls wrong, and the share that is. Where no label is wrong, every",
        "rule still calls some. Whether most calls are right depends on the share of wrong labels, which is unknown. So no",
        "rule is used, and no recorded label is listed as wrong.",
        "",
        *wrong_rows(found),
        "",
        machine_line(facts),
        "Made by `python scripts/simulate_label_issues.py`.",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__)
    parser.add_size("--images", 6000, tiny=600)
    parser.add_size("--groups", 12, tiny=2)
    options = parser.read(arguments)
    found = {}
    for setting in SETTINGS:
        world = draw_world(setting, options.images, options.groups)
        added = int((world.recorded & ~world.truth).sum())
        found[setting.title] = {"missing": missing_facts(world), "added": added, "wrong": wrong_facts(world)}
    facts = {"images": options.images, "tags": options.groups * GROUP, "worlds": found, **machine_facts("numpy")}
    write_report(options.out, "label_issues", facts, report(found, facts))


if __name__ == "__main__":
    main()
