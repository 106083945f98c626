"""The policy: what a candidate must satisfy, as data. `default.toml` documents every key, a user's file overlays it."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError
from arena.gate.keys import Rule, checked
from arena.tags.relations import read_aliases

DEFAULT = Path(__file__).parent / "default.toml"
"""The policy that holds where none is given."""

Margin = float | None
"""How far a figure may fall, 0 to 1; None asks for nothing."""


@dataclass(frozen=True)
class Margins:
    """Of the figures over all compared tags."""

    regime: str
    macro_f1: Margin
    micro_f1: Margin
    map: Margin


@dataclass(frozen=True)
class Parts:
    """Of categories, or of groups of tags.

    Attributes:
        figure: a key of `registry.HEADLINES`.
        margins: by name, where a part has its own.
    """

    figure: str
    margin: Margin
    rule: Rule
    margins: Mapping[str, Margin]

    def margin_of(self, *names: str) -> Margin:
        """Of a part, by the first of its names that has its own."""
        return next((self.margins[name] for name in names if name in self.margins), self.margin)


@dataclass(frozen=True)
class Slices(Parts):
    """Of slices of tags and images; `kinds` is None for all that there are."""

    kinds: tuple[str, ...] | None
    min_images: int


@dataclass(frozen=True)
class CriticalTag:
    """A tag that must not get worse."""

    tag: str
    margin: float
    figure: str
    rule: Rule


@dataclass(frozen=True)
class Tags:
    """Of any tag."""

    figures: tuple[str, ...]
    margin: float
    q: float
    min_support: int
    allowed: int


@dataclass(frozen=True)
class Calibration:
    """How much each error may rise."""

    ece: Margin
    brier: Margin


@dataclass(frozen=True)
class Coverage:
    """Of the baseline's tags; `aliases` is old name -> new name."""

    min_share: Margin
    aliases: Mapping[str, str]


@dataclass(frozen=True)
class Policy:
    """What a candidate must satisfy.

    Attributes:
        critical: in the order of the file.
        speed: images a second, at least this share of the baseline's.
        weight_bytes, parameters: at most so many times the baseline's.
        epsilon: how far a score may move where only the code changed.
        points: how far a figure may fall that is known without counts.
        accept_inconclusive: inconclusive counts as a pass.
        list_tags: how many tags a case names.
        name: of the file, or `default`.
        digest: SHA-256 of everything above.
    """

    margins: Margins
    categories: Parts
    slices: Slices
    tag_groups: Parts
    critical: tuple[CriticalTag, ...]
    tags: Tags
    calibration: Calibration
    coverage: Coverage
    speed: float | None
    weight_bytes: float | None
    parameters: float | None
    epsilon: float
    points: Margin
    accept_inconclusive: bool
    list_tags: int
    name: str = field(default="default", compare=False)
    digest: str = field(default="", compare=False)

    @property
    def title(self) -> str:
        """For people: `gate.toml (3f2a90c1)`."""
        return f"{self.name} ({self.digest[:8]})"


def read_policy(path: Path | None = None) -> Policy:
    """Read a policy file over the defaults, key by key; None gives the defaults.

    Raises:
        ArenaError: no such file, no TOML, a table, key or value that no policy has, or aliases that cannot be read.

    >>> read_policy().margins
    Margins(regime='own', macro_f1=0.01, micro_f1=0.01, map=0.01)
    """
    tables = checked(DEFAULT, _toml(DEFAULT))
    if path is not None:
        for table, keys in checked(path, _toml(path)).items():
            tables[table] |= keys
    folder = DEFAULT.parent if path is None else path.parent
    file = tables["coverage"]["aliases"]
    tables["coverage"]["aliases"] = {} if file is None else read_aliases(folder / file)
    return _policy(tables, "default" if path is None else path.name)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ArenaError(
            f"{path}: no policy can be read there ({error.strerror}); see arena check --show-policy"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArenaError(f"{path}: no readable TOML ({error})") from None


def _policy(tables: Mapping[str, Mapping[str, Any]], name: str) -> Policy:
    """From tables in which every key is there and checked."""
    critical = dict(tables["critical"])
    entries = critical.pop("tags")
    slices = tables["slices"]
    return Policy(
        margins=Margins(**tables["margins"]),
        categories=Parts(**_with_rule(tables["categories"])),
        slices=Slices(**_with_rule(slices)),
        tag_groups=Parts(**_with_rule(tables["tag_groups"])),
        critical=tuple(CriticalTag(**_with_rule({**critical, **entry})) for entry in entries),
        tags=Tags(**tables["tags"]),
        calibration=Calibration(**tables["calibration"]),
        coverage=Coverage(**tables["coverage"]),
        speed=tables["speed"]["min_share"],
        weight_bytes=tables["size"]["weight_bytes"],
        parameters=tables["size"]["parameters"],
        epsilon=tables["canary"]["epsilon"],
        points=tables["unpaired"]["points"],
        accept_inconclusive=tables["verdict"]["accept_inconclusive"],
        list_tags=tables["verdict"]["list_tags"],
        name=name,
        digest=hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest(),
    )


def _with_rule(table: Mapping[str, Any]) -> dict[str, Any]:
    return {**table, "rule": Rule(table["rule"])}
