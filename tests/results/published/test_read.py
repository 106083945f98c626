"""Published files are read and checked for contradictions; JoyTag's file is written again byte for byte."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.base.errors import ArenaError
from arena.base.format import one_line
from arena.results.published.aggregates import aggregates_of
from arena.results.published.full_metrics import full_metrics_of, full_metrics_text
from arena.results.published.read import is_published, read_published
from arena.results.published.record import PUBLISHED_COLUMNS
from tests.conftest import DATA

JOYTAG = DATA / "joytag" / "full-metrics.txt"

BLOCK = "Tag: cat (3) (cnt: 40)\nPrecision: 0.7500\nRecall: 0.6000\nF1: 0.6667\nTP: 6, TN: 88, FP: 2, FN: 4\n\n"
NOTHING = "Tag: dog (4) (cnt: 9)\nPrecision: 0.0000\nRecall: 0.0000\nF1: 0.0000\nTP: 0, TN: 99, FP: 0, FN: 1\n\n"

DETAILED = (
    "cat\nSmilingWolf         : Precision 0.6010, Recall 0.5218, F1 0.5586, AP 0.5828\n"
    "JoyTag              : Precision 0.5476, Recall 0.5788, F1 0.5628, AP 0.5383\n\n"
    "@: <b>\nSmilingWolf         : Precision 0.4010, Recall 0.5218, F1 0.4535, AP 0.1828\n"
    "JoyTag              : Precision 0.0000, Recall 0.0000, F1 0.0000, AP 0.1383\n\n"
)

REPORT = (
    "Tag,Category,Actual_posts,Predicted_posts,Correct_predictions,Actual_frequency,Predicted_frequency,Precision,Recall,F_score\n"
    "1girl,0,20,16,12,0.20,0.16,0.75,0.60,0.67\n"
    "nan,4,5,0,0,0.05,0.00,0.00,0.00,0.00\n"
)

SELECTED = (
    "id,tag_id,name,category,count,val_mcc,val_f1,test_f1,test_precision,test_recall,best_threshold,best_f1,best_precision,best_recall\n"
    "0,470575,1girl,0,4225150,0.8,0.91,0.90,0.91,0.92,0.405,0.9312345,0.92,0.94\n"
    "1,13197,(o)_(o),4,99,0.8,0.91,0.90,0.91,0.92,0.25,0.5,0.4,0.65\n"
)


def write(folder: Path, text: str, name: str = "file.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_joytags_file_has_its_means_and_comes_out_byte_for_byte() -> None:
    (published,) = read_published(JOYTAG).values()
    found = aggregates_of(published)
    assert found["macro_f1"] == pytest.approx(0.578437, abs=5e-7)
    assert found["macro_precision"] == pytest.approx(0.586607, abs=1e-6)
    assert found["macro_recall"] == pytest.approx(0.586819, abs=1e-6)
    assert [found[f"micro_{name}"] for name in ("precision", "recall", "f1")] == pytest.approx(
        [0.637025, 0.734602, 0.682343], abs=5e-7
    )
    assert found["map"] is None
    assert (published.images, len(published.tags), published.digits) == (32768, 5813, None)
    assert published.tags["threshold"].isna().all()
    assert full_metrics_of(published).encode() == JOYTAG.read_bytes()
    left_out = aggregates_of(published, "arena")
    assert left_out["macro_precision_tags"] == 5809
    assert left_out["macro_precision"] > found["macro_precision"]


def test_full_metrics_keeps_what_it_says_and_leaves_the_rest_unknown(tmp_path: Path) -> None:
    (one,) = read_published(write(tmp_path, NOTHING + BLOCK.replace("\n", "\r\n")), "new").values()
    assert (one.name, one.source, one.format, one.images) == ("new", "file.txt", "full-metrics", 100)
    assert tuple(one.tags.columns) == PUBLISHED_COLUMNS
    cat = one.tags.set_index("tag").loc["cat"]
    assert [cat[name] for name in ("index", "training_count", "support", "tp", "fp", "fn", "tn")] == [
        3,
        40,
        10,
        6,
        2,
        4,
        88,
    ]
    assert cat["f1"] == 12 / 18
    assert np.isnan(one.tags["precision"][0])
    assert one.tags[["ap", "threshold", "category"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BLOCK[:40], r"file.txt:3: tag cat: expected 'Recall: 0.0000', found the end of the block; the file is truncated"),
        (BLOCK + BLOCK[:-30], r"file.txt:11: tag cat: expected 'TP: 0, TN: 0"),
        (BLOCK.replace("0.7500", "0.7600"), r"file.txt:1: tag cat: precision is 0.76, but TP 6, FP 2 and FN 4 give 0.7500"),
        (BLOCK.replace("FN: 4", "FN: 5"), r"file.txt:1: tag cat: recall is 0.6, but"),
        (BLOCK + NOTHING.replace("TN: 99", "TN: 98"), r"tag dog: its counts give 99 images, those of the first tag 100"),
        (BLOCK + BLOCK, r"file.txt:7: tag cat: already in line 1"),
        (BLOCK + "oops\n", r"file.txt:7: expected 'Tag: name \(0\) \(cnt: 0\)', found oops"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = write(tmp_path, text)
    assert is_published(path)
    with pytest.raises(ArenaError, match=told):
        read_published(path)


def test_detailed_metrics_has_every_model_and_no_counts(tmp_path: Path) -> None:
    found = read_published(write(tmp_path, DETAILED))
    assert list(found) == ["SmilingWolf", "JoyTag"]
    joytag = found["JoyTag"]
    assert list(joytag.tags["tag"]) == ["cat", "@: <b>"]
    assert (joytag.images, joytag.digits) == (None, 4)
    assert joytag.tags[["support", "tp", "threshold"]].isna().all(axis=None)
    means = aggregates_of(joytag)
    assert means["macro_f1"] == pytest.approx(0.2814)
    assert means["map"] == pytest.approx(0.3383)
    assert means["micro_f1"] is None
    assert list(read_published(tmp_path / "file.txt", "JoyTag")) == ["JoyTag"]
    with pytest.raises(ArenaError, match=r"several models, but none is called 'Joytag'. Did you mean JoyTag"):
        read_published(tmp_path / "file.txt", "Joytag")
    with pytest.raises(ArenaError, match=r"detailed.txt: JoyTag lacks tp, fp, fn, tn for at least one tag"):
        full_metrics_of(read_published(write(tmp_path, DETAILED, "detailed.txt"), "JoyTag")["JoyTag"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (DETAILED[:-150], r"file.txt:6: tag @: <b>: expected 'model: Precision"),
        (
            DETAILED[: DETAILED.rindex("JoyTag")],
            r"file.txt:7: tag @: <b>: 1 of 2 models \(SmilingWolf, JoyTag\); the file is truncated",
        ),
        (DETAILED + DETAILED.split("\n")[1] + "\n", r"file.txt:9: metrics before the name of a tag: SmilingWolf"),
        (DETAILED.replace("0.1383", "1.1383"), r"file.txt:7: tag @: <b>: ap is 1.1383, but must lie in 0 to 1"),
    ],
)
def test_a_damaged_detailed_file_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ArenaError, match=told):
        read_published(write(tmp_path, text))


def test_a_report_row_without_its_correct_predictions_has_no_counts(tmp_path: Path) -> None:
    (one,) = read_published(write(tmp_path, REPORT.replace(",16,12,", ",16,,"), "report.csv")).values()
    first = one.tags.set_index("tag").loc["1girl"]
    assert first[["tp", "fp"]].isna().all()
    assert first["recall"] == 0.6


def test_smilingwolfs_report_has_exact_counts_behind_rounded_figures(tmp_path: Path) -> None:
    (one,) = read_published(write(tmp_path, REPORT, "report.csv")).values()
    assert (one.name, one.format, one.images, one.digits) == ("report", "report-csv", None, None)
    girl = one.tags.iloc[0]
    assert [girl[name] for name in ("tag", "category", "support", "tp", "fp", "fn")] == [
        "1girl",
        "general",
        20,
        12,
        4,
        8,
    ]
    assert girl["f1"] == 24 / 36
    assert list(one.tags["tag"]) == ["1girl", "nan"]
    assert one.tags["tn"].isna().all()
    assert aggregates_of(one)["micro_precision"] == 0.75
    with pytest.raises(
        ArenaError, match=r"report.csv:2: tag 1girl: recall is 0.7, but TP 12, FP 4 and FN 8 give 0.6000"
    ):
        read_published(write(tmp_path, REPORT.replace("0.60", "0.70"), "report.csv"))


def test_animetimms_list_has_the_best_thresholds_and_says_that_they_flatter(tmp_path: Path) -> None:
    (one,) = read_published(write(tmp_path, SELECTED, "selected_tags.csv")).values()
    assert one.format == "selected-tags"
    assert list(one.tags["threshold"]) == [0.405, 0.25]
    assert list(one.tags["f1"]) == [0.9312345, 0.5]
    assert list(one.tags["training_count"]) == [4225150, 99]
    assert "too optimistic" in one.notes[0]
    assert one.tags[["support", "tp", "index"]].isna().all(axis=None)
    fixed = "name,category,best_threshold,test_f1,test_precision,test_recall\n1girl,0,0.4,0.9,0.8,0.7\n"
    (other,) = read_published(write(tmp_path, fixed, "selected_tags.csv")).values()
    assert other.tags["threshold"].isna().all()  # the metrics were not measured at these thresholds
    plain = "name,category,best_threshold,f1,precision,recall\n1girl,0,0.4,0.9,0.8,0.7\n"
    (last,) = read_published(write(tmp_path, plain, "selected_tags.csv")).values()
    assert [last.tags[name][0] for name in ("threshold", "f1", "precision", "recall")] == [0.4, 0.9, 0.8, 0.7]
    assert not is_published(write(tmp_path, "tag_id,name,category,count\n1,a,0,5\n", "selected_tags.csv"))


def test_animetimms_metrics_are_aggregates_without_tags(tmp_path: Path) -> None:
    text = '{"test": {"macro_f1": 0.546, "micro_f1": 0.689, "macro_mcc": 0.552, "loss": 3}, "val": {"macro_f1": 0.5}}'
    (one,) = read_published(write(tmp_path, text, "metrics.json"), "caformer").values()
    assert dict(one.figures) == {"macro_f1": 0.546, "macro_mcc": 0.552, "micro_f1": 0.689}
    assert len(one.tags) == 0
    assert aggregates_of(one)["map"] is None
    with pytest.raises(ArenaError, match=r"macro_f1 is 54.6, but must lie in 0 to 1"):
        read_published(write(tmp_path, text.replace("0.546", "54.6"), "metrics.json"))


def test_a_table_of_counts_makes_its_figures(tmp_path: Path) -> None:
    (one,) = read_published(
        write(tmp_path, 'tag,threshold,tp,fp,fn\n"a,b",0.3,6,2,4\n=1+1,0.2,0,0,3\n', "t.csv")
    ).values()
    assert (one.format, list(one.tags["tag"])) == ("counts-csv", ["a,b", "=1+1"])
    assert [one.tags[name][0] for name in ("support", "precision", "recall", "threshold")] == [10, 0.75, 0.6, 0.3]
    assert one.images is None
    assert aggregates_of(one)["macro_precision_tags"] == 1


def test_a_per_tag_table_goes_by_many_names_and_may_hold_several_models(tmp_path: Path) -> None:
    text = "Tagger\tLabel\tF1-Score\tPositives\tAP\na\tx\t0.5\t7\t\na\ty\t0.25\t3\tNaN\nb\tx\t\t7\t0.125\n"
    found = read_published(write(tmp_path, text, "t.tsv"))
    assert list(found) == ["a", "b"]
    assert list(found["a"].tags["f1"]) == [0.5, 0.25]
    assert list(found["a"].tags["support"]) == [7, 3]
    assert found["a"].tags["ap"].isna().all()
    assert (found["b"].format, found["b"].digits) == ("per-tag-csv", 3)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tag,f1\na,0.5\nb\n", "t.csv:3: 1 cells, but the header has 2; the file is truncated"),
        ("tag,f1\na,high\n", "t.csv:2: f1 is high, not a number"),
        ("tag,f1\na,inf\n", "t.csv:2: f1 is inf, not a number"),
        ("tag,f1\na,57.8\n", r"t.csv:2: tag a: f1 is 57.8, but must lie in 0 to 1"),
        ("tag,tp,fp,fn\na,1.5,0,0\n", "t.csv:2: tp is 1.5, not a whole number"),
        ("tag,tp,fp,fn\na,-1,0,0\n", "t.csv:2: tag a: tp is -1, but must not be negative"),
        ("tag,tp,fp,fn,support\na,1,0,1,3\n", "TP 1 and FN 1 give 2 positives, but the file has 3"),
        ("tag,threshold,tp,fp,fn\na,0.1,1,0,0\na,0.2,1,0,0\n", "t.csv:3: tag a: already in line 2"),
        ("name,label,f1\na,a,0.5\n", "two columns for tag; keep one"),
        ("tag,f1\n", "no row below its header"),
        ('tag,f1\n"a,0.5\n', "t.csv:2: not readable CSV"),
        ("tag,f1\n,0.5\n", "t.csv:2: a row without a tag name"),
        ("hello\n", "t.csv: no published metrics in a known format"),
    ],
)
def test_a_damaged_table_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ArenaError, match=told):
        read_published(write(tmp_path, text, "t.csv"))


def test_what_is_no_published_file(tmp_path: Path) -> None:
    assert not is_published(tmp_path)
    assert not is_published(tmp_path / "none")
    (tmp_path / "b").write_bytes(b"PK\x03\x04\0\xff\xfe")
    assert not is_published(tmp_path / "b")
    assert not is_published(write(tmp_path, '{"schema": 2, "models": {"macro_f1": {}}}'))
    with pytest.raises(ArenaError, match="no such file"):
        read_published(tmp_path / "none")
    (tmp_path / "latin").write_bytes(b"tag,f1\n\xe9,0.5\n")
    with pytest.raises(ArenaError, match="not UTF-8 text"):
        read_published(tmp_path / "latin")


names = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=12).filter(str.strip)


Counted = tuple[str, int, int, int, int]
rows = st.lists(st.tuples(names, *(st.integers(0, 40),) * 4), min_size=1, max_size=6, unique_by=lambda row: row[0])


@settings(max_examples=25)
@given(rows)
def test_what_is_written_reads_back_the_same(tmp_path_factory: pytest.TempPathFactory, rows: list[Counted]) -> None:
    cleaned = list({one_line(tag): (one_line(tag), *counts) for tag, *counts in rows}.values())
    table = pd.DataFrame(
        [
            {
                "tag": tag,
                "index": place,
                "training_count": count,
                "tp": tp,
                "fp": fp,
                "fn": fn,
                "tn": 200 - tp - fp - fn,
            }
            for place, (tag, count, tp, fp, fn) in enumerate(cleaned)
        ]
    )
    text = full_metrics_text(table)
    path = write(tmp_path_factory.mktemp("written"), text)
    (one,) = read_published(path).values()
    assert full_metrics_of(one) == text
    assert one.images == 200
