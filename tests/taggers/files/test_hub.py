"""Pulling from a small hub on loopback, through the real client: what goes wrong on the way ends in success or in one line."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from arena import cli
from arena.base.errors import WeightsError
from arena.cards import find_model
from arena.pipeline import catalogue
from arena.taggers.files import hub as hub_module
from arena.taggers.files import weights
from tests.conftest import GOLDEN

COMMIT, LATER = "a" * 40, "b" * 40
LARGE = "model.safetensors"
FILES = {name: (GOLDEN / "joytag-ln-sine" / name).read_bytes() for name in (LARGE, "config.json", "top_tags.txt")}
SHA256 = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}

Answer = Callable[["Answering", str], bool]
"""What a server does with a request for a file in place of answering it, and whether it did."""


@dataclass
class SmallHub:
    """A hub on loopback.

    Attributes:
        main: the commit that `main` is.
        faults: done once each, in order, with requests for the large file; `GET` or `HEAD` -> what.
        cdn: where the large file is sent for, or empty.
    """

    url: str = ""
    main: str = COMMIT
    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    faults: list[tuple[str, Answer]] = field(default_factory=list)
    cdn: str = ""
    repositories: tuple[str, ...] = ("people/tiny",)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)

    def ranges(self, name: str = LARGE) -> list[str]:
        """What was asked of a file: the `Range` of every GET, or `all`."""
        return [asked for verb, path, asked in self.requests if verb == "GET" and path.endswith(name)]


class Answering(BaseHTTPRequestHandler):
    hub: SmallHub
    is_cdn = False

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        hub = self.hub
        hub.requests.append((self.command, self.path, self.headers.get("Range", "all")))
        hub.tokens.append(self.headers.get("Authorization"))
        name = self.path.rpartition("/")[2]
        if name == LARGE and hub.faults and hub.faults[0][0] == self.command and hub.faults.pop(0)[1](self, name):
            return
        _, owner, repository, _, revision, *_ = (self.path + "/////").split("/")
        commit = hub.main if revision == "main" else revision
        if f"{owner}/{repository}" not in hub.repositories and not self.is_cdn:
            self.refuse(404, "RepoNotFound")
        elif commit not in (COMMIT, LATER) and not self.is_cdn:
            self.refuse(404, "RevisionNotFound")
        elif name not in hub.files:
            self.refuse(404, "EntryNotFound")
        elif hub.cdn and name == LARGE and not self.is_cdn:
            size = str(len(hub.files[name]))
            self.head(302, {"Location": f"{hub.cdn}/{name}", "X-Linked-Etag": f'"{SHA256[name]}"', "X-Linked-Size": size,
                            "X-Repo-Commit": commit, "Content-Length": "0"})  # fmt: skip
        else:
            self.give(hub.files[name], commit, SHA256[name])

    def give(self, content: bytes, commit: str, etag: str, *, upto: int | None = None) -> None:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0] or 0)
        more = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": commit, "Content-Length": str(len(content) - start), **more}
        self.head(206 if start else 200, headers)
        if self.command == "GET":
            self.wfile.write(content[start:upto])

    def head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()

    def refuse(self, status: int, code: str = "") -> None:
        self.head(status, {"Content-Length": "0"} | ({"X-Error-Code": code} if code else {}))

    def log_message(self, *arguments: object) -> None:
        return


@contextmanager
def serving(hub: SmallHub, *, is_cdn: bool = False) -> Iterator[str]:
    handler = type("Handler", (Answering,), {"hub": hub, "is_cdn": is_cdn})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://{'localhost' if is_cdn else '127.0.0.1'}:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    """The hub, and the client told of it as `HF_ENDPOINT`, `HF_HOME`, `HF_TOKEN` and the timeouts tell it at its start."""
    small = SmallHub()
    with serving(small) as url:
        small.url = url
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 1)
        monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        monkeypatch.setattr(hub_module, "WAITS_SECONDS", (0.0, 0.0))
        monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
        yield small


def write_card(root: Path, sha256: dict[str, str] | None = None, name: str = "tiny", **changes: object) -> None:
    fields: dict[str, Any] = {
        "name": name, "adapter": "joytag", "hub": "people/tiny", "revision": COMMIT, "files": list(FILES), "output": "logits",
    }  # fmt: skip
    lines = [f"{key} = {json.dumps(value)}" for key, value in (fields | changes).items() if value is not None]
    lines += ["[sha256]", *(f'"{file}" = "{digest}"' for file, digest in (sha256 or {}).items())]
    (root / "models").mkdir(exist_ok=True)
    (root / "models" / f"{name}.toml").write_text("\n".join(lines))


def pull(root: Path, *names: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = 0
    try:
        cli.main(["pull", *(names or ("tiny",)), "--root", str(root)])
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def last_line(err: str) -> str:
    assert "Traceback" not in err
    assert [line for line in err.splitlines() if line.startswith("arena: ")] == err.splitlines()[-1:]
    return err.splitlines()[-1]


def cut_after(size: int, content: bytes | None = None) -> Answer:
    def cut(server: Answering, name: str) -> bool:
        server.give(content or FILES[name], COMMIT, SHA256[name], upto=size)
        server.close_connection = True
        return True

    return cut


def refuse(status: int, code: str = "") -> Answer:
    def refusing(server: Answering, name: str) -> bool:
        server.refuse(status, code)
        return True

    return refusing


def sleep(seconds: float) -> Answer:
    def sleeping(server: Answering, name: str) -> bool:
        threading.Event().wait(seconds)
        server.close_connection = True
        return seconds > 1

    return sleeping


def whole(root: Path) -> bool:
    files = weights.find_files(find_model("tiny", root))
    return files is not None and {name: path.read_bytes() for name, path in files.items()} == FILES


def test_a_cut_connection_goes_on_in_the_middle(
    hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_card(tmp_path)
    hub.faults = [("GET", cut_after(5000)), ("GET", cut_after(9000))]
    code, _, err = pull(tmp_path, capsys=capsys)
    assert code == 0, err
    assert hub.ranges() == ["all", "bytes=5000-", "bytes=9000-"]
    assert whole(tmp_path)


def test_a_stopped_pull_goes_on_in_the_middle(
    hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_card(tmp_path)

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    hub.faults = [("GET", cut_after(5000))]
    with monkeypatch.context() as patch:
        patch.setattr("huggingface_hub.file_download.time.sleep", stop)
        code, _, err = pull(tmp_path, capsys=capsys)
    assert (code, "the same command continues" in err) == (130, True)
    assert not whole(tmp_path)
    assert pull(tmp_path, capsys=capsys)[0] == 0
    assert hub.ranges() == ["all", "bytes=5000-"]
    assert whole(tmp_path)


def test_bytes_that_are_not_the_announced_ones_are_thrown_away(
    hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_card(tmp_path)
    altered = FILES[LARGE][:-1] + bytes([FILES[LARGE][-1] ^ 1])
    hub.faults = [("GET", cut_after(len(altered), altered))]
    code, _, err = pull(tmp_path, capsys=capsys)
    assert code == 2
    assert "the hub announced" in last_line(err)
    assert not list((tmp_path / "cache").rglob("*.incomplete"))
    assert pull(tmp_path, capsys=capsys)[0] == 0
    assert whole(tmp_path)


def test_another_file_than_the_cards_is_refused_before_it_is_fetched(
    hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_card(tmp_path, sha256={LARGE: "0" * 64})
    code, _, err = pull(tmp_path, capsys=capsys)
    assert code == 2
    assert "the card of tiny says 000000000000" in last_line(err)
    assert hub.ranges() == []


def test_digests_are_recorded_and_hold(hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_card(tmp_path)
    assert pull(tmp_path, capsys=capsys)[0] == 0
    card = find_model("tiny", tmp_path)
    files = weights.fetch_files(card)
    assert weights.read_recorded_digests(weights.folder_of(files)) == SHA256
    files["config.json"].resolve().write_bytes(b"{}")
    with pytest.raises(WeightsError, match=r"config\.json: SHA-256 is .*when it was pulled it was .*pull it again"):
        weights.fetch_files(card)


@pytest.mark.parametrize(
    ("changes", "faults", "message"),
    [
        ({}, [("HEAD", refuse(401, "GatedRepo"))], "is gated; request access at http"),
        ({}, [("HEAD", refuse(403, "GatedRepo"))], "hf auth login, or set HF_TOKEN"),
        ({}, [("HEAD", refuse(401))], "the hub has no people/tiny, or it is private (the hub answered 401)"),
        ({"hub": "people/none"}, [], "the hub has no people/none, or it is private (the hub answered 404)"),
        ({"revision": "c" * 40}, [], f"people/tiny has no revision {'c' * 40}"),
        ({"files": ["absent.bin"]}, [], f"people/tiny has no absent.bin at {COMMIT}"),
        ({}, [("HEAD", refuse(503))] * 3, "the download of model.safetensors failed (the hub answered 503)"),
        ({}, [("GET", refuse(500))] * 3, "the download of model.safetensors failed (the hub answered 500)"),
        ({}, [("HEAD", sleep(1.3))] * 3, "the download of model.safetensors failed (the hub did not answer in time)"),
    ],
)
def test_what_is_not_given_is_one_line_with_the_remedy(
    hub: SmallHub, tmp_path: Path, changes: dict, faults: list, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_card(tmp_path, **changes)
    hub.faults = list(faults)
    code, out, err = pull(tmp_path, capsys=capsys)
    assert (code, out) == (2, "")
    assert message in last_line(err), err


@pytest.mark.parametrize(
    "faults",
    [
        [("HEAD", refuse(503)), ("HEAD", refuse(502))],
        [("GET", refuse(500)), ("GET", refuse(429))],
        [("HEAD", sleep(1.3))],
        [("GET", sleep(1.3))],
        [("HEAD", sleep(0.3)), ("GET", sleep(0.3))],
    ],
    ids=["head 5xx", "get 5xx and 429", "head too slow", "get too slow", "slow"],
)
def test_what_passes_is_waited_for(
    hub: SmallHub, tmp_path: Path, faults: list, capsys: pytest.CaptureFixture[str]
) -> None:
    write_card(tmp_path)
    hub.faults = list(faults)
    code, _, err = pull(tmp_path, capsys=capsys)
    assert code == 0, err
    assert hub.faults == []
    assert whole(tmp_path)


def test_another_host_gives_the_file_and_never_sees_the_token(
    hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_card(tmp_path)
    other = SmallHub(faults=[("GET", cut_after(7000))])
    with serving(other, is_cdn=True) as hub.cdn:
        code, _, err = pull(tmp_path, capsys=capsys)
    assert code == 0, err
    assert other.ranges() == ["all", "bytes=7000-"]
    assert set(hub.tokens) == {"Bearer hf_secret"}
    assert set(other.tokens) == {None}
    assert whole(tmp_path)


def test_a_card_that_pins_nothing_is_told_its_commit_and_mixes_no_releases(
    hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_card(tmp_path, revision=None)

    def push(server: Answering, name: str) -> bool:
        server.give(FILES[name], COMMIT, SHA256[name])
        server.hub.main = LATER
        return True

    hub.faults = [("HEAD", lambda *asked: False), ("GET", lambda *asked: False), ("HEAD", push)]
    code, out, err = pull(tmp_path, capsys=capsys)
    assert code == 0, err
    assert f'main is commit {COMMIT}; to pin it, write revision = "{COMMIT}" into the card' in out
    assert not [path for _, path, _ in hub.requests if LATER in path]
    assert (
        len({hub_module.commit_of(path) for path in (weights.find_files(find_model("tiny", tmp_path)) or {}).values()})
        == 1
    )


def test_a_file_of_another_repository_comes_from_there(
    hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_card(tmp_path, sha256=SHA256)
    path = tmp_path / "models/tiny.toml"
    path.write_text(path.read_text() + '\n[elsewhere."top_tags.txt"]\nhub = "people/tags"')
    code, _, err = pull(tmp_path, capsys=capsys)
    assert code == 2
    assert "the hub has no people/tags" in last_line(err)
    assert "Or download top_tags.txt from" in last_line(err)
    assert last_line(err).endswith(f"into {tmp_path / 'models/tiny'}")
    hub.repositories, hub.main = ("people/tiny", "people/tags"), LATER
    code, out, err = pull(tmp_path, capsys=capsys)
    assert code == 0, err
    assert f'tiny: unpinned: people/tags at main is commit {LATER}; to pin it, write revision = "{LATER}"' in out
    assert "people/tiny at" not in out, "the weights are pinned"
    assert whole(tmp_path)
    files = weights.find_files(find_model("tiny", tmp_path)) or {}
    assert {name: hub_module.commit_of(path) for name, path in files.items()} == {
        LARGE: COMMIT, "config.json": COMMIT, "top_tags.txt": LATER,
    }  # fmt: skip
    for name, path in files.items():
        assert weights.read_recorded_digests(path.parent)[name] == SHA256[name], (
            "each repository has a record of its own"
        )
    files["top_tags.txt"].resolve().write_bytes(FILES["top_tags.txt"])
    folder = tmp_path / "models/tiny"
    folder.mkdir()
    (folder / "top_tags.txt").write_bytes(FILES["top_tags.txt"])
    by_hand = weights.find_files(find_model("tiny", tmp_path)) or {}
    assert by_hand["top_tags.txt"] == folder / "top_tags.txt", "what was put there by hand, a repository at a time"
    assert by_hand[LARGE] == files[LARGE]
    (folder / "config.json").write_text("{}")
    assert (weights.find_files(find_model("tiny", tmp_path)) or {})["config.json"] == files["config.json"], (
        "no half of a release"
    )
    (folder / "top_tags.txt").unlink()
    files["top_tags.txt"].resolve().write_bytes(b"other")
    with pytest.raises(WeightsError, match=r"top_tags\.txt: SHA-256 is .*when it was pulled it was"):
        weights.fetch_files(find_model("tiny", tmp_path))


def test_several_are_pulled_though_one_fails(hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_card(tmp_path, name="none", hub="people/none")
    write_card(tmp_path)
    code, out, err = pull(tmp_path, "none,tiny", capsys=capsys)
    assert code == 2
    assert out.startswith("tiny: ")
    assert "tiny: unverified, not checked against its authors' own output" in out
    assert "the hub has no people/none" in err
    assert "1 of 2 models could not be pulled: none" in last_line(err)


def test_a_configuration_file_names_models(hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_card(tmp_path)
    config = tmp_path / "arena.toml"
    config.write_text(f'[pull]\nmodels = ["tiny"]\nroot = "{tmp_path}"\n')
    cli.main(["pull", "-C", str(config)])
    assert capsys.readouterr().out.startswith("tiny: ")


def test_a_full_disk_is_told_before(hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_card(tmp_path)
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("arena.taggers.files.hub.shutil.disk_usage", lambda path: usage)
    with pytest.raises(WeightsError, match=r"are needed, .* are free; free some space"):
        catalogue.pull_model(find_model("tiny", tmp_path))
    assert hub.ranges() == []


def longer_by(more: int) -> Answer:
    """Send more bytes than the hub announces, as `Content-Length` of this answer says."""

    def send(server: Answering, name: str) -> bool:
        server.give(FILES[name] + b"x" * more, COMMIT, SHA256[name])
        return True

    return send


@pytest.mark.parametrize("more", [10, 100_000])
def test_a_body_longer_than_announced_is_given_up_at_once(
    hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: int
) -> None:
    hub.faults = [("GET", longer_by(more))] * 3
    write_card(tmp_path)
    code, _, err = pull(tmp_path, capsys=capsys)
    assert code == 2
    assert f"the body is longer than {len(FILES[LARGE]):,} bytes" in last_line(err)
    assert hub.ranges() == ["all"]
    assert not list((tmp_path / "cache").rglob("*.incomplete"))


def test_retries_end_without_progress_and_after_a_number_of_them(
    hub: SmallHub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "MAX_TRIES", 3)
    hub.faults = [("HEAD", refuse(503))] * 9
    monkeypatch.setattr(hub_module, "WAITS_SECONDS", (0.0,) * 9)
    write_card(tmp_path)
    code, _, err = pull(tmp_path, capsys=capsys)
    assert code == 2
    assert "the hub answered 503" in last_line(err)
    assert len(hub.faults) == 6
