"""The verb `published`: print the metrics of published files, and list what they leave out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from arena.base.errors import ArenaError
from arena.base.files import write_whole
from arena.cli.options import baselines_option, names_entrants, option

if TYPE_CHECKING:
    from arena.results.published.record import Published

_FORMS = ("full-metrics",)
"""File formats that `--to` can write."""


@click.command("published")
@click.argument("entrants", nargs=-1, required=True, metavar="ENTRANT...")
@option("--json", "as_json", is_flag=True, show_default=False, help="Print everything except the tags as JSON.")
@option(
    "--convention", type=click.Choice(["arena", "joytag", "smilingwolf", "animetimm"]), show_default=False,
    help="Rule for undefined metrics.  [default: the publisher's]",
)  # fmt: skip
@option(
    "--to", "to", nargs=2, type=(click.Choice(_FORMS), click.Path(path_type=Path)), metavar="FORM FILE", show_default=False,
    help="Write the model in a format: full-metrics FILE.",
)  # fmt: skip
@baselines_option
@names_entrants
def published(
    entrants: tuple[str, ...], as_json: bool, convention: str | None, to: tuple[str, Path] | None, baselines: Path
) -> None:
    """Read published metrics: full-metrics.txt, detailed_metrics.txt, report.csv, results.json, a model-index and more.

    {entrants} This verb needs entrants with metrics: published files, finished runs and baselines.

    Prints each model with its images, tags and means, and lists what the file leaves out. If a file contradicts itself, the
    error names the line.

    Example: arena published joytag=full-metrics.txt
    """
    from arena.pipeline.entrants import find_metrics

    found = find_metrics(entrants, baselines=baselines)
    if to is not None:
        _write(found, to[1])
        return
    if as_json:
        click.echo(json.dumps([_facts(one, convention) for one in found], indent=1, ensure_ascii=False))
        return
    for one in found:
        _show(one, convention)


def _facts(one: "Published", convention: str | None) -> dict[str, object]:
    from arena.results.published.aggregates import aggregates_of
    from arena.results.published.column import published_entry, unknown_columns

    facts = published_entry(one) | ({} if convention is None else aggregates_of(one, convention))
    return facts | {"digits": one.digits, "unknown": unknown_columns(one)}


def _show(one: "Published", convention: str | None) -> None:
    from arena.base.format import figure, one_line
    from arena.metrics.registry import AGGREGATES
    from arena.report.view_model.published import aggregate_text

    facts = _facts(one, convention)
    images = "images unknown" if one.images is None else f"{one.images:,} images"
    made = {"counts": "means from counts", "figures": "means of the tags' metrics", "file": "the file's own means"}
    click.echo(one_line(f"{one.name}: {one.format} ({one.source}), {images}, {len(one.tags):,} tags"))
    click.echo(f"  threshold {facts['threshold']}; {made[str(facts['made_of'])]}, convention {facts['convention']}")
    for key in AGGREGATES:
        over = facts.get(f"{key}_tags")
        tags = f"  over {aggregate_text(f'{key}_tags', over)} tags" if over and facts[key] is not None else ""
        click.echo(f"  {key.replace('_', ' '):<16}{aggregate_text(key, facts[key])}{tags}")
    for key in () if convention else one.figures:
        if key not in AGGREGATES and not key.endswith("_tags"):
            click.echo(f"  {key.replace('_', ' '):<16}{figure(one.figures[key])}")
    if unknown := facts["unknown"]:
        click.echo(f"  unknown: {', '.join(map(str, unknown))}")  # type: ignore[call-overload]
    for note in one.notes:
        click.echo(f"  note: {note}")


def _write(found: "list[Published]", path: Path) -> None:
    """Write the only model as full-metrics.txt; refuse several models."""
    from arena.base.locks import lock_output
    from arena.results.published.full_metrics import full_metrics_of

    if len(found) != 1:
        names = ", ".join(one.name for one in found)
        raise ArenaError(f"--to: {len(found)} models are named ({names}), but the file holds one; name one model")
    text = full_metrics_of(found[0])
    with lock_output(path, "published --to"):
        write_whole(path, text)
    click.echo(f"{path}: {len(found[0].tags):,} tags")
