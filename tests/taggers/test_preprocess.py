import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from arena.base.errors import ArenaError, UnreadableImageError
from arena.cards import FILTERS, InputSpec, Preprocess
from arena.images.decode import decode
from arena.taggers.preprocess import find_padding, import_resize_library, normalise, square
from arena.taggers.preprocess.geometry import place_on_canvas

from ..conftest import GOLDEN, draw

WD = np.load(GOLDEN / "wd-preprocess/expected.npz")
JOYTAG_INPUT = InputSpec(mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))
MODEL_ZOO = Preprocess(96, enlarge=False, library="opencv", resize="area", resize_up="bicubic")
"""JoyTag's arena and SmilingWolf's model zoo: a small picture is padded to the whole size, so nothing is ever enlarged."""


def squares(names: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    return np.stack([square(decode(GOLDEN / "images" / name), preprocess) for name in names])


@pytest.mark.parametrize("folder", ["joytag-cnn-sine", "joytag-patch-learned"])
def test_joytag_pixels_and_input_are_the_references(folder: str) -> None:
    expected = np.load(GOLDEN / folder / "expected.npz")
    pixels = squares(expected["images"], Preprocess(64))
    assert np.array_equal(pixels, expected["pixels_uint8_nhwc_rgb"])
    assert np.array_equal(normalise(pixels, JOYTAG_INPUT).transpose(0, 3, 1, 2), expected["input_nchw"])


def test_wd_onnx_input_is_the_references() -> None:
    ready = normalise(squares(WD["images"], Preprocess(96)), InputSpec("bgr", scale=1.0))
    assert np.array_equal(ready, WD["pil_bicubic_nhwc_bgr_0_255"].astype(np.float32))


def test_wd_timm_input_is_the_references() -> None:
    ready = normalise(squares(WD["images"], Preprocess(96)), InputSpec("bgr", mean=(0.5,) * 3, std=(0.5,) * 3))
    assert np.array_equal(ready.transpose(0, 3, 1, 2), WD["timm_nchw_bgr_pm1"])


def test_the_model_zoos_input_is_the_references() -> None:
    pytest.importorskip("cv2")
    ready = normalise(squares(WD["images"], MODEL_ZOO), InputSpec("bgr", scale=1.0))
    assert np.array_equal(ready, WD["cv2_area_nhwc_bgr_0_255"].astype(np.float32))


def test_a_library_that_is_missing_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ArenaError, match=r'library = "opencv": needs .*pip install "tagger-arena\[opencv\]"'):
        square(np.asarray(draw(1, (200, 100))), MODEL_ZOO)
    with pytest.raises(ArenaError, match="opencv-python-headless"):
        import_resize_library("opencv")
    import_resize_library("pil")


def test_padding_is_centred_with_the_smaller_part_first() -> None:
    black = np.zeros((2, 5, 3), np.uint8)
    padded = square(black, Preprocess(5, pad_colour=(9, 8, 7)))
    assert (padded[1:3] == 0).all()
    assert (padded[[0, 3, 4]] == [9, 8, 7]).all()


def test_edge_padding_repeats_the_nearest_pixel() -> None:
    pixels = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
    padded = square(pixels, Preprocess(4, pad_mode="edge"))
    assert np.array_equal(padded, pixels[[0, 0, 1, 1]])
    assert np.array_equal(square(pixels, Preprocess(4, pad="after", pad_mode="edge")), padded)


def test_before_after_and_none_are_three_things() -> None:
    pixels = np.asarray(draw(2, (90, 30)))
    before, after, none = (square(pixels, Preprocess(30, pad=pad)) for pad in ("before", "after", "none"))
    assert np.array_equal(after[10:20], np.asarray(Image.fromarray(pixels).resize((30, 10), Image.Resampling.BICUBIC)))
    assert (after[:10] == 255).all()
    assert (after[20:] == 255).all()
    assert np.array_equal(none, np.asarray(Image.fromarray(pixels).resize((30, 30), Image.Resampling.BICUBIC)))
    assert not np.array_equal(before, after), "before, the filter mixes the picture with its padding"


@pytest.mark.parametrize("pad", ["before", "after"])
def test_a_small_picture_is_padded_where_it_is_not_to_be_enlarged(pad: str) -> None:
    pixels = np.asarray(draw(3, (7, 4)))
    small = square(pixels, Preprocess(16, pad=pad, enlarge=False, pad_colour=(0, 0, 0)))
    assert np.array_equal(small[6:10, 4:11], pixels)
    assert small.astype(int).sum() == pixels.astype(int).sum()


def test_another_filter_enlarges() -> None:
    pixels = np.asarray(draw(4, (8, 8)))
    told = Preprocess(16, resize="box", resize_up="nearest")
    assert np.array_equal(square(pixels, told), pixels.repeat(2, 0).repeat(2, 1))
    assert np.array_equal(square(np.asarray(draw(4)), told), square(np.asarray(draw(4)), Preprocess(16, resize="box")))


