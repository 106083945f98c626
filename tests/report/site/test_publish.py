"""The folder of a site: the same bytes each time, nothing half written, nothing lost, nothing of others touched."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pandas as pd
import pytest

from arena import cli
from arena.base.errors import ArenaError, IncomparableError
from arena.base.files import digest_file, write_whole
from arena.base.locks import lock_output
from arena.base.provenance import seal
from arena.report.exports.tables import spreadsheet_csv
from arena.report.site import folder
from arena.report.site import runs as site_runs
from arena.report.site.folder import MARKER, Site, check_url
from arena.report.site.publish import publish_site
from arena.report.view import headline_view as view
from arena.results.run_folder import read_result
from arena.results.written import begin_reports, finish_reports

from .conftest import change_json, files_of

URL = "https://example.org/arena"


def test_the_same_runs_give_the_same_bytes_in_any_order(runs: list[Path], tmp_path: Path) -> None:
    publish_site(runs[:1], tmp_path / "a", url=URL)
    publish_site(runs[1:], tmp_path / "a")
    before = files_of(tmp_path / "a")
    done = publish_site(runs, tmp_path / "a")
    assert (done.written, done.removed) == (0, 0)
    assert files_of(tmp_path / "a") == before
    publish_site([], tmp_path / "a")
    assert files_of(tmp_path / "a") == before
    publish_site([runs[2], runs[0], runs[1]], tmp_path / "b", url=URL)
    other = files_of(tmp_path / "b")
    for name in (MARKER, "feed.xml"):  # the feed's id is that of the runs that the site began with
        assert before.pop(name)
        assert other.pop(name)
    assert other == before


def test_another_run_leaves_the_old_ones_files_as_they_are(runs: list[Path], tmp_path: Path) -> None:
    publish_site(runs[:1], tmp_path)
    before = files_of(tmp_path)
    publish_site(runs[2:], tmp_path)
    after = files_of(tmp_path)
    assert {name: after[name] for name in before if name.startswith("runs/")} == {
        name: content for name, content in before.items() if name.startswith("runs/")
    }
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {name for name in before if name.startswith(("tag", "models/", "index.html", "feed.xml"))}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("index.html", cut),
        ("summary.md", Path.unlink),
        ("full-metrics/model-0.txt", cut),
        ("plots/sweep.svg", Path.unlink),
    ],
)
def test_a_run_with_a_changed_report_is_not_published(
    runs: list[Path], tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    (run / "plots").mkdir()
    (run / "plots/sweep.svg").write_text("<svg>a long picture of a threshold sweep</svg>")
    (run / "plots/mine.txt").write_text("mine")
    begin_reports(run, {})
    reports = ("index.html", "summary.md", "detailed_metrics.txt", "full-metrics/model-0.txt", "plots/sweep.svg")
    finish_reports(run, {report: digest_file(run / report) for report in reports})
    publish_site([run], tmp_path / "whole")
    (archive,) = (tmp_path / "whole").glob("runs/*/plots.zip")
    assert ZipFile(archive).namelist() == ["sweep.svg"]
    damage(run / name)
    with pytest.raises(
        ArenaError,
        match=rf"{name}(: it was changed after the run|: cannot be read| is missing).*with arena report {run}$",
    ):
        publish_site([run], tmp_path / "site")
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("stop", [1, 9, 22])
def test_stopped_anywhere_no_file_is_half_written_and_the_next_call_completes(
    runs: list[Path], two: Path, tmp_path: Path, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = tmp_path / "stopped"
    publish_site(runs[:1], stopped)
    calls = 0

    def killed(path: Path, data: bytes) -> None:
        nonlocal calls
        calls += 1
        if calls == stop:
            path.with_name(".arena-1-0123456789abcdef.part").write_bytes(data[: len(data) // 2])
            raise KeyboardInterrupt
        write_whole(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(folder, "write_whole", killed)
        with pytest.raises(KeyboardInterrupt):
            publish_site(runs[1:2], stopped)
    pages = list(stopped.rglob("*.html"))
    assert pages
    assert all(path.read_text().rstrip().endswith("</html>") for path in pages)
    publish_site(runs[1:2], stopped)
    assert files_of(stopped) == files_of(two)


def test_an_unfinished_run_is_told_and_not_linked(two: Path, tmp_path: Path) -> None:
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    half = next(path for path in (tmp_path / "runs").iterdir() if path.name.startswith("2026-11-22"))
    (half / "run.json").unlink()
    done = publish_site([], tmp_path)
    assert (done.runs, len(done.told)) == (1, 1)
    assert "publish the run again" in done.told[0]
    assert half.name not in (tmp_path / "index.html").read_text()


def test_a_run_of_another_schema_is_kept_linked_and_told(runs: list[Path], tmp_path: Path) -> None:
    publish_site(runs[:2], tmp_path, url=URL)
    old = next(path for path in (tmp_path / "runs").iterdir() if path.name.startswith("2026-11-20"))
    change_json(old / "run.json", schema=1)
    (old / "index.html").write_text("<html>laid out otherwise</html>")
    before = files_of(old)
    done = publish_site([], tmp_path)
    assert done.runs == 1
    assert ["schema 1" in line for line in done.told] == [True]
    assert files_of(old) == before
    front = (tmp_path / "index.html").read_text()
    assert f"runs/{old.name}/index.html" in front
    assert "of another version" in front
    assert old.name in (tmp_path / "sitemap.xml").read_text()


@pytest.mark.parametrize("damage", ["per_tag.parquet", "summary.json"])
def test_a_damaged_run_does_not_stop_the_others(two: Path, tmp_path: Path, damage: str) -> None:
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    old = next(path for path in (tmp_path / "runs").iterdir() if path.name.startswith("2026-11-20"))
    (old / damage).write_text("{}")
    done = publish_site([], tmp_path)
    assert (done.runs, len(done.told)) == (1, 1)
    assert old.name in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("name", ["notes.txt", "index.html", "runs/x/index.html"])
def test_a_folder_of_something_else_is_refused_untouched(runs: list[Path], tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(ArenaError, match="not a site of arena"):
        publish_site(runs[:1], tmp_path)
    assert files_of(tmp_path) == {name: b"mine"}


def test_what_hosts_want_and_what_others_put_beside_stays(runs: list[Path], tmp_path: Path) -> None:
    mine = {".git/HEAD": b"ref", "CNAME": b"example.org"}
    for name, content in mine.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    publish_site(runs[:1], tmp_path)
    (tmp_path / "tags" / "mine.html").write_text("<html>not made here</html>")
    (tmp_path / "page.png").write_bytes(b"picture")
    publish_site(runs[1:], tmp_path)
    after = files_of(tmp_path)
    assert {name: after[name] for name in mine} == mine
    assert after["tags/mine.html"] == b"<html>not made here</html>"
    assert after["page.png"] == b"picture"


def test_pages_of_a_run_that_was_taken_away_go(runs: list[Path], tmp_path: Path) -> None:
    publish_site(runs, tmp_path)
    assert (tmp_path / "models" / "new" / "index.html").exists()
    third = next(path for path in (tmp_path / "runs").iterdir() if path.name.startswith("2026-11-21"))
    shutil.rmtree(third)
    done = publish_site([], tmp_path)
    assert done.removed == 1
    assert not (tmp_path / "models" / "new").exists()


def test_bad_input_is_refused_before_anything_is_written(runs: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(runs[0], broken)
    change_json(broken / "run.json", schema=99)
    with pytest.raises(IncomparableError, match="schema 99"):
        publish_site([runs[1], broken], tmp_path / "site")
    change_json(broken / "run.json", schema=2)
    (broken / "index.html").unlink()
    with pytest.raises(ArenaError, match="arena report"):
        publish_site([runs[1], broken], tmp_path / "site")
    with pytest.raises(ArenaError, match="no run is named to start one"):
        publish_site([], tmp_path / "site")
    with pytest.raises(ArenaError, match="not the URL of a folder"):
        publish_site(runs[:1], tmp_path / "site", url="example.org")
    assert not (tmp_path / "site").exists()


def test_a_site_of_another_version_or_a_damaged_marker_is_refused(two: Path, tmp_path: Path) -> None:
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    change_json(tmp_path / MARKER, arena_site=2)
    with pytest.raises(IncomparableError, match="version 2"):
        publish_site([], tmp_path)
    (tmp_path / MARKER).write_text("[]")
    with pytest.raises(ArenaError, match=rf"{MARKER}: the content is a list; it must be a table"):
        publish_site([], tmp_path)


def test_one_process_at_a_time(two: Path, tmp_path: Path) -> None:
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    with (
        lock_output(tmp_path, "publish"),
        pytest.raises(ArenaError, match=r"arena publish \(process \d+ on .* writes to it"),
    ):
        publish_site([], tmp_path)
    publish_site([], tmp_path)
    assert not [name for name in files_of(tmp_path) if name.endswith((".lock", ".part"))]


def test_the_address_is_remembered_and_can_be_forgotten(runs: list[Path], tmp_path: Path) -> None:
    publish_site(runs[:1], tmp_path, url=URL + "/")
    with_url = files_of(tmp_path)
    run = next(name for name in with_url if name.startswith("runs/") and name.endswith("index.html"))
    assert f'rel="canonical" href="{URL}/{run.removesuffix("index.html")}"'.encode() in with_url[run]
    publish_site([], tmp_path)
    assert files_of(tmp_path) == with_url
    publish_site([], tmp_path, url="none")
    without = files_of(tmp_path)
    assert {"robots.txt", "sitemap.xml"} == set(with_url) - set(without)
    assert not [name for name, content in without.items() if URL.encode() in content]
    publish_site(runs[:1], tmp_path, url=URL)
    assert files_of(tmp_path) == with_url


@pytest.mark.parametrize(
    "url", ["", "example.org", "ftp://example.org", "https://", 'https://e.org/"x', "https://e.org/?a", "https://["]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ArenaError, match="not the URL of a folder"):
        check_url(url)


def test_thumbnails_come_along_unless_they_are_not_wanted(runs: list[Path], tmp_path: Path) -> None:
    run = Path(shutil.copytree(runs[0], tmp_path / "run"))
    (run / "thumbnails").mkdir()
    (run / "thumbnails" / "a.webp").write_bytes(b"picture")
    (run / "thumbnails" / "link.webp").symlink_to(run / "run.json")
    site = tmp_path / "site"
    publish_site([run], site)
    assert [path.name for path in site.rglob("*.webp")] == ["a.webp"]
    publish_site([run], site, images=False)
    assert not list(site.rglob("thumbnails"))
    (run / "index.html").write_text("<img src='data:image/webp;base64,AAAA'>")
    with pytest.raises(ArenaError, match="contains pictures"):
        publish_site([run], site, images=False)


def test_tables_are_stored_smaller_and_hold_the_same(runs: list[Path], tmp_path: Path) -> None:
    publish_site(runs[:1], tmp_path)
    (folder,) = (tmp_path / "runs").iterdir()
    names = ("per_tag", "tag_differences", "slices", "differences")
    before, after = (read_result(where, names).tables for where in (runs[0], folder))
    for name in names:
        pd.testing.assert_frame_equal(before[name], after[name])
    offered, own = pd.read_parquet(folder / "thresholds.parquet"), pd.read_csv(runs[0] / "thresholds.csv")
    assert offered["tag"].tolist() == own["tag"].tolist()
    assert offered["threshold"].tolist() == own["threshold"].tolist()
    assert not list(folder.glob("*.csv"))


def test_text_that_runs_as_a_formula_is_guarded_in_a_spreadsheet() -> None:
    hostile = ["=1+1", "+1", "-1", "@x", "\t=1", "\uff1d1", 'a"b,c', "nan"]
    text = spreadsheet_csv(pd.DataFrame({"tag": hostile, "f1": [-0.5] * len(hostile)}))
    lines = text.split("\r\n")
    assert [line.startswith(("'", "\"'")) for line in lines[1:-1]] == [True] * 6 + [False] * 2
    assert all(line.endswith(",-0.5") for line in lines[1:-1])


def test_a_site_of_an_earlier_version_loses_the_pages_of_tags_and_keeps_its_runs(two: Path, tmp_path: Path) -> None:
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    made, mine = '<meta name="generator" content="arena 0.0.9">', "<html>not made here</html>"
    (tmp_path / "tags" / "cat.html").write_text(made)
    (tmp_path / "tags" / "mine.html").write_text(mine)
    for run in (tmp_path / "runs").iterdir():
        (run / "site.json.gz").unlink()
        (run / "per_tag.csv").write_text("of an earlier version")
    done = publish_site([], tmp_path)
    assert (done.runs, done.removed) == (2, 1)
    assert not (tmp_path / "tags" / "cat.html").exists()
    assert (tmp_path / "tags" / "mine.html").read_text() == mine
    assert len(list(tmp_path.glob("runs/*/per_tag.csv"))) == 2, "links to it keep working"
    kept = {name: content for name, content in files_of(two).items() if not re.match("runs/.*/index.html", name)}
    assert kept.items() <= files_of(tmp_path).items()


@pytest.mark.parametrize(
    "change", [{"arena": "0.0.0"}, {"arena_site_run": 0}, {"verdict": "changed"}, {"of": "another run"}]
)
def test_stored_views_of_another_run_or_version_or_changed_ones_are_not_used(
    two: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    stored = next(tmp_path.glob("runs/*/site.json.gz"))
    content = json.loads(gzip.decompress(stored.read_bytes())) | change
    text = json.dumps(content if "verdict" in change else seal(content))
    stored.write_bytes(gzip.compress(text.encode()))
    publish_site([], tmp_path)
    assert files_of(tmp_path) == files_of(two)


def test_a_publish_reads_the_tables_of_new_runs_only(
    runs: list[Path], two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(two, tmp_path, dirs_exist_ok=True)
    seen: list[str] = []
    monkeypatch.setattr(site_runs, "headline_view", lambda result: seen.append(result.recipe.created) or view(result))
    publish_site(runs[2:], tmp_path)
    assert seen == ["2026-11-21T10:00:00Z"]


def test_a_run_that_was_rendered_again_keeps_its_address(runs: list[Path], tmp_path: Path) -> None:
    run, site = Path(shutil.copytree(runs[0], tmp_path / "run")), tmp_path / "site"
    publish_site([run], site)
    page = (run / "index.html").read_text().replace("comparison of image taggers", "comparison, rendered anew")
    (run / "index.html").write_text(page)
    (run / "full-metrics" / "model-1.txt").unlink()
    done = publish_site([run], site)
    assert (done.runs, done.removed) == (1, 1)
    (folder,) = (site / "runs").iterdir()
    published = (folder / "index.html").read_text()
    assert "rendered anew" in published
    assert published.count("<!--arena site-->") == 2
    assert "model-1.txt" not in published


def test_a_published_run_can_itself_be_published(runs: list[Path], tmp_path: Path) -> None:
    publish_site(runs[:1], tmp_path / "a")
    before = files_of(tmp_path / "a")
    (folder,) = (tmp_path / "a" / "runs").iterdir()
    assert publish_site([folder], tmp_path / "a").written == 0
    publish_site([folder], tmp_path / "b")
    assert files_of(tmp_path / "b") == before


def test_writing_tells_what_changed(tmp_path: Path) -> None:
    site: Any = Site(tmp_path, "urn:uuid:0", None)
    for content in ("a", "a", "b"):
        site.write("x/y.html", content)
    assert (site.written, site.unchanged) == (2, 1)
    assert json.dumps(sorted(path.name for path in tmp_path.rglob("*.html"))) == '["y.html"]'


def test_the_verb_says_what_it_did_and_refuses_in_one_line(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in ("1 run, 2 taggers, 5 tags: ", ": 0 files written, "):
        cli.main(["publish", str(runs[0]), "--to", str(tmp_path / "site"), "--no-images"])
        told = capsys.readouterr().out.splitlines()
        assert words in told[-2]
        assert told[-1] == str(tmp_path / "site" / "index.html")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").touch()
    with pytest.raises(SystemExit) as stop:
        cli.main(["publish", str(runs[0]), "--to", str(tmp_path / "mine")])
    assert stop.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("arena: --to ")
