import numpy as np
import pytest

from arena.cards import InputSpec, Preprocess
from arena.errors import UnreadableImageError
from arena.images import decode
from arena.taggers.preprocess import normalise, square

from ..conftest import GOLDEN, draw

WD = np.load(GOLDEN / "wd-preprocess/expected.npz")
JOYTAG_INPUT = InputSpec(mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711))


def squares(names: np.ndarray, size: int) -> np.ndarray:
    return np.stack([square(decode(GOLDEN / "images" / name), Preprocess(size)) for name in names])


@pytest.mark.parametrize("folder", ["joytag-cnn-sine", "joytag-patch-learned"])
def test_joytag_pixels_and_input_are_the_references(folder: str) -> None:
    expected = np.load(GOLDEN / folder / "expected.npz")
    pixels = squares(expected["images"], 64)
    assert np.array_equal(pixels, expected["pixels_uint8_nhwc_rgb"])
    assert np.array_equal(normalise(pixels, JOYTAG_INPUT).transpose(0, 3, 1, 2), expected["input_nchw"])


def test_wd_onnx_input_is_the_references() -> None:
    ready = normalise(squares(WD["images"], 96), InputSpec("bgr", scale=1.0))
    assert np.array_equal(ready, WD["pil_bicubic_nhwc_bgr_0_255"].astype(np.float32))


def test_wd_timm_input_is_the_references() -> None:
    ready = normalise(squares(WD["images"], 96), InputSpec("bgr", mean=(0.5,) * 3, std=(0.5,) * 3))
    assert np.array_equal(ready.transpose(0, 3, 1, 2), WD["timm_nchw_bgr_pm1"])


def test_padding_is_centred_with_the_smaller_part_first() -> None:
    black = np.zeros((2, 5, 3), np.uint8)
    padded = square(black, Preprocess(5, pad_colour=(9, 8, 7)))
    assert (padded[1:3] == 0).all()
    assert (padded[[0, 3, 4]] == [9, 8, 7]).all()


def test_a_strip_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(UnreadableImageError, match="30000 x 2 pads to a square of more than 20,000 pixels a side"):
        square(np.zeros((2, 30_000, 3), np.uint8), Preprocess(16))


def test_filters_differ() -> None:
    pixels = np.asarray(draw(5))
    first, second = (square(pixels, Preprocess(31, resize=name)) for name in ("bicubic", "lanczos"))
    assert not np.array_equal(first, second)
