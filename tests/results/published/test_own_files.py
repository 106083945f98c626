"""What `arena publish --forms` writes is read again with the same values."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from arena.base.errors import ArenaError, IncomparableError
from arena.metrics.registry import AGGREGATES
from arena.report.exports.write import model_exports
from arena.results.published.read import is_published, read_published
from arena.results.published.rows import published_of
from arena.results.run_folder import Result
from tests.report.results import result_of

ONE = "model-index:\n- name: a\n  results:\n  - dataset: {}\n    metrics:\n    - "


@pytest.fixture(scope="module")
def result() -> Result:
    return result_of(("a", "b"))


@pytest.fixture(scope="module")
def exports(result: Result) -> dict[str, bytes]:
    return model_exports(result, "a")


def write(folder: Path, content: bytes | str, name: str) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_results_json_is_the_model_of_the_run(result: Result, exports: dict[str, bytes], tmp_path: Path) -> None:
    path = write(tmp_path, exports["results.json"], "results.json")
    assert is_published(path)
    (found,) = read_published(path).values()
    wanted = published_of(result, "a")
    assert (found.name, found.format, found.images) == ("a", "results-json", wanted.images)
    pd.testing.assert_frame_equal(found.tags, wanted.tags)
    assert {key: found.figures[key] for key in AGGREGATES} == {key: wanted.figures[key] for key in AGGREGATES}
    assert found.convention == result.summary["convention"]


def test_results_json_of_many_tags_is_recognised(exports: dict[str, bytes], tmp_path: Path) -> None:
    content = json.loads(exports["results.json"])
    tag = content["tags"][0]
    content["tags"] = [{**tag, "tag": f"tag {number}"} for number in range(400)]
    path = write(tmp_path, json.dumps(content), "results.json")
    assert path.stat().st_size > 1 << 16
    assert is_published(path)
    assert len(read_published(path)["a"].tags) == 400


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"schema": 2}, IncomparableError, "schema 2, this version reads 1"),
        ({"tags": []}, ArenaError, "no tag in it"),
        ({"figures": {"map": {"value": "high"}}}, ArenaError, r"figures.map.value is 'high'; it must be a number"),
        ({"images": "many"}, ArenaError, "images is 'many'; it must be"),
    ],
)
def test_damaged_results_are_refused(
    exports: dict[str, bytes], tmp_path: Path, change: dict[str, Any], error: type[ArenaError], message: str
) -> None:
    path = write(tmp_path, json.dumps(json.loads(exports["results.json"]) | change), "results.json")
    with pytest.raises(error, match=message):
        read_published(path)


def test_a_tag_that_contradicts_itself_is_refused(exports: dict[str, bytes], tmp_path: Path) -> None:
    content = json.loads(exports["results.json"])
    content["tags"][0]["tp"] += 1
    with pytest.raises(ArenaError, match="positives, but the file has"):
        read_published(write(tmp_path, json.dumps(content), "results.json"))


@pytest.mark.parametrize("form", ["{}", "---\nlicense: mit\n{}---\n# A model\n\nmodel-index: of another kind\n"])
def test_a_model_index_has_the_averages(result: Result, exports: dict[str, bytes], tmp_path: Path, form: str) -> None:
    path = write(tmp_path, form.replace("{}", exports["model-index.yaml"].decode()), "README.md")
    assert is_published(path)
    (found,) = read_published(path).values()
    wanted = published_of(result, "a")
    assert (found.name, found.format, found.images, found.threshold) == ("a", "model-index", wanted.images, 0.35)
    assert found.figures == {key: round(wanted.figures[key], 6) for key in AGGREGATES}


def test_results_on_several_sets_of_images_are_models_of_their_own(exports: dict[str, bytes], tmp_path: Path) -> None:
    content = yaml.safe_load(exports["model-index.yaml"])
    (only,) = content["model-index"][0]["results"]
    other = {
        "dataset": {"name": "others"},
        "metrics": [dict(only["metrics"][0], args={"average": "macro"}), {"type": "accuracy", "value": 0.5}],
    }
    content["model-index"][0]["results"].append(other)
    found = read_published(write(tmp_path, yaml.safe_dump(content), "index.yaml"))
    assert list(found) == [f"a on {only['dataset']['name']}", "a on others"]
    assert list(found["a on others"].figures) == ["map"]
    assert found["a on others"].notes == ["metrics of others", "left out: 1 metric of another kind"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model-index: 5\n", "model-index is 5; it must be"),
        ("model-index:\n- name: a\n  results: [", "not readable YAML"),
        ("model-index: &a\n- name: a\n  results: []\nmore: *a\n", "an alias"),
        ("model-index: []\n3: 4\n", "a key is not text"),
        (
            f"{ONE}{{type: f1, value: 2, args: {{average: micro}}}}\n",
            "micro_f1 is 2, but must lie in 0 to 1",
        ),
        (
            f"{ONE}{{type: accuracy, value: 0.5}}\n",
            "no metric of type",
        ),
    ],
)
def test_a_damaged_model_index_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ArenaError, match=message):
        read_published(write(tmp_path, text, "index.yaml"))
