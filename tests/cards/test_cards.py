from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.cards import HubSource, find_dataset, find_model, find_models, model_cards, model_groups, read_model_card

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


def test_a_changed_card_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, CARD)
    assert model_cards(tmp_path)["mine"].title == "mine"
    write(tmp_path, f'{CARD}title = "Renamed"\n')
    assert model_cards(tmp_path)["mine"].title == "Renamed"
    write(tmp_path, CARD).unlink()
    assert "mine" not in model_cards(tmp_path)


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


SHIPPED = model_cards()


def test_every_public_tagger_has_a_card() -> None:
    public = {card.name for card in SHIPPED.values() if card.hub}
    assert len(public) >= 25
    hubs = {card.hub for card in SHIPPED.values()}
    assert {
        "fancyfeast/joytag", "SmilingWolf/wd-v1-4-vit-tagger", "SmilingWolf/wd-v1-4-moat-tagger-v2",
        "SmilingWolf/wd-eva02-large-tagger-v3", "deepghs/idolsankaku-swinv2-tagger-v1", "animetimm/caformer_b36.dbv4-full",
        "Camais03/camie-tagger", "deepghs/camie_tagger_onnx", "Camais03/camie-tagger-v2", "deepghs/pixai-tagger-v0.9-onnx",
        "pixai-labs/pixai-tagger-v1.0", "cella110n/cl_tagger", "toynya/Z3D-E621-Convnext", "RedRocket/JointTaggerProject",
        "deepghs/imgutils-models", "deepghs/ml-danbooru-onnx", "xinyu1205/recognize-anything-plus-model", "Grio43/OppaiOracle",
    } <= hubs  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_card_is_of_one_piece(name: str) -> None:
    card = SHIPPED[name]
    assert card.verified == (card.hub is None), "only the demo models were run by this project"
    assert card.hub is None or card.revision or not card.verified, "what was run is pinned"
    weights = {"onnx": ".onnx", "ram": ".pth"}.get(card.adapter, ".safetensors")
    assert card.files[0].endswith(weights), "weights come first"
    assert card.preprocess.size or card.preprocess_file or card.name == "z3d-e621-convnext"
    assert card.adapter != "timm" or "config.json" in card.files
    assert not card.tag_count or "tags" not in card.notes or f"{card.tag_count:,} " in card.notes
    assert card.preprocess.library == "pil" or card.name in ("deepdanbooru", "pixai-v1.0")


def test_a_group_names_several_models() -> None:
    wd = ["wd-vit-v3", "wd-swinv2-v3", "wd-convnext-v3", "wd-vit-large-v3", "wd-eva02-large-v3"]
    assert [card.name for card in find_models(["wd-v3"])] == wd
    assert [card.name for card in find_models(["wd-v3", "joytag", "wd-vit-v3"])] == [*wd[1:], "joytag", "wd-vit-v3"]
    assert [card.name for card in find_models(["wd-v3", "wd-v3"])] == wd
    assert find_model("wd-vit-v2").name == "wd14", "a group of one is another name"
    with pytest.raises(ArenaError, match=r"wd-v3 names 5 models: wd-vit-v3, .*; name one of them"):
        find_model("wd-v3")
    with pytest.raises(ArenaError, match=r"no model is called 'wd-v33'\. Did you mean wd-v3"):
        find_models(["wd-v33"])


def test_every_group_holds_models_and_hides_none() -> None:
    for name, members in model_groups().items():
        assert name not in SHIPPED
        assert len(find_models([name])) == len(members)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("all = []", "all = .* it must list at least one name"),
        ('all = "joytag"', "all = 'joytag'; it must be list"),
        ('all = ["more"]\nmore = ["joytag", "wd14"]', "a group contains the group more"),
        ('all = ["all"]', "a group contains the group all"),
        ('"a b" = ["joytag"]', "a name is made of letters"),
    ],
)
def test_a_wrong_group_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/groups.toml").write_text(text)
    with pytest.raises(ArenaError, match=message):
        find_models(["all"], tmp_path)


def test_a_users_groups_and_cards_come_first(tmp_path: Path) -> None:
    write(tmp_path, CARD)
    (tmp_path / "models/groups.toml").write_text('wd-v3 = ["mine", "joytag"]\njoytag = ["mine", "wd14"]')
    assert [card.name for card in find_models(["wd-v3"], tmp_path)] == ["mine", "joytag"]
    assert find_model("joytag", tmp_path).name == "joytag", "a card is stronger than a group of its name"
    (tmp_path / "models/groups.toml").write_text('us = ["mine", "nobody"]')
    with pytest.raises(ArenaError, match="no model is called 'nobody'"):
        find_models(["us"], tmp_path)


