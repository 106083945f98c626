"""timm's `config.json` is followed as timm and wdv3-timm follow it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from timm.data import create_transform, resolve_data_config

from arena import cli, taggers
from arena.base.errors import ArenaError, WeightsError
from arena.cards import InputSpec, ModelCard, Preprocess, find_model, model_cards
from arena.taggers.base import tagger_notes
from arena.taggers.files.preprocess_files import apply_preprocess_file, read_preprocess_file
from arena.taggers.preprocess import normalise, square
from tests.conftest import Wd, draw, write_selected_tags

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
WD: dict[str, Any] = {
    "custom_load": False, "input_size": [3, 448, 448], "fixed_input_size": False, "interpolation": "bicubic", "crop_pct": 1.0,
    "crop_mode": "center", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "num_classes": 10861, "pool_size": None,
}  # fmt: skip
"""As the WD v3 taggers are published."""

FAMILY = (Preprocess(448), InputSpec("bgr", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)))


def write(folder: Path, pictures: object, **top: object) -> Path:
    path = folder / "config.json"
    content = {"architecture": "lcnet_035", "num_classes": 12, "pretrained_cfg": pictures}
    path.write_text(json.dumps({key: value for key, value in (content | top).items() if value != "left out"}))
    return path


def padded(image: Image.Image) -> Image.Image:
    """On a white square, as wdv3-timm pads."""
    side = max(image.size)
    canvas = Image.new("RGB", (side, side), (255, 255, 255))
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return canvas


def by_timm(images: Sequence[Image.Image], pictures: dict[str, Any]) -> torch.Tensor:
    """What wdv3-timm feeds: padded, timm's own transforms, then blue, green, red; (n, 3, side, side)."""
    transform = create_transform(**resolve_data_config(pictures))
    return torch.stack([transform(padded(image)) for image in images])[:, [2, 1, 0]]


