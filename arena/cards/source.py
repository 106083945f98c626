"""Source of a model's files: a repository of the hub at a revision."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from arena.cards.toml import CardTable

COMMIT = re.compile(r"[0-9a-f]{40}")
"""A commit of a repository: the only revision whose files can never change."""


@dataclass(frozen=True)
class HubSource:
    """A repository of the hub.

    Attributes:
        revision: a commit, a branch or a tag; None: the state of `main` at the time of the download.
    """

    hub: str
    revision: str | None = None

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit, so that its files can never change.

        >>> HubSource("people/tiny", "a" * 40).pinned, HubSource("people/tiny", "main").pinned
        (True, False)
        """
        return COMMIT.fullmatch(self.revision or "") is not None


def read_elsewhere(table: CardTable) -> Mapping[str, HubSource]:
    """Read the tables `[elsewhere."FILE"]` of a card: files in another repository than the weights."""
    found = {}
    for file in list(table.content):
        entry = table.table(file)
        found[file] = HubSource(entry.text("hub"), entry.text("revision", "") or None)
        entry.finish()
    table.finish()
    return found
