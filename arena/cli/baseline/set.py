"""The verb `baseline set`: record the run that releases are compared with."""

from pathlib import Path

import click

from arena.cli.options import baselines_option, config_option, option


@click.command("set")
@config_option
@click.argument("run", metavar="RUN[:MODEL]")
@option("--reason", default="", show_default=False, metavar="TEXT", help="Reason, one line; stored with the baseline.")
@option("--name", help="Name of the release.  [default: the model's name]", show_default=False)
@option("--with-scores", is_flag=True, show_default=False, help="Also keep its scores, for paired tests.")
@baselines_option
def set_(run: str, reason: str, name: str | None, with_scores: bool, baselines: Path) -> None:
    """Record the run that releases are compared with.

    Appends a line to baselines.jsonl and copies run.json, summary.json, per_tag.parquet and slices.parquet, so that
    the history stays readable after the run is deleted. Nothing is ever overwritten. Setting the same run again changes
    nothing.

    Example: arena baseline set runs/joytag-1.2 --reason "release 1.2"
    """
    from arena.cli.terminal.baseline import show_baseline
    from arena.pipeline.entrants import find_run
    from arena.results.baselines.store import set_baseline

    done = set_baseline(
        find_run(run, baselines=baselines), baselines, reason=reason, name=name, with_scores=with_scores
    )
    show_baseline(done.baseline)
    if done.baseline.origin is None and not done.baseline.has_scores:
        click.echo(
            f"note: its run is not beside {baselines}, so arena check will not find its scores; to keep them: --with-scores",
            err=True,
        )
    if not done.is_new:
        click.echo("this run is already the baseline; nothing changed")
