"""Which checkpoint of an ordered list lost a tag: a binary search whose every decision is a paired test.

A checkpoint has lost the tag where its figure lies below the first one's by more than the margin, and the paired test says
that this is no chance. It has kept it where the interval of the difference ends above the margin, or where it lies as surely
above the last one, which lost it. Everything else is undetermined, and is told so.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from arena.base.errors import ArenaError
from arena.base.files import write_json
from arena.evaluate import Entry, Settings, evaluate
from arena.metrics.registry import TESTED
from arena.pipeline.bisect.checkpoints import Bench
from arena.pipeline.bisect.search import Search, State, relapses, search, search_all

MARGIN = 0.05
"""What a tag may lose without having lost it."""

ALPHA = 0.05
"""The chance to name a checkpoint where none lost the tag, over all looks."""

RESAMPLES = 50
"""Of means that nobody reads here; the tests of a tag need none."""


@dataclass(frozen=True)
class Look:
    """What was seen of one checkpoint.

    Attributes:
        place: in the list, from 0.
        value, low, high: its figure with its interval; None where undefined.
        difference, difference_low, difference_high, p: held against the first; negative is a loss.
        why: what the state follows from.
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
class Answer:
    """Who lost the tag, and the way there.

    Attributes:
        looks: in the order in which they were taken; the first checkpoint itself comes first.
        kept, lost: the neighbours that the loss lies between; `lost` is None where no loss is known.
        open: names between them of which nothing is known.
        relapses: names of checkpoints that lost it, each with a later one that has it again.
        p: of the loss, times the tests that were made; None where nothing was tested.
    """

    tag: str
    figure: str
    margin: float
    dataset: str
    images: int
    positives: int
    checkpoints: Sequence[str]
    looks: Sequence[Look]
    kept: str
    lost: str | None
    open: Sequence[str] = ()
    relapses: Sequence[tuple[str, str]] = ()
    p: float | None = None
    searched_all: bool = field(default=False)

    @property
    def is_found(self) -> bool:
        """Whether one checkpoint is named beyond doubt."""
        return self.lost is not None and not self.open and (self.p is None or self.p <= ALPHA)

    def look_at(self, name: str) -> Look:
        """What was seen of a checkpoint by its name."""
        return next(look for look in self.looks if look.name == name)


def bisect(bench: Bench, *, figure: str = "f1", margin: float = MARGIN, every: bool = False) -> Answer:
    """Find the checkpoint that lost the tag; only those that decide are scored.

    Args:
        figure: of `registry.TESTED`.
        margin: what counts as no loss, 0 to 1.
        every: look at all of them, which also tells a tag that was lost and came back.

    Raises:
        ArenaError: no such figure, or the first checkpoint does not know the tag.
        IncomparableError: a run of other images.
    """
    if figure not in TESTED:
        raise ArenaError(f"--figure {figure}: a paired test is known for {' and '.join(TESTED)}")
    witness = _Witness(bench, figure, margin)
    number = len(bench.checkpoints)
    found = (search_all if every else search)(number, witness.look)
    tests = len(witness.looks)
    for place in range(1, number):  # what costs no run of a model may still speak against the answer
        if place not in witness.looks and bench.is_at_hand(place):
            witness.look(place)
    answer = _answer(witness, found, tests, every)
    write_json(bench.output / "bisect.json", {**asdict(answer), "found": answer.is_found})
    return answer


