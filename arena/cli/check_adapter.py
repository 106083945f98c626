"""The verb `check-adapter`: run the conformance checks on a model's adapter."""

from pathlib import Path

import click

from arena.base.errors import FailedError
from arena.cli.options import config_option, one_device_option, precision_option, root_option


@click.command("check-adapter")
@config_option
@click.argument("model")
@one_device_option
@precision_option
@root_option
def check_adapter(model: str, device: str, precision: str, root: Path | None) -> None:
    """Check that a model's adapter conforms to the interface.

    MODEL is a card, or NAME=PATH. Prints one line per check with its result. Exits with 1 if a check fails. The checks cover
    shapes, types, ranges, the order of tags, bad input, and that a score does not depend on the batch.

    Example: arena check-adapter mine=./checkpoint
    """
    from arena.cards import find_model
    from arena.cli.terminal.console import show_outcome
    from arena.taggers.conformance import check

    checks, failed = 0, 0
    for outcome in check(find_model(model, root), device=device, precision=precision):
        checks, failed = checks + 1, failed + (not outcome.passed)
        show_outcome(outcome.name, passed=outcome.passed, detail=outcome.told)
    if failed:
        raise FailedError(f"{model}: {failed} of {checks} checks failed")
    click.echo(f"{model}: {checks} checks passed")