@pytest.mark.parametrize("size", [(90, 70), (40, 131), (64, 64), (17, 9)])
@pytest.mark.parametrize(
    "change",
    [
        {}, IMAGENET, {"mean": [0.1, 0.5, 0.9]}, {"std": [0.2]}, {"crop_pct": 0.9}, {"crop_pct": 0.875}, {"crop_pct": 0.95},
        {"input_size": [3, 61, 61], "crop_pct": 0.9}, {"crop_mode": "squash", "crop_pct": 0.9}, {"crop_mode": "border"},
        *({"interpolation": name} for name in ("bilinear", "lanczos", "box", "hamming", "nearest")),
    ],
)  # fmt: skip
def test_the_networks_input_is_timms(tmp_path: Path, change: dict[str, Any], size: tuple[int, int]) -> None:
    pictures = WD | {"input_size": [3, 64, 64]} | change
    told = read_preprocess_file(write(tmp_path, pictures), *FAMILY)
    image = draw(3, size)
    ready = normalise(square(np.asarray(image), told.preprocess)[None], told.input)
    expected = by_timm([image], pictures).permute(0, 2, 3, 1).numpy()
    assert np.allclose(ready, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("change", [{}, IMAGENET, {"crop_pct": 0.9}, {"interpolation": "bilinear", "crop_pct": 0.875}])
def test_a_local_folder_scores_as_wdv3_timm_scores_it(timm_folder: Wd, change: dict[str, Any]) -> None:
    pictures = WD | {"input_size": [3, 64, 64]} | change
    write(timm_folder.folder, pictures)
    tagger = taggers.load(find_model(f"x={timm_folder.folder}"), device="cpu")
    images = [draw(seed) for seed in range(3)]
    seen = tagger.scores(np.stack([square(np.asarray(image), tagger.preprocess) for image in images]))
    network = timm.create_model("lcnet_035", num_classes=12).eval()
    network.load_state_dict(load_file(timm_folder.folder / "model.safetensors"))
    with torch.inference_mode():
        expected = network(by_timm(images, pictures)).sigmoid().numpy()
    assert np.abs(seen - expected).max() <= 1e-5
    assert np.ptp(expected, axis=0).max() > 1e-3


def test_what_wd_publishes_is_what_its_cards_say(tmp_path: Path) -> None:
    cards = [card for card in model_cards().values() if card.adapter == "timm" and "SmilingWolf" in (card.hub or "")]
    assert len(cards) == 5
    path = write(tmp_path, WD, num_classes=10861)
    for card in cards:
        followed = apply_preprocess_file(card, {"config.json": path})
        assert card.preprocess_file == "config.json"
        assert (followed.preprocess, followed.input, followed.preprocess_notes) == (card.preprocess, card.input, ())


def test_a_pickle_of_timm_scores_as_its_safetensors_and_may_hold_tensors_only(timm_folder: Wd) -> None:
    folder = timm_folder.folder
    expected = taggers.load(find_model(f"x={folder}"), device="cpu")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    tagger = taggers.load(find_model(f"x={folder}"), device="cpu")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    assert np.array_equal(tagger.scores(pixels), expected.scores(pixels))
    torch.save({"weights": folder}, folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"pytorch_model\.bin: refused .* it must hold tensors only"):
        taggers.load(find_model(f"x={folder}"), device="cpu")


def test_what_differs_from_the_family_is_told(timm_folder: Wd) -> None:
    change = {"input_size": [3, 64, 64], "mean": [0.1, 0.5, 0.9], "crop_pct": 0.9, "crop_mode": "squash"}
    write(timm_folder.folder, WD | change)
    assert tagger_notes(taggers.load(find_model(f"x={timm_folder.folder}"), device="cpu")) == (
        (
            "config.json: used instead of its family's values: input_size 64 (family: 448), "
            "mean 0.1 0.5 0.9 (family: 0.5 0.5 0.5), crop_pct 0.9 (family: 1)"
        ),
        "config.json: crop_mode squash has no effect, because the image is already a square",
    )


@pytest.mark.parametrize("absent", ["null", "missing"])
def test_what_the_file_leaves_out_is_the_familys_and_told(timm_folder: Wd, absent: str) -> None:
    pictures = WD | {"input_size": [3, 448, 448], "mean": None, "crop_pct": None, "crop_mode": None}
    if absent == "missing":
        pictures = {key: value for key, value in pictures.items() if value is not None}
    write(timm_folder.folder, pictures)
    tagger = taggers.load(find_model(f"x={timm_folder.folder}"), device="cpu")
    assert (tagger.preprocess, tagger.card.input) == FAMILY
    assert tagger_notes(tagger) == (
        "config.json: has no mean, no crop_pct; its family's values are used: mean 0.5 0.5 0.5, crop_pct 1",
    )


@pytest.mark.parametrize("pictures", [None, {}])
def test_a_file_that_says_nothing_leaves_all_to_the_family(tmp_path: Path, pictures: object) -> None:
    told = read_preprocess_file(write(tmp_path, pictures), *FAMILY)
    assert told[:2] == FAMILY
    assert told.notes[0].startswith("has no input_size, no mean, no std, no interpolation, no crop_pct;")


def test_an_old_file_tells_everything_at_its_top(tmp_path: Path) -> None:
    path = write(tmp_path, "left out", **(WD | IMAGENET | {"num_classes": 12}))
    told = read_preprocess_file(path, *FAMILY)
    assert told.input.mean == (0.406, 0.456, 0.485), "in the network's order"
    beside = read_preprocess_file(write(tmp_path, WD, **IMAGENET), *FAMILY)
    assert beside.input.mean == (0.5, 0.5, 0.5), "the table, where there is one"


def test_a_network_built_for_one_size_tells_its_side(tmp_path: Path) -> None:
    def side(pictures: dict[str, Any], **model_args: object) -> int:
        return read_preprocess_file(write(tmp_path, pictures, model_args=model_args), *FAMILY).preprocess.size

    fixed = {"input_size": [3, 224, 224], "fixed_input_size": True}
    assert side(fixed) == 224
    assert side(fixed, img_size=64) == side({}, img_size=64) == side({}, img_size=[64, 64]) == 64
    assert (
        side(fixed, img_size=64, dynamic_img_size=True) == side(fixed | {"fixed_input_size": False}, img_size=64) == 224
    )


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ({"mean": [0.5] * 4}, r"mean = \[0.5, 0.5, 0.5, 0.5\]; it must be one number or three"),
        ({"mean": []}, r"mean = \[\]"),
        ({"mean": [0.5, None, 0.5]}, "mean = .*None"),
        ({"mean": [0.5, float("nan"), 0.5]}, "NaN is not a number"),
        ({"mean": 10**400}, "a whole number of more than"),
        ({"std": [0.5, 0, 0.5]}, r"std = \[0.5, 0.0, 0.5\]; each must be above 0"),
        ({"std": "0.5"}, "std = '0.5'"),
        ({"interpolation": "cubic"}, "interpolation = 'cubic'; allowed: bicubic, bilinear"),
        ({"interpolation": ["bicubic"]}, "interpolation = "),
        ({"crop_pct": 0}, "crop_pct = 0; it must be a number above 0, at most 1"),
        ({"crop_pct": 1.1}, "crop_pct = 1.1"),
        ({"crop_pct": "0.9"}, "crop_pct = '0.9'"),
        ({"crop_pct": True}, "crop_pct = True"),
        ({"crop_pct": 1e-9}, "448,000,000,000 pixels before the crop; at most 20,000 are allowed"),
        ({"crop_mode": "centre"}, "crop_mode = 'centre'; allowed: center, squash, border"),
        ({"input_size": [3, 64, 32]}, r"input_size = \[3, 64, 32\]; height and width must be equal"),
        ({"input_size": [1, 64, 64]}, "3 channels, a height and a width"),
        ({"input_size": 64}, "input_size = 64; it must be 3 channels"),
        ({"input_size": [3, 0, 0]}, "it must be a whole number above 0"),
        ({"input_size": [3, 64.5, 64.5]}, "it must be a whole number above 0"),
        ({"input_size": [3, 30000, 30000]}, "it must be at most 20,000 pixels"),
        ([], r"pretrained_cfg = \[\]; it must be a table"),
    ],
)
def test_a_value_that_cannot_be_followed_is_one_line(tmp_path: Path, pictures: object, message: str) -> None:
    path = write(tmp_path, pictures)
    with pytest.raises(WeightsError, match=message) as caught:
        read_preprocess_file(path, *FAMILY)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("top", "message"),
    [
        ({"architecture": "left out"}, "architecture = None"),
        ({"architecture": "hf-hub:people/net"}, "architecture = 'hf-hub:people/net'; timm .* has no such network"),
        ({"num_classes": "left out"}, "num_classes = None; it must be a whole number"),
        ({"num_classes": True}, "num_classes = True"),
        ({"model_args": [1]}, r"model_args = \[1\]; it must be a table"),
        ({"model_args": {"in_chans": 1}}, "model_args.in_chans = 1; only 3 channels"),
        ({"model_args": {"depth": "deep"}}, "cannot build it"),
        (
            {"architecture": "vit_tiny_patch16_224", "model_args": {"embed_dim": 32, "depth": 1, "num_heads": 2}},
            "the network is built for 224 x 224 pixels, but its input is 64 x 64",
        ),
    ],
)
def test_a_network_that_cannot_be_built_is_one_line(tmp_path: Path, top: dict[str, object], message: str) -> None:
    write_selected_tags(tmp_path, [f"tag_{i}" for i in range(12)])
    (tmp_path / "model.safetensors").touch()
    path = write(tmp_path, {"input_size": [3, 64, 64]}, **top)
    with pytest.raises(WeightsError, match=message) as caught:
        taggers.load(find_model(f"x={tmp_path}"), device="cpu")
    assert str(caught.value).startswith(f"{path}: ")


