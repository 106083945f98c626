"""The verb `dataset describe`: print the contents of a dataset."""

import json
from pathlib import Path

import click

from arena.cli.options import json_option, min_positives_option, option, root_option


@click.command("describe")
@click.argument("folder")
@json_option
@min_positives_option
@option("--pairs", type=click.IntRange(min=0), default=15, help="Number of tag pairs listed.")
@root_option
def describe(folder: str, as_json: bool, min_positives: int, pairs: int, root: Path | None) -> None:
    """Describe a dataset: tags, tag pairs, ratings, sizes, and the images dropped at each step.

    Example: arena dataset describe demo
    """
    from arena.pipeline.catalogue import describe_dataset
    from arena.report.dataset.text import dataset_text

    description = describe_dataset(folder, root, min_positives=min_positives, pairs=pairs)
    click.echo(json.dumps(description, indent=1) if as_json else dataset_text(description), nl=as_json)
