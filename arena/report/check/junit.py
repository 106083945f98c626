"""Write `junit.xml`: one suite for each gate, one test case for each requirement.

The file is valid by Jenkins' junit-10 schema and by Ant's JUnit schema, so it follows the stricter rule of each: the root has
no attributes; a suite has `id`, `package`, `hostname`, `time` and a `timestamp` without a time zone, then its properties,
cases and output; a case has at most one child element.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from xml.etree import ElementTree as ET

from arena.base.format import one_line
from arena.gate.verdict import Case, Outcome, Verdict
from arena.report.check.words import measure_line, more_tags, tag_loss_line, verdict_sentence

PACKAGE = "arena.check"
"""Prefix of the suite names."""

_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 forbids, even escaped."""

UNKNOWN_TIME = "1970-01-01T00:00:00"
"""Timestamp of a verdict without a time; the schemas require one."""


def junit_xml(verdict: Verdict) -> str:
    """Return the verdict as JUnit XML.

    A failed case is a failure, an inconclusive one a failure of type `inconclusive`, an incomparable one an error, a skipped
    or reported one is skipped. An inconclusive case that the policy accepts passes, and so does a loss that is not shown. The
    messages of cases that pass are in the `system-out` of their suite.
    """
    root = ET.Element("testsuites")
    by_gate = sorted(verdict.cases, key=lambda case: _place_of_gate(verdict, case.gate))
    for number, (gate, cases) in enumerate(groupby(by_gate, key=lambda case: case.gate)):
        root.append(_suite(verdict, gate, list(cases), number))
    ET.indent(root, " ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _place_of_gate(verdict: Verdict, gate: str) -> int:
    """Return the index of the first case of a gate; sorts the gates in the order of the policy, each once."""
    return next(place for place, case in enumerate(verdict.cases) if case.gate == gate)


def _suite(verdict: Verdict, gate: str, cases: list[Case], number: int) -> ET.Element:
    failed = sum(_kind(case, verdict) == "failure" for case in cases)
    suite = ET.Element(
        "testsuite", name=f"{PACKAGE}.{_line(gate)}", package=PACKAGE, id=str(number), timestamp=_timestamp(verdict.created),
        hostname="localhost", tests=str(len(cases)), failures=str(failed), time="0",
        errors=str(_number(cases, Outcome.INCOMPARABLE)), skipped=str(sum(_kind(case, verdict) == "skipped" for case in cases)),
    )  # fmt: skip
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(verdict):
        ET.SubElement(properties, "property", name=name, value=_line(value))
    suite.extend(_case(verdict, case) for case in cases)
    messages = [f"{case.name}: {case.message}" for case in cases if _kind(case, verdict) is None]
    ET.SubElement(suite, "system-out").text = _text(messages)
    ET.SubElement(suite, "system-err").text = ""
    return suite


def _properties(verdict: Verdict) -> Iterable[tuple[str, str]]:
    """Return the properties that identify the verdict, without the unknown ones."""
    properties = {
        "verdict": verdict_sentence(verdict), "outcome": str(verdict.outcome), "candidate": verdict.candidate.name,
        "baseline": verdict.baseline.name, "dataset": verdict.dataset, "policy": verdict.policy,
        "signature": verdict.signature, "images": "" if verdict.images is None else str(verdict.images),
        "tags": "" if verdict.tags is None else str(verdict.tags), "paired": str(verdict.paired).lower(),
        "unpaired_cost": verdict.unpaired_cost, "causes": "; ".join(verdict.causes),
    }  # fmt: skip
    return [(name, value) for name, value in properties.items() if value]


def _kind(case: Case, verdict: Verdict) -> str | None:
    """Return the name of the child element of a case; None if the case passes."""
    if case.outcome is Outcome.INCONCLUSIVE and verdict.accept_inconclusive:
        return None
    return {
        Outcome.FAIL: "failure", Outcome.INCONCLUSIVE: "failure", Outcome.INCOMPARABLE: "error", Outcome.SKIPPED: "skipped",
        Outcome.REPORTED: "skipped",
    }.get(case.outcome)  # fmt: skip


def _case(verdict: Verdict, case: Case) -> ET.Element:
    element = ET.Element("testcase", classname=f"{PACKAGE}.{_line(case.gate)}", name=_line(case.name), time="0")
    if kind := _kind(case, verdict):
        found = ET.SubElement(element, kind, message=_line(f"{case.title}: {case.message}"))
        if kind != "skipped":
            found.set("type", str(case.outcome))
            found.text = _text(_details(case))
    return element


def _details(case: Case) -> list[str]:
    lines = [measure_line(case.measure)] if case.measure else []
    lines += [tag_loss_line(loss) for loss in case.tags]
    return [line for line in [*lines, more_tags(case, len(case.tags))] if line]


def _timestamp(created: str) -> str:
    """Return an ISO 8601 time in UTC without its time zone.

    >>> _timestamp("2026-11-02T13:00:00+01:00"), _timestamp("")
    ('2026-11-02T12:00:00', '1970-01-01T00:00:00')
    """
    try:
        when = datetime.fromisoformat(created)
    except ValueError:
        return UNKNOWN_TIME
    return (when.astimezone(UTC) if when.tzinfo else when).strftime("%Y-%m-%dT%H:%M:%S")


def _number(cases: list[Case], outcome: Outcome) -> int:
    return sum(case.outcome is outcome for case in cases)


def _line(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", one_line(text)).strip() or "-"


def _text(lines: list[str]) -> str:
    return "\n".join(map(_line, lines))
