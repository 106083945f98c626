"""The highest use of memory so far: of this process on the CPU, of the device on a GPU."""

import sys
from pathlib import Path
from typing import Protocol

from arena.taggers.base import Tagger

_STATUS = Path("/proc/self/status")


class Memory(Protocol):
    """Whose memory it is (`of`), and its peak in bytes; None where this system does not tell."""

    of: str

    def peak_bytes(self) -> int | None:
        """The highest use so far."""


class ProcessMemory:
    """Resident memory of this process.

    Linux is asked for the peak of this program alone: `getrusage` would also count the process that started it, whose memory
    is shared until the new program begins.
    """

    of = "process"

    def peak_bytes(self) -> int | None:
        """The highest use so far."""
        if _STATUS.exists():
            lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
            return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), None)
        try:
            import resource
        except ImportError:  # Windows
            return None
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak


class TorchMemory:
    """What torch has taken of a CUDA device, its cache included."""

    of = "device"

    def __init__(self, device: str) -> None:
        self.device = device

    def peak_bytes(self) -> int | None:
        """The highest use so far."""
        import torch

        return int(torch.cuda.max_memory_reserved(self.device))


class DeviceMemory:
    """What is in use of a CUDA device beyond what was in use at first; other processes on it disturb the figure.

    For libraries that do not tell their own use, such as onnxruntime, which gives back nothing of what it took.
    """

    of = "device"

    def __init__(self, device: str) -> None:
        self.device = device
        self.at_first = self._used()

    def peak_bytes(self) -> int | None:
        """The use beyond that at first."""
        return max(0, self._used() - self.at_first)

    def _used(self) -> int:
        import torch

        free, total = torch.cuda.mem_get_info(self.device)
        return int(total - free)


def memory_of(tagger: Tagger, before: DeviceMemory | None) -> Memory:
    """The memory that a tagger's network takes, told by where it runs; `before` was made before it was loaded."""
    if not tagger.device.startswith("cuda"):
        return ProcessMemory()
    if getattr(tagger, "network", None) is not None or before is None:
        return TorchMemory(tagger.device)
    return before


def device_memory(device: str) -> DeviceMemory | None:
    """The memory of the CUDA device that is asked for, or None where there is none."""
    if device == "cpu":
        return None
    import torch

    return DeviceMemory(device if device != "auto" else "cuda") if torch.cuda.is_available() else None
