"""`arena check` of runs, recorded baselines and published metrics."""

import json
import shutil
from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.base.progress import Silent
from arena.gate.verdict import Outcome
from arena.pipeline.check.check import check_candidate
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.entrants import find_run
from arena.pipeline.paired import ComparisonOptions
from arena.report.check.document import check_document, read_check
from arena.results.baselines.store import set_baseline
from tests.cli.test_cli import arena
from tests.pipeline.conftest import World, scores_of

pytestmark = pytest.mark.usefixtures("no_page")

QUICK = ComparisonOptions(replicates=60, showing=DisplayOptions("none"))


def test_a_verdict_is_of_the_candidate_less_the_baseline(world: World) -> None:
    worse = world.npz("worse", scores_of(5, skill=0.3, truth=world.truth))
    found = check_candidate(
        f"new={worse}", baseline=str(world.run("old", "a")), output=world.folder / "out", asked=QUICK
    )
    assert found.verdict.exit_code == 1
    assert found.verdict.candidate.name == "new"
    losses = [
        case.measure.difference for case in found.verdict.of(Outcome.FAIL) if case.gate == "margins" and case.measure
    ]
    assert losses
    assert all(loss is not None and loss < 0 for loss in losses)
    turned = check_candidate(
        str(world.folder / "old"), baseline=f"new={worse}", output=world.folder / "turned", asked=QUICK
    )
    gains = [case.measure for case in turned.verdict.cases if case.gate == "margins" and case.measure]
    assert all(one.difference is not None and one.difference > 0 for one in gains)
    assert not [case for case in turned.verdict.of(Outcome.FAIL) if case.gate in ("margins", "tags")]
    assert [note for note in turned.verdict.notes if "can decide" in note], (
        "of a baseline without a run, once it is scored"
    )
    assert found.verdict.labels.startswith("All metrics are by recorded labels")
    assert "of the false positives of " in found.verdict.labels
    for name in ("check.md", "check.html"):
        assert "All metrics are by recorded labels" in (found.folder / name).read_text()
    assert check_document(read_check(found.folder / "check.json")) == check_document(found.verdict)


def test_the_recorded_baseline_is_found_by_its_name_and_by_being_the_last(world: World) -> None:
    home, old = world.folder / "baselines", world.run("old", "a")
    set_baseline(find_run(str(old)), home, reason="the first", name="first")
    asked = ComparisonOptions(replicates=60, showing=DisplayOptions("none"), baselines=home, overwrite=True)
    found = check_candidate(f"new={world.npz('new')}", baseline="@baseline", output=world.folder / "out", asked=asked)
    assert found.verdict.paired
    assert found.verdict.baseline.source == "@baseline"
    (world.folder / "old-a.npz").unlink()
    with pytest.raises(ArenaError, match=r"@baseline: the baseline holds no scores of a, .* --with-scores"):
        check_candidate(f"new={world.npz('new')}", baseline="@baseline", output=world.folder / "out", asked=asked)
    unpaired = check_candidate(
        str(next((old / "full-metrics").glob("*.txt"))),
        baseline="@baseline:first",
        output=world.folder / "out",
        asked=asked,
    )
    assert not unpaired.verdict.paired


def test_published_figures_are_judged_unpaired_and_say_what_that_costs(world: World) -> None:
    old, new = world.run("old", "a"), world.run("new", "b", seed=4)
    text = next((old / "full-metrics").glob("*.txt"))
    found = check_candidate(str(new), baseline=f"theirs={text}", output=world.folder / "out", asked=QUICK)
    assert not found.verdict.paired
    assert found.verdict.unpaired_cost
    assert found.verdict.baseline.name == "theirs"
    assert found.verdict.images == 60
    assert found.verdict.labels.startswith("All metrics are by recorded labels")
    assert "of the false positives of b are" in found.verdict.labels
    assert "theirs" not in found.verdict.labels.partition("Warning")[0], "a file has no label issues"
    assert not (found.folder / "index.html").exists()


@pytest.mark.usefixtures("with_page")
def test_scores_against_published_figures_get_a_run_of_their_own(world: World) -> None:
    text = next((world.run("old", "a") / "full-metrics").glob("*.txt"))
    asked = ComparisonOptions(str(world.dataset), replicates=60, showing=DisplayOptions("none"))
    found = check_candidate(
        f"new={world.npz('new')}", baseline=f"theirs={text}", output=world.folder / "out", asked=asked
    )
    assert not found.verdict.paired
    assert (found.folder / "index.html").exists()


