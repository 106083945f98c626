"""`arena parity` as a user meets it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.parity.conftest import compare, rename_tags

from .test_cli import arena

Port = Callable[..., str]


@pytest.mark.usefixtures("eighty_columns")
def test_same_exits_0_and_different_exits_1(
    port: Port, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, wrong = port("a"), port("b"), port("wrong", channels="rgb")
    how = ["--images", pictures, "--keep", tmp_path / "kept", "--device", "cpu"]
    code, out, _ = arena("parity", a, b, *how, capsys=capsys)
    assert code == 0
    assert "identical: every score is the same" in out
    page = tmp_path / "pages" / "parity.md"
    code, out, _ = arena("parity", a, wrong, *how, "-o", page, capsys=capsys)
    assert code == 1
    assert "different: the largest difference" in out
    assert "when its channels are swapped (BGR, where" in " ".join(out.split())
    assert max(map(len, out.splitlines())) <= 80
    written = page.read_text()
    assert "wrong agrees to" in written
    assert "## Tags that differ most" in written


def test_json_holds_figures_verdict_and_cause(
    port: Port, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = ["--images", pictures, "--keep", tmp_path / "kept", "--json", "--limit", "14"]
    code, out, _ = arena("parity", port("a"), port("b", resize="lanczos"), *how, capsys=capsys)
    told = json.loads(out)
    assert code == 1
    assert (told["schema"], told["parity"]["images"], told["verdict"]["word"]) == (1, 14, "different")
    assert told["finding"]["cause"] == "resize"
    assert told["parity"]["flips"]["share"] > 0


def test_no_common_tag_exits_4(port: Port, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = port("a"), port("b")
    rename_tags(b, lambda names: [f"other_{name}" for name in names])
    code, _, err = arena("parity", a, b, "--images", pictures, "--keep", tmp_path / "kept", capsys=capsys)
    assert code == 4
    assert "no tag in common" in err


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = tmp_path / "s.npz"
    np.savez(scores, scores=np.full((2, 1), 0.5, np.float32), tags=np.array(["x"]), image_ids=np.array(["1", "2"]))
    for arguments, message in [
        (["wd14-demo", "-d", "demo"], "1 entrant is named; name two"),
        (["wd14-demo", "wd14-demo", "-d", "demo"], "is named twice"),
        (["wd14-demo", "joytag-demo"], "set either --images FOLDER or --dataset NAME"),
        (["wd14-demo", "joytga-demo", "-d", "demo"], "Did you mean joytag-demo"),
        (["--scores", f"a={scores}", "-d", "demo"], "1 entrant is named; name two"),
        (["--scores", f"a={scores}", "--scores", f"b={tmp_path / 'none'}"], "no such file"),
        (["--scores", f"a={scores}", "--scores", f"b={scores}", "-t", "b=7"], "a threshold lies in 0 to 1"),
    ]:
        code, _, err = arena("parity", *arguments, capsys=capsys)
        assert code == 2, (arguments, err)
        assert message in err
        assert len(err.strip().splitlines()) == 1


def test_two_files_of_scores_need_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = tmp_path / "s.npz"
    np.savez(scores, scores=np.full((2, 1), 0.5, np.float32), tags=np.array(["x"]), image_ids=np.array(["1", "2"]))
    code, out, _ = arena("parity", "--scores", f"a={scores}", "--scores", f"b={scores}", capsys=capsys)
    assert code == 0
    assert "all are constant" in out


def test_odd_names_are_shown_as_they_are(port: Port, pictures: Path, tmp_path: Path) -> None:
    from arena.diagnostics.parity.text import parity_json, parity_markdown

    a, b = port("a"), port("b", pad=[0, 0, 0])
    for spec in (a, b):
        rename_tags(spec, lambda names: ["|_|", "<|>_<|>", "[bold]", *names[3:]])
    report = compare(a, b, pictures, diagnose=0)
    assert report.finding is None
    assert all(line.count(" | ") == 3 for line in parity_markdown(report).splitlines() if line.startswith("| tag"))
    assert json.loads(parity_json(report))["tried_on"] == 0
