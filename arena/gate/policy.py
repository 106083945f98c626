"""The policy: the settings of every requirement. A user's file overrides the defaults, key by key."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError, nearest
from arena.base.format import clipped
from arena.base.reading import read_toml
from arena.gate.decidable import DecidableLosses
from arena.gate.keys import check_table, default_keys
from arena.gate.requirement import Requirement, SettingsT
from arena.gate.requirements import REQUIREMENTS

_HEADER = """\
# What a candidate must satisfy to replace a baseline. Your own policy (arena check --policy gate.toml) needs only the keys that
# it changes; a missing key has the value below. In place of a number, `false` turns a requirement off.
#
# Differences are candidate minus baseline on the same images, with a 95 % interval from L to U. Three rules decide:
#   non-inferiority   pass if L >= -margin, fail if U < -margin, else inconclusive: the loss may be larger or smaller
#   measured          pass if L >= -margin or the measured loss is within the margin, fail if U < -margin, else inconclusive
#   regression        fail if U < -margin, else pass: a loss beyond the margin is not shown, but it may not be ruled out. If the
#                     measured loss is beyond the margin, the outcome is "not shown" (amber), which does not prevent a pass
# If a table tests several parts, a part fails only if it also fails after Holm's correction over all of them: of the candidates
# without a loss beyond a margin, at most 5 % fail any part of a table. By non-inferiority, each part must pass on its own.
"""


@dataclass(frozen=True)
class Policy:
    """What a candidate must satisfy.

    Attributes:
        tables: the settings of each requirement by the name of its table; read them with `of`.
        name: of the file, or `default`.
        digest: SHA-256 of all settings.
        decidable: what the images can decide; it chooses where a setting is `auto`. None until it is known.
    """

    tables: Mapping[str, Any]
    name: str = field(default="default", compare=False)
    digest: str = field(default="", compare=False)
    decidable: DecidableLosses | None = field(default=None, compare=False)

    @property
    def title(self) -> str:
        """Name and digest for display: `gate.toml (3f2a90c1)`."""
        return f"{self.name} ({self.digest[:8]})"

    def of(self, requirement: Requirement[SettingsT]) -> SettingsT:
        """Return the settings of a requirement."""
        found: SettingsT = self.tables[requirement.table]
        return found

    def changed(self, requirement: Requirement[Any], **values: Any) -> "Policy":
        """Return a copy with some settings of a requirement changed; name and digest stay those of the file."""
        return replace(self, tables={**self.tables, requirement.table: replace(self.of(requirement), **values)})


def read_policy(path: Path | None = None) -> Policy:
    """Read a policy file over the defaults, key by key; None gives the defaults.

    Raises:
        ArenaError: the file is missing or is not TOML, a table, key or value is wrong, or a file that it names cannot be read.

    >>> from arena.gate.parts import MARGINS
    >>> read_policy().of(MARGINS)
    MarginSettings(regime='own', rule='auto', macro_f1=0.01, micro_f1=0.01, map=0.01, judged=False)
    """
    fix = "for an example see arena check --show-policy"
    content = {} if path is None else read_toml(path, fix=fix)
    known = [requirement.table for requirement in REQUIREMENTS]
    for table in content:
        if table not in known:
            raise ArenaError(f"{path}: a policy has no table [{table}]. {nearest(table, known)}")
    folder = Path() if path is None else path.parent
    tables = {one.table: _settings(path, one, content.get(one.table, {}), folder) for one in REQUIREMENTS}
    text = json.dumps({table: _digested(settings) for table, settings in tables.items()}, sort_keys=True)
    return Policy(tables, "default" if path is None else path.name, hashlib.sha256(text.encode()).hexdigest())


_LATER_KEYS = {"judged": False}
"""Keys of later versions with their default; without another value they do not change the digest of a policy."""


def _digested(settings: Any) -> dict[str, Any]:
    """Return the settings of a table that the digest covers."""
    found = asdict(settings)
    return {key: value for key, value in found.items() if key not in _LATER_KEYS or value != _LATER_KEYS[key]}


def policy_changes(used: Policy, proposed: Policy) -> list[str]:
    """Return each key whose value differs in the proposed policy, such as `[margins] map 0.5 instead of 0.01`."""
    found = []
    for one in REQUIREMENTS:
        before, after = asdict(used.of(one)), asdict(proposed.of(one))
        found += [
            f"[{one.table}] {key} {_text(after[key])} instead of {_text(before[key])}"
            for key in before
            if before[key] != after[key]
        ]
    return found


def _text(value: Any) -> str:
    return "none" if value in (None, {}, (), []) else clipped(json.dumps(value, ensure_ascii=False, default=str), 80)


def _settings(where: object, requirement: Requirement[SettingsT], keys: Any, folder: Path) -> SettingsT:
    values = check_table(where, requirement.table, requirement.settings, keys)
    return requirement.prepared(requirement.settings(**values), folder)


def default_policy() -> str:
    """Return the default policy as TOML with a comment for every table."""
    return "\n".join([_HEADER, *map(_as_toml, REQUIREMENTS)])


def _as_toml(requirement: Requirement[Any]) -> str:
    explained = [f"# {line}" for line in requirement.about.splitlines()]
    keys = [f"{name} = {_value(value)}" for name, value in default_keys(requirement.settings).items()]
    return "\n".join([f"[{requirement.table}]", *explained, *keys, ""])


def _value(value: Any) -> str:
    """Return a default as TOML; text, numbers, booleans, lists and an empty table are the same in JSON.

    >>> _value(0.0001), _value(False), _value(["f1"]), _value({})
    ('0.0001', 'false', '["f1"]', '{}')
    """
    return json.dumps(value, ensure_ascii=False)