def test_the_verbs_exit_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path, WD | {"mean": [0.5] * 4})
    for name in ("model.safetensors", "selected_tags.csv"):
        (tmp_path / name).touch()
    with pytest.raises(SystemExit) as ended:
        cli.main(["verify", f"x={tmp_path}"])
    assert ended.value.code == 2
    assert f"{path}: mean = [0.5, 0.5, 0.5, 0.5]" in capsys.readouterr().err.replace("\n", " ")


def test_the_identity_holds_what_is_followed(timm_folder: Wd) -> None:
    write(timm_folder.folder, WD | {"input_size": [3, 64, 64], "crop_pct": 0.9})
    told = taggers.identify(find_model(f"x={timm_folder.folder}"))
    assert (told["preprocess"]["size"], told["preprocess"]["crop_from"]) == (64, 71)
    write(timm_folder.folder, WD | {"input_size": [3, 64, 64]} | IMAGENET)
    assert taggers.identify(find_model(f"x={timm_folder.folder}"))["input"]["mean"] == (0.406, 0.456, 0.485)


def carded(folder: Path, text: str) -> ModelCard:
    files = '["model.safetensors", "config.json", "selected_tags.csv"]'
    (folder / "card.toml").write_text(f'name = "own"\nadapter = "timm"\nfiles = {files}\noutput = "logits"\n{text}')
    return find_model(f"x={folder}")


