#!/usr/bin/env python3
"""Write docs/cli.md and docs/schema.md from the program: the help of every verb, and what the files of a run hold.

Usage: python scripts/write_reference.py [--check]

With --check nothing is written; the exit code is 1 if a page differs from what would be written.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from arena.cli import arena
from arena.metrics.registry import METRICS
from arena.results.content import RUN, SUMMARY, TABLE_CONTENT
from arena.results.run_folder import RUN_SCHEMA

DOCS = Path(__file__).resolve().parent.parent / "docs"

WIDTH = 100
"""Width of the help on the page, in columns."""

MADE_BY = "<!-- Written by scripts/write_reference.py; do not edit. -->"

_ENDINGS = ("_low", "_high", "_bias", "_corrected", "_tags", "_standard_error")

CLI_START = """
This page is the output of `--help`. Every option can also be set by a variable: `--min-positives` is `ARENA_MIN_POSITIVES`.
Verbs with `--config` read their options from a TOML file too.
""".strip()

SCHEMA_START = f"""
Schema version {RUN_SCHEMA}. [Run folder and file formats](files.md) says what each file is for. Readers check exactly what is
listed here. A file may have further fields and columns. An empty (null) value is undefined.

In a path, `*` stands for any name, such as that of a model or of a threshold policy, and `[]` for each item of a list. Fields
that are named like another field with one of the endings {", ".join(f"`{ending}`" for ending in _ENDINGS)}
are not listed: ends of the interval, known bias, value without bias, number of tags in the mean, standard error.
""".strip()


def command_reference() -> str:
    """Return the page with the help of every verb."""
    parts = [
        MADE_BY,
        "# Command line",
        CLI_START,
    ]
    for command, context in _verbs(arena, "arena"):
        parts += [f"## {context.command_path}", f"```text\n{command.get_help(context).rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"


def _verbs(
    command: click.Command, name: str, parent: click.Context | None = None
) -> Iterator[tuple[click.Command, click.Context]]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH)
    yield command, context
    if isinstance(command, click.Group):
        for verb in command.list_commands(context):
            yield from _verbs(command.commands[verb], verb, context)


def schema_reference() -> str:
    """Return the page with the fields of the JSON files and the columns of the tables of a run."""
    parts = [
        MADE_BY,
        "# Schema of a run folder",
        SCHEMA_START,
    ]
    for name, schema in (("run.json", RUN), ("summary.json", SUMMARY)):
        rows = "\n".join(f"| `{path}` | {kind} | {always} |" for path, kind, always in _fields(schema.definition))
        parts += [f"## {name}", f"| field | kind | in every run |\n| --- | --- | --- |\n{rows}"]
    for name, content in TABLE_CONTENT.items():
        suffix = "csv" if name in ("thresholds", "labels") else "parquet"
        columns = [
            *((key, kind, "yes") for key, kind in content.required.items()),
            *((key, kind, "") for key, kind in content.optional.items() if key not in content.required),
        ]
        rows = "\n".join(f"| `{key}` | {kind.value} | {always} |" for key, kind, always in columns)
        parts += [f"## {name}.{suffix}", f"| column | kind | in every run |\n| --- | --- | --- |\n{rows}"]
    metrics = "\n".join(f"| `{one.key}` | {one.title} | {one.about or '–'} |" for one in METRICS.values())
    parts += ["## Metrics", f"| key | title | meaning |\n| --- | --- | --- |\n{metrics}"]
    return "\n\n".join(parts) + "\n"


def _fields(definition: Mapping[str, Any], path: str = "", *, always: bool = True) -> Iterator[tuple[str, str, str]]:
    """Yield path, kind and presence of each field below a definition."""
    fields = definition.get("properties", {})
    for name, one in fields.items():
        if any(name.endswith(ending) and name.removesuffix(ending) in fields for ending in _ENDINGS):
            continue
        yield from _field(one, f"{path}.{name}".lstrip("."), always=always and name in definition["required"])
    if isinstance(others := definition.get("additionalProperties"), Mapping):
        yield from _field(others, f"{path}.*".lstrip("."), always=False)


def _field(one: Mapping[str, Any], path: str, *, always: bool) -> Iterator[tuple[str, str, str]]:
    kinds = [one["type"]] if isinstance(one["type"], str) else list(one["type"])
    if "items" in one:
        yield from _field(one["items"], f"{path}[]", always=always)
        return
    if one.get("properties") or isinstance(one.get("additionalProperties"), Mapping):
        yield from _fields(one, path, always=always)
        return
    kind = f"list of {one['each']}" if "each" in one else " or ".join(kinds)
    yield path, kind, "yes" if always else ""


PAGES = {"cli.md": command_reference, "schema.md": schema_reference}


def differing(docs: Path) -> list[str]:
    """Return the names of the pages that differ from what the program says."""
    return [
        name
        for name, page in PAGES.items()
        if not (docs / name).is_file() or (docs / name).read_text(encoding="utf-8") != page()
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a page differs")
    parser.add_argument("--docs", type=Path, default=DOCS)
    asked = parser.parse_args(arguments)
    changed = differing(asked.docs)
    for name in changed:
        if asked.check:
            print(f"docs/{name} differs from the program; run: python scripts/write_reference.py")
        else:
            (asked.docs / name).write_text(PAGES[name](), encoding="utf-8")
            print(f"docs/{name}: written")
    return 1 if asked.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
