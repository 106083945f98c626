"""PixAI v1.0: SAM 3's ViTDet under a pooling query, against a slow reckoning of it by complex numbers and loops."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from arena import taggers
from arena.base.errors import WeightsError
from arena.cards import find_model
from arena.taggers.adapters.pixai.vitdet import VitDet, VitDetBlock, VitDetConfig, axial_rotations, rotate_pairs
from arena.taggers.files.threshold_files import read_thresholds
from arena.taggers.files.weights import fetch_files
from tests.conftest import PIXAI_CONFIG, write_pixai


def load(folder: Path) -> taggers.Tagger:
    return taggers.load(find_model(f"x={folder}"), device="cpu")


def softmax(x: np.ndarray) -> np.ndarray:
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def attended(x: np.ndarray, weights: dict[str, np.ndarray], heads: int, scale: float) -> np.ndarray:
    """A square of patches (side, side, width), one patch and one head after the other, turns as complex numbers."""
    side, _, width = x.shape
    each = width // heads
    rows = x.reshape(-1, width) @ weights["qkv.weight"].T + weights["qkv.bias"]
    q, k, v = (part.reshape(-1, heads, each) for part in np.split(rows, 3, axis=1))
    speeds = [10_000 ** (-4 * i / each) for i in range(each // 4)]
    places = [(place % side * scale, place // side * scale) for place in range(side * side)]
    turns = np.array([[np.exp(1j * at * speed) for at in place for speed in speeds] for place in places])
    out = np.zeros_like(v)
    for head in range(heads):
        whirled = [(part[:, head, 0::2] + 1j * part[:, head, 1::2]) * turns for part in (q, k)]
        likeness = (whirled[0] @ whirled[1].conj().T).real / np.sqrt(each)
        out[:, head] = softmax(likeness) @ v[:, head]
    return (out.reshape(-1, width) @ weights["proj.weight"].T + weights["proj.bias"]).reshape(x.shape)


@pytest.mark.parametrize("whole", [True, False])
def test_attention_is_that_of_complex_numbers_window_by_window(whole: bool) -> None:
    config = VitDetConfig.of(PIXAI_CONFIG)
    torch.manual_seed(1)
    block = VitDetBlock(config, whole=whole)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    x = torch.randn(1, 6, 6, 32)
    weights = {name: tensor.double().numpy() for name, tensor in block.attn.state_dict().items()}
    with torch.no_grad():
        seen = block._attend(x)[0].numpy()
    padded = np.zeros((8, 8, 32))
    padded[:6, :6] = x[0].numpy()
    expected = np.zeros_like(padded)
    if whole:
        expected[:6, :6] = attended(padded[:6, :6], weights, heads=2, scale=4 / 6)
    else:
        for row in (0, 4):
            for column in (0, 4):
                window = np.s_[row : row + 4, column : column + 4]
                expected[window] = attended(padded[window], weights, heads=2, scale=1.0)
    np.testing.assert_allclose(seen, expected[:6, :6], atol=2e-5)


def test_a_turn_makes_products_depend_on_the_distance_alone() -> None:
    turns = axial_rotations(5, 8, 0.5)
    torch.manual_seed(0)
    q, k = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)
    products = rotate_pairs(q.expand(1, 1, 25, 8), turns)[0, 0] @ rotate_pairs(k.expand(1, 1, 25, 8), turns)[0, 0].T
    torch.testing.assert_close(products[0, 6], products[12, 18])
    torch.testing.assert_close(products[7, 3], products[17, 13])
    assert not torch.isclose(products[0, 1], products[0, 5]), "a step across is no step down"


@pytest.mark.parametrize("tile", [True, False])
def test_positions_of_the_pretraining_cover_the_grid(tile: bool) -> None:
    network = VitDet(VitDetConfig.of(PIXAI_CONFIG | {"tile_abs_pos": tile}))
    torch.nn.init.normal_(network.pos_embed)
    positions = network.positions()
    assert positions.shape == (1, 6, 6, 32)
    learnt = network.pos_embed[0, 1:].reshape(4, 4, 32)
    same = torch.equal(positions[0, 4:, :2], learnt[:2, :2])
    assert same == tile


def test_one_query_asks_all_patches() -> None:
    network = VitDet(VitDetConfig.of(PIXAI_CONFIG))
    pool = network.head_pool
    for parameter in pool.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(1, 36, 32)
    with torch.no_grad():
        seen = pool(x)[0].numpy()
        told = pool.norm(x)[0] + pool.pos_embed
        k, v = np.split(pool.kv(told).numpy(), 2, axis=1)
    out = [softmax(k[:, part] @ pool.q.detach().numpy()[part] / 4) @ v[:, part] for part in (np.s_[:16], np.s_[16:])]
    expected = pool.proj.weight.detach().numpy() @ np.concatenate(out) + pool.proj.bias.detach().numpy()
    np.testing.assert_allclose(seen, expected, rtol=1e-4, atol=1e-4)


def safetensors_size(state: dict[str, torch.Tensor]) -> int:
    """Bytes of a safetensors file of float32 tensors, as the hub's clients write it: sorted by name, a header before."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in sorted(state):
        start, end = end, end + 4 * state[name].numel()
        header[name] = {"dtype": "F32", "shape": list(state[name].shape), "data_offsets": [start, end]}
    told = len(json.dumps(header, separators=(",", ":")))
    return 8 + -(-told // 8) * 8 + end


def test_the_release_has_the_parameters_and_the_bytes_that_the_hub_tells() -> None:
    sam3 = {
        "num_classes": 30877, "img_size": 1008, "patch_size": 14, "embed_dim": 1024, "depth": 32, "num_heads": 16,
        "mlp_ratio": 4.625, "window_size": 24, "global_att_blocks": [7, 15, 23, 31], "pretrain_img_size": 336,
    }  # fmt: skip
    with torch.device("meta"):
        network = VitDet(VitDetConfig.of(PIXAI_CONFIG | sam3))
    assert sum(parameter.numel() for parameter in network.parameters()) == 486_346_909
    assert safetensors_size(network.state_dict()) == 1_945_425_796, "every name and every shape is in it"


def test_tags_thresholds_and_size_come_from_the_config(pixai_folder: Path) -> None:
    card = find_model(f"x={pixai_folder}")
    tagger = load(pixai_folder)
    assert (tagger.preprocess.size, len(tagger.tags)) == (48, 9)
    assert [tagger.tags.category(column) for column in (0, 5, 8)] == ["general", "style", "rating"]
    told = read_thresholds(card, fetch_files(card), tagger.tags)
    assert (told.categories["style"], told.categories["rating"]) == (0.15, 0.41)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 10}, r"9 tags, but the network of x has 10 \(num_classes\)"),
        ({"use_rope": False}, "use_rope = False; only True is supported; it must describe a PixAI ViTDet"),
        ({"use_rope": SimpleNamespace}, "use_rope = False; only True is supported"),
        ({"rel_pos_blocks": [2]}, r"rel_pos_blocks = \[2\]; only \[\] is supported"),
        ({"retain_cls_token": True}, "retain_cls_token = True"),
        ({"depth": SimpleNamespace}, "missing 1 required positional argument: 'depth'"),
        ({"depth": "3"}, "depth = '3'; it must be a whole number above 0"),
        ({"num_heads": 5}, "embed_dim = 32 is not a multiple of 4 x num_heads = 20"),
        ({"global_att_blocks": [0]}, r"global_att_blocks = \[0\]; the last block must be among them"),
        ({"embed_dim": 64}, "does not fit its config.json: size mismatch"),
    ],
)
def test_a_config_of_another_network_is_one_line(pixai_folder: Path, changes: dict, message: str) -> None:
    config = {key: value for key, value in (PIXAI_CONFIG | changes).items() if value is not SimpleNamespace}
    (pixai_folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=message) as caught:
        load(pixai_folder)
    assert "\n" not in str(caught.value)


def test_a_missing_tensor_is_named(pixai_folder: Path) -> None:
    state = load_file(pixai_folder / "model.safetensors")
    del state["head_pool.q"]
    save_file(state, pixai_folder / "model.safetensors")
    with pytest.raises(WeightsError, match=r'does not fit its config.json: Missing key\(s\) .*"head_pool\.q"'):
        load(pixai_folder)


def test_learned_scales_and_other_norms_are_built_where_the_config_has_them(tmp_path: Path) -> None:
    folder = write_pixai(tmp_path / "x", init_values=1e-5, ln_pre=False, ln_post=True, bias_patch_embed=True)
    names = load_file(folder / "model.safetensors").keys()
    assert {"blocks.0.ls1.gamma", "ln_post.weight", "patch_embed.proj.bias"} <= names
    assert "ln_pre.weight" not in names
    assert load(folder).scores(np.zeros((1, 48, 48, 3), np.uint8)).shape == (1, 9)
