import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.base.errors import ArenaError
from arena.dataset.blacklists import find_blacklist
from arena.tags import TagRelations
from arena.tags import rows as tag_rows
from arena.tags.exports import category_scheme, read_categories, read_relations, relation_files, write_relations

KAOMOJI = ("0_0", "(o)_(o)", "+_+", "<|>_<|>", "=_=", ">_<", "@_@", "^_^", "|_|", "||_||", ";)", ":3", '"')
"""Names that look like something else to a CSV, a spreadsheet or a shell."""


def write(path: Path, text: str) -> Path:
    path.write_bytes((gzip.compress if path.suffix == ".gz" else bytes)(text.encode()))
    return path


def json_lines(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    return write(path, "".join(json.dumps(row) + "\n" for row in rows))


def danbooru_row(number: int, old: str, new: str, status: str = "active", year: int = 2020) -> dict[str, Any]:
    """As Danbooru's API and exports have it."""
    return {
        "id": number, "antecedent_name": old, "reason": "", "creator_id": 1, "consequent_name": new, "status": status,
        "forum_topic_id": None, "created_at": f"{year}-05-01T12:00:00.000-04:00", "updated_at": "2024-01-01T00:00:00.000-05:00",
        "approver_id": 2, "forum_post_id": None,
    }  # fmt: skip


def test_danbooru_json_lines_and_array_say_the_same(tmp_path: Path) -> None:
    rows = [
        danbooru_row(1, "pup", "doggy"),
        danbooru_row(2, "doggy", "dog"),
        danbooru_row(3, "cat", "dog", "deleted"),
        danbooru_row(4, "pup", "wolf", "retired"),
    ]
    lines = json_lines(tmp_path / "tag_aliases.json", rows)
    array = write(tmp_path / "aliases_page.json", "\n " + json.dumps(rows, indent=1))
    assert read_relations([lines]).aliases == read_relations([array]).aliases == {"pup": "dog", "doggy": "dog"}
    assert read_relations(implications=[lines]).implications == {"pup": {"doggy", "dog"}, "doggy": {"dog"}}


def test_e621_csv_gz_with_dates(tmp_path: Path) -> None:
    path = write(
        tmp_path / "tag_aliases-2024-04-07.csv.gz",
        "id,antecedent_name,consequent_name,created_at,status\r\n"
        "7,pup,dog,2020-03-05 05:49:37.994,active\r\n"
        "9,pup,wolf,2021-03-05 05:49:37.994,active\r\n"
        "11,pup,fox,2022-03-05 05:49:37.994,pending\r\n",
    )
    found = read_relations([path])
    assert found.aliases == {"pup": "wolf"}
    assert found.findings == ("alias pup: leads to dog, wolf; wolf is used",)


def test_a_gzipped_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "tag_implications.csv"
    path.write_bytes(gzip.compress(b"antecedent_name,consequent_name,status\npuppy,dog,active\n"))
    assert read_relations([path]).implications == {"puppy": {"dog"}}


def test_tag_complete_lists_tell_aliases_and_categories(tmp_path: Path) -> None:
    path = write(
        tmp_path / "danbooru.csv",
        '1girl,0,4225150,"1girls,sole_female"\nhatsune_miku,4,92000,\n^_^,0,5000,"^-^,(^_^)"\nname,0,12,""\nshort,5,1\n',
    )
    found = read_relations([path])
    assert found.aliases == {"1girls": "1girl", "sole_female": "1girl", "^-^": "^_^", "(^_^)": "^_^"}
    categories = read_categories([path])
    expected = {"1girl": "general", "hatsune_miku": "character", "^_^": "general", "name": "general", "short": "meta"}
    assert categories.by_name == expected
    assert categories.findings == [
        "danbooru.csv: category 5 is read as Danbooru's meta, because no e621-only number occurs"
    ]


def test_the_numbers_of_categories_tell_the_site(tmp_path: Path) -> None:
    e621 = write(
        tmp_path / "tags.csv.gz", "id,name,category,post_count\n1,canine,5,9\n2,hi_res,7,9\n3,incest_(lore),8,1\n"
    )
    assert read_categories([e621]).by_name == {"canine": "species", "hi_res": "meta", "incest_(lore)": "lore"}
    merged = write(tmp_path / "merged.csv", "1girl,0,9,\nhighres,5,9,\ncanine,12,9,\nmammal,7,9,\n")
    assert read_categories([merged]).by_name["canine"] == "species"
    assert read_categories([merged]).by_name["highres"] == "meta"
    assert category_scheme(["5"], danbooru=True).told == ""


def test_deprecated_tags_go_to_the_blacklist(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "name": "pointy_breasts", "category": 0, "is_deprecated": True, "post_count": 3},
        {"id": 2, "name": "dog", "category": 0, "is_deprecated": False, "post_count": 9},
    ]
    path = json_lines(tmp_path / "tags.json", rows)
    assert (
        read_relations([path]).blacklist
        == read_relations(blacklist=[path]).blacklist
        == {"pointy_breasts": "deprecated"}
    )
    table = write(tmp_path / "tags.csv", "name,category,is_deprecated\npointy_breasts,0,t\ndog,0,f\n")
    assert read_relations(blacklist=[table]).blacklist == {"pointy_breasts": "deprecated"}
    assert read_categories([path]).by_name["dog"] == "general"


