"""Thresholds as they are published: of all tags, of categories, of single tags."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from arena.base.errors import ArenaError, WeightsError
from arena.cards import ModelCard, TagFile, Thresholds
from arena.cards.model import THRESHOLD_FORMATS
from arena.taggers.files import threshold_files
from arena.taggers.files.threshold_files import has_threshold_files, read_thresholds
from arena.tags import TagSpace

TAGS = TagSpace(("1girl", "nan", "ganyu_(genshin_impact)", "safe"), ("general", "general", "character", "rating"))
CARD = ModelCard("m", "M", "onnx", Path(), ("model.onnx",), thresholds=Thresholds(0.35, {"character": 0.85}))
PROFILES = {
    "overall": {"balanced": {"threshold": 0.325, "micro_f1": 0.6}, "high_recall": {"threshold": 0.1}},
    "general": {"balanced": {"threshold": 0.3}, "high_recall": {"threshold": 0.2}},
    "rating": {"balanced": {"threshold": 0.4}, "high_recall": {"threshold": 0.2}},
}
POINTS = {
    "micro": {"pr_breakeven": {"threshold": 0.7927, "f1": 0.699}, "f1_optimal": {"threshold": 0.7}},
    "per_tag": {
        "min_support": 5,
        "per_tag": {
            "1girl": {"support": 9, "pr_threshold": 0.6, "f1_threshold": 0.5},
            "safe": {"support": 7, "pr_threshold": 0.8, "f1_threshold": None},
        },
    },
}


def read(folder: Path, form: str, content: object, *, name: str = "file", profile: str = "") -> Thresholds:
    """What a card that names the file gets."""
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    card = replace(CARD, thresholds=replace(CARD.thresholds, file=name, format=form, profile=profile))
    return read_thresholds(card, {name: path}, TAGS)


def test_each_format_that_a_card_may_name_has_a_reader() -> None:
    assert set(threshold_files._READERS) >= set(THRESHOLD_FORMATS)


def test_selected_tags_may_hold_the_best_threshold_of_each_tag(tmp_path: Path) -> None:
    text = "name,category,best_threshold\n1girl,0,0.25\nnan,0,0.5\nganyu (genshin impact),4,\nsafe,9,1"
    found = read(tmp_path, "selected_tags", text)
    assert found.tags == {"1girl": 0.25, "nan": 0.5, "safe": 1.0}
    assert (found.default, found.categories) == (0.35, {"character": 0.85}), "the card's, where the file is silent"


def test_a_card_may_tell_single_tags_and_its_file_comes_first(tmp_path: Path) -> None:
    told = replace(CARD.thresholds, tags={"1girl": 0.2, "ganyu_(genshin_impact)": 0.3})
    card = replace(CARD, files=("model.onnx", "selected_tags.csv"), thresholds=told)
    (tmp_path / "selected_tags.csv").write_text("name,category,best_threshold\n1girl,0,0.25\n")
    files = {"selected_tags.csv": tmp_path / "selected_tags.csv"}
    assert read_thresholds(card, {}, TAGS).tags == {"1girl": 0.2, "ganyu_(genshin_impact)": 0.3}
    assert read_thresholds(card, files, TAGS).tags == {"1girl": 0.25, "ganyu_(genshin_impact)": 0.3}
    with pytest.raises(
        WeightsError, match=r"model m: its card has a threshold for '2girls', which is not one of its tags"
    ):
        read_thresholds(replace(card, thresholds=replace(told, tags={"2girls": 0.2})), {}, TAGS)


def test_thresholds_csv_is_by_category_the_first_row_of_each_and_beats_the_card(tmp_path: Path) -> None:
    text = "category,name,alpha,threshold\n0,general,1,0.39\n0,general,2,0.9\n4,character,1,0.47\n9,rating,1,0.38"
    assert read(tmp_path, "thresholds_csv", text).categories == {"general": 0.39, "character": 0.47, "rating": 0.38}


def test_thresholds_csv_may_be_by_tag(tmp_path: Path) -> None:
    found = read(tmp_path, "thresholds_csv", "tag,category,threshold\nnan,general,0.2\n1girl,general,0.1")
    assert found.tags == {"nan": 0.2, "1girl": 0.1}
    assert found.categories == {"character": 0.85}


def test_a_profile_chooses_among_several_sets(tmp_path: Path) -> None:
    for form in ("threshold_json", "camie_metadata"):
        found = read(tmp_path, form, PROFILES, profile="balanced")
        assert (found.default, found.categories) == (0.325, {"character": 0.85, "general": 0.3, "rating": 0.4})
    inside = read(tmp_path, "camie_metadata", {"idx_to_tag": {}, "thresholds": PROFILES}, profile="high_recall")
    assert (inside.default, inside.categories["general"]) == (0.1, 0.2)
    assert read(tmp_path, "threshold_json", {"General": 0.3, "overall": {"only": 0.2}}).categories["general"] == 0.3


def test_oppaioracles_points_are_of_all_tags_and_of_those_with_images_enough(tmp_path: Path) -> None:
    even = read(tmp_path, "pr_thresholds", POINTS)
    assert (even.default, even.tags) == (0.7927, {"1girl": 0.6, "safe": 0.8})
    best = read(tmp_path, "pr_thresholds", POINTS, profile="f1_optimal")
    assert (best.default, best.tags) == (0.7, {"1girl": 0.5})
    assert read(tmp_path, "pr_thresholds", {"micro": POINTS["micro"]}).tags == {}


def test_a_config_may_hold_those_of_categories_or_of_tags(tmp_path: Path) -> None:
    config = {
        "tags": ["1girl", "safe"],
        "category_best_threshold": {"general": 0.17, "rating": 0.41},
        "tags_best_threshold": None,
    }
    assert read(tmp_path, "config_tags", config).categories == {"character": 0.85, "general": 0.17, "rating": 0.41}
    own = {**config, "category_best_threshold": None, "tags_best_threshold": [0.1, 0.2]}
    assert read(tmp_path, "config_tags", own).tags == {"1girl": 0.1, "safe": 0.2}
    with pytest.raises(WeightsError, match="1 tags_best_threshold for 2 tags"):
        read(tmp_path, "config_tags", {**own, "tags_best_threshold": [0.1]})


@pytest.mark.parametrize(
    ("form", "content", "profile", "message"),
    [
        ("selected_tags", "name,best_threshold\n1girl,1.2", "", "threshold of tag '1girl' is '1.2'; it must lie in 0 to 1"),
        ("selected_tags", "name,best_threshold\n1girl,nan", "", "threshold of tag '1girl' is 'nan'"),
        ("selected_tags", "name,best_threshold\n1girl,high", "", "is 'high'"),
        ("selected_tags", "name,best_threshold\n1girl,0.5\n2girls,0.5\n3girls,0.5", "",
         r"thresholds of 2 tags that are not among the model's 4 \('2girls', ...\); take both files from the same release"),
        ("selected_tags", "name,category\n1girl,0", "", "has no thresholds; correct or remove it in the card"),
        ("thresholds_csv", "category,threshold\n4,-0.1", "", "threshold of category 'character' is '-0.1'"),
        ("thresholds_csv", "category,threshold\n3,0.5", "", "the model has no tags of category 'copyright'"),
        ("thresholds_csv", "category,value\n3,0.5", "", "no column threshold"),
        ("thresholds_csv", "name,threshold\ngeneral,0.5", "", "no column category or tag"),
        ("thresholds_csv", "tag,threshold\nnan,0.5\nnan,0.6", "", "tag 'nan' is listed twice"),
        ("threshold_json", PROFILES, "", "overall has profiles balanced, high_recall; name one in the card"),
        ("threshold_json", PROFILES, "balancd", "overall has no profile 'balancd'. Did you mean balanced?"),
        ("threshold_json", {"general": {"balanced": {"threshold": True}}}, "", "threshold of category 'general' is True"),
        ("threshold_json", '{"general": NaN}', "", "NaN is not a number of JSON"),
        ("threshold_json", {"genral": 0.3}, "", "of category 'genral'. Did you mean general?"),
        ("threshold_json", [0.5], "", "has no thresholds; write them into the card"),
        ("camie_metadata", {"idx_to_tag": {"0": "a"}}, "", "has no thresholds; write them into the card"),
        ("pr_thresholds", POINTS, "macro", "no profile 'macro'. Known: f1_optimal, pr_breakeven"),
        ("pr_thresholds", {"micro": {"pr_breakeven": {"threshold": 7}}}, "", "threshold of pr_breakeven is 7"),
        ("pr_thresholds", {}, "", "has no thresholds"),
        ("pr_thresholds", "{", "", "not readable JSON"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(
    tmp_path: Path, form: str, content: object, profile: str, message: str
) -> None:
    with pytest.raises(ArenaError, match=message) as caught:
        read(tmp_path, form, content, profile=profile)
    assert str(tmp_path / "file") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_a_word_of_the_card_the_layouts_files_are_read(tmp_path: Path) -> None:
    files = {name: tmp_path / Path(name).name for name in ("model.onnx", "x/selected_tags.csv", "x/thresholds.csv")}
    files["x/selected_tags.csv"].write_text("name,category,best_threshold\n1girl,0,0.25")
    files["x/thresholds.csv"].write_text("category,threshold\n4,0.47")
    assert has_threshold_files(CARD, files)
    found = read_thresholds(CARD, files, TAGS)
    assert (found.default, found.categories, found.tags) == (0.35, {"character": 0.47}, {"1girl": 0.25})
    files["x/selected_tags.csv"].write_text("name,category\n1girl,0")
    assert read_thresholds(CARD, files, TAGS).tags == {}, "most lists of tags tell no thresholds"
    assert not has_threshold_files(CARD, {"model.onnx": tmp_path, "top_tags.txt": tmp_path})
    assert read_thresholds(CARD, {"top_tags.txt": tmp_path}, TAGS) == CARD.thresholds


def test_a_file_of_thresholds_that_is_none_of_the_models_is_refused() -> None:
    card = replace(CARD, thresholds=Thresholds(file="t.csv", format="thresholds_csv"), tags=TagFile("a", "top_tags"))
    with pytest.raises(WeightsError, match=r"\[thresholds\] file = 't.csv' is not one of its files"):
        read_thresholds(card, {"a": Path("a")}, TAGS)
