"""The verb `parity`: check that two ports of one model give the same scores."""

from contextlib import nullcontext
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
    from arena.diagnostics.parity.verdict import ParityReport


@click.command()
@config_option
@click.argument("entrants", nargs=-1, metavar="A B")
@option("--images", type=click.Path(path_type=Path), help="Folder of images.", show_default=False)
@option("--dataset", "-d", help="Frozen dataset, used instead of --images.", show_default=False)
@option(
    "--scores", type=NamedFile(), multiple=True, metavar="NAME=FILE", show_default=False,
    help="Same as an entrant NAME=FILE. Repeatable.",
)  # fmt: skip
@option("--tolerance", type=click.FloatRange(0, 1), default=1e-4, help="Largest allowed difference of a score.")
@option(
    "--flips", type=click.FloatRange(0, 1), default=0.01, help="Largest allowed share of positive decisions that flip."
)
@option("--common-only", is_flag=True, help="Ignore tags that only one of the two has.", show_default=False)
@option(
    "--diagnose",
    type=click.IntRange(0, 256),
    default=16,
    metavar="N",
    help="Images used to search for the cause; 0: no search.",
)
@option("--json", "as_json", is_flag=True, help="Print JSON.", show_default=False)
@option("--output", "-o", type=click.Path(path_type=Path), help="Markdown file to write.", show_default=False)
@option(
    "--keep",
    type=click.Path(path_type=Path),
    help="Folder to keep scores in.  [default: runs/parity-A-B-on-IMAGES]",
    show_default=False,
)
@limit_option
@option("--seed", type=int, default=0, help="Seed of --limit on a dataset.")
@threshold_option
@batch_option
@device_option
@precision_option
@option("--device-b", help="Device for B, if different.", show_default=False)
@option(
    "--precision-b", type=click.Choice(["auto", "fp32", "fp16", "bf16"]), help="Precision for B.", show_default=False
)
@baselines_option
@root_option
@names_entrants
def parity(
    entrants: tuple[str, ...], scores: tuple[tuple[str, Path], ...], output: Path | None, as_json: bool, **settings: Any
) -> None:
    """Check whether two ports of one model give the same scores, and if not, find the cause.

    {entrants} A and B need scores, so a published file is refused. A CARD or a model's folder is run on --images or --dataset.
    For a run, its stored scores are used. If one is a model and the other is scores, the scores are A.

    Prints the largest difference, the rank agreement and the decisions that flip. If the scores differ, searches for the
    cause: a shifted tag list, a missing sigmoid, swapped channels, or a different resize, layout, crop, pad or range. Exits
    with 0 if the scores are the same, 1 if they differ, 4 if they cannot be compared.

    Example: arena parity wd14-demo wd14-demo-timm -d demo
    """
    from arena.base.locks import lock_output
    from arena.cli.terminal.parity import show_report
    from arena.diagnostics.parity import text

    named = (*entrants, *(f"{name}={path}" for name, path in scores))
    if len(named) != 2:
        number = "1 entrant is named" if len(named) == 1 else f"{len(named)} entrants are named"
        raise ArenaError(f"arena parity: {number}; name two, each {GRAMMAR}")
    with nullcontext() if output is None else lock_output(output, "parity"):
        report = _report(named, settings)
        if output is not None:
            write_whole(output, text.parity_markdown(report))
    if as_json:
        click.echo(text.parity_json(report))
    else:
        show_report(report)
    if not report.verdict.same:
        raise FailedError(f"different: {report.verdict.reason}")


def _report(entrants: tuple[str, ...], settings: dict[str, Any]) -> "ParityReport":
    """Compare the two named entrants."""
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
