"""Graphs as they are found: fixed batches, halves, several inputs and outputs, and files that are no graph."""

import builtins
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from arena.base.errors import ScoresError, WeightsError
from arena.cards import InputSpec, ModelCard, Preprocess, find_model
from arena.taggers import load
from arena.taggers.adapters.onnx import OnnxTagger
from arena.taggers.adapters.onnx.bound import BoundRunner
from arena.taggers.adapters.onnx.ports import read_graph_ports
from arena.taggers.adapters.onnx.session import open_graph
from arena.taggers.adapters.onnx.tagger import refuse_double_sigmoid
from arena.taggers.base import check_scores, tagger_notes
from arena.taggers.preprocess import find_padding, square
from tests.conftest import Wd, draw, write_onnx

SIZE = 16
TAGS = 22
HALF = TensorProto.FLOAT16
FULL = TensorProto.FLOAT


def save_graph(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    *,
    batch: int | str = "n",
    dtype: int = FULL,
    layout: str = "nhwc",
    outputs: Sequence[tuple[str, list]] = (("scores", [TAGS]),),
    weights: dict[str, np.ndarray] | None = None,
    mask: str = "",
    side: int | str = SIZE,
) -> None:
    """A graph of nodes from `image` (or `image` and a mask), with `w` (3, tags) and `b` (tags) at hand."""
    rng = np.random.default_rng(3)
    kind = np.float16 if dtype == HALF else np.float32
    own = {
        "w": rng.normal(0, 0.03, (3, TAGS)).astype(kind),
        "b": rng.normal(-2, 1, TAGS).astype(kind),
        **(weights or {}),
    }
    shape = [batch, side, side, 3] if layout == "nhwc" else [batch, 3, side, side]
    inputs = [helper.make_tensor_value_info("image", dtype, shape)]
    if mask:
        inputs.append(helper.make_tensor_value_info(mask, TensorProto.BOOL, [batch, side, side]))
    ends = [helper.make_tensor_value_info(name, dtype, [batch, *rest]) for name, rest in outputs]
    constants = [numpy_helper.from_array(array, name) for name, array in own.items()]
    graph = helper.make_graph(list(nodes), "g", inputs, ends, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def mean_colour(source: str = "image", layout: str = "nhwc") -> list[onnx.NodeProto]:
    """Nodes from pictures to their mean colour, `flat` (n, 3)."""
    axes = [1, 2] if layout == "nhwc" else [2, 3]
    return [helper.make_node("ReduceMean", [source], ["flat"], axes=axes, keepdims=0)]


HEAD = [helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]), helper.make_node("Sigmoid", ["logits"], ["scores"])]


def reshaped(*shape: int, then: Sequence[onnx.NodeProto] = ()) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    """A network that reshapes its pictures to a constant shape on the way: (1, tokens, 3)."""
    nodes = [helper.make_node("Reshape", ["image", "shape"], ["tokens"]), *then]
    last = "mixed" if then else "tokens"
    nodes += [helper.make_node("ReduceMean", [last], ["flat"], axes=[1], keepdims=0), *HEAD]
    return nodes, {"shape": np.asarray(shape, np.int64)}


@pytest.fixture
def folder(onnx_folder: Wd) -> Path:
    """A folder with a list of 22 tags, its graph still to be written over."""
    return onnx_folder.folder


def card_of(folder: Path, **changes: object) -> ModelCard:
    return replace(find_model(f"x={folder}"), **changes)  # type: ignore[arg-type]


def opened(card: ModelCard, device: str = "cpu") -> OnnxTagger:
    tagger = load(card, device=device)
    assert isinstance(tagger, OnnxTagger)
    return tagger


def pictures(tagger: OnnxTagger, images: int = 7) -> np.ndarray:
    return np.stack([square(np.asarray(draw(i)), tagger.preprocess) for i in range(images)])


