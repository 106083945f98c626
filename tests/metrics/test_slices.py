"""Tables worked by hand, a count one by one as the reference, and properties."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from arena.base.errors import ArenaError
from arena.metrics.slices import MAX_VALUES, SUPPORT_BANDS, column_slices, size_band, support_band

numbers = st.one_of(st.integers(-40, 40), st.floats(-3, 3, width=16), st.sampled_from([np.nan, np.inf, None]))
cells = st.one_of(st.none(), st.booleans(), st.sampled_from(["g", "s", "", "unknown", "x"]))


def sliced(values: object, name: str = "column") -> dict[str, list[int]]:
    """Label -> rows, in the order of the slices."""
    column = values if isinstance(values, np.ndarray) else np.array(values, dtype=object)
    slices = column_slices(column, name=name)
    assert len({label for label, _ in slices}) == len(slices)
    return {label: np.flatnonzero(mask).tolist() for label, mask in slices}


def test_support_bands_at_their_edges() -> None:
    support = np.array([0, 1, 9, 10, 29, 30, 99, 100, 299, 300, 999, 1000, 10**9])
    wanted = ["0", "1–9", "1–9", "10–29", "10–29", "30–99", "30–99", "100–299", "100–299", "300–999", "300–999"]
    assert support_band(support).tolist() == [*wanted, "1,000+", "1,000+"]
    assert support_band(np.array([], np.int64)).shape == (0,)


@given(hnp.arrays(np.int64, st.integers(0, 20), elements=st.integers(0, 3000)))
def test_support_bands_contain_what_they_say(support: np.ndarray) -> None:
    for positives, label in zip(support.tolist(), support_band(support).tolist(), strict=True):
        low, high = next(band for band in ((0, 0), *SUPPORT_BANDS) if band[1] is None or positives <= band[1])
        assert low <= positives
        assert label == ("0" if not low else f"{low:,}+" if high is None else f"{low}–{high}")


def test_size_bands_at_their_edges() -> None:
    height = np.array([100, 100, 500, 500, 1000, 1000, 2000, 2000, 2000, 4000])
    width = np.array([999, 1000, 999, 1000, 999, 1000, 999, 1000, 2000, 4000])
    assert size_band(width, height).tolist() == [
        "<0.1 MP", "0.1–0.5 MP", "0.1–0.5 MP", "0.5–1 MP", "0.5–1 MP", "1–2 MP", "1–2 MP", "2–4 MP", "4+ MP", "4+ MP",
    ]  # fmt: skip


def test_size_bands_without_a_size_and_beyond_32_bits() -> None:
    assert size_band(np.array([np.nan, 300.0]), np.array([300.0, np.nan])).tolist() == ["unknown", "unknown"]
    assert size_band(np.array([60_000], np.int32), np.array([60_000], np.int32)).tolist() == ["4+ MP"]


def test_words_come_by_number_of_images_then_by_name_and_missing_ones_last() -> None:
    assert sliced(["b", "a", None, "c", "c", "", np.nan, "unknown"]) == {
        "c": [3, 4], "a": [1], "b": [0], "unknown": [2, 5, 6, 7],
    }  # fmt: skip
    assert list(sliced(np.array(["b", "a", "b"]))) == ["b", "a"]


def test_ratings_and_bands_keep_their_own_order() -> None:
    assert list(sliced(["e", "e", "q", "unrated", None, "g", "s"])) == ["g", "s", "q", "e", "unrated", "unknown"]
    assert list(sliced(["explicit", "explicit", "sensitive", "general"])) == ["general", "sensitive", "explicit"]
    sizes = size_band(np.array([3000, 3000, 900, 100, np.nan]), np.array([3000, 3000, 1000, 100, 5]))
    assert list(sliced(sizes)) == ["<0.1 MP", "0.5–1 MP", "4+ MP", "unknown"]
    assert list(sliced(support_band(np.array([5000, 5000, 12, 0, 40])))) == ["0", "10–29", "30–99", "1,000+"]
    assert list(sliced(["e", "e", "w", "g"])) == ["e", "g", "w"]


def test_truth_values_and_few_numbers_come_in_ascending_order() -> None:
    assert sliced(np.array([True, False, True])) == {"false": [1], "true": [0, 2]}
    assert sliced([True, None, True]) == {"true": [0, 2], "unknown": [1]}
    assert sliced(np.array([10, 2, 10, -1])) == {"-1": [3], "2": [1], "10": [0, 2]}
    assert sliced(np.array([2.0, np.nan, 10.0])) == {"2": [0], "10": [2], "unknown": [1]}
    assert sliced(np.array([2.0, np.inf, -np.inf])) == {"2": [0], "unknown": [1, 2]}
    assert sliced(np.array([0.1, 0.25], np.float32)) == {"0.1": [0], "0.25": [1]}
    assert sliced(np.array([0.1, 0.1, 0.1 + 1e-12])) == {"0.1": [0, 1], "0.100000000001": [2]}


def test_many_numbers_are_cut_at_their_quartiles() -> None:
    assert sliced(np.arange(1, 17) * 128) == {
        "<= 512": [0, 1, 2, 3], "513–1024": [4, 5, 6, 7], "1025–1536": [8, 9, 10, 11], "1537+": [12, 13, 14, 15],
    }  # fmt: skip
    assert list(sliced(np.arange(13))) == ["<= 3", "4–6", "7–9", "10+"]
    assert list(sliced(np.arange(-10, 6))) == ["<= -7", "-6 to -3", "-2 to 1", "2+"]
    assert list(sliced(np.arange(16) / 32)) == [
        "<= 0.09375",
        "> 0.09375 to 0.21875",
        "> 0.21875 to 0.34375",
        "> 0.34375",
    ]


def test_equal_quartiles_make_fewer_slices_and_none_is_empty() -> None:
    heights = np.array([*range(1, 14), *[256] * 30])
    assert sliced(heights) == {"<= 11": list(range(11)), "12+": list(range(11, 43))}
    lows = np.array([*[5] * 40, *range(6, 20)])
    assert {label: len(rows) for label, rows in sliced(lows).items()} == {"<= 5": 40, "6": 1, "7+": 13}


def test_64_bit_numbers_are_cut_exactly() -> None:
    top = 2**64 - 1
    values = np.array([top - 15 + i for i in range(16)], np.uint64)
    assert list(sliced(values)) == [f"<= {top - 12}", f"{top - 11}–{top - 8}", f"{top - 7}–{top - 4}", f"{top - 3}+"]
    assert [len(rows) for rows in sliced(values).values()] == [4, 4, 4, 4]


def test_as_many_values_as_allowed_are_slices_and_one_more_is_not() -> None:
    words = [f"{i:02}x" for i in range(MAX_VALUES)]
    assert list(sliced([*words, None])) == [*words, "unknown"]
    with pytest.raises(ArenaError, match=f"column 'sha256' has {MAX_VALUES + 1} different values") as refused:
        column_slices(np.array([*words, "one more"]), name="sha256")
    assert "\n" not in str(refused.value)
    assert len(sliced(np.arange(MAX_VALUES))) == MAX_VALUES
    assert len(sliced(np.arange(MAX_VALUES + 1))) == 4


def test_lists_are_refused() -> None:
    tags = pd.Series([np.array(["a", "b"]), np.array([])]).to_numpy()
    with pytest.raises(ArenaError, match="column 'tags' holds lists"):
        column_slices(tags, name="tags")


def test_columns_as_pandas_gives_them() -> None:
    assert sliced(pd.Series([3, None, 1], dtype="Int64").to_numpy()) == {"1": [2], "3": [0], "unknown": [1]}
    assert sliced(pd.Series([True, None], dtype="boolean").to_numpy()) == {"true": [0], "unknown": [1]}
    assert sliced(pd.Series(["a", None], dtype="string").to_numpy()) == {"a": [0], "unknown": [1]}
    assert sliced(pd.Series(pd.Categorical(["q", "g", None])).to_numpy()) == {"g": [1], "q": [0], "unknown": [2]}
    days = pd.to_datetime(pd.Series(["2022-12-31 23:59", None, "2019-01-01 00:00"]))
    assert sliced(days.to_numpy()) == {"2019": [2], "2022": [0], "unknown": [1]}
    assert sliced(days.dt.tz_localize("UTC").to_numpy()) == {"2019": [2], "2022": [0], "unknown": [1]}
    assert sliced([date(2020, 5, 1), None]) == {"2020": [0], "unknown": [1]}


def test_nothing_known_and_nothing_at_all() -> None:
    assert sliced([None, np.nan]) == {"unknown": [0, 1]}
    assert column_slices(np.array([], object), name="rating") == ()
    assert column_slices(np.array([], np.int64), name="score") == ()


@given(st.one_of(st.lists(numbers, max_size=40), st.lists(cells, max_size=20)))
def test_every_image_is_in_exactly_one_slice(values: list[object]) -> None:
    slices = column_slices(np.array(values, dtype=object), name="column")
    assert all(mask.any() and mask.shape == (len(values),) and mask.dtype == bool for _, mask in slices)
    assert sum((mask.astype(int) for _, mask in slices), np.zeros(len(values), int)).tolist() == [1] * len(values)
    assert [label for label, _ in slices[:-1]].count("unknown") == 0
    assert len({label for label, _ in slices}) == len(slices) <= MAX_VALUES + 1


@given(st.lists(st.integers(-1000, 1000), min_size=13, max_size=80).filter(lambda v: len(set(v)) > MAX_VALUES))
def test_quartile_slices_ascend_and_hold_what_their_labels_say(values: list[int]) -> None:
    last = -np.inf
    for label, mask in column_slices(np.array(values), name="score"):
        part = [value for value, here in zip(values, mask, strict=True) if here]
        assert last < min(part)
        last = max(part)
        if label.startswith("<= "):
            assert last == int(label.removeprefix("<= "))
        elif label.endswith("+"):
            assert min(part) >= int(label.removesuffix("+"))
        else:
            low, _, high = label.replace("–", " to ").partition(" to ")
            assert int(low) <= min(part)
            assert last == int(high or low)


@given(st.lists(cells, max_size=20), st.randoms())
def test_the_order_of_the_images_does_not_matter(values: list[object], random: object) -> None:
    order = list(range(len(values)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = column_slices(np.array([values[i] for i in order], object), name="column")
    straight = column_slices(np.array(values, object), name="column")
    assert [(label, mask.tolist()) for label, mask in shuffled] == [
        (label, mask[order].tolist()) for label, mask in straight
    ]
