"""The network's input from a batch of squares."""

import numpy as np
from numpy.typing import NDArray

from arena.cards import InputSpec


def normalise(batch: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """Return the network's input from a batch of RGB pixels, channels last: `(pixels / scale - mean) / std`.

    Args:
        batch: uint8 (n, h, w, 3), RGB.

    Returns: float32 (n, h, w, 3), in the channel order of the spec.
    """
    ordered = batch[..., ::-1] if spec.channels == "bgr" else batch
    scaled = ordered.astype(np.float32) / np.float32(spec.scale)
    if spec.mean == (0.0, 0.0, 0.0) and spec.std == (1.0, 1.0, 1.0):
        return np.ascontiguousarray(scaled)
    shifted: NDArray[np.float32] = scaled - np.asarray(spec.mean, np.float32)
    divided: NDArray[np.float32] = np.divide(shifted, np.asarray(spec.std, np.float32))
    return divided