def test_a_family_is_named_by_its_pattern() -> None:
    card = find_model("animetimm-eva02_large_patch14_448")
    assert (card.hub, card.adapter) == ("animetimm/eva02_large_patch14_448.dbv4-full", "onnx")
    assert (card.folder.name, card.preprocess_file) == ("animetimm-eva02_large_patch14_448", "preprocess.json")
    timm = find_model("animetimm-eva02_large_patch14_448-timm")
    assert (timm.hub, timm.adapter, timm.output) == (card.hub, "timm", "logits")
    assert find_model("animetimm-caformer_b36").licence == "GPL-3.0", "a card of that name comes before the pattern"
    for name in ("animetimm-", "xanimetimm-a"):
        with pytest.raises(ArenaError, match="no model is called"):
            find_model(name)


def test_files_may_lie_in_another_repository_than_the_weights() -> None:
    ram = SHIPPED["ram-plus"]
    assert ram.source(ram.files[0]) == HubSource("xinyu1205/recognize-anything-plus-model", ram.revision)
    assert ram.source("ram_tag_list.txt") == HubSource(
        "CannotFindObject/RAM_ONNX", "6c4ca81fb841e359c043c1e8f92f62bf5c3b8c18"
    )
    assert ram.unpinned == ()
    assert SHIPPED["camie-v1"].unpinned == (HubSource("deepghs/camie_tagger_onnx"),)
    assert SHIPPED["joytag-demo"].unpinned == ()


