"""The verb `dataset dedup`: remove duplicates from a dataset."""

from pathlib import Path
from typing import Any

import click

from arena.cli.options import config_option, option, pictures_option, root_option


@click.command("dedup")
@config_option
@click.argument("folder")
@option(
    "--against", multiple=True, type=click.Path(path_type=Path), metavar="INDEX", show_default=False,
    help="Index of training images (arena hash); images that are certainly in it are dropped. Repeatable.",
)  # fmt: skip
@pictures_option
@option(
    "--radius", type=click.IntRange(0, 32), default=8, metavar="BITS",
    help="Largest pHash distance of a candidate pair; 0: JoyTag's rule, equal hashes are duplicates.",
)  # fmt: skip
@option(
    "--policy", type=click.Choice(["merge", "drop", "mark"]), default="merge",
    help="merge: keep the first with the tags of all; drop: keep the first unchanged; mark: keep all, marked.",
)  # fmt: skip
@option("--alternates", is_flag=True, default=False, help="Count alternate versions of an image as duplicates.")
@option(
    "--unconfirmed", type=click.Choice(["keep", "drop"]), default="keep",
    help="What to do with images that match an index by hash alone. Most are other images; --pictures decides.",
)  # fmt: skip
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="New folder.", show_default=False)
@root_option
def dedup(
    folder: str, against: tuple[Path, ...], pictures: tuple[str, ...], output: Path, root: Path | None, **rule: Any
) -> None:  # fmt: skip
    """Write a dataset without duplicates and without images from an index of training images.

    Digests and perceptual hashes find candidate pairs, also of trimmed, cropped and mirrored images. A comparison of scaled
    pixels then classifies each pair: identical, near, alternate or rejected. Copies and alternates share a group. An index
    holds only hashes and digests: without the training images (--pictures), a match by hash alone stays unconfirmed. All
    compared pairs are in duplicates.parquet. After an interruption, the same command continues.

    Example: arena dataset dedup datasets/mine --against training.parquet --pictures training-images -o datasets/mine-clean
    """
    from arena.base.format import plural
    from arena.cards import find_dataset
    from arena.cli.terminal.console import Terminal, show_table
    from arena.dataset.copies.dedup import deduplicate, read_training_indexes
    from arena.dataset.copies.policy import DuplicateRule
    from arena.dataset.frozen import read_frozen

    wanted = DuplicateRule(**rule)
    done = deduplicate(
        read_frozen(find_dataset(folder, root)), output, against=read_training_indexes(against, pictures, root),
        rule=wanted, progress=Terminal(),
    )  # fmt: skip
    show_table(("pairs", "class"), [(f"{count:,}", name) for name, count in sorted(done.classes.items())])
    show_table(("step", "kept", "dropped"), [(s["name"], f"{s['kept']:,}", f"{s['dropped']:,}") for s in done.steps])
    if done.unconfirmed:
        click.echo(_unconfirmed_line(done.unconfirmed, kept=wanted.policy == "mark" or wanted.unconfirmed == "keep"))
    click.echo(
        f"{output}: {plural(done.steps[-1]['kept'], 'image', 'images')} in {plural(done.groups, 'group', 'groups')}, "
        f"digest {done.digest[:12]}"
    )


def _unconfirmed_line(images: int, *, kept: bool) -> str:
    """Return what was done with the images that match an index by hash alone, and how to decide otherwise."""
    from arena.base.format import plural

    outcome = f"{'is' if images == 1 else 'are'} {'kept' if kept else 'dropped'}"
    return (
        f"{plural(images, 'image matches', 'images match')} an index by hash alone and {outcome}; --pictures FOLDER compares "
        f"pixels with the training images, --unconfirmed {'drop drops' if kept else 'keep keeps'} such images"
    )
