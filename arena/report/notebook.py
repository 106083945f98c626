"""Show a result in a notebook cell: verdict, leaderboard with ranks, and differences at the models' own thresholds."""

from collections.abc import Iterator, Sequence
from html import escape

from arena.base.format import clipped, escape_markdown, interval, plural, probability, signed
from arena.metrics.registry import HEADLINES
from arena.report.markdown import table
from arena.report.summary import POINT_ESTIMATES
from arena.report.view import headline_view
from arena.report.view_model.leaderboard import Cell, leaderboard
from arena.report.view_model.uncertainty import run_verdict
from arena.results.run_folder import Result

_NAME_LENGTH = 40
"""Characters of a model's name in a cell."""

Rows = Sequence[Sequence[str]]
"""Rows of text; the first one is the header."""


def notebook_markdown(result: Result) -> str:
    """Return the result as Markdown."""
    parts = [escape_markdown(_sentence(result)), *(table(rows, numbers_from=1) for rows in _tables(result))]
    return "\n\n".join(filter(None, parts))


def notebook_html(result: Result) -> str:
    """Return the result as HTML."""
    parts = [f"<p>{escape(_sentence(result))}</p>", *map(_html_table, _tables(result))]
    return "\n".join(parts)


def result_line(result: Result) -> str:
    """Return the models and the numbers of images and compared tags of a result in one short line.

    >>> result_line(Result({}, {"models": {"a": {}}, "images": 80, "compared_tags": 4}, {}))
    'a: 80 images, 4 tags'
    """
    names = [clipped(name, _NAME_LENGTH) for name in result.models]
    shown = names if len(names) < 5 else [*names[:3], f"{len(names) - 3} more"]
    images, tags = int(result.summary["images"]), int(result.summary["compared_tags"])
    return f"{' vs '.join(shown)}: {plural(images, 'image', 'images')}, {plural(tags, 'tag', 'tags')}"


def _sentence(result: Result) -> str:
    payload = headline_view(result)
    verdict = run_verdict(payload) if payload["replicates"] else POINT_ESTIMATES
    return " ".join(filter(None, [f"{result_line(result)}.", verdict]))


def _tables(result: Result) -> Iterator[Rows]:
    payload = headline_view(result)
    yield [
        ["model", *HEADLINES.values(), "threshold"],
        *(
            [
                clipped(one.model["name"], _NAME_LENGTH),
                *(_with_rank(one.cells[key]) for key in HEADLINES),
                clipped(str(one.model["threshold"]), _NAME_LENGTH),
            ]
            for one in leaderboard(payload)
        ),
    ]
    rows = [
        [
            f"{clipped(row['first'], _NAME_LENGTH)} − {clipped(row['second'], _NAME_LENGTH)}", HEADLINES[row["figure"]],
            signed(row["difference"]), interval(row["low"], row["high"], signed), probability(row["p"]),
            clipped(row["higher"] or "undetermined", _NAME_LENGTH),
        ]
        for row in payload["differences"]
        if row["figure"] in HEADLINES
    ]  # fmt: skip
    if rows:
        yield [["difference", "metric", "value", "95 % interval", "p (Holm)", "higher"], *rows]


def _with_rank(cell: Cell) -> str:
    return " ".join(filter(None, [cell.text, cell.range, f"({cell.rank})" if cell.rank else ""]))


def _html_table(rows: Rows) -> str:
    head, *body = rows
    lines = ["".join(f"<td>{escape(text)}</td>" for text in row) for row in body]
    header = "".join(f"<th>{escape(text)}</th>" for text in head)
    return (
        f"<table><thead><tr>{header}</tr></thead><tbody>{''.join(f'<tr>{one}</tr>' for one in lines)}</tbody></table>"
    )