def test_most_public_taggers_are_pinned_to_a_commit() -> None:
    assert {name for name, card in SHIPPED.items() if card.unpinned} == {
        "camie-v1", "camie-v1-initial-onnx", "camie-v1-refined-onnx", "idolsankaku-swinv2", "jtp-pilot2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not valid TOML"),
        ('adapter = "joytag"\nfiles = ["a"]', "no name; add it"),
        (CARD + 'adaptor = "x"', "adaptor is not a field of a card. Did you mean adapter?"),
        (CARD.replace('"joytag"', '"tensorflow"'), "adapter = 'tensorflow'; allowed: joytag, onnx, timm"),
        (CARD + "[thresholds]\ndefault = 40", r"threshold default = 40.0; it must lie in 0 to 1"),
        (CARD + '[thresholds.tags]\n"1girl" = 7', r"threshold 1girl = 7.0; it must lie in 0 to 1"),
        (CARD + '[thresholds.tags]\n"1girl" = "7"', r"1girl = '7'; it must be float"),
        (CARD + "[thresholds.categories]\ncharacter = -1", "threshold character = -1.0"),
        (CARD + "[thresholds.categories]\ncharcter = 0.8", "no category is called 'charcter'. Did you mean character?"),
        (CARD + "[preprocess]\npad_colour = [300.5, 0, 0]", "three whole numbers from 0 to 255"),
        (CARD + "[preprocess]\npad_colour = [true, 0, 0]", "three numbers"),
        (CARD + '[preprocess]\nresize = "magic"', "resize = 'magic'; allowed: bicubic"),
        (CARD + "[input]\nmean = [1.0]", "mean = .* must be three numbers"),
        (CARD + "verified = 1", "verified = 1; it must be bool"),
        (CARD + 'fingerprint = "229715.fp32.a020549c"', "mine.toml: fingerprint = '229715.*not a fingerprint; copy"),
        (CARD + 'fingerprint = "229715.fp32.a020549c.__qoA"', "fingerprint = .*not a fingerprint"),
        (CARD + 'fingerprint = "229715.fp32.a020549c.__qoAA=="', "fingerprint = .*is cut short"),
        (CARD + "fingerprint = 229715", "fingerprint = 229715; it must be str"),
        (CARD + "tag_count = 1.5", "tag_count = 1.5; it must be a whole number"),
        (CARD + 'files_ = "x"', "files_ is not a field of a card. Did you mean files"),
        (
            CARD.replace("top_tags.txt", "../top_tags.txt"),
            "files has '../top_tags.txt'; a path below the model's folder",
        ),
        (CARD + '[elsewhere."a.csv"]\nhub = "a/b"', "elsewhere.a.csv = 'a.csv' is not among files"),
        (
            CARD + '[elsewhere."config.json"]\nhub = "a/b"',
            r"elsewhere = \['config.json'\], but no hub of the other files",
        ),
        (CARD + '[elsewhere."config.json"]\nrevision = "a"', r"\[elsewhere\]: \[config.json\]: no hub; add it"),
        (
            CARD + '[elsewhere."config.json"]\nhub = "a/b"\nrevison = "a"',
            "revison is not a field .* Did you mean revision",
        ),
        (CARD + 'output = "sigmoid"', "output = 'sigmoid'; allowed: logits, probabilities"),
        (CARD + '[sha256]\n"model.onnx" = "0"', r"sha256.model.onnx = 'model.onnx' is not among files"),
        (CARD + '[sha256]\n"config.json" = "0"', "sha256 of config.json = '0'; 64 digits"),
        (CARD + '[tags]\nfile = "tags.csv"\nformat = "top_tags"', "tags.file = 'tags.csv' is not among files"),
        (CARD + '[tags]\nfile = "top_tags.txt"\nformat = "txt"', "format = 'txt'; allowed: top_tags"),
        (CARD + '[tags]\nformat = "top_tags"', "no file; add it"),
        (CARD + '[thresholds]\nfile = "t.csv"', "thresholds.file = 't.csv' is not among files"),
        (CARD + '[preprocess]\nfile = "preprocess.json"', "preprocess.file = 'preprocess.json' is not among files"),
        (CARD + "[preprocess]\nsize = -1", "size = -1; it must be a whole number, 0 or more"),
        (CARD + "[preprocess]\nsize = inf", "size = inf; it must be a finite number"),
        (CARD + '[preprocess]\npad = "left"', "pad = 'left'; allowed: before, after, none"),
        (CARD + '[preprocess]\npad_mode = "blur"', "pad_mode = 'blur'; allowed: colour, edge"),
        (CARD + '[preprocess]\nlibrary = "magick"', "library = 'magick'; allowed: pil, opencv, torch"),
        (CARD + '[preprocess]\nresize = "area"', "resize = 'area'; allowed: bicubic"),
        (CARD + '[preprocess]\nlibrary = "opencv"\nresize_up = "box"', "resize_up = 'box'; allowed: , bicubic"),
        (CARD + '[preprocess]\nrounding = "up"', "rounding = 'up'; allowed: nearest, down, cut"),
        (CARD + "[preprocess]\nalpha = [0, 0, nan]", "alpha = .* must be three numbers"),
        (CARD + '[preprocess]\npad = "none"\nenlarge = false', "a small image must be padded"),
        (CARD + "[preprocess]\nfit_size = 512", "fit_size = 512, pad = 'before'"),
        (CARD + '[preprocess]\nfit_resize = "box"', "fit_resize = 'box' without fit_size"),
        (CARD + "[preprocess]\nsize = 9\ncrop_from = 8", "crop_from = 8, size = 9; crop_from must be at least size"),
        (CARD + '[input]\nchannels = "gbr"', "channels = 'gbr'; allowed: rgb, bgr"),
        (CARD + '[input]\nlayout = "hwc"', "layout = 'hwc'; allowed: auto, nhwc, nchw"),
        (CARD + 'output = "auto"', "output = 'auto'; allowed: logits, probabilities"),
        (CARD + '[preprocess]\npad = "crop"\nenlarge = false', 'enlarge = false, pad = "crop"'),
        (CARD + "[input]\nscale = 0", "scale = 0; pixels are divided by it"),
        (CARD + "[input]\nstd = [1, 0, 1]", "std = .* each must be above 0"),
        (
            CARD + 'hub = "https://hub.example/o/r"',
            "hub = 'https://hub.example/o/r'; it must be a repository, OWNER/NAME",
        ),
        (CARD + 'hub = "../../etc"', "it must be a repository, OWNER/NAME"),
        (CARD + 'hub = "a/b/c"', "it must be a repository, OWNER/NAME"),
        (CARD + 'hub = "o/r"\nrevision = "../main"', "it must be a commit, a branch or a tag"),
        (CARD + '[elsewhere."x"]\nhub = "/etc"', "it must be a repository, OWNER/NAME"),
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
    with pytest.raises(ArenaError, match=r"no dataset.toml in it, .* arena dataset import "):
        find_dataset(str(tmp_path))
