"""A precision that no threshold reaches, in the terminal, in `summary.md` and on the page."""

import json
from pathlib import Path

import numpy as np
import pytest

from arena import cli

pytestmark = pytest.mark.usefixtures("no_plots")


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Path, str]:
    """A run folder, and what `arena score` printed."""
    rng = np.random.default_rng(0)
    labels = rng.random((200, 5)) < 0.2
    scores = np.where(labels | (rng.random(labels.shape) < 0.1), 1.0, 0.3).astype(np.float32)
    axes = {"tags": np.array(list("abcde")), "image_ids": np.array([f"i{n}" for n in range(200)])}
    np.savez(tmp_path / "s.npz", scores=scores, **axes)
    np.savez(tmp_path / "t.npz", truth=labels, **axes)
    files = ["--scores", f"x={tmp_path / 's.npz'}", "--truth", tmp_path / "t.npz", "-o", tmp_path / "run"]
    arguments = [*files, "--bootstrap", 60]
    cli.main(["score", *map(str, arguments)])
    return tmp_path / "run", capsys.readouterr().out


def test_it_is_null_in_files_and_not_a_number_nowhere(
    run: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, terminal = run
    assert "nan" not in terminal.lower().split()
    [model] = json.loads((folder / "summary.json").read_text())["models"].values()
    row = model["regimes"]["precision_90"]
    assert row["micro_precision"] is row["macro_f1_low"] is row["lowest_threshold"] is None
    cli.main(["report", str(folder)])
    assert "nan" not in capsys.readouterr().out.lower().split()
    for name in ("summary.md", "index.html", "thresholds.csv"):
        text = (folder / name).read_text()
        assert ">nan<" not in text.lower()
        assert "| nan |" not in text.lower()
        assert name == "index.html" or ",nan" not in text.lower()
    assert (
        "| Global, precision 90 % | – | – | – no threshold reaches a precision of 90 % |"
        in (folder / "summary.md").read_text()
    )
