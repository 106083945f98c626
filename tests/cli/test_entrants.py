"""Every verb that compares takes the same entrants, states so in one sentence, and refuses the others in one line."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from arena import cli
from arena.pipeline.entrants import find_run
from arena.pipeline.grammar import GRAMMAR
from arena.results.baselines.store import set_baseline
from arena.results.run_folder import read_result
from tests.conftest import Wd, without_plots
from tests.pipeline.conftest import World

from .test_cli import arena

pytestmark = pytest.mark.usefixtures("no_page")

Call = Callable[..., tuple[int, str, str]]

QUICK = ("--bootstrap", 0, "--thumbnails", "none")

VERBS: dict[str, tuple[list[object], list[object]]] = {
    "compare": (["compare"], [*QUICK, "-o", "out"]),
    "check": (["check", "new", "--baseline"], [*QUICK, "-o", "out"]),
    "parity": (["parity", "new"], []),
    "bisect": (["baseline", "bisect", "new"], ["--tag", "tag_3", "-d", "drawn", "-o", "out"]),
    "published": (["published"], []),
}
"""Each verb as it is called before and after one more entrant."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A folder with runs `old` (of `a`), `new` (of `a`) and `two` (of `a` and `b`), and a baseline `v-1` of `old`."""
    world = World(tmp_path_factory.mktemp("entrants"))
    with without_plots():
        world.run("old", "a", threshold=0.3)
        world.run("new", "a", seed=1)
        world.run("two", "a", "b", seed=2)
    set_baseline(find_run(str(world.folder / "old")), world.folder / "baselines", reason="first", name="v-1")
    return world


def copy_or_link(source: str, target: str) -> None:
    """Copy a file that a test changes, and link the others: commands replace files, and never write into them."""
    (shutil.copyfile if source.endswith("run.json") else os.link)(source, target)


