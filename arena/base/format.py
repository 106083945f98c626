"""How numbers and names are written: digits, separators, names on one line, Markdown escapes.

Rounding never shows 0 or 1 for a value that is neither.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime

UNDEFINED = "–"
"""How an undefined figure is shown to readers; JoyTag's text formats print 0.0000 instead."""

DECIDED = 0.05
"""Up to which an adjusted p or a q decides, as `arena.evaluate` does it; what is above is undetermined."""


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


def signed(value: float | None) -> str:
    """A difference with four digits, and always its sign unless it is exactly zero.

    >>> signed(0.0007), signed(-0.0152), signed(0.0), signed(-0.00001), signed(None)
    ('+0.0007', '−0.0152', '0.0000', '>−0.0001', '–')
    """
    if value is None or math.isnan(value):
        return UNDEFINED
    if value == 0:
        return figure(0.0)
    sign, text = "+" if value > 0 else "−", figure(abs(value))
    if text[0] not in "<>":
        return sign + text
    outwards = text[0] == ">"
    return (">" if outwards == (value > 0) else "<") + sign + text[1:]


def interval(low: float | None, high: float | None, show: Callable[[float | None], str] = figure) -> str:
    """Both ends in brackets; empty where there is none.

    >>> interval(0.29825, 0.33777), interval(-0.0152, 0.0184, signed), interval(None, None)
    ('[0.2983, 0.3378]', '[−0.0152, +0.0184]', '')
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    return f"[{show(low)}, {show(high)}]"


def probability(value: float | None) -> str:
    """A p or q with two significant digits; never 0 or 1 for what is not, nor `DECIDED` for what is above it.

    >>> probability(0.93906), probability(0.0019), probability(2e-23), probability(0.0503), probability(1)
    ('0.94', '0.0019', '<0.0001', '>0.05', '1')
    """
    if value is None or math.isnan(value):
        return UNDEFINED
    if value < 0.0001:
        return "<0.0001"
    text = f"{value:.2f}" if value >= 0.0995 else f"{value:.2g}"
    if value > DECIDED and float(text) <= DECIDED:
        return f">{DECIDED}"
    if text == "1.00":
        return "1" if value == 1 else ">0.99"
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


def listed(items: Sequence[str], *, keep: int = 10, last: str = "and") -> str:
    """Items as a sentence lists them, the tail counted.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c", "d"], keep=2), listed(["a", "b"], last="or")
    ('a, b and c', 'a, b and 2 more', 'a or b')
    """
    shown = list(items[:keep])
    if not shown:
        return ""
    if len(items) > keep:
        shown.append(f"{len(items) - keep} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {last} {shown[-1]}"


def clipped(name: str, length: int = 60) -> str:
    """A name as a sentence can hold it.

    >>> clipped("joytag"), clipped("y" * 500, 5)
    ('joytag', 'yyyy…')
    """
    return name if len(name) <= length else f"{name[: length - 1]}…"


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


NAMED_LENGTH = 80
"""Characters of a name that a line shows; a hostile one may have millions."""


def shown(name: str) -> str:
    """A name as it fits on a line of text.

    >>> shown("a" + chr(10) + "b")
    'a\\\\nb'
    """
    cut = name if len(name) <= NAMED_LENGTH else name[:NAMED_LENGTH] + "..."
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in cut)


_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def one_line(name: str) -> str:
    """A tag as it can stand on a line: control characters and line separators become spaces."""
    return _CONTROL.sub(" ", name)


_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks that turn round what stands after a name; the letters themselves have their direction without them."""


def unturned(name: str) -> str:
    """A name on a line without marks of direction, so that what follows it stands where it is.

    >>> unturned("\u202eevil")
    'evil'
    """
    return _DIRECTIONS.sub("", one_line(name))


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""A file name that is not UTF-8 reaches us with these, and they cannot be written as UTF-8."""


def encodable(text: str) -> str:
    """Text as it can be written in UTF-8."""
    return _LONE_SURROGATE.sub("\ufffd", text)


_MARKS = re.compile(r"([\\`*_{}\[\]<>|#~$&])")

_FIRST = re.compile(r"^([-+=](?=[-+=\s]|$)|\d+(?=[.)](?:\s|$)))")
"""What makes a list, a heading or a rule of a line that begins with it."""

_REFERENCES = re.compile(r"@|#(?=\d)|(?i:gh-(?=\d)|www(?=\.))|:(?=//)|:(?=[\w+-]+:)")
"""Where a mention, a number of an issue, an address or an emoji's name begins that GitHub would follow or replace."""

_EMBEDDINGS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Marks of direction that embed or override; the two plain marks (U+200E, U+200F) stay."""

APART = "<!-- -->"
"""A comment: it is not shown, and what stands on either side of it is not read as one word."""


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it is, on one line: no markup, no HTML, no link, no mention, no cell's end.

    >>> escape_markdown("a|b <b>"), escape_markdown("@x of www.y.z")
    ('a\\\\|b \\\\<b\\\\>', '@<!-- -->x of www<!-- -->.y.z')
    """
    line = re.sub(" +", " ", _EMBEDDINGS.sub("", encodable(one_line(text)))).strip()
    parts = (_MARKS.sub(r"\\\1", part) for part in _apart(line))
    return _FIRST.sub(lambda found: f"\\{found[0]}" if found[0] in "-+=" else f"{found[0]}\\", APART.join(parts))


def _apart(line: str) -> list[str]:
    """The line cut after every character that begins a reference."""
    ends = [found.end() for found in _REFERENCES.finditer(line)]
    return [line[start:end] for start, end in zip([0, *ends], [*ends, None], strict=True)]
