"""RAM++: the published names, and the tags' queries against a slow reckoning, picture by picture and tag by tag."""

from pathlib import Path

import numpy as np
import pytest
import torch

from arena import taggers
from arena.base.errors import WeightsError
from arena.cards import find_model
from arena.taggers.files.threshold_files import read_thresholds
from arena.taggers.files.weights import fetch_files
from arena.taggers.preprocess import normalise
from tests.conftest import write_ram

TAGS = 7


def load(folder: Path) -> taggers.Tagger:
    return taggers.load(find_model(f"x={folder}"), device="cpu")


def softmax(x: np.ndarray) -> np.ndarray:
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def norm(x: np.ndarray, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return (
        centred / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-12) * weights[f"{name}.weight"] + weights[f"{name}.bias"]
    )


def linear(x: np.ndarray, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def gelu(x: np.ndarray) -> np.ndarray:
    from scipy.special import erf

    return x * (1 + erf(x / np.sqrt(2))) / 2


def logits_of(patches: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Logits of one picture from the patches of its encoder (patches, features), one tag after the other."""
    picture = linear(np.vstack([patches.mean(axis=0), patches]), weights, "image_proj")
    mean = picture[0] / np.linalg.norm(picture[0])
    logits = []
    for tag in range(TAGS):
        told = weights["label_embed"][3 * tag : 3 * tag + 3]
        x = np.maximum(linear(softmax(told @ mean / 0.07) @ told, weights, "wordvec_proj"), 0)
        for number in range(2):
            layer = f"tagging_head.encoder.layer.{number}"
            look = f"{layer}.crossattention"
            q, k, v = (
                linear(of, weights, f"{look}.self.{name}").reshape(-1, 4, 4)
                for name, of in (("query", x), ("key", picture), ("value", picture))
            )
            seen = [softmax(k[:, head] @ q[0, head] / 2) @ v[:, head] for head in range(4)]
            x = norm(
                linear(np.concatenate(seen), weights, f"{look}.output.dense") + x, weights, f"{look}.output.LayerNorm"
            )
            inner = gelu(linear(x, weights, f"{layer}.intermediate.dense"))
            x = norm(linear(inner, weights, f"{layer}.output.dense") + x, weights, f"{layer}.output.LayerNorm")
        logits.append(linear(x, weights, "fc")[0])
    return np.array(logits)


def test_scores_are_those_of_the_published_recipe(ram_folder: Path) -> None:
    tagger = load(ram_folder)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    numbers = torch.from_numpy(normalise(pixels, tagger.card.input)).permute(0, 3, 1, 2)
    with torch.no_grad():
        patches = tagger.network.visual_encoder.forward_features(numbers).flatten(1, 2)  # type: ignore[attr-defined]
    state = torch.load(ram_folder / "ram.pth", weights_only=True)["model"]
    weights = {name: tensor.double().numpy() for name, tensor in state.items()}
    expected = np.stack([logits_of(of.double().numpy(), weights) for of in patches])
    assert expected.std(axis=0).min() > 0.01, "the pictures are told apart"
    np.testing.assert_allclose(tagger.scores(pixels), 1 / (1 + np.exp(-expected)), atol=1e-4)


def test_a_scale_that_the_checkpoint_tells_is_taken(ram_folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    before = load(ram_folder).scores(pixels)
    content = torch.load(ram_folder / "ram.pth", weights_only=True)
    content["model"]["reweight_scale"] = torch.tensor(-2.0)
    torch.save(content, ram_folder / "ram.pth")
    assert np.abs(load(ram_folder).scores(pixels) - before).max() > 1e-3


def test_tags_are_spelt_with_underscores_and_thresholds_follow_their_order(ram_folder: Path) -> None:
    card = find_model(f"x={ram_folder}")
    tags = load(ram_folder).tags
    assert tags.names[:2] == ("3D_CG_rendering", "baby_shoe")
    told = read_thresholds(card, fetch_files(card), tags)
    assert (told.default, told.tags["3D_CG_rendering"], told.tags["tag_4"]) == (0.68, 0.5, 0.56)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.5\n0.6", "2 thresholds, but the model has 7 tags; take both files from the same release"),
        ("0.5\n" * 6 + "1.5", "the threshold of line 7 is '1.5'; it must lie in 0 to 1"),
        ("\n", "has no thresholds"),
    ],
)
def test_a_wrong_list_of_thresholds_is_one_line(ram_folder: Path, text: str, message: str) -> None:
    card = find_model(f"x={ram_folder}")
    (ram_folder / "thresholds.txt").write_text(text)
    with pytest.raises(WeightsError, match=message):
        read_thresholds(card, fetch_files(card), load(ram_folder).tags)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"label_embed": None}, r"has no label_embed; it must be a RAM\+\+ \(not RAM or Tag2Text\)"),
        ({"label_embed": torch.zeros(20, 12)}, "20 descriptions for 7 tags; it must be"),
        ({"fc.bias": None}, r'does not fit RAM\+\+: Missing key\(s\) in state_dict: "fc.bias"'),
        ({"fc.scale": torch.zeros(1)}, r'does not fit RAM\+\+: Unexpected key\(s\) in state_dict: "fc.scale"'),
        ({"visual_encoder.patch_embed.proj.weight": None}, r"does not fit RAM\+\+ \('visual_encoder.patch_embed"),
        ({"wordvec_proj.weight": torch.zeros(15, 12)}, "has 15 outputs, not a multiple of 4 attention heads"),
        ({"image_proj.weight": torch.zeros(12, 31)}, r"does not fit RAM\+\+: size mismatch for image_proj.weight"),
    ],
)
def test_another_checkpoint_is_one_line(ram_folder: Path, tensors: dict, message: str) -> None:
    content = torch.load(ram_folder / "ram.pth", weights_only=True)
    state = content["model"] | tensors
    torch.save(
        {"model": {name: tensor for name, tensor in state.items() if tensor is not None}}, ram_folder / "ram.pth"
    )
    with pytest.raises(WeightsError, match=message) as caught:
        load(ram_folder)
    assert "\n" not in str(caught.value)


def test_an_arbitrary_pickle_is_refused(ram_folder: Path) -> None:
    torch.save({"model": Path("anything but tensors")}, ram_folder / "ram.pth")
    with pytest.raises(WeightsError, match="it must hold tensors only"):
        load(ram_folder)


def test_the_release_has_the_parameters_that_it_is_said_to_have(tmp_path: Path) -> None:
    import timm

    from arena.taggers.adapters.ram import ENCODER, RamPlus, RamSizes

    with torch.device("meta"):
        network = RamPlus(timm.create_model(ENCODER, num_classes=0), RamSizes(1536, 512, 768, 3072, 2, 4585, 51))
    assert network.label_embed.shape == (233_835, 512)
    assert round(sum(parameter.numel() for parameter in network.parameters()) / 1e6) == 329


def test_fewer_descriptions_are_another_release_not_an_error(tmp_path: Path) -> None:
    folder = write_ram(tmp_path / "x", [f"tag_{i}" for i in range(TAGS)], descriptions=1)
    assert load(folder).scores(np.zeros((2, 32, 32, 3), np.uint8)).shape == (2, TAGS)