def by_hand(folder: Path, pixels: np.ndarray, *, halves: bool = False) -> np.ndarray:
    """The scores of mean colour, `w`, `b` and a sigmoid, in numpy and double precision."""
    model = onnx.load(folder / "model.onnx")
    constants = {tensor.name: numpy_helper.to_array(tensor).astype(np.float64) for tensor in model.graph.initializer}
    colour = pixels[..., ::-1].astype(np.float16 if halves else np.float64).astype(np.float64).mean(axis=(1, 2))
    return 1 / (1 + np.exp(-(colour @ constants["w"] + constants["b"])))


def assert_batches_are_alike(tagger: OnnxTagger, atol: float = 1e-5) -> np.ndarray:
    pixels = pictures(tagger)
    whole = tagger.scores(pixels)
    check_scores("x", whole, images=7, tags=TAGS)
    np.testing.assert_allclose(whole, np.concatenate([tagger.scores(pixels[i : i + 1]) for i in range(7)]), atol=atol)
    assert whole.std(axis=0).max() > 1e-3, "the pictures are told apart"
    return whole


def test_a_batch_of_one_is_widened_where_that_changes_nothing(folder: Path) -> None:
    save_graph(folder / "model.onnx", [*mean_colour(), *HEAD], batch=1)
    tagger = opened(card_of(folder))
    [note] = tagger_notes(tagger)
    assert "its fixed batch size of 1 was removed; 3 images score equal in one batch and one by one" in note
    np.testing.assert_allclose(assert_batches_are_alike(tagger), by_hand(folder, pictures(tagger)), atol=1e-5)


def test_a_batch_of_one_inside_a_reshape_is_freed_too(folder: Path) -> None:
    nodes, weights = reshaped(1, SIZE * SIZE, 3)
    save_graph(folder / "model.onnx", nodes, batch=1, weights=weights)
    tagger = opened(card_of(folder))
    assert "was removed" in tagger_notes(tagger)[0]
    np.testing.assert_allclose(assert_batches_are_alike(tagger), by_hand(folder, pictures(tagger)), atol=1e-5)


