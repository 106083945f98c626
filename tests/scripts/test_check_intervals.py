"""No printed value lies outside its printed interval: over the demo, and over drawn runs; a planted fault is found."""

import sys
from pathlib import Path

import pytest

from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.run import DEMO_MODELS, run_benchmark
from arena.pipeline.stages import Scoring
from arena.results.recipe import Sample, Settings
from arena.results.run_folder import read_result, write_result
from tests.conftest import REPOSITORY
from tests.report.results import result_of

sys.path.insert(0, str(REPOSITORY / "scripts"))

from check_intervals import Found, all_intervals, in_terminal, in_text, printed_intervals, text_of_page

pytestmark = pytest.mark.usefixtures("no_plots")


def outside(found: list[Found]) -> list[str]:
    return [one.where for one in found if one.is_outside]


def test_no_value_of_the_demo_is_outside_its_interval(tmp_path: Path) -> None:
    scoring = Scoring(Settings(replicates=50))
    folder = run_benchmark(
        DEMO_MODELS, "demo", tmp_path / "run", sample=Sample(100, 0), scoring=scoring, showing=DisplayOptions("none")
    )
    found = all_intervals(folder)
    places = {one.where.partition(":")[0] for one in printed_intervals(read_result(folder), folder)}
    assert places == {"index.html", "summary.md", "terminal"}
    assert len(found) > 500
    assert outside(found) == []


@pytest.mark.parametrize("models", [1, 3])
def test_no_value_of_a_drawn_run_is_outside_its_interval(models: int, tmp_path: Path) -> None:
    result = result_of([f"m{i}" for i in range(models)], images=150, tags=["only", *(f"t{i}" for i in range(7))])
    write_result(result, tmp_path)
    found = all_intervals(tmp_path)
    assert len(found) > 100
    assert outside(found) == []


def test_a_value_moved_out_of_its_interval_is_found_in_every_report(tmp_path: Path) -> None:
    result = result_of(["a", "b"])
    own = result.summary["models"]["a"]["regimes"]["own"]
    own["macro_f1_corrected"] = own["macro_f1_high"] + 0.02
    write_result(result, tmp_path)
    places = {where.partition(":")[0] for where in outside(all_intervals(tmp_path))}
    assert places >= {"index.html", "summary.md", "terminal", "summary.json a own macro_f1"}


def test_the_plain_value_of_an_older_run_is_found_outside(tmp_path: Path) -> None:
    result = result_of(["a", "b"])
    own = result.summary["models"]["a"]["regimes"]["own"]
    own["map"] = own["map_high"] + 0.02
    for key in [key for key in own if key.endswith("_corrected")]:
        del own[key]
    write_result(result, tmp_path)
    assert any(where.startswith("index.html") for where in outside(all_intervals(tmp_path)))


def test_texts_are_read_as_a_reader_sees_them() -> None:
    page = '<td><b>0.4100<span class="sr"> (best or tied with the best)</span></b> <small>[0.3900, 0.4300]</small>'
    (found,) = in_text("a", text_of_page(page))
    assert found[1:] == (0.41, 0.39, 0.43)
    assert [one.is_outside for one in in_text("a", "0.5000 [0.5001, 0.6000] −0.1000 [−0.2000, +0.1000]")] == [
        True,
        False,
    ]
    assert [one[1:] for one in in_terminal("m 0.6 0.3000 –\n [0.2000, 0.4000] –")] == [(0.3, 0.2, 0.4)]
