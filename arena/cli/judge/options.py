"""Options of the verbs below `judge`."""

from pathlib import Path

import click

from arena.cli.options import option

judgements_option = option(
    "--judgements", type=click.Path(path_type=Path), default=Path("judgements.parquet"), metavar="FILE",
    help="File of all answers; it is created if needed.",
)  # fmt: skip
"""The file of answers."""

dataset_option = option(
    "--dataset", "-d", metavar="DATASET", show_default=False,
    help="The run's dataset, if it is not where the run found it.",
)  # fmt: skip
"""The dataset of the run."""
