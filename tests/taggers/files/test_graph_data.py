"""Files beside an ONNX graph belong to the model: they are found in the graph, and wherever a model's files count."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from arena import cli, taggers
from arena.base.errors import WeightsError
from arena.base.files import digest_file
from arena.cards import ModelCard, find_model
from arena.pipeline.catalogue import list_models, pull_model
from arena.pipeline.check.check import check_candidate
from arena.pipeline.display_options import DisplayOptions
from arena.pipeline.paired import ComparisonOptions
from arena.pipeline.run import run_benchmark
from arena.pipeline.stages import Scoring
from arena.results.recipe import Settings
from arena.taggers.files import weights
from arena.taggers.files.graph_data import external_data_files, missing_external_data, with_external_data
from arena.taggers.size import model_size
from tests.conftest import REPOSITORY, Wd, write_onnx


def beside(name: str, location: str, *, external: bool = True) -> TensorProto:
    """A tensor whose numbers lie in a file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL if external else TensorProto.DEFAULT
    for key, value in (("offset", "0"), ("location", location), ("length", "16")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def inside(name: str) -> TensorProto:
    return numpy_helper.from_array(np.zeros(1000, np.float32), name)


def constant(**attribute: object) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["y"], **attribute)


def of(*nodes: onnx.NodeProto, initial: tuple[TensorProto, ...] = ()) -> onnx.GraphProto:
    return helper.make_graph(list(nodes), "g", [], [], list(initial))


def everywhere() -> onnx.ModelProto:
    """Tensors in files in every place that a model has for tensors."""
    sparse = onnx.SparseTensorProto(values=beside("v", "values"), indices=beside("i", "indices"), dims=[9])
    graph = of(
        constant(value=beside("a", "attribute")),
        helper.make_node("If", ["x"], ["y"], then_branch=of(initial=(beside("t", "then"),)), else_branch=of()),
        initial=(inside("whole"), beside("w", "model.onnx_data"), beside("again", "model.onnx_data")),
    )
    several = onnx.NodeProto(op_type="Own")
    several.attribute.add(name="ts", type=onnx.AttributeProto.TENSORS).tensors.append(beside("m", "many"))
    deep = of(constant(sparse_value=onnx.SparseTensorProto(values=beside("d", "deep"), dims=[9])))
    several.attribute.add(name="gs", type=onnx.AttributeProto.GRAPHS).graphs.append(deep)
    graph.node.append(several)
    graph.sparse_initializer.append(sparse)
    model = helper.make_model(graph)
    function = model.functions.add(name="f", domain="own")
    function.node.append(constant(value=beside("f", "function")))
    function.attribute_proto.append(helper.make_attribute("default", beside("e", "default")))
    return model


def saved(folder: Path, model: onnx.ModelProto) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_every_place_of_a_tensor_is_looked_into(tmp_path: Path) -> None:
    found = external_data_files(saved(tmp_path, everywhere()))
    assert sorted(found) == sorted(
        ["model.onnx_data", "values", "indices", "attribute", "then", "many", "deep", "function", "default"]
    )


def test_a_graph_that_holds_its_weights_names_no_file(tmp_path: Path) -> None:
    assert external_data_files(REPOSITORY / "models/wd14-demo/model.onnx") == ()
    model = helper.make_model(of(initial=(beside("w", "unused", external=False), inside("whole"))))
    assert external_data_files(saved(tmp_path, model)) == ()


@pytest.mark.parametrize("one_file", [True, False])
def test_what_the_onnx_library_writes_is_what_is_found(tmp_path: Path, one_file: bool) -> None:
    model = onnx.load(REPOSITORY / "models/wd14-demo/model.onnx")
    path = tmp_path / "graph" / "model.onnx"
    path.parent.mkdir()
    onnx.save(model, path, save_as_external_data=True, all_tensors_to_one_file=one_file, size_threshold=100)
    written = {file.name for file in path.parent.iterdir()} - {"model.onnx"}
    assert len(written) > (0 if one_file else 10)
    assert set(external_data_files(path)) == written


