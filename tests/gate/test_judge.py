"""A joint result held against a policy: each gate's outcomes by hand, then scores of known make."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from arena.base.errors import ArenaError
from arena.base.format import UNDEFINED
from arena.evaluate import Settings, evaluate
from arena.gate.decide import DifferenceInterval
from arena.gate.evidence import MetricPair
from arena.gate.judge import judge_paired
from arena.gate.policy import read_policy
from arena.gate.sample import fitted, reach_of, reach_told
from arena.gate.verdict import Case, JudgedModel, Outcome, Verdict
from arena.tags.groups import TagGroup
from tests.evaluate.worlds import entry, see, world

from .joints import NEW, OLD, Tag, joint, outcomes, policy_of

SIDES = {"candidate": NEW, "baseline": OLD}
NAN = float("nan")


def cases_of(text: str, folder: Path, *args: object, **keywords: object) -> list[Case]:
    return judge_paired(joint(*args, **keywords), policy_of(text, folder), **SIDES)  # type: ignore[arg-type]


def only(cases: list[Case], gate: str, name: str) -> Case:
    [case] = [case for case in cases if (case.gate, case.name) == (gate, name)]
    return case


@pytest.mark.parametrize("turned", [False, True])
def test_margins_come_out_three_ways_whoever_stands_first(tmp_path: Path, turned: bool) -> None:
    seen = {
        "all:all:macro_f1": (-0.002, -0.01, 0.006),
        "all:all:micro_f1": (-0.03, -0.04, -0.02),
        "all:all:map": (-0.005, -0.015, 0.005),
    }
    cases = judge_paired(joint(seen, turned=turned), read_policy(), **SIDES)
    assert outcomes(cases, "margins") == {"macro_f1": "pass", "micro_f1": "fail", "map": "inconclusive"}
    measure = only(cases, "margins", "micro_f1").measure
    assert measure is not None
    assert (measure.difference, measure.low, measure.high, measure.limit) == (-0.03, -0.04, -0.02, -0.01)
    undecided = only(cases, "margins", "map")
    assert undecided.measure is not None
    assert undecided.measure.images_needed == 40_865  # half the interval is 0.01: 20,000 * (2.8016 / 1.96)^2
    said = "if the true difference is 0, about 40,865 images decide with 80 % power, 20,000 were scored"
    assert said in undecided.message


UNCLEAR = {"all:all": (-0.005, -0.015, 0.005), "category:general:macro_f1": (-0.2, -0.3, -0.1)}
"""No loss beyond the margin is measured overall, and none is ruled out; a category has lost macro F1."""

FINE_ERROR, COARSE_ERROR = 0.003, 0.004
"""Standard errors of a baseline's macro F1: 2.80 of them are less, or more, than the margin of 0.01."""


def test_what_the_images_cannot_decide_is_not_required() -> None:
    """The same number of images, and the same candidate; only the baseline's intervals differ."""
    fine = judge_paired(
        joint(UNCLEAR, errors={"all:all": FINE_ERROR, "category:general": 0.007}), read_policy(), **SIDES
    )
    assert set(outcomes(fine, "margins").values()) == {"inconclusive"}
    assert outcomes(fine, "categories") == {"general": "fail"}, "by macro F1: 2.80 * 0.007 < 0.02"
    coarse = judge_paired(joint(UNCLEAR, errors={"all:all": COARSE_ERROR}), read_policy(), **SIDES)
    assert outcomes(coarse, "margins") == {"macro_f1": "pass", "micro_f1": "inconclusive", "map": "pass"}
    assert outcomes(coarse, "categories") == {"general": "pass"}, "by micro F1, because this category has no interval"
    fell = judge_paired(
        joint({"all:all": (-0.015, -0.03, 0.001)}, errors={"all:all": COARSE_ERROR}), read_policy(), **SIDES
    )
    assert set(outcomes(fell, "margins").values()) == {"inconclusive"}, (
        "a measured loss beyond the margin does not pass"
    )
    lost = judge_paired(
        joint({"all:all": (-0.03, -0.04, -0.02)}, errors={"all:all": COARSE_ERROR}), read_policy(), **SIDES
    )
    assert set(outcomes(lost, "margins").values()) == {"fail"}


