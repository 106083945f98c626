"""What the page is given: the result's own figures, intervals, verdicts and evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from arena.base.format import escape_markdown, estimate, figure, probability
from arena.cards import Thresholds
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.report import columns
from arena.report.columns import rounded_number
from arena.report.html import render_comparison
from arena.report.page import evidence as evidence_module
from arena.report.page.evidence import by_interest, evidence, evidence_block
from arena.report.summary import summary_markdown
from arena.report.view import page_view
from arena.results.run_folder import Result
from arena.scores.store import Scores
from arena.tags import TagSpace
from arena.tags.groups import TagGroup

from .payloads import make_payload

TAGS = tuple(f"tag_{i}" for i in range(6))


def small(models: int = 2, *, replicates: int = 60, images: int = 120) -> Result:
    """Models that know more and more: the first one next to nothing, the last one nearly all."""
    rng = np.random.default_rng(3)
    ids = tuple(f"image_{i}" for i in range(images))
    dense = rng.random((images, len(TAGS))) < np.linspace(0.5, 0.15, len(TAGS))
    entries = []
    for number in range(models):
        scores = np.clip(0.25 + 0.22 * number * dense + rng.normal(0, 0.15, dense.shape), 0, 1).astype(np.float32)
        name = f"model-{number}"
        entries.append(Entry(name, name, Scores.of(ids, TagSpace(TAGS), scores), Thresholds(0.35), "card"))
    settings = Settings(replicates=replicates, tag_groups=[TagGroup("even", "Even <tags>", "", ("tag_0", "tag_2"))])
    return evaluate(Truth.of(ids, TagSpace(TAGS), dense), entries, settings, run={"dataset": {"name": "d"}})


@pytest.fixture(scope="module")
def pair() -> Result:
    return small()


def keys_of(value: Any, depth: int = 2) -> Any:
    """The names in a payload, lists by their first element; names that depend on the run (models, tags) as one."""
    if isinstance(value, list):
        return [keys_of(value[0], depth)] if value and isinstance(value[0], dict) else []
    if not isinstance(value, dict) or depth == 0:
        return None
    return {key: keys_of(item, depth - 1) for key, item in value.items() if key not in ("models", "images")}


def test_the_synthetic_payload_has_the_shape_of_the_real_one(pair: Result) -> None:
    made, real = make_payload(), page_view(pair)
    assert keys_of(made) | {"provenance": None} == keys_of(real) | {"provenance": None}
    for key in ("models", "regimes", "slices", "differences", "tag_verdicts", "calibration"):
        assert made[key][0].keys() == real[key][0].keys(), key
    columns = [next(iter(view["tags"]["models"].values())).keys() for view in (made, real)]
    assert set(columns[0]) == set(columns[1])
    for name in ("errors", "confusions", "disagreements"):
        assert made["evidence"][name].keys() == real["evidence"][name].keys(), name
    assert made["pictures"].keys() == real["pictures"].keys()
    assert made["suspects"][0].keys() == real["suspects"][0].keys()


def test_intervals_and_verdicts_are_the_results_own(pair: Result) -> None:
    view = page_view(pair)
    own = pair.summary["models"]["model-1"]["regimes"]["own"]
    assert view["models"][1]["intervals"]["micro_f1"] == pytest.approx([own["micro_f1_low"], own["micro_f1_high"]])
    table = pair.tables["tag_differences"].set_index("tag")
    place = view["tags"]["name"].index("tag_3")
    told = view["tags"]["pairs"][0]["f1"]
    assert probability(told["q"][place]) == probability(table["f1_q"]["tag_3"])
    assert told["higher"][place] == {"model-0": 0, "model-1": 1, "undetermined": None}[table["f1_higher"]["tag_3"]]
    assert view["tag_verdicts"][0]["second"] == (table["f1_higher"] == "model-1").sum() > 0
    rows = pair.tags_of("model-1").set_index("tag")
    shown = view["tags"]["models"]["model-1"]["ap_low"][place]
    assert figure(shown) == figure(rows["ap_low"]["tag_3"])
    assert view["tags"]["models"]["model-1"]["threshold"][place] == 0.35, "not the float32 0.3499999940"


def test_the_page_of_a_result_says_what_it_decides(pair: Result) -> None:
    page = render_comparison(page_view(pair))
    assert (
        "By recorded labels: At their own thresholds model-1 has the higher macro F1, micro F1 and mAP. "
        "Under other threshold policies, " in page
    )
    assert "Even &lt;tags&gt;" in page
    text = summary_markdown(pair)
    assert (
        "**By recorded labels: At their own thresholds model-1 has the higher macro F1, micro F1 and mAP. Under other"
        in text
    )
    assert "\n## Thresholds\n" in text
    assert "By tag, best in hindsight (not a result)" in text
    own = pair.summary["models"]["model-0"]["regimes"]["own"]
    assert escape_markdown(str(estimate(own["map_corrected"], own["map_low"], own["map_high"]))) in text


@pytest.mark.parametrize(("models", "replicates"), [(1, 60), (3, 60), (1, 0), (2, 0), (3, 0)])
def test_every_kind_of_run_has_a_page_and_a_summary(models: int, replicates: int) -> None:
    result = small(models, replicates=replicates)
    view = page_view(result)
    assert len(view["tags"]["pairs"]) == models * (models - 1) // 2
    assert all(("q" in pair["ap"]) == bool(replicates) for pair in view["tags"]["pairs"])
    assert "intervals were computed" not in render_comparison(view) or not replicates
    assert ("Point estimates" in summary_markdown(result)) == (not replicates)


def test_nothing_to_compare_still_has_a_page() -> None:
    result = small(images=8)
    assert result.summary["compared_tags"] == 0
    assert "undefined: no tag to average over" in render_comparison(page_view(result))
    assert "## Thresholds" in summary_markdown(result)


def rows_of(table: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def test_evidence_names_the_worst_images_and_stops_where_there_is_no_room(
    pair: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {name: place + 10 for place, name in enumerate(TAGS)}
    full = evidence(pair, places)
    assert len(full["tags"]) == full["of"] == len(TAGS)
    errors = pair.tables["errors"]
    worst = errors[(errors["model"] == "model-1") & (errors["tag"] == "tag_2") & (errors["kind"] == "miss")]
    first = worst.sort_values("rank").iloc[0]
    told = [row for row in rows_of(full["errors"]) if (row["tag"], row["model"], row["kind"]) == (12, 1, 1)]
    assert len(told) == min(5, len(worst))
    assert full["images"][told[0]["image"]] == first["image_id"]
    assert told[0]["score"] == pytest.approx(first["score"], abs=1e-4)
    monkeypatch.setattr(evidence_module, "EVIDENCE_BYTES", len(evidence_block(full)) // 2)
    half = evidence(pair, places)
    assert 0 < len(half["tags"]) < len(TAGS)
    assert half["tags"] == full["tags"][: len(half["tags"])]
    assert half["of"] == len(TAGS)
    assert half["images"] == full["images"][: len(half["images"])]
    assert {row["tag"] for name in evidence_module.EVIDENCE_TABLES for row in rows_of(half[name])} <= set(half["tags"])
    assert len(evidence_block(half)) <= evidence_module.EVIDENCE_BYTES


def test_a_page_without_ids_still_tells_what_is_confused(pair: Result) -> None:
    found = evidence(pair, {name: place for place, name in enumerate(TAGS)}, image_ids=False)
    assert (found["images"], found["errors"]["tag"], found["disagreements"]["tag"]) == ([], [], [])
    assert found["confusions"]["tag"]


def test_tags_come_in_turns_by_decided_difference_and_as_given(pair: Result) -> None:
    table = pair.tables["tag_differences"].set_index("tag")
    order = by_interest(pair, dict.fromkeys(reversed(TAGS)))
    assert sorted(order) == sorted(TAGS)

    def size(tag: str) -> float:
        row = table.loc[tag]
        decided = [key for key in ("f1", "ap") if row[f"{key}_higher"] != "undetermined"]
        return max((abs(row[f"{key}_difference"]) for key in decided), default=0.0)

    largest = max(TAGS, key=size)
    assert size(largest) > 0
    assert order[:2] == [largest, next(tag for tag in reversed(TAGS) if tag != largest)]
    table.loc[:, ["f1_higher", "ap_higher"]] = "undetermined"
    plain = replace(pair, tables={**pair.tables, "tag_differences": table.reset_index()})
    assert by_interest(plain, dict.fromkeys(TAGS)) == list(TAGS)


def test_fewer_digits_show_the_same_figure() -> None:
    rng = np.random.default_rng(1)
    values = [*rng.random(500), 1e-9, 1 - 1e-9, 0.0, 1.0, float("nan")]
    assert [figure(rounded_number(value)) for value in values] == [figure(value) for value in values]
    chances = [*rng.random(500), *(rng.random(500) / 10), 2e-23, 0.05, 0.0500001, 0.04999, 0.9999, 1.0]
    for value in chances:
        short = columns.rounded_probability(value)
        assert short is not None
        assert probability(short) == probability(value)
        assert (short <= 0.05) == (value <= 0.05)
