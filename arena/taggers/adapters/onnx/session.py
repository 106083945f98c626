"""Opening a graph: where it runs, and one clear line for each way in which it cannot."""

import os
import re
from pathlib import Path

import onnxruntime

from arena.base.errors import ArenaError, WeightsError

CPU = "cpu"
"""The place that every machine has; the others are `cuda:N`."""

SILENT = 4
"""onnxruntime's log severity: what fails is raised as well, and its warnings say nothing that a user can act on."""


def choose_place(device: str) -> str:
    """Resolve `auto`: `cpu`, or `cuda:N`.

    Raises:
        ArenaError: no such device, or this machine has none.
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
    """A session of the graph in a file, or of a rewritten one whose further data lie beside that file.

    Raises:
        WeightsError: the file holds no graph, is damaged, lacks its data, or is too new for this onnxruntime.
        ArenaError: CUDA cannot be started.
    """
    _refuse_stand_ins(path)
    options = _options()
    if content is not None:
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
    try:
        session = onnxruntime.InferenceSession(content or path, options, providers=_providers(place))
    except Exception as error:  # onnxruntime's own exceptions have no common base but Exception
        raise WeightsError(f"{path}: {explain(str(error))}") from None
    if place != CPU and session.get_providers()[0] != "CUDAExecutionProvider":
        raise ArenaError(f"--device {place}: onnxruntime could not start CUDA; use --device cpu, or mend its libraries")
    return session


def explain(message: str) -> str:
    """onnxruntime's complaint about a graph as what was seen and the fix."""
    ours = f"onnxruntime {onnxruntime.__version__}"
    line = first_line(message)
    if re.search(r"external (data|initializer)", message, re.IGNORECASE):
        return f"its weights lie in a further file beside it, which cannot be used ({line}); fetch that file again"
    if told := re.search(r"opset \d+|IR version: \d+", message, re.IGNORECASE):
        return f"{told[0]} is too new for {ours}; install a newer one"
    if re.search(r"is not a registered function|No Op registered|NOT_IMPLEMENTED", message):
        return f"an operator that {ours} does not have ({line}); install a newer one"
    return f"{ours} cannot open it ({line}); truncated? Fetch it again"


def first_line(message: str) -> str:
    """What onnxruntime says, without its error codes, the file's name and the places in its source.

    >>> first_line("[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load model from m.onnx failed:Protobuf parsing failed.")
    'Protobuf parsing failed'
    """
    line = (message.strip() or "no reason told").splitlines()[0]
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from .*? failed:)?", "", line)
    line = re.sub(r"\S+\.(cc|h):\d+ \S+ ", "", line)
    return line.rstrip(". ")


def _refuse_stand_ins(path: Path) -> None:
    """Raise where a file is what a download leaves instead of a graph: nothing, a pointer of Git LFS, a web page."""
    with path.open("rb") as file:
        start = file.read(64).lstrip()
    if not start:
        raise WeightsError(f"{path}: empty; fetch it again")
    if start.startswith(b"version https://git-lfs"):
        raise WeightsError(
            f"{path}: a pointer of Git LFS, not the graph itself; run: git lfs pull, or download the file"
        )
    if start[:5].lower() in (b"<!doc", b"<html"):
        raise WeightsError(f"{path}: a web page, not a graph; download the file itself")


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    options.intra_op_num_threads = os.cpu_count() or 1
    # Its threads would spin between two batches, and take the cores from the other models' networks.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _providers(place: str) -> list[str | tuple[str, dict[str, str]]]:
    if place == CPU:
        return ["CPUExecutionProvider"]
    onnxruntime.preload_dlls()
    settings = {
        "device_id": place.partition(":")[2],
        # TensorFloat-32 keeps 10 bits of the mantissa: no float32, and a batch of 7 would no longer equal seven of 1.
        "use_tf32": "0",
        # The exhaustive search runs again for every new batch size, and may choose otherwise the next time.
        "cudnn_conv_algo_search": "HEURISTIC",
    }
    return [("CUDAExecutionProvider", settings), "CPUExecutionProvider"]


def _cuda_devices() -> int:
    """How many devices the driver shows; asking onnxruntime itself prints an error where there is none."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
