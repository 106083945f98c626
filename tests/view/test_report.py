"""The comparison page in the view: what is added to it, and what the file keeps."""

import html
import json
import re
from pathlib import Path

import pytest

from arena.view.viewed_run import ViewedRun

from .conftest import Client


def test_the_page_is_served_with_links_and_its_own_policy(client: Client, run_folder: Path, viewed: ViewedRun) -> None:
    before = (run_folder / "index.html").read_bytes()
    answer = client.get("/report/")
    assert answer.status_code == 200
    assert (run_folder / "index.html").read_bytes() == before
    policy = answer.headers["content-security-policy"]
    [stored] = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', before.decode())
    assert "http-equiv" not in answer.text
    for part in html.unescape(stored).split("; "):
        name, _, sources = part.partition(" ")
        [served] = [one for one in policy.split("; ") if one.split()[0] == name]
        assert set(sources.split()) <= set(served.split())
        assert ("'self'" in served) == (name in ("script-src", "style-src", "img-src"))
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    targets = json.loads(answer.text.partition('id="view-targets">')[2].partition("</script>")[0])
    assert targets["models"] == ["a", "b"]
    for _, title, key in targets["slices"]:
        assert client.get("/images", params={"slice": key}).status_code == 200
        assert title in answer.text
    assert {key for _, _, key in targets["slices"]} <= set(viewed.slices)
    for name in ("report.js", "report.css"):
        assert f"/static/{name}" in answer.text
        assert client.get(f"/static/{name}").status_code == 200


def test_the_page_is_one_of_the_modes(client: Client) -> None:
    assert 'href="/report/"' in client.get("/images").text


def test_a_run_without_a_page_says_how_to_write_it(
    client: Client, run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = run_folder / "index.html"
    moved = page.rename(run_folder / "moved.html")
    answer = client.get("/report/")
    moved.rename(page)
    assert answer.status_code == 400
    assert "write it with: arena report" in answer.text
