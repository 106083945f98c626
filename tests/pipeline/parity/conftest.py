"""A small real model as two ports, each with its own card, and pictures to run them on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arena.diagnostics.parity.verdict import ParityReport
from arena.pipeline.entrants import find_entrant
from arena.pipeline.parity.parity import ParityOptions, compare_ports
from arena.pipeline.stages import Compute
from tests.conftest import write_once, write_selected_tags

TAGS = 24

CARD = """
name = "port"
adapter = "onnx"
files = ["model.onnx", "selected_tags.csv"]
output = "{output}"
[preprocess]
resize = "{resize}"
pad_colour = {pad}
alpha = {alpha}
{more}
[input]
channels = "{channels}"
scale = {scale}
[thresholds]
default = 0.35
"""


def write_card(folder: Path, **change: object) -> None:
    told: dict[str, object] = {
        "output": "probabilities", "resize": "bicubic", "pad": [255, 255, 255], "alpha": [255, 255, 255],
        "channels": "bgr", "scale": 1.0, "more": "",
    }  # fmt: skip
    (folder / "card.toml").write_text(CARD.format(**(told | change)))


@pytest.fixture
def port(tmp_path: Path) -> Callable[..., str]:
    """Makes a port of the model with something changed on its card; returns NAME=PATH."""

    def make(name: str, **change: object) -> str:
        folder = tmp_path / name
        folder.mkdir()
        write_selected_tags(folder, [f"tag_{i}" for i in range(TAGS)])
        write_sensitive_onnx(folder / "model.onnx", TAGS)
        write_card(folder, **change)
        return f"{name}={folder}"

    return make


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Pictures with fine detail and different shapes, so that every filter and every padding changes scores."""
    return write_once(tmp_path / "pictures", "detailed", _draw_pictures)


def _draw_pictures(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(20):
        height, width = (int(side) for side in rng.integers(70, 160, 2))
        coarse = rng.integers(0, 256, (height // 3, width // 3, 3), np.uint8)
        Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST).save(folder / f"{number:02d}.png")


def write_sensitive_onnx(path: Path, tags: int, *, size: int = 32, sigmoid: bool = True, seed: int = 0) -> None:
    """Every pixel -> linear -> sigmoid, NHWC, BGR, 0 to 255; unlike a mean colour, its scores depend on single pixels."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(seed)
    weights = {
        "w": rng.normal(0, 2e-4, (size * size * 3, tags)).astype(np.float32),
        "b": rng.normal(-1, 1, tags).astype(np.float32),
    }
    nodes = [
        helper.make_node("Flatten", ["input"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]),
        helper.make_node("Sigmoid" if sigmoid else "Identity", ["logits"], ["output"]),
    ]
    first = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", size, size, 3])
    last = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", tags])
    initial = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "tiny", [first], [last], initial)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def rename_tags(spec: str, rename: Callable[[list[str]], list[str]]) -> None:
    """Replace a port's tag list, but not its graph."""
    folder = Path(spec.partition("=")[2])
    write_selected_tags(folder, rename([f"tag_{i}" for i in range(TAGS)]))


def compare_named(a: str, b: str, **options: object) -> ParityReport:
    """Compare two entrants named as on the command line; models run on the CPU."""
    how = ParityOptions(compute=Compute("cpu"), **options)  # type: ignore[arg-type]
    return compare_ports(find_entrant(a, root=how.root), find_entrant(b, root=how.root), how)


def compare(a: str, b: str, pictures: Path, **options: object) -> ParityReport:
    """Compare two entrants; models are run on pictures."""
    return compare_named(a, b, images=pictures, folder=pictures.parent / "scores", **options)


def compare_scores(files: dict[str, Path], **options: object) -> ParityReport:
    """Compare two files of scores."""
    a, b = (f"{name}={path}" for name, path in files.items())
    return compare_named(a, b, **options)
