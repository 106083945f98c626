"""The commands of the README and of docs/ run; generated pages are those that the program writes today."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from ruamel.yaml import YAML

from arena import cli
from arena.base.version import __version__
from tests.conftest import REPOSITORY, arena_here
from tests.scripts.test_ci_recipes import validated

import write_notebook  # isort: skip
import write_outputs  # isort: skip
import write_reference  # isort: skip

DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]


def words_of(command: str) -> list[str]:
    """The words of a command line up to its comment, pipe or redirection."""
    words = shlex.split(command, comments=True)
    ends = [words.index(stop) for stop in ("|", ">", "&&") if stop in words]
    return words[: min(ends, default=len(words))]


def commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        if page.name != "cli.md":
            for line in write_outputs.mentioned(page.read_text(encoding="utf-8")):
                parts = [part.strip() for part in line.split("&&")]
                yield from ((page.name, part) for part in parts if part.startswith("arena "))


def fault_of(command: str) -> str:
    """Why a command line is none of arena; empty if its verb and options exist."""
    words, group = words_of(command)[1:], cli.arena
    verb: click.Command = group
    while isinstance(verb, click.Group):
        if not words or words[0] not in verb.commands:
            return f"no verb {words[:1]}"
        verb = verb.commands[words.pop(0)]
    try:
        verb.make_parser(click.Context(verb, info_name=verb.name)).parse_args(words)
    except click.UsageError as error:
        return error.format_message()
    return ""


def test_every_command_has_its_verb_and_options() -> None:
    found = list(commands())
    assert len(found) > 60
    assert [(page, command, fault) for page, command in found if (fault := fault_of(command))] == []


@pytest.mark.parametrize(
    "line", ["arena score --score a=a.npz", "arena dataset imported raw", "arena dataset", "arena a b"]
)
def test_a_wrong_command_is_noticed(line: str) -> None:
    assert fault_of(line)


@pytest.mark.usefixtures("no_plots", "no_page")
def test_the_examples_run_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On fewer drawings, with fewer resamples; the pages of the jobs continue the folder of the first page."""
    write_outputs.make_photos(tmp_path / "photos", step=40)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARENA_BOOTSTRAP", "20")
    monkeypatch.setenv("ARENA_MIN_POSITIVES", "3")
    for words in job_commands():
        if words[0] == "check" and "@baseline" in words:
            continue  # the same check of the same models, which takes seconds
        few = ["--answers", "100"] if words[:2] == ["judge", "plan"] else []
        few += ["--diagnose", "0"] if words[:2] == ["check", "runs/mine:wd14-demo"] else []
        done = arena_here(*words, *few)
        allowed = (0, 1, 3) if words[0] == "check" else (0,)
        assert done.returncode in allowed, f"{words}\n{done.stderr}"


def job_commands() -> list[list[str]]:
    """The words of every command whose output the first page and the pages of the jobs print."""
    texts = [(DOCS / f"{page}.md").read_text(encoding="utf-8") for page in write_outputs.PAGES]
    return [words_of(example.command)[1:] for text in texts for example in write_outputs.examples(text)]


def test_the_commands_of_the_readme_are_those_of_the_pages() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    here = [words_of(example.command)[1:] for example in write_outputs.examples(text)]
    wanted = [re.sub(r"\b(runs|checks)/demo\b", r"\1/mine", " ".join(words)) for words in here if words != ["run"]]
    assert [command for command in wanted if command not in {" ".join(words) for words in job_commands()}] == []
    assert len(wanted) >= 8


def test_the_printed_outputs_are_filled_in() -> None:
    for page in ("start", "check", "dataset", "publish", "judging"):
        found = list(write_outputs.examples((DOCS / f"{page}.md").read_text(encoding="utf-8")))
        assert any(example.output for example in found), page


