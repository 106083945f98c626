"""Every script starts, and runs to its end at a tiny size."""

import json
import math
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import DATA, REPOSITORY
from tests.scripts.conftest import SCRIPTS

import reporting  # isort: skip

pytestmark = pytest.mark.usefixtures("no_plots")

TINY = {
    "bench_copies": "copies",
    "bench_counting": "counting",
    "bench_duplicates": "duplicates",
    "bench_gpu": "gpu",
    "bench_hashing": "hashing",
    "bench_input": "input",
    "bench_joytag_size": "joytag_size",
    "bench_million": "million",
    "bench_pages": "pages",
    "bench_scaling": "scaling",
    "bench_score": "score",
    "bench_site": "site",
    "bench_wide": "wide",
    "bench_taggers": "taggers",
    "bench_tars": "tars",
    "bench_view": "view",
    "compare_pick_estimate": "pick",
    "judge_demo": "judge_demo",
    "plant_faults": "planted_faults",
    "simulate_gate": "gate",
    "simulate_judgements": "judgements",
    "simulate_label_issues": "label_issues",
    "simulate_power": "power",
    "simulate_uncertainty": "simulation",
    "torture": "torture",
}
"""Scripts that take `--tiny`, and the report that each of them writes."""

OTHERS = (
    "build_demo_dataset", "check_intervals", "compare_joytag_reference", "publish_demo", "rebuild_joytag_metrics",
    "train_demo_models", "write_notebook", "write_outputs", "write_reference",
)  # fmt: skip
"""Scripts that need what cannot be made here: packages of drawings, a run, hours."""

WITHOUT_OPTIONS = ("build_canary", "disturbed", "docs_site", "reporting")
"""A script without options, the hook of MkDocs, and modules that the others share."""

PEERS = {"bench_copies": "imagededup", "bench_duplicates": "faiss"}
"""Libraries of the extra `bench` without which a script cannot run."""

WITHOUT_BUILD = {
    "bench_counting",
    "bench_duplicates",
    "plant_faults",
    "simulate_gate",
    "simulate_judgements",
    "simulate_label_issues",
    "simulate_power",
    "simulate_uncertainty",
}
"""Scripts that keep nothing for a second run."""


def skip_without_peer(script: str) -> None:
    if (peer := PEERS.get(script)) is not None and find_spec(peer) is None:
        pytest.skip(f"{peer} is not installed; it comes with the extra bench")


def test_every_script_is_tried_here() -> None:
    scripts = {path.stem for path in (REPOSITORY / "scripts").glob("*.py")}
    assert scripts == {*TINY, *OTHERS, *WITHOUT_OPTIONS}


@pytest.mark.parametrize("script", [*TINY, *OTHERS])
def test_a_script_says_how_it_is_used(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file runs as `python scripts/NAME.py --help` runs it."""
    skip_without_peer(script)
    path = str(SCRIPTS / f"{script}.py")
    monkeypatch.setattr(sys, "argv", [path, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(path, run_name="__main__")
    assert ended.value.code == 0
    assert "usage" in capsys.readouterr().out.lower()


def test_a_script_starts_as_a_command() -> None:
    command = [sys.executable, str(SCRIPTS / "rebuild_joytag_metrics.py"), "--help"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr


def test_work_in_other_processes_gives_the_same() -> None:
    """The tests replace these two functions of all scripts."""
    assert reporting.in_own_process(math.sqrt, 4) == 2
    assert list(reporting.on_all_cores(abs, [3, -1, 2])) == [3, 1, 2]


def test_the_command_runs_in_a_process_of_its_own() -> None:
    done = reporting.arena_command("nothing")
    assert done.returncode == 2
    assert "nothing" in done.stderr
    assert reporting.arena_peak_gib("--version") > 0
    with pytest.raises(subprocess.CalledProcessError):
        reporting.arena_peak_gib("nothing")


Load = Callable[[str], ModuleType]


def assert_runs_at_a_tiny_size(script: str, report: str, tmp_path: Path, script_here: Load) -> None:
    skip_without_peer(script)
    build = [] if script in WITHOUT_BUILD else ["--build", tmp_path / "build"]
    assert not script_here(script).main(["--tiny", "--out", str(tmp_path), *map(str, build)])
    assert json.loads((tmp_path / f"{report}.json").read_text())
    text = (tmp_path / f"{report}.md").read_text()
    assert text.startswith("# ")
    assert f"`python scripts/{script}.py" in text, "a report names the command that makes it"


@pytest.mark.parametrize("script", [script for script in TINY if script.startswith("bench_")])
def test_a_benchmark_runs_to_its_end_at_a_tiny_size(script: str, tmp_path: Path, script_here: Load) -> None:
    assert_runs_at_a_tiny_size(script, TINY[script], tmp_path, script_here)


def test_a_published_file_is_made_again_byte_for_byte(
    tmp_path: Path, script_here: Load, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (DATA / "joytag" / "full-metrics.txt").read_text(encoding="utf-8")
    blocks = [
        re.sub(r" \(\d+\) \(cnt", f" ({number}) (cnt", block)  # the tag list of this file has three tags
        for number, block in enumerate(whole.split("\n\n")[:3])
    ]
    published = tmp_path / "full-metrics.txt"
    published.write_text("".join(f"{block}\n\n" for block in blocks), encoding="utf-8")
    assert (
        script_here("rebuild_joytag_metrics").main(
            [str(published), "--build", str(tmp_path / "build"), "--bootstrap", "0"]
        )
        == 0
    )
    assert "byte for byte equal: True" in capsys.readouterr().out