def mixing_graph(folder: Path) -> None:
    """Widened, it still gives a row a picture, but each holds a mean over all: (-1, tokens, 3) less the mean of axis 0."""
    nodes = [
        *mean_colour(),
        helper.make_node("ReduceMean", ["flat"], ["over_batch"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["flat", "over_batch"], ["deviation"]),
        helper.make_node("Add", ["over_batch", "deviation"], ["sum"]),
        helper.make_node("Mul", ["over_batch", "half"], ["less"]),
        helper.make_node("Sub", ["sum", "less"], ["mixed"]),
        helper.make_node("Gemm", ["mixed", "w", "b"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
    ]
    save_graph(folder / "model.onnx", nodes, batch=1, weights={"half": np.float32([0.5])})


def test_a_graph_that_would_mix_pictures_runs_one_by_one_and_says_so(folder: Path) -> None:
    mixing_graph(folder)
    tagger = opened(card_of(folder))
    [note] = tagger_notes(tagger)
    assert "its graph runs image by image; in a larger batch, its scores differ by up to 0." in note
    assert_batches_are_alike(tagger)


def test_without_the_check_the_mixing_graph_would_be_wrong(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mixing_graph(folder)
    right = opened(card_of(folder))
    monkeypatch.setattr("arena.taggers.adapters.onnx.widen.MAX_BATCH_DIFFERENCE", 1.0)
    wrong = opened(card_of(folder))
    pixels = pictures(right)
    assert np.abs(right.scores(pixels) - wrong.scores(pixels)).max() > 0.01


def test_a_graph_that_refuses_a_wider_batch_runs_one_by_one(folder: Path) -> None:
    weights = {"first": np.zeros((1, SIZE, SIZE, 3), np.float32)}
    nodes = [helper.make_node("Concat", ["image", "first"], ["twice"], axis=1), *mean_colour("twice"), *HEAD]
    save_graph(folder / "model.onnx", nodes, batch=1, weights=weights)
    tagger = opened(card_of(folder))
    assert "larger batches fail, because the graph contains the batch size of 1 inside" in tagger_notes(tagger)[0]
    assert_batches_are_alike(tagger)


def test_equal_scores_prove_nothing_where_pictures_are_not_told_apart(folder: Path) -> None:
    weights = {"w": np.full((3, TAGS), 1e-9, np.float32)}
    save_graph(folder / "model.onnx", [*mean_colour(), *HEAD], batch=1, weights=weights)
    tagger = opened(card_of(folder))
    assert "its scores hardly differ between images" in tagger_notes(tagger)[0]


@pytest.mark.parametrize("batch", [2, 4, 7, 16])
def test_a_larger_fixed_batch_is_filled_up_and_cut(folder: Path, batch: int) -> None:
    save_graph(folder / "model.onnx", [*mean_colour(), *HEAD], batch=batch)
    tagger = opened(card_of(folder))
    assert tagger_notes(tagger) == (f"its graph takes {batch} images at a time; the last batch is filled up",)
    np.testing.assert_allclose(assert_batches_are_alike(tagger), by_hand(folder, pictures(tagger)), atol=1e-5)


@pytest.mark.parametrize("side", [SIZE, "side"])
def test_a_graph_in_another_layout_than_its_familys_needs_a_card(folder: Path, side: int | str) -> None:
    """As torch exports a WD network: NCHW, RGB, normalised."""
    save_graph(folder / "model.onnx", [*mean_colour(layout="nchw"), *HEAD], layout="nchw", side=side)
    with pytest.raises(
        WeightsError, match=r"family \(wd14\) have layout nhwc and take BGR; write card\.toml .* \[input\] layout"
    ) as told:
        opened(card_of(folder))
    assert "\n" not in str(told.value)
    (folder / "card.toml").write_text(
        'name = "x"\nadapter = "onnx"\nfiles = ["model.onnx", "selected_tags.csv"]\n[preprocess]\nsize = 16\n'
        '[input]\nlayout = "nchw"\nchannels = "rgb"\nscale = 255\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.25, 0.5]\n'
    )
    tagger = opened(card_of(folder))
    pixels = pictures(tagger)
    fed = (pixels[..., ::-1] / 255 - 0.5) / (0.5, 0.25, 0.5)  # by_hand turns the channels round
    np.testing.assert_allclose(tagger.scores(pixels), by_hand(folder, fed), atol=1e-5)


def test_a_family_without_one_layout_takes_both(folder: Path) -> None:
    (folder / "top_tags.txt").write_text("".join(f"tag_{i}\n" for i in range(TAGS)))
    (folder / "selected_tags.csv").unlink()
    for layout in ("nchw", "nhwc"):
        save_graph(folder / "model.onnx", [*mean_colour(layout=layout), *HEAD], layout=layout)
        opened(card_of(folder))


def test_joytags_own_graph_takes_what_its_network_takes(folder: Path) -> None:
    """As fancyfeast/joytag has it: NCHW, RGB, CLIP's mean and std, logits."""
    nodes = [*mean_colour(layout="nchw"), helper.make_node("Gemm", ["flat", "w", "b"], ["scores"])]
    scale = np.random.default_rng(5).normal(0, 2, (3, TAGS)).astype(np.float32)
    save_graph(folder / "model.onnx", nodes, layout="nchw", weights={"w": scale})
    (folder / "top_tags.txt").write_text("".join(f"tag_{i}\n" for i in range(TAGS)))
    (folder / "selected_tags.csv").unlink()
    tagger = opened(card_of(folder))
    assert tagger.tags.names[:2] == ("tag_0", "tag_1")
    pixels = pictures(tagger)
    fed = (pixels / 255 - (0.48145466, 0.4578275, 0.40821073)) / (0.26862954, 0.26130258, 0.27577711)
    np.testing.assert_allclose(tagger.scores(pixels), by_hand(folder, fed[..., ::-1]), atol=1e-5)


def test_a_graph_and_its_tag_list_under_one_name_score_as_under_the_usual_names(folder: Path) -> None:
    save_graph(folder / "model.onnx", [*mean_colour(), *HEAD])
    usual = opened(card_of(folder))
    for old, new in (("model.onnx", "wd-v1-4.onnx"), ("selected_tags.csv", "wd-v1-4.csv")):
        (folder / old).rename(folder / new)
    named = opened(card_of(folder))
    assert (named.tags, named.card.thresholds) == (usual.tags, usual.card.thresholds)
    assert np.array_equal(named.scores(pictures(named)), usual.scores(pictures(usual)))


@pytest.mark.parametrize(
    ("nodes", "output"),
    [
        (HEAD, "probabilities"),
        ([HEAD[0], helper.make_node("Softmax", ["logits"], ["scores"])], "probabilities"),
        (
            [HEAD[0], helper.make_node("Sigmoid", ["logits"], ["p"]), helper.make_node("Identity", ["p"], ["scores"])],
            "probabilities",
        ),
        ([helper.make_node("Gemm", ["flat", "w", "b"], ["scores"])], "logits"),
        ([HEAD[0], helper.make_node("Identity", ["logits"], ["scores"])], "logits"),
    ],
)
def test_logits_and_probabilities_are_told_from_the_last_operator(
    folder: Path, nodes: list[onnx.NodeProto], output: str
) -> None:
    save_graph(folder / "model.onnx", [*mean_colour(), *nodes])
    card = card_of(folder, output="auto")
    tagger = opened(card)
    assert tagger.card == card, "a loaded tagger is found by its card"
    assert np.array_equal(
        tagger.scores(pictures(tagger)), opened(replace(card, output=output)).scores(pictures(tagger))
    )


def test_without_the_package_a_batch_of_one_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_graph(folder / "model.onnx", [*mean_colour(), *HEAD], batch=1)
    real = builtins.__import__

    def without_onnx(name: str, *rest: object, **named: object) -> object:
        if name == "onnx":
            raise ImportError(name)
        return real(name, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_onnx)
    tagger = opened(card_of(folder))
    assert "arena[onnx]" in tagger_notes(tagger)[0]
    assert_batches_are_alike(tagger)


def test_a_free_batch_has_no_notes(folder: Path) -> None:
    assert tagger_notes(opened(card_of(folder))) == ()


@pytest.mark.parametrize("batch", [1, "n"])
def test_half_precision_comes_in_and_goes_out(folder: Path, batch: int | str) -> None:
    save_graph(folder / "model.onnx", [*mean_colour(), *HEAD], batch=batch, dtype=HALF)
    tagger = opened(card_of(folder))
    assert tagger.precision == "fp16"
    scores = assert_batches_are_alike(tagger)
    np.testing.assert_allclose(scores, by_hand(folder, pictures(tagger), halves=True), atol=5e-3)


@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
@pytest.mark.parametrize("batch", [1, "n"])
def test_both_layouts_by_the_graph_and_by_the_card(folder: Path, layout: str, batch: int | str) -> None:
    save_graph(folder / "model.onnx", [*mean_colour(layout=layout), *HEAD], batch=batch, layout=layout)
    card = card_of(folder, family="")
    tagger = opened(card)
    np.testing.assert_allclose(assert_batches_are_alike(tagger), by_hand(folder, pictures(tagger)), atol=1e-5)
    told = opened(replace(card, input=replace(card.input, layout=layout)))
    assert np.array_equal(told.scores(pictures(told)), tagger.scores(pictures(tagger)))
    other = "nchw" if layout == "nhwc" else "nhwc"
    with pytest.raises(WeightsError, match=f"layout {layout}, but the card has input.layout = '{other}'"):
        opened(replace(card, input=replace(card.input, layout=other)))


def test_a_side_left_open_is_the_cards(folder: Path) -> None:
    save_graph(folder / "model.onnx", [*mean_colour(), *HEAD], side="side")
    card = card_of(folder, preprocess=Preprocess(size=24))
    assert opened(card).preprocess.size == 24
    with pytest.raises(WeightsError, match=r"without a size; set preprocess\.size"):
        opened(replace(card, preprocess=Preprocess(size=0)))


MANY_OUTPUTS = [
    *mean_colour(),
    helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]),
    helper.make_node("Sigmoid", ["logits"], ["prediction"]),
]
MANY_ENDS = (("flat", [3]), ("logits", [TAGS]), ("prediction", [TAGS]))


def test_several_outputs_are_told_apart_by_name(folder: Path) -> None:
    save_graph(folder / "model.onnx", MANY_OUTPUTS, outputs=MANY_ENDS)
    told = opened(card_of(folder, output_name="prediction"))
    logits = opened(card_of(folder, output_name="logits", output="logits"))
    np.testing.assert_allclose(told.scores(pictures(told)), logits.scores(pictures(told)), atol=1e-6)
    with pytest.raises(
        WeightsError, match=r"has 3 \(output 'flat'\); set output_name to one that fits: logits, prediction"
    ):
        opened(card_of(folder))
    with pytest.raises(WeightsError, match=r"has no output 'predictions'.*output_name.* Did you mean prediction\?"):
        opened(card_of(folder, output_name="predictions"))


def test_an_input_by_name_and_a_mistyped_one(folder: Path) -> None:
    card = card_of(folder)
    assert opened(replace(card, input=replace(card.input, name="input"))).preprocess.size == 64
    with pytest.raises(
        WeightsError, match=r"has no input 'inputs', which the card names as input\.name\. Did you mean input\?"
    ):
        opened(replace(card, input=replace(card.input, name="inputs")))


def masked_graph(path: Path, batch: int | str = "n") -> None:
    """The mean over what is no padding: padding counts nothing."""
    nodes = [
        helper.make_node("Not", ["padding_mask"], ["seen"]),
        helper.make_node("Cast", ["seen"], ["weight"], to=FULL),
        helper.make_node("Unsqueeze", ["weight", "axis"], ["weights"]),
        helper.make_node("Mul", ["image", "weights"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "sides"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["weights", "sides"], ["count"], keepdims=0),
        helper.make_node("Div", ["sum", "count"], ["flat"]),
        *HEAD,
    ]
    weights = {"axis": np.asarray([3], np.int64), "sides": np.asarray([1, 2], np.int64)}
    save_graph(path, nodes, batch=batch, weights=weights, mask="padding_mask")


@pytest.mark.parametrize("batch", [1, "n"])
def test_a_padding_mask_is_fed(folder: Path, batch: int | str) -> None:
    masked_graph(folder / "model.onnx", batch)
    card = card_of(folder)
    with pytest.raises(WeightsError, match=r"the use of input 'padding_mask' is unknown"):
        opened(card)
    masked = replace(card, input=replace(card.input, padding_mask="padding_mask"))
    tagger = opened(masked)
    assert_batches_are_alike(tagger)
    plain = np.full((1, SIZE, SIZE, 3), 70, np.uint8)
    padded = plain.copy()
    padded[:, :3] = padded[:, -3:] = 255
    np.testing.assert_allclose(tagger.scores(padded), tagger.scores(plain), atol=1e-5)
    assert (batch == "n") == (tagger_notes(tagger) == ())


def test_the_mask_covers_centred_bands_and_nothing_of_the_picture() -> None:
    picture = np.full((1, 8, 8, 3), 90, np.uint8)
    wide = picture.copy()
    wide[:, :2] = wide[:, -3:] = 255
    assert find_padding(wide, Preprocess())[0].all(axis=1).tolist() == [True] * 2 + [False] * 3 + [True] * 3
    tall = np.ascontiguousarray(wide.transpose(0, 2, 1, 3))
    assert np.array_equal(find_padding(tall, Preprocess())[0], find_padding(wide, Preprocess())[0].T)
    sky = picture.copy()
    sky[:, :4] = 255
    assert not find_padding(sky, Preprocess()).any(), "a white sky on one side only is no padding"
    assert not find_padding(wide, Preprocess(pad="none")).any()


def test_bytes_are_fed_as_bytes(folder: Path) -> None:
    nodes = [helper.make_node("Cast", ["image"], ["full"], to=FULL), *mean_colour("full"), *HEAD]
    save_graph(folder / "model.onnx", nodes)
    model = onnx.load(folder / "model.onnx")
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    onnx.save(model, folder / "model.onnx")
    tagger = opened(card_of(folder))
    np.testing.assert_allclose(assert_batches_are_alike(tagger), by_hand(folder, pictures(tagger)), atol=1e-5)
    with pytest.raises(WeightsError, match="takes bytes, but the card scales them"):
        opened(card_of(folder, input=InputSpec(scale=255.0)))


def test_logits_that_are_probabilities_are_refused(folder: Path) -> None:
    tagger = opened(card_of(folder, output="logits"))
    with pytest.raises(ScoresError, match="if the graph contains a sigmoid"):
        tagger.scores(pictures(tagger))


def test_logits_are_judged_only_where_there_are_enough() -> None:
    refuse_double_sigmoid("x", np.full((1, 63), 0.5, np.float32))
    refuse_double_sigmoid("x", np.linspace(-0.1, 1, 640, dtype=np.float32)[None])
    with pytest.raises(ScoresError, match="all 64 values are in 0 to 1"):
        refuse_double_sigmoid("x", np.full((1, 64), 0.5, np.float32))


def test_missing_logits_are_refused_by_their_range(folder: Path) -> None:
    save_graph(folder / "model.onnx", MANY_OUTPUTS, outputs=MANY_ENDS)
    tagger = opened(card_of(folder, output_name="logits"))
    with pytest.raises(ScoresError, match="does this model need a sigmoid"):
        check_scores("x", tagger.scores(pictures(tagger)), images=7, tags=TAGS)


@pytest.mark.parametrize("batch", [1, None])
def test_weights_in_a_further_file(onnx_folder: Wd, batch: int | None) -> None:
    path = onnx_folder.folder / "model.onnx"
    write_onnx(path, TAGS, batch=batch)
    whole = opened(card_of(onnx_folder.folder))
    expected = whole.scores(pictures(whole))
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    apart = opened(card_of(onnx_folder.folder))
    np.testing.assert_allclose(apart.scores(pictures(whole)), expected, atol=1e-6)
    assert tagger_notes(apart) == tagger_notes(whole)
    data = onnx_folder.folder / "model.onnx.data"
    data.write_bytes(data.read_bytes()[:20])
    assert_one_line(onnx_folder.folder, r"its external data file cannot be used")
    data.unlink()
    assert_one_line(onnx_folder.folder, r"its external data \(model\.onnx\.data\) is missing; download it into")


def test_weights_in_a_further_file_of_a_cache_with_links(onnx_folder: Wd, tmp_path: Path) -> None:
    path = onnx_folder.folder / "model.onnx"
    write_onnx(path, TAGS, batch=1)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="model.onnx.data", size_threshold=0)
    (tmp_path / "blobs").mkdir()
    for name in ("model.onnx", "model.onnx.data"):
        (onnx_folder.folder / name).rename(tmp_path / "blobs" / f"{name}-digest")
        (onnx_folder.folder / name).symlink_to(tmp_path / "blobs" / f"{name}-digest")
    assert_batches_are_alike(opened(card_of(onnx_folder.folder)))


def assert_one_line(folder: Path, message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        opened(card_of(folder))
    assert str(caught.value).startswith(str(folder))
    assert "\n" not in str(caught.value)
    assert "onnxruntime_src" not in str(caught.value)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 378536310\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (POINTER, r"is a Git LFS pointer, not the graph; run git lfs pull"),
        (b"<!DOCTYPE html><html>", r"a web page, not a graph"),
        (b"", r"is empty; download it again"),
        (b"\x08\x08", r"cannot open it \(No graph was found in the protobuf\); the file may be truncated"),
        (bytes(range(1, 255)) * 20, r"cannot open it \(Protobuf parsing failed\)"),
    ],
)
def test_a_file_that_is_no_graph_is_one_line(folder: Path, content: bytes, message: str) -> None:
    (folder / "model.onnx").write_bytes(content)
    assert_one_line(folder, message)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_truncated_graph_is_one_line(folder: Path, part: float) -> None:
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content[: int(len(content) * part)])
    assert_one_line(folder, r"the file may be truncated, download it again")


