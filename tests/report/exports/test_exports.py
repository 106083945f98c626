"""Every form of a run: read back by its own reader, whatever the tags and models are called."""

import csv
import io
import json
import re
from io import BytesIO
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
import yaml
from huggingface_hub import parse_eval_result_entries
from huggingface_hub.repocard_data import ModelCardData, model_index_to_eval_results
from markdown_it import MarkdownIt

from arena.report.exports.facts import model_results
from arena.report.exports.model_card import escape_latex
from arena.report.exports.signature import signature_line
from arena.report.exports.write import all_exports, model_exports, run_exports, write_exports
from arena.results.published.read import read_published
from arena.results.published.rows import published_of
from arena.results.run_folder import Result

from ..results import HOSTILE, result_of

TAGS = (
    "<script>alert(1)</script>", "=1+1", "@x|y", "a,b\"c", "line\nbreak", "\u202eevil", "'-'", "'=x", "nan",
    "50%_of_{x} & \\y$", "x" * 500, "---", "key: value # no",
)  # fmt: skip


@pytest.fixture(scope="module")
def result() -> Result:
    return result_of(["a", "b"], tags=TAGS, images=200)


@pytest.fixture(scope="module")
def forms(result: Result) -> dict[str, bytes]:
    return dict(all_exports(result, ["b"], ["7", "9\n"]))


def test_a_run_has_these_forms(forms: dict[str, bytes]) -> None:
    own = [
        ".eval_results/d.yaml", "full-metrics.txt", "model-card.md", "model-card.tex", "model-index.yaml", "per_tag.csv",
        "per_tag.parquet", "results.json", "results.schema.json",
    ]  # fmt: skip
    run = ["CITATION.cff", "citation.bib", "detailed_metrics.txt", "results.schema.json", "signature.txt"]
    assert sorted(forms) == sorted([*run, "validation_post_ids.txt", *(f"b/{name}" for name in own)])
    assert forms["validation_post_ids.txt"] == b"7\n9 \n"
    assert "validation_post_ids.txt" not in run_exports(result_of(["a"]))


def test_the_tables_hold_every_tag_exactly(result: Result, forms: dict[str, bytes], tmp_path: Path) -> None:
    rows = result.tags_of("b").reset_index(drop=True)
    pd.testing.assert_frame_equal(pd.read_parquet(BytesIO(forms["b/per_tag.parquet"])), rows)
    cells = list(csv.reader(io.StringIO(forms["b/per_tag.csv"].decode(), newline="")))
    assert len(cells) == len(TAGS) + 1
    assert not [cell for row in cells for cell in row if re.match(r"[=@+\t\r]", cell) or re.match(r"-[^\d]", cell)]
    (tmp_path / "b.csv").write_bytes(forms["b/per_tag.csv"])
    read = read_published(tmp_path / "b.csv")["b"].tags
    ours = published_of(result, "b").tags
    clean = [" ".join(tag.split()) for tag in ours["tag"]]
    assert [" ".join(tag.split()) for tag in read["tag"]] == clean
    for name in ("tp", "fp", "fn", "tn", "support"):
        assert read[name].tolist() == ours[name].tolist()
    assert read["ap"].tolist() == pytest.approx(ours["ap"].tolist(), abs=0)


def test_the_json_obeys_its_schema_and_the_schema_refuses_faults(result: Result, forms: dict[str, bytes]) -> None:
    schema, content = json.loads(forms["results.schema.json"]), json.loads(forms["b/results.json"])
    checker = jsonschema.Draft202012Validator(schema)
    jsonschema.Draft202012Validator.check_schema(schema)
    content["dataset"]["digest"] = "0" * 64
    assert list(checker.iter_errors(content)) == []
    assert [row["tag"] for row in content["tags"]] == result.tags_of("b")["tag"].tolist()
    assert content["figures"]["macro_f1"]["value"] == result.summary["models"]["b"]["regimes"]["own"]["macro_f1"]
    for fault in ({"images": 0}, {"figures": {}}, {"more": 1}, {"tags": [{"tag": "a"}]}):
        assert list(checker.iter_errors(content | fault))
    del content["signature"]
    assert list(checker.iter_errors(content))


def test_a_card_says_over_which_tags_it_averages(result: Result) -> None:
    two, one = (
        {name: content.decode() for name, content in model_exports(run, "b").items() if not name.endswith("parquet")}
        for run in (result, result_of(["b"], tags=TAGS, images=200))
    )
    for name in ("model-card.md", "model-card.tex"):
        assert "tags that a also knows, with at least" in two[name]
        assert "over all its own tags" in two[name]
        assert "own tags" not in one[name]
    assert "that a also knows" in two["model-index.yaml"]
    content = json.loads(two["results.json"])
    assert content["compared_with"] == ["a"]
    assert content["own_tags"]["macro_f1"]["tags"] == content["figures"]["macro_f1"]["tags"], "both know all tags"
    assert json.loads(one["results.json"])["compared_with"] == []


