"""What the torch adapters share: device, precision, and pixels on the device."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from arena.cards import InputSpec
from arena.errors import ArenaError
from arena.taggers.base import Pixels, Scores

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


@torch.inference_mode()
def run_network(network: nn.Module, batch: Pixels, spec: InputSpec, runtime: Runtime, *, logits: bool) -> Scores:
    """Normalise a batch on the device, run the network under autocast, and give probabilities in float32.

    Args:
        batch: uint8 (n, h, w, 3), red green blue.
        logits: whether the network ends before its sigmoid.
    """
    autocast = torch.autocast(runtime.device.type, _DTYPES[runtime.precision], enabled=runtime.precision != "fp32")
    with autocast:
        output = network(_to_input(batch, spec, runtime.device)).float()
    probabilities = torch.sigmoid(output) if logits else output
    scores: Scores = probabilities.cpu().numpy().astype(np.float32, copy=False)
    return scores


def _to_input(batch: Pixels, spec: InputSpec, device: torch.device) -> Tensor:
    """The same numbers as `preprocess.normalise`, computed on the device from bytes: a quarter of the transfer."""
    pixels = torch.from_numpy(np.ascontiguousarray(batch)).to(device, non_blocking=True)
    if spec.channels == "bgr":
        pixels = pixels.flip(-1)
    mean = torch.tensor(spec.mean, device=device)
    std = torch.tensor(spec.std, device=device)
    return ((pixels.float() / spec.scale - mean) / std).permute(0, 3, 1, 2)
