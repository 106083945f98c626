"""Text in CSV that a spreadsheet must not take for a formula: guarded by an apostrophe, and read back without it."""

import re

_FORMULA = re.compile("'*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
"""What a spreadsheet may take for the start of a formula, and the same with apostrophes that stand there already."""

_GUARDED = re.compile("'+[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")


def guarded(text: str) -> str:
    """Text with an apostrophe before what a spreadsheet would take for a formula; `unguarded` gives it back.

    >>> guarded("=_="), guarded("cat"), guarded("'-'")
    ("'=_=", 'cat', "''-'")
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text that `guarded` was given.

    >>> unguarded("'=_="), unguarded("cat"), unguarded("''-'")
    ('=_=', 'cat', "'-'")
    """
    return text[1:] if _GUARDED.match(text) else text
