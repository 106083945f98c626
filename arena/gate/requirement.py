"""A requirement of the policy as one object: its table, keys, defaults, explanation, cases, and the data it needs.

To add one: define it in a file of this package, list it in `requirements`, and test it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, Generic, TypeVar

from arena.gate.decidable import DecidableLosses
from arena.gate.evidence import Evidence, MetricPair
from arena.gate.verdict import Case
from arena.results.run_folder import Result


class RequiredData(Enum):
    """The data on both models that a requirement needs."""

    TAGS = auto()
    """The tags that each model knows; runs and published files have them."""
    INTERVALS = auto()
    """Intervals of differences: from a run of both models, or from per-tag counts in both published files."""
    RUN = auto()
    """A run of both models; published files lack this data."""


@dataclass(frozen=True)
class JudgedData:
    """The data that requirements judge.

    Attributes:
        evidence: the metrics of both models.
        list_tags: largest number of tags that a case names.
        result: a run of both models; None for published files.
        candidate, baseline: names of the models in that run.
        calibration: calibration errors by metric after one fitted shift and scale; empty if the scores were not compared.
        decidable: what the images can decide; it chooses where the policy says `auto`.
    """

    evidence: Evidence
    list_tags: int
    result: Result | None = None
    candidate: str = ""
    baseline: str = ""
    calibration: Mapping[str, MetricPair] = field(default_factory=dict)
    decidable: DecidableLosses = field(default_factory=DecidableLosses)

    @property
    def summaries(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The entries of summary.json for the candidate and the baseline."""
        assert self.result is not None
        models = self.result.summary["models"]
        return models[self.candidate], models[self.baseline]

    @property
    def facts(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The entries of run.json for the candidate and the baseline, such as speed and size."""
        assert self.result is not None
        models = self.result.run["models"]
        return models.get(self.candidate, {}), models.get(self.baseline, {})


SettingsT = TypeVar("SettingsT")
"""Type of the settings of a requirement."""


def _no_names(settings: Any) -> Mapping[str, str]:
    return {}


def _as_written(settings: SettingsT, folder: Path) -> SettingsT:
    return settings


@dataclass(frozen=True)
class Requirement(Generic[SettingsT]):
    """A table of the policy.

    Attributes:
        table: name of the table in the file; also `Case.gate` of its cases.
        settings: a dataclass with a `keys.policy_key` field for each key of the table.
        about: comment lines for the default policy that explain the keys.
        cases: returns the cases. None for a table of options, or one that is judged elsewhere.
        needs: the data that `cases` needs.
        names: name -> title of the cases that the settings alone determine; without the needed data these are skipped.
        prepared: returns the settings with the files that they name read, relative to the folder of the policy.
    """

    table: str
    settings: type[SettingsT]
    about: str
    cases: Callable[[JudgedData, SettingsT], list[Case]] | None = None
    needs: RequiredData = RequiredData.INTERVALS
    names: Callable[[SettingsT], Mapping[str, str]] = _no_names
    prepared: Callable[[SettingsT, Path], SettingsT] = _as_written
