"""The command line: parse, call, print, exit. Nothing heavy is imported before a verb needs it."""

import json
import os
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from arena.base.errors import ArenaError, ExitCode
from arena.base.version import __version__
from arena.cli.baseline import baseline
from arena.cli.bench import bench
from arena.cli.check import check
from arena.cli.check_adapter import check_adapter
from arena.cli.compare import compare
from arena.cli.dataset import dataset
from arena.cli.options import (
    NamedFile,
    batch_option,
    config_option,
    device_option,
    limit_option,
    option,
    precision_option,
    root_option,
    scoring_options,
    showing_options,
)  # fmt: skip
from arena.cli.parity import parity
from arena.cli.publish import publish
from arena.cli.published import published
from arena.cli.pull import pull
from arena.cli.verbs import Verbs, command_line, split_names, unique
from arena.cli.verify import verify

if TYPE_CHECKING:
    from arena.pipeline.display_options import Showing
    from arena.pipeline.stages import Compute, Scoring


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="arena")
def arena() -> None:
    """Which image tagger is better, on which tags, at which threshold?

    \b
    arena run                                    the bundled demo
    arena run --models joytag,wd14 -d FOLDER     two taggers on your images
    arena run --models joytag,new=./checkpoint   a release candidate
    """


@arena.command()
@config_option
@option("--models", "-m", default="joytag-demo,wd14-demo", help="Cards, or NAME=PATH of local folders; commas between.")
@option("--dataset", "-d", default="demo", help="Card, or path of a frozen dataset folder.")
@option("--output", "-o", type=click.Path(path_type=Path), help="Run folder.  [default: runs/NAME]", show_default=False)
@limit_option
@option("--seed", type=int, default=0, help="Of the resamples, and of the part that --limit takes.")
@batch_option
@device_option
@precision_option
@scoring_options
@showing_options
@root_option
def run(models: str, dataset: str, output: Path | None, limit: int | None, root: Path | None, **settings: Any) -> None:
    """Score a held-out dataset with every model and compare them.

    Writes a run folder: index.html, summary.json, full-metrics/ and more. Stopped at any point, the same command
    continues; finished scores are never computed again.

    Example: arena run --models joytag,wd14 --dataset datasets/mine
    """
    from arena.cli.terminal.console import Terminal, show_summary
    from arena.pipeline import run as pipeline

    terminal = Terminal()
    folder = pipeline.run(
        split_names(models), dataset, output, limit=limit, seed=settings["seed"], compute=_compute(settings),
        scoring=_scoring(settings), showing=_showing(settings), root=root, command=command_line(), progress=terminal,
    )  # fmt: skip
    show_summary(folder)


@arena.command()
@config_option
@option("--model", "-m", required=True, help="Card, or NAME=PATH of a local folder.", show_default=False)
@option("--images", required=True, type=click.Path(path_type=Path), help="Folder of images.", show_default=False)
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="File to write.", show_default=False)
@limit_option
@batch_option
@device_option
@precision_option
@root_option
def predict(model: str, images: Path, output: Path, limit: int | None, root: Path | None, **settings: Any) -> None:
    """Score a folder of images with one model.

    Writes an .npz file: scores float32 (images, tags), tags, image_ids (paths below the folder without suffix).

    Example: arena predict -m joytag --images photos -o scores.npz
    """
    from arena.cli.terminal.console import Terminal, show_skipped
    from arena.pipeline import run as pipeline

    scores = pipeline.predict_folder(
        model, images, output, limit=limit, compute=_compute(settings), root=root, progress=Terminal()
    )
    show_skipped(scores.skipped)
    click.echo(f"{output}: {len(scores.image_ids)} images x {len(scores.tags)} tags")


