"""Find the checkpoint of an ordered list that lost a tag, by a binary search in which every decision is a paired test.

A checkpoint has lost the tag if its metric is below the first checkpoint's by more than the margin and the paired test is
significant. It has kept the tag if the interval of its loss ends at or below the margin, or if it is above the last checkpoint,
which lost the tag, by more than the margin and significantly. Otherwise it is undetermined.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from arena.base.errors import ArenaError
from arena.base.files import write_json
from arena.evaluate import Entry, Settings, evaluate
from arena.metrics.registry import TESTED
from arena.pipeline.bisect.checkpoints import CheckpointScores
from arena.pipeline.bisect.search import SearchResult, State, binary_search, linear_search, relapses

MARGIN = 0.05
"""Default loss of the metric that still counts as kept."""

BISECT_ALPHA = 0.05
"""Significance level of each paired test, and of the answer after correction for the number of tests."""

_RESAMPLES = 50
"""Bootstrap resamples; few, because only means depend on them, and means are not used here."""


@dataclass(frozen=True)
class CheckpointResult:
    """The result for one checkpoint.

    Attributes:
        place: position in the list, from 0.
        why: the reason for the state.
        value, low, high: the metric and its interval; None if undefined.
        difference, difference_low, difference_high, p: the paired test against the first checkpoint; negative is a loss.
        lacks_tag: whether the checkpoint's tag list lacks the tag.
    """

    place: int
    name: str
    state: State
    why: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    p: float | None = None
    lacks_tag: bool = False


@dataclass(frozen=True)
class BisectionResult:
    """The checkpoint that lost the tag, and the results that led to it.

    Attributes:
        figure: key of the metric.
        looks: results in the order of the tests; the first checkpoint comes first.
        kept, lost: the last checkpoint that kept the tag, and the first that lost it; `lost` is None if no loss was found.
        open: names of undetermined checkpoints between the two.
        relapses: names of checkpoints that lost the tag, each with a later one that has it again.
        p: p-value of the loss, multiplied by the number of tests; None if no test was made.
        searched_all: whether every checkpoint was tested.
    """

    tag: str
    figure: str
    margin: float
    dataset: str
    images: int
    positives: int
    checkpoints: Sequence[str]
    looks: Sequence[CheckpointResult]
    kept: str
    lost: str | None
    open: Sequence[str] = ()
    relapses: Sequence[tuple[str, str]] = ()
    p: float | None = None
    searched_all: bool = field(default=False)

    @property
    def is_found(self) -> bool:
        """Whether the loss is attributed to one checkpoint: none is undetermined, and the p-value is at most `BISECT_ALPHA`."""
        return self.lost is not None and not self.open and (self.p is None or self.p <= BISECT_ALPHA)

    @property
    def is_kept(self) -> bool:
        """Whether the last checkpoint kept the tag, so that no checkpoint lost it permanently."""
        return self.lost is None and self.look_at(self.checkpoints[-1]).state is State.KEPT

    def look_at(self, name: str) -> CheckpointResult:
        """The result for a checkpoint by its name."""
        return next(look for look in self.looks if look.name == name)


def bisect_checkpoints(
    bench: CheckpointScores, *, figure: str = "f1", margin: float = MARGIN, every: bool = False
) -> BisectionResult:
    """Find the checkpoint that lost the tag, and write `bisect.json`; only checkpoints that the search needs are scored.

    Args:
        figure: key of a metric of `registry.TESTED`.
        margin: loss of the metric that still counts as kept, 0 to 1.
        every: test all checkpoints, which also detects a tag that was lost and came back.

    Raises:
        ArenaError: the metric is unknown, or the first checkpoint does not know the tag.
        IncomparableError: a run was scored on other images.
    """
    if figure not in TESTED:
        raise ArenaError(f"--figure {figure}: only {' and '.join(TESTED)} have a paired test")
    tester = _Tester(bench, figure, margin)
    number = len(bench.checkpoints)
    found = (linear_search if every else binary_search)(number, tester.look)
    tests = len(tester.looks)
    for place in range(1, number):  # checkpoints with stored scores cost nothing, and may contradict the answer
        if place not in tester.looks and bench.is_at_hand(place):
            tester.look(place)
    answer = _answer(tester, found, tests, every)
    write_json(bench.output / "bisect.json", {**asdict(answer), "found": answer.is_found})
    return answer


class _Tester:
    """Tests checkpoints against the first one, and keeps the results."""

    def __init__(self, bench: CheckpointScores, figure: str, margin: float) -> None:
        self.bench, self.figure, self.margin = bench, figure, margin
        self.entries: dict[int, Entry | None] = {}
        self.looks: dict[int, CheckpointResult] = {}
        self.last = len(bench.checkpoints) - 1
        entry = self.entry(0)
        if entry is None:
            name = bench.checkpoints[0].name
            raise ArenaError(f"{name}: the first checkpoint does not know {bench.tag}, so none can have lost it")
        self.first = entry

    def entry(self, place: int) -> Entry | None:
        """The scores of a checkpoint, computed or read once; None if it does not know the tag."""
        if place not in self.entries:
            self.entries[place] = self.bench.entry(place)
        return self.entries[place]

    def look(self, place: int) -> State:
        """Test a checkpoint against the first, and against the last if that one lost the tag."""
        name = self.bench.checkpoints[place].name
        self.bench.progress.note(f"testing {name}, {place + 1} of {self.last + 1}")
        entry = self.entry(place)
        if entry is None:
            self.looks[place] = CheckpointResult(place, name, State.LOST, "its tag list lacks the tag", lacks_tag=True)
        else:
            self.looks[place] = self._compare(place, entry)
        return self.looks[place].state

    def _compare(self, place: int, entry: Entry) -> CheckpointResult:
        last = self.entry(self.last) if self._last_lost() else None
        entries = [self.first, entry, *([] if last is None else [last])]
        settings = Settings(min_positives=1, replicates=_RESAMPLES, slices=())
        result = evaluate(self.bench.truth, entries, settings)
        pairs = result.tables["tag_differences"].set_index(["first", "second"])
        lost = self._difference(pairs, self.first, entry)
        figures = result.per_tag.set_index("model").loc[entry.name]
        value, low, high = (_number(figures[f"{self.figure}{end}"]) for end in ("", "_low", "_high"))
        if last is not None:
            above = self._is_beyond(self._difference(pairs, entry, last))
        else:  # the last checkpoint may lack the tag: it never predicts it, so its metric is 0
            above = self._last_lost() and low is not None and low > self.margin
        state, why = self._judge(lost, above)
        return CheckpointResult(
            place, entry.name, state, why, value, low, high,
            difference=_negated(lost["difference"]), difference_low=_negated(lost["high"]),
            difference_high=_negated(lost["low"]),
            p=lost["p"],
        )  # fmt: skip

    def _last_lost(self) -> bool:
        """Whether the last checkpoint is known to have lost the tag; otherwise a comparison with it proves nothing."""
        return self.last in self.looks and self.looks[self.last].state is State.LOST

    def _difference(self, pairs: pd.DataFrame, first: Entry, second: Entry) -> dict[str, float | None]:
        names = first.name, second.name
        return {end: _number(pairs[f"{self.figure}_{end}"][names]) for end in ("difference", "low", "high", "p")}

    def _judge(self, lost: dict[str, float | None], above: bool) -> tuple[State, str]:
        """The state and its reason.

        Args:
            lost: the loss against the first checkpoint, with its interval and p-value.
            above: whether the checkpoint is significantly above the last one, which lost the tag.
        """
        within = f"{self.margin:g}"
        if self._is_beyond(lost):
            return State.LOST, f"below the first by more than {within}"
        if above:
            return State.KEPT, f"above the last by more than {within}"
        if lost["high"] is not None and lost["high"] <= self.margin:
            return State.KEPT, f"below the first by no more than {within}"
        if lost["difference"] is None:
            return State.UNDETERMINED, "its metric is undefined"
        return State.UNDETERMINED, "too few images to decide"

    def _is_beyond(self, pair: dict[str, float | None]) -> bool:
        difference, p = pair["difference"], pair["p"]
        return difference is not None and p is not None and difference > self.margin and p <= BISECT_ALPHA


def _answer(tester: _Tester, found: SearchResult, tests: int, every: bool) -> BisectionResult:
    bench = tester.bench
    names = [one.name for one in bench.checkpoints]
    states = {0: State.KEPT} | {place: look.state for place, look in tester.looks.items()}
    single = None if found.lost is None else tester.looks[found.lost].p
    return BisectionResult(
        bench.tag, tester.figure, tester.margin, bench.heldout.card.name, bench.images, bench.positives, names,
        [_first_look(tester), *tester.looks.values()], names[found.kept],
        None if found.lost is None else names[found.lost], [names[place] for place in found.open],
        [(names[lost], names[after]) for lost, after in relapses(states)],
        None if single is None else min(1.0, single * tests), every,
    )  # fmt: skip


def _first_look(tester: _Tester) -> CheckpointResult:
    settings = Settings(min_positives=1, replicates=_RESAMPLES, slices=())
    figures = evaluate(tester.bench.truth, [tester.first], settings).per_tag.iloc[0]
    value, low, high = (_number(figures[f"{tester.figure}{end}"]) for end in ("", "_low", "_high"))
    return CheckpointResult(0, tester.first.name, State.KEPT, "the first", value, low, high)


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _negated(value: float | None) -> float | None:
    """Turn first minus checkpoint into checkpoint minus first; never negative zero."""
    return None if value is None else 0.0 - value
