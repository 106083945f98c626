"""The log of baselines: one JSON line per baseline, append-only, the newest last."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from arena.base.errors import ArenaError, IncomparableError, nearest
from arena.base.files import write_whole
from arena.base.reading import MAX_JSON_BYTES, parse_json, read_text
from arena.base.schema import COUNT, NUMBER, TEXT, Schema, list_of, optional, table_of
from arena.results.written import RUN_FILE

LOG = "baselines.jsonl"
"""File name of the log in the folder of baselines, which also holds one folder per baseline."""

LOG_SCHEMA = 1
"""Version of the log and of the baselines' folders."""

_METRIC = table_of(
    {"value": optional(NUMBER), "low": optional(NUMBER), "high": optional(NUMBER), "tags": optional(COUNT)},
    {
        "corrected": optional(NUMBER), "compared_with": list_of("string"),
        "own": table_of({"value": optional(NUMBER), "tags": optional(COUNT)}),
    },
)  # fmt: skip

_LINE = Schema(
    table_of(
        {
            **dict.fromkeys(("name", "model", "run", "digest", "signature", "created", "reason"), TEXT),
            "dataset": table_of(known={"name": TEXT, "title": TEXT, "digest": TEXT, "images": COUNT}),
            "figures": table_of(others=_METRIC), "files": table_of(others=TEXT),
        },
        others=False,
    )
)  # fmt: skip
"""A line of the log without its `schema`."""

DIGEST_DIGITS = 12
"""Digits of a digest that are shown, and that name a baseline's folder."""


@dataclass(frozen=True)
class Baseline:
    """One model of a run, recorded as the baseline that releases are compared with.

    Attributes:
        name: name of the release; the model's name unless the user chose another one.
        model: the model's name in the run.
        run: name of the run folder, which may no longer exist; in a log of an earlier version its path relative to the folder
            of baselines.
        digest: SHA-256 over the run's signature, `per_tag.parquet` and the model's name.
        dataset: `name`, `title`, `digest`, `images` of the dataset of the run.
        created: when the baseline was set; ISO 8601.
        reason: why it was set.
        figures: headline metrics, each with `value`, `low`, `high`, `tags`, and `corrected` where the run has it; in
            a run of several models also `compared_with` and `own`, see `headlines`.
        files: path below `copy` -> SHA-256 of the stored file.
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
        """The folder with the stored files, a run folder with fewer files."""
        return self.home / self.digest[:DIGEST_DIGITS]

    @cached_property
    def origin(self) -> Path | None:
        """The folder of its run, found by name and signature; None if it was moved or removed.

        It is looked for beside the folder of baselines and in the current folder, and one folder below each: the log is
        shared, so it holds no path.
        """
        name = PurePosixPath(self.run).name
        below = [place for top in (self.home.parent, Path()) for place in (top, *sorted(top.glob("*/")))]
        places = [self.home / self.run, *(place / name for place in below)]
        return next((place for place in places if self._is_of_run(place / RUN_FILE)), None)

    def _is_of_run(self, file: Path) -> bool:
        try:
            run = json.loads(file.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            return False
        return isinstance(run, dict) and run.get("signature") == self.signature

    @property
    def has_scores(self) -> bool:
        """Whether its scores are stored too."""
        return any(name.startswith("scores/") for name in self.files)

    def line(self) -> str:
        """The baseline's line in the log."""
        content = {"schema": LOG_SCHEMA, **asdict(self)}
        del content["home"]
        return json.dumps(content, ensure_ascii=False, allow_nan=False)


def read_log(home: Path) -> list[Baseline]:
    """Read all baselines, the oldest first; an empty list if there is no log.

    Raises:
        ArenaError: a line is damaged.
        IncomparableError: a line has another schema.
    """
    path = home / LOG
    if not path.exists():
        return []
    lines = read_text(path, most=MAX_JSON_BYTES, fix="restore the file").split("\n")
    return [_read_line(home, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def add_line(baseline: Baseline) -> None:
    """Append a baseline to the log; the log is written whole or not at all."""
    path = baseline.home / LOG
    before = read_text(path, most=MAX_JSON_BYTES, fix="restore the file") if path.exists() else ""
    if before and not before.endswith("\n"):
        before += "\n"
    write_whole(path, f"{before}{baseline.line()}\n", durable=True)


def find_baseline(log: Sequence[Baseline], home: Path, name: str | None = None) -> Baseline:
    """The current baseline: the last one, or the last with a name or with a digest that starts with `name`.

    Args:
        name: name of a release, or at least 4 first digits of a digest; None takes the last baseline.

    Raises:
        ArenaError: there is none.
    """
    if not log:
        raise ArenaError(f'{home}: no baseline is set; set one: arena baseline set RUN --reason "why this run"')
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
    content = parse_json(line, where)
    if isinstance(content, dict) and (schema := content.pop("schema", LOG_SCHEMA)) != LOG_SCHEMA:
        raise IncomparableError(f"{where}: schema {schema!r:.40}, this version reads {LOG_SCHEMA}; update arena")
    _LINE.check(content, where, fix="restore the file")
    return Baseline(**content, home=home)