@arena.command()
@config_option
@option(
    "--scores", type=NamedFile(), multiple=True, required=True, metavar="NAME=FILE", show_default=False,
    help="Scores .npz, or RUN/scores/MODEL; may be given again.",
)  # fmt: skip
@option("--truth", type=click.Path(path_type=Path), help="Truth .npz: truth, tags, image_ids.", show_default=False)
@option("--dataset", "-d", help="Frozen dataset, in place of --truth.", show_default=False)
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Run folder.", show_default=False)
@scoring_options
@showing_options
@option("--seed", type=int, default=0, help="Of the resamples.")
@root_option
def score(
    scores: tuple[tuple[str, Path], ...], truth: Path | None, dataset: str | None, output: Path, root: Path | None,
    **settings: Any,
) -> None:  # fmt: skip
    """Compare scores that are there already; no model is needed.

    A scores file holds scores (images, tags), tags, image_ids, and may hold tag_counts.

    Example: arena score --scores a=a.npz --scores b=b.npz --truth truth.npz -o runs/ab
    """
    from arena.cli.terminal.console import Terminal, show_summary
    from arena.pipeline import run as pipeline

    if (truth is None) == (dataset is None):
        raise ArenaError("arena score: give either --truth FILE or --dataset NAME")
    folder = pipeline.score_files(
        unique(scores), output, truth=truth, dataset=dataset, scoring=_scoring(settings), showing=_showing(settings),
        root=root, command=command_line(), progress=Terminal(),
    )  # fmt: skip
    show_summary(folder)


@arena.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@showing_options
def report(runs: tuple[Path, ...], **settings: Any) -> None:
    """Write the reports of finished runs again, from their folders.

    A page shows no more of the images than was chosen for the run; --thumbnails none makes one without pictures, and
    leaves the folder thumbnails/ as it is.

    Example: arena report runs/demo
    """
    from arena.pipeline import run as pipeline

    for folder in runs:
        pipeline.render(folder, _showing(settings))
        click.echo(f"{folder / 'index.html'}")


@arena.command()
@click.argument("run", type=click.Path(path_type=Path))
@option(
    "--difference", type=click.FloatRange(0, 1, min_open=True), metavar="D", show_default=False,
    help="The difference to decide.  [default: the one that was seen]",
)  # fmt: skip
@option("--figure", help="Figures; commas between.  [default: macro F1, micro F1, mAP]", show_default=False)
@option("--power", type=click.FloatRange(0, 1, True, True), default=0.8, help="Chance to call a true difference one.")
@option(
    "--alpha", type=click.FloatRange(0, 1, True, True), default=0.05, help="Chance to call one where there is none."
)
def power(run: Path, difference: float | None, figure: str | None, power: float, alpha: float) -> None:
    """Say how many images would decide a difference between the models of a run.

    Example: arena power runs/demo --difference 0.01
    """
    from arena.cli.terminal.console import show_power
    from arena.evaluate.power import power_of
    from arena.results.run_folder import HEADLINES, read_result

    figures = split_names(figure) if figure else HEADLINES
    show_power(power_of(read_result(run), difference=difference, figures=tuple(figures), power=power, alpha=alpha))


@arena.command("hash")
@config_option
@click.argument("sources", nargs=-1, required=True)
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Index to write.", show_default=False)
@option(
    "--algorithms", default="phash,dhash", metavar="NAMES",
    help="phash, dhash, joytag (unverified), scaled, pixel_sha256; commas between.",
)  # fmt: skip
@option("--workers", type=click.IntRange(min=1), help="Threads.  [default: one a core]", show_default=False)
@root_option
def hash_(sources: tuple[str, ...], output: Path, algorithms: str, workers: int | None, root: Path | None) -> None:
    """Hash images into an index that duplicates are searched in.

    A source is a folder, an image file, or a dataset. Writes a Parquet file, a row an image, and beside it a .rejects.csv of
    what could not be read. Stopped at any point, the same command continues.

    Example: arena hash training-images -o training.parquet
    """
    from arena.cli.terminal.console import Terminal
    from arena.dataset.hashes.build import hash_sources

    hashed = hash_sources(
        sources, output, columns=split_names(algorithms), workers=workers, root=root, progress=Terminal()
    )
    click.echo(f"{output}: {hashed.images:,} images")
    if hashed.rejects:
        click.echo(f"{hashed.rejects_file}: {hashed.rejects:,} files could not be read")


