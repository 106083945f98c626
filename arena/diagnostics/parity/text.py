"""A parity report as lines of text, as Markdown and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from arena.base.format import UNDEFINED, clipped, figure, listed, one_line, percent, plural
from arena.diagnostics.parity.measure import Flips, ItemDifference, Parity, RankAgreement
from arena.diagnostics.parity.verdict import ParityReport

_SCHEMA = 1
"""Version of the JSON."""


class ParityLine(NamedTuple):
    """A value with its label."""

    what: str
    seen: str


def parity_headline(report: ParityReport) -> str:
    """Return the verdict and its reason in one line.

    Example: `same: the largest difference, 3e-06, is within 0.0001; 0 of 512 positive decisions flip`.
    """
    return one_line(f"{report.verdict.word}: {report.verdict.reason}")


def cause_sentences(report: ParityReport) -> list[str]:
    """Return sentences on the cause of the difference; none if the scores are within the tolerance."""
    parity, finding = report.parity, report.finding
    if finding is not None:
        verb = "agrees" if finding.agrees else "differs less"
        on = plural(finding.images, "image", "images")
        distance = (
            f"to {_small(finding.after)}"
            if finding.agrees
            else f"({_small(finding.before)} to {_small(finding.after)})"
        )
        return [one_line(f"{parity.b} {verb} {distance} when {finding.says} (on {on})")]
    if parity.largest <= report.tolerances.score:
        return []
    tried = (
        f" and changes of its preprocessing on {plural(report.tried_on, 'image', 'images')}" if report.tried_on else ""
    )
    return [f"no cause found: tried one sigmoid more or less, a different order of tags{tried}"]


def parity_lines(parity: Parity) -> list[ParityLine]:
    """Return the values of a comparison, in the order of display."""
    at = parity.at
    place = f" ({clipped(at.tag, 24)}, image {clipped(at.image_id, 24)})" if parity.largest else ""
    rows = [
        ParityLine("images, tags", f"{parity.images:,} x {parity.tags:,} in common"),
        ParityLine("largest difference", f"{_small(parity.largest)}{place}"),
        ParityLine("mean difference", _small(parity.mean)),
        ParityLine("difference of logits", f"largest {_small(parity.logit_largest)}, mean {_small(parity.logit_mean)}"),
        ParityLine("Spearman, by image", _ranks(parity.ranks_by_image)),
        ParityLine("Spearman, by tag", _ranks(parity.ranks_by_tag)),
        ParityLine("decisions that flip", _flips(parity.flips)),
    ]
    if not parity.same_thresholds:
        rows.append(ParityLine(f"  at {clipped(parity.a, 12)}'s", _flips(parity.flips_at_a)))
        rows.append(ParityLine(f"  at {clipped(parity.b, 12)}'s", _flips(parity.flips_at_b)))
    for name, names in ((parity.a, parity.only_a), (parity.b, parity.only_b)):
        if names:
            some = listed([clipped(tag, 24) for tag in names], keep=3)
            rows.append(ParityLine(f"only {clipped(name, 14)}", f"{plural(len(names), 'tag', 'tags')}: {some}"))
    return [ParityLine(one_line(what), one_line(seen)) for what, seen in rows]


def parity_markdown(report: ParityReport) -> str:
    """Return the report as a Markdown page."""
    parity = report.parity
    lines = [f"# {_cell(parity.a)} and {_cell(parity.b)}", "", f"**{_cell(parity_headline(report))}**", ""]
    lines += [line for sentence in cause_sentences(report) for line in (f"{_cell(sentence)}.", "")]
    lines += _table(("measure", "value"), [(line.what.strip(), line.seen) for line in parity_lines(parity)])
    for title, worst in (("Tags", parity.worst_tags), ("Images", parity.worst_images)):
        if worst:
            lines += ["", f"## {title} that differ most", ""]
            lines += _table((title.lower()[:-1], "largest", "mean", "flips"), [difference_row(one) for one in worst])
    if report.notes:
        lines += ["", "## Notes", "", *(f"- {_cell(note)}." for note in report.notes)]
    return "\n".join(lines) + "\n"


def difference_row(one: ItemDifference) -> tuple[str, str, str, str]:
    """Return a row of the table of tags or images that differ most."""
    return one_line(clipped(one.name, 40)), _small(one.largest), _small(one.mean), f"{one.flips:,}"


def parity_json(report: ParityReport) -> str:
    """Return the whole report as JSON for other programs; undefined values are null."""
    content: dict[str, Any] = {"schema": _SCHEMA, **asdict(report)}
    for name in ("flips", "flips_at_a", "flips_at_b"):
        content["parity"][name]["share"] = getattr(report.parity, name).share
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def _small(value: float) -> str:
    """Format a difference with two significant digits.

    >>> _small(0.0), _small(2.861e-06), _small(0.31)
    ('0', '2.9e-06', '0.31')
    """
    return f"{value:.2g}"


def _ranks(ranks: RankAgreement) -> str:
    if ranks.mean is None:
        return f"{UNDEFINED} (all are constant)"
    undefined = f"; {ranks.undefined:,} undefined" if ranks.undefined else ""
    least = "" if ranks.least == 1 else f" ({clipped(ranks.least_of, 30)})"
    return f"mean {figure(ranks.mean)}, lowest {figure(ranks.least)}{least}{undefined}"


def _flips(flips: Flips) -> str:
    share = f", {percent(flips.flipped, flips.positives)}" if flips.positives else ""
    return f"{flips.flipped:,} of {flips.positives:,} positive{share}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    body = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}", *body]


def _cell(text: str) -> str:
    """Escape text so that Markdown shows it literally."""
    for sign in "\\|`*_<[#":
        text = text.replace(sign, f"\\{sign}")
    return text