def test_each_metric_is_fitted_by_itself() -> None:
    one = {"all:all:macro_f1": COARSE_ERROR, "all:all:micro_f1": 0.1, "all:all:map": FINE_ERROR}
    found = outcomes(judge_paired(joint(UNCLEAR, errors=one), read_policy(), **SIDES), "margins")
    assert found == {"macro_f1": "pass", "micro_f1": "inconclusive", "map": "inconclusive"}, (
        "micro F1 is always required"
    )


def test_the_choice_depends_on_the_baseline_only() -> None:
    """Whatever the candidate's own intervals and differences are, the rules are the same."""
    for seen in ({}, {"all:all": (-0.5, -0.6, -0.4)}, {"all:all": (0.0, -0.5, 0.5)}):
        rules = [
            fitted(read_policy(), joint(seen, errors={"all:all": error}, of_candidate=other), OLD).decidable
            for error, other in ((FINE_ERROR, COARSE_ERROR), (FINE_ERROR, 1e-6))
        ]
        assert rules[0] == rules[1] == fitted(read_policy(), joint(errors={"all:all": FINE_ERROR}), OLD).decidable


def test_critical_tags_are_fitted_by_their_own_intervals(tmp_path: Path) -> None:
    tags = [Tag("sure", -0.01, -0.06, 0.03, error=0.017), Tag("unsure", -0.01, -0.06, 0.03, error=0.019)]
    result = joint({}, tags, errors={"all:all": FINE_ERROR})
    policy = policy_of("[critical]\ntags = ['sure', 'unsure']", tmp_path)
    assert outcomes(judge_paired(result, policy, **SIDES), "critical") == {"sure": "inconclusive", "unsure": "pass"}
    fell = joint({}, [Tag("unsure", -0.06, -0.2, 0.08, error=0.019)], errors={"all:all": FINE_ERROR})
    assert outcomes(judge_paired(fell, policy_of("[critical]\ntags = ['unsure']", tmp_path), **SIDES), "critical") == {
        "unsure": "inconclusive"
    }


def test_without_intervals_of_the_baseline_the_number_of_images_chooses(tmp_path: Path) -> None:
    small = judge_paired(joint(UNCLEAR, images=9_999), read_policy(), **SIDES)
    assert outcomes(small, "margins") == {"macro_f1": "pass", "micro_f1": "inconclusive", "map": "pass"}
    assert outcomes(small, "categories") == {"general": "pass"}, "by micro F1"
    large = judge_paired(joint(UNCLEAR, images=10_000), read_policy(), **SIDES)
    assert set(outcomes(large, "margins").values()) == {"inconclusive"}
    assert outcomes(large, "categories") == {"general": "fail"}
    strict = cases_of(
        "[margins]\nrule = 'non-inferiority'\n[categories]\nfigure = 'macro_f1'", tmp_path, UNCLEAR, images=50
    )
    assert set(outcomes(strict, "margins").values()) == {"inconclusive"}
    assert outcomes(strict, "categories") == {"general": "fail"}
    pooled = {"all:all": (-0.015, -0.03, 0.001)}
    assert outcomes(cases_of("[margins]\nrule = 'pooled'", tmp_path, pooled), "margins") == {
        "macro_f1": "not_shown", "micro_f1": "inconclusive", "map": "not_shown"
    }  # fmt: skip
    without = cases_of("[margins]\nmicro_f1 = false", tmp_path, UNCLEAR, images=50)
    assert set(outcomes(without, "margins").values()) == {"inconclusive"}, "without a pooled metric each must be shown"


