"""Optional packages: which extra installs a module, and the error if it is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

from arena.base.errors import ArenaError

DISTRIBUTION = "tagger-arena"
"""Name of the project on package indexes. The name `arena` belongs to another project there."""

EXTRA_OF = {
    "torch": "torch", "torchvision": "torch", "timm": "torch", "safetensors": "torch",
    "onnxruntime": "onnx", "onnx": "onnx",
    "cv2": "opencv", "pillow_heif": "heif", "pillow_jxl": "jxl", "starlette": "view", "uvicorn": "view",
    "ray": "ray", "obstore": "s3",
}  # fmt: skip
"""The extra that installs each optional module."""


def install_command(extra: str) -> str:
    """Return the command that installs an extra.

    >>> install_command("torch")
    'pip install "tagger-arena[torch]"'
    """
    return f'pip install "{DISTRIBUTION}[{extra}]"'


def missing_extra(error: ImportError) -> str | None:
    """Return the extra whose package an import did not find; None if the module is of no extra, or is there but broken.

    >>> missing_extra(ModuleNotFoundError("No module named 'timm.data'", name="timm.data"))
    'torch'
    >>> missing_extra(ImportError("libtorch_cpu.so: cannot open shared object file", name="torch")) is None
    True
    """
    return EXTRA_OF.get((error.name or "").partition(".")[0]) if isinstance(error, ModuleNotFoundError) else None


def describe_missing(error: ImportError, extra: str) -> str:
    """Return what is not installed, and the command that installs it.

    >>> describe_missing(ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime"), "onnx")
    'onnxruntime is not installed; run: pip install "tagger-arena[onnx]" (with a CUDA device: tagger-arena[onnx-gpu])'
    """
    gpu = f" (with a CUDA device: {DISTRIBUTION}[onnx-gpu])" if extra == "onnx" else ""
    return f"{(error.name or '').partition('.')[0]} is not installed; run: {install_command(extra)}{gpu}"


@contextmanager
def extras_for(user: str) -> Iterator[None]:
    """Import optional packages in a block.

    Args:
        user: what needs the packages, for the error.

    Raises:
        ArenaError: a package of an extra is not installed; the line has the command that installs it.
    """
    try:
        yield
    except ImportError as error:
        if (extra := missing_extra(error)) is None:
            raise
        raise ArenaError(f"{user}: {describe_missing(error, extra)}") from None
