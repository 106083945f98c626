from pathlib import Path

import pytest

from arena.cards import find_dataset, find_model, find_models, model_cards, read_model_card
from arena.errors import ArenaError

CARD = """
name = "mine"
adapter = "joytag"
files = ["model.safetensors", "config.json", "top_tags.txt"]
"""


def write(folder: Path, text: str) -> Path:
    (folder / "models").mkdir(exist_ok=True)
    path = folder / "models" / "mine.toml"
    path.write_text(text)
    return path


def test_the_shipped_cards_say_what_the_field_says() -> None:
    cards = model_cards()
    assert {
        "joytag",
        "wd14",
        "wd-vit-v3",
        "wd-vit-v3-timm",
        "joytag-demo",
        "wd14-demo",
        "wd14-demo-timm",
    } <= cards.keys()
    assert (cards["joytag"].hub, cards["joytag"].thresholds.default) == ("fancyfeast/joytag", 0.4)
    assert (cards["wd14"].hub, cards["wd14"].thresholds.default) == ("SmilingWolf/wd-v1-4-vit-tagger-v2", 0.35)
    assert cards["wd14"].thresholds.categories == {"character": 0.85}
    assert cards["joytag"].preprocess == cards["wd14"].preprocess, "they share one decode and one resize"
    for card in cards.values():
        assert card.hub is None or card.revision, f"{card.name} is fetched at no pinned revision"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "no readable TOML"),
        ('adapter = "joytag"\nfiles = ["a"]', "no name; add it"),
        (CARD + 'adaptor = "x"', "adaptor is no field of a card. Did you mean adapter?"),
        (CARD.replace('"joytag"', '"tensorflow"'), "adapter = 'tensorflow'; allowed: joytag, onnx, timm"),
        (CARD + "[thresholds]\ndefault = 40", r"threshold default = 40.0; it must lie in 0 to 1"),
        (CARD + "[thresholds.categories]\ncharacter = -1", "threshold character = -1.0"),
        (CARD + "[thresholds.categories]\ncharcter = 0.8", "no category is called 'charcter'. Did you mean character?"),
        (CARD + "[preprocess]\npad_colour = [300.5, 0, 0]", "three whole numbers from 0 to 255"),
        (CARD + "[preprocess]\npad_colour = [true, 0, 0]", "three numbers"),
        (CARD + '[preprocess]\nresize = "magic"', "resize = 'magic'; allowed: bicubic"),
        (CARD + "[input]\nmean = [1.0]", "mean = .* must be three numbers"),
        (CARD + "verified = 1", "verified = 1; it must be bool"),
        (CARD.replace('"mine"', '"../mine"'), "a name is made of letters"),
    ],
)
def test_a_wrong_card_names_the_field(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ArenaError, match=message) as caught:
        read_model_card(write(tmp_path, text))
    assert "mine" in str(caught.value)


def test_a_users_root_comes_before_the_shipped_cards(tmp_path: Path) -> None:
    write(tmp_path, CARD.replace('"mine"', '"joytag"') + 'title = "Mine"')
    assert find_model("joytag", tmp_path).title == "Mine"
    assert find_model("wd14", tmp_path).hub
    assert find_model("joytag").title == "JoyTag"
    with pytest.raises(ArenaError, match="no such folder"):
        find_model("joytag", tmp_path / "none")


def test_unknown_names_get_the_nearest_suggested() -> None:
    with pytest.raises(ArenaError, match=r"no model is called 'joytga'\. Did you mean joytag"):
        find_model("joytga")
    with pytest.raises(ArenaError, match=r"no dataset is called 'dmeo'\. Did you mean demo\?"):
        find_dataset("dmeo")


def test_a_local_folder_is_told_apart_by_what_is_in_it(joytag_folder: Path, onnx_folder, timm_folder) -> None:
    joytag, onnx, timm = (find_model(f"x={f}") for f in (joytag_folder, onnx_folder.folder, timm_folder.folder))
    assert (joytag.adapter, onnx.adapter, timm.adapter) == ("joytag", "onnx", "timm")
    assert (joytag.thresholds.default, onnx.thresholds.default) == (0.4, 0.35)
    assert joytag.hub is None
    assert not joytag.verified
    (onnx_folder.folder / "card.toml").write_text('name = "y"\nadapter = "onnx"\nfiles = ["model.onnx"]\ntitle = "Own"')
    assert find_model(f"x={onnx_folder.folder}").title == "Own"


def test_a_model_is_named_once(joytag_folder: Path) -> None:
    with pytest.raises(ArenaError, match="joytag is named twice"):
        find_models(["joytag", f"joytag={joytag_folder}"])
    with pytest.raises(ArenaError, match="no model is named"):
        find_models([])
    with pytest.raises(ArenaError, match="a name is made of letters"):
        find_model(f"../up={joytag_folder}")
    with pytest.raises(ArenaError, match="no folder"):
        find_model("x=/nowhere/at/all")


def test_a_folder_that_is_no_dataset_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArenaError, match=r"no dataset.toml in it"):
        find_dataset(str(tmp_path))
