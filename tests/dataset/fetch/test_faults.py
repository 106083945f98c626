"""What a host does wrong, and what a fetch makes of it."""

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.base.errors import ArenaError
from arena.dataset.fetch import client as fetch_client
from arena.dataset.fetch import danbooru as fetching
from arena.dataset.fetch import images as fetch_images
from arena.dataset.fetch.address import Credentials, RequestRefusedError, parse_base_url, resolve_file_url
from arena.dataset.fetch.client import HostBusyError, PoliteClient, RateLimit, UnreachableError

from .booru import Booru, cut, damaged_zip, endless, other, serving, silent, status, zipped
from .fetches import Waits, contents, images, rejects, run


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([status(429)], [1.0]),
        ([status(429, Retry_After="7")], [7.0]),
        ([status(429, Retry_After="soon"), status(503, Retry_After="-4")], [1.0, 2.0]),
        ([status(500), status(502), status(503), status(504), status(520)], [1.0, 2.0, 4.0, 8.0, 16.0]),
        ([cut(), cut(told=False), other(b"<html>maintenance</html>"), damaged_zip], [1.0, 2.0, 4.0, 8.0]),
        ([other(b"[" * 100_000), other(b"[NaN]"), other(b"\xff")], [1.0, 2.0, 4.0]),
        ([silent(0.8), status(408)], [1.0, 2.0]),
        ([zipped], []),
    ],
    ids=["429", "retry-after", "odd retry-after", "5xx", "cut", "no json", "timeout", "gzip"],
)  # fmt: skip
def test_what_passes_on_a_page_is_waited_for(
    booru: Booru, tmp_path: Path, faults: list[Any], expected: list[float]
) -> None:
    booru.add(5)
    booru.faults["posts"] = list(faults)
    waits = Waits()
    assert run(booru, tmp_path / "f", waits=waits, read_s=0.5).images == 1
    assert waits == expected


def test_a_date_in_retry_after_is_waited_for(booru: Booru, tmp_path: Path) -> None:
    booru.add(5)
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
    booru.faults["posts"] = [status(429, Retry_After=date)]
    waits = Waits()
    run(booru, tmp_path / "f", waits=waits)
    assert len(waits) == 1
    assert 90 < waits[0] <= 100


