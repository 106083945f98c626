"""JTP PILOT2: a gated head on a SigLIP ViT, built from its tensors."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from arena import taggers
from arena.base.errors import WeightsError
from arena.cards import find_model
from arena.taggers.adapters.jtp import GatedHead
from arena.taggers.preprocess import normalise
from tests.conftest import write_jtp


def load(folder: Path) -> taggers.Tagger:
    return taggers.load(find_model(f"x={folder}"), device="cpu")


def squares(images: int = 3, size: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (images, size, size, 3), np.uint8)


def change(folder: Path, **tensors: torch.Tensor | None) -> None:
    state = load_file(folder / "model.safetensors") | tensors
    save_file({name: tensor for name, tensor in state.items() if tensor is not None}, folder / "model.safetensors")


def test_the_first_half_is_gated_by_the_second() -> None:
    head = GatedHead(1, 2)
    head.load_state_dict({"linear.weight": torch.zeros(4, 1), "linear.bias": torch.tensor([0.0, 100.0, 0.0, 0.0])})
    assert head(torch.zeros(1, 1)).tolist() == [[0.25, 0.5]]


def test_scores_are_the_heads_and_no_sigmoid_is_taken_again(jtp_folder: Path) -> None:
    tagger = load(jtp_folder)
    state = load_file(jtp_folder / "model.safetensors")
    numbers = torch.from_numpy(normalise(squares(), tagger.card.input)).permute(0, 3, 1, 2)
    network = tagger.network  # type: ignore[attr-defined]
    with torch.no_grad():
        features = network.forward_head(network.forward_features(numbers), pre_logits=True)
    both = features.numpy() @ state["head.linear.weight"].numpy().T + state["head.linear.bias"].numpy()
    expected = 1 / (1 + np.exp(-both[:, :12])) / (1 + np.exp(-both[:, 12:]))
    np.testing.assert_allclose(tagger.scores(squares()), expected, atol=1e-5)


def test_tags_stand_in_the_order_of_their_columns_not_of_the_file(tmp_path: Path) -> None:
    names = ["zebra", "(o)", "3_toes", "anthro"]
    assert load(write_jtp(tmp_path / "x", names)).tags.names == tuple(names)


def test_another_number_of_tags_is_refused(jtp_folder: Path) -> None:
    (jtp_folder / "tags.json").write_text('["a", "b"]')
    with pytest.raises(
        WeightsError, match=r"2 tags, but the network of x has 12; take both files from the same release"
    ):
        load(jtp_folder)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"head.linear.bias": None}, r"has no head\.linear\.bias; it must be a JTP PILOT2, whose head is gated"),
        ({"norm.bias": None}, r'does not fit vit_so400m.*: Missing key\(s\) in state_dict: "norm.bias"'),
        ({"cls_token": torch.zeros(1)}, r'does not fit vit_so400m.*: Unexpected key\(s\) in state_dict: "cls_token"'),
        ({"pos_embed": torch.zeros(1, 25, 144)}, r"does not fit vit_so400m.*: size mismatch for pos_embed"),
        ({"patch_embed.proj.weight": torch.zeros(9)}, r"does not fit vit_so400m.*\(not enough values to unpack"),
    ],
)
def test_another_checkpoint_is_one_line(jtp_folder: Path, tensors: dict, message: str) -> None:
    change(jtp_folder, **tensors)
    with pytest.raises(WeightsError, match=message) as caught:
        load(jtp_folder)
    assert "\n" not in str(caught.value)
