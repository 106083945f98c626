"""The verbs that make a held-out dataset, each from the folder that the one before it wrote."""

import click

from arena.cli.verbs import Verbs


@click.group("dataset", cls=Verbs)
def dataset() -> None:
    """Make, check and describe held-out datasets.

    Example: arena dataset import photos -o datasets/photos
    """