arena.add_command(dataset)
arena.add_command(bench)
arena.add_command(pull)
arena.add_command(verify)
arena.add_command(check_adapter)
arena.add_command(check)
arena.add_command(compare)
arena.add_command(parity)
arena.add_command(publish)
arena.add_command(published)
arena.add_command(baseline)


@arena.group("ls", cls=Verbs)
def ls() -> None:
    """List models, datasets or tags.

    Example: arena ls models
    """


@ls.command("models")
@option("--json", "as_json", is_flag=True, show_default=False, help="Everything, as JSON.")
@root_option
def ls_models(as_json: bool, root: Path | None) -> None:
    """List the models that have a card: licence, side of the square, tags, threshold, and until when it saw images.

    "run" tells whether the published weights were run by this project, "here" the size of its files on this machine. Below
    stand the names that stand for several of them, and families of which every member goes by its own name, in place of ARCH.

    Example: arena ls models
    """
    from arena.cards import model_groups, model_patterns
    from arena.cli.terminal.console import show_groups, show_models
    from arena.pipeline import catalogue

    models = catalogue.list_models(root)
    if as_json:
        click.echo(json.dumps([asdict(model) for model in models], indent=1))
    else:
        show_models(models)
        show_groups(model_groups(root), model_patterns(root))


@ls.command("datasets")
@root_option
def ls_datasets(root: Path | None) -> None:
    """List the datasets that have a card.

    Example: arena ls datasets
    """
    from arena.cli.terminal.console import show_table
    from arena.pipeline import catalogue

    show_table(*catalogue.list_datasets(root))


@ls.command("tags")
@option("--dataset", "-d", default="demo", help="Card, or path of a frozen dataset folder.")
@root_option
def ls_tags(dataset: str, root: Path | None) -> None:
    """List a dataset's tags with category and number of positives.

    Example: arena ls tags -d demo
    """
    from arena.cli.terminal.console import show_table
    from arena.pipeline import catalogue

    show_table(*catalogue.list_tags(dataset, root))


def _compute(settings: dict[str, Any]) -> "Compute":
    from arena.pipeline.stages import Compute

    return Compute(settings["device"], settings["precision"], settings["batch_size"])


def _scoring(settings: dict[str, Any]) -> "Scoring":
    from arena.evaluate.settings import SLICE_COLUMNS, Settings
    from arena.pipeline.stages import Scoring

    slices = tuple(split_names(settings["slices"]))
    chosen = Settings(
        settings["min_positives"], settings["convention"], settings["bootstrap"], settings["seed"],
        SLICE_COLUMNS if slices == SLICE_COLUMNS else slices, imply=settings["imply"],
    )  # fmt: skip
    return Scoring(
        chosen,
        unique(settings["threshold"]),
        settings["tag_groups"],
        settings["against"],
        settings["pictures"],
        settings["published"],
    )


def _showing(settings: dict[str, Any]) -> "Showing":
    from arena.pipeline.display_options import Showing

    return Showing(settings["thumbnails"], not settings["no_image_ids"])


def main(arguments: list[str] | None = None) -> None:
    """Entry point: every expected failure is one line on standard error and its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without a sign shows a question mark
    try:
        arena.main(args=arguments, prog_name="arena", standalone_mode=False)
    except ArenaError as error:
        leave(ExitCode(error.exit_code), str(error))
    except click.UsageError as error:
        where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        leave(ExitCode.BAD_INPUT, " ".join(error.format_message().split()) + where)
    except click.ClickException as error:
        leave(ExitCode.BAD_INPUT, error.format_message())
    except (click.Abort, KeyboardInterrupt):
        leave(ExitCode.INTERRUPTED, "stopped; the same command continues where it was")
    except SystemExit:  # click and rich leave so, with 1, when nobody reads what they print; the shell's code is 141
        os._exit(ExitCode.UNREAD)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        leave(ExitCode.BAD_INPUT, f"{named}{error.strerror or error}")
    except Exception:
        traceback.print_exc()
        sys.exit(ExitCode.BUG)


def leave(code: ExitCode, message: str) -> NoReturn:
    """Say one line on standard error and exit."""
    click.echo(f"arena: {message}", err=True)
    sys.exit(code)
