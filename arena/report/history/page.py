"""Write a history as one self-contained HTML page that needs neither network nor script."""

from __future__ import annotations

from itertools import groupby
from typing import Any, NamedTuple

from markupsafe import Markup

from arena.base.format import UNDEFINED, count, encodable, figure, interval, listed, plural, signed
from arena.base.version import __version__
from arena.metrics.registry import METRICS
from arena.report.history.drawing import chart_description, history_charts
from arena.report.history.rows import HistoryRow, history_notes, history_rows
from arena.report.history.series import History
from arena.report.html import content_security_policy, environment, template_text
from arena.report.site.render import site_style
from arena.report.site.series import CHART_HEIGHT, CHART_LEFT, CHART_RIGHT, CHART_TOP, CHART_WIDTH, Chart
from arena.report.view_model.leaderboard import MODEL_STYLES

_TITLE_TAGS = 3
"""Largest number of tags in the title."""


class _ChartSection(NamedTuple):
    """Plots under one heading."""

    title: str
    hint: str
    charts: list[Chart]


def render_history(history: History) -> str:
    """Return the page: a plot for each headline metric and each tag, a table of all values, and the releases."""
    style = f"{site_style()}\n{template_text('history/page.css')}"
    page = (
        environment()
        .get_template("history/page.html.j2")
        .render(
            history=history,
            title=_title(history),
            subject=_subject(history),
            sections=_sections(history),
            tables=_tables(history),
            notes=history_notes(history),
            drawn={
                "width": CHART_WIDTH,
                "height": CHART_HEIGHT,
                "left": CHART_LEFT,
                "right": CHART_WIDTH - CHART_RIGHT,
                "top": CHART_TOP,
            },
            first_line=chart_description,
            csp=content_security_policy(scripts=[], styles=[style]),
            style=Markup(style),
            arena_version=__version__,
        )
    )
    return encodable(page)


def _title(history: History) -> str:
    if history.chosen:
        return listed([track.title for track in history.tags], keep=_TITLE_TAGS)
    names = [one.name for one in history.releases]
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _subject(history: History) -> str:
    releases = plural(len(history.releases), "release", "releases")
    several = len(history.datasets)
    on = f" on {several} sets of images; no line joins two sets" if several > 1 else f" on {history.datasets[0]}"
    return f"{releases}{on}."


def _sections(history: History) -> list[_ChartSection]:
    metric = METRICS[history.figure]
    means = (
        "Over all compared tags, each release at its own threshold; mAP needs no threshold. Bars are 95 % intervals."
    )
    own = " at its own threshold" if metric.needs_threshold else ""
    bars = f"A bar is the 95 % interval of one release{own}. A line joins releases that were scored on the same images."
    title = f"{metric.heading} of tags" if history.chosen else f"{metric.heading} of the tags that moved most"
    found = [_ChartSection("Headline metrics", means, history_charts(history, history.headlines))]
    return found + ([_ChartSection(title, bars, history_charts(history, history.tags))] if history.tags else [])


def _tables(history: History) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Return title, category and rows of each track."""
    rows = groupby(history_rows(history), key=lambda row: id(row.track))
    found = [list(group) for _, group in rows]
    return [(group[0].track.title, group[0].track.category, [_row(row) for row in group]) for group in found]


def _row(row: HistoryRow) -> dict[str, Any]:
    point, track = row.point, row.track
    return {
        "release": row.release, "day": row.day,
        "style": track.series[row.series].group % MODEL_STYLES,
        "series": row.series + 1 if len(track.series) > 1 else 0,
        "value": figure(point.value), "range": interval(point.low, point.high), "apart": row.apart,
        "plain": "" if point.plain is None else figure(point.plain),
        "change": "" if row.change is None else signed(row.change),
        "support": "" if point.support is None else count(point.support),
        "threshold": "" if not track.category else UNDEFINED if point.threshold is None else f"{point.threshold:g}",
    }  # fmt: skip
