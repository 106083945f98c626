"""The verb `hash`: write an index of image hashes for the duplicate search."""

from pathlib import Path

import click

from arena.cli.options import config_option, option, root_option
from arena.cli.verbs import split_names


@click.command("hash")
@config_option
@click.argument("sources", nargs=-1, required=True)
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Index to write.", show_default=False)
@option(
    "--algorithms", default="phash,dhash", metavar="NAMES",
    help="Comma-separated names of phash, dhash, joytag (unverified), scaled, pixel_sha256.",
)  # fmt: skip
@option("--workers", type=click.IntRange(min=1), help="Threads.  [default: one per core]", show_default=False)
@root_option
def hash_(sources: tuple[str, ...], output: Path, algorithms: str, workers: int | None, root: Path | None) -> None:
    """Hash images into an index for the duplicate search.

    A source is a folder, an image file, or a dataset. Images are recognised by suffix or content. Links to files are
    followed; hidden folders and links to folders are skipped. Writes a Parquet file with one row per image, and a .rejects.csv
    file that lists the unreadable images. After an interruption, the same command continues.

    Example: arena hash training-images -o training.parquet
    """
    from arena.cli.terminal.console import Terminal
    from arena.dataset.hashes.build import hash_sources

    hashed = hash_sources(
        sources, output, columns=split_names(algorithms), workers=workers, root=root, progress=Terminal()
    )
    click.echo(f"{output}: {hashed.images:,} images")
    if hashed.rejects:
        click.echo(f"{hashed.rejects_file}: {hashed.rejects:,} files could not be read")
