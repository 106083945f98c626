"""Run a graph on a batch of pixels."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from arena.base.errors import WeightsError
from arena.cards import ModelCard
from arena.taggers.adapters.onnx.ports import GraphPorts
from arena.taggers.adapters.onnx.session import onnxruntime_reason
from arena.taggers.base import Pixels
from arena.taggers.preprocess import find_padding, normalise

GraphOutputs = NDArray[np.float32]
"""A graph's output for a batch, (n, tags), before any sigmoid."""


class GraphRunner(Protocol):
    """A function that runs a graph on its device."""

    def __call__(self, batch: Pixels) -> GraphOutputs:
        """Return the outputs of a batch, float32 (n, tags), from one run, or several if the graph has a fixed batch size."""
        ...


class HostRunner:
    """A graph on the CPU."""

    def __init__(self, card: ModelCard, path: Path, ports: GraphPorts, session: onnxruntime.InferenceSession) -> None:
        self._card = card
        self._path = path
        self._ports = ports
        self._session = session

    def __call__(self, batch: Pixels) -> GraphOutputs:
        """Return the outputs of a batch, float32 (n, tags)."""
        return join_outputs([self._run(part) for part in split_for_graph(batch, self._ports)], len(batch))

    def _run(self, batch: Pixels) -> NDArray[Any]:
        image = normalise(batch, self._card.input)
        if not self._ports.channels_last:
            image = image.transpose(0, 3, 1, 2)
        feeds: dict[str, NDArray[Any]] = {
            self._ports.image: np.ascontiguousarray(image.astype(self._ports.dtype, copy=False))
        }
        if self._ports.mask:
            feeds[self._ports.mask] = find_padding(batch, self._card.preprocess)
        try:
            output: NDArray[Any] = self._session.run([self._ports.output], feeds)[0]
        except Exception as error:  # onnxruntime's exceptions have no other common base class
            raise run_error(self._path, len(batch), error) from None
        return output


def split_for_graph(batch: Pixels, ports: GraphPorts) -> list[Pixels]:
    """Return the batches for the graph: the whole batch, or parts of the graph's fixed batch size.

    The last part is filled up with copies of the last image; `join_outputs` removes their rows.
    """
    if not ports.batch or not len(batch):
        return [batch]
    missing = -len(batch) % ports.batch
    filled = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
    return list(np.split(filled, len(filled) // ports.batch))


def join_outputs(outputs: list[NDArray[Any]], images: int) -> GraphOutputs:
    """Return the outputs of all parts as one array, float32 (n, tags), without the rows of added images.

    Args:
        images: number of images in the batch.
    """
    return np.concatenate(outputs)[:images].astype(np.float32, copy=False)


def run_error(path: Path, images: int, error: Exception) -> WeightsError:
    """Return the one-line error for a failed run of onnxruntime."""
    line = onnxruntime_reason(str(error))
    if "allocate memory" in line or "out of memory" in line.lower():
        return WeightsError(f"{path}: not enough memory for a batch of {images}; use a smaller --batch-size")
    return WeightsError(f"{path}: the graph fails on a batch of {images} ({line}); try --batch-size 1")