def test_renamed_tags_are_named_by_a_file(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    old, path = world.run("old", "a"), world.npz("new")
    last = world.tags[-1]
    np.savez(path, **(dict(np.load(path)) | {"tags": np.array([*world.tags[:-1], "renamed"])}))
    how = ("--baseline", old, "-o", world.folder / "out", "--bootstrap", 60, "--thumbnails", "none")
    arena("check", f"new={path}", *how, capsys=capsys)
    lost = {case["name"]: case for case in _cases(world.folder / "out") if case["gate"] == "coverage"}
    assert lost["tags"]["outcome"] == "fail"
    (world.folder / "aliases.csv").write_text(f"old,new\n{last},renamed\n")
    how = (*how, "--aliases", world.folder / "aliases.csv")
    code, _, err = arena("check", f"new={path}", *how, capsys=capsys)
    assert (code, "holds a run of another recipe (other renamed tags)" in err) == (2, True)
    arena("check", f"new={path}", *how, "--overwrite", capsys=capsys)
    kept = {case["name"]: case for case in _cases(world.folder / "out") if case["gate"] == "coverage"}
    assert kept["tags"]["outcome"] == "pass"


@pytest.mark.usefixtures("with_page", "eighty_columns")
def test_hostile_names_of_tags_and_files_stay_names(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    folder = world.folder / "<b> =1+1|`x`"
    folder.mkdir()
    names = ["<script>alert(1)</script>", "a|b", "\u202eevil", "=1+1", "x" * 500, "##[error]", *world.tags[6:]]
    paths = {}
    for name, seed, skill in (("old", 0, 3.0), ("new", 1, 0.1)):
        paths[name] = world.npz(f"{folder.name}/{name}", scores_of(seed, skill=skill, truth=world.truth))
        np.savez(paths[name], **(dict(np.load(paths[name])) | {"tags": np.array(names)}))
    truth = folder / "t.npz"
    np.savez(truth, truth=world.truth, image_ids=np.array(world.ids), tags=np.array(names))
    code, out, _ = arena(
        "check", f"new={paths['new']}", "--baseline", f"old={paths['old']}", "-d", truth, "-o", folder / "out",
        "--bootstrap", 60, capsys=capsys,
    )  # fmt: skip
    assert code == 1
    assert "\u202e" not in out
    assert max(map(len, out.splitlines()[:-1])) <= 80
    assert "<script>alert(1)" not in (folder / "out" / "check.html").read_text()


def test_a_check_without_resamples_says_that_nothing_is_sure(world: World) -> None:
    asked = ComparisonOptions(replicates=0, showing=DisplayOptions("none"))
    found = check_candidate(
        f"new={world.npz('new')}", baseline=str(world.run("old", "a")), output=world.folder / "out", asked=asked
    )
    assert found.verdict.outcome is Outcome.INCONCLUSIVE


def test_an_interrupted_check_leaves_no_old_verdict(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    new, old = f"new={world.npz('new')}", str(world.run("old", "a"))
    found = check_candidate(new, baseline=old, output=world.folder / "out", asked=QUICK)
    assert (found.folder / "check.json").exists()

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("arena.pipeline.paired.write_run", stop)
    with pytest.raises(KeyboardInterrupt):
        check_candidate(new, baseline=old, output=world.folder / "out", asked=QUICK)
    assert not (found.folder / "check.json").exists()


def test_the_run_may_lie_elsewhere_than_its_scores(world: World) -> None:
    old = world.run("old", "a")
    moved = Path(shutil.move(old, world.folder / "moved"))
    found = check_candidate(f"new={world.npz('new')}", baseline=str(moved), output=world.folder / "out", asked=QUICK)
    assert found.verdict.paired


def _cases(folder: Path) -> list[dict[str, object]]:
    content = json.loads((folder / "check.json").read_text())
    cases: list[dict[str, object]] = content["cases"]
    return cases


def test_calibration_is_reported_and_judged_if_the_policy_asks(world: World) -> None:
    import numpy as np

    old = world.run("old", "a")
    scores = scores_of(0, truth=world.truth)
    logit = np.log(np.clip(scores, 1e-6, 1 - 1e-6)) - np.log1p(-np.clip(scores, 1e-6, 1 - 1e-6))
    moved = world.npz("moved", (1 / (1 + np.exp(-(0.5 * logit + 1)))).astype(np.float32))
    policy = world.folder / "gate.toml"
    policy.write_text("[calibration]\nece = 0.02\n")
    for rules, outcome in ((None, "reported"), (policy, "pass")):
        found = check_candidate(
            f"new={moved}", baseline=str(old), output=world.folder / f"out-{outcome}", policy=rules, asked=QUICK
        )
        [one] = [case for case in found.verdict.cases if (case.gate, case.name) == ("calibration", "ece")]
        assert (str(one.outcome), "after one fitted shift and scale" in one.message) == (outcome, True)


class Told(Silent):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_what_the_images_can_decide_is_printed_before_scoring(world: World) -> None:
    old, told = world.run("old", "a"), Told()
    found = check_candidate(
        f"new={world.npz('new')}", baseline=str(old), output=world.folder / "out", asked=QUICK, progress=told
    )
    [note] = [note for note in found.verdict.notes if "can decide" in note]
    assert told.notes[0] == note
    assert note.startswith("60 images can decide (80 % power")
    assert "macro F1 and mAP cannot be decided: each fails only if" in note


def test_published_and_check_have_one_macro_f1(world: World) -> None:
    from arena.results.published.aggregates import aggregates_of
    from arena.results.published.read import read_published

    text = next((world.run("old", "a") / "full-metrics").glob("*.txt"))
    found = check_candidate(f"one={text}", baseline=f"two={text}", output=world.folder / "out", asked=QUICK)
    [macro] = [case.measure for case in found.verdict.cases if case.name == "macro_f1" and case.measure]
    [published] = read_published(text).values()
    means = aggregates_of(published)
    assert macro.candidate == pytest.approx(means["macro_f1"], abs=1e-12)
    assert found.verdict.tags == means["macro_f1_tags"]
