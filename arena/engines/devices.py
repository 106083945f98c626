"""Which devices the workers of a command use: `--device` and `--workers`, and what a launcher says about this process."""

import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from arena.base.errors import ArenaError

_CUDA = re.compile(r"cuda:\d+")

_LOCAL_RANKS = ("LOCAL_RANK", "SLURM_LOCALID")
"""Variables in which torchrun and Slurm number the processes of one machine."""


class Placement(NamedTuple):
    """The devices of a command.

    Attributes:
        device: what scores depend on, as part of their key: `auto`, `cpu`, `cuda` or `cuda:N`.
        workers: the device of each worker; this process is the first.
    """

    device: str
    workers: tuple[str, ...]


def place_workers(device: str, workers: int = 1, environment: Mapping[str, str] = os.environ) -> Placement:
    """Return the device of each worker.

    Args:
        device: `auto`, `cpu`, `cuda`, `cuda:N`, `cuda:all`, or several `cuda:N` with commas.
        workers: number of workers per device.

    Raises:
        ArenaError: an entry of a list is not `cuda:N` or occurs twice, or `cuda:all` finds no device.

    >>> place_workers("cuda:0,cuda:2")
    Placement(device='cuda', workers=('cuda:0', 'cuda:2'))
    >>> place_workers("cpu", 3).workers
    ('cpu', 'cpu', 'cpu')
    """
    named = device.split(",")
    if device == "cuda:all":
        named = [f"cuda:{number}" for number in range(_cuda_devices())]
        if not named:
            raise ArenaError("--device cuda:all: this machine has no CUDA device; use auto or cpu")
    elif len(named) > 1:
        _refuse_no_list(device, named)
    elif device in ("auto", "cuda"):
        named = [_own_device(device, environment)]
    several = device == "cuda:all" or len(named) > 1
    return Placement("cuda" if several else device, tuple(one for one in named for _ in range(workers)))


def _refuse_no_list(device: str, named: list[str]) -> None:
    if wrong := [one for one in named if not _CUDA.fullmatch(one)]:
        raise ArenaError(
            f"--device {device}: {wrong[0]!r} is not cuda:N; a list names CUDA devices, such as cuda:0,cuda:1"
        )
    if len(set(named)) < len(named):
        raise ArenaError(f"--device {device}: a device is named twice; several workers of one device are --workers N")


def _own_device(device: str, environment: Mapping[str, str]) -> str:
    """Return the device of this process among those that a launcher started on this machine."""
    local = next((environment[name] for name in _LOCAL_RANKS if environment.get(name, "").isdecimal()), None)
    if local is None or (devices := _cuda_devices()) < 2:
        return device
    return f"cuda:{int(local) % devices}"


def _cuda_devices() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
