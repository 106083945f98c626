"""A run folder is read as it was written, with any names of tags and images."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from arena.dataset.frozen import Truth
from arena.evaluate import Settings, evaluate
from arena.results.run_folder import TABLES, read_result, write_result
from arena.tags import TagSpace
from tests.evaluate.worlds import entry, see

HOSTILE = [
    "nan", "None", "null", "NA", "inf", "true", "-1", "007", "1e5", "a,b", 'say "hi"', "=cmd()", "@x", " lead", "trail ",
    "line\nbreak", "return\rhere", "猫", "<b>", "\\", "'", "#", "tab\tbed", "🐈",
]  # fmt: skip


def compare(ids: list[str], names: list[str], replicates: int = 5):
    rng = np.random.default_rng(0)
    labels = rng.random((len(ids), len(names))) < 0.4
    scores = see(rng, labels, 2.5)
    flipped = rng.random(labels.shape) < 0.05  # labels that both models contradict
    models = [entry(name, ids, names, scores**power) for name, power in (("nan", 1.0), ("1", 0.7))]
    return evaluate(Truth.of(ids, TagSpace(tuple(names)), labels ^ flipped), models, Settings(1, replicates=replicates))


def assert_reads_back(ids: list[str], names: list[str], folder: Path) -> None:
    result = compare(ids, names)
    write_result(result, folder)
    back = read_result(folder)
    assert back.tables.keys() == result.tables.keys() == TABLES.keys()
    for name, table in result.tables.items():
        assert len(table) > 0 or name == "confusions"
        texts = [column for column in table.columns if not pd.api.types.is_numeric_dtype(table[column])]
        for column in texts:
            assert back.tables[name][column].astype(object).tolist() == table[column].astype(object).tolist(), (
                name,
                column,
            )
        for column in set(table.columns) - set(texts):
            there, here = (one[column].to_numpy(np.float64, na_value=np.nan) for one in (back.tables[name], table))
            np.testing.assert_allclose(there, here, rtol=1e-15, err_msg=f"{name}.{column}")
    assert list(back.summary["models"]) == ["nan", "1"]


@pytest.mark.parametrize(
    "names",
    [
        HOSTILE,
        ["nan", "NA"],
        ["1", "2", "03"],
        ["true", "false"],
        ["1.0", "2.50"],
        ["return\rhere", "line\nbreak", "\r\n"],
    ],
    ids=["many", "like nothing", "like numbers", "like truth values", "like fractions", "line breaks"],
)
def test_tags_of_any_name_come_back_as_they_were(names: list[str], tmp_path: Path) -> None:
    assert_reads_back([f"i{n}" for n in range(80)], names, tmp_path)


@pytest.mark.parametrize("form", ["{:04d}", "{}", "1e{}", "{}.50", "post\r{}", 'a "{}", b'])
def test_images_of_any_name_come_back_as_they_were(form: str, tmp_path: Path) -> None:
    assert_reads_back([form.format(n) for n in range(80)], ["cat", "dog"], tmp_path)


def test_a_summary_reads_back_with_null_for_what_is_undefined(tmp_path: Path) -> None:
    result = compare([f"i{n}" for n in range(8)], ["cat"], replicates=0)
    write_result(result, tmp_path)
    text = (tmp_path / "summary.json").read_text(encoding="utf-8")
    back = read_result(tmp_path)
    assert back.summary == json.loads(text)
    assert back.models == ["nan", "1"]
    assert not list(tmp_path.glob("*.part"))


def test_reading_and_writing_again_changes_no_byte(tmp_path: Path) -> None:
    result = compare([f"i{n}" for n in range(80)], ["nan", "cat", "a,b"])
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    write_result(result, tmp_path / "one")
    write_result(read_result(tmp_path / "one"), tmp_path / "two")
    for name in ("summary.json", "run.json", "thresholds.csv", "labels.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
