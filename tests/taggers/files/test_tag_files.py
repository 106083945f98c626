"""Tag lists as they are published, and what is wrong with them when something is."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from arena.base.errors import ArenaError, WeightsError
from arena.cards import ModelCard, TagFile
from arena.cards.model import TAG_FORMATS
from arena.taggers.files.tag_files import TAG_READERS, find_tag_file, read_tag_list
from arena.tags import TagSpace

KAOMOJI = (
    "0_0 (o)_(o) +_+ +_- ._. <o>_<o> <|>_<| =_= >_< 3_3 6_9 >_o @_@ ^_^ o_o u_u x_x |_| ||_|| \\||/ \\m/ :\\ \\(o)/"
)
CARD = ModelCard("m", "M", "onnx", Path(), ("model.onnx",))


def read(path: Path, form: str) -> TagSpace:
    return read_tag_list(replace(CARD, tags=TagFile(path.name, form)), {path.name: path})


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_each_format_that_a_card_may_name_has_a_reader() -> None:
    assert set(TAG_READERS) == set(TAG_FORMATS)


def test_names_that_look_like_something_else_survive_selected_tags(tmp_path: Path) -> None:
    rows = [
        '1,nan,0,9,"[""a"", ""b""]"',
        "2,null,4,8,[]",
        '3,"a,b",9,7,[]',
        '4,"""x""",3,6,[]',
        "5,NA,10,5.0,[]",
        "6,007,42,4,[]",
    ]
    tags = read(
        write(tmp_path, "selected_tags.csv", "\ufefftag_id,name,category,count,ips\n" + "\n".join(rows)),
        "selected_tags",
    )
    assert tags.names == ("nan", "null", "a,b", '"x"', "NA", "007")
    assert tags.categories == ("general", "character", "rating", "copyright", "year", "category_42")
    assert tags.counts == (9, 8, 7, 6, 5, 4)


def test_kaomoji_are_left_alone_by_every_reader(tmp_path: Path) -> None:
    names = KAOMOJI.split()
    for path, form in [
        (write(tmp_path, "tags.json", names), "tags_json"),
        (write(tmp_path, "top_tags.txt", "\n".join(names)), "top_tags"),
        (
            write(tmp_path, "map.json", {str(n): {"tag": t, "category": "General"} for n, t in enumerate(names)}),
            "tag_mapping",
        ),
    ]:
        assert read(path, form).names == tuple(names)


def test_the_same_number_is_another_category_on_e621(tmp_path: Path) -> None:
    text = "id,name,category,post_count\n1,canine,5,10\n2,tagme,7,9\n3,nobody,1,8"
    tags = read(write(tmp_path, "tags-selected.csv", text), "selected_tags")
    assert tags.categories == ("species", "meta", "artist")
    assert tags.counts == (10, 9, 8)
    assert read(write(tmp_path, "selected_tags.csv", text), "selected_tags").categories == (
        "meta",
        "category_7",
        "artist",
    )


@pytest.mark.parametrize(
    "content",
    [["b", "a", "c c"], {"a": 1, "c c": 2, "b": 0}, {"0": "b", "2": "c c", "1": "a"}],
    ids=["list", "names", "columns"],
)
def test_lists_of_names_come_in_three_shapes(tmp_path: Path, content: object) -> None:
    for name, form in (("tags.json", "tags_json"), ("classes.json", "classes_json")):
        assert read(write(tmp_path, name, content), form) == TagSpace(("b", "a", "c_c"))


def test_a_mapping_is_read_in_the_order_of_its_columns_not_of_its_keys(tmp_path: Path) -> None:
    rows = {
        str(n): {"tag": f"t {n}", "category": "Quality" if n == 10 else "Character"} for n in sorted(range(12), key=str)
    }
    tags = read(write(tmp_path, "tag_mapping.json", rows), "tag_mapping")
    assert tags.names == tuple(f"t_{n}" for n in range(12))
    assert tags.categories is not None
    assert (tags.categories[2], tags.categories[10]) == ("character", "quality")


def test_camies_metadata_of_both_versions_is_one(tmp_path: Path) -> None:
    mapping = {
        "idx_to_tag": {"1": "year_2024", "0": "1girl", "2": "odd"},
        "tag_to_category": {"1girl": "general", "year_2024": "year"},
    }
    expected = TagSpace(("1girl", "year_2024", "odd"), ("general", "year", "general"))
    first = write(tmp_path, "model_initial_metadata.json", {**mapping, "total_tags": 3})
    second = write(
        tmp_path, "camie-tagger-v2-metadata.json", {"dataset_info": {"tag_mapping": mapping}, "model_info": {}}
    )
    assert read(first, "camie_metadata") == read(second, "camie_metadata") == expected
    assert read(first, "tag_mapping") == expected, "cl_tagger's releases come in this shape too"


def test_a_config_parts_its_tags_by_category(tmp_path: Path) -> None:
    config = {"tags": ["1girl", "solo", "grea"], "tags_split": [["general", 2], ["character", 1]], "img_size": 1008}
    assert read(write(tmp_path, "config.json", config), "config_tags") == TagSpace(
        ("1girl", "solo", "grea"), ("general", "general", "character")
    )
    with pytest.raises(WeightsError, match=r"3 tags, but tags_split counts 4"):
        read(write(tmp_path, "config.json", {**config, "tags_split": {"general": 4}}), "config_tags")


def test_deepdanbooru_keeps_the_old_names_for_new_ones_may_coincide(tmp_path: Path) -> None:
    text = "name,real_name,category\npantsu,panties,0\npanties,panties,0\nrating:safe,rating:safe,9"
    tags = read(write(tmp_path, "deepdanbooru_tags.csv", text), "deepdanbooru")
    assert (tags.names, tags.counts) == (("pantsu", "panties", "rating:safe"), None)


@pytest.mark.parametrize(
    ("form", "content", "message"),
    [
        ("selected_tags", "name,category,count\na,0,1\nb c,0,1\nb_c,0,1", r"tag 'b_c' is listed twice, also as 'b c'"),
        ("selected_tags", "name,category,count\na,0,1\na,0,1", r"tag 'a' is listed twice; each tag needs"),
        ("selected_tags", "name,category,count\na,zero,1", "category and count must be numbers in every row"),
        ("selected_tags", "name,category,count\na,0,inf", "category and count must be numbers"),
        ("selected_tags", 'name,category,count\n"a,0,1\nb,0,1', "row 1 is not as long as the header; is a quote left open"),
        ("selected_tags", "name,category,count\na,0,1,7", "row 1 is not as long as the header"),
        ("selected_tags", "name,category,count\n,0,1", r"the name at column 0 is ''"),
        ("selected_tags", "name,category,count", "it has no tag"),
        ("selected_tags", "tag,category\na,0", "no column name; its header"),
        ("deepdanbooru", "a b c", "no column name, category"),
        ("top_tags", "a\nb\na", "tag 'a' is listed twice"),
        ("tags_json", {"a": 0, "b": 2}, "2 tags, but none for column 1; columns must count from 0"),
        ("tags_json", {"a": 0, "b": 0}, "2 tags for 1 columns"),
        ("tags_json", '{"a": 0, "a": 1}', "key 'a' is twice in one object"),
        ("tags_json", ["a", 3], "the name at column 1 is 3; it must be text"),
        ("tags_json", ["a", "b\nc"], "it must be text on one line"),
        ("tags_json", "[", "not readable JSON"),
        ("tags_json", "3", "a int instead of a table of tags"),
        ("tag_mapping", {"0": {"tag": "a"}, "x": {"tag": "b"}}, "the columns of tags must be whole numbers"),
        ("tag_mapping", {"0": {"name": "a"}}, r"no tag at 0; each entry must be \{tag, category\}"),
        ("tag_mapping", {"0": "a"}, "a str instead of a table of tags"),
        ("camie_metadata", {"tag_mapping": {}}, "nothing instead of a table of tags"),
        ("config_tags", {"architectures": []}, "has no list tags"),
        ("config_tags", {"tags": ["a"], "tags_split": ["general"]}, "each entry of tags_split must be a category"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, form: str, content: object, message: str) -> None:
    path = write(tmp_path, "list", content)
    with pytest.raises(ArenaError, match=message) as caught:
        read(path, form)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    for form in TAG_READERS:
        (tmp_path / "list").write_bytes("name,category\né,0".encode("latin-1"))
        with pytest.raises(ArenaError, match="UTF-8"):
            read(tmp_path / "list", form)


def test_without_a_word_of_the_card_the_layouts_file_is_read(tmp_path: Path) -> None:
    names = ["config.json", "tags.json", "top_tags.txt", "V1.1_onnx/selected_tags.csv"]
    files = {name: tmp_path / name for name in names}
    found = []
    while told := find_tag_file(CARD, files):
        found.append(told.format)
        files = {name: path for name, path in files.items() if path != told.path}
    assert found == ["selected_tags", "top_tags", "tags_json", "config_tags"]
    told = find_tag_file(CARD, {"model.onnx": tmp_path, "x-metadata.json": tmp_path / "x-metadata.json"})
    assert told is not None
    assert told.format == "camie_metadata"
    with pytest.raises(WeightsError, match=r"model m: no tag list among its files \(model.onnx\); name it in the card"):
        read_tag_list(CARD, {"model.onnx": tmp_path})
    with pytest.raises(WeightsError, match=r"\[tags\] file = 'x.json' is not one of its files"):
        read_tag_list(replace(CARD, tags=TagFile("x.json", "tags_json")), {"model.onnx": tmp_path})


def test_tens_of_thousands_of_tags_are_read_at_once(tmp_path: Path) -> None:
    names = [f"character {n} (series)" for n in range(20_000)]
    columns = {str(n): name for n, name in enumerate(names)}
    metadata = {"idx_to_tag": columns, "tag_to_category": dict.fromkeys(names, "character")}
    rows = "".join(f"{n},{name},4,{n}\n" for n, name in enumerate(names))
    for path, form in [
        (write(tmp_path, "a-metadata.json", metadata), "camie_metadata"),
        (write(tmp_path, "selected_tags.csv", "tag_id,name,category,count\n" + rows), "selected_tags"),
    ]:
        start = time.process_time()
        assert len(read(path, form)) == len(names)
        assert time.process_time() - start < 2, "a guard against what grows with the square"
