"""`--judgements`: what a run, a report, a comparison and a check write with answers, and that nothing changes without."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.dataset.judgements import load_judgements, read_judgements
from arena.evaluate.answers import agreement, error_rate, sampled_answers
from arena.evaluate.judged_partly import answered_part
from arena.pipeline.check.check import check_candidate
from arena.pipeline.compare import compare_entrants
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.judge import PlanOptions, add_answers, judged_so_far, plan_questions
from arena.pipeline.paired import ComparisonOptions
from arena.pipeline.report import rewrite_reports
from arena.pipeline.verify import verify_run
from arena.results.recipe import Settings
from arena.results.run_folder import read_result
from tests.cli.test_cli import arena

from .conftest import World

pytestmark = pytest.mark.usefixtures("no_plots")

FEW = Settings(min_positives=1, replicates=20)
ASKED = ComparisonOptions(replicates=20, showing=DisplayOptions("none"))


class Asked:
    """A run, the judgements of a person who follows the labels, and the plan of both waves."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.plain = self.world.run("plain", "a", "b", settings=FEW)
        self.plan, self.file = folder / "plan.parquet", folder / "judgements.parquet"
        options = PlanOptions(answers=2_000, judgements=self.file)
        self.answers: list[Path] = []
        for wave in (1, 2):
            plan_questions(self.plain, self.plan, options)
            self.answers.append(self._answer(folder / f"{wave}.csv"))
            add_answers(self.answers[-1:], self.file)
        self.judged = self.world.run("judged", "a", "b", settings=FEW, judgements=[self.file])

    def _answer(self, path: Path) -> Path:
        plan = pd.read_parquet(self.plan)
        row, column = ({name: place for place, name in enumerate(names)} for names in (self.world.ids, self.world.tags))
        yes = [bool(self.world.truth[row[i], column[t]]) for i, t in zip(plan["image_id"], plan["tag"], strict=True)]
        kept = plan[["image_id", "tag", "inclusion_probability", "plan"]]
        kept.assign(answer=np.where(yes, "yes", "no"), judge="x", time="2026-01-01T00:00:00Z").to_csv(path, index=False)
        return path

    def entry(self, folder: Path) -> Any:
        return read_result(folder).summary.get("judged")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    patch = pytest.MonkeyPatch()
    patch.setattr("arena.report.plots.write_plots", lambda *given: [])
    made = Asked(tmp_path_factory.mktemp("asked"))
    patch.undo()
    return made


def test_only_what_names_judged_truth_differs_from_a_run_without(asked: Asked) -> None:
    plain, judged = (read_result(folder) for folder in (asked.plain, asked.judged))
    assert "judged" not in plain.summary
    assert {key: value for key, value in judged.summary.items() if key != "judged"} == plain.summary
    names = {path.relative_to(asked.plain) for path in asked.plain.rglob("*") if path.is_file()}
    other = {str(name) for name in names if (asked.plain / name).read_bytes() != (asked.judged / name).read_bytes()}
    assert other == {"index.html", "run.json", "summary.json", "summary.md"}
    for name in ("index.html", "summary.md"):
        assert "judged truth" in (asked.judged / name).read_text()
        assert "judged" not in (asked.plain / name).read_text().lower()
    assert not {"answers", "judgements"} & plain.run["recipe"].keys()


def test_the_recipe_and_the_signature_name_the_answers(asked: Asked) -> None:
    result = read_result(asked.judged)
    [file] = [one for one in result.recipe.inputs if one.kind == "judgements"]
    assert (file.name, file.path) == ("judgements.parquet", "../judgements.parquet")
    assert result.recipe.answers == len(pd.read_parquet(asked.file))
    assert f"|judged:{file.digest[:8]}|" in result.run["signature"]
    assert "judged:" not in read_result(asked.plain).run["signature"]


def test_status_has_the_figures_of_the_summary(asked: Asked) -> None:
    found = judged_so_far(asked.plain, asked.plan, asked.file)
    assert found.payload is not None
    status, stored = found.payload["judged"], asked.entry(asked.judged)
    for model in "ab":
        assert status["models"][model]["regimes"]["own"] == stored["models"][model]["regimes"]["own"]
    own = [row for row in stored["differences"] if row["regime"] == "own"]
    assert status["differences"] == own
    assert status["labels"] == stored["labels"]
    assert stored["answers"] == len(pd.read_parquet(asked.plan))


def test_the_answers_of_the_first_wave_have_the_probabilities_of_both_waves(asked: Asked) -> None:
    rows, plan = pd.read_parquet(asked.file), pd.read_parquet(asked.plan)
    merged = rows.merge(plan, on=["image_id", "tag", "plan"], suffixes=("", "_planned"))
    last = merged["inclusion_probability"] == merged["inclusion_probability_planned"]
    assert last.sum() >= len(plan)
    names = (asked.world.ids, asked.world.tags)
    given = load_judgements([asked.file])
    mixed = load_judgements(
        [asked.file, *asked.answers]
    )  # the first file has the lower probabilities of the first wave
    found, again = (sampled_answers(*names, one).cells for one in (given, mixed))
    np.testing.assert_array_equal(found.inclusion, again.inclusion)
    assert found.answer.tolist() == again.answer.tolist()


