"""Figures of images: the first k tags, F1 an image, and the rating head, against every image looked at by itself."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk

from arena.dataset.frozen import Truth
from arena.evaluate import Settings, evaluate
from arena.evaluate import per_image as module
from arena.metrics import intervals
from arena.tags import TagSpace

from .worlds import entry, labels_of, see, world

SETTINGS = Settings(1, replicates=5)


@pytest.mark.parametrize("rows", [7, 1024])
def test_the_first_tags_of_an_image_are_its_highest_scored_of_those_compared(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IMAGES_PER_TILE", rows)
    rng = np.random.default_rng(0)
    labels, ids = labels_of(rng, 150, 25), [f"i{n}" for n in range(150)]
    names = tuple(f"t{n}" for n in range(25))
    truth = Truth.of(ids, TagSpace(names), labels)
    order, columns = rng.permutation(170), rng.permutation(30)  # twenty images and five tags that the truth lacks
    scores = see(rng, np.pad(labels, ((0, 20), (0, 5))))
    everyone = [*ids, *(f"more{n}" for n in range(20))]
    all_names = (*names, *(f"strange{n}" for n in range(5)))
    model = entry("m", [everyone[k] for k in order], [all_names[k] for k in columns], scores[np.ix_(order, columns)])
    found = evaluate(truth, [model], SETTINGS).summary["models"]["m"]["per_image"]
    ranked = np.argsort(-scores[:150, :25], axis=1)
    for k in (1, 5, 10, 20):
        hits = np.take_along_axis(labels, ranked[:, :k], axis=1).sum(1)
        assert found[f"precision_at_{k}"] == pytest.approx((hits / k).mean(), abs=1e-12)
        carrying = labels.any(1)
        assert found[f"recall_at_{k}"] == pytest.approx(
            (hits / np.maximum(labels.sum(1), 1))[carrying].mean(), abs=1e-12
        )
    assert (found["precision_at_k_images"], found["recall_at_k_images"]) == (150, labels.any(1).sum())
    predicted = scores[:150, :25] >= 0.5
    some = (predicted | labels).any(1)
    assert found["samples_f1"] == pytest.approx(
        sk.f1_score(labels[some], predicted[some], average="samples", zero_division=0), abs=1e-12
    )
    assert found["samples_f1_images"] == some.sum()


def test_without_resamples_there_are_no_predictions_to_take_f1_of() -> None:
    found = evaluate(*world(), Settings(1, replicates=0)).summary["models"]["fine"]["per_image"]
    assert "precision_at_5" in found
    assert "samples_f1" not in found


def rated(images: int = 120, *, by_tags: bool = False) -> tuple[Truth, np.ndarray, np.ndarray]:
    """A truth with ratings, the scores of a head of four classes, and each image's class."""
    rng = np.random.default_rng(1)
    truth, _ = world(images)
    classes = rng.integers(0, 4, images)
    scores = rng.random((images, 4), np.float32)
    scores[np.arange(images), classes] += np.float32(0.4)
    letters = np.array(["g", "s", "q", "e"])[classes].tolist()
    if by_tags:
        words = ["rating:general", "rating:sensitive", "rating:questionable", "rating:explicit"]
        values = np.concatenate([truth.values.toarray(), np.eye(4, dtype=bool)[classes]], axis=1)
        space = TagSpace((*truth.tags.names, *words), (*truth.tags.categories, *["rating"] * 4))
        return Truth.of(truth.image_ids, space, values), scores / 1.4, classes
    return replace(truth, images={"rating": letters}), scores / np.float32(1.4), classes


HEADS = {
    "wd": ("general", "sensitive", "questionable", "explicit"),
    "prefixed": ("rating:general", "rating:sensitive", "rating:questionable", "rating:explicit"),
    "underscored": ("rating_general", "rating_sensitive", "rating_questionable", "rating_explicit"),
}


@pytest.mark.parametrize("by_tags", [False, True])
@pytest.mark.parametrize("head", HEADS)
def test_a_rating_head_is_measured_as_one_choice_of_several(head: str, by_tags: bool) -> None:
    truth, scores, classes = rated(by_tags=by_tags)
    names, order = (*HEADS[head], *(f"t{n}" for n in range(10))), np.random.default_rng(0).permutation(120)
    values = np.concatenate([scores, np.random.default_rng(2).random((120, 10), np.float32)], axis=1)
    categories = ("rating",) * 4 + ("general",) * 10
    model = entry("m", [truth.image_ids[k] for k in order], names, values[order], categories=categories)
    for replicates in (0, 5):
        found = evaluate(truth, [model], Settings(1, replicates=replicates)).summary["models"]["m"]["per_image"][
            "rating"
        ]
        chosen = scores.argmax(1)
        right = int((chosen == classes).sum())
        assert (found["accuracy"], found["images"]) == (right / 120, 120)
        assert found["classes"] == list(HEADS["wd"])
        assert found["confusion"] == sk.confusion_matrix(classes, chosen).tolist()
        assert found["macro_f1"] == pytest.approx(sk.f1_score(classes, chosen, average="macro"))
        interval = intervals.wilson(right, 120)
        assert (found["accuracy_low"], found["accuracy_high"]) == (interval.low, interval.high)


def test_an_image_without_a_rating_or_with_two_is_left_out() -> None:
    truth, scores, _ = rated(by_tags=True)
    values = truth.values.toarray()
    values[0, -4:] = False
    values[1, -4:] = True
    names = (*HEADS["wd"], "t1")
    model = entry("m", truth.image_ids, names, np.c_[scores, scores[:, :1]], categories=("rating",) * 4 + ("general",))
    found = evaluate(replace(truth, values=Truth.of(truth.image_ids, truth.tags, values).values), [model], SETTINGS)
    assert found.summary["models"]["m"]["per_image"]["rating"]["images"] == 118
    letters, scores, _ = rated()
    letters = replace(letters, images={"rating": [None, "", *letters.images["rating"][2:]]})
    found = evaluate(letters, [model], SETTINGS).summary["models"]["m"]["per_image"]
    assert found["rating"]["images"] == 118


def test_no_head_or_no_ratings_no_figure() -> None:
    truth, scores, _ = rated()
    plain = evaluate(truth, world(120)[1], SETTINGS).summary["models"]["fine"]["per_image"]
    assert "rating" not in plain
    names = (*HEADS["wd"], "t1")
    model = entry("m", truth.image_ids, names, np.c_[scores, scores[:, :1]], categories=("rating",) * 4 + ("general",))
    for images in ({}, {"rating": [None] * 120}, {"rating": ["strange"] * 120}):
        found = evaluate(replace(truth, images=images), [model], replace(SETTINGS, slices=()))
        assert "rating" not in found.summary["models"]["m"]["per_image"]
