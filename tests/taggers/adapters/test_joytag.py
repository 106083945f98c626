"""Checkpoints as JoyTag's trainer writes them, for every configuration of it that has the class ViT.

`trainer.json` holds each configuration with its sizes cut down, the names and shapes of the tensors in its checkpoint, and
the probabilities that the reference network gives for `pixels()` with the tensors of `state_of()`; null where it cannot run.
"""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from arena import taggers
from arena.base.errors import WeightsError
from arena.cards import find_model
from arena.taggers.adapters.joytag.config import ViTConfig
from arena.taggers.adapters.joytag.vit import ViT
from arena.taggers.base import Tagger, tagger_notes

from ...conftest import DATA

TRAINER: dict[str, dict[str, Any]] = json.loads((DATA / "joytag" / "trainer.json").read_text())
RUNNING = [name for name, entry in TRAINER.items() if entry["probabilities"] is not None]
DEFAULT = "SWModel20"
"""The configuration that the trainer takes unless told otherwise."""


def state_of(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    """Tensors whose numbers follow from their names, so that no weights need to be kept."""
    state = {}
    for name, shape in shapes.items():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        values = rng.standard_normal(shape).astype(np.float32) * 0.1
        if name.endswith("position_ids"):
            state[name] = torch.arange(shape[0])
        elif name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith(("running_var", "skip")) or ("norm" in name and name.endswith("weight")):
            state[name] = torch.from_numpy(1 + np.abs(values))
        else:
            state[name] = torch.from_numpy(values)
    return state


def pixels(size: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (2, size, size, 3), np.uint8)


def write_checkpoint(folder: Path, name: str) -> Path:
    """The folder as the trainer leaves it, counters of the training included."""
    entry = TRAINER[name]
    folder.mkdir()
    torch.save(state_of(entry["tensors"]), folder / "model.pt")
    (folder / "config.json").write_text(json.dumps(entry["config"]))
    (folder / "top_tags.txt").write_text("\n".join(f"tag_{i}" for i in range(entry["config"]["n_tags"])))
    torch.save({"global_step": 3, "optimizer": {"state": {}}}, folder / "training_state.pt")
    return folder


def load(folder: Path) -> Tagger:
    return taggers.load(find_model(f"new={folder}"), device="cpu", precision="fp32")


@pytest.mark.parametrize("name", RUNNING)
def test_every_configuration_of_the_trainer_gives_the_references_probabilities(name: str, tmp_path: Path) -> None:
    tagger = load(write_checkpoint(tmp_path / "checkpoint", name))
    seen = tagger.scores(pixels(TRAINER[name]["config"]["image_size"]))
    np.testing.assert_allclose(seen, TRAINER[name]["probabilities"], atol=1e-5)
    assert tagger_notes(tagger) == ()


def test_all_configurations_are_here() -> None:
    assert len(TRAINER) == 28
    assert [name for name in TRAINER if name not in RUNNING] == ["SWModel18"]


def test_a_stem_whose_patches_do_not_fit_the_positions_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", "SWModel18")
    with pytest.raises(WeightsError, match=r"config\.json: cnn_stem makes 6 x 6 patches from 64 pixels, .* 4 x 4"):
        load(folder)


PREFIXES = ("module.", "_orig_mod.", "model.", "module._orig_mod.", "model.module.", "net.", "ema_model.x.")


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_prefixes_of_wrappers_are_taken_off(prefix: str, suffix: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", DEFAULT)
    state = {prefix + key: value for key, value in state_of(TRAINER[DEFAULT]["tensors"]).items()}
    (folder / "model.pt").unlink()
    if suffix == ".pt":
        torch.save(state, folder / "model.pt")
    else:
        save_file(state, folder / "model.safetensors")
    np.testing.assert_allclose(load(folder).scores(pixels(64)), TRAINER[DEFAULT]["probabilities"], atol=1e-5)


def test_a_prefix_that_only_some_names_have_stays(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", DEFAULT)
    state = state_of(TRAINER[DEFAULT]["tensors"])
    torch.save(
        {key if key == "norm.bias" else f"module.{key}": value for key, value in state.items()}, folder / "model.pt"
    )
    with pytest.raises(WeightsError, match=r"does not fit its config\.json: Missing key"):
        load(folder)


@pytest.mark.parametrize("container", ["model", "state_dict", "model_state_dict", "module"])
def test_a_state_dict_beside_an_optimiser_is_found(container: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", DEFAULT)
    state = state_of(TRAINER[DEFAULT]["tensors"])
    torch.save({"optimizer": {"lr": 0.1, "moments": torch.ones(3)}, "epoch": 3, container: state}, folder / "model.pt")
    np.testing.assert_allclose(load(folder).scores(pixels(64)), TRAINER[DEFAULT]["probabilities"], atol=1e-5)


def test_a_file_of_the_old_format_of_torch_loads(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", DEFAULT)
    state = state_of(TRAINER[DEFAULT]["tensors"])
    torch.save(state, folder / "model.pt", _use_new_zipfile_serialization=False)
    np.testing.assert_allclose(load(folder).scores(pixels(64)), TRAINER[DEFAULT]["probabilities"], atol=1e-5)


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_weights_that_are_overwritten_after_loading_change_no_score(name: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", DEFAULT)
    if name == "model.safetensors":
        save_file(state_of(TRAINER[DEFAULT]["tensors"]), folder / name)
    tagger = load(folder)
    with (folder / name).open("r+b") as file:
        file.seek(size := (folder / name).stat().st_size // 4)
        file.write(bytes(2 * size))
    np.testing.assert_allclose(tagger.scores(pixels(64)), TRAINER[DEFAULT]["probabilities"], atol=1e-5)


def test_half_precision_weights_run_in_float32(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", DEFAULT)
    torch.save({key: value.half() for key, value in state_of(TRAINER[DEFAULT]["tensors"]).items()}, folder / "model.pt")
    np.testing.assert_allclose(load(folder).scores(pixels(64)), TRAINER[DEFAULT]["probabilities"], atol=2e-3)


@pytest.mark.parametrize("content", [{"optimizer": {"lr": 0.1}, "epoch": 3}, [torch.ones(2)], {}, 3])
def test_a_pickle_without_a_state_dict_says_what_it_holds(content: object, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", DEFAULT)
    torch.save(content, folder / "model.pt")
    with pytest.raises(WeightsError, match=r"model\.pt: holds no state dict, but"):
        load(folder)


def change_config(folder: Path, **change: object) -> None:
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(config))


def test_a_key_that_the_reference_does_not_take_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", DEFAULT)
    change_config(folder, window_size=7, attention="local")
    with pytest.raises(
        WeightsError, match=r"config\.json: has attention, window_size, which JoyTag's network does not have"
    ):
        load(folder)


@pytest.mark.parametrize("key", ["class", "n_tags", "num_heads", "stochdepth_rate", "use_sine", "loss_type"])
def test_a_key_that_the_reference_needs_is_missed(key: str) -> None:
    config = {name: value for name, value in TRAINER[DEFAULT]["config"].items() if name != key}
    with pytest.raises(ValueError, match=f"has no {key}; it must describe a JoyTag ViT"):
        ViTConfig.of(config)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"stochdepth_rate": 2}, None),
        ({"use_sine": 1, "head_mean_after": None, "ml_decoder_head": 0}, None),
        ({"loss_type": "any"}, None),
        ({"layerscale_init": 1}, None),
        ({"patch_dropout": -0.5}, None),
        ({"patch_dropout": 0.5}, "patch_dropout = 0.5 is not applied"),
        ({"cnn_stem": "silu;{};"}, "cnn_stem has 'silu', '', skipped as JoyTag's code does"),
        (
            {"cnn_stem": "conv:c=8,groups=2,c=4{}"},
            "cnn_stem has 'conv:c=8,groups=2,c=4', skipped as JoyTag's code does",
        ),
    ],
)
def test_what_the_reference_ignores_changes_no_score(change: dict[str, Any], note: str | None, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", DEFAULT)
    stem = TRAINER[DEFAULT]["config"]["cnn_stem"]
    if "cnn_stem" in change:
        rest = stem if change["cnn_stem"].startswith("silu") else stem.removeprefix("conv:c=4")
        change = change | {"cnn_stem": change["cnn_stem"].format(rest)}
    change_config(folder, **change)
    tagger = load(folder)
    np.testing.assert_allclose(tagger.scores(pixels(64)), TRAINER[DEFAULT]["probabilities"], atol=1e-5)
    notes = tagger_notes(tagger)
    assert (notes == ()) if note is None else (len(notes) == 1 and note in notes[0])


def test_a_network_without_blocks_and_a_stem_of_one_patch_run(tmp_path: Path) -> None:
    """The reference runs both: one patch is added to every position."""
    config = TRAINER[DEFAULT]["config"] | {"num_blocks": 0, "cnn_stem": "conv:c=64,k=64,s=64,p=0"}
    torch.manual_seed(0)
    network = ViT(ViTConfig.of(config)).eval()
    with torch.inference_mode():
        assert network(torch.randn(2, 3, 64, 64)).shape == (2, config["n_tags"])


@pytest.mark.parametrize("name", ["CLIPLikeModel", "MaskedAutoEncoderViT", None, 3])
def test_another_class_is_refused_by_name(name: object) -> None:
    with pytest.raises(ValueError, match=f"class = {name!r}; only ViT is supported"):
        ViTConfig.of(TRAINER[DEFAULT]["config"] | {"class": name})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d_model": 66, "num_heads": 2, "cnn_stem": None}, "d_model = 66; sine positions .* need a multiple of 4"),
        ({"d_model": 4, "num_heads": 2, "cnn_stem": None}, "d_model = 4; sine positions"),
        ({"d_model": 32}, "cnn_stem ends with 64 channels, but d_model is 32"),
        ({"cnn_stem": "conv:c=64,k=x"}, "c, k, s and p must be whole numbers"),
        ({"cnn_stem": "conv:k=3"}, "a conv needs c"),
        ({"cnn_stem": "conv:c=64,groups"}, "it must be written KIND or KIND:name=value"),
        ({"cnn_stem": "conv:c=64:k=1"}, "it must be written KIND or KIND:name=value"),
        ({"cnn_stem": "conv:c=64,s=0"}, "c, k and s must be 1 or more"),
        ({"cnn_stem": "conv:c=64,k=99,s=4"}, "cnn_stem makes 0 x 0 patches"),
        ({"cnn_stem": "ln"}, "cnn_stem ends with 3 channels"),
        ({"cnn_stem": ""}, "cnn_stem ends with 3 channels"),
        ({"num_blocks": -1}, "num_blocks = -1; it must be a whole number, 0 or more"),
        ({"stochdepth_rate": [0.1]}, r"stochdepth_rate = \[0.1\]; it must be a number"),
        ({"use_sine": "yes"}, "use_sine = 'yes'; it must be true or false"),
        ({"layerscale_init": "1e-1"}, "layerscale_init = '1e-1'; it must be a number or null"),
        ({"patch_dropout": 1.0}, "patch_dropout = 1.0; it must be a number below 1"),
        ({"n_tags": True}, "n_tags = True; it must be a whole number above 0"),
        ({"ml_decoder_head": True, "head_mean_after": True}, "leaves no patches to average"),
        (
            {"ml_decoder_head": True, "d_model": 12, "num_heads": 2, "cnn_stem": None},
            "ml_decoder_head needs a multiple of 8",
        ),
    ],
)
def test_a_value_that_the_network_cannot_have_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ViTConfig.of(TRAINER[DEFAULT]["config"] | change)


def test_a_byte_order_mark_before_the_config_is_skipped(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", DEFAULT)
    (folder / "config.json").write_text(json.dumps(TRAINER[DEFAULT]["config"]), encoding="utf-8-sig")
    np.testing.assert_allclose(load(folder).scores(pixels(64)), TRAINER[DEFAULT]["probabilities"], atol=1e-5)


@pytest.mark.parametrize("text", ["[]", "3", "{", "null", '{"a": ' * 100_000])
def test_a_config_that_is_no_table_is_one_line(text: str, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", DEFAULT)
    (folder / "config.json").write_text(text)
    with pytest.raises(WeightsError) as caught:
        load(folder)
    assert str(folder / "config.json") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_released_layout_has_its_published_size_and_the_trainers_names() -> None:
    stem = "conv:c=64;ln;relu;conv:c=128;ln;relu;conv:c=256;ln;relu;conv:c=512;ln;relu;conv:c=768,s=1,k=1,p=0"
    sizes = {"n_tags": 5813, "image_size": 448, "num_blocks": 12, "d_model": 768, "mlp_dim": 3072, "num_heads": 12}
    with torch.device("meta"):
        network = ViT(ViTConfig.of(TRAINER[DEFAULT]["config"] | sizes | {"cnn_stem": stem}))
    assert sum(parameter.numel() for parameter in network.parameters()) == 91_491_509
    names = TRAINER[DEFAULT]["tensors"]
    assert set(network.state_dict()) == {
        name.replace("blocks.0.", f"blocks.{block}.") for name in names for block in range(12)
    }
