"""How many images would decide."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.special import ndtri, stdtrit

import arena
from arena.base.errors import ArenaError
from arena.cli import arena as command
from arena.evaluate.power import power_rows
from arena.metrics.significance import images_needed
from arena.results.run_folder import TABLES, Result

pytestmark = pytest.mark.usefixtures("no_plots")

RNG = np.random.default_rng(3)
TRUTH = pd.DataFrame(RNG.random((200, 6)) < 0.3, columns=list("abcdef"))
ONE = pd.DataFrame(np.clip(TRUTH * 0.3 + RNG.random((200, 6)) * 0.7, 0, 1), columns=list("abcdef"))
TWO = pd.DataFrame(np.clip(TRUTH * 0.3 + RNG.random((200, 6)) * 0.7, 0, 1), columns=list("abcdef"))


@pytest.fixture(scope="module")
def found() -> arena.Comparison:
    return arena.compare({"one": ONE, "two": TWO}, TRUTH, replicates=300)


def effect(tests: int) -> float:
    """The difference in standard errors that one of some tests decides in 80 %, from 300 resamples of 200 images."""
    freedom = 1 / (1 / 299 + 1 / 199)
    return float(stdtrit(freedom, 1 - 0.05 / tests / 2) + 0.8416)


def test_four_times_the_images_decide_half_the_difference(found: arena.Comparison) -> None:
    [wide] = power_rows(found.result, difference=0.1, figures=["map"])
    [narrow] = power_rows(found.result, difference=0.05, figures=["map"])
    assert wide.needed is not None
    assert narrow.needed is not None
    assert 3.5 * wide.needed < narrow.needed <= 4 * wide.needed + 4, "more images also decide more of the other tests"
    assert effect(1) <= wide.detectable / wide.standard_error <= effect(7), "between one test and Bonferroni's seven"
    [same] = power_rows(found.result, difference=wide.detectable, figures=["map"])
    assert same.needed == pytest.approx(200, rel=0.03)


def with_table(result: Result, **columns: object) -> Result:
    """The result with other columns of `differences`."""
    return replace(result, tables={**result.tables, "differences": result.tables["differences"].assign(**columns)})


def test_the_other_comparisons_of_the_table_compete(found: arena.Comparison) -> None:
    equal, apart = with_table(found.result, difference=0.0), with_table(found.result, difference=1.0)
    [alone] = power_rows(equal, difference=0.1, figures=["micro_f1"])
    [last] = power_rows(apart, difference=0.1, figures=["micro_f1"])
    assert alone.tests == last.tests == 7
    assert alone.detectable / alone.standard_error == pytest.approx(effect(7), abs=0.03), "one of seven, Bonferroni"
    assert last.detectable / last.standard_error == pytest.approx(effect(1), abs=0.01), (
        "six others are rejected before it"
    )
    assert alone.needed == pytest.approx(
        images_needed(200, alone.standard_error, 0.1) * (effect(7) / 2.8016) ** 2, rel=0.03
    )


def test_five_models_need_more_images_than_two() -> None:
    models = {f"m{n}": np.clip(TRUTH * 0.3 + RNG.random((200, 6)) * 0.7, 0, 1) for n in range(5)}
    result = with_table(arena.compare(models, TRUTH, replicates=50).result, difference=0.0, standard_error=0.01)
    rows = power_rows(result, difference=0.02, figures=["micro_f1"])
    assert [row.tests for row in rows] == [70] * 10
    freedom = 1 / (1 / 49 + 1 / 199)  # 50 resamples of 200 images
    student = stdtrit(freedom, 1 - 0.05 / 140) + 0.8416
    assert rows[0].needed == pytest.approx(200 * (student * 0.5) ** 2, rel=0.02), "Bonferroni's level"


def test_tags_that_enter_the_means_cost_images() -> None:
    thin = TRUTH.assign(**{f"thin{n}": np.arange(200) < 5 for n in range(6)})
    models = [np.clip(thin * 0.3 + np.random.default_rng(n).random(thin.shape) * 0.7, 0, 1) for n in range(2)]
    result = arena.compare({"one": models[0], "two": models[1]}, thin, replicates=100).result
    assert result.summary["compared_tags"] == 6
    rows = power_rows(with_table(result, difference=0.0, standard_error=0.05), difference=0.05)
    assert {row.figure for row in rows} == {"macro_f1", "micro_f1", "map"}
    needed = {row.figure: row.needed for row in rows}
    assert needed["macro_f1"] == needed["map"]
    assert needed["macro_f1"] > 1.5 * needed["micro_f1"], "the thin tags have 60 positives, the others 750"


def test_a_target_of_one_tag_has_the_degrees_of_freedom_of_its_own_test() -> None:
    """F1: an exact test with a normal interval. AP: Student's with the positives minus 1, not the resamples."""
    rng = np.random.default_rng(5)
    truth = pd.DataFrame({"a": np.arange(80) < 12})
    one, two = (pd.DataFrame(np.clip(truth * 0.3 + rng.random((80, 1)) * 0.7, 0, 1), columns=["a"]) for _ in range(2))
    result = arena.compare({"one": one, "two": two}, truth, replicates=300).result
    table = result.tables["differences"].query("slice == 'all' and regime == 'own'").set_index("figure")
    freedoms = table["degrees_of_freedom"]
    assert (freedoms["macro_f1"], freedoms["micro_f1"], freedoms["map"]) == (np.inf, np.inf, 11)
    assert freedoms["macro_recall"] == pytest.approx(1 / (1 / 299 + 1 / 79)), "no test of its own: the aggregate's"
    row = table.loc["map"]
    assert row["high"] - row["low"] == pytest.approx(2 * stdtrit(11, 0.975) * row["standard_error"])
    level = 0.05 / len(table) / 2
    detectable = row["standard_error"] * (stdtrit(11, 1 - level) + 0.8416)
    assert row["minimum_detectable"] == pytest.approx(detectable, rel=1e-3)
    rows = {one.figure: one for one in power_rows(with_table(result, difference=0.0), difference=0.1)}
    assert rows["map"].detectable == pytest.approx(detectable, rel=0.02)
    assert rows["macro_f1"].detectable / rows["macro_f1"].standard_error == pytest.approx(
        -ndtri(level) + 0.8416, rel=0.02
    )


