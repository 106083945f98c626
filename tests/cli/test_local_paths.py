"""What is published or recorded holds no folder of this machine, whatever packs it; the run folder still finds its inputs."""

import html
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from arena.base.local_paths import shorten_command, shorten_word
from arena.pipeline.compare import compare_entrants
from arena.pipeline.entrants import find_run
from arena.pipeline.inputs import find_scores, find_truth
from arena.pipeline.paired import ComparisonOptions
from arena.report.site.publish import publish_site
from arena.results.baselines.log import LOG, read_log
from arena.results.baselines.store import read_baseline_result, set_baseline
from arena.results.run_folder import read_result
from arena.results.shareable import without_local_paths
from tests.conftest import DATA, arena_here
from tests.report.unpacking import decompress

pytestmark = pytest.mark.usefixtures("no_plots")

PRIVATE = "jdoe-private"


def texts(path: Path) -> Iterator[str]:
    """Every text in a file: as it is, in packed blocks and data addresses of a page, and in the cells of a table."""
    content = path.read_bytes()
    if path.suffix == ".parquet":
        yield json.dumps(pq.read_table(path).to_pylist(), default=str)
        yield str(pq.read_schema(path).metadata)
    text = content.decode("utf-8", "replace")
    yield html.unescape(text)
    for block in re.findall(r'<script type="text/plain"[^>]*>([^<]+)<', text):
        for part in filter(None, block.split("\n")):
            with suppress(ValueError, OSError):  # pictures are in base 64
                yield decompress(part).decode("utf-8", "replace")