def test_a_blacklist_may_be_a_name_a_line(tmp_path: Path) -> None:
    path = write(tmp_path / "no.txt", "bad_id\n\n^_^\n")
    assert read_relations(blacklist=[path]).blacklist == {"bad_id": "blacklisted", "^_^": "blacklisted"}


def test_a_blacklisted_alias_takes_out_what_it_stands_for(tmp_path: Path) -> None:
    found = TagRelations.of(aliases=[("bad_id_(old)", "bad_id")], blacklist={"bad_id_(old)": "why"})
    assert found.close(["bad_id", "dog"]) == {"dog"}
    assert found.findings == ("blacklist bad_id_(old): an alias; read as bad_id",)


def test_bad_rows_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    text = (
        b"antecedent_name,consequent_name,status\n"
        b"pup,dog,active\n"
        b",dog,active\n"
        b"only_one\n"
        b'"two\nlines",dog,active\n'
        b"\xff\xfe,dog,active\n"
        b"kitty,cat,active\n"
    )
    (tmp_path / "tag_aliases.csv").write_bytes(text)
    found = read_relations([tmp_path / "tag_aliases.csv"])
    assert found.aliases == {"pup": "dog", "kitty": "cat"}
    assert found.findings == ("tag_aliases.csv: 4 of 6 rows left out; row 2: a name is missing",)


def test_bad_lines_of_json_are_counted(tmp_path: Path) -> None:
    good = json.dumps(danbooru_row(1, "pup", "dog"))
    lines = [
        good,
        "{",
        "[1]",
        '{"antecedent_name": 7, "consequent_name": "x"}',
        '{"x": 1}',
        "[" * 100_000,
        '{"name": "\\ud800"}',
    ]
    found = read_relations([write(tmp_path / "tag_aliases.jsonl", "\n".join(lines))])
    assert found.aliases == {"pup": "dog"}
    assert found.findings == ("tag_aliases.jsonl: 6 of 7 rows left out; row 2: not JSON",)


