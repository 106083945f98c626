import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from arena import taggers
from arena.base.errors import ArenaError, WeightsError
from arena.cards import InputSpec, Preprocess, find_model
from arena.taggers.files.preprocess_files import apply_preprocess_file, read_preprocess_file
from arena.taggers.preprocess import normalise, square
from tests.conftest import Wd, draw, write_onnx

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
PAD = {"type": "pad_to_size", "size": [64, 64], "background_color": "white", "interpolation": "bilinear"}
ANIMETIMM: list[dict[str, Any]] = [
    PAD,
    {"type": "resize", "size": 48, "interpolation": "bicubic", "max_size": None, "antialias": True},
    {"type": "center_crop", "size": [48, 48]},
    {"type": "maybe_to_tensor"},
    {"type": "normalize", **IMAGENET},
]
PIXAI: list[dict[str, Any]] = [
    {"type": "resize", "size": [48, 48], "interpolation": "bilinear"},
    {"type": "to_tensor"},
    {"type": "normalize", "mean": [0.5], "std": 0.5},
]


def write(folder: Path, content: object) -> Path:
    path = folder / "preprocess.json"
    path.write_text(json.dumps(content))
    return path


def step_by_step(image: Image.Image, steps: list[dict[str, Any]]) -> np.ndarray:
    """The transforms one after the other, as imgutils runs them with Pillow: float32 (3, side, side)."""
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    array = np.empty(0, np.float32)
    for step in steps:
        match step["type"]:
            case "pad_to_size":
                ratio = min(step["size"][0] / image.width, step["size"][1] / image.height)
                small = image.resize(
                    (round(image.width * ratio), round(image.height * ratio)), filters[step["interpolation"]]
                )
                image = Image.new("RGB", tuple(step["size"]), step["background_color"])
                image.paste(small, ((image.width - small.width) // 2, (image.height - small.height) // 2))
            case "resize":
                side = step["size"]
                if isinstance(side, int):
                    shorter = min(image.size)
                    side = [int(side * image.width / shorter), int(side * image.height / shorter)]
                image = image.resize(tuple(side), filters[step["interpolation"]])
            case "center_crop":
                left, top = (image.width - step["size"][0]) // 2, (image.height - step["size"][1]) // 2
                image = image.crop((left, top, left + step["size"][0], top + step["size"][1]))
            case "to_tensor" | "maybe_to_tensor":
                array = np.asarray(image).transpose(2, 0, 1).astype(np.float32) / 255
            case "normalize":
                mean, std = (np.broadcast_to(np.float32(step[name]), 3) for name in ("mean", "std"))
                array = (array - mean[:, None, None]) / std[:, None, None]
    return array


@pytest.mark.parametrize("size", [(90, 70), (40, 131), (64, 64), (17, 9)])
@pytest.mark.parametrize(
    "steps",
    [
        ANIMETIMM,
        PIXAI,
        [*ANIMETIMM[:2], {"type": "center_crop", "size": [42, 42]}, *ANIMETIMM[3:]],
        ANIMETIMM[1:],  # the shorter side is resized, and the centre cropped
        [ANIMETIMM[1], {"type": "center_crop", "size": [41, 41]}, *ANIMETIMM[3:]],
    ],
)
def test_a_list_of_transforms_gives_what_its_steps_give(
    tmp_path: Path, steps: list[dict[str, Any]], size: tuple[int, int]
) -> None:
    told = read_preprocess_file(write(tmp_path, {"val": PIXAI, "test": steps}))
    image = draw(3, size)
    ready = normalise(square(np.asarray(image), told.preprocess)[None], told.input)
    assert np.array_equal(ready[0].transpose(2, 0, 1), step_by_step(image, steps))


def test_what_animetimm_and_pixai_say_is_told_in_fields(tmp_path: Path) -> None:
    anime = read_preprocess_file(write(tmp_path, {"test": ANIMETIMM}))
    assert anime.preprocess == Preprocess(48, pad="after", resize="bicubic", fit_size=64, fit_resize="bilinear")
    assert anime.input == InputSpec(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    pixai = read_preprocess_file(
        write(tmp_path, {"stages": PIXAI}), Preprocess(alpha=(1, 2, 3)), InputSpec(name="input")
    )
    assert pixai.preprocess == Preprocess(48, pad="none", resize="bilinear", alpha=(1, 2, 3))
    assert pixai.input == InputSpec(mean=(0.5,) * 3, std=(0.5,) * 3, name="input")


def test_oppai_oracles_table_leaves_to_the_card_what_it_does_not_say(tmp_path: Path) -> None:
    table = {
        "image_size": 48,
        "pad_color_rgb": [114, 114, 114],
        "normalize_mean": [0.5] * 3,
        "normalize_std": [0.5] * 3,
    }
    told = read_preprocess_file(write(tmp_path, table), Preprocess(enlarge=False, resize="bilinear"))
    expected = Preprocess(48, pad="after", pad_colour=(114, 114, 114), enlarge=False, resize="bilinear")
    assert told.preprocess == expected
    assert told.input == InputSpec(mean=(0.5,) * 3, std=(0.5,) * 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"pre": []}, "has none of test, stages, val"),
        ({"test": [1]}, "is not a list of transforms"),
        ({"test": []}, "no transform that makes a square"),
        ({"test": [{"type": "resise", "size": [8, 8]}]}, "transform 'resise' is unknown. Did you mean resize"),
        ({"test": [{"type": "resize", "size": 8}]}, "resize to 8 scales only the shorter side"),
        ({"test": [{"type": "resize", "size": [8]}]}, "resize to 8 scales only the shorter side"),
        ({"test": [{"type": "center_crop", "size": 8}]}, "has center_crop before any resize"),
        ({"test": [{"type": "resize", "size": [8, 9]}]}, r"size = \[8, 9\]; it must be the side of a square"),
        ({"test": [{"type": "resize", "size": [8, 8], "interpolation": "area"}]}, "interpolation = 'area'"),
        ({"test": [{"type": "resize", "size": [8, 8], "antialias": False}]}, "antialias = false"),
        ({"test": [PAD, {"type": "center_crop", "size": 65}]}, "center_crop to 65 from a square of 64"),
        ({"test": [PIXAI[0], PAD]}, "it must come first"),
        ({"test": [PIXAI[0], PIXAI[0]]}, "resizes the image more than once"),
        ({"test": [{**PAD, "background_color": "no colour"}]}, "colour 'no colour'"),
        ({"test": [{**PAD, "background_color": [0, 0, 256]}]}, r"colour \[0, 0, 256\]"),
        ({"test": [PAD, {"type": "normalize", "mean": [0.5, 0.5], "std": 1}]}, r"mean = \[0.5, 0.5\]"),
        ({"test": [PAD, {"type": "normalize", "mean": 0.5, "std": 0}]}, "std = .* each must be above 0"),
        ({"test": [{"type": "normalize", "mean": 0.5, "std": 1}, PAD]}, "normalize must be the last"),
        ({"test": [PAD, {"type": "rescale", "rescale_factor": -1}]}, "rescale_factor = -1"),
        ({"image_size": "48"}, "image_size = '48'"),
    ],
)
def test_what_cannot_be_followed_is_one_line(tmp_path: Path, content: object, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(WeightsError, match=message) as caught:
        read_preprocess_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_no_json_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "preprocess.json"
    path.write_text("{")
    with pytest.raises(WeightsError, match="not readable JSON"):
        read_preprocess_file(path)


def test_rescaling_by_a_float32_is_a_division_by_255(tmp_path: Path) -> None:
    rescale = {"type": "rescale", "rescale_factor": float(np.float32(1 / 255))}
    assert read_preprocess_file(write(tmp_path, [PAD, rescale])).input.scale == 255


def test_a_card_follows_its_file(tmp_path: Path) -> None:
    card = find_model("animetimm-some_network")
    followed = apply_preprocess_file(card, {"preprocess.json": write(tmp_path, {"test": ANIMETIMM})})
    assert (followed.preprocess.size, followed.preprocess.fit_size) == (48, 64)
    assert (followed.input.name, followed.input.mean[0]) == ("input", 0.485)
    joytag = find_model("joytag")
    assert apply_preprocess_file(joytag, {}) is joytag


def test_a_local_folder_with_a_preprocess_file_follows_it(timm_folder: Wd, tmp_path: Path) -> None:
    write(timm_folder.folder, {"test": ANIMETIMM})
    card = find_model(f"x={timm_folder.folder}")
    assert (card.adapter, card.preprocess_file, card.tag_count, card.verified) == ("timm", "preprocess.json", 0, False)
    tagger = taggers.load(card, device="cpu")
    told = tagger.preprocess
    assert (told.size, told.fit_size, told.pad, told.resize) == (48, 64, "after", "bicubic")
    assert tagger.card.input.channels == "rgb"
    assert tagger.scores(np.stack([square(np.asarray(draw(1)), told)])).shape == (1, len(timm_folder.tags))
    before = taggers.identify(card)
    write(timm_folder.folder, {"test": PIXAI})
    assert taggers.identify(card)["weights"] != before["weights"], "another file, another cache"
    write(timm_folder.folder, {"test": [{"type": "flip"}]})
    with pytest.raises(WeightsError, match="transform 'flip' is unknown"):
        taggers.load(card, device="cpu")


def test_a_graph_beside_a_preprocess_file_is_of_animetimms_layout(onnx_folder: Wd) -> None:
    write(onnx_folder.folder, {"test": ANIMETIMM})
    write_onnx(onnx_folder.folder / "model.onnx", len(onnx_folder.tags))
    card = find_model(f"x={onnx_folder.folder}")
    assert (card.adapter, card.output_name, card.input.name) == ("onnx", "prediction", "input")
    assert card.files == ("model.onnx", "selected_tags.csv", "preprocess.json")


def test_a_library_that_is_missing_is_told_when_the_model_is_loaded(
    onnx_folder: Wd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    text = 'name = "x"\nadapter = "onnx"\nfiles = ["model.onnx", "selected_tags.csv"]\n[preprocess]\nlibrary = "opencv"'
    (onnx_folder.folder / "card.toml").write_text(text)
    with pytest.raises(ArenaError, match="opencv-python-headless"):
        taggers.load(find_model(f"x={onnx_folder.folder}"))
