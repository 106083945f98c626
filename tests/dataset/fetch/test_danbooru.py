"""Which posts are taken, how the folder looks, and the verb."""

import hashlib
import json
import tomllib
from pathlib import Path

import pytest

from arena import cli
from arena.base.errors import ArenaError
from arena.dataset.fetch.filter import PostFilter, unlawful_tags

from .booru import Booru, other
from .fetches import contents, images, rejects, run


def test_posts_and_images_come_page_by_page(booru: Booru, tmp_path: Path) -> None:
    booru.page_posts = 3
    posts = [booru.add(post_id) for post_id in range(1, 9)]
    result = run(booru, tmp_path / "f", count=7, before_id=9)
    assert (result.posts, result.images, result.ended) == (7, 7, False)
    lines = (tmp_path / "f/posts.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == posts[:0:-1]
    for post in posts[1:]:
        path = tmp_path / f"f/images/{post['md5'][:2]}/{post['md5']}.jpg"
        assert hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == post["md5"]
    pages = [path for path in booru.asked if "posts.json" in path]
    assert pages == [f"/posts.json?limit=200&page=b{before}" for before in (9, 6, 3)]
    table = tomllib.loads((tmp_path / "f/fetch.toml").read_text())
    told = {"host": "board", "before_id": 9, "ratings": "g,s", "tag_filter": True, "count": 7, "cursor": 2, "images": 7}
    assert {name: table[name] for name in told} == told
    assert not (tmp_path / "f/rejects.csv").exists()


def test_a_finished_fetch_asks_for_nothing_and_a_larger_count_goes_on(booru: Booru, tmp_path: Path) -> None:
    for post_id in range(1, 9):
        booru.add(post_id)
    run(booru, tmp_path / "f", count=3)
    booru.requests.clear()
    assert run(booru, tmp_path / "f", count=3).images == 3
    assert booru.requests == []
    assert run(booru, tmp_path / "f", count=5).images == 5
    run(booru, tmp_path / "g", count=5)
    assert contents(tmp_path / "f") == contents(tmp_path / "g")
    assert run(booru, tmp_path / "f", count=99).ended
    booru.requests.clear()
    assert run(booru, tmp_path / "f", count=99).posts == 8
    assert booru.requests == []


def test_the_range_of_identifiers_is_open_at_both_ends(booru: Booru, tmp_path: Path) -> None:
    for post_id in range(1, 9):
        booru.add(post_id)
    result = run(booru, tmp_path / "f", before_id=7, after_id=3)
    ids = [json.loads(line)["id"] for line in (tmp_path / "f/posts.jsonl").read_text().splitlines()]
    assert (ids, result.ended) == ([6, 5, 4], True)
    with pytest.raises(ArenaError, match="no post lies between 6 and 7"):
        run(booru, tmp_path / "g", before_id=7, after_id=6)


def test_what_is_not_wanted_is_counted_by_reason_and_never_fetched(booru: Booru, tmp_path: Path) -> None:
    unwanted = [
        booru.add(20, is_deleted=True), booru.add(19, is_banned=True), booru.add(18, tag_string="Loli solo"),
        booru.add(17, rating="e"), booru.add(16, rating="q"), booru.add(15, rating=None),
        booru.add(14, file_url=None, md5=None), booru.add(13, file_ext="mp4"),
        booru.add(12, tag_string=None, tag_string_general="shota"), booru.add(11, tag_string="child", rating="e"),
    ]  # fmt: skip
    wanted = [booru.add(10), booru.add(9, rating="sensitive"), booru.add(8, tag_string="child")]
    result = run(booru, tmp_path / "f")
    assert result.images == 3
    assert dict(result.left_out) == {
        "deleted": 1, "banned": 1, "unlawful tags": 3, "rating": 2, "no rating": 1, "no file": 1, "file type mp4": 1
    }  # fmt: skip
    assert images(tmp_path / "f") == {f"{post['md5']}.jpg" for post in wanted}
    assert not any(post.get("md5", "none") in " ".join(booru.asked) for post in unwanted)
    table = tomllib.loads((tmp_path / "f/fetch.toml").read_text())
    assert {"reason": "unlawful tags", "posts": 3} in table["left_out"]


def test_only_an_explicit_wish_undoes_the_tag_filter(booru: Booru, tmp_path: Path) -> None:
    booru.add(3, tag_string="loli")
    booru.add(2, tag_string=None)
    assert run(booru, tmp_path / "f").posts == 0
    assert [row["reason"] for row in rejects(tmp_path / "f")] == ["no tags"]
    assert run(booru, tmp_path / "g", wish=PostFilter(unlawful={})).posts == 2
    assert "tag_filter = false" in (tmp_path / "g/fetch.toml").read_text()
    with pytest.raises(ArenaError, match="fetched with tag_filter True, now False; use another folder"):
        run(booru, tmp_path / "f", wish=PostFilter(unlawful={}))


def test_wrong_posts_are_rejected_by_name(booru: Booru, tmp_path: Path) -> None:
    booru.add(9)
    booru.add(8, md5=None)
    booru.add(7, md5="../../../etc/passwd")
    booru.add(6, file_url=["a"])
    booru.add(5, file_ext="jpg/../../x")
    booru.add(4, file_url="file:///etc/passwd")
    booru.add(3, file_url="http://127.0.0.1:port/a.jpg")
    booru.add(2, file_url="http://10.0.0.1/a.jpg")
    booru.add(1, file_size="12")
    booru.posts += [{"id": None}, "post", {"id": True}, {"id": -3}]
    result = run(booru, tmp_path / "f")
    assert result.images == 2
    rows = {row["image_id"] or row["where"]: row["reason"] for row in rejects(tmp_path / "f")}
    assert rows == {
        "8": "no md5", "7": "no md5", "6": "no address", "4": "address", "3": "address", "2": "host",
        **{f"page=b1000 row {row}": "no id" for row in (10, 11, 12, 13)},
    }  # fmt: skip
    assert result.left_out["file type"] == 1
    assert {path.name for path in tmp_path.iterdir()} == {"f"}


def test_repeated_posts_are_taken_once(booru: Booru, tmp_path: Path) -> None:
    booru.add(5)
    booru.posts.append(booru.posts[0])
    booru.add(4)
    result = run(booru, tmp_path / "f")
    assert (result.posts, result.left_out["repeated"]) == (2, 1)


def test_an_empty_page_is_believed_the_second_time(booru: Booru, tmp_path: Path) -> None:
    booru.add(5)
    booru.faults["posts"] = [other(b"[]", "application/json")]
    assert run(booru, tmp_path / "f").posts == 1
    booru.faults["posts"] = [other(b"[]", "application/json")] * 2
    result = run(booru, tmp_path / "g")
    assert (result.posts, result.ended) == (0, True)


def test_a_host_that_does_not_page_by_identifier_is_refused(booru: Booru, tmp_path: Path) -> None:
    page = json.dumps([booru.add(7)]).encode()
    booru.faults["posts"] = [other(page, "application/json")] * 2
    with pytest.raises(
        ArenaError, match=r"none of 1 posts on page=b7 is older than 7; the host must support page=b<ID>"
    ):
        run(booru, tmp_path / "f")


def test_the_list_of_unlawful_tags_is_as_it_is_documented() -> None:
    tags = unlawful_tags()
    assert {"loli", "shota", "toddlercon"} <= tags.keys()
    assert len(tags) > 20
    for tag, ratings in tags.items():
        assert tag == tag.strip().lower()
        assert {"", "q", "e"} <= ratings <= {"", "g", "s", "q", "e"}


def test_a_folder_of_something_else_is_left_alone(booru: Booru, tmp_path: Path) -> None:
    booru.add(5)
    (tmp_path / "posts.jsonl").write_text("{}\n")
    with pytest.raises(ArenaError, match=r"not empty \(posts.jsonl\) and without fetch.toml; use another folder"):
        run(booru, tmp_path)
    assert (tmp_path / "posts.jsonl").read_text() == "{}\n"
    assert booru.requests == []


def test_a_folder_of_another_query_is_left_alone(booru: Booru, tmp_path: Path) -> None:
    booru.add(5)
    run(booru, tmp_path / "f")
    before = contents(tmp_path / "f")
    with pytest.raises(ArenaError, match="fetched with before_id 1000, now 900; use another folder"):
        run(booru, tmp_path / "f", before_id=900)
    with pytest.raises(ArenaError, match="fetched with ratings 'g,s', now 'g'"):
        run(booru, tmp_path / "f", wish=PostFilter(ratings=("g",)))
    assert contents(tmp_path / "f") == before


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("fetch.toml", "cursor = ", "fetch.toml: not valid TOML"),
        ("fetch.toml", "schema = 1\n", "fetch.toml: damaged .*KeyError"),
        ("fetch.toml", "schema = 99\n", "fetched with schema 99, now 1"),
        ("posts.jsonl", "", "posts.jsonl: 0 bytes, fetch.toml says"),
        ("fetch.toml", "\udcff", "fetch.toml: not UTF-8"),
        ("posts.jsonl", "x" * 10_000, "posts.jsonl: line 1 is not a post"),
        ("posts.jsonl", "[1]\n" * 10_000, "posts.jsonl: line 1 is not a post"),
        ("posts.jsonl", "\udcff" * 10_000, "posts.jsonl: line 1 is not a post"),
        ("rejects.csv", '"a"\n', "rejects.csv: damaged"),
        ("rejects.csv", "a" * 200_000, "rejects.csv: damaged"),
        ("rejects.csv", "\udcff", "rejects.csv: damaged"),
    ],
)
def test_a_damaged_folder_is_one_line(booru: Booru, tmp_path: Path, name: str, text: str, message: str) -> None:
    booru.add(5)
    run(booru, tmp_path / "f")
    (tmp_path / "f" / name).write_text(text, "utf-8", "surrogateescape")
    with pytest.raises(ArenaError, match=message):
        run(booru, tmp_path / "f")