def test_an_endless_line_is_one_bad_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_rows, "_MAX_LINE", 200)
    text = "antecedent_name,consequent_name\n" + "x" * 100_000 + ",dog\npup,dog\n"
    found = read_relations([write(tmp_path / "tag_aliases.csv", text)])
    assert found.aliases == {"pup": "dog"}
    assert found.findings == ("tag_aliases.csv: 1 of 2 rows left out; row 1: a name is missing",)
    rows = [danbooru_row(1, "x" * 1000, "dog"), {"antecedent_name": "pup", "consequent_name": "dog"}]
    found = read_relations([json_lines(tmp_path / "tag_aliases.jsonl", rows)])
    assert found.aliases == {"pup": "dog"}
    assert found.findings == ("tag_aliases.jsonl: 1 of 2 rows left out; row 1: not JSON",)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("relations.csv", "antecedent_name,consequent_name\na,b\n", "the file name contains neither word"),
        ("notes.txt", "hello world\n", "its first row is 'hello world'; give CSV"),
        ("empty.csv", "", "its first row is ''"),
        ("alias.json", "[{]", "not readable JSON"),
        ("sheet.csv", "tag;count\n", "give CSV with"),
    ],
)
def test_what_cannot_be_told_is_refused_in_a_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(ArenaError, match=message) as caught:
        read_relations([write(tmp_path / name, text)])
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_a_file_given_as_what_it_is_not_is_refused(tmp_path: Path) -> None:
    links = write(tmp_path / "links.csv", "antecedent_name,consequent_name\na,b\n")
    tags = write(tmp_path / "tags.csv", "name,category\ndog,0\n")
    reasons = write(tmp_path / "blacklist.csv", "name,reason\ndog,no\n")
    with pytest.raises(ArenaError, match="not names for a blacklist"):
        read_relations(blacklist=[links])
    with pytest.raises(ArenaError, match="without a column is_deprecated, so without blacklist"):
        read_relations(blacklist=[tags])
    with pytest.raises(ArenaError, match="so without implications"):
        read_relations(implications=[tags])
    with pytest.raises(ArenaError, match="has names but no aliases"):
        read_relations(aliases=[reasons])
    with pytest.raises(ArenaError, match="old,new are columns of aliases, not of implications"):
        read_relations(implications=[write(tmp_path / "renamed.csv", "old,new\na,b\n")])
    with pytest.raises(ArenaError, match="no column category"):
        read_categories([reasons])


def test_a_damaged_archive_and_a_missing_file_are_told(tmp_path: Path) -> None:
    whole = gzip.compress(b"antecedent_name,consequent_name\n" + b"a,b\n" * 10_000)
    (tmp_path / "tag_aliases.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ArenaError, match=r"tag_aliases\.csv\.gz: cannot be read"):
        read_relations([tmp_path / "tag_aliases.csv.gz"])
    with pytest.raises(ArenaError, match=r"absent\.csv: no such file"):
        read_relations([tmp_path / "absent.csv"])


def test_names_that_look_like_something_else_survive(tmp_path: Path) -> None:
    given = TagRelations.of(
        aliases=[(f"old{name}", name) for name in KAOMOJI],
        implications=[(name, "face") for name in (*KAOMOJI, "nan", "null", "=1+1", "a,b")],
        blacklist={"None": 'he said "no", twice'},
    )
    write_relations(tmp_path, given)
    found = read_relations(relation_files(tmp_path))
    assert (found.aliases, found.implications, found.blacklist) == (given.aliases, given.implications, given.blacklist)
    assert TagRelations.read(tmp_path) == found


def test_nothing_to_write_leaves_no_file(tmp_path: Path) -> None:
    write_relations(tmp_path, TagRelations.of(aliases=[("a", "b")]))
    write_relations(tmp_path, TagRelations())
    assert list(tmp_path.iterdir()) == []


cells = st.text(st.characters(codec="utf-8"), max_size=8)


@given(rows=st.lists(st.lists(cells, max_size=4), max_size=8), header=st.booleans())
def test_no_table_crashes_the_reader(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], header: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / "tag_aliases.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        first = [["antecedent_name", "consequent_name", "status"]] if header else []
        csv.writer(file).writerows([*first, *rows])
    try:
        found = read_relations([path])
    except ArenaError:
        assert not header
        return
    assert all("\n" not in line for line in found.findings)


@given(content=st.binary(max_size=60))
def test_no_bytes_crash_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "tag_aliases"
    for prefix in (b"", b"\x1f\x8b", b"{", b"[{", b"antecedent_name,consequent_name\n"):
        path.write_bytes(prefix + content)
        try:
            read_relations([path])
        except ArenaError:
            continue


def test_the_shipped_blacklist_takes_out_meta_tags_only() -> None:
    relations = read_relations(blacklist=[find_blacklist("danbooru-meta")])
    kept = {"1girl", "monochrome", "watermark", "signature", "transparent_background", "^_^"}
    assert relations.close({"highres", "bad_id", "commentary", "translated", "duplicate", *kept}) == kept
    assert all(relations.blacklist.values())


def test_a_mistyped_blacklist_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ArenaError, match="Did you mean danbooru-meta"):
        find_blacklist("danboru-meta")
    own = write(tmp_path / "own.csv", "name,reason\n")
    assert find_blacklist(str(own)) == own
