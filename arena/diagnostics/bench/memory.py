"""Peak memory so far: of this process on the CPU, of the device on a GPU."""

import sys
from pathlib import Path
from typing import Protocol

from arena.taggers.base import Tagger

_STATUS = Path("/proc/self/status")


class Memory(Protocol):
    """A source of peak memory; `of` is `process` or `device`."""

    of: str

    def peak_bytes(self) -> int | None:
        """Return the peak so far in bytes; None if the system does not report it."""


class ProcessMemory:
    """Resident memory of this process.

    On Linux the peak comes from /proc/self/status, which counts this program only. `getrusage` would also count the process
    that started it, because a forked child shares its memory until the new program begins.
    """

    of = "process"

    def peak_bytes(self) -> int | None:
        """Return the peak so far in bytes; None on Windows."""
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
    """Memory of a CUDA device that torch has reserved, including its cache."""

    of = "device"

    def __init__(self, device: str) -> None:
        self.device = device

    def peak_bytes(self) -> int | None:
        """Return the peak so far in bytes."""
        import torch

        return int(torch.cuda.max_memory_reserved(self.device))


class DeviceMemory:
    """Memory of a CUDA device that is in use now but was not when this object was made.

    For libraries that do not report their own use. The present use equals the peak for onnxruntime, which never frees device
    memory. Other processes on the device distort the value.
    """

    of = "device"

    def __init__(self, device: str) -> None:
        self.device = device
        self.at_first = self._used()

    def peak_bytes(self) -> int | None:
        """Return the increase of the device's used memory in bytes."""
        return max(0, self._used() - self.at_first)

    def _used(self) -> int:
        import torch

        free, total = torch.cuda.mem_get_info(self.device)
        return int(total - free)


def memory_of(tagger: Tagger, before: DeviceMemory | None) -> Memory:
    """Return the memory to watch for a tagger, depending on its device.

    Args:
        before: made before the tagger was loaded; None without a CUDA device.
    """
    if not tagger.device.startswith("cuda"):
        return ProcessMemory()
    if getattr(tagger, "network", None) is not None or before is None:
        return TorchMemory(tagger.device)
    return before


def device_memory(device: str) -> DeviceMemory | None:
    """Return the memory of the CUDA device named by `device`; None for `cpu` or without CUDA."""
    if device == "cpu":
        return None
    import torch

    return DeviceMemory(device if device != "auto" else "cuda") if torch.cuda.is_available() else None