def test_an_image_that_was_lost_or_cut_is_fetched_again(booru: Booru, tmp_path: Path) -> None:
    posts = [booru.add(post_id) for post_id in (3, 2, 1)]
    run(booru, tmp_path / "f")
    before = contents(tmp_path / "f")
    lost, short = (tmp_path / f"f/images/{post['md5'][:2]}/{post['md5']}.jpg" for post in posts[:2])
    lost.unlink()
    short.write_bytes(short.read_bytes()[:-1])
    booru.requests.clear()
    assert run(booru, tmp_path / "f").images == 3
    assert len(booru.requests) == 2
    assert contents(tmp_path / "f") == before


def test_hostile_text_in_posts_stays_one_line_of_rejects(booru: Booru, tmp_path: Path) -> None:
    booru.add(5, md5="=cmd()\n\x1b[2J")
    booru.add(4, file_url="=1\n+2")
    run(booru, tmp_path / "f")
    text = (tmp_path / "f/rejects.csv").read_text()
    assert len(text.splitlines()) == 3
    assert set(text) - {"\n"} <= set(map(chr, range(32, 127)))


def arena(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = 0
    try:
        cli.main(["dataset", "fetch", "danbooru", *map(str, arguments)])
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_verb_says_what_it_left_out(booru: Booru, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    booru.add(5)
    booru.add(4, tag_string="loli")
    booru.add(3, md5="x")
    folder = tmp_path / "f"
    asked = ["--before-id", 9, "--count", 7, "--base-url", booru.url, "--rate", 10]
    code, out, err = arena(*asked, "-o", folder, capsys=capsys)
    assert code == 0, err
    assert out.splitlines() == [
        f"{folder}: 1 posts, 1 images",
        "left out: unlawful tags 1",
        f"rejected: no md5 1; see {folder / 'rejects.csv'}",
        "1 of 7 posts: the host has no more between 0 and 9",
    ]
    assert "WARNING" not in err
    code, out, err = arena(*asked, "-o", tmp_path / "g", "--no-tag-filter", capsys=capsys)
    assert (code, "WARNING: --no-tag-filter" in err, "unlawful" in out) == (0, True, False)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--ratings", "g,x"], "--ratings 'x': not one of g, s, q, e"),
        (["--ratings", ","], "--ratings and --types need at least one name each"),
        (["--types", "jpg,/x"], "--types '/x': not a suffix"),
        (["--rate", 0], "0.0 is not in the range"),
        (["--rate", 11], "11.0 is not in the range"),
        (["--base-url", "booru"], "--base-url 'booru': must begin with https:// or http://"),
        (["--count", 0], "0 is not in the range"),
        (["--after-id", 8], "no post lies between 8 and 9"),
        (["--user-agent", "a\nb"], "must be printable ASCII"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    tmp_path: Path, more: list[object], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = arena("--before-id", 9, "--count", 7, "-o", tmp_path / "f", *more, capsys=capsys)
    assert code == 2, err
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "f").exists()


def test_the_verb_needs_a_host_that_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["dataset", "fetch", "flickr", "--before-id", "9", "--count", "7", "-o", "x"])
    assert stop.value.code == 2
    assert "danbooru" in capsys.readouterr().err
