"""check.json: it follows its schema, and what was written is read again."""

import json
import math
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given

from arena.base.errors import ArenaError, IncomparableError
from arena.gate.verdict import Measure, Outcome, Verdict
from arena.report.check.document import check_document, check_json, check_schema, read_check

from .verdicts import ALL, PASSED, case, failing, verdict, verdicts

VALIDATOR = jsonschema.Draft202012Validator(check_schema())


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(check_schema())


@pytest.mark.parametrize("name", ALL)
def test_every_kind_of_verdict_follows_the_schema(name: str) -> None:
    VALIDATOR.validate(json.loads(check_json(ALL[name]())))


def test_the_schema_sees_faults() -> None:
    content = check_document(failing())
    for path, value in ((("outcome",), "passed"), (("cases", 0, "measure", "low"), "no"), (("extra",), 1)):
        broken = json.loads(json.dumps(content))
        place = broken
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        assert not VALIDATOR.is_valid(broken), path


@given(verdicts)
def test_what_was_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, drawn: Verdict) -> None:
    text = check_json(drawn)
    VALIDATOR.validate(json.loads(text))
    path = tmp_path_factory.getbasetemp() / "check.json"
    path.write_text(text, encoding="utf-8")
    assert read_check(path) == drawn


def test_a_file_of_the_first_version_is_read_and_follows_the_schema(tmp_path: Path) -> None:
    content = check_document(failing())
    counts = {name: number for name, number in content["counts"].items() if name not in ("not_shown", "reported")}
    old = content | {"schema": 1, "counts": counts}
    VALIDATOR.validate(json.loads(json.dumps(old)))
    path = tmp_path / "check.json"
    path.write_text(json.dumps(old), encoding="utf-8")
    assert check_document(read_check(path)) == content


def test_it_says_at_once_what_a_program_asks_for() -> None:
    content = check_document(failing())
    assert (content["outcome"], content["exit_code"], content["counts"]["fail"]) == ("fail", 1, 2)
    assert content["sentence"].startswith("joytag-new may not replace joytag")


def test_what_is_not_finite_is_null() -> None:
    odd = case(Outcome.PASS, measure=Measure("map", math.nan, math.inf))
    told = check_document(verdict([odd]))["cases"][0]["measure"]
    assert (told["candidate"], told["baseline"]) == (None, None)


def test_a_name_that_is_not_utf_8_is_written(tmp_path: Path) -> None:
    path = tmp_path / "check.json"
    path.write_text(check_json(verdict([replace(PASSED, title="a\ud800b")])), encoding="utf-8")
    assert read_check(path).cases[0].title == "a\ufffdb"


FAULTS = {
    "no JSON": ("{", ArenaError, "not readable JSON"),
    "a list": ("[1]", ArenaError, "no key schema"),
    "another schema": ('{"schema": 7}', IncomparableError, "schema 7, this version reads 1 and 2"),
    "no side": (
        '{"schema": 1, "baseline": {"name": "a", "source": "b"}, "cases": []}',
        ArenaError,
        "missing key 'candidate'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_file_is_told_in_a_line(tmp_path: Path, fault: str) -> None:
    text, error, said = FAULTS[fault]
    path = tmp_path / "check.json"
    path.write_text(text)
    with pytest.raises(error, match=said) as raised:
        read_check(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


CHANGES = {
    '"outcome": "fail",\n      "message"': (
        '"outcome": "pass",\n      "message"',
        "outcome is 'fail', but its cases give",
    ),
    '"images": 1537': ('"images": "many"', "verdict.images: 'many' has the wrong type"),
    '"paired": true': ('"paired": 1', "verdict.paired"),
    '"support": 30': ('"supports": 30', r"verdict.cases\[2\].tags\[0\]: unknown key 'supports'"),
}


@pytest.mark.parametrize("old", CHANGES)
def test_a_changed_file_is_told(tmp_path: Path, old: str) -> None:
    new, said = CHANGES[old]
    text = check_json(failing())
    assert old in text
    (tmp_path / "check.json").write_text(text.replace(old, new))
    with pytest.raises(ArenaError, match=said):
        read_check(tmp_path / "check.json")