def test_graphs_that_are_too_new_are_told_so(folder: Path) -> None:
    path = folder / "model.onnx"
    model = onnx.load(path)
    model.opset_import[0].version = 99
    onnx.save(model, path)
    assert_one_line(folder, r"Opset 99 is too new for onnxruntime .*; install a newer onnxruntime")
    model.opset_import[0].version, model.ir_version = 17, 99
    onnx.save(model, path)
    assert_one_line(folder, r"IR version: 99 is too new")
    model.ir_version, model.graph.node[1].op_type = 8, "Unheard"
    onnx.save(model, path)
    assert_one_line(folder, r"does not have one of its operators .*Unheard")


@pytest.mark.parametrize("declared", [True, False])
def test_another_number_of_tags_is_refused(folder: Path, declared: bool) -> None:
    save_graph(folder / "model.onnx", [*mean_colour(), *HEAD], outputs=[("scores", [TAGS if declared else "tags"])])
    path = folder / "selected_tags.csv"
    path.write_text(path.read_text() + "99,extra,0,1\n")
    with pytest.raises(
        WeightsError, match=r"23 tags, but the network of x has 22 \(output 'scores'\); take both files"
    ):
        opened(card_of(folder))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ([1, 3, 16], "it must be a batch of images with four axes"),
        (["n", 16, 16, 4], r"without 3 channels, but graphs of its family \(wd14\) have layout nhwc"),
        (["n", 16, 24, 3], "height and width must be equal"),
    ],
)
def test_an_input_that_takes_no_pictures_is_refused(folder: Path, shape: list, message: str) -> None:
    save_graph(folder / "model.onnx", [helper.make_node("Identity", ["image"], ["scores"])])
    model = onnx.load(folder / "model.onnx")
    first = helper.make_tensor_value_info("image", FULL, shape)
    model.graph.input[0].CopyFrom(first)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("scores", FULL, shape))
    onnx.save(model, folder / "model.onnx")
    with pytest.raises(WeightsError, match=message):
        opened(card_of(folder))


