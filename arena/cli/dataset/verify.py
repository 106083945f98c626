"""The verb `dataset verify`: check every byte of a frozen dataset."""

from pathlib import Path

import click

from arena.cli.options import option, root_option


@click.command("verify")
@click.argument("folder")
@option("--decode", is_flag=True, show_default=False, help="Also decode every image.")
@option("--workers", type=click.IntRange(min=1), show_default=False, help="Threads.  [default: one per core]")
@root_option
def verify(folder: str, decode: bool, workers: int | None, root: Path | None) -> None:
    """Check every byte of a frozen dataset against its card and its table.

    Prints one line per fault, at most 20, and the number of faults. Exits with 1 if there is a fault.

    Example: arena dataset verify datasets/mine-1
    """
    from arena.cards import find_dataset
    from arena.cli.terminal.console import Terminal
    from arena.dataset import verify as verifying

    card = find_dataset(folder, root)
    found = verifying.verify_dataset(card, decoding=decode, workers=workers, progress=Terminal())
    for line in verifying.fault_lines(found):
        click.echo(line)
    verifying.refuse_faults(card, found)
    click.echo(f"{folder}: {found.images:,} images, {found.size_bytes:,} bytes, digest {found.digest[:12]}: as frozen")
