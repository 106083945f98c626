"""The verbs of `arena baseline` as a user meets them."""

import json
from pathlib import Path

import numpy as np
import pytest

from arena.cards import find_dataset
from arena.dataset.frozen import read_frozen
from arena.scores.npz import write_scores
from arena.scores.store import Scores
from tests.results.baselines.conftest import MakeRun

from .test_cli import arena

pytestmark = pytest.mark.usefixtures("no_page")


def test_set_show_and_history(make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = ["--baselines", tmp_path / "b"]
    code, _, err = arena("baseline", "show", *home, capsys=capsys)
    assert (code, err.count("\n")) == (2, 1)
    for number in range(2):
        run = make_run(f"v-{number}", seed=number, lost=["dog"] if number else [])
        code, out, _ = arena("baseline", "set", run, "--reason", f"because {number}", *home, capsys=capsys)
        assert code == 0
        assert "macro F1" in out
    code, out, _ = arena("baseline", "set", run, "--reason", "again", *home, capsys=capsys)
    assert (code, out.splitlines()[-1]) == (0, "this run is already the baseline; nothing changed")
    code, out, _ = arena("baseline", "set", run, *home, capsys=capsys)
    assert code == 2
    code, out, _ = arena("baseline", "show", *home, capsys=capsys)
    assert (code, out.splitlines()[0]) == (0, "v-1")
    assert "because 0" in out
    code, out, _ = arena("baseline", "show", "v-0", "--json", *home, capsys=capsys)
    told = json.loads(out)
    assert (told["reason"], told["fault"]) == ("because 0", None)
    code, out, err = arena(
        "baseline", "history", "--json", "-o", tmp_path / "deep/h.html", "-o", tmp_path / "h.csv", *home, capsys=capsys
    )
    assert code == 0
    assert {row["tag"] for row in json.loads(out)} == {None, "dog"}
    assert (tmp_path / "deep/h.html").read_text().startswith("<!doctype html>")
    code, _, err = arena("baseline", "history", "--figure", "f3", *home, capsys=capsys)
    assert (code, "--figure f3: not a per-tag metric" in err) == (2, True)


def test_a_changed_baseline_is_shown_and_is_exit_1(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--baselines", tmp_path / "b"]
    arena("baseline", "set", make_run("a"), "--reason", "r", *home, capsys=capsys)
    next((tmp_path / "b").glob("*/per_tag.parquet")).write_bytes(b"x")
    code, out, err = arena("baseline", "show", *home, capsys=capsys)
    assert (code, "CHANGED" in out, "per_tag.parquet: was changed" in err) == (1, True, True)
    code, _, err = arena("baseline", "history", *home, capsys=capsys)
    assert (code, "per_tag.parquet: was changed" in err) == (2, True)


def test_bisect_names_the_checkpoint_or_exits_with_3(
    drawn_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    truth = read_frozen(find_dataset(str(drawn_dataset))).truth
    dense, rng, specs = truth.values.toarray(), np.random.default_rng(0), []
    column = truth.tags.index["tag_3"]
    for number in range(4):
        seen = dense.copy()
        if number >= 2:
            seen[:, column] = ~dense[:, column]
        values = np.clip(0.3 + 0.4 * seen + rng.normal(0, 0.01, dense.shape), 0, 1).astype(np.float32)
        write_scores(tmp_path / f"{number}.npz", Scores.of(truth.image_ids, truth.tags, values))
        specs.append(f"v-{number}={tmp_path / f'{number}.npz'}")
    how = ["-d", drawn_dataset, "-o", tmp_path / "out"]
    code, out, _ = arena("baseline", "bisect", *specs, "--tag", "tag_3", *how, capsys=capsys)
    assert (code, out.splitlines()[-1].startswith("v-2 lost tag_3: F1 1.0000 (v-1) -> 0.")) == (0, True)
    assert max(map(len, out.splitlines())) <= 80
    code, _, err = arena("baseline", "bisect", *specs, "--tag", "tag_4", *how, capsys=capsys)
    assert (code, err.splitlines()[-1].startswith("arena: undetermined: the last, v-3, is not known to have lost")) == (
        3,
        True,
    )
    code, out, _ = arena("baseline", "bisect", *specs, "--tag", "tag_4", "--margin", "0.9", *how, capsys=capsys)
    assert (code, out.splitlines()[-1].startswith("no checkpoint lost tag_4: the last, v-3, kept it")) == (0, True)
    code, out, _ = arena("baseline", "bisect", *specs, "--tag", "tag_3", "--json", *how, capsys=capsys)
    assert (code, json.loads(out)["lost"]) == (0, "v-2")
    code, _, err = arena("baseline", "bisect", specs[0], "--tag", "tag_3", *how, capsys=capsys)
    assert (code, err.count("\n")) == (2, 1)
