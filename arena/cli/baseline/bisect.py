"""The verb `baseline bisect`: find the checkpoint that lost a tag."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from arena.base.errors import InconclusiveError
from arena.cli.options import (
    baselines_option,
    batch_option,
    compute_of,
    config_option,
    device_option,
    json_option,
    limit_option,
    names_entrants,
    option,
    precision_option,
    root_option,
)


@click.command("bisect")
@config_option
@click.argument("checkpoints", nargs=-1, required=True, metavar="ENTRANT...")
@option("--tag", "-T", required=True, show_default=False, help="Tag that was lost.")
@option("--figure", default="f1", help="Metric: f1 or ap.")
@option(
    "--margin",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.05,
    help="Largest loss of the metric that is ignored.",
)
@option("--all", "every", is_flag=True, show_default=False, help="Score every checkpoint.")
@option(
    "--dataset",
    "-d",
    help="Card, or path of a frozen dataset folder.  [default: the runs' dataset, or demo]",
    show_default=False,
)
@option(
    "--output", "-o", type=click.Path(path_type=Path), show_default=False, help="Folder.  [default: runs/bisect-A-to-Z]"
)
@limit_option
@option("--seed", type=int, default=0, help="Seed of --limit.")
@batch_option
@device_option
@precision_option
@json_option
@baselines_option
@root_option
@names_entrants
def bisect(checkpoints: tuple[str, ...], tag: str, figure: str, margin: float, as_json: bool, **settings: Any) -> None:
    """Find which checkpoint of an ordered list lost a tag.

    {entrants} Each checkpoint needs scores, so a published file is refused. The first checkpoint must be good.

    Only the checkpoints that the search needs are scored. Scores are kept: after an interruption, the same command continues.
    Each decision is a paired test of the tag against the first checkpoint. Exits with 0 if the checkpoint that lost the tag
    is found or if the last one kept it, with 3 if the result is undetermined.

    Example: arena baseline bisect a=ckpt-1 b=ckpt-2 c=ckpt-3 d=ckpt-4 --tag hat
    """
    from arena.base.format import one_line
    from arena.base.locks import lock_output
    from arena.cli.terminal.baseline import answer_line, show_answer
    from arena.cli.terminal.console import Terminal
    from arena.pipeline.bisect import bisect as bisection
    from arena.pipeline.bisect.checkpoints import CheckpointScores, find_checkpoints
    from arena.pipeline.stages import Execution
    from arena.results.recipe import Sample

    found = find_checkpoints(checkpoints, root=settings["root"], baselines=settings["baselines"])
    output = settings["output"] or Path("runs") / f"bisect-{found[0].name}-to-{found[-1].name}"
    with lock_output(output, "baseline bisect"):
        bench = CheckpointScores(
            found,
            tag,
            dataset=settings["dataset"],
            output=output,
            sample=Sample(limit=settings["limit"], seed=settings["seed"]),
            execution=Execution(compute=compute_of(settings), root=settings["root"], progress=Terminal()),
        )
        answer = bisection.bisect_checkpoints(bench, figure=figure, margin=margin, every=settings["every"])
    if as_json:
        click.echo(json.dumps(asdict(answer), ensure_ascii=False, indent=1))
    else:
        show_answer(answer)
    line = one_line(answer_line(answer))
    if not (answer.is_found or answer.is_kept):
        raise InconclusiveError(line)
    click.echo(line, err=as_json)
