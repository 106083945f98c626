"""The verbs below `baseline`: set and show the baseline, follow metrics over releases, bisect checkpoints."""

import click

from arena.cli.baseline.bisect import bisect
from arena.cli.baseline.history import history
from arena.cli.baseline.set import set_
from arena.cli.baseline.show import show
from arena.cli.verbs import Verbs


@click.group("baseline", cls=Verbs)
def baseline() -> None:
    """Set and show the baseline of releases, follow metrics over releases, and find the checkpoint that lost a tag.

    Example: arena baseline set runs/joytag-1.2 --reason "release 1.2"
    """


for verb in (set_, show, history, bisect):
    baseline.add_command(verb)
