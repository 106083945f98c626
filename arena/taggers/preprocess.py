"""From canonical RGB to the square of pixels that a tagger wants."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from arena.cards import InputSpec, Preprocess
from arena.errors import UnreadableImageError
from arena.images import RGB

MAX_SIDE = 20_000
"""Longest side that is padded to a square: 1.2 GB of pixels."""

_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "nearest": Image.Resampling.NEAREST,
}


def square(pixels: RGB, preprocess: Preprocess) -> RGB:
    """Pad an image to a centred square and resize it.

    Args:
        pixels: canonical RGB, uint8 (height, width, 3).
        preprocess: what the tagger declares; `size` above 0.

    Returns: uint8 (size, size, 3).

    Raises:
        UnreadableImageError: the longer side is above `MAX_SIDE`; padded, a strip of some bytes would fill the memory.

    Source: JoyTag's `Models.py` and the WD demo space, whose paths agree pixel for pixel.
    """
    height, width = pixels.shape[:2]
    side = max(height, width)
    if side > MAX_SIDE:
        raise UnreadableImageError(f"{width} x {height} pads to a square of more than {MAX_SIDE:,} pixels a side")
    image = Image.fromarray(pixels)
    if height != width:
        canvas = Image.new("RGB", (side, side), preprocess.pad_colour)
        canvas.paste(image, ((side - width) // 2, (side - height) // 2))
        image = canvas
    if side != preprocess.size:
        image = image.resize((preprocess.size, preprocess.size), _FILTERS[preprocess.resize])
    return np.asarray(image)


def normalise(batch: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """The network's input from a batch of RGB pixels, channels last: `(pixels / scale - mean) / std`.

    Args:
        batch: uint8 (n, h, w, 3), red green blue.

    Returns: float32 (n, h, w, 3), in the channel order of the spec.
    """
    ordered = batch[..., ::-1] if spec.channels == "bgr" else batch
    scaled = ordered.astype(np.float32) / np.float32(spec.scale)
    if spec.mean == (0.0, 0.0, 0.0) and spec.std == (1.0, 1.0, 1.0):
        return np.ascontiguousarray(scaled)
    shifted: NDArray[np.float32] = scaled - np.asarray(spec.mean, np.float32)
    divided: NDArray[np.float32] = np.divide(shifted, np.asarray(spec.std, np.float32))
    return divided
