"""Parameters and operations against sums that a hand can check, and against the onnx library."""

from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena import taggers
from arena.cards import find_model
from arena.diagnostics.bench.operations import count_operations, graph_operations
from arena.taggers.files import weights
from arena.taggers.size import graph_parameters, model_size
from tests.conftest import REPOSITORY, Wd, write_onnx

TAGS = 37
CHANNELS = 24


def write_network(path: Path, *, batch: int | str = "n", external: bool = False) -> None:
    """Convolution 3 -> 24 at stride 2, one at half the groups, a matrix product with another's transpose, a Gemm."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weights = {
        "c1": rng.normal(size=(CHANNELS, 3, 3, 3)), "c2": rng.normal(size=(CHANNELS, CHANNELS // 2, 1, 1)),
        "g": rng.normal(size=(TAGS, CHANNELS)), "b": np.zeros(TAGS),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["input", "c1"], ["x1"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["x1"], ["x2"]),
        helper.make_node("Conv", ["x2", "c2"], ["x3"], group=2),
        helper.make_node("Reshape", ["x3", "shape"], ["x4"]),
        helper.make_node("Transpose", ["x4"], ["x5"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["x4", "x5"], ["x6"]),
        helper.make_node("ReduceMean", ["x6"], ["x7"], axes=[2], keepdims=0),
        helper.make_node("Gemm", ["x7", "g", "b"], ["x8"], transB=1),
        helper.make_node("Sigmoid", ["x8"], ["output"]),
    ]
    initial = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    initial.append(numpy_helper.from_array(np.array([0, CHANNELS, -1], np.int64), "shape"))
    first = helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, "h", "w"])
    last = helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, TAGS])
    graph = helper.make_graph(nodes, "small", [first], [last], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path, save_as_external_data=external, size_threshold=64, location="weights.data")


@pytest.mark.parametrize("external", [False, True])
@pytest.mark.parametrize("size", [32, 64])
def test_a_graphs_operations_are_those_of_its_shapes(tmp_path: Path, size: int, external: bool) -> None:
    write_network(tmp_path / "model.onnx", external=external)
    patches = (size // 2) ** 2
    first, grouped = CHANNELS * patches * 27, CHANNELS * patches * (CHANNELS // 2)
    expected = 2 * (first + grouped + CHANNELS * patches * CHANNELS + CHANNELS * TAGS)
    assert graph_operations(tmp_path / "model.onnx", size) == (expected, ())


@pytest.mark.parametrize("external", [False, True])
def test_a_graphs_parameters_are_its_initialisers_but_shapes(tmp_path: Path, external: bool) -> None:
    path = tmp_path / "model.onnx"
    write_network(path, external=external)
    assert graph_parameters(path) == CHANNELS * 27 + CHANNELS * CHANNELS // 2 + TAGS * CHANNELS + TAGS


def test_the_demo_graphs_parameters_are_what_the_onnx_library_reads() -> None:
    import onnx

    path = REPOSITORY / "models/wd14-demo/model.onnx"
    initial = onnx.load(path).graph.initializer
    assert graph_parameters(path) == sum(prod(one.dims) for one in initial if one.data_type == onnx.TensorProto.FLOAT)


def test_a_graph_and_its_torch_twin_have_the_same_operations() -> None:
    found = []
    for name in ("wd14-demo", "wd14-demo-timm"):
        card = find_model(name)
        tagger = taggers.load(card, device="cpu")
        pixels = np.zeros((1, tagger.preprocess.size, tagger.preprocess.size, 3), np.uint8)
        found.append(count_operations(tagger, weights.fetch_files(card), pixels).number)
    assert found[0] == found[1] > 1e8


def test_a_transformers_operations_are_its_products(joytag_folder: Path) -> None:
    tagger = taggers.load(find_model(f"x={joytag_folder}"), device="cpu")
    pixels = np.zeros((1, 64, 64, 3), np.uint8)
    config = tagger.network.config  # type: ignore[attr-defined]
    counted = count_operations(tagger, {}, pixels).number
    patches, width = 16, config.d_model
    block = 4 * patches * width * width + 2 * patches * width * config.mlp_dim + 2 * patches * patches * width
    assert counted is not None
    assert counted > 2 * config.num_blocks * block + 2 * width * config.n_tags, "attention is in it"
    assert counted == count_operations(tagger, {}, pixels).number


def test_size_counts_weights_and_no_text(joytag_folder: Path, onnx_folder: Wd) -> None:
    card = find_model(f"x={joytag_folder}")
    tagger = taggers.load(card, device="cpu")
    size = model_size(tagger, weights.fetch_files(card))
    assert size.parameters == sum(p.numel() for p in tagger.network.parameters())  # type: ignore[attr-defined]
    assert size.weight_bytes == (joytag_folder / "model.safetensors").stat().st_size
    card = find_model(f"y={onnx_folder.folder}")
    assert model_size(taggers.load(card, device="cpu"), weights.fetch_files(card)).parameters == 4 * len(
        onnx_folder.tags
    )


def test_an_operator_that_is_not_counted_is_named(tmp_path: Path) -> None:
    import onnx
    from onnx import helper

    write_onnx(tmp_path / "model.onnx", 5)
    model = onnx.load(tmp_path / "model.onnx")
    model.graph.node.insert(2, helper.make_node("Einsum", ["mean", "mean"], ["unused"], equation="abcd,abcd->a"))
    onnx.save(model, tmp_path / "model.onnx")
    assert graph_operations(tmp_path / "model.onnx", 64) == (2 * 3 * 5, ("Einsum",))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_number_or_none(content: bytes) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.onnx"
        path.write_bytes(content)
        found = graph_parameters(path)
        assert found is None or found >= 0


def test_a_graph_cut_short_has_no_known_number(tmp_path: Path) -> None:
    write_network(tmp_path / "model.onnx")
    content = (tmp_path / "model.onnx").read_bytes()
    (tmp_path / "model.onnx").write_bytes(content[:-20])
    assert graph_parameters(tmp_path / "model.onnx") is None
