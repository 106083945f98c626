"""Choosing images: by post, day and cut-off, at random, and tag by tag."""

from collections import Counter
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.base.errors import ArenaError
from arena.cards import find_model
from arena.dataset.cutoffs import SNAPSHOTS, cutoffs, last_day, last_post, read_cutoff
from arena.dataset.selection import INCLUDED_FOR, RANDOM, Selection, choose_representative, select

JOYTAG, WD14, WD_V3, DEMO = (find_model(name) for name in ("joytag", "wd14", "wd-vit-v3", "joytag-demo"))

TAGS = dict.fromkeys(("cat", "dog", "sun", "sea"), "general")


def frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Images with an identifier, a digest and tags; whatever else is given is kept."""
    base = {"tags": ["cat"], "group": "0", "rating": "g"}
    return pd.DataFrame(
        [{**base, "image_id": f"i{place}", "sha256": f"{place:064x}", **row} for place, row in enumerate(rows)]
    )


def taken(images: pd.DataFrame, selection: Selection) -> list[str]:
    return sorted(select(images, TAGS, selection).images["image_id"])


def test_posts_lie_strictly_between_the_bounds() -> None:
    images = frame([{"post_id": post} for post in (9, 10, 11, 19, 20, None, 21)])
    assert taken(images, Selection(after_id=10, before_id=20)) == ["i2", "i3"]
    steps = select(images, TAGS, Selection(after_id=10, before_id=20)).steps
    assert [step[:3] for step in steps] == [("after_id", 4, 3), ("before_id", 2, 2)]
    assert steps[0].why == "post 10 or before; 1 without a post"


def test_days_are_whole_and_in_utc() -> None:
    moments = [
        "2021-12-31T23:59:59.000Z", "2022-01-01T00:00:00Z", "2022-01-02T23:59:59.999+00:00",
        "2022-01-02T22:00:00.000-05:00", "soon", None,
    ]  # fmt: skip
    images = frame([{"created_at": moment} for moment in moments])
    chosen = Selection(since=date(2022, 1, 1), until=date(2022, 1, 2))
    assert taken(images, chosen) == ["i1", "i2"], "22:00 at -05:00 is the third of January"
    assert "2 without a date" in select(images, TAGS, chosen).steps[0].why
    seconds = frame([{"created_at": 1640995199}, {"created_at": 1640995200}])
    assert taken(seconds, Selection(since=date(2022, 1, 1))) == ["i1"], "numbers are seconds since 1970"
    stamps = images.assign(created_at=pd.to_datetime(images["created_at"], utc=True, errors="coerce", format="ISO8601"))
    assert taken(stamps, chosen) == ["i1", "i2"]


def test_the_latest_cut_off_of_all_models_counts() -> None:
    images = frame([{"post_id": post} for post in (5_020_995, 5_944_504, 5_944_505, 7_220_106)])
    assert taken(images, Selection(trained_until=(JOYTAG,))) == ["i1", "i2", "i3"]
    assert taken(images, Selection(trained_until=(JOYTAG, WD14))) == ["i2", "i3"]
    assert taken(images, Selection(trained_until=(WD_V3, WD14))) == ["i3"]
    (step,) = select(images, TAGS, Selection(trained_until=(WD14, JOYTAG))).steps
    assert step == ("trained_until", 2, 2, "post 5944504 or before, possibly training data of joytag, wd14")


def test_images_known_by_day_are_cut_off_by_day() -> None:
    images = frame([{"created_at": f"{day}T12:00:00Z"} for day in ("2021-12-31", "2022-01-01")])
    assert taken(images, Selection(trained_until=(JOYTAG,))) == ["i1"]
    with pytest.raises(
        ArenaError, match=r"the cards say joytag: Danbooru2021; wd14: .*the images have created_at; give"
    ):
        taken(images, Selection(trained_until=(JOYTAG, WD14)))


def test_a_model_without_a_cut_off_is_named() -> None:
    images = frame([{"post_id": 1}])
    with pytest.raises(ArenaError, match=r"--trained-until joytag-demo: its card says trained_until = 'Open Clip Art"):
        taken(images, Selection(trained_until=(JOYTAG, DEMO)))
    by_day = [replace(WD14, trained_until="trained until 2022-05-01"), JOYTAG]
    assert last_post(cutoffs(by_day)) is None
    assert last_day(cutoffs(by_day)) == date(2022, 5, 1)
    with pytest.raises(ArenaError, match="the images have post_id; give --after-id or --since"):
        taken(images, Selection(trained_until=tuple(by_day)))
    both = images.assign(created_at="2022-05-02T00:00:00Z")
    assert taken(both, Selection(trained_until=tuple(by_day))) == ["i0"], "by day where one is known by day only"


@pytest.mark.parametrize("said", ["unknown", "", "Danbooru1999", "2022-13-45", "Danbooru2099", "a post"])
def test_what_names_no_cut_off_has_none(said: str) -> None:
    assert read_cutoff(said) is None
    assert read_cutoff(f"{said} until Danbooru2021") in (None, SNAPSHOTS["Danbooru2021"])


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(after_id=1), "--after-id, --before-id: the images have no column post_id"),
        (Selection(until=date(2022, 1, 1)), "--since, --until: the images have no column created_at"),
        (Selection(trained_until=(JOYTAG,)), "the images have no post and no date; leave --trained-until out"),
        (Selection(min_images=7), "no tag is left: min_images left 3"),
        (Selection(sample=1, representative=2), "--sample 1: 2 images for every tag need 2 images"),
    ],
)
def test_what_cannot_be_chosen_is_one_line(selection: Selection, message: str) -> None:
    with pytest.raises(ArenaError, match=message) as error:
        select(frame([{}, {}, {}]), TAGS, selection)
    assert "\n" not in str(error.value)


def test_nothing_left_says_which_step_took_it() -> None:
    with pytest.raises(ArenaError, match=r"no image is left: after_id left 0 \(post 5 or before\)"):
        select(frame([{"post_id": 3}]), TAGS, Selection(after_id=5))


def test_rare_tags_go_and_their_images_stay_as_negatives() -> None:
    images = frame([{"tags": ["dog", "cat"]}, {"tags": ["cat", "cat"]}, {"tags": ["sun"]}])
    selected = select(images, TAGS, Selection(min_images=2))
    assert selected.tags == {"cat": "general"}
    assert selected.images.sort_values("image_id")["tags"].tolist() == [["cat"], ["cat"], []]
    (step,) = selected.steps
    assert step[:3] == ("min_images", 3, 0)
    assert (
        step.why
        == "tags removed, because fewer than 2 images carry them: 3 (dog, sea, sun); images left without a label: 1"
    )


def test_every_tag_is_kept_unless_asked() -> None:
    assert select(frame([{}]), TAGS, Selection()).tags == TAGS, "a tag that no image carries is a negative everywhere"


def test_a_random_sample_is_that_of_any_limit(drawn_dataset) -> None:
    from arena.cards import find_dataset
    from arena.dataset.frozen import read_frozen

    heldout = read_frozen(find_dataset(str(drawn_dataset)))
    chosen = select(heldout.images, dict.fromkeys(heldout.tags.names, "general"), Selection(sample=12, seed=3))
    assert sorted(chosen.images["image_id"]) == list(heldout.sample(12, 3).image_ids)


POOLS = st.lists(st.sets(st.sampled_from(sorted(TAGS))).map(sorted), min_size=1, max_size=25)


@settings(deadline=None)
@given(POOLS, st.integers(1, 4), st.integers(0, 30), st.integers(0, 3), st.randoms())
def test_every_tag_has_its_images_whatever_the_order(
    pool: list[list[str]], least: int, more: int, seed: int, random
) -> None:
    images = frame([{"tags": tags} for tags in pool])
    needed = len(select(images, TAGS, Selection(representative=least, seed=seed)).images)
    sample = min(len(pool), max(1, needed + more))
    selection = Selection(representative=least, sample=sample, seed=seed)
    selected = select(images, TAGS, selection).images.sort_values("image_id")
    there = Counter(name for tags in pool for name in tags)
    got = Counter(name for tags in selected["tags"] for name in tags)
    assert len(selected) == sample
    assert all(got[name] >= min(least, there[name]) for name in there)
    for tags, reason in zip(selected["tags"], selected[INCLUDED_FOR], strict=True):
        assert reason == RANDOM or reason in tags
    assert (selected[INCLUDED_FOR] != RANDOM).sum() == needed - min(least, sum(not tags for tags in pool))
    assert (selected["weight"] >= 1).all()
    order = list(range(len(pool)))
    random.shuffle(order)
    again = select(images.iloc[order], TAGS, selection).images.sort_values("image_id")
    pd.testing.assert_frame_equal(again, selected)


@settings(deadline=None)
@given(POOLS, st.integers(1, 3), st.integers(0, 8))
def test_a_probability_is_the_limit_of_the_images_own_number(pool: list[list[str]], least: int, more: int) -> None:
    """With all other numbers kept, an image is selected below its limit, and not above it."""
    numbers = [(place + 0.5) / len(pool) for place in range(len(pool))]
    needed = len(choose_representative(pool, numbers, least=least))
    sample = None if more == 0 else min(len(pool), needed + more)
    for one in choose_representative(pool, numbers, least=least, sample=sample):
        others = [
            (number, tags) for place, (number, tags) in enumerate(zip(numbers, pool, strict=True)) if place != one.place
        ]
        for number, expected in ((one.probability - 1e-9, True), (one.probability + 1e-9, one.probability == 1)):
            order = sorted([*others, (number, pool[one.place])], key=lambda pair: pair[0])
            place = [number for number, _ in order].index(number)
            try:
                found = choose_representative(
                    [tags for _, tags in order], [n for n, _ in order], least=least, sample=sample
                )
            except ArenaError:
                continue  # with this number the tags need more images than the sample has
            assert (place in {other.place for other in found}) == expected


def test_weights_add_up_to_the_images_of_the_source_on_average() -> None:
    rng = np.random.default_rng(0)
    pool = [
        [tag for tag, share in (("cat", 0.5), ("dog", 0.1), ("sea", 0.02)) if rng.random() < share] for _ in range(200)
    ]
    sums, cats = [], []
    for _ in range(300):
        numbers = rng.random(200)
        order = np.argsort(numbers)
        found = choose_representative([pool[k] for k in order], numbers[order].tolist(), least=5, sample=40)
        sums.append(sum(1 / one.probability for one in found))
        cats.append(sum(1 / one.probability for one in found if "cat" in pool[order[one.place]]))
    assert np.mean(sums) == pytest.approx(200, abs=4 * np.std(sums) / 300**0.5)
    assert np.mean(cats) == pytest.approx(sum("cat" in tags for tags in pool), abs=4 * np.std(cats) / 300**0.5)


def test_a_sample_of_a_weighted_sample_multiplies_the_weights() -> None:
    images = frame([{"tags": ["cat"]}] * 40 + [{"tags": ["dog"]}] * 4)
    first = select(images, TAGS, Selection(representative=4, sample=20)).images
    assert "weight" not in select(images, TAGS, Selection(sample=10)).images, "a random sample has none"
    assert first.loc[[tags == ["dog"] for tags in first["tags"]], "weight"].tolist() == [1.0] * 4
    second = select(first, TAGS, Selection(sample=5)).images
    assert second["weight"].tolist() == [first["weight"][row] * 4 for row in second.index]


def test_a_representative_set_without_a_size_holds_what_the_tags_need() -> None:
    images = frame([{"tags": ["cat"]}] * 50 + [{"tags": ["dog"]}])
    selected = select(images, TAGS, Selection(representative=3))
    assert Counter(selected.images[INCLUDED_FOR]) == {"cat": 3, "dog": 1}
    assert selected.steps[0].why.startswith("not a random sample: 4 images")