def test_jitter_only_lengthens_a_pause() -> None:
    pauses = [RateLimit(jitter=lambda share=share: share).pause_s(3, 0.0) for share in (0.0, 0.5, 1.0)]  # type: ignore[misc]
    assert pauses == [8.0, 10.0, 12.0]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (status(401), "answered 401; correct ARENA_DANBOORU_LOGIN and ARENA_DANBOORU_API_KEY"),
        (status(403), "answered 403; the host refuses this client"),
        (status(404), "answered 404"),
        (status(302, Location="http://localhost:9/posts.json"), "redirects to another host, http://localhost:9"),
        (status(302, Location="http://[x"), ""),
        (
            other(b'{"success": false, "message": "You cannot search"}'),
            "board/posts.json: sent dict, not a list of posts: 'You cannot search'",
        ),
        (endless(), "more than the 100,000 bytes"),
        (status(429, Retry_After="3600"), "asks for a pause of 3600 s; run the same command after that"),
    ],
    ids=["401", "403", "404", "redirect", "no address", "object", "endless", "long rest"],
)
def test_what_stays_on_a_page_is_one_error_at_once(
    booru: Booru, tmp_path: Path, fault: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MAX_PAGE_BYTES", 100_000)
    booru.add(5)
    booru.faults["posts"] = [fault] * 6
    with pytest.raises(ArenaError, match="(?s)" + message):
        run(booru, tmp_path / "f")
    if message:
        assert len(booru.requests) == 1
    booru.faults.clear()
    assert run(booru, tmp_path / "f").images == 1


def test_redirects_within_the_host_are_followed_and_kept_apart(booru: Booru, tmp_path: Path) -> None:
    booru.add(5)
    booru.faults["posts"] = [status(301, Location="/moved/posts.json?limit=200&page=b1000")]
    assert run(booru, tmp_path / "f").images == 1
    booru.faults["posts"] = [status(301, Location="/posts.json?limit=200&page=b1000")] * 9
    with pytest.raises(ArenaError, match="more than 3 redirects"):
        run(booru, tmp_path / "g")


def test_a_host_that_stays_away_is_one_error(booru: Booru, tmp_path: Path) -> None:
    booru.add(5)
    booru.faults["posts"] = [status(502)] * 6
    waits = Waits()
    with pytest.raises(UnreachableError, match="answered 502, 6 times in a row; run the same command later"):
        run(booru, tmp_path / "f", waits=waits)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_nobody_listening_is_one_error(tmp_path: Path) -> None:
    with serving() as board:
        pass
    with pytest.raises(UnreachableError, match="no connection"):
        run(board, tmp_path / "f")


@pytest.mark.parametrize(
    "faults",
    [
        [status(500), status(429, Retry_After="2")],
        [cut(), cut(0.3), cut(0.0)],
        [cut(told=False)],
        [silent(0.8)],
        [zipped],
        [other(b"<html>captcha</html>".ljust(400), "image/jpeg")],
        [status(416)],
        [cut(), status(416)],
        [cut(), status(206, b"x", Content_Range="bytes 3-3/400")],
    ],
    ids=["5xx", "cut", "cut untold", "timeout", "gzip", "other md5", "416", "cut, 416", "other range"],
)  # fmt: skip
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_what_passes_on_a_file_is_waited_for(booru: Booru, tmp_path: Path, faults: list[Any], ranges: bool) -> None:
    post = booru.add(5)
    booru.ranges = ranges
    booru.faults[post["md5"]] = list(faults)
    assert run(booru, tmp_path / "f", read_s=0.5).images == 1
    assert images(tmp_path / "f") == {f"{post['md5']}.jpg"}


def test_a_file_that_was_cut_is_continued(booru: Booru, tmp_path: Path) -> None:
    post = booru.add(5)
    booru.faults[post["md5"]] = [cut(0.25), cut(0.5)]
    run(booru, tmp_path / "f")
    asked = [seen.headers.get("Range") for seen in booru.requests if post["md5"] in seen.path]
    assert asked == [None, "bytes=100-", "bytes=250-"]
    assert images(tmp_path / "f") == {f"{post['md5']}.jpg"}


@pytest.mark.parametrize(
    ("faults", "reason", "detail"),
    [
        ([status(404)], "status 404", "answered 404"),
        ([status(403)], "status 403", "answered 403"),
        ([status(302, Location="http://localhost:9/a.jpg")], "redirect", "redirects to another host, http://localhost:9"),
        ([other(b"short", "image/jpeg")], "length", "the host sends 5 bytes, the post says 400"),
        ([endless()], "length", "more than the 400 bytes"),
        ([other(b"0" * 400, "image/jpeg")] * 2, "md5", "md5 is "),
        ([status(502)] * 6, "no answer", "answered 502, 6 times in a row"),
        ([cut(0.0)] * 6, "no answer", "connection cut, 6 times in a row"),
    ],
    ids=["404", "403", "redirect", "length", "endless", "md5", "5xx", "cut"],
)  # fmt: skip
def test_a_file_that_cannot_be_had_is_one_reject(
    booru: Booru, tmp_path: Path, faults: list[Any], reason: str, detail: str
) -> None:
    booru.add(6)
    post = booru.add(5)
    booru.add(4)
    booru.faults[post["md5"]] = list(faults)
    result = run(booru, tmp_path / "f")
    assert (result.posts, result.images, dict(result.rejects)) == (3, 2, {reason: 1})
    [row] = rejects(tmp_path / "f")
    assert (row["where"], row["image_id"], row["reason"]) == ("post 5", "5", reason)
    assert detail.partition(" is ")[0] in row["detail"]
    assert len([name for name in images(tmp_path / "f") if not name.endswith(".part")]) == 2
    booru.requests.clear()
    again = run(booru, tmp_path / "f")
    tried = any(post["md5"] in path for path in booru.asked)
    assert (tried, again.images) == ((True, 3) if reason == "no answer" else (False, 2))
    assert (tmp_path / "f/rejects.csv").exists() == (not tried)


def test_a_file_of_untold_size_has_a_limit(booru: Booru, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_images, "MAX_FETCHED_BYTES", 100_000)
    post = booru.add(5, file_size=None)
    booru.add(4, file_size=None)
    booru.add(3, file_size=10**13)
    booru.faults[post["md5"]] = [endless()]
    assert dict(run(booru, tmp_path / "f").rejects) == {"length": 2}
    assert len(images(tmp_path / "f")) == 1


def test_a_trickle_is_cut_off(booru: Booru, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_client, "RESPONSE_TIMEOUT_S", 0.05)
    booru.add(5)
    booru.faults["posts"] = [endless(0.01, b" ")]
    begun = time.monotonic()
    assert run(booru, tmp_path / "f").images == 1
    assert time.monotonic() - begun < 5


def test_many_failures_in_a_row_stop_and_do_not_count(booru: Booru, tmp_path: Path) -> None:
    for post_id in range(1, 31):
        post = booru.add(post_id)
        if post_id <= 20:
            booru.faults[post["md5"]] = [status(403)]
    with pytest.raises(ArenaError, match=r"10 downloads in a row failed, the last one: .*answered 403"):
        run(booru, tmp_path / "f")
    assert len(booru.requests) == 1 + 10 + 10
    assert not (tmp_path / "f/rejects.csv").exists()
    booru.faults.clear()
    assert run(booru, tmp_path / "f").images == 30


def test_failures_that_are_not_in_a_row_do_not_stop(booru: Booru, tmp_path: Path) -> None:
    for post_id in range(1, 25):
        post = booru.add(post_id)
        if post_id % 2:
            booru.faults[post["md5"]] = [status(404)]
    assert run(booru, tmp_path / "f").rejects == {"status 404": 12}


@pytest.mark.parametrize("fault", [status(429), status(503)], ids=["429", "503"])
def test_a_host_that_is_busy_is_left_alone(booru: Booru, tmp_path: Path, fault: Any) -> None:
    post = booru.add(5)
    booru.add(4)
    booru.faults[post["md5"]] = [fault] * 6
    with pytest.raises(HostBusyError, match="6 times in a row"):
        run(booru, tmp_path / "f")
    assert len(booru.requests) == 1 + 6
    assert run(booru, tmp_path / "f").images == 2


def test_two_requests_are_never_within_the_interval(booru: Booru, tmp_path: Path) -> None:
    interval_s = 0.03
    booru.page_posts = 3
    for post_id in range(1, 7):
        booru.add(post_id)
    booru.faults["posts"] = [cut(), status(301, Location="/posts.json?limit=200&page=b1000"), silent(0.01)]
    booru.faults[booru.posts[2]["md5"]] = [cut(), other(b"0" * 400)]
    pace = RateLimit(
        interval_s, sleep=lambda seconds: time.sleep(min(seconds, interval_s))
    )  # back-off is not what keeps them apart
    assert run(booru, tmp_path / "f", pace=pace).images == 6
    moments = [seen.when for seen in booru.requests]
    assert len(moments) >= 12
    assert min(after - before for before, after in pairwise(moments)) >= interval_s


def test_every_request_says_who_asks(booru: Booru, tmp_path: Path) -> None:
    booru.add(5)
    run(booru, tmp_path / "f")
    run(booru, tmp_path / "g", user_agent="arena (me@example.org)")
    agents = [seen.headers["User-Agent"] for seen in booru.requests]
    half = len(agents) // 2
    assert agents == [fetch_client.USER_AGENT] * half + ["arena (me@example.org)"] * half
    for wrong in ("", "  ", "a\nb", "ä"):
        with pytest.raises(ArenaError, match=r"--user-agent .*: must be printable ASCII"):
            run(booru, tmp_path / "h", user_agent=wrong)


def test_an_account_goes_to_the_host_alone_and_into_no_file(booru: Booru, tmp_path: Path) -> None:
    with serving() as files:
        file = files.add(5)
        booru.add(6)
        booru.add(5, file_url=f"{files.url}/{file['md5']}.jpg")
        account = Credentials("me", "secret-key")
        result = run(booru, tmp_path / "f", credentials=account)
    assert result.images == 2
    assert all(seen.headers["Authorization"].startswith("Basic ") for seen in booru.requests)
    assert files.requests
    assert not any("Authorization" in seen.headers for seen in files.requests)
    assert "secret" not in repr(account) + "".join(contents(tmp_path / "f").values()) + "".join(booru.asked)


def test_half_an_account_or_one_in_the_clear_is_refused() -> None:
    with pytest.raises(ArenaError, match="ARENA_DANBOORU_API_KEY is not set"):
        Credentials.from_environment({"ARENA_DANBOORU_LOGIN": "me"})
    with pytest.raises(ArenaError, match="ARENA_DANBOORU_LOGIN is not set"):
        Credentials.from_environment({"ARENA_DANBOORU_API_KEY": "x"})
    assert Credentials.from_environment({}) is None
    with pytest.raises(ArenaError, match="over https only"):
        PoliteClient(parse_base_url("http://booru.example"), credentials=Credentials("me", "x"))


@pytest.mark.parametrize(
    "text", ["", "booru.example", "ftp://booru.example", "https://", "https://a:b@c.example", "https://c.example/?a"]
)
def test_a_base_address_is_plain(text: str) -> None:
    with pytest.raises(ArenaError, match="--base-url"):
        parse_base_url(text)


@given(st.text() | st.builds("http://{}".format, st.text()))
def test_any_file_address_is_trusted_or_refused(text: str) -> None:
    base = parse_base_url("https://danbooru.donmai.us")
    try:
        url = resolve_file_url(text, base, ())
    except RequestRefusedError:
        return
    assert url.scheme == "https"
    assert url.host == "donmai.us" or url.host.endswith(".donmai.us")


def test_files_come_from_the_domain_over_https_or_from_named_hosts() -> None:
    base = parse_base_url("https://danbooru.donmai.us")
    assert str(resolve_file_url("https://cdn.donmai.us/a.jpg", base, ())) == "https://cdn.donmai.us/a.jpg"
    assert str(resolve_file_url("/data/a.jpg", base, ())) == "https://danbooru.donmai.us/data/a.jpg"
    assert resolve_file_url("https://files.example/a.jpg", base, ("files.example",)).host == "files.example"
    for wrong in (
        "http://cdn.donmai.us/a.jpg",
        "https://donmai.us.example/a",
        "https://127.0.0.1/a",
        "file:///etc/passwd",
    ):
        with pytest.raises(RequestRefusedError):
            resolve_file_url(wrong, base, ())
