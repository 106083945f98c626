"""Every simulation runs to its end at a tiny size; a file of its own, so that another worker runs it."""

from pathlib import Path

import pytest

from .test_every_script import TINY, Load, assert_runs_at_a_tiny_size


@pytest.mark.usefixtures("no_plots")
@pytest.mark.parametrize("script", [script for script in TINY if not script.startswith("bench_")])
def test_a_simulation_runs_to_its_end_at_a_tiny_size(script: str, tmp_path: Path, script_here: Load) -> None:
    assert_runs_at_a_tiny_size(script, TINY[script], tmp_path, script_here)