@pytest.fixture
def here(made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A copy of it as the working directory."""
    shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True, copy_function=copy_or_link)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def call(here: World, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call a verb on one more entrant."""
    return caller(capsys)


@pytest.fixture
def refused(made: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call a verb that is refused, so that it writes nothing, in the folder itself."""
    monkeypatch.chdir(made.folder)
    return caller(capsys)


def caller(capsys: pytest.CaptureFixture[str]) -> Call:
    def run(verb: str, entrant: object, *more: object) -> tuple[int, str, str]:
        before, after = VERBS[verb]
        return arena(*before, entrant, *after, *more, capsys=capsys)

    return run


@pytest.mark.parametrize("verb", ["compare", "check", "parity", "published", "baseline bisect"])
def test_the_help_of_every_verb_states_the_grammar_in_one_sentence(verb: str) -> None:
    told = " ".join(CliRunner().invoke(cli.arena, [*verb.split(), "--help"]).output.split())
    assert f"An entrant is {GRAMMAR}." in told
    assert f"Example: arena {verb} " in told


@pytest.mark.parametrize(
    ("verb", "entrant"),
    [
        *((verb, entrant) for verb in VERBS for entrant in ("./old:a", "was=old", "@baseline", "was=@baseline:v-1")),
        *(("published", entrant) for entrant in ("old", "old/", "@baseline:v-1")),
    ],
)
def test_every_verb_takes_runs_and_baselines(call: Call, verb: str, entrant: str) -> None:
    code, _, err = call(verb, entrant)
    assert code in (0, 1, 3), err  # a verdict, whatever it is


@pytest.mark.parametrize("verb", ["compare", "check", "parity", "bisect"])
def test_every_verb_of_scores_takes_scores_and_models(call: Call, onnx_folder: Wd, verb: str) -> None:
    more = ["-d", "drawn"] if verb == "compare" else []
    code, _, err = call(verb, "was=old-a.npz", *more)
    assert code in (0, 1, 3), err
    more = ["-d", "drawn", "--keep", "kept"] if verb == "parity" else more
    over = [] if verb in ("parity", "bisect") else ["--overwrite"]
    code, _, err = call(verb, f"was={onnx_folder.folder}", *more, *over)
    assert code in (0, 1, 3), err


@pytest.mark.parametrize(
    ("entrant", "says"),
    [
        ("", "names nothing; name RUN"),
        ("=old", "no name before the ="),
        ("was=", "no path after the ="),
        ("old:", "no name after the colon"),
        ("two:c", "two: no model is called 'c' in it. Known: a, b."),
        ("joytga-demo", "Did you mean joytag-demo"),
        ("runs/none:a", "no such file or folder; name RUN"),
        ("was=none", "no such file or folder: none"),
        ("C:\\runs\\old", "no such file or folder"),
        ("@baseline:v-2", "no baseline is called 'v-2'. Did you mean v-1?"),
        ("@baselin", "a name with @ at its start must be @baseline"),
        (".", "no finished run in it"),
    ],
)
@pytest.mark.parametrize("verb", VERBS)
def test_what_names_nothing_is_one_line_and_exit_2(refused: Call, verb: str, entrant: str, says: str) -> None:
    code, _, err = refused(verb, entrant)
    assert (code, says in err, len(err.strip().splitlines())) == (2, True, 1), err
    assert not Path("out").exists()


@pytest.mark.parametrize("verb", VERBS)
def test_no_baseline_is_one_line_and_exit_2(refused: Call, verb: str) -> None:
    code, _, err = refused(verb, "@baseline", "--baselines", "none")
    assert (code, len(err.strip().splitlines())) == (2, 1)
    assert "none: no baseline is set; set one: arena baseline set" in err


@pytest.mark.parametrize("verb", VERBS)
def test_a_run_of_another_schema_is_exit_4(call: Call, verb: str) -> None:
    path = Path("old/run.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 1}))
    code, out, err = call(verb, "old")
    assert (code, "schema 1, this version reads" in " ".join((out + err).split())) == (4, True)


@pytest.mark.parametrize("verb", ["parity", "bisect"])
def test_a_verb_of_scores_refuses_a_published_file(refused: Call, verb: str) -> None:
    for entrant in ("old/full-metrics/a.txt", "was=old/full-metrics/a.txt"):
        code, _, err = refused(verb, entrant)
        assert (code, len(err.strip().splitlines())) == (2, 1)
        assert f"{entrant}: a published file holds no scores per image; arena " in err
        assert f"{verb} takes RUN, RUN:MODEL, CARD, NAME=PATH (a model's folder, scores, a run) or @baseline" in err


@pytest.mark.parametrize("entrant", ["joytag-demo", "was=old-a.npz"])
def test_published_refuses_what_has_no_metrics_yet(refused: Call, entrant: str) -> None:
    code, _, err = refused("published", entrant)
    assert (code, len(err.strip().splitlines())) == (2, 1)
    assert f"{entrant}: it has no metrics yet; score it with arena run or arena score" in err


def test_published_tells_metrics_of_a_run_as_of_the_file_that_it_wrote(call: Call) -> None:
    code, out, err = call("published", "two", "--json")
    assert code == 0, err
    of_run = json.loads(out)
    assert [one["name"] for one in of_run] == ["a", "b"]
    code, out, _ = call("published", "x=two:b", "--json")
    assert (code, json.loads(out)[0]["name"]) == (0, "x")
    assert call("published", "two:b", "--to", "full-metrics", "copy.txt")[0] == 0
    assert Path("copy.txt").read_bytes() == Path("two/full-metrics/b.txt").read_bytes()


def test_a_published_file_is_shown_beside_what_is_compared(call: Call) -> None:
    code, _, err = call("compare", "old", "new", "theirs=old/full-metrics/a.txt")
    assert code == 0, err
    found = read_result(Path("out"))
    assert found.models == ["a-old", "a-new"]
    assert [one["name"] for one in found.summary["published"]] == ["theirs"]
    code, _, err = call("compare", "theirs=old/full-metrics/a.txt")
    assert (code, "published files hold no scores; add a run" in err) == (2, True)


def test_a_run_stands_for_all_its_models_in_compare_and_for_one_elsewhere(call: Call) -> None:
    assert call("compare", "two")[0] == 0
    assert read_result(Path("out")).models == ["a", "b"]
    for verb in ("check", "parity", "bisect"):
        code, _, err = call(verb, "two")
        assert (code, "two: holds 2 models; name one of them: two:a or two:b" in err) == (2, True)


def test_a_threshold_of_an_option_replaces_that_of_the_run(call: Call) -> None:
    assert call("compare", "old", "new", "-t", "a-old=0.8")[0] == 0
    found = read_result(Path("out"))
    assert [one["threshold"] for one in found.summary["models"].values()] == ["0.8", "0.5"]
    assert found.summary["models"]["a-old"]["threshold_source"] == "option"
    assert found.run["models"]["a-old"]["thresholds"]["default"] == 0.8
    assert call("check", "old", "-t", "a-baseline=0.8", "-t", "a-candidate=0.6", "--overwrite")[0] in (0, 1, 3)
    found = read_result(Path("out"))
    assert {name: one["threshold"] for name, one in found.summary["models"].items()} == {
        "a-baseline": "0.8",
        "a-candidate": "0.6",
    }


def test_a_threshold_is_that_of_arena_score(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    call("check", "was=old-a.npz", "-t", "was=0.7")
    checked = read_result(Path("out")).summary["models"]["was"]["regimes"]["own"]
    arena("score", "--scores", "was=old-a.npz", "-t", "was=0.7", "-d", "drawn", "-o", "at-7", *QUICK, capsys=capsys)
    scored = read_result(Path("at-7")).summary["models"]["was"]["regimes"]["own"]
    assert {key: checked[key] for key in ("macro_f1", "micro_f1")} == {
        key: scored[key] for key in ("macro_f1", "micro_f1")
    }


def test_a_run_against_a_published_file_is_judged_at_the_threshold_of_the_option(call: Call) -> None:
    text = "theirs=old/full-metrics/a.txt"
    assert call("check", text, "-t", "a=0.8")[0] in (0, 1, 3)
    content = json.loads(Path("out/check.json").read_text())
    assert content["candidate"]["threshold"] == "0.8"
    code, _, err = call("check", text, "-t", "theirs=0.8")
    assert (code, "is a published file, whose metrics are known only at its own thresholds" in err) == (2, True)


@pytest.mark.parametrize(
    ("threshold", "says"),
    [
        ("z=0.5", "no model of this run. Known: a-baseline, a-candidate."),
        ("a-baseline=7", "a threshold lies in 0 to 1"),
    ],
)
def test_a_threshold_of_nobody_is_one_line(call: Call, threshold: str, says: str) -> None:
    code, _, err = call("check", "old", "-t", threshold)
    assert (code, says in err, len(err.strip().splitlines())) == (2, True, 1), err


def test_parity_reads_a_run_at_its_own_threshold(call: Call) -> None:
    code, out, err = call("parity", "new:a", "--json")
    assert (code, "is named twice" in err) == (2, True)
    code, out, err = call("parity", "same=new", "--json")
    assert (code, json.loads(out)["verdict"]["word"]) == (0, "identical"), err
    code, out, _ = call("parity", "old", "--json")
    told = json.loads(out)
    assert (code, told["parity"]["a"], told["parity"]["b"]) == (1, "a-new", "a-old")
    assert "the thresholds differ; the decisions of each model use its own" in told["notes"]


def test_bisect_tells_runs_of_one_model_apart_by_their_folders(call: Call) -> None:
    code, out, err = call("bisect", "old", "--json")
    assert code in (0, 3), err
    assert json.loads(out)["checkpoints"] == ["a-new", "a-old"]


def test_baseline_set_and_history_take_a_name_before_the_run(here: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert arena("baseline", "set", "v-2=new", "--reason", "second", capsys=capsys)[0] == 0
    code, out, _ = arena("baseline", "history", "v-3=two:b", "@baseline:v-1", "--json", capsys=capsys)
    assert (code, list(dict.fromkeys(row["release"] for row in json.loads(out)))[:3]) == (0, ["v-1", "v-2", "v-3"])
    for spec in ("joytag-demo", "x=old-a.npz", "old/full-metrics/a.txt"):
        code, _, err = arena("baseline", "set", spec, "--reason", "r", capsys=capsys)
        assert (code, "name RUN, RUN:MODEL or @baseline" in err, len(err.strip().splitlines())) == (2, True, 1)
