"""How many images would decide."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import arena
from arena.base.errors import ArenaError
from arena.cli import arena as command
from arena.evaluate.power import power_of

RNG = np.random.default_rng(3)
TRUTH = pd.DataFrame(RNG.random((200, 6)) < 0.3, columns=list("abcdef"))
ONE = pd.DataFrame(np.clip(TRUTH * 0.3 + RNG.random((200, 6)) * 0.7, 0, 1), columns=list("abcdef"))
TWO = pd.DataFrame(np.clip(TRUTH * 0.3 + RNG.random((200, 6)) * 0.7, 0, 1), columns=list("abcdef"))


@pytest.fixture(scope="module")
def found() -> arena.Comparison:
    return arena.compare({"one": ONE, "two": TWO}, TRUTH, replicates=300)


def test_four_times_the_images_decide_half_the_difference(found: arena.Comparison) -> None:
    [wide] = power_of(found.result, difference=0.1, figures=["map"])
    [narrow] = power_of(found.result, difference=0.05, figures=["map"])
    assert wide.needed is not None
    assert narrow.needed is not None
    assert narrow.needed == pytest.approx(4 * wide.needed, abs=4)
    assert wide.detectable == pytest.approx(2.8016 * wide.standard_error, rel=1e-3)
    [same] = power_of(found.result, difference=wide.detectable, figures=["map"])
    assert same.needed == pytest.approx(200, abs=1)


def test_without_a_difference_the_one_seen_is_asked_about(found: arena.Comparison) -> None:
    rows = power_of(found.result)
    assert [row.figure for row in rows] == ["macro_f1", "micro_f1", "map"]
    assert all(row.asked == abs(row.difference) for row in rows)


def test_a_difference_of_nothing_needs_no_number() -> None:
    same = arena.compare({"one": ONE, "again": ONE}, TRUTH, replicates=50)
    assert [row.needed for row in power_of(same.result)] == [None] * 3


def test_what_cannot_be_asked(found: arena.Comparison, tmp_path: Path) -> None:
    with pytest.raises(ArenaError, match="Did you mean macro_f1"):
        power_of(found.result, figures=["macro_f"])
    with pytest.raises(ArenaError, match="two models or more"):
        power_of(arena.score(ONE, TRUTH, replicates=0).result)
    with pytest.raises(ArenaError, match="no finished run"):
        CliRunner().invoke(command, ["power", str(tmp_path)], catch_exceptions=False)


def test_the_verb_prints_a_row_a_figure(found: arena.Comparison, tmp_path: Path) -> None:
    found.save(tmp_path / "run")
    shown = CliRunner().invoke(command, ["power", str(tmp_path / "run"), "--difference", "0.02"])
    assert shown.exit_code == 0
    assert "macro_f1" in shown.output
    assert "200 images" in shown.output
