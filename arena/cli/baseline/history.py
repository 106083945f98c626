"""The verb `baseline history`: show metrics over releases."""

import json
from pathlib import Path

import click

from arena.cli.options import aliases_option, baselines_option, config_option, json_option, option


@click.command("history")
@config_option
@click.argument("runs", nargs=-1, metavar="[RUN[:MODEL]]...")
@option("--tag", "-T", "tags", multiple=True, show_default=False, help="Tag to follow. Repeatable.")
@option("--figure", default="f1", help="Metric of the tags: f1, ap, precision, recall, mcc, ...")
@aliases_option
@option(
    "--output", "-o", "outputs", multiple=True, type=click.Path(path_type=Path), show_default=False,
    help="File to write: .html, .csv, .json, .svg or .png. Repeatable.",
)  # fmt: skip
@json_option
@baselines_option
def history(
    runs: tuple[str, ...], tags: tuple[str, ...], figure: str, aliases: Path | None, outputs: tuple[Path, ...],
    as_json: bool, baselines: Path,
) -> None:  # fmt: skip
    """Follow metrics over releases: the baselines in order, then the named runs.

    Without --tag, shows the tags that changed most. Releases scored on other images form a separate series.

    Example: arena baseline history --tag hat --tag smile -o history.html
    """
    from arena.cli.terminal.baseline import show_history
    from arena.pipeline.entrants import find_run
    from arena.report.history.rows import history_records
    from arena.report.history.series import build_history
    from arena.report.history.write import check_history_outputs, write_history
    from arena.results.baselines.releases import releases_of
    from arena.tags.relations import TagRelations, read_aliases

    check_history_outputs(outputs)
    renamed = TagRelations(read_aliases(aliases)) if aliases else TagRelations()
    releases = releases_of(baselines, [find_run(run, baselines=baselines) for run in runs])
    found = build_history(releases, figure=figure, tags=tags, canonical=renamed.canonical)
    if as_json:
        click.echo(json.dumps(history_records(found), ensure_ascii=False, indent=1))
    else:
        show_history(found)
    for path in write_history(found, outputs):
        click.echo(str(path), err=as_json)