def leaks(folder: Path, *secrets: str) -> list[str]:
    """The files below a folder that hold one of the secrets, in their names too."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 2
    found = []
    for path in files:
        name = path.relative_to(folder).as_posix()
        whole = "\n".join([name, *texts(path)])
        found += [f"{name}: {secret}" for secret in secrets if secret in whole]
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private folder with scores, a truth, and a run that was made from them by absolute paths."""
    folder = tmp_path_factory.mktemp("machine") / PRIVATE
    folder.mkdir()
    rng = np.random.default_rng(0)
    axes = {"image_ids": np.array([f"i{n}" for n in range(60)]), "tags": np.array([f"t{n}" for n in range(5)])}
    truth = rng.random((60, 5)) < 0.4
    np.savez(folder / "truth.npz", truth=truth, **axes)
    for name in "ab":
        np.savez(
            folder / f"{name}.npz", scores=np.clip(truth * 0.3 + rng.random((60, 5)) * 0.7, 0, 1).astype("f4"), **axes
        )
    words = [
        "score", "--scores", f"a={folder / 'a.npz'}", f"--scores=b={folder / 'b.npz'}", "--truth", str(folder / "truth.npz"),
        "-o", str(folder / "run"), "--bootstrap", "0",
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arena.report.plots.write_plots", lambda *given: [])
        patch.setattr("sys.argv", ["arena", *words])
        done = arena_here(*words)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_site_an_export_and_a_baseline_hold_names_only(home: Path, tmp_path: Path) -> None:
    run = home / "run"
    for words in (
        ("publish", run, "--to", tmp_path / "site"),
        ("publish", run, "--forms", tmp_path / "forms"),
        ("baseline", "set", f"{run}:a", "--reason", "r", "--baselines", tmp_path / "baselines"),
    ):
        assert arena_here(*words).returncode == 0
    secrets = (PRIVATE, str(home.parent), str(tmp_path), str(Path.home()) + "/")
    assert leaks(tmp_path, *secrets) == []
    assert [one.run for one in read_log(tmp_path / "baselines")] == ["run"]
    assert "a=a.npz" in (next((tmp_path / "site/runs").iterdir()) / "index.html").read_text()


def test_the_run_itself_still_finds_its_inputs(home: Path, tmp_path: Path) -> None:
    assert arena_here("publish", home / "run", "--verify").returncode == 0
    assert find_truth(read_result(home / "run"), [home / "run"], None) is not None


def test_a_baseline_finds_the_inputs_of_its_run_beside_it_but_none_elsewhere(home: Path, tmp_path: Path) -> None:
    for place, beside in ((home / "baselines", True), (tmp_path / "baselines", False)):
        one = set_baseline(find_run(f"{home / 'run'}:a"), place, reason="r").baseline
        assert PRIVATE not in (place / LOG).read_text() + (one.copy / "run.json").read_text()
        folders = [one.copy, *([one.origin] if one.origin else [])]
        result = read_baseline_result(one)
        assert (one.origin == home / "run") == beside
        assert (find_truth(result, folders, None) is not None) == beside
        assert (find_scores(result, "a", folders) is not None) == beside


def test_a_run_of_the_same_name_is_not_taken_for_the_baselines(home: Path, tmp_path: Path) -> None:
    set_baseline(find_run(f"{home / 'run'}:a"), tmp_path / "baselines", reason="r")
    shutil.copytree(home / "run", tmp_path / "runs/run")
    content = json.loads((tmp_path / "runs/run/run.json").read_text())
    (tmp_path / "runs/run/run.json").write_text(json.dumps(content | {"signature": "another"}))
    assert read_log(tmp_path / "baselines")[0].origin is None
    (tmp_path / "runs/run/run.json").write_text(json.dumps(content))
    assert read_log(tmp_path / "baselines")[0].origin == tmp_path / "runs/run"


def test_an_older_run_is_published_without_the_paths_of_its_command(tmp_path: Path) -> None:
    shutil.copytree(DATA / "old_run/run", tmp_path / "run")
    path = tmp_path / "run/run.json"
    run = json.loads(path.read_text())
    run["command"] = f"arena score --scores 'a b=/home/{PRIVATE}/a & b.npz' --truth=../{PRIVATE}/t.npz -o runs/x"
    first = next(iter(run["models"]))
    run["models"][first]["scores"] = f"/home/{PRIVATE}/a.npz"
    path.write_text(json.dumps(run))
    assert arena_here("report", tmp_path / "run").returncode == 0
    assert leaks(tmp_path / "run", PRIVATE), "the private folder shows them"
    publish_site([tmp_path / "run"], tmp_path / "site")
    assert leaks(tmp_path / "site", PRIVATE) == []
    assert "arena score --scores 'a b=a & b.npz' --truth=t.npz -o runs/x" in html.unescape(
        (next((tmp_path / "site/runs").iterdir()) / "index.html").read_text()
    )
    assert without_local_paths(run)["models"][first]["scores"] == "a.npz"


@pytest.mark.parametrize(
    ("word", "short"),
    [
        ("/home/me/x.npz", "x.npz"), ("/home/me/run/", "run"), ("~/run", "run"), ("~me/run", "run"), ("../../me/x", "x"),
        ("runs/../../me/x", "x"), ("C:\\Users\\me\\x.npz", "x.npz"), ("C:/Users/me/x", "x"), ("\\\\host\\me\\x", "x"),
        ("--output=/home/me/run", "--output=run"), ("--scores=a=/home/me/x", "--scores=a=x"), ("-o/home/me/run", "-orun"),
        ("a=/me/x,b=/me/y,c", "a=x,b=y,c"), ("/home/me,you/x", "x"), ("a=/home/me, you/x,b=../me/y", "a=x,b=y"),
        ("/home/me=you/x", "x"), ("/home/me/run:wd14", "run:wd14"), ("file:///home/me/x", "x"), ("@baseline", "@baseline"),
        ("runs/demo", "runs/demo"), ("SmilingWolf/wd-vit", "SmilingWolf/wd-vit"), ("..", ".."), ("/", "/"), ("0.4", "0.4"),
        ("https://example.org/a", "https://example.org/a"), ("--url=https://example.org/a", "--url=https://example.org/a"),
    ],
)  # fmt: skip
def test_a_word_keeps_no_folder_above_the_current_one(word: str, short: str) -> None:
    assert shorten_word(word) == short
    assert shorten_word(short) == short


def test_a_command_that_no_shell_can_split_is_shortened_too() -> None:
    assert shorten_command("arena score 'a=/home/me/x -o /home/me/y") == "arena score 'a=x -o y"


def test_a_comparison_names_its_inputs_once(home: Path, tmp_path: Path) -> None:
    compare_entrants([f"{home / 'run'}:a", f"{home / 'run'}:b"], tmp_path / "c", asked=ComparisonOptions(replicates=0))
    publish_site([tmp_path / "c"], tmp_path / "site")
    assert leaks(tmp_path / "site", PRIVATE, str(tmp_path)) == []