@given(st.binary(max_size=60))
def test_no_bytes_are_a_traceback(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "model.onnx"
    path.write_bytes(content)
    assert isinstance(external_data_files(path), tuple)


def test_a_graph_that_is_cut_short_or_no_file_names_none(tmp_path: Path) -> None:
    path = saved(tmp_path, everywhere())
    path.write_bytes(path.read_bytes()[:-3])
    assert external_data_files(path) == ()
    assert external_data_files(tmp_path) == external_data_files(tmp_path / "none.onnx") == ()


@pytest.mark.parametrize(
    "location",
    ["../weights", "a/../../weights", "/etc/passwd", "C:\\weights", "", ".", "..", "//server/weights", "a/.."],
)
def test_a_file_outside_the_folder_is_refused(tmp_path: Path, location: str) -> None:
    path = saved(tmp_path, helper.make_model(of(initial=(beside("w", location),))))
    with pytest.raises(WeightsError, match="outside the graph's folder") as caught:
        external_data_files(path)
    assert str(caught.value).startswith(f"{path}: its external data file is {location!r}")


def test_a_file_is_named_as_the_graph_is_below_the_models_folder(tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    path = saved(tmp_path / "onnx", helper.make_model(of(initial=(beside("w", "./data/w.bin"),))))
    whole = with_external_data({"onnx/model.onnx": path, "tags.csv": tmp_path / "tags.csv"})
    assert list(whole) == ["onnx/model.onnx", "tags.csv", "onnx/data/w.bin"]
    assert whole["onnx/data/w.bin"] == tmp_path / "onnx/data/w.bin"
    missing = missing_external_data({"onnx/model.onnx": path})
    assert missing == (f"{path}: its external data (data/w.bin) is missing; download it into {tmp_path / 'onnx/data'}")
    (tmp_path / "onnx/data").mkdir()
    (tmp_path / "onnx/data/w.bin").touch()
    assert missing_external_data({"onnx/model.onnx": path}) == ""


@pytest.fixture
def split(onnx_folder: Wd) -> Path:
    """A graph in SmilingWolf's layout, its weights in `model.onnx_data`."""
    return write_split(onnx_folder.folder, seed=0)


def write_split(folder: Path, *, seed: int) -> Path:
    path = folder / "model.onnx"
    write_onnx(path, len((folder / "selected_tags.csv").read_text().splitlines()) - 1, seed=seed)
    (folder / "model.onnx_data").unlink(missing_ok=True)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="model.onnx_data", size_threshold=0)
    return folder


def card_of(folder: Path) -> ModelCard:
    return find_model(f"x={folder}")


def test_other_weights_beside_the_same_graph_are_another_model(split: Path, tmp_path: Path) -> None:
    before, graph = taggers.identify(card_of(split)), digest_file(split / "model.onnx")
    write_split(split, seed=1)
    assert digest_file(split / "model.onnx") == graph
    assert taggers.identify(card_of(split)) != before


def test_size_and_digest_are_of_all_files(split: Path) -> None:
    card = card_of(split)
    files = weights.fetch_files(card)
    assert list(files) == ["model.onnx", "selected_tags.csv", "model.onnx_data"]
    sizes = {name: path.stat().st_size for name, path in files.items()}
    assert (
        model_size(taggers.load(card, device="cpu"), files).weight_bytes
        == sizes["model.onnx"] + sizes["model.onnx_data"]
    )
    fetched = pull_model(card)
    assert (fetched.files, fetched.size_bytes) == (3, sum(sizes.values()))


def test_a_card_may_list_them_and_pin_their_digest(split: Path) -> None:
    card = replace(card_of(split), files=("model.onnx", "model.onnx_data", "selected_tags.csv"))
    assert list(weights.fetch_files(card)) == list(card.files)
    pinned = replace(card_of(split), sha256={"model.onnx_data": "0" * 64})
    with pytest.raises(WeightsError, match=r"model\.onnx_data: SHA-256 is .* the card of x says 000000000000"):
        weights.fetch_files(pinned)


def test_missing_weights_are_one_line_that_names_them(split: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (split / "model.onnx_data").unlink()
    assert weights.find_files(card_of(split)) is None
    with pytest.raises(SystemExit) as ended:
        cli.main(["verify", f"x={split}"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "its external data (model.onnx_data) is missing" in told
    assert len(told.strip().splitlines()) == 1


def test_a_list_of_models_goes_on_where_a_graph_names_a_file_outside(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "bad"
    folder.mkdir(parents=True)
    saved(folder, helper.make_model(of(initial=(beside("w", "../weights"),))))
    (tmp_path / "models" / "bad.toml").write_text('name = "bad"\nadapter = "onnx"\nfiles = ["model.onnx"]')
    listed = {model.name: model for model in list_models(tmp_path)}
    assert listed["bad"].size_bytes is None


def test_verify_tells_what_to_write_into_the_card(split: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["verify", f"x={split}"])
    told = capsys.readouterr().out
    assert f"files = {json.dumps(['model.onnx', 'selected_tags.csv', 'model.onnx_data'])}" in told
    assert f'"model.onnx_data" = "{digest_file(split / "model.onnx_data")}"' in told


@pytest.mark.usefixtures("no_page")
def test_changed_weights_are_scored_again_and_the_gate_knows_them(
    split: Path, drawn_dataset: Path, tmp_path: Path
) -> None:
    old = shutil.copytree(split, tmp_path / "old")
    plain = Scoring(Settings(replicates=0))
    folder = run_benchmark([f"x={split}"], str(drawn_dataset), tmp_path / "run", scoring=plain)
    first = told(folder)
    write_split(split, seed=1)
    run_benchmark([f"x={split}"], str(drawn_dataset), tmp_path / "run", scoring=plain)
    fresh = run_benchmark([f"x={split}"], str(drawn_dataset), tmp_path / "fresh", scoring=plain)
    assert told(folder)["weights"] == told(fresh)["weights"] != first["weights"]
    scores = [np.load(one / "scores/x/00000.npy") for one in (folder, fresh)]
    assert np.array_equal(*scores)
    asked = ComparisonOptions(dataset=str(drawn_dataset), replicates=0, showing=DisplayOptions("none"))
    found = check_candidate(f"b={split}", baseline=f"a={old}", output=tmp_path / "check", asked=asked)
    [canary] = [case for case in found.verdict.cases if case.gate == "canary"]
    assert canary.message == "not judged: the weights differ"


def told(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / "run.json").read_text())["models"]["x"]
    return content