def test_what_the_images_can_decide_is_printed_before_scoring(tmp_path: Path) -> None:
    errors = {
        "all:all:macro_f1": 0.01,
        "all:all:micro_f1": 0.002,
        "category:character": 0.002,
        "category:general": 0.03,
    }
    result = joint(errors=errors, tags=[Tag("hat", error=0.1), Tag("cat", error=0.0075)], images=4000)
    policy = fitted(policy_of("[critical]\ntags = ['hat', 'cat']", tmp_path), result, OLD, images=1000)
    macro, micro = reach_of(policy)
    assert (macro.name, macro.required, micro.required) == ("macro_f1", False, True)
    assert macro.decidable == pytest.approx(2.8016 * 0.01 * 2, rel=1e-4), "twice as wide on a quarter of the images"
    assert micro.needed == pytest.approx(1000 * (micro.decidable / 0.01) ** 2, abs=1)
    assert micro.power == pytest.approx(0.705, abs=0.001), "the normal probability of 0.01 / 0.004 - 1.96"
    text = reach_told(policy)
    assert text.startswith("1,000 images can decide (80 % power")
    assert "macro F1 and critical tag hat cannot be decided: each fails only if" in text
    assert "judged by micro F1, because macro F1 cannot be decided: category general" in text
    assert (
        "undecided checks if the true loss is 0 or twice the margin: micro F1 29.5 % and critical tag cat 8.5 %" in text
    )
    assert "passes in up to 40.1 % of checks" in text, "the normal probability of -0.05 / 0.2"
    assert "fewer than" not in text
    whole = reach_told(fitted(read_policy(), joint(errors={"all:all": 0.001}), OLD))
    assert "cannot be decided" not in whole
    assert "undecided" not in whole
    assert "fewer than 10,000 images ([sample] small)" in reach_told(fitted(read_policy(), joint(images=9_999), OLD))
    assert not reach_told(fitted(read_policy(), joint(images=10_000), OLD))


def test_a_margin_that_is_off_asks_nothing(tmp_path: Path) -> None:
    cases = cases_of("[margins]\nmap = false", tmp_path, {"all:all:map": (-0.5, -0.6, -0.4)})
    assert outcomes(cases, "margins") == {"macro_f1": "pass", "micro_f1": "pass"}


def test_another_regime_is_read_at_its_thresholds(tmp_path: Path) -> None:
    cases = cases_of("[margins]\nregime = 'tag'", tmp_path, {"all:all": (-0.05, -0.06, -0.04)}, regime="tag")
    assert set(outcomes(cases, "margins").values()) == {"fail"}
    assert "thresholds by tag" in only(cases, "margins", "macro_f1").title
    assert "thresholds" not in only(cases, "margins", "map").title
    own = judge_paired(joint({"all:all": (-0.05, -0.06, -0.04)}, regime="tag"), read_policy(), **SIDES)
    assert outcomes(own, "margins") == {"macro_f1": "inconclusive", "micro_f1": "inconclusive", "map": "fail"}


def test_without_resamples_nothing_passes_that_needs_them(tmp_path: Path) -> None:
    cases = cases_of("[critical]\ntags = ['hat']", tmp_path, {"category:general": (0.1, 0.1, 0.1)}, replicates=0)
    for case in cases:
        if case.gate in ("margins", "categories", "critical", "tags"):
            assert case.outcome is Outcome.INCONCLUSIVE, case
            assert "--bootstrap 1000" in case.message


def test_parts_are_corrected_within_their_kind(tmp_path: Path) -> None:
    shown, barely = (-0.06, -0.07, -0.05), (-0.031, -0.041, -0.021)
    alone = {"category:character": barely}
    many = alone | {f"category:c{place}": (0.0, -0.01, 0.01) for place in range(4)} | {"category:artist": shown}
    assert outcomes(cases_of("", tmp_path, alone), "categories") == {"character": "fail"}
    cases = cases_of("", tmp_path, many)
    found = outcomes(cases, "categories")
    assert (found["character"], found["artist"]) == ("not_shown", "fail")
    assert "after Holm's correction over 6 parts" in only(cases, "categories", "character").message
    strict = outcomes(cases_of("[categories]\nrule = 'non-inferiority'", tmp_path, many), "categories")
    assert (strict["character"], strict["artist"], strict["c0"]) == ("inconclusive", "fail", "pass")
    kinds = alone | {"group:hats": (-0.2, -0.21, -0.19)}
    assert outcomes(cases_of("", tmp_path, kinds), "categories") == {"character": "fail"}


