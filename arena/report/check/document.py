"""Write and read `check.json`, a verdict for other programs. Its schema is `check.schema.json` in this folder."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields, is_dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from arena.base.errors import ArenaError, IncomparableError
from arena.base.format import encodable
from arena.base.reading import read_json
from arena.gate.verdict import Outcome, Verdict
from arena.report.check.words import verdict_sentence

_SCHEMA = 2
"""Version of `check.json`. Version 2 added the outcomes `not_shown` and `reported` of cases and of `counts`."""

READABLE = (1, _SCHEMA)
"""Versions that `read_check` reads; all that version 1 holds is also valid in version 2."""

_DERIVED = ("schema", "outcome", "exit_code", "sentence", "counts")
"""Keys of the document that are derived from the attributes of the verdict."""


def check_document(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain values: the keys of `_DERIVED`, then its attributes by name.

    JSON in UTF-8 cannot hold a number that is not finite, nor a lone surrogate: the first becomes null, the second U+FFFD.
    """
    derived = (
        _SCHEMA, str(verdict.outcome), int(verdict.exit_code), verdict_sentence(verdict),
        {str(one): len(verdict.of(one)) for one in Outcome},
    )  # fmt: skip
    document: dict[str, Any] = _plain(dict(zip(_DERIVED, derived, strict=True)) | asdict(verdict))
    return document


def check_json(verdict: Verdict) -> str:
    """Return the document as indented JSON with a final newline."""
    return json.dumps(check_document(verdict), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def check_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the document."""
    text = files("arena.report.check").joinpath("check.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def read_check(path: Path) -> Verdict:
    """Read the verdict in a `check.json`.

    Raises:
        ArenaError: the file is not a `check.json`, or it is damaged.
        IncomparableError: the file has another schema version.
    """
    content = read_json(path, fix="run arena check again")
    if not isinstance(content, dict) or "schema" not in content:
        raise ArenaError(f"{path}: not a check.json (no key schema); name a file that arena check wrote")
    if content["schema"] not in READABLE:
        raise IncomparableError(
            f"{path}: schema {content['schema']}, this version reads {' and '.join(map(str, READABLE))}; run arena check again"
        )
    attributes = {key: value for key, value in content.items() if key not in _DERIVED}
    try:
        verdict: Verdict = _read(attributes, Verdict, "verdict")
    except _DamagedError as error:
        raise ArenaError(f"{path}: damaged check.json ({error}); run arena check again") from None
    if content.get("outcome") != verdict.outcome:
        stored = content.get("outcome")
        raise ArenaError(
            f"{path}: outcome is {stored!r}, but its cases give {str(verdict.outcome)!r}; run arena check again"
        )
    return verdict


def _plain(content: Any) -> Any:
    """Return the content as JSON types that can be written without error."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_plain(value) for value in content]
    if isinstance(content, str):
        return encodable(str(content))
    return None if isinstance(content, float) and not math.isfinite(content) else content


class _DamagedError(Exception):
    """A value does not have the type of its attribute."""


_hints = cache(get_type_hints)


def _read(content: Any, kind: Any, where: str) -> Any:
    """Convert a JSON value to the type of an annotation: optional, sequence, dataclass, enumeration or plain value."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return (
            None if content is None else _read(content, get_args(kind)[0], where)
        )  # every union in a verdict is X | None
    if origin is Sequence:
        return tuple(
            _read(one, get_args(kind)[0], f"{where}[{n}]") for n, one in enumerate(_checked(content, list, where))
        )
    if is_dataclass(kind):
        return _read_dataclass(_checked(content, dict, where), kind, where)
    if issubclass(kind, Enum):
        if not isinstance(content, str) or content not in {one.value for one in kind}:
            raise _DamagedError(f"{where}: {content!r} is not an {kind.__name__.lower()}")
        return kind(content)
    return float(_checked(content, (int, float), where)) if kind is float else _checked(content, kind, where)


def _read_dataclass(content: dict[str, Any], kind: Any, where: str) -> Any:
    known = {one.name: one for one in fields(kind)}
    if unknown := sorted(content.keys() - known.keys()):
        raise _DamagedError(f"{where}: unknown key {unknown[0]!r}")
    needed = [name for name, one in known.items() if one.default is MISSING and one.default_factory is MISSING]
    if missing := [name for name in needed if name not in content]:
        raise _DamagedError(f"{where}: missing key {missing[0]!r}")
    hints = _hints(kind)
    return kind(**{name: _read(value, hints[name], f"{where}.{name}") for name, value in content.items()})


def _checked(content: Any, kind: Any, where: str) -> Any:
    if not isinstance(content, kind) or (isinstance(content, bool) and kind is not bool):
        raise _DamagedError(f"{where}: {content!r:.60} has the wrong type")
    return content
