"""Guard CSV text with an apostrophe, so that a spreadsheet does not take it for a formula, and remove the guard again."""

import re
from collections.abc import Callable
from typing import Any

import pandas as pd

_FORMULA = re.compile("'*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
"""The start of text that a spreadsheet may take for a formula, with any apostrophes already before it."""

_GUARDED = re.compile("'+[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")


def guard_formula(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would take for a formula; `unguard_formula` removes it.

    >>> guard_formula("=_="), guard_formula("cat"), guard_formula("'-'")
    ("'=_=", 'cat', "''-'")
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguard_formula(text: str) -> str:
    """Undo `guard_formula`.

    >>> unguard_formula("'=_="), unguard_formula("cat"), unguard_formula("''-'")
    ('=_=', 'cat', "'-'")
    """
    return text[1:] if _GUARDED.match(text) else text


def with_guards(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose text is guarded in every column, for a CSV file."""
    return _with_texts(table, guard_formula)


def without_guards(table: pd.DataFrame) -> pd.DataFrame:
    """Undo `with_guards`."""
    return _with_texts(table, unguard_formula)


def _with_texts(table: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """Return a table with each distinct text of its columns changed; numbers and missing cells stay."""
    changed: dict[Any, Any] = {}
    for name in table.columns:
        if pd.api.types.is_numeric_dtype(table[name].dtype):
            continue
        texts = {text: change(text) for text in table[name].dropna().unique() if isinstance(text, str)}
        different = {text: safe for text, safe in texts.items() if safe != text}
        if different:
            changed[name] = table[name].map(
                lambda text, safe=different: safe.get(text, text) if isinstance(text, str) else text
            )
    return table.assign(**changed) if changed else table
