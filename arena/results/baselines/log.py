"""The log of baselines: a line of JSON each, only ever added to, the newest last."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError, IncomparableError, nearest
from arena.base.files import write_whole

LOG = "baselines.jsonl"
"""In the folder of baselines, beside a folder for each that was set."""

LOG_SCHEMA = 1
"""Version of the log and of what lies beside it."""

SHORT = 12
"""Digits of a digest that name a folder, and that people see."""


@dataclass(frozen=True)
class Baseline:
    """A run that was declared what releases are held against.

    Attributes:
        name: of the release; that of its model unless another was given.
        model: which of the run's models.
        run: where the run lay, relative to the folder of baselines; it may be gone.
        digest: SHA-256 over the run's signature, `per_tag.parquet` and the model's name.
        dataset: `name`, `title`, `digest`, `images` of what it was scored on.
        created: when it was set, in ISO 8601.
        figures: the headline figures, each with `value`, `low`, `high`, `tags`.
        files: path below `copy` -> SHA-256 of what was kept.
        home: the folder of baselines.
    """

    name: str
    model: str
    run: str
    digest: str
    signature: str
    dataset: Mapping[str, Any]
    created: str
    reason: str
    figures: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, str]
    home: Path

    @property
    def copy(self) -> Path:
        """The folder of what was kept: a run folder of few files."""
        return self.home / self.digest[:SHORT]

    @property
    def origin(self) -> Path:
        """Where the run lay."""
        return self.home / self.run

    @property
    def has_scores(self) -> bool:
        """Whether its scores were kept."""
        return any(name.startswith("scores/") for name in self.files)

    def line(self) -> str:
        """As the log holds it."""
        content = {"schema": LOG_SCHEMA, **asdict(self)}
        del content["home"]
        return json.dumps(content, ensure_ascii=False, allow_nan=False)


def read_log(home: Path) -> list[Baseline]:
    """Every baseline that was ever set, the oldest first; none where there is no log.

    Raises:
        ArenaError: a line that is damaged.
        IncomparableError: a line of another version.
    """
    path = home / LOG
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [_read_line(home, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def add_line(baseline: Baseline) -> None:
    """Write the log with one line more, whole or not at all."""
    path = baseline.home / LOG
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if before and not before.endswith("\n"):
        before += "\n"
    write_whole(path, f"{before}{baseline.line()}\n", durable=True)


def newest(log: Sequence[Baseline], home: Path, name: str | None = None) -> Baseline:
    """The baseline that holds: the one set last, or the last of a name (or of the first digits of a digest).

    Raises:
        ArenaError: there is none.
    """
    if not log:
        raise ArenaError(f'{home}: no baseline is set; set one: arena baseline set RUN --reason "why it holds"')
    if name is None:
        return log[-1]
    found = [one for one in log if one.name == name] or [
        one for one in log if len(name) >= 4 and one.digest.startswith(name)
    ]
    if not found:
        raise ArenaError(f"{home}: no baseline is called {name!r}. {nearest(name, {one.name for one in log})}")
    return found[-1]


def _read_line(home: Path, number: int, line: str) -> Baseline:
    where = f"{home / LOG}: line {number}"
    try:
        content = json.loads(line)
        if (schema := content.pop("schema")) != LOG_SCHEMA:
            raise IncomparableError(f"{where}: schema {schema}, this version reads {LOG_SCHEMA}; update arena")
        found = Baseline(**content, home=home)
        sound = all(isinstance(text, str) for text in (found.name, found.model, found.run, found.digest, found.reason))
        sound = sound and all(isinstance(part, dict) for part in (found.dataset, found.figures, found.files))
    except (ValueError, LookupError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise ArenaError(f"{where}: damaged, no baseline can be read from it; restore the file")
    return found
