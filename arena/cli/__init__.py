"""The command line: parse, call, print, exit. Nothing heavy is imported before a verb needs it."""

import os
import sys
import traceback
from typing import NoReturn

import click

from arena.base.errors import ExitCode
from arena.base.version import __version__
from arena.cli.baseline import baseline
from arena.cli.bench import bench
from arena.cli.check import check
from arena.cli.check_adapter import check_adapter
from arena.cli.compare import compare
from arena.cli.dataset import dataset
from arena.cli.endings import Ending, command_of, ending_of, refuse_small_address_space, stop_signals
from arena.cli.hash import hash_
from arena.cli.judge import judge
from arena.cli.ls import ls
from arena.cli.parity import parity
from arena.cli.pick import pick
from arena.cli.power import power
from arena.cli.predict import predict
from arena.cli.publish import publish
from arena.cli.published import published
from arena.cli.pull import pull
from arena.cli.report import report
from arena.cli.run import run
from arena.cli.score import score
from arena.cli.verbs import Verbs
from arena.cli.verify import verify
from arena.cli.view import view
from arena.images.messages import collect_library_messages

SECTIONS = {
    "Run and compare": ("run", "predict", "score", "compare", "report", "power", "judge", "view", "pick"),
    "Datasets": ("dataset", "hash"),
    "Models": ("ls", "pull", "verify", "parity", "bench", "check-adapter"),
    "Release and publish": ("check", "baseline", "publish", "published"),
}
"""Title of each section of `arena --help` and the verbs it lists."""


@click.group(
    cls=Verbs,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="arena")
def arena() -> None:
    """Which image tagger is better, on which tags, at which threshold?

    \b
    arena run                                    the bundled demo
    arena run --models joytag,wd14 -d FOLDER     two taggers on your images
    arena run --models joytag,new=./checkpoint   a release candidate
    """


for verb in (
    baseline, bench, check, check_adapter, compare, dataset, hash_, judge, ls, parity, pick, power, predict, publish, published,
    pull, report, run, score, verify, view,
):  # fmt: skip
    arena.add_command(verb)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; print an expected failure as one line on standard error and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # print "?" for a character that the terminal lacks
    words = sys.argv[1:] if arguments is None else arguments
    command = command_of(arena, words)
    with stop_signals() as received:
        try:
            refuse_small_address_space(command, words)
            with collect_library_messages() as messages:
                try:
                    arena.main(args=arguments, prog_name="arena", standalone_mode=False)
                finally:
                    if messages.line:
                        click.echo(messages.line, err=True)
        except BaseException as error:
            _end(ending_of(error, received, command))


def _end(ending: Ending) -> NoReturn:
    """Print the reason and exit."""
    if ending.code == ExitCode.UNREAD:
        os._exit(ending.code)
    if ending.error is not None:
        traceback.print_exception(ending.error)
    if ending.message:
        click.echo(f"arena: {ending.message}", err=True)
    sys.exit(ending.code)
