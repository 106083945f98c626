"""Guard CSV text with an apostrophe, so that a spreadsheet does not take it for a formula, and remove the guard again."""

import re

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
