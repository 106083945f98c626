"""Terminal output of the `baseline` verbs: the baseline, metrics over releases, bisections."""

import os
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from arena.base.format import clipped, figure, interval, listed, moment, one_line, probability, signed
from arena.cli.terminal.console import results_console
from arena.metrics.registry import HEADLINES, METRICS
from arena.pipeline.bisect.bisect import BISECT_ALPHA, BisectionResult
from arena.report.history.rows import history_notes, history_rows
from arena.report.history.series import History
from arena.results.baselines.log import DIGEST_DIGITS, Baseline
from arena.results.baselines.store import changed_file
from arena.results.own_tags import also_known

NAME_WIDTH = 19
"""Largest width of a tag's or release's name; a row with four metrics then fits 80 columns."""

CHECKPOINT_WIDTH = 16
"""Largest width of a checkpoint's name; a row with six more cells then fits 80 columns."""


def show_baseline(one: Baseline) -> None:
    """Print one baseline: run, reason, date, digest and headline metrics."""
    console = results_console()
    console.print(Text(one_line(one.name), style="bold"), soft_wrap=True)
    kept = "with its scores" if one.has_scores else "without its scores"
    lines = {
        "reason": one.reason, "set": moment(one.created), "run": _from_here(one),
        "model": one.model if one.model != one.name else "",
        "dataset": f"{one.dataset.get('title') or one.dataset.get('name')}, {one.dataset['images']:,} images",
        "digest": one.digest[:DIGEST_DIGITS], "kept": f"{os.path.relpath(one.copy)}, {kept}", "signature": one.signature,
    }  # fmt: skip
    for key, text in lines.items():
        if text:
            console.print(Text(f"  {key:<10}{one_line(text)}"), soft_wrap=True)
    for key, name in HEADLINES.items():
        value = one.figures[key]
        tags = f"over {value['tags']:,} tags" if value["tags"] is not None else ""
        own = value.get("own")  # only in a run of several models
        over_own = (
            f"{figure(own['value'])} over all its {own['tags']:,} tags" if own and own["tags"] is not None else ""
        )
        plain = f"as published {figure(value['value'])}" if "corrected" in value else ""
        shown = figure(value.get("corrected", value["value"]))
        line = "  ".join([f"  {name:<10}{shown}", interval(value["low"], value["high"]), plain, tags, over_own])
        console.print(Text(line.rstrip()), soft_wrap=True)
    if others := next(iter(one.figures.values())).get("compared_with"):
        console.print(Text(f"  {'tags':<10}those{also_known(others)}"), soft_wrap=True)
    if wrong := changed_file(one):
        console.print(Text(f"  {'CHANGED':<10}{one_line(wrong)}", style="bold red"), soft_wrap=True)


def show_earlier(log: Sequence[Baseline]) -> None:
    """Print the earlier baselines, newest first."""
    if not log:
        return
    table = _table("set before", "on", *HEADLINES.values(), "reason")
    for one in reversed(log):
        cells = [figure(one.figures[key].get("corrected", one.figures[key]["value"])) for key in HEADLINES]
        table.add_row(_name(one.name), one.created[:10], *cells, Text(clipped(one_line(one.reason), 60)))
    console = results_console()
    console.print()
    console.print(table)


def show_history(history: History) -> None:
    """Print one row per metric and release, with the interval and the change from the previous release."""
    console = results_console()
    table = _table("metric", "release", "", "95 % interval", "change", right=(2, 4))
    of_tags = False
    for row in history_rows(history):
        if row.track in history.tags and not of_tags:
            of_tags = True
            table.add_row()
            table.add_row(Text(f"{METRICS[history.figure].title} of", style="bold"))
        several = f" [{row.series + 1}]" if len(row.track.series) > 1 else ""
        table.add_row(
            _name(row.track.title) if row.is_first else "", _name(row.release, several), figure(row.point.value),
            interval(row.point.low, row.point.high),
            "" if row.change is None else signed(row.change) + (" *" if row.apart else ""),
        )  # fmt: skip
    console.print(table)
    console.print()
    marked = any(row.apart for row in history_rows(history))
    for note in (["* the two intervals do not overlap."] if marked else []) + history_notes(history):
        console.print(Text(one_line(note), style="dim"))


def _table(*names: str, right: Sequence[int] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(names):
        table.add_column(Text(name), justify="right" if place in right else "left", no_wrap=place in right)
    return table


def _name(name: str, suffix: str = "") -> Text:
    return Text(clipped(one_line(name), NAME_WIDTH - len(suffix)) + suffix)


def _from_here(one: Baseline) -> str:
    """Path of the baseline's run relative to the current folder; its name marked "(gone)" if it is not found."""
    if one.origin is None:
        return f"{one.run} (gone)"
    try:
        return os.path.relpath(one.origin.resolve())
    except ValueError:
        return one.run


def show_answer(answer: BisectionResult) -> None:
    """Print the steps of a bisection, one row per examined checkpoint, and the notes on them."""
    table = _table(
        "", "checkpoint", METRICS[answer.figure].title, "change", "95 % interval", "p", "", right=(0, 2, 3, 5)
    )
    for look in answer.looks:
        change = "" if look.difference is None else signed(look.difference)
        ends = interval(look.difference_low, look.difference_high, signed)
        p = "" if look.p is None else probability(look.p)
        name, state = Text(clipped(one_line(look.name), CHECKPOINT_WIDTH)), look.state if look.place else "the first"
        table.add_row(str(look.place + 1), name, figure(look.value), change, ends, p, state)
    console = results_console()
    console.print(table)
    for line in _notes(answer):
        console.print(Text(one_line(line)))


def _notes(answer: BisectionResult) -> list[str]:
    name, shown = METRICS[answer.figure].title, len(answer.checkpoints)
    tag = clipped(answer.tag)
    looked = f"{len(answer.looks)} of {shown} checkpoints were scored"
    lines = [
        f"{looked}, on {answer.images:,} images of {answer.dataset}, {answer.positives:,} of them with {tag}.",
        f"change: from the first checkpoint. lost: {name} fell by more than {answer.margin:g} (p ≤ {BISECT_ALPHA:g}).",
        f"kept: such a loss is ruled out, or {name} is significantly higher than for the last, which lost the tag.",
    ]
    lines += [f"{look.name}: its tag list lacks {tag}" for look in answer.looks if look.lacks_tag]
    for lost, again in answer.relapses:
        lines.append(
            f"not monotone: {lost} has lost the tag, the later {again} has it; score every checkpoint with --all"
        )
    return lines


def answer_line(answer: BisectionResult) -> str:
    """Result of a bisection in one line."""
    name = METRICS[answer.figure].title
    if answer.lost is None:
        last = answer.look_at(answer.checkpoints[-1])
        if answer.is_kept:
            return f"no checkpoint lost {answer.tag}: the last, {last.name}, kept it ({last.why})"
        return f"undetermined: the last, {last.name}, is not known to have lost {answer.tag} ({last.why})"
    lost = answer.look_at(answer.lost)
    before = answer.look_at(answer.kept)
    change = f"{name} {figure(before.value)} ({before.name}) -> {figure(lost.value)}"
    p = "its tag list lacks it" if answer.p is None else f"p {probability(answer.p)} over all looks"
    if answer.open:
        among = listed([*answer.open, lost.name], last="or")
        return f"undetermined: one of {among} lost {answer.tag}: {change}; {p}"
    if not answer.is_found:
        return f"undetermined: {lost.name} may have lost {answer.tag}: {change}, but {p}"
    return f"{lost.name} lost {answer.tag}: {change}; {p}"