def test_one_pair_of_several_models(found: arena.Comparison) -> None:
    assert power_rows(found.result, pair=("one", "two")) == power_rows(found.result)
    assert power_rows(found.result, pair=("one", "one")) == []


def test_without_a_difference_the_one_seen_is_asked_about(found: arena.Comparison) -> None:
    rows = power_rows(found.result)
    assert [row.figure for row in rows] == ["macro_f1", "micro_f1", "map"]
    assert all(row.asked == abs(row.difference) for row in rows)


def test_a_difference_of_nothing_needs_no_number() -> None:
    same = arena.compare({"one": ONE, "again": ONE}, TRUTH, replicates=50)
    assert [row.needed for row in power_rows(same.result)] == [None] * 3


def test_only_two_tables_are_read(found: arena.Comparison, tmp_path: Path) -> None:
    found.save(tmp_path / "run")
    for name, kind in TABLES.items():
        if name not in ("differences", "per_tag"):
            (tmp_path / "run" / f"{name}.{kind}").unlink()
    shown = CliRunner().invoke(command, ["power", str(tmp_path / "run")], catch_exceptions=False)
    assert shown.exit_code == 0
    assert "Corrected for 7 comparisons" in " ".join(shown.output.split())


def test_what_cannot_be_asked(found: arena.Comparison, tmp_path: Path) -> None:
    with pytest.raises(ArenaError, match="Did you mean macro_f1"):
        power_rows(found.result, figures=["macro_f"])
    with pytest.raises(ArenaError, match="two models or more"):
        power_rows(arena.score(ONE, TRUTH, replicates=0).result)
    with pytest.raises(ArenaError, match="no finished run"):
        CliRunner().invoke(command, ["power", str(tmp_path)], catch_exceptions=False)


def test_the_verb_prints_a_row_a_figure(found: arena.Comparison, tmp_path: Path) -> None:
    found.save(tmp_path / "run")
    shown = CliRunner().invoke(command, ["power", str(tmp_path / "run"), "--difference", "0.02"])
    assert shown.exit_code == 0
    assert "macro_f1" in shown.output
    assert "200 images" in shown.output
