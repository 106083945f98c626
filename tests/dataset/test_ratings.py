from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.dataset.ratings import RATING_SCHEMES, UNKNOWN_SCHEME, detect_scheme, rating_letter, rating_word

OLD = datetime(2021, 12, 31, tzinfo=UTC)
NEW = datetime(2023, 1, 1, tzinfo=UTC)
BETWEEN = datetime(2022, 5, 15, tzinfo=UTC)
MANY = ["s"] * 200 + ["q", "e"]


@pytest.mark.parametrize(
    ("ratings", "dates", "scheme"),
    [
        (["g", "s", "e"], {}, "danbooru-2022"),
        (["g"], {"fetched": OLD}, "danbooru-2022"),
        (["rating:sensitive", "q"], {}, "danbooru-2022"),
        (["safe", "explicit"], {}, "danbooru-2021"),
        (["s", "q", "e"], {"fetched": OLD}, "danbooru-2021"),
        (["s", "q", "e"], {"fetched": NEW}, "danbooru-2022"),
        (["s", "q", "e"], {"fetched": BETWEEN}, UNKNOWN_SCHEME),
        (["s", "q", "e"], {}, UNKNOWN_SCHEME),
        (["s", "q", "e"], {"newest": OLD}, UNKNOWN_SCHEME),
        (MANY, {"newest": OLD}, "danbooru-2021"),
        (MANY, {"newest": NEW}, UNKNOWN_SCHEME),
        (MANY, {"newest": OLD, "fetched": NEW}, "danbooru-2022"),
        (["safe", "general"], {}, UNKNOWN_SCHEME),
        (["safe", "g"], {}, UNKNOWN_SCHEME),
        (["q", "e", ""], {}, UNKNOWN_SCHEME),
        ([], {"fetched": OLD}, UNKNOWN_SCHEME),
    ],
)
def test_the_scheme_is_told_by_letters_words_and_dates(
    ratings: list[str], dates: dict[str, datetime], scheme: str
) -> None:
    found = detect_scheme(Counter(map(rating_word, ratings)), **dates)
    assert found.name == scheme
    assert found.why


@given(st.lists(st.sampled_from(["g", "s", "q", "e", "safe", "sensitive", "", "?"]), max_size=30), st.randoms())
def test_the_order_of_images_does_not_matter(ratings: list[str], random) -> None:
    before = detect_scheme(Counter(map(rating_word, ratings)))
    random.shuffle(ratings)
    assert detect_scheme(Counter(map(rating_word, ratings))) == before


def test_an_s_never_gets_a_meaning_that_nothing_tells() -> None:
    scheme = detect_scheme({"s": 10})
    assert RATING_SCHEMES[scheme.name]["s"] == "safe or sensitive"
    assert RATING_SCHEMES["danbooru-2022"]["s"] != RATING_SCHEMES["danbooru-2021"]["s"]


def test_the_other_letters_mean_the_same_everywhere() -> None:
    for letter, meaning in (("q", "questionable"), ("e", "explicit")):
        assert {scheme[letter] for scheme in RATING_SCHEMES.values()} == {meaning}


def test_words_become_letters() -> None:
    assert [rating_letter(word) for word in ("General", "rating: Sensitive ", "S", "unrated", "")] == [
        "g",
        "s",
        "s",
        "",
        "",
    ]
