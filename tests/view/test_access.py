"""Who is served: the token, the host, the origin, and nothing but images of the dataset and the page's own files."""

from collections.abc import Callable

import pytest

from arena.view.access import HEADERS, Access

from .conftest import HOST, ORIGIN, Client

PATHS = (
    "/",
    "/images",
    "/image",
    "/judge",
    "/judge/progress",
    "/issues",
    "/try",
    "/static/view.css",
    "/picture/full/0",
    "/report/",
    "/report/thumbnails/x.webp",
)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_served_without_the_token(visit: Callable[..., Client], path: str) -> None:
    answer = visit(token="wrong").get(path)
    assert answer.status_code == 401
    assert answer.text == "arena view: no token; open the address that arena view printed\n"
    assert HEADERS.items() <= dict(answer.headers.multi_items()).items() or all(
        answer.headers[name] == value for name, value in HEADERS.items()
    )


def test_the_token_becomes_a_cookie_and_leaves_the_address(visit: Callable[..., Client]) -> None:
    client = visit(token="")
    answer = client.get("/images?token=secret&tag=tag_1", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/images?tag=tag_1")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("arena-view-8000=secret;")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert client.get("/images").status_code == 200
    assert (
        client.get(f"{ORIGIN}//evil.example/?token=secret", follow_redirects=False).headers["location"]
        == "/evil.example/"
    )


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1:8001", "127.0.0.1", "", "0.0.0.0:8000"]
)
def test_another_host_is_refused(client: Client, host: str) -> None:
    for path in ("/images", "/picture/full/0", "/?token=secret"):
        assert client.get(path, headers={"host": host}, follow_redirects=False).status_code == 403


@pytest.mark.parametrize("host", [HOST, "localhost:8000", "[::1]:8000", "LOCALHOST:8000"])
def test_names_of_this_machine_are_served(client: Client, host: str) -> None:
    assert client.get("/static/view.css", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1:8001"},
        {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
        {"origin": ORIGIN, "sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/judge/next", "/judge/answer", "/judge/undo", "/issues/answer", "/try?model=a"])
def test_a_write_of_another_site_is_refused(client: Client, path: str, headers: dict[str, str]) -> None:
    assert client.post(path, content=b"{}", headers=headers).status_code == 403


def test_a_read_by_another_site_is_refused_unless_it_opens_a_page(client: Client) -> None:
    cross = {"sec-fetch-site": "cross-site"}
    assert client.get("/picture/full/0", headers=cross | {"sec-fetch-mode": "no-cors"}).status_code == 403
    assert client.get("/images", headers=cross | {"sec-fetch-mode": "navigate"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2f..%2f..%2fpyproject.toml", "/static/__init__.py",
        "/static//etc/passwd", "/static/", "/picture/full/60", "/picture/full/-1", "/picture/full/..%2f0",
        "/picture/other/0", "/picture/full/99999999999999999999", "/images.parquet",
        "/report/run.json", "/report/thumbnails/..%2frun.json", "/report/thumbnails/thumbnails.parquet",
        "/judge/nothing", "/image?id=..%2fdataset.toml", "/image?id=", "/run.json",
    ],
)  # fmt: skip
def test_nothing_else_is_served(client: Client, path: str) -> None:
    assert client.get(path).status_code in (404, 405)


@pytest.mark.parametrize("kind", ["thumbnail", "question", "full"])
def test_images_are_served_with_their_type_and_may_be_kept(client: Client, kind: str) -> None:
    answer = client.get(f"/picture/{kind}/3")
    assert answer.headers["content-type"] == ("image/webp" if kind == "thumbnail" else "image/png")
    assert answer.headers["cache-control"] == "private, max-age=3600"
    assert client.get("/images").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("host", "header", "fits"),
    [
        ("0.0.0.0", "192.168.1.5:80", True),
        ("0.0.0.0", "localhost:80", True),
        ("0.0.0.0", "evil.example:80", False),
        ("192.168.1.5", "192.168.1.5:80", True),
        ("192.168.1.5", "192.168.1.6:80", False),
        ("::1", "[::1]:80", True),
    ],
)
def test_hosts_of_an_address_for_other_machines(host: str, header: str, fits: bool) -> None:
    assert Access(host, 80).fits_host(header) is fits


def test_tokens_are_random_and_addresses_are_complete() -> None:
    first, second = Access("127.0.0.1", 81), Access("::", 82)
    assert len({first.token, second.token}) == 2
    assert len(first.token) >= 32
    assert first.address == f"http://127.0.0.1:81/?token={first.token}"
    assert second.address.startswith("http://[::1]:82/")


def test_a_large_file_is_shown_smaller_in_a_question(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena.view.pictures.QUESTION_BYTES", 10)
    assert client.get("/picture/question/4").headers["content-type"] == "image/webp"
