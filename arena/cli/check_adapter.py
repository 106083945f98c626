"""`arena check-adapter`: whether an adapter keeps the interface."""

from pathlib import Path

import click

from arena.base.errors import FailedError
from arena.cli.options import config_option, device_option, precision_option, root_option


@click.command("check-adapter")
@config_option
@click.argument("model")
@device_option
@precision_option
@root_option
def check_adapter(model: str, device: str, precision: str, root: Path | None) -> None:
    """Check that a model's adapter does what every adapter must.

    MODEL is a card, or NAME=PATH. Prints a line a check with what was seen; exit code 1 if one fails. Shapes, types, ranges
    and the order of tags are checked, that a score does not depend on the batch, and what becomes of bad input.

    Example: arena check-adapter mine=./checkpoint
    """
    from arena.cards import find_model
    from arena.cli.terminal.console import show_outcome
    from arena.taggers.conformance import check

    checks, failed = 0, 0
    for outcome in check(find_model(model, root), device=device, precision=precision):
        checks, failed = checks + 1, failed + (not outcome.passed)
        show_outcome(outcome.name, passed=outcome.passed, told=outcome.told)
    if failed:
        raise FailedError(f"{model}: {failed} of {checks} checks failed")
    click.echo(f"{model}: {checks} checks passed")
