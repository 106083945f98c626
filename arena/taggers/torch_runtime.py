"""Shared parts of the torch adapters: device, precision, and a network behind the interface."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from arena.base.errors import ArenaError
from arena.cards import InputSpec, ModelCard
from arena.taggers.base import Pixels, Probabilities, TimedScores
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
    return Runtime(chosen, precision_on(chosen.type, precision))


def precision_on(kind: str, precision: str) -> str:
    """Resolve `auto` to the precision of a kind of device, `cpu` or `cuda`.

    Raises:
        ArenaError: the CPU cannot run the precision.
    """
    if precision == "auto":
        return "fp16" if kind == "cuda" else "fp32"
    if precision == "fp16" and kind == "cpu":
        raise ArenaError("--precision fp16: the CPU runs fp32 or bf16 only; use one of them, or a CUDA device")
    return precision


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
        self._copies: torch.cuda.Stream | None = None

    @torch.inference_mode()
    def scores(self, batch: Pixels) -> Probabilities:
        """Return the probabilities of a batch, float32 (n, tags), in the order of `tags`."""
        probabilities: Probabilities = self._probabilities(to_device(batch, self._runtime.device)).cpu().numpy()
        return probabilities

    @torch.inference_mode()
    def begin(self, batch: Pixels) -> Callable[[], TimedScores]:
        """Start a batch, and return the function that waits for its scores; on CUDA this method does not wait for the device.

        Keep the batch unchanged until then. The pixels are copied on a stream of their own, so the copy runs while the network
        computes an earlier batch. The time is that between two events before and after the network, on the device.
        """
        device = self._runtime.device
        if device.type != "cuda":
            start = time.perf_counter()
            values = self.scores(batch)
            found = TimedScores(values, time.perf_counter() - start)
            return lambda: found
        with torch.cuda.device(device):
            pixels = self._copied_aside(batch)
            before, after, ready = (torch.cuda.Event(enable_timing=True) for _ in range(3))  # type: ignore[no-untyped-call]
            before.record()
            probabilities = self._probabilities(pixels)
            after.record()
            host = torch.empty(probabilities.shape, dtype=torch.float32, pin_memory=True)
            host.copy_(probabilities, non_blocking=True)
            ready.record()

        def wait() -> TimedScores:
            ready.synchronize()
            return TimedScores(host.numpy(), before.elapsed_time(after) / 1000)

        return wait

    def buffer(self, shape: tuple[int, ...]) -> Pixels:
        """Return an uninitialised array for a batch; on CUDA in pinned memory, which the device reads without the host."""
        room: Pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=self._runtime.device.type == "cuda").numpy()
        return room

    def _copied_aside(self, batch: Pixels) -> Tensor:
        """Copy pixels to the CUDA device on the stream for copies; the current stream then waits for them."""
        if self._copies is None:
            self._copies = torch.cuda.Stream(self._runtime.device)  # type: ignore[no-untyped-call]
        current = torch.cuda.current_stream(self._runtime.device)
        with torch.cuda.stream(self._copies):
            pixels = to_device(batch, self._runtime.device)
        current.wait_stream(self._copies)
        pixels.record_stream(current)
        return pixels

    def _probabilities(self, pixels: Tensor) -> Tensor:
        """Run the network on squares on its device, uint8 (n, size, size, 3); return float32 (n, tags) there."""
        device, precision = self._runtime
        with torch.autocast(device.type, _DTYPES[precision], enabled=precision != "fp32"):
            output: Tensor = self.network(normalised(pixels, self.card.input)).float()
        return torch.sigmoid(output) if self.card.output == "logits" else output


def to_device(batch: Pixels, device: torch.device) -> Tensor:
    """Return a batch of squares on a device, uint8 (n, size, size, 3); bytes are a quarter of the transfer of floats."""
    return torch.from_numpy(np.ascontiguousarray(batch)).to(device, non_blocking=True)


def normalised(pixels: Tensor, spec: InputSpec) -> Tensor:
    """Return the network's input from a batch of squares, float32 (n, 3, size, size), computed on the device of the pixels.

    The values are those of `preprocess.normalise`.
    """
    if spec.channels == "bgr":
        pixels = pixels.flip(-1)
    mean, std = _mean_and_std(spec, pixels.device)
    return ((pixels.float() / spec.scale - mean) / std).permute(0, 3, 1, 2)


@cache
def _mean_and_std(spec: InputSpec, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return both on a device; to make them there for every batch would wait for the network's earlier work."""
    return torch.tensor(spec.mean, device=device), torch.tensor(spec.std, device=device)


def to_input(batch: Pixels, spec: InputSpec, device: torch.device) -> Tensor:
    """Return the network's input from a batch of squares in memory, float32 (n, 3, size, size)."""
    return normalised(to_device(batch, device), spec)
