"""The verb `pull`: download the files of models."""

from pathlib import Path

import click

from arena.base.errors import ArenaError, WeightsError
from arena.cli.options import config_option, root_option
from arena.cli.verbs import split_names


@click.command("pull")
@config_option
@click.argument("models", nargs=-1, required=True)
@root_option
def pull(models: tuple[str, ...], root: Path | None) -> None:
    """Download the files of models from the hub at the revision pinned in their cards, and check them.

    Models are named by their cards, separated by spaces or commas. After an interruption, the same command continues in the
    middle of the file. The digests are recorded next to the files, in arena.sha256.

    Example: arena pull joytag,wd14
    """
    from arena.cards import find_models
    from arena.cli.terminal.console import Terminal, format_size
    from arena.pipeline import catalogue

    terminal = Terminal()
    named = find_models([name for text in models for name in split_names(text)], root)
    cards = [one for card in named for one in card.single]
    failed: list[str] = []
    for card in cards:
        try:
            fetched = catalogue.pull_model(card, terminal)
        except WeightsError as error:
            if len(cards) == 1:
                raise
            failed.append(card.name)
            terminal.note(str(error))
            continue
        size = format_size(fetched.size_bytes)
        click.echo(f"{fetched.name}: {fetched.folder}  ({fetched.files} files, {size}, sha256 {fetched.digest[:12]})")
        if card.caution:
            click.echo(card.caution)
        for source, commit in fetched.unpinned:
            click.echo(
                f"{fetched.name}: unpinned: {source.hub} at {source.revision or 'main'} is commit {commit}; "
                f'to pin it, write revision = "{commit}" into the card'
            )
    if failed:
        raise ArenaError(f"{len(failed)} of {len(cards)} models could not be pulled: {', '.join(failed)}")
