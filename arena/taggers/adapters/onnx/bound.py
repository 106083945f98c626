"""Run a graph on CUDA, with its inputs bound to device memory."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from arena.cards import ModelCard
from arena.taggers.adapters.onnx.ports import GraphPorts
from arena.taggers.adapters.onnx.runners import GraphOutputs, join_outputs, run_error, split_for_graph
from arena.taggers.base import Pixels
from arena.taggers.preprocess import find_padding
from arena.taggers.torch_runtime import to_input

_TORCH = {"float32": torch.float32, "float16": torch.float16, "float64": torch.float64, "uint8": torch.uint8}


class BoundRunner:
    """A graph on a torch device: pixels are transferred as bytes, normalised there, and bound without another copy.

    Args:
        place: `cuda:N`; `cpu` works too, for tests of the binding without a GPU.
    """

    def __init__(
        self, card: ModelCard, path: Path, ports: GraphPorts, session: onnxruntime.InferenceSession, *, place: str
    ) -> None:
        self._card = card
        self._path = path
        self._ports = ports
        self._session = session
        self._device = torch.device(place)

    def __call__(self, batch: Pixels) -> GraphOutputs:
        """Return the outputs of a batch, float32 (n, tags)."""
        return join_outputs([self._run(part) for part in split_for_graph(batch, self._ports)], len(batch))

    @torch.inference_mode()
    def _run(self, batch: Pixels) -> NDArray[Any]:
        tensors = self._tensors(batch)
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()  # onnxruntime reads on its own stream
        binding = self._session.io_binding()
        for name, tensor in tensors.items():
            element = np.bool_ if tensor.dtype == torch.bool else self._ports.dtype.type
            binding.bind_input(
                name, self._device.type, self._device.index or 0, element, tuple(tensor.shape), tensor.data_ptr()
            )
        binding.bind_output(self._ports.output)
        try:
            self._session.run_with_iobinding(binding)
        except Exception as error:  # onnxruntime's exceptions have no other common base class
            raise run_error(self._path, len(batch), error) from None
        output: NDArray[Any] = binding.copy_outputs_to_cpu()[0]
        return output

    def _tensors(self, batch: Pixels) -> dict[str, Tensor]:
        image = to_input(batch, self._card.input, self._device)
        if self._ports.channels_last:
            image = image.permute(0, 2, 3, 1)
        tensors = {self._ports.image: image.to(_TORCH[self._ports.dtype.name]).contiguous()}
        if self._ports.mask:
            tensors[self._ports.mask] = torch.from_numpy(find_padding(batch, self._card.preprocess)).to(self._device)
        return tensors
