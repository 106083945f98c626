"""What models and datasets may be called."""

import re

from arena.base.errors import ArenaError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


def check_name(name: str) -> None:
    """Refuse a name of a model or a dataset that cannot be the name of a file."""
    if not _NAME.fullmatch(name):
        raise ArenaError(
            f"{name!r}: a name is made of letters, digits and . _ + - and starts with one of the first two"
        )
