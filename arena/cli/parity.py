"""The verb `parity`: two ports of one model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arena.base.errors import ArenaError, FailedError
from arena.base.files import write_whole
from arena.cli.options import (
    NamedFile,
    batch_option,
    compute_of,
    config_option,
    device_option,
    limit_option,
    option,
    precision_option,
    root_option,
    threshold_option,
)
from arena.cli.verbs import unique

if TYPE_CHECKING:
    from arena.diagnostics.parity.verdict import Report


@click.command()
@config_option
@click.argument("models", nargs=-1, metavar="[A B]")
@option("--images", type=click.Path(path_type=Path), help="Folder of images.", show_default=False)
@option("--dataset", "-d", help="Frozen dataset, in place of --images.", show_default=False)
@option(
    "--scores", type=NamedFile(), multiple=True, metavar="NAME=FILE", show_default=False,
    help="In place of a model: scores .npz, or RUN/scores/MODEL; once or twice.",
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
@root_option
def parity(
    models: tuple[str, ...], scores: tuple[tuple[str, Path], ...], output: Path | None, as_json: bool, **settings: Any
) -> None:
    """Say whether two ports of one model give the same scores, and if not, why.

    A and B are cards, or NAME=PATH; scores that are there already take the place of A, or of both. Tells the largest
    difference, rank agreement and decisions that flip. Where they differ, looks for the cause: a tag list out of step, a
    sigmoid too many or too few, swapped channels, another resize, layout, crop, pad or range. Exits 0 if they are the same,
    1 if different, 4 if not comparable.

    Example: arena parity wd14-demo wd14-demo-timm -d demo
    """
    from arena.cli.terminal.parity import show_report
    from arena.diagnostics.parity import text

    report = _report(models, scores, settings)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output, text.markdown(report))
    if as_json:
        click.echo(text.as_json(report))
    else:
        show_report(report)
    if not report.verdict.same:
        raise FailedError(f"different: {report.verdict.reason}")


def _report(models: tuple[str, ...], scores: tuple[tuple[str, Path], ...], settings: dict[str, Any]) -> "Report":
    """Compare what was named: two models, two files of scores, or one of each."""
    from arena.cli.terminal.console import Terminal
    from arena.diagnostics.parity.verdict import Tolerances
    from arena.pipeline.parity.parity import Chosen, compare_models, compare_scores, compare_with_scores
    from arena.pipeline.stages import Compute

    common = {
        "thresholds": unique(settings["threshold"]), "root": settings["root"], "progress": Terminal(),
        "tolerances": Tolerances(settings["tolerance"], settings["flips"], settings["common_only"]),
    }  # fmt: skip
    images, dataset = settings["images"], settings["dataset"]
    files = unique(scores)
    if len(models) + len(files) != 2:
        from arena.base.format import plural

        seen = f"{plural(len(models), 'model', 'models')} and {plural(len(files), 'file', 'files')} of scores"
        raise ArenaError(
            f"arena parity: {seen} named; give two models, or one and --scores NAME=FILE, or --scores twice"
        )
    if not models and (images or dataset):
        raise ArenaError("arena parity: two files of scores need no images; leave out --images and --dataset")
    if not models:
        return compare_scores(files, **common)
    if (images is None) == (dataset is None):
        raise ArenaError("arena parity: a model needs images; give either --images FOLDER or --dataset NAME")
    how = compute_of(settings)
    how_b = Compute(
        settings["device_b"] or how.device, settings["precision_b"] or how.precision, settings["batch_size"]
    )
    chosen = Chosen(images, dataset, settings["limit"], settings["seed"])
    common |= {"folder": settings["keep"], "diagnose": settings["diagnose"]}
    if files:
        return compare_with_scores(models[0], files, chosen, compute=how_b, **common)
    a, b = models
    return compare_models(a, b, chosen, compute=how, compute_b=how_b, **common)
