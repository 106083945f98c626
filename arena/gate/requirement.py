"""A requirement of the policy as one object: its table, keys, defaults, explanation, cases, and what it needs.

A requirement is added in three places: a file (or a part of one) that defines it, its line in `requirements`, and its test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, Generic, TypeVar

from arena.gate.evidence import Evidence
from arena.gate.verdict import Case
from arena.results.run_folder import Result


class Needs(Enum):
    """What must be known of both sides to judge a requirement."""

    TAGS = auto()
    """Which tags each side knows: runs and published files."""
    INTERVALS = auto()
    """Intervals of differences: a run of both, or counts of each tag in both published files."""
    RUN = auto()
    """A run of both: published files do not hold it."""


@dataclass(frozen=True)
class Judged:
    """What is judged.

    Attributes:
        evidence: of both sides.
        list_tags: how many tags a case names at most.
        result: a run of both sides; None for published files.
        candidate, baseline: the names of the models in that run.
    """

    evidence: Evidence
    list_tags: int
    result: Result | None = None
    candidate: str = ""
    baseline: str = ""

    @property
    def summaries(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What the summary of the run has of the candidate and of the baseline."""
        assert self.result is not None
        models = self.result.summary["models"]
        return models[self.candidate], models[self.baseline]

    @property
    def facts(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What the run recorded of the candidate and of the baseline, beside their scores."""
        assert self.result is not None
        models = self.result.run["models"]
        return models.get(self.candidate, {}), models.get(self.baseline, {})


T = TypeVar("T")
"""The settings of a requirement."""


def _no_names(settings: Any) -> Mapping[str, str]:
    return {}


def _as_written(settings: T, folder: Path) -> T:
    return settings


@dataclass(frozen=True)
class Requirement(Generic[T]):
    """A table of the policy.

    Attributes:
        table: its name in the file, and the gate of its cases.
        settings: a dataclass, a field made by `keys.key` for each key of the table.
        about: lines that explain the keys, for the default policy.
        cases: judges the settings. None for a table that is no requirement itself, or is judged elsewhere.
        needs: what `cases` needs.
        names: name and title of each case that is asked for, as far as the settings alone tell; these are skipped where
            what the requirement needs is not known.
        prepared: the settings with the files read that they name, relative to the folder of the policy.
    """

    table: str
    settings: type[T]
    about: str
    cases: Callable[[Judged, T], list[Case]] | None = None
    needs: Needs = Needs.INTERVALS
    names: Callable[[T], Mapping[str, str]] = _no_names
    prepared: Callable[[T, Path], T] = _as_written
