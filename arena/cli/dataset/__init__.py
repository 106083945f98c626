"""The verbs that make a held-out dataset, each from the folder that the one before it wrote."""

import click

from arena.cli.dataset.describe import card, describe, verify
from arena.cli.dataset.freeze import dedup, freeze, tags
from arena.cli.dataset.import_ import fetch, import_
from arena.cli.verbs import Verbs


@click.group("dataset", cls=Verbs)
def dataset() -> None:
    """Make, check and describe held-out datasets.

    Example: arena dataset import photos -o datasets/photos
    """


for verb in (fetch, import_, tags, dedup, freeze, verify, describe, card):
    dataset.add_command(verb)
