"""Changes of policy and baselines that a pull request proposes. A check does not use them; its verdict lists them."""

from collections.abc import Iterator
from pathlib import Path

from arena.base.errors import ArenaError
from arena.base.format import listed, shown
from arena.gate.policy import policy_changes, read_policy
from arena.results.baselines.log import DIGEST_DIGITS, Baseline, read_log
from arena.results.baselines.store import changed_file

_NAMED_KEYS = 8
"""Largest number of changed keys that a note names."""


def proposed_policy_notes(used: Path | None, proposed: Path) -> Iterator[str]:
    """Yield a note if a proposed policy differs from the one that judges.

    Args:
        used: file of the policy that judges; None is the default policy.
        proposed: file of the proposed policy; a missing file proposes the default policy.
    """
    try:
        changes = policy_changes(read_policy(used), read_policy(proposed if proposed.exists() else None))
    except ArenaError as error:
        yield f"the proposed policy cannot be read ({error}); the policy that judged is another file"
        return
    if changes:
        yield (
            f"the proposed policy {shown(proposed.name)} differs from the policy that judged: "
            f"{listed(changes, keep=_NAMED_KEYS)}; it was not applied"
        )


def proposed_baselines_notes(used: Path, proposed: Path) -> Iterator[str]:
    """Yield a note if proposed baselines differ from those that judge.

    Args:
        used, proposed: folders of baselines.
    """
    try:
        before, after = read_log(used), read_log(proposed)
    except ArenaError as error:
        yield f"the proposed baselines cannot be read ({error}); the baselines that judged are in another folder"
        return
    changes = [f"{one.name} ({one.digest[:DIGEST_DIGITS]}) is removed" for one in before if not _has(after, one)]
    changes += [f"{one.name} ({one.digest[:DIGEST_DIGITS]}) is added" for one in after if not _has(before, one)]
    if before and after and not changes and not _has(after[-1:], before[-1]):
        changes.append(f"{after[-1].name} is current in place of {before[-1].name}")
    changes += [fault for one in after if (fault := changed_file(one)) and not _is_changed_in(before, one)]
    if changes:
        yield f"the proposed baselines differ from those that judged: {listed(changes, keep=5)}; they were not applied"


def _has(log: list[Baseline], one: Baseline) -> bool:
    """Return whether a log has a baseline with the same name, digest and files."""
    return any((other.digest, other.name, other.files) == (one.digest, one.name, one.files) for other in log)


def _is_changed_in(log: list[Baseline], one: Baseline) -> bool:
    """Return whether the baseline with this digest has a changed file in the log too."""
    return any(other.digest == one.digest and changed_file(other) for other in log)
