"""The command line as a user meets it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from arena import cli
from arena.base.errors import ArenaError
from arena.cards import find_dataset, model_cards
from arena.dataset.frozen import read_frozen
from arena.results.run_folder import read_result
from arena.scores.npz import read_scores
from tests.conftest import GOLDEN, Wd

pytestmark = pytest.mark.usefixtures("no_plots")

VERBS = [
    ["run"],
    ["predict"],
    ["score"],
    ["report"],
    ["pull"],
    ["verify"],
    ["hash"],
    ["ls"],
    ["ls", "models"],
    ["ls", "datasets"],
    ["ls", "tags"],
    ["power"],
    ["bench"],
    ["check-adapter"],
    ["check"],
    ["parity"],
    ["publish"],
    ["published"],
    ["compare"],
    ["baseline"],
    *(["baseline", verb] for verb in ("set", "show", "history", "bisect")),
    *(["dataset", verb] for verb in ("fetch", "import", "tags", "dedup", "freeze", "verify", "describe", "card")),
]


def arena(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Run in this process; exit code, standard output, standard error."""
    code = 0
    try:
        cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def npz_pair(folder: Path, scores: np.ndarray | None = None) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    ids, tags = np.array([str(i) for i in range(30)]), np.array(["a", "<b>", "=cmd()"])
    values = rng.random((30, 3), np.float32) if scores is None else scores
    np.savez(folder / "s.npz", scores=values, tags=tags, image_ids=ids)
    np.savez(folder / "t.npz", truth=rng.random((30, 3)) < 0.5, tags=tags, image_ids=ids)
    return folder / "s.npz", folder / "t.npz"


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_every_verb_has_help_with_an_example(verb: list[str]) -> None:
    result = CliRunner().invoke(cli.arena, [*verb, "--help"])
    assert result.exit_code == 0
    assert "Example: arena " + " ".join(verb) in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_every_verb_stands_in_one_section_of_the_help() -> None:
    listed = [name for names in cli.SECTIONS.values() for name in names]
    assert sorted(listed) == sorted(cli.arena.commands)


