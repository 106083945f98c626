"""The comparison page in the view: what is added to it, and what the file keeps."""

import html
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from arena.view.report import _targets

from .conftest import Client


def test_the_page_is_served_with_links_and_its_own_policy(client: Client, run_folder: Path) -> None:
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
    assert targets["slices"] == []  # the drawn images have one rating and one size
    for name in ("report.js", "report.css"):
        assert f"/static/{name}" in answer.text
        assert client.get(f"/static/{name}").status_code == 200


def test_slices_that_can_be_shown_are_found_by_their_titles() -> None:
    rows = [
        ("rating", "g", "General"),
        ("category", "artist", "artist"),
        ("rating", "g", "General"),
        ("source", "x", "X"),
    ]
    table = pd.DataFrame(rows, columns=["slice", "value", "title"])
    stored = SimpleNamespace(result=SimpleNamespace(tables={"slices": table}))
    run = SimpleNamespace(
        stored=stored, models=[SimpleNamespace(name="a")], slices={"rating:g": None, "source:x": None}
    )
    found = _targets(run)  # type: ignore[arg-type]
    assert found["slices"] == [["Image rating", "General", "rating:g"], ["source", "X", "source:x"]]


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
