"""Read text, JSON, YAML and TOML that others may have written: within limits, and with every fault in one line."""

import json
import math
import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError
from arena.base.schema import Schema
from arena.base.text_files import decode_text

MAX_JSON_BYTES = 32 << 20
"""Largest size of a JSON file; Python needs up to 20 bytes of memory for each byte of JSON."""

MAX_TOML_BYTES = 2 << 20
"""Largest size of a TOML file."""

MAX_DEPTH = 64
"""Largest number of tables and lists inside each other."""

MAX_KEY_PARTS = 100_000
"""Largest number of dots outside the strings of a TOML file; each part of a dotted key needs about 1 kB of memory."""

MAX_INTEGER = 2**63 - 1
"""Largest magnitude of a whole number: that of int64, which tables and arrays store."""

_TOML_TEXT = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL
)
"""A string or a comment."""

_DEEP_KEY = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{MAX_DEPTH}}}")

_SURROGATE = re.compile("[\ud800-\udfff]")


class _LimitError(ValueError):
    """Content beyond a limit; the message says which one."""


def read_text(path: Path, *, most: int, fix: str, error: type[ArenaError] = ArenaError) -> str:
    """Return the content of a text file in UTF-8, or in UTF-16 with a byte order mark; without the mark.

    Args:
        most: largest size in bytes.
        fix: what a user can do, for the end of the message.
        error: class of the error to raise.

    Raises:
        ArenaError: the file cannot be read, is larger, or is neither.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as failure:
        raise error(f"{path}: cannot be read ({failure.strerror}); {fix}") from None
    if len(content) > most:
        raise error(f"{path}: more than {most:,} bytes, the most that is read; {fix}")
    try:
        return decode_text(content)
    except UnicodeDecodeError as failure:
        raise error(f"{path}: not UTF-8 text (byte {failure.start}); {fix}") from None


def read_json(
    path: Path,
    schema: Schema | None = None,
    *,
    most: int = MAX_JSON_BYTES,
    fix: str = "restore the file",
    error: type[ArenaError] = ArenaError,
    strict: bool = True,
) -> Any:
    """Return the content of a JSON file.

    Args:
        schema: raise if the content does not fit it.
        most, fix, error: see `read_text`.
        strict: see `parse_json`.

    Raises:
        ArenaError: the file cannot be read, is not JSON, is beyond a limit, or does not fit the schema.
    """
    text = read_text(path, most=most, fix=fix, error=error)
    return parse_json(text, path, schema, fix=fix, error=error, strict=strict)


def parse_json(
    text: str | bytes,
    where: object,
    schema: Schema | None = None,
    *,
    fix: str = "restore the file",
    error: type[ArenaError] = ArenaError,
    unique_keys: bool = False,
    strict: bool = True,
) -> Any:
    """Return the content of JSON text.

    Args:
        where: file, and line or field, for errors.
        schema, fix, error: see `read_json`.
        unique_keys: raise if an object has a key twice; else the last one counts.
        strict: refuse numbers that are not finite and lone surrogates; a reader that checks each row on its own allows them.

    Raises:
        ArenaError: not JSON, beyond a limit, or not as the schema wants it.

    >>> parse_json("[[1, 2], {}]", "a.json")
    [[1, 2], {}]
    >>> parse_json('{"a": [1e999]}', "a.json")
    Traceback (most recent call last):
    arena.base.errors.ArenaError: a.json: not readable JSON (a[0] has a number that is not finite); restore the file
    """
    try:
        hook = _without_duplicates if unique_keys else None
        constant = _refuse_constant if strict else None
        content = json.loads(text, parse_constant=constant, object_pairs_hook=hook)
        check_limits(content, strict=strict)
    except (ValueError, RecursionError) as failure:
        raise error(f"{where}: not readable JSON ({_reason(failure)}); {fix}") from None
    if schema is not None:
        schema.check(content, where, fix=fix, error=error)
    return content


def parse_yaml(text: str, where: object, schema: Schema, *, fix: str) -> Any:
    """Return the content of YAML text without anchors, which could make it far larger than the text.

    Args:
        where: file, for the message.
        fix: what a user can do, for the end of the message.

    Raises:
        ArenaError: it is not YAML, has an anchor, is beyond a limit, or does not fit the schema.
    """
    import yaml

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise _LimitError("it has an alias")
        content = yaml.safe_load(text)
        check_limits(content)
    except TypeError:
        raise ArenaError(f"{where}: not readable YAML (a key is not text); {fix}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as failure:
        raise ArenaError(f"{where}: not readable YAML ({_reason(failure)}); {fix}") from None
    schema.check(content, where, fix=fix)
    return content


def read_toml(path: Path, *, fix: str = "correct the file", error: type[ArenaError] = ArenaError) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises:
        ArenaError: the file cannot be read, is not TOML, or is beyond a limit.
    """
    text = read_text(path, most=MAX_TOML_BYTES, fix=fix, error=error)
    try:
        _refuse_long_keys(text)
        content = tomllib.loads(text)
        check_limits(content, strict=False)
    except (ValueError, RecursionError) as failure:
        raise error(f"{path}: not valid TOML ({_reason(failure)}); {fix}") from None
    return content


