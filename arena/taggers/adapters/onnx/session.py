"""Open a graph on a device, with a one-line error for each cause of failure."""

import ctypes
import re
import sys
from pathlib import Path

import onnxruntime

from arena.base.cores import usable_cores
from arena.base.errors import ArenaError, WeightsError

CPU = "cpu"
"""Name of the CPU as a place; the others are `cuda:N`."""

_FATAL_ONLY = 4
"""onnxruntime's log severity: only fatal messages. Errors are raised too, and its warnings need no action of the user."""


def resolve_onnx_device(device: str) -> str:
    """Resolve a device to `cpu` or `cuda:N`; `auto` is CUDA if onnxruntime and the driver have it, else the CPU.

    Raises:
        ArenaError: an unknown device, or a CUDA device that is not available.
    """
    kind, _, index = device.partition(":")
    if kind not in ("auto", "cpu", "cuda") or not (index or "0").isdigit():
        raise ArenaError(f"--device {device}: no such device; use auto, cpu, cuda or cuda:N")
    if kind == "cpu":
        return CPU
    has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers() and _cuda_devices() > int(index or 0)
    if kind == "cuda" and not has_cuda:
        raise ArenaError(f"--device {device}: onnxruntime finds no CUDA device; use auto or cpu")
    return f"cuda:{index or 0}" if has_cuda else CPU


def open_graph(path: Path, place: str, *, content: bytes | None = None) -> onnxruntime.InferenceSession:
    """Open a session with the graph of a file.

    Args:
        content: bytes of a rewritten graph to open instead; its external data files are in the file's folder.

    Raises:
        WeightsError: the file is not a graph, is damaged, lacks its external data, or is too new for this onnxruntime.
        ArenaError: CUDA cannot be started.
    """
    _refuse_failed_download(path)
    options = _options()
    if content is not None:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
    try:
        session = onnxruntime.InferenceSession(content or path, options, providers=_providers(place))
    except Exception as error:  # onnxruntime's exceptions have no other common base class
        raise WeightsError(f"{path}: {_explain_open_error(str(error))}") from None
    if place != CPU and session.get_providers()[0] != "CUDAExecutionProvider":
        raise ArenaError(f"--device {place}: onnxruntime could not start CUDA; use --device cpu, or fix its libraries")
    return session


def _explain_open_error(message: str) -> str:
    """Return the cause and the fix for onnxruntime's error message on opening a graph."""
    runtime = f"onnxruntime {onnxruntime.__version__}"
    line = onnxruntime_reason(message)
    if re.search(r"external (data|initializer)", message, re.IGNORECASE):
        return f"its external data file cannot be used ({line}); download that file again"
    if version := re.search(r"opset \d+|IR version: \d+", message, re.IGNORECASE):
        return f"{version[0]} is too new for {runtime}; install a newer onnxruntime"
    if re.search(r"is not a registered function|No Op registered|NOT_IMPLEMENTED", message):
        return f"{runtime} does not have one of its operators ({line}); install a newer onnxruntime"
    return f"{runtime} cannot open it ({line}); the file may be truncated, download it again"


def onnxruntime_reason(message: str) -> str:
    """Return the first line of an onnxruntime message, without error codes, file names and source locations.

    >>> onnxruntime_reason("[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load model from m.onnx failed:Protobuf parsing failed.")
    'Protobuf parsing failed'
    """
    line = (message.strip() or "no reason given").splitlines()[0]
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from .*? failed:)?", "", line)
    line = re.sub(r"\S+\.(cc|h):\d+ \S+ ", "", line)
    return line.rstrip(". ")


def _refuse_failed_download(path: Path) -> None:
    """Raise if a failed download left something else than a graph: an empty file, a Git LFS pointer, a web page."""
    with path.open("rb") as file:
        start = file.read(64).lstrip()
    if not start:
        raise WeightsError(f"{path}: is empty; download it again")
    if start.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path}: is a Git LFS pointer, not the graph; run git lfs pull, or download the file")
    if start[:5].lower() in (b"<!doc", b"<html"):
        raise WeightsError(f"{path}: is a web page, not a graph; download the file itself")


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = usable_cores()
    # Without this, its threads spin between two batches and take the cores from the other models' networks.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _providers(place: str) -> list[str | tuple[str, dict[str, str]]]:
    if place == CPU:
        return ["CPUExecutionProvider"]
    onnxruntime.preload_dlls()
    settings = {
        "device_id": place.partition(":")[2],
        # TensorFloat-32 keeps only 10 bits of the mantissa; a batch of 7 would then not equal seven batches of 1.
        "use_tf32": "0",
        # The exhaustive search runs again for every new batch size, and may choose another algorithm in the next run.
        "cudnn_conv_algo_search": "HEURISTIC",
    }
    return [("CUDAExecutionProvider", settings), "CPUExecutionProvider"]


def _cuda_devices() -> int:
    """Return the number of CUDA devices, from NVIDIA's driver, because onnxruntime prints an error if there is none."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    works = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if works else 0