def test_generated_pages_are_those_of_the_program() -> None:
    """In a process of its own: verbs that ran before in this one change what their help says."""
    command = [sys.executable, str(REPOSITORY / "scripts" / "write_reference.py"), "--check"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_changed_page_is_noticed(tmp_path: Path) -> None:
    assert write_reference.main(["--docs", str(tmp_path)]) == 0
    assert write_reference.main(["--docs", str(tmp_path), "--check"]) == 0
    page = tmp_path / "cli.md"
    page.write_text(page.read_text().replace("--min-positives", "--min-positive"))
    assert write_reference.main(["--docs", str(tmp_path), "--check"]) == 1


def test_the_first_two_blocks_of_the_readme_are_the_two_commands() -> None:
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```$", (REPOSITORY / "README.md").read_text(encoding="utf-8"))
    assert len(blocks) == 2
    assert blocks[0].endswith(".venv/bin/arena run\n")
    assert blocks[1] == "scripts/check\n"


def test_the_python_of_the_concepts_prints_what_stands_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    text = (DOCS / "concepts.md").read_text(encoding="utf-8")
    code, printed = re.findall(r"(?ms)^```python\n(.*?)^```\n\n```text\n(.*?)^```$", text)[0]
    exec(code, {})
    assert capsys.readouterr().out == printed


def test_every_page_has_its_place_in_the_site() -> None:
    nav = YAML(typ="safe").load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    pages = {page for one in nav for page in places(one)}
    assert {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} - pages == set()


def places(entry: object) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, dict):
        for one in entry.values():
            yield from places(one)
    elif isinstance(entry, list):
        for one in entry:
            yield from places(one)


def test_links_lead_to_files_and_headings() -> None:
    wrong = []
    for page in PAGES:
        text = re.sub(r"(?ms)^```.*?^```", "", page.read_text(encoding="utf-8"))
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, heading = link.partition("#")
            target = page if not path else page.parent / path
            if re.match(r"https?://", link):
                continue
            if not target.exists() or (heading and heading not in headings(target)):
                wrong.append(f"{page.name}: {link}")
    assert [one for one in wrong if "scale.md" not in one] == []


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub and MkDocs make them."""
    titles = re.findall(r"(?m)^#+ (.*)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", title).strip().lower()) for title in titles}


def test_the_workflow_of_the_project_follows_the_schema() -> None:
    found = validated(REPOSITORY / ".github" / "workflows" / "check.yml")
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize("form", ["figure", "tagger"])
def test_an_issue_form_has_what_the_host_requires(form: str) -> None:
    content = YAML(typ="safe").load((REPOSITORY / f".github/ISSUE_TEMPLATE/{form}.yml").read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= content.keys()
    ids = [one["id"] for one in content["body"]]
    assert len(set(ids)) == len(ids)
    for one in content["body"]:
        assert one["type"] in ("textarea", "input", "dropdown")
        assert one["attributes"]["label"]
        assert (one["type"] == "dropdown") == ("options" in one["attributes"])


def test_the_version_stands_in_one_place() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert 'dynamic = ["version"]' in project
    assert f'"{__version__}"' not in project
    heading = re.search(r"(?m)^## (.*)$", (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert heading is not None
    assert heading[1].split()[0] == __version__


def test_the_notebook_has_the_output_of_every_cell_that_shows_something() -> None:
    cells = json.loads((DOCS / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    shows = [isinstance(ast.parse("".join(cell["source"])).body[-1], ast.Expr) for cell in code]
    assert [bool(cell["outputs"]) for cell in code] == shows
    assert sum(shows) >= 4


def test_the_cells_of_a_notebook_are_run(tmp_path: Path) -> None:
    path = tmp_path / "n.ipynb"
    sources = (["import pandas as pd"], ["pd.DataFrame({'a': [7]})"])
    cells = [{"cell_type": "code", "source": source, "outputs": ["old"]} for source in sources]
    path.write_text(json.dumps({"cells": [*cells, {"cell_type": "markdown", "source": ["text"]}]}))
    assert write_notebook.main([str(path)]) == 0
    first, second, third = json.loads(path.read_text())["cells"]
    assert (first["outputs"], third["source"]) == ([], ["text"])
    assert "<td>7</td>" in "".join(second["outputs"][0]["data"]["text/html"])
