"""Changes that a pull request proposes: named, and not applied."""

from pathlib import Path

import pytest

from arena.pipeline.check.proposal import proposed_baselines_notes, proposed_policy_notes
from arena.pipeline.entrants import find_run
from arena.results.baselines.store import set_baseline
from tests.pipeline.conftest import World

pytestmark = pytest.mark.usefixtures("no_page")


def policy(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_weaker_policy_is_named_key_by_key(tmp_path: Path) -> None:
    used = policy(tmp_path / "used.toml", "[margins]\nmap = 0.02\n")
    weak = policy(tmp_path / "weak.toml", "[margins]\nmap = 0.5\nmicro_f1 = false\n[critical]\ntags = ['cat']\n")
    (note,) = proposed_policy_notes(used, weak)
    assert note.startswith("the proposed policy weak.toml differs from the policy that judged: ")
    for change in (
        "[margins] map 0.5 instead of 0.02",
        "[margins] micro_f1 none instead of 0.01",
        "it was not applied",
    ):
        assert change in note
    assert "[critical] tags " in note
    same = policy(tmp_path / "same.toml", "# other words\n[margins]\nmap = 0.020\n")
    assert not list(proposed_policy_notes(used, same))


def test_a_policy_that_is_removed_or_broken_is_named(tmp_path: Path) -> None:
    used = policy(tmp_path / "used.toml", "[margins]\nmap = 0.02\n")
    (removed,) = proposed_policy_notes(used, tmp_path / "gone.toml")
    assert "[margins] map 0.01 instead of 0.02" in removed
    (broken,) = proposed_policy_notes(used, policy(tmp_path / "broken.toml", "[margins"))
    assert "cannot be read" in broken


def test_other_baselines_are_named(world: World) -> None:
    ours, theirs = world.folder / "ours", world.folder / "theirs"
    for home, runs in ((ours, ("old",)), (theirs, ("old", "weak"))):
        for place, run in enumerate(runs):
            folder = world.folder / run
            set_baseline(
                find_run(str(folder if folder.exists() else world.run(run, run, seed=place))), home, reason="r"
            )
    (note,) = proposed_baselines_notes(ours, theirs)
    assert "weak (" in note
    assert "is added; they were not applied" in note
    assert not list(proposed_baselines_notes(theirs, theirs))
    (note,) = proposed_baselines_notes(theirs, world.folder / "none")
    assert note.count("is removed") == 2
    next(theirs.glob("*/summary.json")).write_text("{}")
    assert any("was changed" in note for note in proposed_baselines_notes(ours, theirs))
