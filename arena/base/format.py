"""Formatting of numbers and names: digits, separators, names on one line, Markdown escapes.

Rounding never shows 0 or 1 for a value that is neither.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

UNDEFINED = "–"
"""Text for an undefined metric; JoyTag's text formats print 0.0000 instead."""

DECIDED = 0.05
"""Largest adjusted p or q that decides a difference, as in `arena.evaluate`; a larger one leaves it undetermined."""


def figure(value: float | None, digits: int = 4) -> str:
    """Format a metric with four digits, or fewer; only exact values show as 0 or 1.

    >>> figure(0.03125), figure(0.00001), figure(0.99999), figure(1), figure(-0.0), figure(None)
    ('0.0312', '<0.0001', '>0.9999', '1.0000', '0.0000', '–')
    >>> figure(0.8519, 2), figure(0.004, 2), figure(0.9999, 3)
    ('0.85', '<0.01', '>0.999')
    """
    if value is None or math.isnan(value):
        return UNDEFINED
    text = f"{round(value, 4) + 0.0:.{digits}f}"  # adding 0 turns -0.0 into 0.0
    if float(text) == 0 != value:
        return f"<{10**-digits:.{digits}f}"
    if float(text) == 1 != value:
        return f">{1 - 10**-digits:.{digits}f}"
    return text


def signed(value: float | None, digits: int = 4) -> str:
    """Format a difference with four digits, or fewer, and its sign; zero has no sign.

    >>> signed(0.0007), signed(-0.0152), signed(0.0), signed(-0.00001), signed(None)
    ('+0.0007', '−0.0152', '0.0000', '>−0.0001', '–')
    >>> signed(-0.0152, 3), signed(0.0004, 3)
    ('−0.015', '<+0.001')
    """
    if value is None or math.isnan(value):
        return UNDEFINED
    if value == 0:
        return figure(0.0, digits)
    sign, text = "+" if value > 0 else "−", figure(abs(value), digits)
    if text[0] not in "<>":
        return sign + text
    outwards = text[0] == ">"
    return (">" if outwards == (value > 0) else "<") + sign + text[1:]


class EstimateText(NamedTuple):
    """A value and its 95 % interval as text, with the same digits; `interval` is empty without one."""

    value: str
    interval: str

    def __str__(self) -> str:
        return f"{self.value} {self.interval}".rstrip()


def estimate(
    value: float | None, low: float | None, high: float | None, show: Callable[[float | None, int], str] = figure
) -> EstimateText:
    """Format a value and its interval with as many digits as the interval allows (`known_digits`).

    Without an interval the value has four digits. `show` is `figure`, or `signed` for a difference.

    >>> str(estimate(0.8519, 0.66, 0.94)), str(estimate(0.4213, 0.4101, 0.4326)), str(estimate(0.5, None, None))
    ('0.85 [0.66, 0.94]', '0.421 [0.410, 0.433]', '0.5000')
    >>> str(estimate(-0.0152, -0.05, 0.02, signed))
    '−0.015 [−0.050, +0.020]'
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return EstimateText(show(value, 4), "")
    digits = known_digits(low, high)
    return EstimateText(show(value, digits), f"[{show(low, digits)}, {show(high, digits)}]")


def known_digits(low: float, high: float) -> int:
    """Return how many digits of a value are known, 2 to 4, by its 95 % interval.

    The half width keeps two significant digits if they are at most 35, else one: the rule of the Particle Data Group. The ends
    are rounded to four digits first, because the page stores them so and must print the same.

    >>> known_digits(0.66, 0.94), known_digits(0.41, 0.43), known_digits(0.411, 0.414)
    (2, 3, 4)
    """
    return _digits_of_width(math.floor(high * 10_000 + 0.5) - math.floor(low * 10_000 + 0.5))


def digits_of_support(support: int) -> int:
    """Return how many digits of a share of `support` images are known, 2 to 4, where no interval was computed.

    The half width of the interval of a share is at most `0.98 / sqrt(support)`.

    >>> digits_of_support(23), digits_of_support(2_000), digits_of_support(100_000)
    (2, 3, 4)
    """
    return _digits_of_width(19_600 / math.sqrt(max(support, 1)))


def _digits_of_width(width: float) -> int:
    """Return the known digits of an interval of this width, in units of 0.0001."""
    return 4 if width < 71 else 3 if width < 710 else 2


def interval(low: float | None, high: float | None, show: Callable[[float | None], str] = figure) -> str:
    """Format both ends in brackets; empty if an end is missing.

    >>> interval(0.29825, 0.33777), interval(-0.0152, 0.0184, signed), interval(None, None)
    ('[0.2983, 0.3378]', '[−0.0152, +0.0184]', '')
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    return f"[{show(low)}, {show(high)}]"