def check_limits(content: Any, *, strict: bool = True) -> None:
    """Raise ValueError if parsed content is beyond a limit.

    The limits are `MAX_DEPTH`, `MAX_INTEGER`, finite numbers, and text that can be written as UTF-8: a JSON escape may give a
    lone surrogate, which no encoding of Unicode can store.

    Args:
        strict: also refuse numbers that are not finite and lone surrogates.
    """
    level, depth = [content], 0
    while level and depth < MAX_DEPTH:
        for one in level:
            if _fault(one, strict):
                raise _LimitError(_named_fault("", content, strict))
        level, depth = (
            [inner for one in level for inner in _items(one) if inner and type(inner) in (dict, list)],
            depth + 1,
        )
    if level:
        raise _LimitError(f"more than {MAX_DEPTH} tables and lists inside each other")


def _items(content: Any) -> Collection[Any]:
    if type(content) is dict:
        return content.values()
    return content if type(content) is list else ()


def _fault(content: Any, strict: bool) -> str:
    """Return which limit a plain value, or one directly in a table or list, is beyond; empty if none."""
    values = _items(content) if type(content) in (dict, list) else [content]
    kinds = {*map(type, values)}
    if int in kinds and max(abs(one) for one in values if type(one) is int) > MAX_INTEGER:
        return "a whole number of more than 19 digits"
    if not strict:
        return ""
    if float in kinds and not all(math.isfinite(one) for one in values if type(one) is float):
        return "a number that is not finite"
    text = "".join(one for one in values if type(one) is str) if str in kinds else ""
    text += "".join(content) if type(content) is dict else ""
    return "" if text.isascii() or not _SURROGATE.search(text) else "a lone surrogate"


def _named_fault(name: str, content: Any, strict: bool) -> str:
    """Return the first fault in content with the name of its field; empty if there is none."""
    if type(content) not in (dict, list):
        fault = _fault(content, strict)
        return f"{name or 'the content'} has {fault}" if fault else ""
    if type(content) is dict:
        named = [(f"{name}.{key}".removeprefix("."), value) for key, value in content.items()]
    else:
        named = [(f"{name}[{number}]", value) for number, value in enumerate(content)]
    inner = next(filter(None, (_named_fault(*one, strict) for one in named)), "")
    return inner or (f"a key of {name or 'the content'} has {fault}" if (fault := _fault(content, strict)) else "")


def _refuse_constant(name: str) -> Any:
    raise _LimitError(f"{name} is not a number of JSON")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's pairs as a dict; raise if a key is duplicate."""
    table = dict(pairs)
    if len(table) < len(pairs):
        known: set[str] = set()
        twice = next(key for key, _ in pairs if key in known or known.add(key))  # type: ignore[func-returns-value]
        raise _LimitError(f"key {twice!r} is twice in one object")
    return table


def _refuse_long_keys(text: str) -> None:
    """Raise if dotted keys would need much time or memory: `tomllib` needs the square of their length."""
    if text.count(".") <= MAX_DEPTH:
        return
    plain = _TOML_TEXT.sub("s", text)
    if plain.count(".") > MAX_KEY_PARTS:
        raise _LimitError(f"more than {MAX_KEY_PARTS:,} dots outside strings")
    if _DEEP_KEY.search(plain):
        raise _LimitError(f"a dotted key of more than {MAX_DEPTH} parts")


def _reason(failure: Exception) -> str:
    if isinstance(failure, RecursionError):
        return f"more than {MAX_DEPTH} tables and lists inside each other"
    if "integer string conversion" in str(failure):
        return "a whole number of more than 4,300 digits"
    return str(failure).splitlines()[0]
