"""From a batch of pixels to what the graph gives."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from arena.base.errors import WeightsError
from arena.cards import ModelCard
from arena.taggers.adapters.onnx.ports import Ports
from arena.taggers.adapters.onnx.session import first_line
from arena.taggers.base import Pixels
from arena.taggers.preprocess import normalise, padding_of

Outputs = NDArray[np.float32]
"""What a graph gives for a batch, (n, tags), before any sigmoid."""


class Runner(Protocol):
    """A graph on its device."""

    def __call__(self, batch: Pixels) -> Outputs:
        """Outputs of a batch, as one run or one by one."""
        ...


class HostRunner:
    """A graph on the CPU."""

    def __init__(self, card: ModelCard, path: Path, ports: Ports, session: onnxruntime.InferenceSession) -> None:
        self._card = card
        self._path = path
        self._ports = ports
        self._session = session

    def __call__(self, batch: Pixels) -> Outputs:
        """Outputs of a batch, float32 (n, tags)."""
        return joined([self._run(part) for part in parts(batch, self._ports)])

    def _run(self, batch: Pixels) -> NDArray[Any]:
        image = normalise(batch, self._card.input)
        if not self._ports.channels_last:
            image = image.transpose(0, 3, 1, 2)
        feeds: dict[str, NDArray[Any]] = {
            self._ports.image: np.ascontiguousarray(image.astype(self._ports.dtype, copy=False))
        }
        if self._ports.mask:
            feeds[self._ports.mask] = padding_of(batch, self._card.preprocess)
        try:
            output: NDArray[Any] = self._session.run([self._ports.output], feeds)[0]
        except Exception as error:  # onnxruntime's own exceptions have no common base but Exception
            raise run_error(self._path, len(batch), error) from None
        return output


def parts(batch: Pixels, ports: Ports) -> list[Pixels]:
    """The batch as the graph takes it: whole, or picture by picture."""
    return list(np.split(batch, len(batch))) if ports.one_by_one and len(batch) else [batch]


def joined(outputs: list[NDArray[Any]]) -> Outputs:
    """The outputs of all parts, float32."""
    return np.concatenate(outputs).astype(np.float32, copy=False)


def run_error(path: Path, images: int, error: Exception) -> WeightsError:
    """onnxruntime's complaint about a run as one line."""
    line = first_line(str(error))
    if "allocate memory" in line or "out of memory" in line.lower():
        return WeightsError(f"{path}: no memory for a batch of {images}; take a smaller --batch-size")
    return WeightsError(f"{path}: the graph fails on a batch of {images} ({line}); try --batch-size 1")