def probability(value: float | None) -> str:
    """Format a p or q with two significant digits; only exact values show as 1, and none above `DECIDED` shows as `DECIDED`.

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
    """Format a share with one digit; only exact values show as 0 or 100; undefined if `whole` is 0.

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
    """Format images per second with three significant digits.

    >>> rate(55.04), rate(1234.5), rate(0.1234), rate(None)
    ('55.0', '1,234', '0.123', '–')
    """
    if value is None:
        return UNDEFINED
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def count(value: int) -> str:
    """Format an integer with thousands separators."""
    return f"{value:,}"


def plural(number: int, one: str, many: str) -> str:
    """Format a count with its noun.

    >>> plural(1, "tag", "tags"), plural(1203, "image", "images")
    ('1 tag', '1,203 images')
    """
    return f"{count(number)} {one if number == 1 else many}"


def listed(items: Sequence[str], *, keep: int = 10, last: str = "and") -> str:
    """Join items for a sentence; items after the first `keep` are counted.

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
    """Cut a name to a length that fits a sentence.

    >>> clipped("joytag"), clipped("y" * 500, 5)
    ('joytag', 'yyyy…')
    """
    return name if len(name) <= length else f"{name[: length - 1]}…"


def moment(iso: str) -> str:
    """Format an ISO 8601 time for readers; return any other text unchanged.

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
"""Largest number of characters of a name on a line; a hostile name may have millions."""


def shown(name: str) -> str:
    """Cut a name to `NAMED_LENGTH` and escape unprintable characters.

    >>> shown("a" + chr(10) + "b")
    'a\\\\nb'
    """
    cut = name if len(name) <= NAMED_LENGTH else name[:NAMED_LENGTH] + "..."
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in cut)


_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def one_line(name: str) -> str:
    """Replace control characters and line separators by spaces."""
    return name if name.isprintable() else _CONTROL.sub(" ", name)


_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Direction marks, which reverse the text after a name; letters keep their own direction without them."""


def unturned(name: str) -> str:
    """Remove direction marks and line breaks, so that a name does not reorder the text after it.

    >>> unturned("\u202eevil")
    'evil'
    """
    return name if name.isprintable() else _DIRECTIONS.sub("", one_line(name))


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
"""Python decodes a file name that is not UTF-8 to these; they cannot be encoded as UTF-8."""


def encodable(text: str) -> str:
    """Replace characters that cannot be encoded as UTF-8."""
    return text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text)


_MARKS = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_{}[]<>|#~$&"})
"""Backslash before each mark; `str.translate` is several times faster than a regular expression."""

_SPACES = re.compile("  +")

_FIRST = re.compile(r"^([-+=](?=[-+=\s]|$)|\d+(?=[.)](?:\s|$)))")
"""Start of a line that Markdown reads as a list, a heading or a rule."""

_REFERENCES = re.compile(r"@|#(?=\d)|(?i:gh-(?=\d)|www(?=\.))|:(?=//)|:(?=[\w+-]+:)")
"""Start of a mention, an issue number, an address or an emoji name, which GitHub would link or replace."""

_EMBEDDINGS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Direction marks that embed or override; the two plain marks (U+200E, U+200F) are kept."""

APART = "<!-- -->"
"""An HTML comment: it is invisible and keeps Markdown from joining the text before and after it."""


def escape_markdown(text: str) -> str:
    """Escape text so that Markdown shows it literally on one line: no markup, HTML, link, mention or end of a table cell.

    >>> escape_markdown("a|b <b>"), escape_markdown("@x of www.y.z")
    ('a\\\\|b \\\\<b\\\\>', '@<!-- -->x of www<!-- -->.y.z')
    """
    plain = text if text.isprintable() else _EMBEDDINGS.sub("", encodable(one_line(text)))
    line = _SPACES.sub(" ", plain).strip()
    parts = [part.translate(_MARKS) for part in _apart(line)]
    return _FIRST.sub(lambda found: f"\\{found[0]}" if found[0] in "-+=" else f"{found[0]}\\", APART.join(parts))


def _apart(line: str) -> list[str]:
    """Split the line after each match of `_REFERENCES`."""
    ends = [found.end() for found in _REFERENCES.finditer(line)]
    return [line[start:end] for start, end in zip([0, *ends], [*ends, None], strict=True)]