def test_a_part_has_its_own_margin_or_none(tmp_path: Path) -> None:
    seen = {"category:character": (-0.03, -0.04, -0.025), "category:rating": (-0.5, -0.6, -0.4)}
    cases = cases_of("[categories.margins]\ncharacter = 0.05\nrating = false", tmp_path, seen)
    assert outcomes(cases, "categories") == {"character": "pass"}
    slices = {"rating:g": (-0.05, -0.06, -0.04), "rating:q": (-0.05, -0.06, -0.04), "size:big": (-0.05, -0.06, -0.04)}
    found = outcomes(cases_of("[slices.margins]\n'rating:g' = 0.2\nsize = 0.3", tmp_path, slices), "slices")
    assert found == {"rating:g": "pass", "rating:q": "fail", "size:big": "pass"}


def test_slices_that_are_thin_or_undefined_are_skipped_and_say_so(tmp_path: Path) -> None:
    seen = {"rating:thin": (-0.5, -0.6, -0.4), "rating:q": (NAN, NAN, NAN), "support:10–29": (0.0, -0.01, 0.01)}
    cases = cases_of("[slices]\nkinds = ['rating', 'support']", tmp_path, seen)
    assert outcomes(cases, "slices") == {
        "rating:thin": "skipped", "rating:q": "skipped", "support:10–29": "pass"
    }  # fmt: skip
    assert "40 images, fewer than min_images = 100" in only(cases, "slices", "rating:thin").message
    assert "undefined" in only(cases, "slices", "rating:q").message


def test_an_interval_that_is_undefined_decides_nothing(tmp_path: Path) -> None:
    cases = cases_of("", tmp_path, {"category:general": (-0.4, NAN, NAN)})
    assert outcomes(cases, "categories") == {"general": "inconclusive"}


def test_critical_tags(tmp_path: Path) -> None:
    tags = [
        Tag("fine", 0.0, -0.05, 0.05), Tag("worse", -0.2, -0.3, -0.1), Tag("unclear", -0.05, -0.1, 0.0),
        Tag("loose", -0.05, -0.1, 0.0), Tag("<b>|", 0.0, -0.01, 0.01),
    ]  # fmt: skip
    loose = '{ tag = "loose", rule = "regression" }'
    text = f'[critical]\ntags = ["fine", "worse", "unclear", {loose}, "lost", "gained", "no such", "rare", "<b>|\\n"]'
    result = joint({}, tags, lost=["lost", "rare"], gained=["gained", "rare"])
    cases = judge_paired(result, policy_of(text, tmp_path), **SIDES)
    assert outcomes(cases, "critical") == {
        "fine": "pass", "worse": "fail", "unclear": "inconclusive", "loose": "pass", "lost": "fail",
        "gained": "incomparable", "no_such": "incomparable", "rare": "inconclusive", "<b>|": "pass",
    }  # fmt: skip
    assert [loss.tag for loss in only(cases, "critical", "worse").tags] == ["worse"]
    assert "aliases" in only(cases, "critical", "lost").message
    assert "5 positives, too few to compare" in only(cases, "critical", "rare").message
    assert all("\n" not in case.message + case.title for case in cases)


def test_a_tag_has_regressed_by_effect_and_q(tmp_path: Path) -> None:
    tags = [
        Tag("far", -0.3, -0.4, -0.2, p=0.001),
        Tag("edge", -0.05, -0.08, -0.02, p=0.001),  # just the margin
        Tag("chance", -0.3, -0.6, 0.0, p=0.06),
        Tag("thin", -0.9, -1.0, -0.8, p=0.0001, support=19),
        Tag("better", 0.3, 0.2, 0.4, p=0.001),
    ]
    cases = cases_of("", tmp_path, {}, tags)
    case = only(cases, "tags", "f1")
    assert (case.outcome, [loss.tag for loss in case.tags], case.tags_in_all) == (Outcome.FAIL, ["far"], 1)
    [loss] = case.tags
    assert loss.measure.p == pytest.approx(0.001 * 5 / 4), "q over all compared tags, rare ones too"
    said = "1 of 4 tags with at least 20 positives (far) lost more than 0.0500 F1 (q ≤ 0.05); the policy allows none; 1 other"
    assert said in case.message
    assert outcomes(cases_of("[tags]\nallowed = 1", tmp_path, {}, tags), "tags") == {"f1": "pass"}
    assert outcomes(cases_of("[tags]\nq = 0.001", tmp_path, {}, tags), "tags") == {"f1": "pass"}
    both = outcomes(cases_of("[tags]\nfigures = ['f1', 'ap']\nmin_support = 19", tmp_path, {}, tags), "tags")
    assert both == {"f1": "fail", "ap": "fail"}
    none = cases_of("[tags]\nmin_support = 101", tmp_path, {}, tags)
    assert outcomes(none, "tags") == {"f1": "skipped"}


