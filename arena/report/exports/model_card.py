"""A section for a model card, in Markdown and LaTeX: metrics with intervals, weakest tags, signature."""

from __future__ import annotations

import re
from collections.abc import Sequence

from arena.base.format import clipped, encodable, escape_markdown, figure, one_line
from arena.report.exports.facts import ModelResults
from arena.report.markdown import code, table

_NAME_LENGTH = 60
"""Largest length of a name in a table, in characters."""

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "–": "--", "−": "$-$", "[": "{[}", "]": "{]}", "*": "{*}",
    "`": r"\textasciigrave{}",
}  # fmt: skip
"""LaTeX escapes. `[` and `*` too: a line break in a table would take them as its arguments."""

_SPECIAL = re.compile("[" + re.escape("".join(_LATEX)) + "]")

_TURNING = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Invisible marks of text direction."""


def model_card_markdown(facts: ModelResults) -> str:
    """Return the section in Markdown, for a README."""
    figures = [_header(facts), *_figures(facts)]
    weakest = [["tag", "F1", "precision", "recall", "images"], *_weakest(facts)]
    parts = [
        f"## Evaluation of {escape_markdown(clipped(facts.model, _NAME_LENGTH))}",
        escape_markdown(f"{facts.measured_on[0].upper()}{facts.measured_on[1:]}."),
        table(figures, numbers_from=1),
        "### Weakest tags" if len(weakest) > 1 else "",
        table(weakest, numbers_from=1) if len(weakest) > 1 else "",
        f"Signature: {code(facts.signature)}",
    ]
    return encodable("\n\n".join(filter(None, parts)) + "\n")


def model_card_latex(facts: ModelResults) -> str:
    r"""Return the section as two LaTeX tables; they need `\usepackage{booktabs}` and `\usepackage[T1]{fontenc}`."""
    caption = f"{clipped(facts.model, _NAME_LENGTH)}: {facts.measured_on}."
    parts = ["% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}"]
    parts.append(_tabular(caption, _header(facts), _figures(facts)))
    if rows := _weakest(facts):
        parts.append(_tabular("Weakest tags.", ["tag", "F1", "precision", "recall", "images"], rows))
    parts.append(f"% {latex_comment(facts.signature)}")
    return encodable("\n".join(parts) + "\n")


def escape_latex(text: str) -> str:
    r"""Return a text, escaped so that LaTeX prints it unchanged, on one line.

    >>> escape_latex("50% of a_b & {c}")
    '50\\% of a\\_b \\& \\{c\\}'
    """
    plain = _TURNING.sub("", encodable(one_line(text)))
    return _SPECIAL.sub(lambda found: _LATEX[found[0]], plain)


def latex_comment(text: str) -> str:
    """Return a text on one line, so that it stays inside a LaTeX comment."""
    return encodable(one_line(text))


def _figures(facts: ModelResults) -> list[list[str]]:
    return [
        [
            one.title, one.text, one.range or "–", "–" if one.tags is None else f"{one.tags:,}",
            *([_over_own_tags(facts, one.key)] if facts.others else []),
        ]
        for one in facts.figures
    ]  # fmt: skip


def _header(facts: ModelResults) -> list[str]:
    return ["metric", "value", "95 % interval", "tags", *(["over all its own tags"] if facts.others else [])]


def _over_own_tags(facts: ModelResults, key: str) -> str:
    value, tags = facts.own[key]
    return figure(value) if tags is None else f"{figure(value)} ({tags:,})"


def _weakest(facts: ModelResults) -> list[list[str]]:
    columns = [facts.weakest()[name].tolist() for name in ("tag", "f1", "precision", "recall", "support")]
    return [
        [clipped(str(tag), _NAME_LENGTH), figure(f1), figure(precision), figure(recall), f"{support:,}"]
        for tag, f1, precision, recall, support in zip(*columns, strict=True)
    ]


def _tabular(caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" & ".join(map(escape_latex, row)) + r" \\" for row in (header, *rows)]
    body = [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
    return "\n".join(
        [
            r"\begin{table}", r"\centering", rf"\caption{{{escape_latex(caption)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}", *body, r"\end{tabular}", r"\end{table}",
        ]
    )  # fmt: skip
