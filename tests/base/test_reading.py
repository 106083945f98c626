"""Limits of what is read: size, depth, numbers, text."""

from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.base.reading import MAX_DEPTH, MAX_TOML_BYTES, parse_json, read_json, read_toml
from arena.base.schema import COUNT, NUMBER, Schema, list_of, optional, table_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "more than 64 tables and lists inside each other"),
        ("[" * (MAX_DEPTH + 1) + "1" + "]" * (MAX_DEPTH + 1), "more than 64 tables and lists inside each other"),
        ('{"a": ' + "9" * 5_000 + "}", "a whole number of more than 4,300 digits"),
        ('{"a": [1, ' + "9" * 30 + "]}", r"a\[1\] has a whole number of more than 19 digits"),
        ('{"a": {"b": NaN}}', "NaN is not a number of JSON"),
        ('{"a": {"b": -1e999}}', "a.b has a number that is not finite"),
        ('["\\ud800"]', r"\[0\] has a lone surrogate"),
        ('{"\\ud800": 1}', "a key of the content has a lone surrogate"),
        ("", "Expecting value"),
    ],
)
def test_json_beyond_a_limit_is_one_line(text: str, words: str) -> None:
    with pytest.raises(ArenaError, match=f"^x.json: not readable JSON .*{words}.*; restore the file$"):
        parse_json(text, "x.json")


def test_json_within_the_limits_is_read() -> None:
    deep = "[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH
    assert parse_json(deep, "x")
    assert parse_json("[9223372036854775807, 1e300]", "x") == [2**63 - 1, 1e300]
    assert parse_json('[NaN, "\\ud800"]', "x", strict=False)[1] == "\ud800"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("n = " + "9" * 5_000, "a whole number of more than 4,300 digits"),
        ("n = " + "9" * 30, "n has a whole number|a whole number of more than 19 digits"),
        ("n = " + "[" * 5_000, "more than 64 tables and lists inside each other"),
        (".".join("a" * 20_000) + " = 1", "a dotted key of more than 64 parts"),
        (".".join(['"a"'] * 20_000) + " = 1", "a dotted key of more than 64 parts"),
        (" . ".join(["'a'"] * 20_000) + " = 1", "a dotted key of more than 64 parts"),
        ("\n".join(f"k{n}.a.b = 1" for n in range(60_000)), "more than 100,000 dots outside strings"),
        ("#" * (MAX_TOML_BYTES + 1), "more than 2,097,152 bytes"),
    ],
)
def test_toml_beyond_a_limit_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ArenaError, match=words):
        read_toml(tmp_path / "x.toml")


def test_dots_in_strings_and_comments_of_toml_are_no_keys(tmp_path: Path) -> None:
    dotted = ".".join("a" * 500)
    (tmp_path / "x.toml").write_text(f'a = "{dotted}" # {dotted}\nb = """\n{dotted}"""\nc.d = 0.5\n')
    assert read_toml(tmp_path / "x.toml")["c"] == {"d": 0.5}


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ArenaError, match="No such file or directory"):
        read_json(tmp_path / "x.json")
    (tmp_path / "x.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ArenaError, match=r"x.json: not UTF-8 text \(byte 7\)"):
        read_json(tmp_path / "x.json")
    with pytest.raises(ArenaError, match="more than 5 bytes"):
        read_json(tmp_path / "x.json", most=5)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "x: no field a; fix it"),
        ({"a": True}, "x: a is True; it must be a whole number; fix it"),
        ({"a": 3.0}, "x: a is 3.0; it must be a whole number; fix it"),
        ({"a": -1}, "x: a is -1; it must be 0 or more; fix it"),
        ({"a": 1, "b": ["x", 2]}, "x: b[1] is 2; it must be text; fix it"),
        ({"a": 1, "c": {"d": "x"}}, "x: c.d is 'x'; it must be a number or null; fix it"),
        ([], "x: the content is a list; it must be a table; fix it"),
    ],
)
def test_a_field_that_does_not_fit_is_named(content: object, words: str) -> None:
    schema = Schema(table_of({"a": COUNT}, {"b": list_of("string"), "c": table_of(others=optional(NUMBER))}))
    with pytest.raises(ArenaError) as caught:
        schema.check(content, "x", fix="fix it")
    assert str(caught.value) == words
