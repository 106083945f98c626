"""Folders without a card, as people have them: which files are found, and with whose values they are read."""

from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.cards import FOLDER_LAYOUTS, TagFile, find_model, model_cards
from arena.cards.layouts import axes_of_family


def folder_with(folder: Path, *files: str) -> Path:
    for file in files:
        (folder / file).touch()
    return folder


@pytest.mark.parametrize(
    ("files", "family", "adapter", "found"),
    [
        (
            "model.safetensors config.json top_tags.txt",
            "joytag",
            "joytag",
            "model.safetensors config.json top_tags.txt",
        ),
        (
            "model.pt config.json top_tags.txt training_state.pt",
            "joytag",
            "joytag",
            "model.pt config.json top_tags.txt",
        ),
        (
            "epoch3.safetensors config.json top_tags.txt",
            "joytag",
            "joytag",
            "epoch3.safetensors config.json top_tags.txt",
        ),
        ("model.onnx top_tags.txt", "joytag", "onnx", "model.onnx top_tags.txt"),
        (
            "model.onnx model.safetensors config.json top_tags.txt",
            "joytag",
            "joytag",
            "model.safetensors config.json top_tags.txt",
        ),
        ("model.onnx selected_tags.csv README.md", "wd14", "onnx", "model.onnx selected_tags.csv"),
        ("model.onnx model.safetensors config.json selected_tags.csv", "wd14", "onnx", "model.onnx selected_tags.csv"),
        ("wd-v1-4-moat.onnx wd-v1-4-moat.csv", "wd14", "onnx", "wd-v1-4-moat.onnx wd-v1-4-moat.csv"),
        ("wd-v1-4-moat.onnx selected_tags.csv", "wd14", "onnx", "wd-v1-4-moat.onnx selected_tags.csv"),
        ("joytag.onnx top_tags.txt", "joytag", "onnx", "joytag.onnx top_tags.txt"),
        (
            "pytorch_model.bin config.json selected_tags.csv",
            "wd-vit-v3-timm",
            "timm",
            "pytorch_model.bin config.json selected_tags.csv",
        ),
        (
            "pytorch_model.bin model.safetensors config.json selected_tags.csv",
            "wd-vit-v3-timm",
            "timm",
            "model.safetensors config.json selected_tags.csv",
        ),
        (
            "model.onnx selected_tags.csv preprocess.json",
            "animetimm-caformer_b36",
            "onnx",
            "model.onnx selected_tags.csv preprocess.json",
        ),
    ],
)
def test_a_folder_is_read_with_its_familys_values(
    tmp_path: Path, files: str, family: str, adapter: str, found: str
) -> None:
    card = find_model(f"mine={folder_with(tmp_path, *files.split())}")
    template = model_cards()[family]
    assert (card.family, card.adapter, card.files) == (family, adapter, tuple(found.split()))
    assert (card.folder, card.preprocess, card.input) == (tmp_path.resolve(), template.preprocess, template.input)
    assert (card.hub, card.verified, card.known_verified, card.tag_count) == (None, False, None, 0)
    assert card.output == ("auto" if adapter != template.adapter else template.output)
    own_list = next((file for file in card.files if file.endswith(".csv") and file != "selected_tags.csv"), None)
    assert card.tags == (TagFile(own_list, "selected_tags") if own_list else template.tags)


def test_one_file_of_several_is_named_by_its_path(tmp_path: Path) -> None:
    folder_with(tmp_path, "a.onnx", "a.csv", "b.onnx", "b.csv", "c.safetensors", "d.safetensors", "config.json")
    folder_with(tmp_path, "top_tags.txt")
    with pytest.raises(
        ArenaError, match=r"has several weights \(c\.safetensors, d\.safetensors\); name one of them: m=.*/c\."
    ):
        find_model(f"m={tmp_path}")
    (tmp_path / "top_tags.txt").rename(tmp_path / "other.txt")
    with pytest.raises(ArenaError, match=r"has several weights \(a\.onnx, b\.onnx\)"):
        find_model(f"m={tmp_path}")
    (tmp_path / "a.csv").unlink()
    assert find_model(f"m={tmp_path}").files == ("b.onnx", "b.csv"), "a graph without a tag list is no tagger"
    (tmp_path / "other.txt").rename(tmp_path / "top_tags.txt")
    assert find_model(f"m={tmp_path / 'b.onnx'}").files == ("b.onnx", "b.csv")
    assert find_model(f"m={tmp_path / 'd.safetensors'}").files == ("d.safetensors", "config.json", "top_tags.txt")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ("model.pt config.json training_state.pt", r"that of joytag .*; missing: top_tags\.txt\."),
        ("model.safetensors", "missing: config.json, "),
        ("pytorch_model.bin selected_tags.csv", r"wd-vit-v3-timm .*; missing: config\.json\."),
        ("notes.md", "missing: model.onnx"),
    ],
)
def test_an_unknown_folder_names_the_most_similar_layout_and_the_card(tmp_path: Path, files: str, message: str) -> None:
    folder_with(tmp_path, *files.split())
    with pytest.raises(ArenaError, match=message) as told:
        find_model(f"m={tmp_path}")
    assert "card.toml (docs/adding/tagger.md)" in str(told.value)
    assert len(str(told.value)) < 300 + len(str(tmp_path))


def test_every_layout_names_a_card_and_only_wds_graphs_have_one_order_of_axes() -> None:
    cards = model_cards()
    assert {layout.card for layout in FOLDER_LAYOUTS} <= cards.keys()
    assert [layout.card for layout in FOLDER_LAYOUTS if layout.axes] == ["wd14"]
    assert axes_of_family(cards["wd14"]) == "", "a card says it itself"
