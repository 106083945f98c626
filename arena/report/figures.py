"""Figures as they are shown: four digits, thousands separators, and no rounding that says 0 or 1 for what is not."""

from __future__ import annotations

import math
from datetime import datetime

UNDEFINED = "–"
"""How an undefined figure is shown to readers; JoyTag's text formats print 0.0000 instead."""


def figure(value: float | None) -> str:
    """A figure with four digits; rounding never shows 0 or 1 for what is not.

    >>> figure(0.03125), figure(0.00001), figure(0.99999), figure(1), figure(None)
    ('0.0312', '<0.0001', '>0.9999', '1.0000', '–')
    """
    if value is None or math.isnan(value):
        return UNDEFINED
    text = f"{value:.4f}"
    if text == "0.0000" and value != 0:
        return "<0.0001"
    if text == "1.0000" and value != 1:
        return ">0.9999"
    return text


def percent(part: int, whole: int) -> str:
    """A share with one digit; never 0 or 100 for what is not; undefined without a whole.

    >>> percent(110, 140), percent(139_999, 140_000), percent(140, 140), percent(0, 0)
    ('78.6 %', '>99.9 %', '100 %', '–')
    """
    if whole == 0:
        return UNDEFINED
    if part in (0, whole):
        return "100 %" if part else "0 %"
    text = f"{100 * part / whole:.1f}"
    if text in ("0.0", "100.0"):
        return "<0.1 %" if text == "0.0" else ">99.9 %"
    return f"{text} %"


def rate(value: float | None) -> str:
    """Images a second with three significant digits.

    >>> rate(55.04), rate(1234.5), rate(0.1234), rate(None)
    ('55.0', '1,234', '0.123', '–')
    """
    if value is None:
        return UNDEFINED
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def count(value: int) -> str:
    """An integer with thousands separators."""
    return f"{value:,}"


def plural(number: int, one: str, many: str) -> str:
    """A count with its noun.

    >>> plural(1, "tag", "tags"), plural(1203, "image", "images")
    ('1 tag', '1,203 images')
    """
    return f"{count(number)} {one if number == 1 else many}"


def moment(iso: str) -> str:
    """A time stamp as a reader would write it; unchanged where it is not ISO 8601.

    >>> moment("2026-11-02T12:00:00Z")
    '2 November 2026, 12:00 UTC'
    """
    try:
        when = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    zone = f" {when.tzname()}" if when.tzinfo else ""
    return f"{when.day} {when:%B %Y, %H:%M}{zone}"
