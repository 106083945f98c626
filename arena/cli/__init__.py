"""The command line: parse, call, print, exit. Nothing heavy is imported before a verb needs it."""

import os
import sys
import traceback
from typing import NoReturn

import click

from arena.base.errors import ArenaError, ExitCode
from arena.base.version import __version__
from arena.cli.baseline import baseline
from arena.cli.bench import bench
from arena.cli.check import check
from arena.cli.check_adapter import check_adapter
from arena.cli.compare import compare
from arena.cli.dataset import dataset
from arena.cli.hash import hash_
from arena.cli.judge import judge
from arena.cli.ls import ls
from arena.cli.parity import parity
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

SECTIONS = {
    "Run and compare": ("run", "predict", "score", "compare", "report", "power", "judge"),
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
    baseline, bench, check, check_adapter, compare, dataset, hash_, judge, ls, parity, power, predict, publish, published, pull,
    report, run, score, verify,
):  # fmt: skip
    arena.add_command(verb)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; print an expected failure as one line on standard error and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # print "?" for a character that the terminal lacks
    try:
        arena.main(args=arguments, prog_name="arena", standalone_mode=False)
    except ArenaError as error:
        _exit_with(ExitCode(error.exit_code), str(error))
    except click.UsageError as error:
        where = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        _exit_with(ExitCode.BAD_INPUT, " ".join(error.format_message().split()) + where)
    except click.ClickException as error:
        _exit_with(ExitCode.BAD_INPUT, error.format_message())
    except (click.Abort, KeyboardInterrupt):
        _exit_with(ExitCode.INTERRUPTED, "stopped; the same command continues where it was")
    except SystemExit:  # click and rich exit with 1 when the reader of a pipe closes it; shells use 141
        os._exit(ExitCode.UNREAD)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        _exit_with(ExitCode.BAD_INPUT, f"{named}{error.strerror or error}")
    except Exception:
        traceback.print_exc()
        sys.exit(ExitCode.BUG)


def _exit_with(code: ExitCode, message: str) -> NoReturn:
    """Print one line on standard error and exit."""
    click.echo(f"arena: {message}", err=True)
    sys.exit(code)
