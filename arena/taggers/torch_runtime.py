"""Shared parts of the torch adapters: device, precision, and a network behind the interface."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from arena.base.errors import ArenaError
from arena.cards import InputSpec, ModelCard
from arena.taggers.base import Pixels, Probabilities
from arena.tags import TagSpace

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class Runtime(NamedTuple):
    """The device and the precision of a network."""

    device: torch.device
    precision: str


def choose_runtime(device: str, precision: str) -> Runtime:
    """Resolve `auto` to a device and a precision.

    Raises:
        ArenaError: the device does not exist on this machine, or the CPU cannot run the precision.
    """
    try:
        chosen = (
            torch.device("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else torch.device(device)
        )
    except RuntimeError:
        raise ArenaError(f"--device {device}: no such device; use auto, cpu, cuda or cuda:N") from None
    if chosen.type not in ("cpu", "cuda"):
        raise ArenaError(f"--device {device}: no such device; use auto, cpu, cuda or cuda:N")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ArenaError(
            f"--device {device}: this machine has {torch.cuda.device_count()} CUDA devices; use auto or cpu"
        )
    if precision == "auto":
        return Runtime(chosen, "fp16" if chosen.type == "cuda" else "fp32")
    if precision == "fp16" and chosen.type == "cpu":
        raise ArenaError("--precision fp16: the CPU runs fp32 or bf16 only; use one of them, or a CUDA device")
    return Runtime(chosen, precision)


class TorchTagger:
    """A torch network behind the interface.

    Pixels are transferred as bytes and normalised on the device. The network runs under autocast unless the precision is fp32.
    The sigmoid is computed in float32.

    Args:
        size: side of the network's input square, pixels.
        notes: notes for the user on how the network was read, one line each.

    Attributes:
        network: the torch module, from which parameters and operations are counted.
    """

    def __init__(
        self,
        card: ModelCard,
        tags: TagSpace,
        network: nn.Module,
        *,
        size: int,
        runtime: Runtime,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.card = card
        self.tags = tags
        self.preprocess = replace(card.preprocess, size=size)
        self.precision = runtime.precision
        self.device = str(runtime.device)
        self.notes = notes
        self.network = network.eval().to(runtime.device)
        self._runtime = runtime

    @torch.inference_mode()
    def scores(self, batch: Pixels) -> Probabilities:
        """Return the probabilities of a batch, float32 (n, tags), in the order of `tags`."""
        device, precision = self._runtime
        with torch.autocast(device.type, _DTYPES[precision], enabled=precision != "fp32"):
            output: Tensor = self.network(to_input(batch, self.card.input, device)).float()
        probabilities = torch.sigmoid(output) if self.card.output == "logits" else output
        return probabilities.cpu().numpy()


def to_input(batch: Pixels, spec: InputSpec, device: torch.device) -> Tensor:
    """Return the network's input from a batch of squares, float32 (n, 3, size, size).

    The values are those of `preprocess.normalise`, computed on the device, because bytes are a quarter of the transfer.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(batch)).to(device, non_blocking=True)
    if spec.channels == "bgr":
        pixels = pixels.flip(-1)
    mean = torch.tensor(spec.mean, device=device)
    std = torch.tensor(spec.std, device=device)
    return ((pixels.float() / spec.scale - mean) / std).permute(0, 3, 1, 2)
