"""junit.xml: it follows the schemas of those who read it, and every case is what the verdict says."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import xmlschema
from hypothesis import given

from arena.gate.verdict import Outcome, Verdict
from arena.report.check.junit import junit_xml

from .verdicts import ALL, case, failing, hostile, incomparable, inconclusive, verdict, verdicts

SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))


def parsed(one: Verdict) -> ET.Element:
    return ET.fromstring(junit_xml(one))


def found(root: ET.Element) -> dict[str, list[str]]:
    """Each case's name with the elements in it."""
    return {element.attrib["name"]: [child.tag for child in element] for element in root.iter("testcase")}


@pytest.mark.parametrize("name", ALL)
def test_every_kind_of_verdict_follows_the_schema(name: str) -> None:
    SCHEMA.validate(junit_xml(ALL[name]()))


@given(verdicts)
def test_any_verdict_follows_the_schema(drawn: Verdict) -> None:
    SCHEMA.validate(junit_xml(drawn))


FAULTS = {
    "<properties>": "<system-out/><properties>",
    ' type="fail"': "",
    ' hostname="localhost"': "",
    "<testsuites>": '<testsuites tests="1">',
}


@pytest.mark.parametrize(("old", "new"), FAULTS.items())
def test_the_schema_sees_faults(old: str, new: str) -> None:
    text = junit_xml(failing())
    assert old in text
    assert not SCHEMA.is_valid(text.replace(old, new, 1))


def test_a_suite_a_gate_and_a_case_a_requirement() -> None:
    root = parsed(failing())
    assert [suite.attrib["name"] for suite in root] == ["arena.check.margins", "arena.check.tags", "arena.check.speed"]
    assert found(root) == {"macro_f1": [], "map": ["failure"], "f1": ["failure"], "pace": ["failure"]}
    kinds = {element.attrib["name"]: element[0].attrib["type"] for element in root.iter("testcase") if len(element)}
    assert kinds == {"map": "inconclusive", "f1": "fail", "pace": "fail"}
    tags = root.find(".//testcase[@name='f1']/failure")
    assert tags is not None
    assert tags.text is not None
    assert tags.text.splitlines()[1:] == [
        "hat: F1 0.7100 → 0.4200, −0.2900 [−0.4100, −0.1700], q 0.001; 30 images",
        "1girl: F1 0.7100 → 0.4200, −0.2900 [−0.4100, −0.1700], q 0.001; 30 images",
        "and 5 more tags",
    ]


def test_the_numbers_of_a_suite_are_those_of_its_cases() -> None:
    for name in ALL:
        for suite in parsed(ALL[name]()):
            for attribute, tag in (
                ("tests", "testcase"),
                ("failures", "failure"),
                ("errors", "error"),
                ("skipped", "skipped"),
            ):
                assert suite.attrib[attribute] == str(len(list(suite.iter(tag)))), (name, attribute)


def test_what_is_undecided_fails_unless_it_is_accepted() -> None:
    assert found(parsed(inconclusive()))["map"] == ["failure"]
    accepted = parsed(inconclusive(accept=True))
    assert found(accepted)["map"] == []
    assert "map: what was seen of map" in (accepted.findtext("testsuite/system-out") or "")


def test_incomparable_is_an_error_and_skipped_is_skipped() -> None:
    assert found(parsed(incomparable()))["images"] == ["error"]
    skipped = parsed(inconclusive()).find(".//skipped")
    assert skipped is not None
    assert skipped.attrib["message"] == "images per second: what was seen of images_per_second"


def test_gates_that_stand_apart_are_one_suite() -> None:
    cases = [case(Outcome.PASS, gate=gate, name=str(i)) for i, gate in enumerate(("tags", "speed", "tags"))]
    assert [suite.attrib["tests"] for suite in parsed(verdict(cases))] == ["2", "1"]


def test_the_verdict_is_pinned_in_every_suite() -> None:
    for suite in parsed(failing()):
        facts = {one.attrib["name"]: one.attrib["value"] for one in suite.iter("property")}
        assert facts["signature"] == "data:d|v:1"
        assert (facts["images"], facts["policy"], facts["outcome"]) == ("1537", "default@ab12", "fail")
        assert suite.attrib["timestamp"] == "2026-11-02T12:00:00"


def test_hostile_names_are_text() -> None:
    root = parsed(hostile())
    assert {child.tag for element in root.iter("testcase") for child in element} <= {"failure", "skipped"}
    assert "<script>alert(1)</script>" in found(root)
    assert "line break\ufffd\ufffd" not in found(root), "control characters of a line are spaces"
    assert "line break" in found(root)
