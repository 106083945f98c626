"""Options of the verbs: their types, environment variables and configuration file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arena.base.errors import ArenaError, nearest
from arena.base.reading import read_toml
from arena.cli.verbs import command_line, split_names, unique
from arena.pipeline.grammar import GRAMMAR

if TYPE_CHECKING:
    from arena.pipeline.display_options import DisplayOptions
    from arena.pipeline.paired import ComparisonOptions
    from arena.pipeline.stages import Compute, Scoring

Command = Callable[..., None]

LARGEST_BATCH = 65_536
"""Largest accepted batch size; a larger number is assumed to be a typing mistake."""


class Threshold(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """`NAME=0.4`."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        name, _, number = str(value).partition("=")
        try:
            return name, float(number)
        except ValueError:
            self.fail(f"{value!r} is not NAME=NUMBER, such as joytag=0.4", param, ctx)


class NamedFile(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """`NAME=FILE`."""

    name = "name=file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        name, separator, path = str(value).partition("=")
        if not (name and separator and path):
            self.fail(f"{value!r} is not NAME=FILE, such as joytag=scores.npz", param, ctx)
        return name, Path(path)


class BatchSize(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """A whole number from 1 to `LARGEST_BATCH`, or `auto`."""

    name = "n|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value in (None, "auto"):
            return None
        if not (str(value).isdecimal() and 0 < int(value) <= LARGEST_BATCH):
            self.fail(f"{value!r} is neither auto nor a whole number from 1 to {LARGEST_BATCH}", param, ctx)
        return int(value)


def names_entrants(command: Command) -> Command:
    """Replace `{entrants}` in a verb's help with the sentence that defines an entrant."""
    command.__doc__ = (command.__doc__ or "").replace("{entrants}", f"An entrant is {GRAMMAR}.")
    return command


def option(*names: str, **attributes: Any) -> Callable[[Command], Command]:
    """Decorator that adds an option with the environment variable `ARENA_<NAME>`."""
    long = next(name for name in names if name.startswith("--"))
    variable = "ARENA_" + long.removeprefix("--").replace("-", "_").upper()
    return click.option(*names, envvar=variable, show_default=attributes.pop("show_default", True), **attributes)


def use_config(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    """Read defaults of the verb's options from a TOML file: from top-level keys and from the table named like the verb."""
    if path is None:
        return
    try:
        table = read_toml(path)
    except ArenaError as error:
        raise ArenaError(f"--config {error}") from None
    verb = str(ctx.info_name)
    verbs = ctx.parent.command.commands if ctx.parent and isinstance(ctx.parent.command, click.Group) else {}
    own = table.pop(verb, {}) if isinstance(table.get(verb, {}), dict) else None
    for other in [key for key, value in table.items() if isinstance(value, dict) and key in verbs]:
        del table[other]
    options = {str(parameter.name): parameter for parameter in ctx.command.params}
    defaults: dict[str, Any] = {}
    for key, value in ({verb: None} if own is None else table | own).items():
        name = key.replace("-", "_")
        if name not in options or isinstance(value, dict):
            raise ArenaError(f"--config {path}: {verb} has no option {key}. {nearest(key, options)}")
        several = bool(getattr(options[name], "multiple", False)) or options[name].nargs == -1
        defaults[name] = _as_typed(value, several)
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


def _as_typed(value: Any, multiple: bool) -> Any:
    """Convert a value of the configuration file to the text that a user would type, so that the option checks it."""
    items = [str(item) for item in value] if isinstance(value, list) else [str(value)]
    return items if multiple else ",".join(items)


config_option = click.option(
    "--config", "-C", type=click.Path(path_type=Path), envvar="ARENA_CONFIG", callback=use_config, is_eager=True,
    expose_value=False, help="TOML file with defaults for these options.",
)  # fmt: skip
root_option = option(
    "--root",
    type=click.Path(path_type=Path),
    help="Folder whose models/ and datasets/ are searched before the bundled ones.",
    show_default=False,
)
baselines_option = option(
    "--baselines",
    type=click.Path(path_type=Path),
    default="baselines",
    help="Folder of baselines; @baseline is read from it.",
)
aliases_option = option(
    "--aliases", type=click.Path(path_type=Path), metavar="FILE", show_default=False,
    help="CSV of renamed tags with columns antecedent_name,consequent_name or old,new; may be gzipped.",
)  # fmt: skip
json_option = option("--json", "as_json", is_flag=True, show_default=False, help="Print everything as JSON.")
device_option = option(
    "--device", default="auto", help="auto, cpu, cuda, cuda:N, several cuda:N with commas, or cuda:all."
)
one_device_option = option("--device", default="auto", help="auto, cpu, cuda or cuda:N.")
workers_option = option(
    "--workers", type=click.IntRange(1, 1024), default=1, help="Processes that score; with several devices, for each."
)
engine_option = option(
    "--engine", type=click.Choice(["local", "ray"]), default="local",
    help="ray: score on the nodes of a Ray cluster, by one actor per device.",
)  # fmt: skip
address_option = option("--address", default="auto", help="Ray cluster of --engine ray: auto, or HOST:PORT.")
precision_option = option(
    "--precision", type=click.Choice(["auto", "fp32", "fp16", "bf16"]), default="auto",
    help="auto: fp16 on CUDA, fp32 on the CPU. An ONNX graph runs in its own precision.",
)  # fmt: skip
batch_option = option("--batch-size", "-b", type=BatchSize(), default="auto", help="Images per batch.")
limit_option = option("--limit", "-L", type=click.IntRange(min=1), help="Maximum number of images.", show_default=False)
min_positives_option = option(
    "--min-positives", type=click.IntRange(min=0), default=10, help="Fewest positive images of a tag in the means."
)
convention_option = option(
    "--convention", type=click.Choice(["arena", "joytag", "smilingwolf", "animetimm"]), default="arena",
    help="Rules for scores equal to the threshold and for undefined metrics.",
)  # fmt: skip
bootstrap_option = option(
    "--bootstrap", type=click.IntRange(0, 100_000), default=1000, metavar="N",
    help="Bootstrap resamples for each interval; 0: no intervals, no tests, own thresholds only.",
)  # fmt: skip
slices_option = option(
    "--slices", default="rating,domain,size", help="Comma-separated columns of images.parquet that define slices."
)
tag_groups_option = option(
    "--tag-groups", type=click.Path(path_type=Path), help="TOML file of named tag groups.", show_default=False
)
threshold_option = option(
    "--threshold", "-t", type=Threshold(), multiple=True, metavar="NAME=VALUE", show_default=False,
    help="Threshold of a model; replaces all of its own. Repeatable.",
)  # fmt: skip
against_option = option(
    "--against", type=click.Path(path_type=Path), multiple=True, metavar="INDEX", show_default=False,
    help="Index of training images (arena hash); metrics are also computed without these images. Repeatable.",
)  # fmt: skip
pictures_option = option(
    "--pictures", multiple=True, metavar="[INDEX=]FOLDER", show_default=False,
    help="Folder or dataset with the images of an index, to compare near pairs pixel by pixel. Repeatable.",
)  # fmt: skip
published_option = option(
    "--published", multiple=True, metavar="[NAME=]FILE", show_default=False,
    help="File of published metrics to show next to the measured ones. Repeatable.",
)  # fmt: skip
judgements_option = option(
    "--judgements", type=click.Path(path_type=Path), multiple=True, metavar="FILE", show_default=False,
    help="Answers of people (arena judge), such as judgements.parquet; metrics are also estimated by judged truth. Repeatable.",
)  # fmt: skip
imply_option = option(
    "--imply",
    is_flag=True,
    help="Raise the score of an implied tag to the highest score of the tags that imply it.",
    show_default=False,
)
thumbnails_option = option(
    "--thumbnails", type=click.Choice(["none", "some", "all"]), show_default=False,
    help="Thumbnails of the images that the page names; some: at most 2,000.  [default: some; none for a private dataset]",
)  # fmt: skip
no_image_ids_option = option(
    "--no-image-ids", is_flag=True, help="Neither name nor show images on the page.", show_default=False
)


overwrite_option = option(
    "--overwrite", is_flag=True, show_default=False,
    help="Replace a result of another recipe in the output folder. By default such a folder is refused.",
)  # fmt: skip


def add_display_options(command: Command) -> Command:
    """Add the display options: which images pages name and show."""
    return thumbnails_option(no_image_ids_option(command))


def scoring_options(command: Command) -> Command:
    """Add the options of `run` and `score` that say how metrics are computed from scores."""
    for one in reversed(
        (
            min_positives_option, convention_option, bootstrap_option, slices_option, tag_groups_option, imply_option,
            threshold_option, against_option, pictures_option, published_option, judgements_option,
        )
    ):  # fmt: skip
        command = one(command)
    return command


def compute_of(settings: Mapping[str, Any]) -> "Compute":
    """Compute settings from the options `--device`, `--precision`, `--batch-size` and, if the verb has it, `--workers`."""
    from arena.pipeline.stages import Compute

    return Compute(
        settings["device"], settings["precision"], settings["batch_size"], settings.get("workers", 1),
        settings.get("engine", "local"), settings.get("address", "auto"),
    )  # fmt: skip


def scoring_of(settings: Mapping[str, Any]) -> "Scoring":
    """Scoring settings from the options of `scoring_options`."""
    from arena.pipeline.stages import Scoring
    from arena.results.recipe import Settings

    chosen = Settings(
        settings["min_positives"], settings["convention"], settings["bootstrap"], settings["seed"],
        tuple(split_names(settings["slices"])), imply=settings["imply"],
    )  # fmt: skip
    return Scoring(
        chosen,
        unique(settings["threshold"]),
        settings["tag_groups"],
        settings["against"],
        settings["pictures"],
        settings["published"],
        settings["judgements"],
    )


def paired_settings_of(settings: Mapping[str, Any]) -> "ComparisonOptions":
    """Settings of a paired evaluation from the options that `check` and `compare` share."""
    from arena.pipeline.paired import ComparisonOptions
    from arena.results.recipe import Sample
    from arena.tags.relations import read_aliases

    return ComparisonOptions(
        settings["dataset"], Sample(settings["limit"], settings["seed"]), settings["bootstrap"], settings["seed"],
        renamed=read_aliases(settings["aliases"]) if settings["aliases"] else {},
        thresholds=unique(settings["threshold"]), canary=settings.get("canary", False),
        overwrite=settings["overwrite"], root=settings["root"],
        baselines=settings["baselines"], command=command_line(), compute=compute_of(settings),
        showing=display_options_of(settings), judgements=settings["judgements"],
    )  # fmt: skip


def display_options_of(settings: Mapping[str, Any]) -> "DisplayOptions":
    """Display options from the options of `add_display_options`."""
    from arena.pipeline.display_options import DisplayOptions

    return DisplayOptions(settings["thumbnails"], not settings["no_image_ids"])
