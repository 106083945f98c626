"""What the torch adapters share: device, precision, and a network behind the interface."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from arena.base.errors import ArenaError
from arena.cards import InputSpec, ModelCard
from arena.taggers.base import Pixels, Scores
from arena.tags import TagSpace

_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class Runtime(NamedTuple):
    """Where and how a network runs."""

    device: torch.device
    precision: str


def choose_runtime(device: str, precision: str) -> Runtime:
    """Resolve `auto`, and refuse what this machine does not have."""
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
        raise ArenaError("--precision fp16: the CPU runs fp32 or bf16; use one of them, or a CUDA device")
    return Runtime(chosen, precision)


class TorchTagger:
    """A network in torch behind the interface; probabilities in the order of `tags`.

    Pixels travel as bytes and are normalised on the device; the network runs under autocast unless in fp32; the sigmoid is
    taken in float32.

    Args:
        size: side of the square that the network takes, pixels.
        notes: what a user should know of how the network was read, a line each.

    Attributes:
        network: the torch module itself, for whoever counts its parameters or operations.
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
    def scores(self, batch: Pixels) -> Scores:
        """Probabilities of a batch, float32 (n, tags)."""
        device, precision = self._runtime
        with torch.autocast(device.type, _DTYPES[precision], enabled=precision != "fp32"):
            output: Tensor = self.network(to_input(batch, self.card.input, device)).float()
        probabilities = torch.sigmoid(output) if self.card.output == "logits" else output
        return probabilities.cpu().numpy()


def to_input(batch: Pixels, spec: InputSpec, device: torch.device) -> Tensor:
    """The same numbers as `preprocess.normalise`, computed on the device from bytes: a quarter of the transfer."""
    pixels = torch.from_numpy(np.ascontiguousarray(batch)).to(device, non_blocking=True)
    if spec.channels == "bgr":
        pixels = pixels.flip(-1)
    mean = torch.tensor(spec.mean, device=device)
    std = torch.tensor(spec.std, device=device)
    return ((pixels.float() / spec.scale - mean) / std).permute(0, 3, 1, 2)
