"""The verb `view`: look at the images of a run, and judge its labels, in a browser."""

from pathlib import Path

import click

from arena.cli.judge.options import dataset_option, judgements_option
from arena.cli.options import config_option, option, root_option


@click.command("view")
@config_option
@click.argument("run", type=click.Path(path_type=Path))
@option(
    "--plan", type=click.Path(path_type=Path), default=Path("plan.parquet"), metavar="FILE",
    help="Plan of arena judge plan, for the mode Judge.",
)  # fmt: skip
@judgements_option
@option(
    "--port", type=click.IntRange(1024, 65_535), metavar="N", show_default=False, help="Port.  [default: a free one]"
)
@option("--no-browser", is_flag=True, show_default=False, help="Print the address, and open no browser.")
@option("--host", default="127.0.0.1", metavar="ADDRESS", help="Address to listen on.")
@option(
    "--allow-network", is_flag=True, show_default=False,
    help="Allow a --host that other machines reach. Whoever has the address with its token then sees the images and can add "
    "answers, and the connection is not encrypted.",
)  # fmt: skip
@option(
    "--gold", default="", metavar="NAME", show_default=False,
    help="Name, known to you alone, whose answers are stored as gold answers: they count as right and measure the others.",
)  # fmt: skip
@dataset_option
@root_option
def view(
    run: Path, plan: Path, judgements: Path, port: int | None, no_browser: bool, host: str, allow_network: bool,
    gold: str, dataset: str | None, root: Path | None,
) -> None:  # fmt: skip
    """Show the images of a run with labels and scores, and collect answers to questions, in a browser.

    The pages are served on this machine only, at an address with a secret token. Images: a grid with filters, and one image
    with the tags of every model. Judge: the questions of a plan. Label issues: labels that are likely missing. Try an image:
    the tags of the run's models for a file. Ctrl-C stops the server; every answer is on disk before the next question.

    Example: arena view runs/demo
    """
    from arena.cli.terminal.console import Terminal
    from arena.view.server import ServerOptions, ViewOptions, serve

    def announce(address: str) -> None:
        click.echo(f"{address}\nCtrl-C stops the server.")

    listen = ServerOptions(host, port or 0, allow_network, not no_browser)
    serve(ViewOptions(run, plan, judgements, dataset, root, gold), listen, announce, Terminal())
