"""Where a model's files are fetched: a repository of the hub, at a revision."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from arena.cards.toml import Table

COMMIT = re.compile(r"[0-9a-f]{40}")
"""A commit of a repository: the only revision that can never come to mean other files."""


@dataclass(frozen=True)
class Source:
    """A repository of the hub.

    Attributes:
        revision: a commit, a branch or a tag; None: what `main` is when files are pulled.
    """

    hub: str
    revision: str | None = None

    @property
    def pinned(self) -> bool:
        """Whether it can never come to mean other files.

        >>> Source("people/tiny", "a" * 40).pinned, Source("people/tiny", "main").pinned
        (True, False)
        """
        return COMMIT.fullmatch(self.revision or "") is not None


def read_elsewhere(table: Table) -> Mapping[str, Source]:
    """The table `[elsewhere."FILE"]` of a card: a file that lies in another repository than the weights."""
    found = {}
    for file in list(table.content):
        told = table.table(file)
        found[file] = Source(told.text("hub"), told.text("revision", "") or None)
        told.finish()
    table.finish()
    return found
