"""The badge of a verdict: a self-contained SVG, and the JSON that shields.io draws a badge from."""

from __future__ import annotations

import json
from html import escape

from arena.gate.verdict import Outcome, Verdict
from arena.report.check.words import badge_message, verdict_sentence

LABEL_BACKGROUND, BADGE_TEXT_COLOUR = "#3b434b", "#ffffff"
"""Background of the left part; text colour of both parts."""

OUTCOME_COLOURS = {
    Outcome.PASS: "#0b6b3a",
    Outcome.FAIL: "#b3261e",
    Outcome.INCONCLUSIVE: "#7c5200",
    Outcome.INCOMPARABLE: "#5a4a8a",
}
"""Background of the right part by outcome. A test checks that white text on it has a contrast of at least 4.5:1."""

_WIDE, _NARROW = frozenset("mwMW%"), frozenset("fijlrt.,:;'|I1 ")
_HEIGHT, _PADDING = 20, 6
"""Height of the badge, and padding left and right of a text, in pixels."""


def badge_svg(verdict: Verdict, label: str = "arena check") -> str:
    """Return the badge as SVG. Its `<title>` is the sentence of the verdict."""
    message = badge_message(verdict)
    left, right = _width(label), _width(message)
    title = escape(verdict_sentence(verdict))
    whole = left + right + 4 * _PADDING
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{_HEIGHT}" viewBox="0 0 {whole} {_HEIGHT}" '
        f'role="img" aria-label="{escape(label)}: {escape(message)}"><title>{title}</title>'
        f'<clipPath id="r"><rect width="{whole}" height="{_HEIGHT}" rx="4"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{left + 2 * _PADDING}" height="{_HEIGHT}" fill="{LABEL_BACKGROUND}"/>'
        f'<rect x="{left + 2 * _PADDING}" width="{right + 2 * _PADDING}" height="{_HEIGHT}" '
        f'fill="{OUTCOME_COLOURS[verdict.outcome]}"/></g>'
        f'<g fill="{BADGE_TEXT_COLOUR}" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">'
        f'<text x="{_PADDING}" y="14" textLength="{left}">{escape(label)}</text>'
        f'<text x="{left + 3 * _PADDING}" y="14" textLength="{right}">{escape(message)}</text></g></svg>\n'
    )


def badge_json(verdict: Verdict, label: str = "arena check") -> str:
    """Return the JSON of a shields.io endpoint badge.

    `isError` is true for every nonzero exit code. The colour in the URL of a badge then has no effect.

    Source: shields.io, endpoint badge, schema version 1.
    """
    content = {
        "schemaVersion": 1, "label": label, "message": badge_message(verdict),
        "color": OUTCOME_COLOURS[verdict.outcome].lstrip("#"),
        "labelColor": LABEL_BACKGROUND.lstrip("#"), "isError": int(verdict.exit_code) != 0,
    }  # fmt: skip
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _width(text: str) -> int:
    """Return the approximate width of a text in 11 px Verdana, in pixels; `textLength` applies it to any font."""
    return round(sum(10 if char in _WIDE else 4.2 if char in _NARROW else 7 for char in text))
