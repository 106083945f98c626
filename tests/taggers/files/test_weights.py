"""Files of a model: found, fetched through the real client from a small hub on loopback, or told where to put them."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest
from huggingface_hub import constants

from arena.taggers.files import hub as hub_module
from tests.conftest import GOLDEN, arena_here, write_onnx, write_selected_tags

COMMIT = "a" * 40
FILES = {
    name: (GOLDEN / "joytag-ln-sine" / name).read_bytes()
    for name in ("model.safetensors", "config.json", "top_tags.txt")
}


class Hub(NamedTuple):
    """A hub on loopback."""

    url: str
    requests: list[str]
    cut: set[str]
    files: dict[str, bytes]


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Serves `files` as `people/tiny` at one commit; one named in `cut` loses its second half on the way, once."""
    files = dict(FILES)
    requests: list[str] = []
    cut: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.respond(body=False)

        def do_GET(self) -> None:
            self.respond(body=True)

        def respond(self, body: bool) -> None:
            requests.append(f"{self.command} {self.path}")
            of_main = self.path.replace("/resolve/main/", f"/resolve/{COMMIT}/")
            name = of_main.removeprefix(f"/people/tiny/resolve/{COMMIT}/")
            if name not in files:
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound" if name == of_main else "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = files[name]
            start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0] or 0)
            self.send_response(206 if start else 200)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if body and name in cut:
                cut.discard(name)
                self.wfile.write(content[start : len(content) // 2])
                self.close_connection = True
            elif body:
                self.wfile.write(content[start:])

        def log_message(self, *arguments: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Hub(f"http://127.0.0.1:{server.server_port}", requests, cut, files)
    server.shutdown()
    thread.join()
    server.server_close()


def card(root: Path, **changes: object) -> Path:
    fields: dict[str, object] = {
        "name": "tiny", "adapter": "joytag", "hub": "people/tiny", "revision": COMMIT, "files": list(FILES), "output": "logits",
    }  # fmt: skip
    digests = changes.pop("sha256", {})
    lines = [f"{key} = {json.dumps(value)}" for key, value in (fields | changes).items()]
    lines += ["[sha256]", *(f'"{name}" = "{digest}"' for name, digest in digests.items())]  # type: ignore[attr-defined]
    (root / "models").mkdir(exist_ok=True)
    (root / "models" / "tiny.toml").write_text("\n".join(lines))
    return root


def in_own_process(*arguments: str, hub: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does who sets the variables of the hub's client."""
    environment = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    environment |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-m", "arena", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def arena(*arguments: str, hub: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in this process, with the values that the client reads from these variables when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", hub)
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub + "/{repo_id}/resolve/{revision}/{filename}")
        patch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setattr(hub_module, "WAITS_SECONDS", (0.0, 0.0))
        return arena_here(*arguments)


def test_files_come_from_the_hub_at_the_pinned_revision_once(hub: Hub, tmp_path: Path) -> None:
    root = card(tmp_path, sha256={"config.json": hashlib.sha256(FILES["config.json"]).hexdigest()})
    first = in_own_process("pull", "tiny", "--root", str(root), hub=hub.url, home=tmp_path / "home")
    assert first.returncode == 0, first.stderr
    assert f"snapshots/{COMMIT}" in first.stdout
    assert any(line == f"GET /people/tiny/resolve/{COMMIT}/model.safetensors" for line in hub.requests)
    hub.requests.clear()
    second = arena("pull", "tiny", "--root", str(root), hub=hub.url, home=tmp_path / "home")
    assert second.stdout == first.stdout
    assert hub.requests == [], "what is here is not asked for again"
    listed = arena("ls", "models", "--json", "--root", str(root), hub=hub.url, home=tmp_path / "home")
    tiny = next(model for model in json.loads(listed.stdout) if model["name"] == "tiny")
    assert (tiny["tag_count"], tiny["size_bytes"]) == (37, sum(map(len, FILES.values())))


def test_a_wrong_digest_is_refused(hub: Hub, tmp_path: Path) -> None:
    root = card(tmp_path, sha256={"config.json": "0" * 64})
    result = arena("pull", "tiny", "--root", str(root), hub=hub.url, home=tmp_path / "home")
    assert result.returncode == 2
    assert "config.json: SHA-256 is" in result.stderr
    assert "the card of tiny says 000000000000" in result.stderr


def test_a_cut_connection_leaves_no_half_file_behind(hub: Hub, tmp_path: Path) -> None:
    hub.cut.add("model.safetensors")
    root = card(tmp_path)
    first = arena("pull", "tiny", "--root", str(root), hub=hub.url, home=tmp_path / "home")
    second = arena("pull", "tiny", "--root", str(root), hub=hub.url, home=tmp_path / "home")
    assert second.returncode == 0, (first.stderr, second.stderr)
    fetched = next((tmp_path / "home").rglob("snapshots/*/model.safetensors"))
    assert fetched.read_bytes() == FILES["model.safetensors"]


@pytest.mark.parametrize(
    ("changes", "url"), [({"hub": "people/none"}, None), ({}, "http://127.0.0.1:9"), ({"files": ["absent.bin"]}, None)]
)
def test_what_is_not_to_be_had_says_what_to_download_and_where_to_put_it(
    hub: Hub, tmp_path: Path, changes: dict, url: str | None
) -> None:
    root = card(tmp_path, **changes)
    result = arena("run", "-m", "tiny", "--root", str(root), hub=url or hub.url, home=tmp_path / "home")
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    wanted = ", ".join(changes.get("files", FILES))
    assert f"Or download {wanted} from {url or hub.url}/" in result.stderr
    assert f" into {root / 'models' / 'tiny'}" in result.stderr


def test_files_put_into_the_folder_are_used(tmp_path: Path) -> None:
    root = card(tmp_path)
    folder = root / "models" / "tiny"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    result = arena("pull", "tiny", "--root", str(root), hub="http://127.0.0.1:9", home=tmp_path / "home")
    assert result.returncode == 0
    assert str(folder) in result.stdout


@pytest.fixture
def graph(tmp_path: Path) -> dict[str, bytes]:
    """A graph with its weights in a file beside it, and its tags, as a repository of the hub holds them."""
    import onnx

    folder = tmp_path / "made"
    folder.mkdir()
    write_selected_tags(folder, [f"tag_{i}" for i in range(5)])
    write_onnx(folder / "whole.onnx", 5)
    onnx.save(
        onnx.load(folder / "whole.onnx"), folder / "model.onnx",
        save_as_external_data=True, location="model.onnx_data", size_threshold=0,
    )  # fmt: skip
    names = {
        "onnx/model.onnx": "model.onnx",
        "onnx/model.onnx_data": "model.onnx_data",
        "selected_tags.csv": "selected_tags.csv",
    }
    return {name: (folder / file).read_bytes() for name, file in names.items()}


LISTED = ["onnx/model.onnx", "selected_tags.csv"]
"""What the card lists: not the file that only the graph names."""


@pytest.mark.parametrize("revision", [COMMIT, "main"])
def test_weights_beside_a_graph_are_pulled_with_it(
    hub: Hub, graph: dict[str, bytes], tmp_path: Path, revision: str
) -> None:
    hub.files.update(graph)
    root = card(tmp_path, adapter="onnx", files=LISTED, output="probabilities", revision=revision)
    first = arena("pull", "tiny", "--root", str(root), hub=hub.url, home=tmp_path / "home")
    assert first.returncode == 0, first.stderr
    assert "(3 files, " in first.stdout
    data = next((tmp_path / "home").rglob(f"snapshots/{COMMIT}/onnx/model.onnx_data"))
    assert data.read_bytes() == graph["onnx/model.onnx_data"]
    assert hashlib.sha256(data.read_bytes()).hexdigest() in (data.parents[1] / "arena.sha256").read_text()
    hub.requests.clear()
    again = arena("pull", "tiny", "--root", str(root), hub=hub.url, home=tmp_path / "home")
    assert (again.stdout, hub.requests) == (first.stdout, [])
    ran = arena("verify", "tiny", "--root", str(root), hub="http://127.0.0.1:9", home=tmp_path / "home")
    assert ran.returncode == 0, ran.stderr
    assert "tiny: 5 tags" in ran.stdout


def test_weights_beside_a_graph_that_the_hub_does_not_have_are_named(
    hub: Hub, graph: dict[str, bytes], tmp_path: Path
) -> None:
    hub.files.update({name: graph[name] for name in LISTED})
    root = card(tmp_path, adapter="onnx", files=LISTED)
    result = arena("pull", "tiny", "--root", str(root), hub=hub.url, home=tmp_path / "home")
    assert result.returncode == 2
    assert "has no onnx/model.onnx_data at" in result.stderr


def test_a_folder_that_lacks_only_the_weights_beside_its_graph_is_told_so(
    graph: dict[str, bytes], tmp_path: Path
) -> None:
    root = card(tmp_path, adapter="onnx", files=LISTED)
    for name in LISTED:
        path = root / "models" / "tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(graph[name])
    result = arena("run", "-m", "tiny", "--root", str(root), hub="http://127.0.0.1:9", home=tmp_path / "home")
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert "its external data (model.onnx_data) is missing" in result.stderr
    (root / "models/tiny/onnx/model.onnx_data").write_bytes(graph["onnx/model.onnx_data"])
    result = arena("pull", "tiny", "--root", str(root), hub="http://127.0.0.1:9", home=tmp_path / "home")
    assert result.returncode == 0, result.stderr
