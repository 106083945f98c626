"""The recipes for other people's continuous integration: they are what the servers that read them accept."""

import os
import shlex
import shutil
from pathlib import Path
from typing import Any

import check_jsonschema
import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from arena.pipeline.entrants import find_run
from arena.results.baselines.store import set_baseline
from tests.cli.test_cli import arena
from tests.conftest import REPOSITORY, write_dataset

WORKFLOW = REPOSITORY / "scripts" / "ci" / "arena-check.yml"
HOOKS = REPOSITORY / "scripts" / "ci" / "pre-commit-config.yaml"


def validated(path: Path) -> Result:
    """Against the schema of GitHub's workflows that check-jsonschema holds; it asks no network."""
    return CliRunner().invoke(check_jsonschema.main, ["--builtin-schema", "vendor.github-workflows", str(path)])


def parsed(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def test_the_workflow_follows_the_schema() -> None:
    found = validated(WORKFLOW)
    assert found.exit_code == 0, found.output


FAULTS = {"runs-on:": "runs_on:", "timeout-minutes: 120": "timeout-minutes: soon"}


@pytest.mark.parametrize(("old", "new"), FAULTS.items())
def test_the_schema_sees_faults(tmp_path: Path, old: str, new: str) -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "broken.yml").write_text(text.replace(old, new), encoding="utf-8")
    assert validated(tmp_path / "broken.yml").exit_code == 1


def test_no_input_of_a_stranger_is_put_into_a_script() -> None:
    """What GitHub fills in goes through the environment: in a command it would be run."""
    steps = parsed(WORKFLOW)["jobs"]["check"]["steps"]
    assert not any("${{" in step.get("run", "") for step in steps)
    assert parsed(WORKFLOW)["permissions"] == {"contents": "read"}


def test_the_page_is_kept_also_after_a_failure() -> None:
    *_, check, keep = parsed(WORKFLOW)["jobs"]["check"]["steps"]
    assert shlex.split(check["run"])[:2] == ["arena", "check"]
    assert keep["if"] == "always()"
    assert shlex.split(check["run"])[-1] in keep["with"]["path"].split()


def test_nothing_that_judges_comes_from_the_pull_request() -> None:
    steps = parsed(WORKFLOW)["jobs"]["check"]["steps"]
    _, base, _, install, *_, check, _ = steps
    assert base["with"] == {
        "ref": "${{ github.event.pull_request.base.sha || github.sha }}",
        "path": "base",
        "lfs": True,
    }
    assert install["working-directory"] == "base"
    options = dict(zip(words := shlex.split(check["run"]), words[1:], strict=False))
    for option in ("--policy", "--baselines"):
        assert options[option].startswith("base/")
        assert options[option] == f"base/{options[option.replace('--', '--proposed-')]}"
    assert parsed(WORKFLOW)["jobs"]["check"]["env"]["DATASET"].startswith("base/")


def test_the_install_takes_builds_for_cpus_and_needs_no_project_file() -> None:
    _, _, python, install, *_ = parsed(WORKFLOW)["jobs"]["check"]["steps"]
    assert "/whl/cpu" in install["run"].splitlines()[0]
    assert "pyproject" not in python["with"]["cache-dependency-path"]
    assert not any("pyproject" in step.get("run", "") for step in parsed(WORKFLOW)["jobs"]["check"]["steps"])


@pytest.mark.usefixtures("no_page")
def test_the_check_runs_as_printed(
    joytag_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a repository with nothing but what the recipe names; the pull request weakens the policy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    shutil.copytree(joytag_folder, "checkpoint")
    write_dataset(Path("base/datasets/held-out"))
    how = ("-d", "base/datasets/held-out", "--thumbnails", "none")
    arena("run", "-m", "old=checkpoint", *how, "--bootstrap", 0, "-o", "made", capsys=capsys)
    for home in ("base/baselines", "baselines"):
        set_baseline(find_run("made"), Path(home), reason="first", with_scores=True)
    Path("base/gate.toml").write_text("[margins]\nmap = 0.02\n")
    Path("gate.toml").write_text("[margins]\nmap = 0.9\n")
    job = parsed(WORKFLOW)["jobs"]["check"]
    *_, check, _ = job["steps"]
    for name in ("CANDIDATE", "BASELINE", "DATASET"):
        monkeypatch.setenv(
            name, job["env"][name].replace("${{ inputs.candidate || 'new=checkpoint' }}", "new=checkpoint")
        )
    for _ in range(2):  # a second push finds the folder of the first in the cache
        words = [os.path.expandvars(word) for word in shlex.split(check["run"])]
        code, _, err = arena(*words[1:], "--bootstrap", 20, capsys=capsys)
        assert code in (0, 3), err
    text = Path("checks/release/check.md").read_text()
    assert "proposed policy gate.toml differs from the policy that judged" in text
    assert "map 0.9 instead of 0.02" in text
    assert "proposed baselines" not in text
    assert "proposed policy" in (tmp_path / "step.md").read_text()


def test_the_hook_runs_the_same_command() -> None:
    (hook,) = parsed(HOOKS)["repos"][0]["hooks"]
    assert shlex.split(hook["entry"])[:2] == ["arena", "check"]
    assert hook["pass_filenames"] is False
    assert {"id", "name", "language"} < hook.keys()