def test_the_worst_tags_are_named_and_all_are_counted(tmp_path: Path) -> None:
    tags = [Tag(f"t{place}", -0.1 - place / 100, -0.4, -0.06, p=1e-6) for place in range(9)]
    case = only(cases_of("[verdict]\nlist_tags = 3", tmp_path, {}, tags), "tags", "f1")
    assert ([loss.tag for loss in case.tags], case.tags_in_all) == (["t8", "t7", "t6"], 9)
    failed = only(cases_of("", tmp_path, {"all:all": (-0.1, -0.2, -0.05)}, tags), "margins", "macro_f1")
    assert (failed.tags[0].tag, failed.tags_in_all) == ("t8", 9)


def test_calibration_is_judged_only_if_the_policy_asks(tmp_path: Path) -> None:
    at = {OLD: {"ece": 0.25, "brier": 0.25}, NEW: {"ece": 0.5, "brier": 0.5}}
    rises = {
        "ece": MetricPair("ece", 0.05, 0.02, DifferenceInterval(0.03, 0.02, 0.04)),
        "brier": MetricPair("brier", 0.05, 0.02, DifferenceInterval(0.03, 0.005, 0.055)),
    }
    result = joint(summary=at)
    found = judge_paired(result, read_policy(), **SIDES, calibration=rises)
    assert outcomes(found, "calibration") == {"ece": "reported", "brier": "reported"}
    said = "after one fitted shift and scale of the logits 0.0500 and 0.0200: +0.0300 [+0.0200, +0.0400]"
    assert said in only(found, "calibration", "ece").message
    assert outcomes(judge_paired(result, read_policy(), **SIDES), "calibration") == {
        "ece": "reported",
        "brier": "reported",
    }
    policy = policy_of("[calibration]\nece = 0.01\nbrier = 0.01", tmp_path)
    assert outcomes(judge_paired(result, policy, **SIDES), "calibration") == {"ece": "skipped", "brier": "skipped"}
    asked = judge_paired(result, policy, **SIDES, calibration=rises)
    assert outcomes(asked, "calibration") == {"ece": "fail", "brier": "not_shown"}
    text = "[calibration]\nece = 0.04\nbrier = 0.01\nrule = 'non-inferiority'"
    strict = judge_paired(result, policy_of(text, tmp_path), **SIDES, calibration=rises)
    assert outcomes(strict, "calibration") == {"ece": "pass", "brier": "inconclusive"}
    none = outcomes(cases_of("", tmp_path, summary={NEW: {"ece": None, "brier": NAN}}), "calibration")
    assert none == {"ece": "skipped", "brier": "skipped"}


def test_tags_that_are_lost_and_those_that_are_renamed(tmp_path: Path) -> None:
    [case] = [one for one in cases_of("", tmp_path, lost=["hut", "gone"], gained=["house"]) if one.gate == "coverage"]
    assert (case.outcome, case.tags_in_all) == (Outcome.FAIL, 2)
    assert "knows 2 of the 4 tags" in case.message
    assert outcomes(cases_of("[coverage]\nmin_share = 0.5", tmp_path, lost=["hut", "gone"]), "coverage") == {
        "tags": "pass"
    }
    (tmp_path / "renamed.csv").write_text("old,new\nhut,house\n")
    text = "[coverage]\naliases = 'renamed.csv'"
    assert outcomes(cases_of(text, tmp_path, lost=["hut"], gained=["house"]), "coverage") == {"tags": "pass"}


def test_nothing_in_common_is_incomparable(tmp_path: Path) -> None:
    cases = cases_of("", tmp_path, {}, (), lost=["a"], gained=["b"])
    assert outcomes(cases, "margins") == {"tags": "incomparable"}
    side = JudgedModel("", "")
    assert Verdict(side, side, cases).exit_code == 4


