#!/usr/bin/env python3
"""Run the commands of the documentation, and write what they print below them.

Usage: python scripts/write_outputs.py [PAGE ...]

Runs every `$` line of the `console` blocks of PAGES in one folder, in order, and replaces the text below it. The folder first
holds `photos/`: every fourth drawing of the demo dataset, with its tags in a text file, as kohya's trainers want it. The tests
run the same lines on fewer drawings.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "datasets" / "demo"

PAGES = ("start", "compare", "check", "dataset", "publish", "judging")
"""Pages whose commands run one after another, because each uses what the pages before have made."""

CONSOLE = re.compile(r"(?ms)^```console\n(.*?)^```")
FENCED = re.compile(r"(?ms)^```(?:console|text|sh|bash)?\n(.*?)^```")

_PROGRESS = re.compile(r"^[\w -]+: (\d+ of \d+ to do|started|done)$")
"""Lines that stand for a progress bar where there is no terminal."""


class Example(NamedTuple):
    """A command of a page and the text below it."""

    command: str
    output: str


def examples(text: str) -> Iterator[Example]:
    """Yield the commands of the `console` blocks with their outputs.

    >>> list(examples("```console\\n$ arena ls models  # all\\nmodel\\n```\\n"))
    [Example(command='arena ls models  # all', output='model')]
    """
    for block in CONSOLE.findall(text):
        for part in re.split(r"(?m)^\$ ", block)[1:]:
            command, _, output = part.partition("\n")
            yield Example(command, output.rstrip("\n"))


def mentioned(text: str) -> Iterator[str]:
    """Yield every line of a code block that calls `arena`, without its prompt and comment.

    >>> list(mentioned("```text\\narena run -m a  # two\\n```\\n```python\\narena\\n```"))
    ['arena run -m a']
    """
    for block in FENCED.findall(text):
        for line in block.splitlines():
            if re.match(r"(\$ )?arena [a-z-]", line):
                yield re.sub(r"\s+(#|<-).*$", "", line.removeprefix("$ "))


def make_photos(folder: Path, step: int = 4) -> None:
    """Write every `step`-th drawing of the demo with its tags in a text file."""
    pictures = pd.read_parquet(DEMO / "images.parquet", columns=["path", "tags"]).iloc[::step]
    kohya = folder / "10_drawings"
    kohya.mkdir(parents=True)
    for path, tags in zip(pictures["path"], pictures["tags"], strict=True):
        image = DEMO / path
        shutil.copyfile(image, kohya / image.name)
        text = ", ".join(tag.replace("_", " ") for tag in tags)
        (kohya / image.name).with_suffix(".txt").write_text(text + "\n", encoding="utf-8")


def with_outputs(text: str, folder: Path) -> str:
    """Return the text of a page with the outputs of its commands, which run in a folder."""

    def run_block(found: re.Match[str]) -> str:
        parts = [f"$ {example.command}\n{_output(example.command, folder)}" for example in examples(found[0])]
        return "```console\n" + "".join(parts) + "```"

    return CONSOLE.sub(run_block, text)


def _output(command: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if not _PROGRESS.match(line)]
    wanted = int(found[1]) if (found := re.search(r"# exits with (\d)", command)) else 0
    if done.returncode != wanted:
        raise SystemExit(f"{command}: exit code {done.returncode}, {wanted} expected\n{done.stdout}")
    return "".join(f"{line}\n" for line in lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", nargs="*", default=list(PAGES), metavar="PAGE")
    parser.add_argument("--folder", type=Path, help="where the commands run; it is kept for a later page")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        folder: Path = asked.folder or Path(made)
        if not (folder / "photos").is_dir():
            make_photos(folder / "photos")
        for name in asked.pages:
            page = ROOT / "docs" / f"{name}.md"
            page.write_text(with_outputs(page.read_text(encoding="utf-8"), folder), encoding="utf-8")
            print(f"docs/{name}.md: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
