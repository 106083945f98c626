"""`check.json`: a verdict for other programs, and back; `check.schema.json` beside this file describes it."""

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
from arena.gate.verdict import Outcome, Verdict
from arena.report.check.words import sentence

SCHEMA = 1
"""Version of `check.json`."""

DERIVED = ("schema", "outcome", "exit_code", "sentence", "counts")
"""What the document says beside the verdict's own attributes; all of it follows from them."""


def check_document(verdict: Verdict) -> dict[str, Any]:
    """Everything that a verdict says, as plain values: `DERIVED`, then its attributes by their names.

    A number that is not finite is null, and half a surrogate pair in a name is U+FFFD: JSON in UTF-8 holds neither.
    """
    derived = (
        SCHEMA, str(verdict.outcome), int(verdict.exit_code), sentence(verdict),
        {str(one): len(verdict.of(one)) for one in Outcome},
    )  # fmt: skip
    found: dict[str, Any] = _plain(dict(zip(DERIVED, derived, strict=True)) | asdict(verdict))
    return found


def check_json(verdict: Verdict) -> str:
    """The document as indented JSON, with a line end."""
    return json.dumps(check_document(verdict), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def check_schema() -> dict[str, Any]:
    """The schema of the document, JSON Schema 2020-12."""
    text = files("arena.report.check").joinpath("check.schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def read_check(path: Path) -> Verdict:
    """The verdict of a `check.json`.

    Raises:
        ArenaError: it is none, or was changed.
        IncomparableError: another schema.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ArenaError(
            f"{path}: no readable check.json ({str(error).splitlines()[0]}); run arena check again"
        ) from None
    if not isinstance(content, dict) or "schema" not in content:
        raise ArenaError(f"{path}: no check.json (it names no schema); it is what arena check writes")
    if content["schema"] != SCHEMA:
        raise IncomparableError(
            f"{path}: schema {content['schema']}, this version reads {SCHEMA}; run arena check again"
        )
    told = {key: value for key, value in content.items() if key not in DERIVED}
    try:
        verdict: Verdict = _read(told, Verdict, "verdict")
    except _WrongError as error:
        raise ArenaError(f"{path}: damaged check.json ({error}); run arena check again") from None
    if content.get("outcome") != verdict.outcome:
        seen = content.get("outcome")
        raise ArenaError(f"{path}: it says {seen!r}, but its cases say {str(verdict.outcome)!r}; run arena check again")
    return verdict


def _plain(content: Any) -> Any:
    """JSON's own types, none of which is refused when it is written."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_plain(value) for value in content]
    if isinstance(content, str):
        return encodable(str(content))
    return None if isinstance(content, float) and not math.isfinite(content) else content


class _WrongError(Exception):
    """A value that is not of the kind that its attribute asks for."""


_hints = cache(get_type_hints)


def _read(content: Any, kind: Any, where: str) -> Any:
    """A value as its annotation wants it: a dataclass, a sequence, an enumeration, a plain value, or one of several."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return None if content is None else _read(content, get_args(kind)[0], where)  # all of them are X | None
    if origin is Sequence:
        return tuple(_read(one, get_args(kind)[0], f"{where}[{n}]") for n, one in enumerate(_of(content, list, where)))
    if is_dataclass(kind):
        return _read_dataclass(_of(content, dict, where), kind, where)
    if issubclass(kind, Enum):
        if content not in {one.value for one in kind}:
            raise _WrongError(f"{where}: {content!r} is no {kind.__name__.lower()}")
        return kind(content)
    return float(_of(content, (int, float), where)) if kind is float else _of(content, kind, where)


def _read_dataclass(content: dict[str, Any], kind: Any, where: str) -> Any:
    known = {one.name: one for one in fields(kind)}
    if unknown := sorted(content.keys() - known.keys()):
        raise _WrongError(f"{where}: unknown key {unknown[0]!r}")
    needed = [name for name, one in known.items() if one.default is MISSING and one.default_factory is MISSING]
    if missing := [name for name in needed if name not in content]:
        raise _WrongError(f"{where}: no {missing[0]!r}")
    hints = _hints(kind)
    return kind(**{name: _read(value, hints[name], f"{where}.{name}") for name, value in content.items()})


def _of(content: Any, kind: Any, where: str) -> Any:
    if not isinstance(content, kind) or (isinstance(content, bool) and kind is not bool):
        raise _WrongError(f"{where}: {content!r:.60} is of another kind")
    return content