class _Witness:
    """Looks at checkpoints, and keeps what it saw."""

    def __init__(self, bench: Bench, figure: str, margin: float) -> None:
        self.bench, self.figure, self.margin = bench, figure, margin
        self.entries: dict[int, Entry | None] = {}
        self.looks: dict[int, Look] = {}
        self.last = len(bench.checkpoints) - 1
        entry = self.entry(0)
        if entry is None:
            name = bench.checkpoints[0].name
            raise ArenaError(f"{name}: the first checkpoint does not know {bench.tag}, so none can have lost it")
        self.first = entry

    def entry(self, place: int) -> Entry | None:
        """The scores of a place, made or read once."""
        if place not in self.entries:
            self.entries[place] = self.bench.entry(place)
        return self.entries[place]

    def look(self, place: int) -> State:
        """Hold a checkpoint against the first, and against the last where that one lost the tag."""
        name = self.bench.checkpoints[place].name
        self.bench.progress.note(f"looking at {name}, {place + 1} of {self.last + 1}")
        entry = self.entry(place)
        if entry is None:
            self.looks[place] = Look(place, name, State.LOST, "its tag list lacks the tag", lacks_tag=True)
        else:
            self.looks[place] = self._compare(place, entry)
        return self.looks[place].state

    def _compare(self, place: int, entry: Entry) -> Look:
        last = self.entry(self.last) if self._last_lost() else None
        entries = [self.first, entry, *([] if last is None else [last])]
        settings = Settings(min_positives=1, replicates=RESAMPLES, slices=())
        result = evaluate(self.bench.truth, entries, settings)
        pairs = result.tables["tag_differences"].set_index(["first", "second"])
        lost = self._difference(pairs, self.first, entry)
        figures = result.per_tag.set_index("model").loc[entry.name]
        value, low, high = (_number(figures[f"{self.figure}{end}"]) for end in ("", "_low", "_high"))
        if last is not None:
            above = self._is_beyond(self._difference(pairs, entry, last))
        else:  # one whose tag list lacks the tag never predicts it: its figure is 0
            above = self._last_lost() and low is not None and low > self.margin
        state, why = self._judge(lost, above)
        return Look(
            place, entry.name, state, why, value, low, high,
            difference=_less(lost["difference"]), difference_low=_less(lost["high"]), difference_high=_less(lost["low"]),
            p=lost["p"],
        )  # fmt: skip

    def _last_lost(self) -> bool:
        """Whether the last is known to have lost the tag; only then does it say anything to lie above it."""
        return self.last in self.looks and self.looks[self.last].state is State.LOST

    def _difference(self, pairs: pd.DataFrame, first: Entry, second: Entry) -> dict[str, float | None]:
        names = first.name, second.name
        return {end: _number(pairs[f"{self.figure}_{end}"][names]) for end in ("difference", "low", "high", "p")}

    def _judge(self, lost: dict[str, float | None], above: bool) -> tuple[State, str]:
        """The state, from the loss against the first, and from whether it lies above a last one that lost the tag."""
        within = f"{self.margin:g}"
        if self._is_beyond(lost):
            return State.LOST, f"below the first by more than {within}"
        if above:
            return State.KEPT, f"above the last by more than {within}"
        if lost["high"] is not None and lost["high"] <= self.margin:
            return State.KEPT, f"below the first by no more than {within}"
        if lost["difference"] is None:
            return State.UNDETERMINED, "its figure is undefined"
        return State.UNDETERMINED, "too few images to tell"

    def _is_beyond(self, pair: dict[str, float | None]) -> bool:
        difference, p = pair["difference"], pair["p"]
        return difference is not None and p is not None and difference > self.margin and p <= ALPHA


def _answer(witness: _Witness, found: Search, tests: int, every: bool) -> Answer:
    bench = witness.bench
    names = [one.name for one in bench.checkpoints]
    states = {0: State.KEPT} | {place: look.state for place, look in witness.looks.items()}
    single = None if found.lost is None else witness.looks[found.lost].p
    return Answer(
        bench.tag, witness.figure, witness.margin, bench.heldout.card.name, bench.images, bench.positives, names,
        [_first_look(witness), *witness.looks.values()], names[found.kept],
        None if found.lost is None else names[found.lost], [names[place] for place in found.open],
        [(names[lost], names[after]) for lost, after in relapses(states)],
        None if single is None else min(1.0, single * tests), every,
    )  # fmt: skip


def _first_look(witness: _Witness) -> Look:
    settings = Settings(min_positives=1, replicates=RESAMPLES, slices=())
    figures = evaluate(witness.bench.truth, [witness.first], settings).per_tag.iloc[0]
    value, low, high = (_number(figures[f"{witness.figure}{end}"]) for end in ("", "_low", "_high"))
    return Look(0, witness.first.name, State.KEPT, "the first", value, low, high)


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def _less(value: float | None) -> float | None:
    """The other way round: candidate less first."""
    return None if value is None else 0.0 - value
