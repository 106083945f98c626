"""Faults planted in one of two ports of a real model are found and named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from arena import taggers
from arena.base.errors import ArenaError, IncomparableError, ScoresError
from arena.cards import find_model
from arena.diagnostics.parity.verdict import Tolerances
from arena.pipeline.stages import Compute

from .conftest import TAGS, compare, compare_scores, rename_tags, write_card, write_sensitive_onnx

Port = Callable[..., str]


def test_copies_are_identical(port: Port, pictures: Path) -> None:
    report = compare(port("a"), port("b"), pictures)
    assert report.verdict.word == "identical"
    assert report.verdict.same
    assert report.finding is None
    assert report.parity.largest == 0
    assert report.parity.worst_images == report.parity.worst_tags == ()
    assert report.parity.images == 20


@pytest.mark.parametrize(
    ("change", "cause", "says"),
    [
        ({"channels": "rgb"}, "channels", "its channels are swapped (BGR, where it has RGB)"),
        ({"resize": "lanczos"}, "resize", "it is resized by BICUBIC, not LANCZOS"),
        ({"pad": [0, 0, 0]}, "pad", "it is padded with white, not black"),
        ({"scale": 255.0}, "range", "its input is scaled to 0 to 255"),
    ],
    ids=str,
)
def test_a_fault_on_the_card_is_named(
    port: Port, pictures: Path, change: dict[str, object], cause: str, says: str
) -> None:
    report = compare(port("a"), port("b", **change), pictures)
    assert report.verdict.word == "different"
    assert report.finding is not None
    assert (report.finding.cause, report.finding.says) == (cause, says)
    assert report.finding.agrees
    assert report.finding.after < 1e-5 < 1e-3 < report.finding.before


def test_another_colour_behind_transparency_is_named(port: Port, pictures: Path) -> None:
    for path in pictures.iterdir():
        image = Image.open(path).convert("RGBA")
        image.putalpha(120)
        image.save(path)
    report = compare(port("a"), port("b", alpha=[0, 0, 0]), pictures)
    assert report.finding is not None
    assert (report.finding.cause, report.finding.says) == ("alpha", "transparent pixels are filled with white")


@pytest.mark.parametrize(("library", "name"), [("pil", "box"), ("torch", "bilinear")])
def test_the_filter_of_another_library_is_named(port: Port, pictures: Path, library: str, name: str) -> None:
    a, b = port("a", resize=f'{name}"\nlibrary = "{library}'), port("b")
    report = compare(a, b, pictures)
    assert report.finding is not None
    assert report.finding.cause == "resize"
    assert report.finding.agrees


BEFORE, AFTER, SQUASHED = "padded to a square, then resized", "resized to fit, then padded", "squashed"


@pytest.mark.parametrize(
    ("right", "wrong", "cause", "says"),
    [
        ('pad = "after"', 'pad = "before"', "layout", f"it is {AFTER}, not {BEFORE}"),
        ('pad = "before"', 'pad = "after"', "layout", f"it is {BEFORE}, not {AFTER}"),
        ('pad = "none"', 'pad = "before"', "layout", f"it is {SQUASHED}, not {BEFORE}"),
        ('pad = "none"', 'pad = "after"', "layout", f"it is {SQUASHED}, not {AFTER}"),
        ('pad = "before"', 'pad = "none"', "layout", "it is padded with white to a square, then resized, not squashed"),
        ('pad = "after"', 'pad = "none"', "layout", "it is resized to fit, then padded with white, not squashed"),
        ('pad_mode = "edge"', 'pad = "none"', "layout", f"it is {BEFORE}, with its edges, not squashed"),
        ('pad = "after"\nrounding = "down"', 'pad = "after"', "rounding",
         "the sides of the fitted picture are rounded down, not nearest"),
        ("crop_from = 36", "", "crop", "the middle 32 of 36 pixels is cut out"),
        ("", "crop_from = 36", "crop", "its middle is not cut out of 36 pixels"),
        ('pad = "none"\ncrop_from = 36', 'pad = "none"', "crop", "the middle 32 of 36 pixels is cut out"),
    ],
)  # fmt: skip
def test_another_way_to_the_square_is_named(
    port: Port, pictures: Path, right: str, wrong: str, cause: str, says: str
) -> None:
    report = compare(port("a", more=right), port("b", more=wrong), pictures)
    assert report.finding is not None
    assert (report.finding.cause, report.finding.says) == (cause, says)
    assert report.finding.agrees
    assert report.finding.after < 1e-5 < 1e-3 < report.finding.before


@pytest.mark.parametrize(
    ("right", "wrong", "cause"),
    [
        ({"more": 'pad = "none"'}, {"channels": "rgb"}, "channels+layout"),
        ({"more": 'pad = "after"', "pad": [0, 0, 0]}, {"more": 'pad = "none"'}, "layout"),
        ({"more": 'pad = "after"', "pad": [0, 0, 0]}, {}, "layout+pad"),
        ({"more": "crop_from = 36", "resize": "bilinear"}, {}, "crop+resize"),
    ],
)
def test_a_wrong_way_to_the_square_and_another_fault_are_both_named(
    port: Port, pictures: Path, right: dict[str, object], wrong: dict[str, object], cause: str
) -> None:
    report = compare(port("a", **right), port("b", **wrong), pictures)
    assert report.finding is not None
    assert sorted(report.finding.cause.split("+")) == sorted(cause.split("+"))
    assert report.finding.agrees


@pytest.mark.parametrize("shorter", [32, 36])
def test_the_middle_of_a_picture_that_covers_the_square_is_named(port: Port, pictures: Path, shorter: int) -> None:
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

    spec = port("b")
    tagger = taggers.load(find_model(spec), device="cpu")
    paths = sorted(pictures.iterdir())
    cut = Compose([Resize(shorter, InterpolationMode.BICUBIC), CenterCrop(32)])
    squares = np.stack([np.asarray(cut(Image.open(path).convert("RGB"))) for path in paths])
    names, ids = list(tagger.tags.names), [path.stem for path in paths]
    reference = save(pictures.parent / "reference.npz", tagger.scores(squares), names, ids)
    report = compare(f"reference={reference}", spec, pictures)
    assert report.finding is not None
    says = f"its shorter side is resized to {shorter} and the middle 32 cut out, not {BEFORE}"
    assert (report.finding.cause, report.finding.says) == ("crop", says)
    assert report.finding.agrees


def test_two_faults_at_once_are_both_named(port: Port, pictures: Path) -> None:
    report = compare(port("a"), port("b", channels="rgb", resize="lanczos"), pictures)
    assert report.finding is not None
    assert report.finding.cause == "channels+resize"
    assert report.finding.agrees


def test_a_graph_that_would_get_a_second_sigmoid_is_refused_with_the_cause(port: Port, pictures: Path) -> None:
    with pytest.raises(ScoresError, match="if the graph contains a sigmoid"):
        compare(port("a"), port("b", output="logits"), pictures)


@pytest.mark.parametrize("faulty", ["a", "b"])
def test_a_doubled_sigmoid_is_told_from_scores(tmp_path: Path, faulty: str) -> None:
    once = 1 / (1 + np.exp(-np.random.default_rng(0).normal(-1, 2, (60, 30)).astype(np.float32)))
    values = {"a": once, "b": once} | {faulty: 1 / (1 + np.exp(-once))}
    tags = [f"t{i}" for i in range(30)]
    report = compare_scores({name: save(tmp_path / f"{name}.npz", one, tags) for name, one in values.items()})
    assert report.finding is not None
    assert report.finding.cause == "sigmoid"
    assert report.finding.says.endswith("been through two")
    assert report.finding.agrees


@pytest.mark.parametrize(
    ("rename", "says"),
    [
        (lambda names: [*names[1:], names[0]], "its tag list is shifted by +1, starting at 'tag_1' (row 0)"),
        (
            lambda names: [*names[:9], "new", *names[9:-1]],
            "its tag list is shifted by -1, starting at 'tag_9' (row 10)",
        ),
        (lambda names: names[::-1], "its tag list is reordered (24 of 24 tags move, first 'tag_0')"),
    ],
    ids=["first moved to the end", "one inserted", "reversed"],
)
def test_a_tag_list_out_of_step_is_named(
    port: Port, pictures: Path, rename: Callable[[list[str]], list[str]], says: str
) -> None:
    a, b = port("a"), port("b")
    rename_tags(b, rename)
    report = compare(a, b, pictures)
    assert report.finding is not None
    assert (report.finding.cause, report.finding.says) == ("tags", says)
    assert report.finding.agrees


def test_columns_in_another_order_with_their_names_are_the_same(port: Port, pictures: Path) -> None:
    a, b = port("a"), port("b")
    rename_tags(b, lambda names: names[::-1])
    model = onnx.load(Path(b.partition("=")[2]) / "model.onnx")
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[..., ::-1].copy(), tensor.name))
    onnx.save(model, Path(b.partition("=")[2]) / "model.onnx")
    report = compare(a, b, pictures)
    assert report.verdict.same
    assert report.notes == ("the columns are in different orders; they were matched by name",)


@pytest.mark.parametrize("faulty", ["a", "b"])
def test_a_dropped_sigmoid_is_named_whichever_lacks_it(port: Port, pictures: Path, faulty: str) -> None:
    a, b = port("a"), port("b")
    write_sensitive_onnx(pictures.parent / faulty / "model.onnx", TAGS, sigmoid=False)
    report = compare(a, b, pictures)
    assert report.verdict.word == "different"
    assert report.verdict.reason == f"{faulty} gives logits, not probabilities: its sigmoid is missing"
    assert report.parity.largest < 1e-6, "with a sigmoid they agree"


def test_a_dropped_sigmoid_and_swapped_channels_are_both_told(port: Port, pictures: Path) -> None:
    a, b = port("a"), port("b", channels="rgb")
    write_sensitive_onnx(pictures.parent / "b" / "model.onnx", TAGS, sigmoid=False)
    report = compare(a, b, pictures)
    assert report.verdict.reason.startswith("b gives logits")
    assert report.finding is not None
    assert report.finding.cause == "channels"


def test_other_weights_have_no_cause(port: Port, pictures: Path) -> None:
    a, b = port("a"), port("b")
    write_sensitive_onnx(pictures.parent / "b" / "model.onnx", TAGS, seed=1)
    report = compare(a, b, pictures)
    assert report.verdict.word == "different"
    assert report.finding is None
    assert report.tried_on == 16


def test_weights_rounded_to_sixteen_bits_are_the_same_within_a_tolerance(port: Port, pictures: Path) -> None:
    a, b = port("a"), port("b")
    path = pictures.parent / "b" / "model.onnx"
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        rounded = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))
    onnx.save(model, path)
    assert compare(a, b, pictures, tolerances=Tolerances(1e-5)).verdict.word == "different"
    report = compare(a, b, pictures, tolerances=Tolerances(1e-2))
    assert report.verdict.word == "same"
    assert 0 < report.parity.largest < 1e-2


def test_one_model_in_two_precisions(joytag_folder: Path, pictures: Path) -> None:
    spec = f"joy={joytag_folder}"
    report = compare(spec, spec, pictures, compute_b=Compute("cpu", "bf16"), diagnose=0)
    assert (report.parity.a, report.parity.b) == ("joy", "joy-bf16")
    assert 0 < report.parity.largest < 0.05
    assert report.notes == ("joy ran in fp32 on cpu, joy-bf16 in bf16 on cpu",)
    with pytest.raises(ArenaError, match="is named twice"):
        compare(spec, spec, pictures)


def test_tags_that_only_one_has_make_a_difference_unless_they_are_passed_over(port: Port, pictures: Path) -> None:
    a, b = port("a"), port("b")
    rename_tags(b, lambda names: ["other", *names[1:]])
    report = compare(a, b, pictures)
    assert report.verdict.reason == "only a has 1 tag (tag_0); only b has 1 tag (other)"
    assert compare(a, b, pictures, tolerances=Tolerances(common_only=True)).verdict.same
    rename_tags(b, lambda names: [f"other_{name}" for name in names])
    with pytest.raises(IncomparableError, match="no tag in common"):
        compare(a, b, pictures)


def test_other_thresholds_flip_decisions_of_equal_scores(port: Port, pictures: Path) -> None:
    report = compare(port("a"), port("b"), pictures, thresholds={"b": 0.6})
    parity = report.parity
    assert parity.largest == 0
    assert report.verdict.word == "different"
    assert (parity.flips_at_a.flipped, parity.flips_at_b.flipped) == (0, 0)
    assert parity.flips.flipped > 1
    assert report.verdict.reason.endswith("0 if both use a's thresholds")


def test_a_stopped_comparison_continues_and_stale_scores_are_made_again(port: Port, pictures: Path) -> None:
    a, b = port("a"), port("b")
    compare(a, b, pictures)
    stored = pictures.parent / "scores" / "a" / "00000.npy"
    before = stored.stat().st_mtime_ns
    write_card(pictures.parent / "b", channels="rgb")
    assert compare(a, b, pictures).verdict.word == "different"
    assert stored.stat().st_mtime_ns == before, "A's scores were there already"


def save(path: Path, scores: np.ndarray, tags: list[str], ids: list[str] | None = None) -> Path:
    images = ids or [str(i) for i in range(len(scores))]
    np.savez(path, scores=scores, tags=np.array(tags), image_ids=np.array(images))
    return path


def test_files_of_scores_are_enough_for_what_scores_can_show(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(-1, 2, (60, 30)).astype(np.float32)
    tags = [f"t{i}" for i in range(30)]
    good = save(tmp_path / "good.npz", 1 / (1 + np.exp(-logits)), tags)
    lacking = compare_scores({"good": good, "lacking": save(tmp_path / "l.npz", logits, tags)})
    assert lacking.verdict.reason == "lacking gives logits, not probabilities: its sigmoid is missing"
    moved = compare_scores(
        {"good": good, "b": save(tmp_path / "m.npz", 1 / (1 + np.exp(-logits)), tags[-1:] + tags[:-1])}
    )
    assert moved.finding is not None
    assert moved.finding.cause == "tags"
    order = rng.permutation(60)
    shuffled = save(tmp_path / "s.npz", (1 / (1 + np.exp(-logits)))[order], tags, [str(i) for i in order])
    assert compare_scores({"good": good, "b": shuffled}).verdict.word == "identical"


def test_files_that_cannot_be_compared_say_why(tmp_path: Path) -> None:
    values = np.full((3, 2), 0.5, np.float32)
    one = save(tmp_path / "one.npz", values, ["x", "y"])
    with pytest.raises(IncomparableError, match="no image in common"):
        compare_scores({"a": one, "b": save(tmp_path / "b.npz", values, ["x", "y"], ["p", "q", "r"])})
    with pytest.raises(ArenaError, match="a score is NaN"):
        compare_scores({"a": one, "b": save(tmp_path / "n.npz", values * np.nan, ["x", "y"])})
    with pytest.raises(ArenaError, match="no model of this run"):
        compare_scores({"a": one, "b": one}, thresholds={"c": 0.5})