def test_a_card_that_tells_the_preprocessing_itself_is_followed_and_the_difference_told(timm_folder: Wd) -> None:
    write(timm_folder.folder, WD | {"input_size": [3, 64, 64], "crop_pct": 0.9})
    own = "[input]\nmean = [0.5, 0.5, 0.5]\nstd = [0.2, 0.5, 0.5]"
    tagger = taggers.load(carded(timm_folder.folder, own), device="cpu")
    assert (tagger.preprocess, tagger.card.input.std) == (Preprocess(64), (0.2, 0.5, 0.5))
    assert tagger_notes(tagger) == (
        (
            "config.json: not used, because the card sets the preprocessing: std 0.5 0.5 0.5 (card: 0.2 0.5 0.5), "
            "crop_pct 0.9 (card: 1)"
        ),
    )
    followed = taggers.load(carded(timm_folder.folder, f'[preprocess]\nfile = "config.json"\n{own}'), device="cpu")
    assert (followed.preprocess.crop_from, followed.card.input.std) == (71, (0.5, 0.5, 0.5))
    silent = taggers.load(carded(timm_folder.folder, ""), device="cpu")
    assert (silent.preprocess.crop_from, silent.card.input.std) == (71, (0.5, 0.5, 0.5))
    write(timm_folder.folder, WD | {"input_size": [3, 64, 64], "mean": [0.5] * 4})
    sized = carded(timm_folder.folder, f"[preprocess]\nsize = 64\n{own}")
    assert "one number or three" in tagger_notes(taggers.load(sized, device="cpu"))[0]


def test_a_card_must_list_timms_file(timm_folder: Wd) -> None:
    text = 'name = "own"\nadapter = "timm"\nfiles = ["model.safetensors", "selected_tags.csv"]\n'
    (timm_folder.folder / "card.toml").write_text(text)
    with pytest.raises(ArenaError, match=r"preprocess.file = 'config.json' is not among files"):
        find_model(f"x={timm_folder.folder}")
    (timm_folder.folder / "card.toml").write_text(text + "[preprocess]\nsize = 64")
    with pytest.raises(WeightsError, match=r"file = 'config.json' is not one of its files"):
        taggers.load(find_model(f"x={timm_folder.folder}"))


def test_a_tagger_that_is_loaded_already_is_given_again(timm_folder: Wd) -> None:
    write(timm_folder.folder, WD | {"input_size": [3, 64, 64]} | IMAGENET)
    card = find_model(f"x={timm_folder.folder}")
    tagger = taggers.load(card, device="cpu")
    assert taggers.load(card, device="cpu", among=[tagger]) is tagger
