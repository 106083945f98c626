"""The bytes of our own shrinking are Pillow's, whatever the shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from arena.dataset.hashes import resample
from arena.dataset.hashes.resample import PASS_ORDER_RULES, shrink
from arena.images.decode import ImageSize

SIZES = (ImageSize(32, 32), ImageSize(9, 8))


def by_pillow(grey: np.ndarray, size: ImageSize) -> np.ndarray:
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.LANCZOS))


def grey(width: int, height: int, seed: int, kind: str = "noise") -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "edges":  # black and white overshoot most, so that clipping is seen
        return rng.choice(np.array([0, 255], np.uint8), (height, width))
    return rng.integers(0, 256, (height, width)).astype(np.uint8)


@settings(max_examples=50)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 99), st.sampled_from(["noise", "edges"]))
def test_bytes_are_those_of_pillow(width: int, height: int, seed: int, kind: str) -> None:
    picture = grey(width, height, seed, kind)
    rule = resample._rule()
    assert rule is not None, "the installed Pillow goes in an order that is not known; its own resize does the work"
    for size in SIZES:
        assert np.array_equal(resample._shrink(picture, size, rule), by_pillow(picture, size))


@pytest.mark.parametrize(("width", "height"), [(1200, 900), (900, 1200), (700, 1600), (2400, 301), (301, 2400)])
def test_large_pictures_take_the_quick_way_and_keep_the_bytes(width: int, height: int) -> None:
    assert width * height >= resample.FAST_PATH_PIXELS
    picture = grey(width, height, 3)
    for size in SIZES:
        assert np.array_equal(shrink(Image.fromarray(picture), size), by_pillow(picture, size))


def test_the_order_of_the_passes_is_told_by_the_bytes() -> None:
    tall = grey(40, 150, 5, "edges")
    assert not np.array_equal(*(resample._shrink(tall, ImageSize(32, 32), rule) for rule in PASS_ORDER_RULES))


def test_a_pillow_of_unknown_order_does_the_work_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resample, "PASS_ORDER_RULES", (lambda old, new: old.height < old.width,))
    resample._rule.cache_clear()
    try:
        assert resample._rule() is None
        picture = grey(900, 700, 1)
        assert np.array_equal(
            shrink(Image.fromarray(picture), ImageSize(32, 32)), by_pillow(picture, ImageSize(32, 32))
        )
    finally:
        resample._rule.cache_clear()


def test_a_hostile_side_needs_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resample, "_bands", lambda old, new: pytest.fail("gigabytes of weights"))
    assert shrink(Image.new("L", (1_000_000, 2)), ImageSize(32, 32)).shape == (32, 32)
