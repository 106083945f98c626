"""Published figures against each other: intervals from counts, points without them, and what is of other images."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from arena.gate.decidable import overall
from arena.gate.limits import COVERAGE
from arena.gate.options import UNPAIRED_OPTIONS
from arena.gate.parts import MARGINS
from arena.gate.policy import read_policy
from arena.gate.requirement import RequiredData
from arena.gate.requirements import REQUIREMENTS
from arena.gate.sample import reach_told
from arena.gate.unpaired import fitted_unpaired, judge_unpaired, unpaired_cost
from arena.gate.unpaired_evidence import OVERDISPERSION, evidence_from_published
from arena.gate.verdict import Case, Outcome
from arena.metrics.intervals import f1_interval
from arena.results.published.aggregates import aggregates_of
from arena.results.published.full_metrics import read_full_metrics
from arena.results.published.record import PUBLISHED_COLUMNS, Published
from tests.conftest import DATA

from .joints import outcomes, policy_of

INTEGERS = ("index", "training_count", "support", "tp", "fp", "fn", "tn")
TEXTS = ("tag", "category")


def published(rows: Sequence[Mapping[str, object]], **more: object) -> Published:
    """Tags with what is told of them."""
    table = pd.DataFrame(rows, columns=list(PUBLISHED_COLUMNS))
    kinds = {name: "Int64" if name in INTEGERS else "object" if name in TEXTS else "float64" for name in table.columns}
    return Published("m", "m.txt", "f", "0", table.astype(kinds), **more)  # type: ignore[arg-type]


def counted(tag: str, tp: int, fp: int, fn: int, category: str | None = None) -> dict[str, object]:
    return {
        "tag": tag,
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "support": tp + fn,
        "category": category,
        "f1": 2 * tp / (2 * tp + fp + fn),
    }


def many(hits: int, *, tags: int = 200, images: int | None = 32_768, category: str | None = None) -> Published:
    """Tags of a hundred positives each, so many of which are found."""
    rows = [counted(f"t{place}", hits, 20, 100 - hits, category) for place in range(tags)]
    return published(rows, images=images)


def test_means_over_counts_by_hand() -> None:
    one = published([counted("a", 8, 1, 2), counted("b", 10, 0, 0), counted("rare", 1, 0, 0)])
    other = published([counted("a", 5, 1, 5), counted("b", 10, 0, 0), counted("rare", 1, 0, 0)])
    found = evidence_from_published(candidate=one, baseline=other, aliases={})
    macro, micro = found.overall["macro_f1"], found.overall["micro_f1"]
    assert list(found.tags["tag"]) == ["a", "b"]  # tested: ten positives at least
    assert found.averaged == 3
    assert macro.candidate == pytest.approx((16 / 19 + 1 + 1) / 3)
    assert micro.baseline == pytest.approx(32 / (32 + 6))
    ends = {side: [f1_interval(*counts) for counts in some] for side, some in
            {"one": [(8, 1, 2), (10, 0, 0), (1, 0, 0)], "other": [(5, 1, 5), (10, 0, 0), (1, 0, 0)]}.items()}  # fmt: skip
    down = np.hypot(np.hypot(16 / 19 - ends["one"][0].low, 1 - ends["one"][1].low), 1 - ends["one"][2].low) / 3
    up = (ends["other"][0].high - 10 / 16) / 3
    assert macro.seen.difference == pytest.approx((16 / 19 - 10 / 16) / 3)
    # One tag has errors, so its contribution of e / 10 a error has m²/v = e / images, with 10 images: 3 and 6 errors.
    effects = [1 + OVERDISPERSION * errors / 10 for errors in (3, 6)]
    assert macro.seen.low == pytest.approx(
        macro.seen.difference - np.hypot(down * np.sqrt(effects[0]), up * np.sqrt(effects[1]))
    )


def test_macro_f1_is_that_of_arena_published() -> None:
    [joytag] = read_full_metrics(DATA / "joytag" / "full-metrics.txt").values()
    found = evidence_from_published(candidate=joytag, baseline=joytag, aliases={})
    published_means = aggregates_of(joytag)
    assert found.overall["macro_f1"].candidate == pytest.approx(published_means["macro_f1"], abs=1e-12)
    assert found.overall["micro_f1"].candidate == pytest.approx(published_means["micro_f1"], abs=1e-12)
    assert found.averaged == published_means["macro_f1_tags"] == 5813
    cases = judge_unpaired(candidate=joytag, baseline=joytag, policy=read_policy())
    assert "macro F1 over 5,813 common tags" in [case.title for case in cases]


@pytest.mark.parametrize("kind", ["equal", "noisier", "fails"])
def test_intervals_of_independent_results_hold_the_truth(kind: str) -> None:
    """Images are equally hard, or some are noisier for both, or one result fails on some images; each 24 times."""
    rng = np.random.default_rng(4)
    prevalence = np.exp(rng.uniform(np.log(0.01), np.log(0.2), 60))
    held = dict.fromkeys(("macro_f1", "micro_f1"), 0)
    for _ in range(24):
        labels = rng.random((800, 60)) < prevalence
        one, other = (_result(labels, kind, rng) for _ in range(2))
        overall = evidence_from_published(candidate=one, baseline=other, aliases={}).overall
        for name in held:
            held[name] += overall[name].seen.low <= 0 <= overall[name].seen.high
    assert min(held.values()) >= 21


def _result(labels: np.ndarray, kind: str, rng: np.random.Generator) -> Published:
    noise = rng.standard_normal(labels.shape)
    if kind == "noisier":
        noise *= rng.choice([0.5, 1.0, 1.6], (len(labels), 1))
    predicted = noise + 3.2 * labels > 1.9
    if kind == "fails":
        failed = rng.random((len(labels), 1)) < 0.15
        predicted = np.where(failed, rng.random(labels.shape) < labels.mean(0), predicted)
    counts = zip((predicted & labels).sum(0), (predicted & ~labels).sum(0), (~predicted & labels).sum(0), strict=True)
    rows = [counted(f"t{place}", *map(int, three)) for place, three in enumerate(counts)]
    return published(rows, images=len(labels))


def test_outcomes_with_counts() -> None:
    policy = read_policy()
    worse = judge_unpaired(candidate=many(60), baseline=many(70), policy=policy)
    assert outcomes(worse, "margins") == {"macro_f1": "fail", "micro_f1": "fail", "map": "skipped"}
    same = judge_unpaired(candidate=many(70), baseline=many(70), policy=policy)
    assert outcomes(same, "margins")["macro_f1"] == "pass"
    few = judge_unpaired(candidate=many(70, tags=3), baseline=many(70, tags=3), policy=policy)
    assert outcomes(few, "margins") == {"macro_f1": "pass", "micro_f1": "inconclusive", "map": "skipped"}, (
        "three tags do not decide macro F1, and no loss is measured"
    )
    strict = policy.changed(MARGINS, rule="non-inferiority")
    all_required = judge_unpaired(candidate=many(70, tags=3), baseline=many(70, tags=3), policy=strict)
    assert outcomes(all_required, "margins")["macro_f1"] == "inconclusive"
    assert "unpaired: 80 % power only for a true loss of 0." in few[0].message
    assert "0." in unpaired_cost(few)
    of_runs = {one.table for one in REQUIREMENTS if one.needs is RequiredData.RUN}
    assert of_runs == {"speed", "size", "calibration"}
    assert {"margins", "speed", "size"} == {case.gate for case in few if case.outcome is Outcome.SKIPPED}


def test_map_over_the_tags_whose_ap_both_sides_tell() -> None:
    rows = [counted("a", 50, 0, 50) | {"ap": 0.8}, counted("b", 50, 0, 50) | {"ap": 0.4}, counted("c", 50, 0, 50)]
    other = [rows[0] | {"ap": 0.7}, {**rows[1], "ap": None}, rows[2] | {"ap": 0.1}]
    found = evidence_from_published(candidate=published(rows), baseline=published(other), aliases={}).overall["map"]
    assert (found.candidate, found.baseline) == (0.8, 0.7)
    assert found.seen.low < 0.1 < found.seen.high


def test_categories_tags_and_critical_tags_with_counts(tmp_path: Path) -> None:
    one, other = many(70, category="general"), many(70, category="general")
    lost = one.tags.copy()
    lost.loc[3, ["tp", "fn"]] = [20, 80]
    one = replace(one, tags=lost)
    cases = judge_unpaired(candidate=one, baseline=other, policy=policy_of("[critical]\ntags = ['t3', 't4']", tmp_path))
    assert outcomes(cases, "tags") == {"f1": "fail"}
    assert [loss.tag for case in cases if case.gate == "tags" for loss in case.tags] == ["t3"]
    assert outcomes(cases, "critical") == {"t3": "fail", "t4": "pass"}, "100 positives do not decide a margin of 0.05"
    assert outcomes(cases, "categories") == {"general": "pass"}
    assert outcomes(cases, "slices") == {"support:100–299": "pass"}


def figures(value: float, digits: int | None = 4) -> Published:
    return published([{"tag": f"t{place}", "f1": value, "ap": value} for place in range(5)], digits=digits)


@pytest.mark.parametrize(
    ("fall", "points", "outcome"),
    [
        (0.0, None, "inconclusive"),
        (0.0, 0.005, "pass"),
        (0.0052, 0.005, "fail"),
        (0.00505, 0.005, "inconclusive"),  # by less than the files round
        (0.00495, 0.005, "inconclusive"),
    ],
)
def test_points_without_counts(fall: float, points: float | None, outcome: str) -> None:
    policy = read_policy().changed(UNPAIRED_OPTIONS, points=points)
    cases = judge_unpaired(candidate=figures(0.5 - fall), baseline=figures(0.5), policy=policy)
    assert outcomes(cases, "margins") == {"macro_f1": outcome, "micro_f1": "skipped", "map": outcome}
    assert outcomes(cases, "tags") == {"f1": "skipped"}
    assert "without counts" in unpaired_cost(cases)


def test_aggregates_alone() -> None:
    none: list[dict[str, object]] = []
    policy = read_policy().changed(UNPAIRED_OPTIONS, points=0.01)
    one, other = published(none, figures={"macro_f1": 0.4}), published(none, figures={"macro_f1": 0.5})
    cases = judge_unpaired(candidate=one, baseline=other, policy=policy)
    assert outcomes(cases, "margins") == {"macro_f1": "fail", "micro_f1": "skipped", "map": "skipped"}


def only(cases: list[Case]) -> Case:
    [case] = cases
    assert case.outcome is Outcome.INCOMPARABLE
    return case


def test_other_images_are_incomparable() -> None:
    policy = read_policy()
    images = only(judge_unpaired(candidate=many(70, images=100), baseline=many(70, images=200), policy=policy))
    assert "100 images, the baseline on 200" in images.message
    shifted = many(70, images=None)
    rows = shifted.tags.copy()
    rows.loc[:1, "support"] = 90
    supports = only(judge_unpaired(candidate=replace(shifted, tags=rows), baseline=many(70), policy=policy))
    assert "2 of 200 common tags differ in their positives, such as t0 with 90 and 100" in supports.message
    apart = published([counted("x", 10, 0, 0)])
    assert "no tag in common" in only(judge_unpaired(candidate=apart, baseline=many(70), policy=policy)).message


def test_a_critical_tag_of_a_file_with_spaces_is_found(tmp_path: Path) -> None:
    one = published([counted("long hair", 800, 20, 200), counted("b", 900, 0, 0)], images=5_000)
    policy = policy_of("[critical]\ntags = ['long hair']\nmargin = 0.05\n", tmp_path)
    found = {case.title: case.outcome for case in judge_unpaired(candidate=one, baseline=one, policy=policy)}
    assert [outcome for title, outcome in found.items() if "critical tag long_hair" in title] != []


def test_a_renamed_tag_is_found_by_its_alias(tmp_path: Path) -> None:
    (tmp_path / "renamed.csv").write_text("old,new\nt0,new\n")
    renamed = many(70).tags.copy()
    renamed.loc[0, "tag"] = "new"
    one = replace(many(70), tags=renamed)
    without = judge_unpaired(candidate=one, baseline=many(70), policy=read_policy())
    assert outcomes(without, "coverage") == {"tags": "fail"}
    policy = policy_of("[coverage]\naliases = 'renamed.csv'", tmp_path)
    assert outcomes(judge_unpaired(candidate=one, baseline=many(70), policy=policy), "coverage") == {"tags": "pass"}
    assert (
        len(evidence_from_published(candidate=one, baseline=many(70), aliases=policy.of(COVERAGE).renamed).tags) == 200
    )


def test_an_unpaired_policy_is_fitted_to_the_baseline_alone() -> None:
    known = fitted_unpaired(read_policy(), many(70)).decidable
    assert known is not None
    own = evidence_from_published(candidate=many(70), baseline=many(70), aliases={}).overall["micro_f1"].seen
    assert known.errors[overall("micro_f1")] == pytest.approx((own.high - own.low) / 2 / 1.959964)
    assert "; macro F1 cannot be decided: each fails" in reach_told(fitted_unpaired(read_policy(), many(70, tags=3)))
