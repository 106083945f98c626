"""`baseline`: what releases are held against, its figures over releases, and which checkpoint lost a tag."""

from pathlib import Path
from typing import Any

import click

from arena.base.errors import InconclusiveError
from arena.cli.options import (
    batch_option,
    config_option,
    device_option,
    limit_option,
    option,
    precision_option,
    root_option,
)
from arena.cli.verbs import Verbs

baselines_option = option(
    "--baselines", type=click.Path(path_type=Path), default="baselines", help="Folder of baselines."
)
json_option = option("--json", "as_json", is_flag=True, show_default=False, help="Everything, as JSON.")


@click.group("baseline", cls=Verbs)
def baseline() -> None:
    """Say what releases are held against, follow figures over releases, find who lost a tag.

    Example: arena baseline set runs/joytag-1.2 --reason "release 1.2"
    """


@baseline.command("set")
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


@baseline.command("show")
@click.argument("name", required=False)
@json_option
@baselines_option
def show(name: str | None, as_json: bool, baselines: Path) -> None:
    """Show which baseline holds: what it is, why, since when, its figures.

    NAME is that of a release, or the first digits of a digest. Exits with 2 if a file of it was changed since.

    Example: arena baseline show
    """
    import json
    from dataclasses import asdict

    from arena.cli.terminal.baseline import show_baseline, show_earlier
    from arena.results.baselines.log import newest, read_log
    from arena.results.baselines.store import fault, refuse_changed

    log = read_log(baselines)
    found = newest(log, baselines, name)
    if as_json:
        content = {**asdict(found), "home": str(found.home), "kept": str(found.copy), "fault": fault(found) or None}
        click.echo(json.dumps(content, ensure_ascii=False, indent=1))
    else:
        show_baseline(found)
        show_earlier([one for one in log if one is not found] if name is None else [])
    refuse_changed(found)


@baseline.command("history")
@config_option
@click.argument("runs", nargs=-1, metavar="[RUN[:MODEL]]...")
@option("--tag", "-T", "tags", multiple=True, show_default=False, help="Tag to follow; may be given again.")
@option("--figure", default="f1", help="f1, ap, precision or recall of the tags.")
@option("--aliases", type=click.Path(path_type=Path), show_default=False, help="CSV of renamed tags: old, new name.")
@option(
    "--output", "-o", "outputs", multiple=True, type=click.Path(path_type=Path), show_default=False,
    help="File to write: .html, .csv, .json, .svg or .png; may be given again.",
)  # fmt: skip
@json_option
@baselines_option
def history(
    runs: tuple[str, ...], tags: tuple[str, ...], figure: str, aliases: Path | None, outputs: tuple[Path, ...],
    as_json: bool, baselines: Path,
) -> None:  # fmt: skip
    """Follow figures over releases: the baselines in order, then the runs that are named.

    Without --tag the tags that moved most. Releases of other images are another series; no line joins them.

    Example: arena baseline history --tag hat --tag smile -o history.html
    """
    import json

    from arena.cli.terminal.baseline import show_history
    from arena.report.history.rows import records
    from arena.report.history.series import history_of
    from arena.report.history.write import check_outputs, write_history
    from arena.results.baselines.releases import read_aliases, releases_of

    check_outputs(outputs)
    found = history_of(releases_of(baselines, runs), figure=figure, tags=tags, canonical=read_aliases(aliases))
    if as_json:
        click.echo(json.dumps(records(found), ensure_ascii=False, indent=1))
    else:
        show_history(found)
    for path in write_history(found, outputs):
        click.echo(str(path), err=as_json)


@baseline.command("bisect")
@config_option
@click.argument("checkpoints", nargs=-1, required=True, metavar="CHECKPOINT...")
@option("--tag", "-T", required=True, show_default=False, help="Tag that was lost.")
@option("--figure", default="f1", help="f1 or ap.")
@option("--margin", type=click.FloatRange(0, 1), default=0.05, help="Loss of the figure that counts as none.")
@option("--all", "every", is_flag=True, show_default=False, help="Look at every checkpoint.")
@option(
    "--dataset",
    "-d",
    help="Card, or path of a frozen dataset folder.  [default: the runs', or demo]",
    show_default=False,
)
@option(
    "--output", "-o", type=click.Path(path_type=Path), show_default=False, help="Folder.  [default: runs/bisect-A-to-Z]"
)
@limit_option
@option("--seed", type=int, default=0, help="Of the part that --limit takes.")
@batch_option
@device_option
@precision_option
@json_option
@root_option
def bisect(checkpoints: tuple[str, ...], tag: str, figure: str, margin: float, as_json: bool, **settings: Any) -> None:
    """Find which checkpoint of an ordered list lost a tag.

    A checkpoint is a card, NAME=PATH, or a run; the first one is good. Only those that decide are scored, and scores are
    kept: stopped at any point, the same command continues. Each decision is a paired test of the tag against the first.
    Exits with 0 if one checkpoint is named, 3 if it stays undetermined.

    Example: arena baseline bisect a=ckpt-1 b=ckpt-2 c=ckpt-3 d=ckpt-4 --tag hat
    """
    import json
    from dataclasses import asdict

    from arena.base.format import one_line
    from arena.cli.terminal.baseline import answer_line, show_answer
    from arena.cli.terminal.console import Terminal
    from arena.pipeline.bisect import bisect as bisection
    from arena.pipeline.bisect.checkpoints import Bench, find_checkpoints
    from arena.pipeline.stages import Compute

    found = find_checkpoints(checkpoints, settings["root"])
    output = settings["output"] or Path("runs") / f"bisect-{found[0].name}-to-{found[-1].name}"
    bench = Bench(
        found, tag, dataset=settings["dataset"], output=output, limit=settings["limit"], seed=settings["seed"],
        compute=Compute(settings["device"], settings["precision"], settings["batch_size"]), root=settings["root"],
        progress=Terminal(),
    )  # fmt: skip
    answer = bisection.bisect(bench, figure=figure, margin=margin, every=settings["every"])
    if as_json:
        click.echo(json.dumps(asdict(answer), ensure_ascii=False, indent=1))
    else:
        show_answer(answer)
    told = one_line(answer_line(answer))
    if not answer.is_found:
        raise InconclusiveError(told)
    click.echo(told, err=as_json)
