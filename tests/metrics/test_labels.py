"""Three layers: suspects found by hand, the rule written out image by image as the reference, planted label errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arena.metrics.labels import (
    LABEL_ISSUES_PER_TAG,
    MIN_IMAGES_FOR_LABEL_ISSUES,
    LabelIssues,
    find_label_issues,
    rank_label_issues,
)

levels = st.sampled_from([-0.0, 0.0, 1e-30, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]).map(np.float32)
Problem = tuple[list[np.ndarray], np.ndarray]


@st.composite
def problems(draw: st.DrawFn, most_models: int = 3) -> Problem:
    """Labels that follow what the models see but for some, and models that agree but on some images: with suspects."""
    images = draw(st.integers(10, 40))
    seen = draw(hnp.arrays(np.float32, images, elements=levels))
    labels = (seen > 0.5) ^ draw(hnp.arrays(bool, images, elements=st.sampled_from([False, False, False, True])))
    others = draw(st.lists(hnp.arrays(np.float32, images, elements=levels), max_size=most_models - 1))
    differs = draw(hnp.arrays(bool, images, elements=st.sampled_from([False, False, True])))
    return [seen, *(np.where(differs, other, seen) for other in others)], labels


def cut_scores(scores: np.ndarray, *, low: float, high: float) -> np.ndarray:
    return np.unique(scores[(scores >= np.float32(low)) & (scores <= np.float32(high))])


def missing_strength(scores: np.ndarray, labels: np.ndarray, image: int) -> float:
    """The rule taken literally: the maximum over the cuts from t1 to the image's score."""
    cuts = cut_scores(scores, low=scores[labels].mean(dtype=np.float64), high=scores[image])
    return max((labels[scores >= cut].sum() + 1) / ((scores >= cut).sum() + 2) for cut in cuts)


def literal_suspects(models: list[np.ndarray], labels: np.ndarray) -> dict[int, float]:
    """Image by image, each suspect's strength; without the limit of suspects a tag."""
    if min(labels.sum(), (~labels).sum()) < MIN_IMAGES_FOR_LABEL_ISSUES:
        return {}
    means = [[np.float32(one[part].mean(dtype=np.float64)) for part in (labels, ~labels)] for one in models]
    if any(t1 <= t0 for t1, t0 in means):
        return {}
    return {
        image: min(missing_strength(one, labels, image) for one in models)
        for image, label in enumerate(labels)
        if not label and all(one[image] >= t1 for one, (t1, _) in zip(models, means, strict=True))
    }


def as_dict(found: LabelIssues) -> dict[int, float]:
    return {int(i): float(s) for i, s in zip(found.image, found.strength, strict=True)}


def test_suspects_worked_by_hand() -> None:
    labels = np.array([True] * 6 + [False] * 6)
    model = np.float32([0.9, 0.9, 0.9, 0.9, 0.9, 0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 1.0])  # t1 = 0.75, t0 = 0.25
    found = find_label_issues([model], labels, tag=7)
    assert (found.tag.tolist(), found.image.tolist()) == ([7], [11])
    assert found.strength.tolist() == [(5 + 1) / (6 + 2)]  # at the cut 0.9: five carriers among six images