def test_speed_only_on_the_same_device(tmp_path: Path) -> None:
    for rate, outcome in ((69.9, "inconclusive"), (56.1, "inconclusive"), (55.9, "fail")):
        slow = {NEW: {"images_per_second": rate}}
        assert outcomes(cases_of("", tmp_path, facts=slow), "speed") == {"images_per_second": outcome}
    assert (
        outcomes(cases_of("", tmp_path, facts={NEW: {"images_per_second": 70.0}}), "speed")["images_per_second"]
        == "pass"
    )
    elsewhere = cases_of("", tmp_path, facts={NEW: {"images_per_second": 1.0, "timed_on": "two"}})
    assert "different devices: the candidate on two (cpu)" in only(elsewhere, "speed", "images_per_second").message
    untimed = cases_of("", tmp_path, facts={OLD: {"images_per_second": None}})
    assert outcomes(untimed, "speed") == {"images_per_second": "skipped"}


def test_size_against_so_many_times_the_baselines(tmp_path: Path) -> None:
    found = outcomes(cases_of("", tmp_path, facts={NEW: {"weight_bytes": 1100, "parameters": 551}}), "size")
    assert found == {"weight_bytes": "pass", "parameters": "fail"}
    assert outcomes(cases_of("", tmp_path, facts={NEW: {"parameters": None}}), "size")["parameters"] == "skipped"


def test_a_model_that_is_not_there() -> None:
    with pytest.raises(ArenaError, match=r"no model 'nwe'\. Did you mean new"):
        judge_paired(joint(), read_policy(), candidate="nwe", baseline=OLD)


def test_gate_and_name_are_unique_and_nothing_is_undefined(tmp_path: Path) -> None:
    seen = {"category:a": (0.0, -0.01, 0.01), "support:a": (0.0, -0.01, 0.01), "group:a": (0.0, -0.01, 0.01)}
    cases = cases_of("[critical]\ntags = ['hat']", tmp_path, seen)
    assert len({(case.gate, case.name) for case in cases}) == len(cases)
    assert all(UNDEFINED not in f"{case.message}".replace("10–29", "") for case in cases)


def test_scores_of_known_make() -> None:
    truth, [fine, poor] = world(images=1500, tags=12)
    settings = Settings(replicates=200, workers=1, tag_groups=[TagGroup("first", "First", "", ("t0", "t1", "t2"))])
    result = evaluate(truth, [fine, poor, replace(fine, name="again")], settings)
    worse = judge_paired(result, read_policy(), candidate="poor", baseline="fine")
    assert {"macro_f1", "micro_f1", "map"} == {case.name for case in worse if case.gate == "margins"}
    assert {str(case.outcome) for case in worse if case.gate == "margins"} == {"fail"}
    own = result.summary["models"]["poor"]["regimes"]["own"]
    for case in worse:
        if case.gate == "margins":
            assert case.measure is not None
            assert case.measure.candidate == own[f"{case.name}_corrected"], "the value of the leaderboard"
    better = judge_paired(result, read_policy(), candidate="fine", baseline="poor")
    assert not [case for case in better if case.outcome is Outcome.FAIL]
    same = judge_paired(result, read_policy(), candidate="again", baseline="fine")
    assert {case.outcome for case in same} <= {Outcome.PASS, Outcome.REPORTED, Outcome.SKIPPED}
    assert {"rating:g", "support:100–299"} <= outcomes(same, "slices").keys()
    assert outcomes(same, "tag_groups") == {"first": "pass"}


def test_a_loss_of_one_category_is_named() -> None:
    truth, [fine, _] = world(images=3000, tags=12)
    dense, rng = truth.values.toarray(), np.random.default_rng(5)
    scores = np.where(np.arange(12) % 3 == 0, see(rng, dense, 1.4), see(rng, dense, 2.0)).astype(np.float32)
    other = entry("other", truth.image_ids, truth.tags.names, scores)
    result = evaluate(truth, [fine, other], Settings(replicates=200, workers=1))
    cases = judge_paired(result, read_policy(), candidate="other", baseline="fine")
    assert outcomes(cases, "categories") == {"character": "fail", "general": "pass"}
    named = {loss.tag for loss in only(cases, "categories", "character").tags}
    assert named <= {"t0", "t3", "t6", "t9"}
    assert named
