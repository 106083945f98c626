"""The verbs below `dataset`; each reads the folder that the previous one wrote."""

import click

from arena.cli.dataset.card import card
from arena.cli.dataset.dedup import dedup
from arena.cli.dataset.describe import describe
from arena.cli.dataset.fetch import fetch
from arena.cli.dataset.freeze import freeze
from arena.cli.dataset.import_ import import_
from arena.cli.dataset.tags import tags
from arena.cli.dataset.verify import verify
from arena.cli.verbs import Verbs


@click.group("dataset", cls=Verbs)
def dataset() -> None:
    """Make, check and describe held-out datasets.

    Example: arena dataset import photos -o datasets/photos
    """


for verb in (fetch, import_, tags, dedup, freeze, verify, describe, card):
    dataset.add_command(verb)
