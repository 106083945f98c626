"""The verb `baseline show`: show the current baseline."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from arena.base.errors import FailedError
from arena.cli.options import baselines_option, json_option


@click.command("show")
@click.argument("name", required=False)
@json_option
@baselines_option
def show(name: str | None, as_json: bool, baselines: Path) -> None:
    """Show the current baseline with its reason, date and metrics.

    NAME is the name of a release, or the first digits of a digest. Exits with 1 if a file has changed since it was set.

    Example: arena baseline show
    """
    from arena.cli.terminal.baseline import show_baseline, show_earlier
    from arena.results.baselines.log import find_baseline, read_log
    from arena.results.baselines.store import changed_file

    log = read_log(baselines)
    found = find_baseline(log, baselines, name)
    if as_json:
        content = {
            **asdict(found),
            "home": str(found.home),
            "kept": str(found.copy),
            "fault": changed_file(found) or None,
        }
        click.echo(json.dumps(content, ensure_ascii=False, indent=1))
    else:
        show_baseline(found)
        show_earlier([one for one in log if one is not found] if name is None else [])
    if fault := changed_file(found):
        raise FailedError(f"{fault}; restore it, or set the run again")
