"""SmilingWolf's tables of runs: micro averages of models, without tags."""

from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.results.published.aggregates import aggregates_of
from arena.results.published.column import published_entry, unknown_columns
from arena.results.published.read import is_published, read_published

HEADER = "run_name,thres,F1,F2,MCC,A,R,P,activation,params,params_human\n"
ROW = "ConvNextB,0.3372,0.6892,0.6891,0.6855,0.9927,0.6891,0.6892,gelu,90005964,90.01M\n"

SWEEP = (
    "run_name,bottom_index,notes,thres,F1,F2,MCC,A,R,P\n"
    "ConvNextT,0,,0.3232,0.6701,0.6701,0.6662,0.9923,0.6701,0.6701\n"
    "ConvNextT,1092,,0.3232,0.5204,0.4718,0.5274,0.9983,0.4442,0.628\n"
    'Other,0,"focal, gamma 2",0.4,0.5,0.5,,0.99,0.5,0.5\n'
)


def write(folder: Path, text: str) -> Path:
    path = folder / "runs.csv"
    path.write_text(text)
    return path


def test_a_row_is_a_model_with_its_micro_averages(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + ROW)
    assert is_published(path)
    (one,) = read_published(path).values()
    assert (one.name, one.format, len(one.tags), one.images, one.threshold) == (
        "ConvNextB",
        "runs-csv",
        0,
        None,
        0.3372,
    )
    found = aggregates_of(one)
    assert [found[f"micro_{key}"] for key in ("precision", "recall", "f1", "f2", "mcc", "accuracy")] == [
        0.6892, 0.6891, 0.6892, 0.6891, 0.6855, 0.9927,
    ]  # fmt: skip
    assert (found["macro_f1"], found["map"], found["made_of"]) == (None, None, "file")
    assert published_entry(one)["threshold"] == "0.3372"
    assert "threshold" not in unknown_columns(one)
    assert any("chosen on the scored images" in note for note in one.notes)


def test_rows_of_one_name_are_told_apart(tmp_path: Path) -> None:
    found = read_published(write(tmp_path, SWEEP))
    assert list(found) == ["ConvNextT (bottom_index 0)", "ConvNextT (bottom_index 1092)", "Other"]
    notes = [sum("chosen on the scored images" in note for note in one.notes) for one in found.values()]
    assert notes == [1, 0, 1], "at 1092 precision and recall differ, so the threshold was chosen elsewhere"
    assert "micro_mcc" not in found["Other"].figures
    assert list(read_published(tmp_path / "runs.csv", "Other")) == ["Other"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER, "no row below its header"),
        (HEADER + ROW + ROW, r":3: run ConvNextB occurs twice"),
        (HEADER + ROW[:40] + "\n", r":2: \d+ cells, but the header has 11"),
        (HEADER + ROW.replace("0.6855", "high"), r":2: MCC is high, not a number"),
        (HEADER + ROW.replace("0.6855", "nan"), r":2: MCC is nan, not a number"),
        (HEADER + ROW.replace("0.9927", "99.27"), r":2: A is 99.27, but must lie in 0 to 1"),
        (
            HEADER + ROW.replace(",0.6892,0.6891,0.6855", ",0.7,0.6891,0.6855"),
            r":2: F1 is 0.7, but P 0.6892 and R 0.6891 give",
        ),
        (HEADER.replace("F2", "F1"), "two columns F1"),
    ],
)
def test_a_damaged_table_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ArenaError, match=message):
        read_published(write(tmp_path, text))
