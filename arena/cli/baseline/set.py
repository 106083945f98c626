"""`baseline set`: declare what releases are compared with."""

from pathlib import Path

import click

from arena.cli.options import baselines_option, config_option, option


@click.command("set")
@config_option
@click.argument("run", metavar="RUN[:MODEL]")
@option("--reason", default="", show_default=False, metavar="TEXT", help="Why; one line that is kept.")
@option("--name", help="Of the release.  [default: the model's]", show_default=False)
@option("--with-scores", is_flag=True, show_default=False, help="Keep its scores too, for paired tests.")
@baselines_option
def set_(run: str, reason: str, name: str | None, with_scores: bool, baselines: Path) -> None:
    """Declare a run what releases are held against.

    Writes a line to baselines.jsonl, and keeps run.json, summary.json and per_tag.parquet beside it, so that history can be
    read when the run is gone. Nothing is ever overwritten; setting the same again changes nothing.

    Example: arena baseline set runs/joytag-1.2 --reason "release 1.2"
    """
    from arena.cli.terminal.baseline import show_baseline
    from arena.results.baselines.store import set_baseline

    done = set_baseline(run, baselines, reason=reason, name=name, with_scores=with_scores)
    show_baseline(done.baseline)
    if not done.is_new:
        click.echo("this was the baseline already; nothing changed")
