"""Differences by judged truth while questions are answered, computed in a thread of their own."""

import math
import threading
import time
from typing import Any

import pandas as pd

from arena.base.errors import ArenaError
from arena.base.format import interval, signed
from arena.dataset.answer_book import AnswerBook
from arena.evaluate.answers import LEAST_ANSWERS
from arena.evaluate.judged import Cells, Judged, estimate_judged, read_cells
from arena.evaluate.judged_partly import answered_part
from arena.metrics.intervals import resampled_interval
from arena.metrics.judged import Estimated
from arena.metrics.registry import METRICS
from arena.view.viewed_run import ViewedRun

_SHOWN = ("macro_f1", "micro_f1")
_IDLE = 10.0
"""Least pause after a computation, as a multiple of its time: it takes at most a tenth of a core from the answers."""

_LEAST_PAUSE_S = 2.0


class Estimator:
    """Computes differences again when there are new answers; a caller never waits."""

    def __init__(self, run: ViewedRun, book: AnswerBook) -> None:
        self._run, self._book = run, book
        self._cells: Cells | None = None
        self._mutex = threading.Lock()
        self._done: tuple[int, str] = (-1, "")
        self._next = 0.0
        self._latest: dict[str, Any] = {}

    def latest(self, plan: pd.DataFrame) -> dict[str, Any]:
        """Return the last estimates, and start to compute new ones if there are new answers.

        Returns: `differences`, a list of a row per pair and metric, and `answers`; or `reason` if there are none.
        """
        wanted = (self._book.version, str(plan["plan"].iloc[0]) if len(plan) else "")
        if wanted[1] != self._done[1]:
            self._latest = {}
        if wanted != self._done and time.monotonic() >= self._next and self._mutex.acquire(blocking=False):
            threading.Thread(target=self._compute, args=(plan, wanted), name="estimates", daemon=True).start()
        return self._latest

    def _compute(self, plan: pd.DataFrame, wanted: tuple[int, str]) -> None:
        started = time.monotonic()
        try:
            self._latest = self._estimate(plan)
        except ArenaError as error:
            self._latest = {"reason": str(error)}
        finally:
            took = time.monotonic() - started
            self._done, self._next = wanted, time.monotonic() + max(_LEAST_PAUSE_S, _IDLE * took)
            self._mutex.release()

    def _estimate(self, plan: pd.DataFrame) -> dict[str, Any]:
        answers = self._book.table()
        clear = int(((answers["plan"] == plan["plan"].iloc[0]) & (answers["answer"] != "unclear")).sum())
        if clear < LEAST_ANSWERS:
            return {"reason": f"Differences are shown from {LEAST_ANSWERS} clear answers on; {clear:,} so far."}
        if self._cells is None:
            stored = self._run.stored
            self._cells = read_cells(stored.truth.truth, stored.entries, stored.settings)
        judged = estimate_judged(self._cells, answers, answered_part(plan, answers))
        return {"answers": judged.answers, "differences": _rows(judged)}


def _rows(judged: Judged) -> list[dict[str, Any]]:
    return [
        {"pair": f"{first} − {second}", "metric": METRICS[name].heading, **_row(each[name])}
        for (first, second), each in judged.pairs.items()
        for name in _SHOWN
    ]


def _row(one: Estimated) -> dict[str, Any]:
    ends = resampled_interval(one.value, one.standard_error, math.inf)
    low, high = float(ends.low), float(ends.high)
    return {"value": signed(one.value), "range": interval(low, high, signed), "low": low, "high": high}