def test_a_free_batch_that_is_fixed_inside_fails_in_one_line(folder: Path) -> None:
    nodes, weights = reshaped(1, SIZE * SIZE, 3)
    save_graph(folder / "model.onnx", nodes, weights=weights)
    tagger = opened(card_of(folder))
    tagger.scores(pictures(tagger, 1))
    with pytest.raises(WeightsError, match=r"the graph fails on a batch of 7 .*try --batch-size 1") as caught:
        tagger.scores(pictures(tagger))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("kind", ["free", "one", "four", "half", "masked", "nchw"])
def test_bound_inputs_give_the_same_scores(folder: Path, kind: str, place: str) -> None:
    path = folder / "model.onnx"
    if kind == "masked":
        masked_graph(path)
    else:
        layout = "nchw" if kind == "nchw" else "nhwc"
        batch, dtype = {"one": 1, "four": 4}.get(kind, "n"), (HALF if kind == "half" else FULL)
        save_graph(path, [*mean_colour(layout=layout), *HEAD], batch=batch, dtype=dtype, layout=layout)
    card = card_of(folder, family="")
    card = replace(card, input=replace(card.input, padding_mask="padding_mask" if kind == "masked" else ""))
    plain = opened(card)
    session = open_graph(path, place)
    bound = BoundRunner(card, path, read_graph_ports(card, session, path), session, place=place)
    pixels = pictures(plain)
    np.testing.assert_allclose(
        bound(pixels), plain.scores(pixels), atol=5e-3 if kind == "half" and place != "cpu" else 1e-5
    )


@pytest.mark.gpu
@pytest.mark.parametrize("batch", [1, "n"])
def test_cuda_scores_as_the_cpu_does(folder: Path, batch: int | str) -> None:
    save_graph(folder / "model.onnx", [*mean_colour(), *HEAD], batch=batch)
    host, device = opened(card_of(folder)), opened(card_of(folder), device="cuda")
    assert device.device == "cuda:0"
    assert tagger_notes(device) == tagger_notes(host)
    np.testing.assert_allclose(device.scores(pictures(host)), host.scores(pictures(host)), atol=1e-5)