def test_a_low_score_alone_is_no_evidence_that_a_label_is_wrong() -> None:
    labels = np.array([True] * 6 + [False] * 6)
    model = np.float32([0.9, 0.9, 0.9, 0.9, 0.9, 0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert len(find_label_issues([model, model], labels).image) == 0


def test_every_model_must_contradict_the_label() -> None:
    labels = np.array([True] * 6 + [False] * 6)
    sure = np.float32([0.9, 0.9, 0.9, 0.9, 0.9, 0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 1.0])
    other = sure.copy()
    other[11] = 0.5
    assert find_label_issues([sure, sure], labels).image.tolist() == [11]
    assert len(find_label_issues([sure, other], labels).image) == 0


def test_a_score_at_the_mean_is_suspected_in_float32() -> None:
    labels = np.array([True] * 5 + [False] * 5)
    model = np.float32([0.7] * 5 + [0.1] * 5)
    high = model.copy()
    high[9] = 0.7
    assert find_label_issues([high], labels).image.tolist() == [9]
    high[9] = np.nextafter(np.float32(0.7), np.float32(0))
    assert find_label_issues([high], labels).image.tolist() == []


def test_scores_at_the_end_of_the_scale_are_suspected_too() -> None:
    labels = np.array([True] * 6 + [False] * 6)
    model = np.float32([1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1])  # t1 = 1
    assert as_dict(find_label_issues([model], labels)) == {11: 7 / 9}


@pytest.mark.parametrize("positives", [0, MIN_IMAGES_FOR_LABEL_ISSUES - 1, 40 - MIN_IMAGES_FOR_LABEL_ISSUES + 1, 40])
def test_a_tag_too_thin_on_either_side_gives_none(positives: int) -> None:
    labels = np.arange(40) < positives
    model = np.float32(0.8) * labels + np.float32(0.1)
    model[[0, 39]] = model[[39, 0]]
    assert len(find_label_issues([model], labels).image) == 0


@pytest.mark.parametrize("positives", [MIN_IMAGES_FOR_LABEL_ISSUES, 40 - MIN_IMAGES_FOR_LABEL_ISSUES])
def test_a_tag_just_thick_enough_gives_some(positives: int) -> None:
    labels = np.arange(40) < positives
    model = np.float32(0.8) * labels + np.float32(0.1)
    model[[0, 39]] = model[[39, 0]]
    assert find_label_issues([model], labels).image.tolist() == [39]


def test_a_model_that_does_not_know_the_tag_suspects_nothing() -> None:
    labels = np.arange(20) < 10
    knows = np.float32(0.8) * labels + np.float32(0.1)
    knows[[0, 19]] = knows[[19, 0]]
    assert find_label_issues([knows], labels).image.tolist() == [19]
    for blind in (np.full(20, 0.5, np.float32), 1 - knows):
        assert len(find_label_issues([knows, blind], labels).image) == 0


def test_equal_ones_are_in_order_of_score_then_image_and_the_first_can_be_taken() -> None:
    labels = np.arange(400) < 200
    scores = np.where(labels, np.float32(0.6), np.float32(0.1))
    scores[200:280] = 0.7  # missing, all of one strength, above every carrier
    scores[[270, 271]] = 0.8
    found = find_label_issues([scores.astype(np.float32)], labels)
    assert found.image.tolist() == [270, 271, *range(200, 270), *range(272, 280)]
    few = found.strongest(3)
    assert (few.tag.tolist(), few.image.tolist(), len(few.strength)) == ([0, 0, 0], [270, 271, 200], 3)


@given(problems())
def test_suspects_and_strengths_are_those_of_the_rule_taken_literally(problem: Problem) -> None:
    models, labels = problem
    found, expected = find_label_issues(models, labels), literal_suspects(models, labels)
    assert as_dict(found) == pytest.approx(expected, abs=1e-12)
    assert found.strength.dtype == np.float64
    assert not labels[found.image].any()
    assert (np.diff(found.strength) <= 0).all()


@given(problems(), st.randoms(use_true_random=False))
def test_order_of_images_and_models_does_not_matter(problem: Problem, random) -> None:
    models, labels = problem
    order = list(range(len(labels)))
    random.shuffle(order)
    moved = find_label_issues([one[order] for one in models[::-1]], labels[order])
    renamed = {order[image]: strength for image, strength in as_dict(moved).items()}
    assert renamed == as_dict(find_label_issues(models, labels))


@given(problems())
def test_scores_already_sorted_give_the_same(problem: Problem) -> None:
    models, labels = problem
    sorted_here = find_label_issues(models, labels)
    given_sorted = find_label_issues(models, labels, ascending=[np.sort(one) for one in models])
    assert all(np.array_equal(*fields) for fields in zip(sorted_here, given_sorted, strict=True))


@given(problems(most_models=1))
def test_another_model_only_takes_suspects_away_or_weakens_them(problem: Problem) -> None:
    (first,), labels = problem
    second = np.sqrt(first)
    alone, both = as_dict(find_label_issues([first], labels)), as_dict(find_label_issues([first, second], labels))
    assert both.keys() <= alone.keys()
    assert all(strength <= alone[suspect] for suspect, strength in both.items())


def test_suspects_of_many_tags_rank_by_strength_then_tag() -> None:
    def suspects(tag: int, strength: list[float]) -> LabelIssues:
        return LabelIssues(np.full(len(strength), tag), np.arange(len(strength)), np.array(strength))

    first, second = suspects(0, [0.9, 0.5]), suspects(1, [0.9, 0.9, 0.6, 0.5])
    ranked = rank_label_issues([second, first])
    assert all(np.array_equal(*fields) for fields in zip(ranked, rank_label_issues([first, second]), strict=True))
    assert ranked.tag.tolist() == [0, 1, 1, 1, 0, 1]
    assert ranked.image.tolist() == [0, 0, 1, 2, 1, 3]
    assert ranked.strength.tolist() == [0.9, 0.9, 0.9, 0.6, 0.5, 0.5]
    assert all(len(field) == 0 for field in rank_label_issues([]))


class Tagged:
    """Images with the tags that they truly have and those that they are said to have, and what two models say of them.

    Tags differ in frequency (0.1 % to 30 %) and in how well they can be told, so that a strength that cannot be
    compared between tags ranks badly.
    """

    def __init__(self, *, missing: float, wrong: float, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.tags = [self.tag(rng, missing, wrong) for _ in range(120)]

    @staticmethod
    def tag(rng: np.random.Generator, missing: float, wrong: float) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        images, share, separation = 4000, 10 ** rng.uniform(-3, -0.5), rng.uniform(2, 7)
        truth = rng.random(images) < share
        labels = truth & (rng.random(images) >= missing)
        lacking = np.flatnonzero(~truth)
        labels[rng.choice(lacking, rng.binomial(truth.sum(), wrong), replace=False)] = True
        seen = separation * (truth - 0.35) + 0.7 * np.log(share / (1 - share)) + rng.normal(size=images)
        models = [1 / (1 + np.exp(-seen - rng.normal(size=images))) for _ in range(2)]
        return [one.astype(np.float32) for one in models], labels, truth

    def share_planted(self, models: int, *, top: int) -> float:
        """The share of the strongest suspects that are planted errors."""
        parts = [
            find_label_issues(s[:models], labels, tag=t).strongest(LABEL_ISSUES_PER_TAG)
            for t, (s, labels, _) in enumerate(self.tags)
        ]
        ranked = rank_label_issues(parts).strongest(top)
        assert len(ranked.image) == top
        truth = np.stack([truth for _, _, truth in self.tags])
        return float(truth[ranked.tag, ranked.image].mean())


@pytest.mark.parametrize(("missing", "wrong"), [(0.02, 0.02), (0.1, 0.05), (0.3, 0.2)])
@pytest.mark.parametrize("seed", [0, 1])
def test_most_top_suspects_are_planted_errors_at_any_rate(missing: float, wrong: float, seed: int) -> None:
    images = Tagged(missing=missing, wrong=wrong, seed=seed)
    assert images.share_planted(2, top=100) >= 0.9
    assert images.share_planted(1, top=100) >= 0.8