def test_the_hubs_own_classes_read_what_is_meant_for_it(result: Result, forms: dict[str, bytes]) -> None:
    own = result.summary["models"]["b"]["regimes"]["own"]
    index = yaml.safe_load(forms["b/model-index.yaml"])
    name, results = model_index_to_eval_results(index["model-index"])
    assert (name, len(results)) == ("b", 7)
    values = {one.metric_name: one.metric_value for one in results}
    assert values["macro F1"] == round(own["macro_f1"], 6)
    assert results[0].metric_args["signature"] == signature_line(result)
    assert ModelCardData(**index).eval_results == results
    entries = parse_eval_result_entries(yaml.safe_load(forms["b/.eval_results/d.yaml"]))
    assert {one.task_id: one.value for one in entries}["map"] == round(own["map"], 6)


def test_the_markdown_shows_tags_as_they_are_and_nothing_else(result: Result, forms: dict[str, bytes]) -> None:
    text = forms["b/model-card.md"].decode()
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    assert "<script" not in shown
    assert shown.count("<table>") == 2
    assert shown.count("<tr>") == 8 + 1 + len(model_results(result, "b").weakest())
    assert "\u202e" not in text
    cell = re.findall(r"<td>(.*?)</td>", shown)
    assert all(len(one) < 200 for one in cell)


def test_the_latex_is_balanced_and_escaped(forms: dict[str, bytes]) -> None:
    text = forms["b/model-card.tex"].decode()
    bare = re.sub(r"\\([&%$#_{}\\])", "", re.sub(r"^%.*$", "", text, flags=re.MULTILINE))
    assert bare.count("{") == bare.count("}")
    rows = [line for line in bare.split("\n") if " & " in line]
    assert {line.count("&") for line in rows} == {4}
    assert not re.search(r"[#$%~^|]", re.sub(r"\$-\$", "", bare))
    assert escape_latex("a\\b[*]^~<|>\n") == (
        r"a\textbackslash{}b{[}{*}{]}\textasciicircum{}\textasciitilde{}\textless{}\textbar{}\textgreater{} "
    )


@pytest.mark.parametrize("title", HOSTILE)
def test_the_citation_is_one_document_whatever_the_dataset_is_called(title: str) -> None:
    result = result_of(["a"], replicates=0)
    result.run["dataset"] |= {"title": title, "name": title}
    content = yaml.safe_load(run_exports(result)["CITATION.cff"])
    assert content["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "identifiers"} <= content.keys()
    assert content["date-released"] == "2026-11-02"
    assert content["identifiers"][0]["value"] == signature_line(result)
    entry = run_exports(result)["citation.bib"].decode()
    bare = re.sub(r"\\[&%$#_{}\\]", "", entry)
    assert bare.count("{") == bare.count("}")
    assert entry.startswith("@misc{arena-")
    assert len(entry.strip().splitlines()) == 8
    assert signature_line(result).count("|") == 6
    index = yaml.safe_load(model_exports(result, "a")["model-index.yaml"])
    assert len(model_index_to_eval_results(index["model-index"])[1]) == 7


def test_the_signature_moves_with_what_it_pins(result: Result) -> None:
    line = signature_line(result)
    assert line == signature_line(result_of(["a", "b"], tags=TAGS, images=200))
    others = [
        result_of(["a", "b"], tags=TAGS[:-1], images=200),
        result_of(["a", "b"], tags=TAGS, images=200, thresholds=0.36),
        result_of(["a", "b"], tags=(*TAGS[:-1], "other"), images=200),
    ]
    assert len({line, *(signature_line(one) for one in others)}) == 4
    result_b = result_of(["a", "b"], tags=TAGS, images=200)
    result_b.run["versions"] = {"numpy": "2.0"}
    assert "|numpy:2.0|" in signature_line(result_b)


def test_writing_again_changes_nothing(forms: dict[str, bytes], tmp_path: Path) -> None:
    assert len(write_exports(forms, tmp_path).changed) == len(forms)
    assert write_exports(forms, tmp_path).changed == []
    (tmp_path / "b/model-card.md").write_text("other")
    assert write_exports(forms, tmp_path).changed == ["b/model-card.md"]
    assert not list(tmp_path.rglob("*.part"))
