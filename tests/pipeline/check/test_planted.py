"""Faults planted in the demo's models and runs: each gives the expected exit code and cause."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arena.evaluate import Settings
from arena.gate.verdict import Outcome
from arena.pipeline.check.check import check_candidate
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.paired import ComparisonOptions
from arena.pipeline.run import run_benchmark
from arena.pipeline.stages import Compute, Execution, Scoring
from arena.results.recipe import Sample
from arena.scores.npz import write_scores
from arena.scores.store import read_store
from tests.cli.test_cli import arena
from tests.conftest import REPOSITORY, without_plots

sys.path.insert(0, str(REPOSITORY / "scripts"))
from planted import checkpoints

pytestmark = pytest.mark.usefixtures("no_page")

IMAGES, REPLICATES = 80, 60

HOW = ("--bootstrap", REPLICATES, "--thumbnails", "none", "--device", "cpu", "--diagnose", 6)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the baseline `base`, a run of the demo's WD model."""
    folder = tmp_path_factory.mktemp("planted")
    with without_plots():
        run_benchmark(
            ["wd14-demo"],
            "demo",
            folder / "base",
            showing=DisplayOptions("none"),
            scoring=Scoring(Settings(replicates=REPLICATES)),
            sample=Sample(limit=IMAGES),
            execution=Execution(compute=Compute("cpu")),
        )
    return folder


@pytest.mark.parametrize(
    ("fault", "first", "also"),
    [
        ("weights noised", "the model's files differ", "the whole network is worse"),
        (
            "tag list shifted by one",
            "the tag list does not match the columns of the scores",
            "shifted by +1, starting at 'geometry'",
        ),
        ("BGR missed", "colour channels are swapped", "its scores equal the baseline's exactly"),
        ("threshold halved", "the threshold is halved: 0.28; the baseline has 0.56", "with the baseline's thresholds"),
    ],
)
@pytest.mark.usefixtures("eighty_columns")
def test_a_planted_fault_fails_and_its_cause_stands_first_and_a_ci_server_is_told(
    home: Path, fault: str, first: str, also: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = home / f"{fault}.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    folder = checkpoints.FAULTS[fault](home / fault)
    out = home / f"check {fault}"
    code, told, err = arena("check", f"cand={folder}", "--baseline", home / "base", "-o", out, *HOW, capsys=capsys)
    assert code == 1
    shown, _, annotated = told.partition(f"{out / 'check.html'}\n")
    assert max(map(len, shown.splitlines())) <= 80
    assert "::error title=" in annotated
    assert summary.read_text().startswith("before\n")
    assert "may not replace" in summary.read_text()
    content = json.loads((out / "check.json").read_text())
    assert content["causes"][0].startswith(first)
    assert also in content["causes"][0]
    assert "may not replace wd14-demo" in err
    assert "<failure" in (out / "junit.xml").read_text()


def test_a_candidate_that_is_the_baseline_again_passes_and_its_scores_are_kept(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = checkpoints.plain(home / "itself")
    given = ("check", f"cand={folder}", "--baseline", home / "base", "-o", home / "check itself", *HOW)
    code, told, _ = arena(*given, capsys=capsys)
    assert code == 0
    assert "canary" in (home / "check itself" / "check.json").read_text()
    code, again, err = arena(*given, capsys=capsys)
    assert code == 0
    assert "all scores exist already" in err
    assert told == again


def test_half_of_the_images_missing_is_incomparable(home: Path) -> None:
    scores = read_store(home / "base" / "scores" / "wd14-demo")
    rows = np.arange(IMAGES // 2)
    from arena.scores.matrix import Matrix

    half = replace(
        scores, image_ids=scores.image_ids[: len(rows)], values=Matrix.of(scores.values.rows(rows)), skipped={}
    )
    write_scores(home / "half.npz", half)
    found = check_candidate(
        f"cand={home / 'half.npz'}", baseline=str(home / "base"), output=home / "check half",
        asked=ComparisonOptions(replicates=0, showing=DisplayOptions("none")),
    )  # fmt: skip
    assert found.verdict.exit_code == 4
    assert f"no scores of {IMAGES // 2} of the {IMAGES} images" in found.verdict.cases[0].message
    assert scores.image_ids[IMAGES // 2] in found.verdict.cases[0].message


def test_a_run_on_half_of_the_images_is_incomparable(home: Path) -> None:
    half = run_benchmark(
        ["wd14-demo"],
        "demo",
        home / "half",
        showing=DisplayOptions("none"),
        scoring=Scoring(Settings(replicates=0)),
        sample=Sample(limit=IMAGES // 2),
        execution=Execution(compute=Compute("cpu")),
    )
    asked = ComparisonOptions(replicates=0, showing=DisplayOptions("none"))
    found = check_candidate(str(half), baseline=str(home / "base"), output=home / "check half run", asked=asked)
    assert found.verdict.outcome is Outcome.INCOMPARABLE
    assert f"no scores of {IMAGES // 2} of the {IMAGES} images" in found.verdict.cases[0].message
    assert "with --limit" in found.verdict.cases[0].message


def test_an_older_schema_is_incomparable(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = shutil.copytree(home / "base", home / "older")
    content = json.loads((old / "run.json").read_text())
    (old / "run.json").write_text(json.dumps(content | {"schema": 1}))
    out = home / "check older"
    code, told, _ = arena("check", home / "base", "--baseline", old, "-o", out, *HOW, capsys=capsys)
    assert code == 4
    assert "schema 1, this version reads 2; score it again" in " ".join(told.split())
    assert (out / "junit.xml").exists()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda run: (run / "run.json").write_text("{"), "damaged run"),
        (lambda run: (run / "scores" / "wd14-demo" / "00000.npy").write_bytes(b"x"), "unfinished or damaged"),
        (lambda run: (run / "per_tag.parquet").write_bytes(b"x"), "damaged run"),
    ],
    ids=["run.json", "a shard", "per_tag"],
)
def test_damaged_input_exits_2_with_one_line(
    home: Path, tmp_path: Path, damage: object, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = shutil.copytree(home / "base", tmp_path / "broken")
    damage(broken)  # type: ignore[operator]
    out = tmp_path / "check"
    code, _, err = arena("check", broken, "--baseline", home / "base", "-o", out, *HOW, capsys=capsys)
    assert code == 2
    assert says in err.splitlines()[-1]
    assert not (out / "check.json").exists()


def test_the_default_policy_is_shown_and_a_check_needs_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _ = arena("check", "--show-policy", capsys=capsys)
    assert code == 0
    assert "[margins]" in told
    code, _, err = arena("check", "joytag-demo", capsys=capsys)
    assert code == 2
    assert "name CANDIDATE and --baseline BASE; each is an entrant: RUN" in err


def test_a_check_never_writes_over_what_it_judges(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = arena("check", "wd14-demo", "--baseline", home / "base", "-o", home / "base", *HOW, capsys=capsys)
    assert code == 2
    assert "an input of this check; name another folder" in err