@pytest.mark.parametrize("group", [[], ["dataset"], ["baseline"], ["ls"]], ids=" ".join)
def test_a_group_alone_prints_its_help_and_whole_summaries(group: list[str]) -> None:
    result = CliRunner().invoke(cli.arena, group, terminal_width=80)
    assert result.exit_code == 0
    assert "..." not in result.output.partition("Options:")[2]
    assert len(result.output.splitlines()) > 8


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom arena import cli\n"
        "try: cli.main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'numpy', 'PIL', 'timm', 'onnxruntime', 'matplotlib', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_list_of_cards_imports_no_library_of_tables() -> None:
    code = (
        "import sys\nfrom arena import cli\n"
        "cli.arena.main(['ls', 'models'], standalone_mode=False)\n"
        "cli.arena.main(['ls', 'datasets'], standalone_mode=False)\n"
        "heavy = {'torch', 'pandas', 'pyarrow', 'scipy', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_score_prints_a_leaderboard_and_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores, truth = npz_pair(tmp_path)
    code, out, _ = arena(
        "score", "--scores", f"m={scores}", "--truth", truth, "-o", tmp_path / "run", "-t", "m=0.4", capsys=capsys
    )
    assert code == 0
    assert "macro F1" in out
    assert out.strip().endswith("index.html")
    assert "30 images; means over 3 common tags" in out
    own = json.loads((tmp_path / "run" / "summary.json").read_text())["models"]["m"]["regimes"]["own"]
    value, ends, plain = out.splitlines()[1:4]
    assert value.split()[2:5] == [f"{own[f'{key}_corrected']:.4f}" for key in ("macro_f1", "micro_f1", "map")]
    assert re.findall(r"\[.*?\]", ends) == [
        f"[{own[f'{key}_low']:.4f}, {own[f'{key}_high']:.4f}]" for key in ("macro_f1", "micro_f1", "map")
    ]
    assert plain.split() == ["as", "published", *(f"{own[key]:.4f}" for key in ("macro_f1", "map"))]


def test_bad_input_is_one_line_and_exit_2(
    tmp_path: Path, joytag_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores, truth = npz_pair(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (joytag_folder / "model.safetensors").write_bytes(b"short")
    bad = tmp_path / "bad"
    bad.mkdir()
    broken, _ = npz_pair(bad, np.full((30, 3), np.nan, np.float32))
    score = ["score", "--truth", truth, "-o", tmp_path / "run"]
    for arguments, message in [
        (["run", "-m", "joytga"], "Did you mean joytag"),
        (["run", "-d", "dmeo"], "Did you mean demo?"),
        (["run", "-m", f"x={joytag_folder}"], "weights not readable"),
        (["run", "-m", ","], "no model is named"),
        (["rnu"], "Did you mean run?"),
        (["run", "--batch-size", "0"], "neither auto nor a whole number from 1 to 65536"),
        (["run", "--device", "tpu9"], "no such device"),
        (["run", "--device", "meta"], "no such device"),
        (["run", "--limt", "3"], "--limit"),
        (["predict", "-m", "joytag-demo", "--images", GOLDEN / "images", "-o", "."], "a folder; name a file"),
        (["report", "x" * 400], "File name too long"),
        (["run", "--root", tmp_path / "nowhere"], "no such folder"),
        (["predict", "-m", "joytag", "--images", tmp_path / "empty", "-o", tmp_path / "s"], "no image in it"),
        ([*score, "--scores", f"m={broken}"], "score nan of image '0', tag 'a'"),
        ([*score, "--scores", f"m={scores}", "-t", "m=1.5"], "a threshold lies in 0 to 1"),
        ([*score, "--scores", f"m={scores}", "-t", "m=much"], "is not NAME=NUMBER"),
        ([*score, "--scores", str(scores)], "is not NAME=FILE"),
        ([*score, "--scores", f"m={scores}", "--scores", f"m={scores}"], "m is named twice"),
        ([*score, "--scores", f"a/b={scores}"], "a name is made of letters"),
        (["score", "--scores", f"m={scores}", "-o", tmp_path / "run"], "give either --truth FILE or --dataset NAME"),
        (["score", "--scores", f"m={scores}", "--truth", truth, "-o", tmp_path / "file/run"], "cannot be written"),
        (["report", tmp_path / "empty"], "no finished run in it"),
        ([*score, "--scores", f"m={scores}", "--slices", "ratign"], "--slices ratign: the images have no such column"),
        (
            [*score, "--scores", f"m={scores}", "--tag-groups", tmp_path / "none"],
            "none: cannot be read (No such file or directory)",
        ),
        ([*score, "--scores", f"m={scores}", "--bootstrap", "-1"], "-1 is not in the range"),
        ([*score, "--scores", f"m={scores}", "--convention", "joytga"], "'joytga' is not one of"),
    ]:
        code, _, err = arena(*arguments, capsys=capsys)
        assert code == 2, (arguments, err)
        assert message in err, (arguments, err)
        assert [line for line in err.splitlines() if line.startswith("arena: ")] == err.splitlines()[-1:], err
        assert "Traceback" not in err


def test_options_of_scoring_reach_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores, truth = npz_pair(tmp_path)
    groups = tmp_path / "groups.toml"
    groups.write_text('[some]\ntags = ["a"]\n')
    score = ["score", "--scores", f"m={scores}", "--truth", truth, "-o", tmp_path / "run", "--overwrite"]

    def summary(*more: object) -> dict:
        assert arena(*score, *more, capsys=capsys)[0] == 0
        return json.loads((tmp_path / "run/summary.json").read_text())

    plain = summary("--bootstrap", 0)
    assert plain["replicates"] == 0
    assert list(plain["models"]["m"]["regimes"]) == ["own"]
    assert "macro_f1_low" not in plain["models"]["m"]["regimes"]["own"]
    first, again, other = (
        summary("--bootstrap", 30, "--seed", seed)["models"]["m"]["regimes"]["own"] for seed in (1, 1, 2)
    )
    assert first == again
    assert first["macro_f1"] == other["macro_f1"] == plain["models"]["m"]["regimes"]["own"]["macro_f1"]
    assert first["macro_f1_low"] != other["macro_f1_low"]
    assert summary("--bootstrap", 0, "--convention", "smilingwolf")["convention"] == "smilingwolf"
    summary("--bootstrap", 0, "--tag-groups", groups)
    slices = read_result(tmp_path / "run").tables["slices"]
    assert slices[slices["slice"] == "group"]["value"].tolist() == ["some"]


def test_a_configuration_file_gives_defaults_and_is_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores, truth = npz_pair(tmp_path)
    config = tmp_path / "arena.toml"
    config.write_text(f'min-positives = 0\n[score]\ntruth = "{truth}"\noutput = "{tmp_path / "run"}"\n')
    code, out, _ = arena("score", "-C", config, "--scores", f"m={scores}", capsys=capsys)
    assert code == 0
    assert "with 0 positives or more" in out
    config.write_text(
        f'threshold = ["m=0.9"]\n[score]\nscores = ["m={scores}"]\ntruth = "{truth}"\n[run]\nmodels = ["a"]\n'
    )
    code, out, _ = arena("score", "-C", config, "-o", tmp_path / "other", capsys=capsys)
    assert (code, "0.9" in out) == (0, True)
    for text, message in [
        ("min_positive = 3", "score has no option min_positive. Did you mean min_positives?"),
        ("[scroe]\nmin_positives = 3", "score has no option scroe"),
        ("[threshold]\nm = 0.5", "score has no option threshold"),
        ("score = 3", "score has no option score"),
        ("min_positives = 1.5", "'1.5' is not a valid integer"),
        ("min_positives = [1]", "give either --truth"),
        ("min_positives = true", "'True' is not a valid integer"),
        ("x = ", "not valid TOML"),
    ]:
        config.write_text(text)
        code, _, err = arena("score", "-C", config, "--scores", f"m={scores}", "-o", tmp_path / "r", capsys=capsys)
        assert code == 2
        assert message in err, err


def test_environment_variables_give_defaults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores, truth = npz_pair(tmp_path)
    monkeypatch.setenv("ARENA_MIN_POSITIVES", "3")
    monkeypatch.setenv("ARENA_TRUTH", str(truth))
    monkeypatch.setenv("ARENA_OUTPUT", str(tmp_path / "run"))
    code, out, _ = arena("score", "--scores", f"m={scores}", capsys=capsys)
    assert code == 0
    assert "with 3 positives or more" in out


def test_predict_then_score_from_the_command_line(
    tmp_path: Path, onnx_folder: Wd, drawn_dataset: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = arena(
        "predict", "-m", f"wd={onnx_folder.folder}", "--images", drawn_dataset / "images", "-o", tmp_path / "s.npz", "-L", 20,
        "-b", "auto", capsys=capsys,
    )  # fmt: skip
    assert (code, out.strip()) == (0, f"{tmp_path / 's.npz'}: 20 images x 22 tags")
    call = ("predict", "-m", f"wd={onnx_folder.folder}", "-o", tmp_path / "d.npz")
    code, out, _ = arena(*call, "-d", drawn_dataset, capsys=capsys)
    assert (code, out.strip()) == (0, f"{tmp_path / 'd.npz'}: 40 images x 22 tags")
    assert read_scores(tmp_path / "d.npz").image_ids == read_frozen(find_dataset(str(drawn_dataset))).image_ids
    code, _, err = arena(*call, capsys=capsys)
    assert (code, "either --images FOLDER or --dataset NAME" in err) == (2, True)


def test_an_interrupt_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from arena.pipeline import run as pipeline

    def interrupted(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run_benchmark", interrupted)
    code, _, err = arena("run", capsys=capsys)
    assert code == 130
    assert "the same command continues where it was" in err


def test_a_bug_keeps_its_traceback_and_has_its_own_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from arena.pipeline import run as pipeline

    monkeypatch.setattr(pipeline, "run_benchmark", lambda *a, **k: 1 // 0)
    code, _, err = arena("run", capsys=capsys)
    assert code == 70
    assert "ZeroDivisionError" in err


def test_a_full_disk_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from arena.pipeline import run as pipeline

    def full(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device", "runs/x")

    monkeypatch.setattr(pipeline, "run_benchmark", full)
    code, _, err = arena("run", capsys=capsys)
    assert (code, err) == (2, "arena: runs/x: No space left on device\n")


def test_another_schema_exits_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores, truth = npz_pair(tmp_path)
    arena("score", "--scores", f"m={scores}", "--truth", truth, "-o", tmp_path / "run", capsys=capsys)
    path = tmp_path / "run/run.json"
    path.write_text(path.read_text().replace('"schema": 2', '"schema": 99'))
    code, _, err = arena("report", tmp_path / "run", capsys=capsys)
    assert code == 4
    assert "schema 99" in err


def test_a_reader_that_leaves_ends_the_listing_quietly() -> None:
    command = f"{sys.executable} -m arena ls tags | true; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (141, "")


def test_score_needs_no_model_library_and_no_reader_and_prints_whole_figures_on_a_narrow_terminal_in_ascii(
    tmp_path: Path,
) -> None:
    """One process for all; nobody reads its progress, and nothing reaches the threshold 1, so precision is undefined."""
    scores, truth = npz_pair(tmp_path)
    arguments = ["score", "--scores", f"m={scores}", "--truth", str(truth), "-o", str(tmp_path / "run"), "-t", "m=1"]
    arguments += ["--bootstrap", "20"]
    (tmp_path / "score.py").write_text(
        "import sys\nfrom arena import cli\nfrom arena.report import plots\n"
        f"plots.write_plots = lambda *given: []\ncli.main({arguments!r})\n"
        "heavy = {'torch', 'timm', 'onnxruntime', 'matplotlib'} & set(sys.modules)\nassert not heavy, heavy"
    )
    environment = {**os.environ, "COLUMNS": "40", "PYTHONIOENCODING": "ascii"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    script = f"({sys.executable} {tmp_path / 'score.py'} >{tmp_path / 'out'}) 2>&1 | true; exit ${{PIPESTATUS[0]}}"
    assert subprocess.run(["bash", "-c", script], env=environment, check=False).returncode == 0
    own = json.loads((tmp_path / "run/summary.json").read_text())["models"]["m"]["regimes"]["own"]
    out = (tmp_path / "out").read_text(encoding="ascii")
    assert f"{own['map']:.4f}" in out
    assert "macro F1" in " ".join(out.split())


def test_listings_show_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    listed = arena("ls", "models", capsys=capsys)[1]
    assert "joytag-demo" in listed
    assert "unpinned: the card names no commit of the hub" in listed
    models = {model["name"]: model for model in json.loads(arena("ls", "models", "--json", capsys=capsys)[1])}
    assert (models["joytag"]["unpinned"], models["jtp-pilot2"]["unpinned"]) == (False, True)
    assert listed.count("; unpinned") + listed.count(" unpinned\n") == sum(
        model["unpinned"] for model in models.values()
    )
    assert "demo" in arena("ls", "datasets", capsys=capsys)[1]
    lines = arena("ls", "tags", capsys=capsys)[1].splitlines()
    positives = [int(line.split()[-1]) for line in lines[1:]]
    assert positives == sorted(positives, reverse=True)
    assert len(positives) > 50


def test_models_are_listed_with_their_further_names_and_no_line_looks_like_another_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = arena("ls", "models", capsys=capsys)[1].splitlines()
    assert max(map(len, lines)) <= 80
    end = next(number for number, line in enumerate(lines) if line.startswith("run: no = "))
    cards = model_cards()
    assert [line.split()[0] for line in lines[1:end] if not line.startswith("  ")] == sorted(cards)
    below = " ".join(lines[end:])
    assert "wd-v3 (5)" in below
    assert "wd-vit-v2 = wd14" in below
    assert "families: animetimm-ARCH, animetimm-ARCH-timm" in below
    (tmp_path / "models").mkdir()
    (tmp_path / "models/groups.toml").write_text('ours = ["joytag", "wd14"]')
    assert "ours (2)" in " ".join(arena("ls", "models", "--root", tmp_path, capsys=capsys)[1].split())
    (tmp_path / "models/groups.toml").write_text("ours = [")
    assert arena("ls", "models", "--root", tmp_path, capsys=capsys)[0] == 2


def test_errors_know_their_exit_codes() -> None:
    assert ArenaError("x").exit_code == 2
    assert (GOLDEN / "images").is_dir()
