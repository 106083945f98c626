"""The verb `parity`: two ports of one model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arena.base.errors import ArenaError, FailedError
from arena.base.files import write_whole
from arena.cli.options import (
    NamedFile,
    baselines_option,
    batch_option,
    compute_of,
    config_option,
    device_option,
    limit_option,
    names_entrants,
    option,
    precision_option,
    root_option,
    threshold_option,
)
from arena.cli.verbs import unique
from arena.pipeline.grammar import GRAMMAR

if TYPE_CHECKING:
    from arena.diagnostics.parity.verdict import Report


@click.command()
@config_option
@click.argument("entrants", nargs=-1, metavar="A B")
@option("--images", type=click.Path(path_type=Path), help="Folder of images.", show_default=False)
@option("--dataset", "-d", help="Frozen dataset, in place of --images.", show_default=False)
@option(
    "--scores", type=NamedFile(), multiple=True, metavar="NAME=FILE", show_default=False,
    help="The same as an entrant NAME=FILE; once or twice.",
)  # fmt: skip
@option("--tolerance", type=click.FloatRange(0, 1), default=1e-4, help="Largest difference of scores.")
@option("--flips", type=click.FloatRange(0, 1), default=0.01, help="Largest share of positive decisions that flip.")
@option("--common-only", is_flag=True, help="Pass over tags that only one has.", show_default=False)
@option(
    "--diagnose", type=click.IntRange(0, 256), default=16, metavar="N", help="Images to look for the cause on; 0: none."
)
@option("--json", "as_json", is_flag=True, help="Print JSON.", show_default=False)
@option("--output", "-o", type=click.Path(path_type=Path), help="Markdown file to write.", show_default=False)
@option(
    "--keep",
    type=click.Path(path_type=Path),
    help="Folder of scores.  [default: runs/parity-A-B-on-IMAGES]",
    show_default=False,
)
@limit_option
@option("--seed", type=int, default=0, help="Of the part of a dataset that --limit takes.")
@threshold_option
@batch_option
@device_option
@precision_option
@option("--device-b", help="B's, where it is another.", show_default=False)
@option("--precision-b", type=click.Choice(["auto", "fp32", "fp16", "bf16"]), help="B's, likewise.", show_default=False)
@baselines_option
@root_option
@names_entrants
def parity(
    entrants: tuple[str, ...], scores: tuple[tuple[str, Path], ...], output: Path | None, as_json: bool, **settings: Any
) -> None:
    """Say whether two ports of one model give the same scores, and if not, why.

    {entrants} A and B are entrants with scores, so no published file. A model is run on --images or --dataset, finished
    scores are only read; of a model and scores, the scores are A.

    Prints the largest difference, the rank agreement and the decisions that flip. If they differ, looks for the cause: a
    shifted tag list, a missing sigmoid, swapped channels, another resize, layout, crop, pad or range. Exits 0 if they are
    the same, 1 if different, 4 if not comparable.

    Example: arena parity wd14-demo wd14-demo-timm -d demo
    """
    from arena.cli.terminal.parity import show_report
    from arena.diagnostics.parity import text

    named = (*entrants, *(f"{name}={path}" for name, path in scores))
    if len(named) != 2:
        seen = "1 entrant is named" if len(named) == 1 else f"{len(named)} entrants are named"
        raise ArenaError(f"arena parity: {seen}; name two, each {GRAMMAR}")
    report = _report(named, settings)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output, text.markdown(report))
    if as_json:
        click.echo(text.as_json(report))
    else:
        show_report(report)
    if not report.verdict.same:
        raise FailedError(f"different: {report.verdict.reason}")


def _report(entrants: tuple[str, ...], settings: dict[str, Any]) -> "Report":
    """Compare the two that were named."""
    from arena.cli.terminal.console import Terminal
    from arena.diagnostics.parity.verdict import Tolerances
    from arena.pipeline.entrants import find_entrant
    from arena.pipeline.parity.parity import ParityOptions, compare_ports
    from arena.pipeline.stages import Compute

    how, root = compute_of(settings), settings["root"]
    how_b = Compute(settings["device_b"] or how.device, settings["precision_b"] or how.precision, how.batch_size)
    options = ParityOptions(
        settings["images"], settings["dataset"], settings["limit"], settings["seed"], root, settings["keep"], how, how_b,
        unique(settings["threshold"]), Tolerances(settings["tolerance"], settings["flips"], settings["common_only"]),
        settings["diagnose"],
    )  # fmt: skip
    a, b = (find_entrant(spec, root=root, baselines=settings["baselines"]) for spec in entrants)
    return compare_ports(a, b, options, Terminal())
