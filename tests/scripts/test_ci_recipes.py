"""The recipes for other people's continuous integration: they are what the servers that read them accept."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import REPOSITORY

WORKFLOW = REPOSITORY / "scripts" / "ci" / "arena-check.yml"
HOOKS = REPOSITORY / "scripts" / "ci" / "pre-commit-config.yaml"


def validated(path: Path) -> subprocess.CompletedProcess[str]:
    """Against the schema of GitHub's workflows that check-jsonschema holds; it asks no network."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def parsed(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def test_the_workflow_follows_the_schema() -> None:
    found = validated(WORKFLOW)
    assert found.returncode == 0, found.stdout + found.stderr


FAULTS = {"runs-on:": "runs_on:", "timeout-minutes: 120": "timeout-minutes: soon"}


@pytest.mark.parametrize(("old", "new"), FAULTS.items())
def test_the_schema_sees_faults(tmp_path: Path, old: str, new: str) -> None:
    text = WORKFLOW.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "broken.yml").write_text(text.replace(old, new), encoding="utf-8")
    assert validated(tmp_path / "broken.yml").returncode != 0


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


def test_the_hook_runs_the_same_command() -> None:
    (hook,) = parsed(HOOKS)["repos"][0]["hooks"]
    assert shlex.split(hook["entry"])[:2] == ["arena", "check"]
    assert hook["pass_filenames"] is False
    assert {"id", "name", "language"} < hook.keys()