def test_report_adds_what_score_writes_and_verify_computes_it_again(asked: Asked) -> None:
    run = shutil.copytree(asked.plain, asked.plain.with_name("later"))
    rewrite_reports(run, DisplayOptions("none"), judgements=[asked.file])
    assert (run / "summary.json").read_bytes() == (asked.judged / "summary.json").read_bytes()
    assert read_result(run).run["signature"] == read_result(asked.judged).run["signature"]
    assert not verify_run(run).differences
    moved = asked.file.rename(asked.file.with_suffix(".moved"))
    found = verify_run(run)
    moved.rename(asked.file)
    assert not found.differences
    assert any("judged truth" in line for line in found.left_out)


def test_a_comparison_of_runs_takes_their_answers(asked: Asked, tmp_path: Path) -> None:
    new = asked.world.npz("new", seed=9)
    _, folder = compare_entrants([f"{asked.judged}:a", f"c={new}"], tmp_path / "both", asked=ASKED)
    found = asked.entry(folder)
    assert set(found["models"]) == {"a", "c"}
    assert found["undefined"] == ""


def test_a_later_plan_asks_no_cell_again(asked: Asked, tmp_path: Path) -> None:
    """Plans of one seed draw mostly the same cells; the answers count once for agreement and errors."""
    file = shutil.copy(asked.file, tmp_path / "j.parquet")
    before = read_judgements(file)
    found = plan_questions(asked.plain, tmp_path / "plan.parquet", PlanOptions(answers=1_500, judgements=file))
    after = read_judgements(file)
    new = after[after["plan"] == found.table["plan"].iloc[0]]
    drawn = found.table.merge(before, on=["image_id", "tag"], how="left")
    assert found.left == drawn["answer"].isna().sum() < 0.2 * len(found.table)
    assert len(new) + found.left == len(found.table)
    both = new.merge(found.table, on=["image_id", "tag"])
    assert both["inclusion_probability_x"].equals(both["inclusion_probability_y"])
    assert agreement(after) == pytest.approx(agreement(before), nan_ok=True)
    assert error_rate(after) == pytest.approx(error_rate(before), nan_ok=True)
    with pytest.raises(ArenaError, match="answers of earlier plans"):
        answered_part(found.table, after.drop(new.index[:5]))


POLICY = "[margins]\njudged = true\nmacro_f1 = 0.5\nmicro_f1 = 0.0001\nrule = 'non-inferiority'\n"


def test_a_policy_lets_answers_decide_what_they_can(asked: Asked, tmp_path: Path) -> None:
    policy = tmp_path / "gate.toml"
    policy.write_text(POLICY)
    sides = {"baseline": f"{asked.judged}:a", "policy": policy, "asked": ASKED, "diagnose": 0}
    found = check_candidate(f"{asked.judged}:b", output=tmp_path / "out", **sides)  # type: ignore[arg-type]
    cases = {(case.gate, case.name): case for case in found.verdict.cases}
    [row] = [
        row for row in asked.entry(asked.judged)["differences"] if (row["regime"], row["figure"]) == ("own", "macro_f1")
    ]
    macro = cases["margins", "macro_f1"]
    assert macro.title.startswith("judged truth: macro F1")
    assert macro.measure is not None
    assert (macro.measure.difference, macro.measure.low) == (-row["difference"], -row["high"])
    assert macro.outcome == "pass"
    micro = cases["margins", "micro_f1"]
    assert micro.outcome in ("inconclusive", "fail")
    assert "answers" in micro.message
    assert cases["margins", "map"].title.startswith("recorded labels: mAP")
    others = [case for case in found.verdict.cases if case.gate in ("categories", "slices", "tags")]
    assert others
    assert all(case.title.startswith("recorded labels: ") for case in others)
    assert "clear answers" in " ".join(found.verdict.notes)
    with pytest.raises(ArenaError, match=r"judged = true needs answers of people; pass their file with --judgements"):
        check_candidate(
            f"{asked.plain}:b", baseline=f"{asked.plain}:a", policy=policy, output=tmp_path / "none", asked=ASKED
        )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "none.csv: no such file"),
        ("image_id,tag\n", "no column answer"),
        ("image_id,tag,answer,judge,time,inclusion_probability,plan\nx,y,yes,z,t,0.5,p\n", "none of 1 answer is on"),
    ],
)
def test_wrong_judgements_are_one_line(
    asked: Asked, content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none.csv"
    if content is not None:
        path.write_text(content)
    scores = ("--scores", f"a={asked.world.folder / 'plain-a.npz'}", "-d", asked.world.dataset)
    code, _, errors = arena("score", *scores, "-o", tmp_path / "x", "--judgements", path, capsys=capsys)
    assert code == 2
    assert message in errors.strip().splitlines()[-1]


def test_the_terminal_prints_both_and_where_they_disagree(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    from arena.cli.terminal.summary import show_summary

    show_summary(asked.judged)
    shown = " ".join(capsys.readouterr().out.split())
    assert "judged: Macro F1: " in shown
    assert "of the true tags are recorded" in shown
    assert "labels complete:" in shown
    show_summary(asked.plain)
    assert "judged" not in capsys.readouterr().out


def test_the_run_is_named_after_its_judgements() -> None:
    from arena.pipeline.run import run_name
    from arena.pipeline.stages import Scoring

    assert run_name(["a"], "d", scoring=Scoring(judgements=[Path("j.parquet")])) == "a-on-d-judged"
