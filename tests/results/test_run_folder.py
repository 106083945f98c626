"""A run folder is read as it was written, with any names of tags and images."""

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.dataset.frozen import Truth
from arena.evaluate import Settings, evaluate
from arena.results.run_folder import TABLES, Result, read_result, write_result
from arena.results.written import RUN_FILE, UNFINISHED, begin_reports, finish_reports
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


@cache
def compared(tags: int) -> Result:
    """A comparison on 80 images `i0` ... and so many tags `t0` ..., which are renamed in its tables."""
    return compare([f"i{n}" for n in range(80)], [f"t{n}" for n in range(tags)])


def renamed(result: Result, names: dict[str, str]) -> Result:
    """The result with other names of tags or images wherever a table has them."""
    tables = {}
    for name, table in result.tables.items():
        texts = [column for column in table.columns if not pd.api.types.is_numeric_dtype(table[column])]
        tables[name] = table.assign(**{column: _renamed(table[column], names) for column in texts})
    return replace(result, tables=tables)


def _renamed(column: pd.Series, names: dict[str, str]) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.rename_categories([names.get(cell, cell) for cell in column.cat.categories])
    return pd.Series([names.get(cell, cell) for cell in column.astype(object)], column.index, column.dtype)


def assert_reads_back(result: Result, folder: Path) -> None:
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
    changed = {f"t{n}": name for n, name in enumerate(names)}
    assert_reads_back(renamed(compared(len(names)), changed), tmp_path)


@pytest.mark.parametrize("form", ["{:04d}", "{}", "1e{}", "{}.50", "post\r{}", 'a "{}", b'])
def test_images_of_any_name_come_back_as_they_were(form: str, tmp_path: Path) -> None:
    assert_reads_back(renamed(compared(2), {f"i{n}": form.format(n) for n in range(80)}), tmp_path)


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
    for name in ("summary.json", "thresholds.csv", "labels.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    first, second = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("one", "two"))
    for run in (first, second):  # a Parquet file may store numbers in another width
        del run["files"], run["digest"]
    assert first == second


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder without reports."""
    folder = tmp_path_factory.mktemp("written")
    write_result(compare([f"i{n}" for n in range(40)], ["cat", "dog"]), folder)
    return folder


@pytest.fixture
def run(written: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(written, tmp_path / "run"))


def test_a_changed_bit_anywhere_is_noticed_or_changes_nothing(run: Path) -> None:
    random, right = np.random.default_rng(0), read_result(run)
    for path in sorted(run.iterdir()):
        whole = path.read_bytes()
        for place in random.integers(0, len(whole), 4):
            changed = bytearray(whole)
            changed[place] ^= 1 << int(random.integers(8))
            path.write_bytes(changed)
            try:
                found = read_result(run)
            except ArenaError:
                continue
            assert path.name == RUN_FILE, place  # white space
            assert (found.run, found.summary) == (right.run, right.summary), place
        path.write_bytes(whole)


def test_an_edited_figure_is_one_line(run: Path) -> None:
    table = pd.read_parquet(run / "per_tag.parquet")
    table.assign(f1=1.0).to_parquet(run / "per_tag.parquet", index=False)
    assert read_result(run, ["sweep"]).models == ["nan", "1"]
    with pytest.raises(
        ArenaError,
        match=r"per_tag\.parquet: it was changed after the run: its SHA-256 is \w{12}, run\.json has \w{12}; "
        "this is a damaged run; score it again$",
    ):
        read_result(run)


@pytest.mark.parametrize("drop", [(), ("digest",), ("files",)])
def test_an_edited_provenance_is_refused(run: Path, drop: tuple[str, ...]) -> None:
    content = json.loads((run / RUN_FILE).read_text())
    kept = {key: value for key, value in content.items() if key not in drop}
    (run / RUN_FILE).write_text(
        json.dumps({**kept, "models": {**content["models"], "nan": {"images_per_second": 9.9}}})
    )
    with pytest.raises(ArenaError, match=r"run\.json: it differs from its own digest, so it was changed after the run"):
        read_result(run)


def test_a_run_of_an_earlier_version_has_no_digests(run: Path) -> None:
    content = json.loads((run / RUN_FILE).read_text())
    (run / RUN_FILE).write_text(json.dumps({key: content[key] for key in content if key not in ("digest", "files")}))
    assert read_result(run).models == ["nan", "1"]


def test_a_run_is_unfinished_until_its_reports_are_written(run: Path) -> None:
    whole = (run / RUN_FILE).read_bytes()
    begin_reports(run, {})
    with pytest.raises(ArenaError, match=rf"{run}: unfinished, .*; run: arena report {run}$"):
        read_result(run)
    assert read_result(run, unfinished=True).models == ["nan", "1"]
    begin_reports(run, {})
    finish_reports(run, {})
    assert (run / RUN_FILE).read_bytes() == whole
    assert not (run / UNFINISHED).exists()
    begin_reports(run, {})
    finish_reports(run, {"index.html": "ab" * 32})
    assert read_result(run).run["files"]["index.html"] == "ab" * 32
