"""Source of a model's files: a repository of the hub at a revision."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from arena.base.errors import ArenaError
from arena.base.format import shown
from arena.cards.toml import CardTable

_REPOSITORY = re.compile(r"(?:[A-Za-z0-9_][\w.-]*/)?[A-Za-z0-9_][\w.-]*", re.ASCII)
"""Name of a repository on the hub: `OWNER/NAME`, or `NAME` for a few old ones."""

_REVISION = re.compile(r"[A-Za-z0-9_][\w./+-]*", re.ASCII)

COMMIT = re.compile(r"[0-9a-f]{40}")
"""A commit of a repository: the only revision whose files can never change."""


def read_hub(table: CardTable, *, needed: bool) -> str | None:
    """Read the field `hub` of a card; None if it is not needed and missing.

    Raises:
        ArenaError: it is not the name of a repository, such as a path or a URL.
    """
    hub = table.text("hub") if needed else table.text("hub", "")
    if (hub or needed) and not (
        _REPOSITORY.fullmatch(hub) and not re.search(r"\.\.|--|[.-](/|$)", hub) and len(hub) <= 96
    ):
        raise ArenaError(
            f"{table.where}: hub = {shown(hub)!r}; it must be a repository, OWNER/NAME, without https:// or .."
        )
    return hub or None


def read_revision(table: CardTable) -> str | None:
    """Read the field `revision` of a card; None if it is missing or empty.

    Raises:
        ArenaError: it cannot be the name of a commit, a branch or a tag.
    """
    revision = table.text("revision", "")
    if revision and (".." in revision or not _REVISION.fullmatch(revision)):
        raise ArenaError(f"{table.where}: revision = {shown(revision)!r}; it must be a commit, a branch or a tag")
    return revision or None


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
        found[file] = HubSource(str(read_hub(entry, needed=True)), read_revision(entry))
        entry.finish()
    table.finish()
    return found