@pytest.mark.parametrize(
    "told", [Preprocess(), Preprocess(pad="after"), Preprocess(pad="none"), Preprocess(fit_size=16, pad="after")]
)
@pytest.mark.parametrize("library", FILTERS)
def test_a_side_that_is_right_is_never_resized(told: Preprocess, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("resized")

    monkeypatch.setattr("arena.taggers.preprocess.resize._RESIZERS", dict.fromkeys(FILTERS, refuse))
    pixels = np.asarray(draw(5, (16, 16)))
    assert np.array_equal(square(pixels, Preprocess(16, told.pad, library=library, fit_size=told.fit_size)), pixels)


@pytest.mark.parametrize(("library", "name"), [(library, name) for library, names in FILTERS.items() for name in names])
def test_every_filter_of_every_library_keeps_plain_colour(library: str, name: str) -> None:
    pytest.importorskip({"opencv": "cv2"}.get(library, "PIL"))
    for shape in ((40, 60, 3), (5, 9, 3)):
        plain = np.full(shape, (10, 200, 30), np.uint8)
        result = square(plain, Preprocess(16, pad_colour=(10, 200, 30), library=library, resize=name))
        assert result.shape == (16, 16, 3)
        assert (result == (10, 200, 30)).all()


def test_torch_resizes_within_two_steps_of_pillow() -> None:
    pixels = decode(GOLDEN / "images/large.jpg")
    by_pil, by_torch = (square(pixels, Preprocess(96, library=library)) for library in ("pil", "torch"))
    assert 0 < np.abs(by_pil.astype(int) - by_torch).max() <= 2


def test_the_middle_is_cut_out() -> None:
    pixels = np.asarray(draw(6, (20, 20)))
    assert np.array_equal(square(pixels, Preprocess(16, crop_from=20)), pixels[2:18, 2:18])
    assert np.array_equal(square(pixels, Preprocess(13, crop_from=20)), pixels[3:16, 3:16])
    assert np.array_equal(square(pixels, Preprocess(13, crop_from=20, crop_rounding="nearest")), pixels[4:17, 4:17])
    assert np.array_equal(square(pixels, Preprocess(15, crop_from=20, crop_rounding="nearest")), pixels[2:17, 2:17])


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from(["nearest", "down", "cut"]), st.booleans())
def test_a_fitted_picture_lies_inside_and_touches_both_ends(
    height: int, width: int, rounding: str, enlarge: bool
) -> None:
    box = place_on_canvas(height, width, Preprocess(448, pad="after", rounding=rounding, enlarge=enlarge))
    assert box.side == 448
    assert 0 <= box.top <= box.side - box.height - box.top <= box.top + 1
    assert 0 <= box.left <= box.side - box.width - box.left <= box.left + 1
    if enlarge or max(height, width) >= 448:
        assert max(box.height, box.width) in ((447, 448) if rounding == "cut" else (448,))
        assert min(box.height, box.width) >= 1
    else:
        assert (box.height, box.width) == (height, width)


def test_sides_are_rounded_as_the_reference_does() -> None:
    assert place_on_canvas(3, 8, Preprocess(4, pad="after"))[3:] == (2, 4), "1.5 goes to the even one"
    assert place_on_canvas(5, 8, Preprocess(4, pad="after"))[3:] == (2, 4), "2.5 likewise"
    assert place_on_canvas(3, 8, Preprocess(4, pad="after", rounding="down"))[3:] == (1, 4)


@pytest.mark.parametrize(
    "told", [Preprocess(16, pad="after", pad_colour=(114,) * 3), Preprocess(16, enlarge=False, pad_colour=(114,) * 3)]
)
@pytest.mark.parametrize("size", [(90, 30), (7, 12), (16, 16), (16, 15)])
def test_the_padding_of_a_square_is_known(told: Preprocess, size: tuple[int, int]) -> None:
    white = np.full((size[1], size[0], 3), 255, np.uint8)
    result = square(white, told)
    mixed = told.pad == "before" and max(size) > told.size
    if not mixed:
        assert np.array_equal(find_padding(result[None], told)[0], (result == 114).all(axis=2))
    assert find_padding(result[None], told).any() == (size != (16, 16))


def test_bars_that_do_not_lie_opposite_each_other_are_no_padding() -> None:
    told = Preprocess(8, pad="after", pad_colour=(114,) * 3)
    pixels = np.zeros((1, 8, 8, 3), np.uint8)
    pixels[0, :3] = 114
    assert not find_padding(pixels, told).any()
    pixels[0, 6:] = 114
    assert find_padding(pixels, told)[0].all(axis=1).tolist() == [True] * 2 + [False] * 4 + [True] * 2
    assert not find_padding(np.full((1, 8, 8, 3), 114, np.uint8), told).any(), "a grey picture is a picture"
    assert not find_padding(pixels, Preprocess(8, pad="none")).any()


def test_a_strip_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(UnreadableImageError, match="30000 x 2 pads to a square of more than 20,000 pixels a side"):
        square(np.zeros((2, 30_000, 3), np.uint8), Preprocess(16))
    assert square(np.zeros((2, 30_000, 3), np.uint8), Preprocess(16, pad="none")).shape == (16, 16, 3)


def test_filters_differ() -> None:
    pixels = np.asarray(draw(5))
    first, second = (square(pixels, Preprocess(31, resize=name)) for name in ("bicubic", "lanczos"))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("name", FILTERS["pil"])
@pytest.mark.parametrize("size", [(97, 40), (64, 63), (500, 3), (31, 2), (40, 97), (448, 200)])
def test_rows_that_are_resized_before_padding_give_the_same_pixels(name: str, size: tuple[int, int]) -> None:
    width, height = size
    noise = np.random.default_rng(width).choice(np.array([0, 128, 255], np.uint8), (height, width, 3))
    side = max(size)
    canvas = Image.new("RGB", (side, side), (114, 3, 255))
    canvas.paste(Image.fromarray(noise), ((side - width) // 2, (side - height) // 2))
    for last in (20, 64, 130):
        expected = canvas.resize((last, last), getattr(Image.Resampling, name.upper()))
        preprocess = Preprocess(size=last, pad_colour=(114, 3, 255), resize=name)
        assert np.array_equal(square(noise, preprocess), expected), last
