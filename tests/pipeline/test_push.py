"""Pushing a site to a Space of a small hub on loopback, through the real client."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from huggingface_hub import constants

from arena.base.errors import ArenaError
from arena.cli.publish import publish
from arena.pipeline.push import push_site, space_of
from arena.report.site.folder import MARKER

TARGET = "hf:people/arena"


@dataclass
class SmallHub:
    """The Spaces of a hub.

    Attributes:
        spaces: files of each Space by path.
        sdk: of all Spaces.
        refusal: status of the answer to every request that writes; 0 for none.
    """

    spaces: dict[str, dict[str, bytes]] = field(default_factory=dict)
    sdk: str = "static"
    refusal: int = 0
    commits: list[dict[str, Any]] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)


def blob_id(content: bytes) -> str:
    """The digest that git has for a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Answering(BaseHTTPRequestHandler):
    hub: SmallHub

    def do_GET(self) -> None:
        _, _, _, owner, name, *rest = f"{self.path.partition('?')[0]}///".split("/")
        files = self.hub.spaces.get(f"{owner}/{name}")
        if files is None:
            self.answer(404, {}, {"X-Error-Code": "RepoNotFound"})
        elif rest[0] == "tree":
            tree = [
                {"type": "file", "path": path, "size": len(one), "oid": blob_id(one)} for path, one in files.items()
            ]
            self.answer(200, tree)
        else:
            self.answer(200, {"id": f"{owner}/{name}", "sdk": self.hub.sdk, "siblings": []})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.hub.tokens.add(self.headers.get("Authorization"))
        if self.hub.refusal:
            self.answer(self.hub.refusal, {"error": "no"})
        elif self.path == "/api/repos/create":
            wanted = json.loads(body)
            self.hub.created.append(wanted)
            space = f"{wanted['organization']}/{wanted['name']}"
            self.hub.spaces[space] = {}
            self.answer(200, {"url": f"https://huggingface.co/spaces/{space}", "id": space})
        elif self.path == "/api/validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            self.answer(200, {"files": files})
        else:
            self.commit([json.loads(line) for line in body.splitlines()])

    def commit(self, lines: list[dict[str, Any]]) -> None:
        _, _, _, owner, name, *_ = self.path.split("/")
        files = self.hub.spaces[f"{owner}/{name}"]
        changed: dict[str, Any] = {"header": lines[0]["value"]["summary"], "file": [], "deletedFile": []}
        for line in lines[1:]:
            path = line["value"]["path"]
            changed[line["key"]].append(path)
            if line["key"] == "file":
                files[path] = base64.b64decode(line["value"]["content"])
            else:
                del files[path]
        self.hub.commits.append(changed)
        self.answer(
            200,
            {
                "success": True,
                "commitOid": "c" * 40,
                "commitUrl": "https://huggingface.co/spaces/people/arena/commit/c",
                "hookOutput": "",
            },
        )

    def answer(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for key, value in (
            {"Content-Type": "application/json", "Content-Length": str(len(body))} | (headers or {})
        ).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    small = SmallHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Answering,), {"hub": small}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    yield small
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder that counts as a site, with files that must not be pushed."""
    folder = tmp_path / "site"
    files = {
        MARKER: "{}", "index.html": "front", "tag.html": "tag", "tags/data/0.js": "data", "runs/a/index.html": "run a",
        "runs/a/per_tag.parquet": "\0table", ".nojekyll": "", ".git/config": "private", "runs/a/.arena-1": "temporary",
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "link").symlink_to(tmp_path)
    return folder


PUBLISHED = {MARKER, "index.html", "tag.html", "tags/data/0.js", "runs/a/index.html", "runs/a/per_tag.parquet"}


def test_a_new_space_has_the_files_of_the_site_and_a_readme(hub: SmallHub, site: Path) -> None:
    done = push_site(site, TARGET)
    (space,) = hub.spaces.values()
    assert set(space) == PUBLISHED | {"README.md"}
    assert all(space[name] == (site / name).read_bytes() for name in PUBLISHED)
    assert b"sdk: static\n" in space["README.md"]
    assert (done.created, done.added, done.deleted, done.unchanged) == (True, 7, 0, 0)
    assert done.url == f"{constants.ENDPOINT}/spaces/people/arena"
    assert [(one["type"], one["sdk"]) for one in hub.created] == [("space", "static")]
    assert [one["header"] for one in hub.commits] == ["Site of 1 run"]
    assert hub.tokens == {"Bearer hf_secret"}
    assert not any(str(site).encode() in content for content in space.values()), "no local path"


def test_a_later_push_uploads_what_changed_in_one_commit(hub: SmallHub, site: Path) -> None:
    push_site(site, TARGET)
    assert push_site(site, TARGET)[1:] == (False, 0, 0, 7)
    assert len(hub.commits) == 1, "nothing changed, so nothing is committed"
    (site / "index.html").write_text("other")
    (site / "runs/b").mkdir()
    (site / "runs/b/index.html").write_text("run b")
    (site / "runs/a/per_tag.parquet").unlink()
    assert push_site(site, TARGET)[1:] == (False, 2, 1, 5)
    assert hub.commits[1:] == [
        {
            "header": "Site of 2 runs",
            "file": ["index.html", "runs/b/index.html"],
            "deletedFile": ["runs/a/per_tag.parquet"],
        }
    ]


def test_what_others_put_into_the_space_stays(hub: SmallHub, site: Path) -> None:
    hub.spaces["people/arena"] = {
        "README.md": b"mine",
        ".gitattributes": b"x",
        "notes/a.txt": b"mine",
        "tags/old.html": b"old",
    }
    done = push_site(site, TARGET)
    assert (done.created, done.deleted) == (False, 1)
    assert set(hub.spaces["people/arena"]) == PUBLISHED | {"README.md", ".gitattributes", "notes/a.txt"}
    assert hub.spaces["people/arena"]["README.md"] == b"mine"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_names_the_login(hub: SmallHub, site: Path, status: int) -> None:
    hub.refusal = status
    with pytest.raises(
        ArenaError, match=rf"--push hf:people/arena: the hub refuses \(the hub answered {status}\); run hf auth login"
    ):
        push_site(site, TARGET)


def test_a_hub_that_is_away_changes_nothing(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ArenaError, match="nothing was changed; try again later"):
        push_site(site, TARGET)


def test_a_space_with_a_program_and_a_folder_that_is_no_site_are_refused(
    hub: SmallHub, site: Path, tmp_path: Path
) -> None:
    hub.spaces["people/arena"], hub.sdk = {}, "gradio"
    with pytest.raises(ArenaError, match="a Space with gradio, not a static one"):
        push_site(site, TARGET)
    with pytest.raises(ArenaError, match="is not a site of arena"):
        push_site(tmp_path, TARGET)
    assert not hub.commits


@pytest.mark.parametrize(
    "target", ["people/arena", "hf:arena", "hf:a/b/c", "hf:a/b c", "https://huggingface.co/spaces/a/b"]
)
def test_another_target_is_refused(target: str) -> None:
    with pytest.raises(ArenaError, match="write hf:ORG/SPACE"):
        space_of(target)


def test_the_verb_refuses_a_mistyped_target_before_it_writes(tmp_path: Path) -> None:
    for arguments, message in (
        (["--to", str(tmp_path / "site"), "--push", "arena"], "write hf:ORG/SPACE"),
        (["--push", TARGET], "--to SITE"),
    ):
        done = CliRunner().invoke(publish, arguments)
        assert isinstance(done.exception, ArenaError)
        assert message in str(done.exception)
    assert not (tmp_path / "site").exists()
