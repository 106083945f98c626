"""The suite that every adapter passes, and what each of the project's own does beyond it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from arena import taggers
from arena.base.errors import ArenaError, WeightsError
from arena.cards import find_model
from arena.images.decode import decode
from arena.taggers.base import Tagger, batch_buffer, begin_batch, check_scores
from arena.taggers.conformance import CHECKS, check
from arena.taggers.preprocess import square

from ..conftest import GOLDEN, Wd, draw, write_onnx, write_selected_tags

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.fixture
def onnx_one_folder(onnx_folder: Wd) -> Wd:
    """A graph that takes one picture at a time."""
    write_onnx(onnx_folder.folder / "model.onnx", len(onnx_folder.tags), batch=1)
    return onnx_folder


@pytest.fixture(params=["joytag", "onnx", "onnx_one", "timm"])
def folder(request: pytest.FixtureRequest) -> Path:
    return made(request)


@pytest.fixture(params=["joytag", "onnx", "onnx_one", "timm", "jtp", "pixai", "ram"])
def any_folder(request: pytest.FixtureRequest) -> Path:
    return made(request)


def made(request: pytest.FixtureRequest) -> Path:
    folder = request.getfixturevalue(f"{request.param}_folder")
    return folder.folder if isinstance(folder, Wd) else folder


def load(folder: Path, **how: str) -> Tagger:
    return taggers.load(find_model(f"x={folder}"), **how)


def batch(tagger: Tagger, images: int) -> np.ndarray:
    return np.stack([square(np.asarray(draw(i)), tagger.preprocess) for i in range(images)])


@pytest.mark.parametrize("device", DEVICES)
def test_every_adapter_keeps_the_interface(any_folder: Path, device: str) -> None:
    outcomes = list(check(find_model(f"x={any_folder}"), device=device))
    assert [outcome for outcome in outcomes if not outcome.passed] == []
    assert [outcome.name for outcome in outcomes] == ["loads", *CHECKS]


@pytest.mark.parametrize("device", DEVICES)
def test_batches_that_are_started_together_score_as_one_after_the_other(any_folder: Path, device: str) -> None:
    tagger = load(any_folder, device=device)
    batches = [batch(tagger, images) for images in (3, 2)]
    rooms = [batch_buffer(tagger, pixels.shape) for pixels in batches]
    for room, pixels in zip(rooms, batches, strict=True):
        room[:] = pixels
    waits = [begin_batch(tagger, room) for room in rooms]
    for wait, pixels in zip(waits, batches, strict=True):
        timed = wait()
        np.testing.assert_array_equal(timed.values, tagger.scores(pixels))
        assert 0 < timed.seconds < 60


@pytest.mark.parametrize("count", [-1, 1])
def test_a_tag_list_of_another_length_is_refused(folder: Path, count: int) -> None:
    path = next(p for p in (folder / "top_tags.txt", folder / "selected_tags.csv") if p.exists())
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join(lines[:-1] if count < 0 else [*lines, "extra" if path.suffix == ".txt" else "99,extra,0,1"])
    )
    with pytest.raises(WeightsError, match=r"\d+ tags, but the network of x has \d+"):
        load(folder)


def test_truncated_weights_are_one_line(any_folder: Path) -> None:
    path = any_folder / find_model(f"x={any_folder}").files[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(WeightsError) as caught:
        load(any_folder)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_device_is_refused(folder: Path) -> None:
    with pytest.raises(ArenaError, match="--device"):
        load(folder, device="cuda:99")


JOYTAG_GOLDENS = ["joytag-ln-sine", "joytag-ln-gelu-meanafter", "joytag-cnn-sine", "joytag-patch-learned"]


@pytest.mark.parametrize("name", JOYTAG_GOLDENS)
def test_joytag_gives_the_references_probabilities(name: str) -> None:
    expected = np.load(GOLDEN / name / "expected.npz")
    tagger = load(GOLDEN / name, device="cpu", precision="fp32")
    pixels = np.stack([square(decode(GOLDEN / "images" / image), tagger.preprocess) for image in expected["images"]])
    np.testing.assert_allclose(tagger.scores(pixels), expected["probabilities"], atol=1e-5)


@pytest.mark.parametrize("adapter", ["joytag", "jtp", "pixai", "ram"])
def test_bfloat16_on_the_cpu_is_near_float32(adapter: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(f"{adapter}_folder")
    full, half = load(folder, device="cpu"), load(folder, device="cpu", precision="bf16")
    pixels = batch(full, 4)
    assert half.precision == "bf16"
    assert 0 < np.abs(full.scores(pixels) - half.scores(pixels)).max() < 0.02
    with pytest.raises(ArenaError, match="the CPU runs fp32 or bf16"):
        load(folder, device="cpu", precision="fp16")


def test_old_checkpoints_lose_their_nine_other_rows(joytag_folder: Path) -> None:
    new = load(joytag_folder, device="cpu")
    state = load_file(joytag_folder / "model.safetensors")
    for name in ("head.weight", "head.bias"):
        state[name] = torch.cat([state[name], torch.ones(9, *state[name].shape[1:])])
    save_file(state, joytag_folder / "model.safetensors")
    pixels = batch(new, 2)
    assert np.array_equal(new.scores(pixels), load(joytag_folder, device="cpu").scores(pixels))


def test_a_pickled_checkpoint_loads_its_tensors_and_nothing_else(joytag_folder: Path) -> None:
    weights = joytag_folder / "model.safetensors"
    pixels = batch(load(joytag_folder, device="cpu"), 2)
    expected = load(joytag_folder, device="cpu").scores(pixels)
    torch.save({"model": load_file(weights)}, joytag_folder / "model.pt")
    weights.unlink()
    assert np.array_equal(load(joytag_folder, device="cpu").scores(pixels), expected)
    torch.save({"model": Path("anything but tensors")}, joytag_folder / "model.pt")
    with pytest.raises(WeightsError, match="it must hold tensors only"):
        load(joytag_folder, device="cpu")


def test_a_missing_tensor_is_named(joytag_folder: Path) -> None:
    state = load_file(joytag_folder / "model.safetensors")
    del state["norm.bias"]
    save_file(state, joytag_folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r"does not fit its config.json: .*norm\.bias"):
        load(joytag_folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cnn_stem": "conv:c=8;ln:eps"}, "cnn_stem has 'ln:eps'; it must be written KIND"),
        ({"d_model": None}, "no d_model; it must describe a JoyTag ViT"),
        ({"num_heads": 7}, "d_model = 64 is not a multiple of num_heads = 7"),
        ({"patch_size": 0}, "patch_size = 0; it must be a whole number above 0"),
        ({"image_size": "64"}, "image_size = '64'"),
        ({"cnn_stem": 3}, "cnn_stem = 3; it must be a string or null"),
    ],
)
def test_a_config_that_cannot_be_built_is_one_line(joytag_folder: Path, change: dict, message: str) -> None:
    path = joytag_folder / "config.json"
    config = json.loads(path.read_text()) | change
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None or key == "cnn_stem"}))
    with pytest.raises(WeightsError, match=message):
        load(joytag_folder)


def test_a_batch_fixed_to_one_runs_one_by_one(onnx_folder: Wd) -> None:
    free = load(onnx_folder.folder)
    write_onnx(onnx_folder.folder / "model.onnx", len(onnx_folder.tags), batch=1)
    pixels = batch(free, 3)
    np.testing.assert_allclose(load(onnx_folder.folder).scores(pixels), free.scores(pixels), atol=1e-6)


def test_tags_keep_the_order_of_their_file(joytag_folder: Path, onnx_folder: Wd) -> None:
    path = joytag_folder / "top_tags.txt"
    names = path.read_text().split()[::-1]
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join(names).encode())
    assert list(load(joytag_folder).tags.names) == names, "a byte order mark is no part of the first name"


def test_wd_categories_and_odd_names_survive(onnx_folder: Wd) -> None:
    tags = load(onnx_folder.folder).tags
    assert list(tags.names) == onnx_folder.tags
    assert tags.categories is not None
    assert (tags.categories[0], tags.categories[1], tags.categories[-2]) == ("rating", "general", "character")
    assert tags.counts is not None
    assert tags.counts[0] == 100


def test_a_tag_table_with_no_numbers_is_refused(onnx_folder: Wd) -> None:
    path = onnx_folder.folder / "selected_tags.csv"
    path.write_text(path.read_text().replace("9,100", "nine,100"))
    with pytest.raises(WeightsError, match="category and count must be numbers"):
        load(onnx_folder.folder)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (-7.3, r"min -7.3\); does this model need a sigmoid"),
        (1.00001, r"max 1.00001\); does"),
        (np.nan, "NaN"),
    ],
)
def test_scores_that_are_no_probabilities_are_refused(scores: float, message: str) -> None:
    with pytest.raises(ArenaError, match=message):
        check_scores("wd", np.array([[0.5, scores]], np.float32), images=1, tags=2)


def test_identity_follows_every_file_and_setting(joytag_folder: Path, tmp_path: Path) -> None:
    def identity(folder: Path, **how: str) -> dict:
        return taggers.identify(find_model(f"x={folder}"), **how)

    copy = tmp_path / "copy"
    shutil.copytree(joytag_folder, copy)
    assert identity(joytag_folder) == identity(copy)
    assert identity(joytag_folder) != identity(joytag_folder, precision="bf16")
    (copy / "top_tags.txt").write_text((copy / "top_tags.txt").read_text().replace("tag_0\n", "tag_zero\n"))
    assert identity(joytag_folder) != identity(copy)


def test_a_local_folder_in_no_layout_says_what_is_missing(tmp_path: Path) -> None:
    write_selected_tags(tmp_path, ["a"])
    message = r"most similar is that of wd14 \(model\.onnx, selected_tags\.csv\); missing: model\.onnx\. .*card\.toml"
    with pytest.raises(ArenaError, match=message):
        load(tmp_path)


@pytest.mark.parametrize("above", [0.0, 1e-7, 5e-7, -1e-9])
def test_scores_that_rounding_puts_outside_are_clipped(above: float) -> None:
    scores = np.array([[0.5, 1 + above if above >= 0 else above]], np.float32)
    checked = check_scores("wd", scores, images=1, tags=2)
    assert checked.min() >= 0
    assert checked.max() <= 1
    np.testing.assert_allclose(checked, scores, atol=1e-6)
