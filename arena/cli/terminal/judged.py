"""Terminal output of metrics by judged truth, next to those by recorded labels."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from arena.base.format import figure, interval, one_line, signed
from arena.metrics.registry import METRICS
from arena.report.view_model.judged import (
    Estimate,
    completeness,
    judged_contrasts,
    judged_facts,
    judged_levels,
    judged_verdict,
    other_policies_judged,
    share_text,
)

_LABELS, _TRUTH = "labels", "judged"

_SHOWN = ("macro_f1", "micro_f1", "micro_precision", "micro_recall")

_MAX_DIFFERENCES = 9
"""Largest number of sentences on differences; three models have six."""


def show_judged(console: Console, payload: Mapping[str, Any]) -> None:
    """Print the metrics and differences by judged truth, the state of the labels, and the verdict; nothing without judgements.

    Args:
        payload: `view.headline_view` of a run with judgements.
    """
    if "judged" not in payload:
        return
    if levels := judged_levels(payload):
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("model", "by", *(METRICS[key].short for key in _SHOWN)):
            table.add_column(name, justify="left" if name in ("model", "by") else "right", no_wrap=name != "model")
        for one in levels:
            for by, of in ((_LABELS, one.by_labels), (_TRUTH, one.by_truth)):
                table.add_row(Text(one.name if by == _LABELS else ""), by, *(_level(of[key]) for key in _SHOWN))
        contrasts = judged_contrasts(payload, _SHOWN)
        for pair in dict.fromkeys((one.first, one.second) for one in contrasts):
            of_pair = {one.figure: one for one in contrasts if (one.first, one.second) == pair}
            rows = {
                _LABELS: {key: one.labels for key, one in of_pair.items()},
                _TRUTH: {key: one.truth for key, one in of_pair.items()},
            }
            for by, cells in rows.items():
                label = Text(f"{pair[0]} - {pair[1]}" if by == _LABELS else "")
                table.add_row(label, by, *(_difference(cells[key]) for key in _SHOWN))
        console.print(table)
    verdict = judged_verdict(payload)
    more = len(verdict) - _MAX_DIFFERENCES
    lines = [*verdict[:_MAX_DIFFERENCES], *([f"and {more} more in summary.json"] if more > 0 else [])]
    lines += filter(
        None, [_effective(payload), other_policies_judged(payload), *judged_facts(payload), _parts(payload)]
    )
    for line in lines:
        console.print(one_line(f"judged: {line}"), markup=False)


def _level(one: Estimate) -> str:
    return f"{figure(one.value)}\n{interval(one.low, one.high)}".rstrip()


def _difference(one: Estimate) -> str:
    return f"{signed(one.value)}\n{interval(one.low, one.high, signed)}".rstrip()


def _effective(payload: Mapping[str, Any]) -> str:
    """Return the effective number of answers of each difference; empty without any."""
    known = [one for one in judged_contrasts(payload) if one.effective is not None]
    parts = [f"{one.first} - {one.second}, {METRICS[one.figure].title}: {one.effective:,}" for one in known]
    return f"effective answers: {'; '.join(parts[:_MAX_DIFFERENCES])}" if parts else ""


def _parts(payload: Mapping[str, Any]) -> str:
    """Return how complete the labels are by category and class of support; empty if all tags are of one kind."""
    parts = [f"{one.title} {share_text(one.complete)}" for one in completeness(payload)[1:]]
    return f"labels complete: {'; '.join(parts)}" if len(parts) > 1 else ""
