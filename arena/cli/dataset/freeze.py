"""`tags`, `dedup` and `freeze`: from one dataset folder to the next."""

from datetime import date
from pathlib import Path
from typing import Any

import click

from arena.cli.dataset.relations import read_given, relation_options
from arena.cli.options import config_option, option, pictures_option, root_option
from arena.cli.verbs import split_names


def day(text: str | date) -> date:
    """A day as `2024-05-31`."""
    try:
        return text if isinstance(text, date) else date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day such as 2024-05-31") from None


@click.command("tags")
@click.argument("folder")
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Folder to write.", show_default=False)
@relation_options
@option("--name", help="Of the new set.  [default: the folder's]", default="", show_default=False)
@root_option
def tags(folder: str, output: Path, name: str, root: Path | None, **settings: Any) -> None:
    """Make a dataset's tags canonical, add what they imply, take out what is no label.

    FOLDER is a dataset's folder or name. Its own relations hold too. The relations that matter for its tags are written
    beside the new truth.

    Example: arena dataset tags mine --aliases tag_aliases.csv.gz --blacklist danbooru-meta -o datasets/mine-canonical
    """
    from arena.cards import find_dataset
    from arena.cli.terminal.console import Terminal, show_findings
    from arena.dataset.canonical import canonicalise, write_canonical
    from arena.dataset.frozen import read_frozen
    from arena.tags.exports import relation_files

    read = read_frozen(find_dataset(folder, root))
    given = read_given(settings, root, relation_files(read.card.folder))
    made = canonicalise(read, given.relations, given.categories)
    digest = write_canonical(read, made, output, name=name, progress=Terminal())
    show_findings(given.findings)
    click.echo(made.step["why"])
    click.echo(f"{output}: {len(read)} images, {len(made.tags)} tags, digest {digest[:12]}")


@click.command("dedup")
@config_option
@click.argument("folder")
@option(
    "--against", multiple=True, type=click.Path(path_type=Path), metavar="INDEX", show_default=False,
    help="Index of training hashes; images that it has are dropped. May be given again.",
)  # fmt: skip
@pictures_option
@option(
    "--radius", type=click.IntRange(0, 32), default=8, metavar="BITS",
    help="Of pHash, within which two images are candidates; 0: JoyTag's rule, equal hashes are copies.",
)  # fmt: skip
@option(
    "--policy", type=click.Choice(["merge", "drop", "mark"]), default="merge",
    help="Of copies the first stays and takes the tags of all; stays as it is; or all stay, marked.",
)  # fmt: skip
@option("--alternates", is_flag=True, default=False, help="Other versions of a picture are copies too.")
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="New folder.", show_default=False)
@root_option
def dedup(
    folder: str, against: tuple[Path, ...], pictures: tuple[str, ...], radius: int, policy: str, alternates: bool,
    output: Path, root: Path | None,
) -> None:  # fmt: skip
    """Write a dataset without copies: of each other, and of what an index of training images has.

    Digests and perceptual hashes find pairs, also of trimmed, cropped and mirrored images; small pixels laid over each
    other decide: identical, near, alternate or rejected. All pairs are in duplicates.parquet. Stopped at any point, the
    same command continues.

    Example: arena dataset dedup datasets/mine --against training.parquet -o datasets/mine-clean
    """
    from arena.cards import find_dataset
    from arena.cli.terminal.console import Terminal, show_table
    from arena.dataset.copies.dedup import dedup, read_sources
    from arena.dataset.copies.policy import Rule
    from arena.dataset.frozen import read_frozen

    done = dedup(
        read_frozen(find_dataset(folder, root)), output, against=read_sources(against, pictures, root),
        rule=Rule(radius, policy, alternates), progress=Terminal(),
    )  # fmt: skip
    show_table(("pairs", "class"), [(f"{count:,}", name) for name, count in sorted(done.classes.items())])
    show_table(("step", "kept", "dropped"), [(s["name"], f"{s['kept']:,}", f"{s['dropped']:,}") for s in done.steps])
    click.echo(f"{output}: {done.steps[-1]['kept']:,} images, digest {done.digest[:12]}")


@click.command("freeze")
@click.argument("folder")
@option("--output", "-o", required=True, type=click.Path(path_type=Path), show_default=False, help="Folder to write.")
@option("--name", required=True, show_default=False, help="Name of the frozen set.")
@option("--title", default="", show_default=False, help="In place of the source's.")
@option("--licence", default="", show_default=False, help="In place of the source's.")
@option("--after-id", type=int, metavar="N", show_default=False, help="Posts after this one only.")
@option("--before-id", type=int, metavar="N", show_default=False, help="Posts before this one only.")
@option("--since", type=day, metavar="DAY", show_default=False, help="Posts of this day or later (UTC), as 2024-05-31.")
@option("--until", type=day, metavar="DAY", show_default=False, help="Posts of this day or earlier.")
@option(
    "--trained-until", default="", metavar="MODELS", show_default=False,
    help="Only what came after the training data of all these models; commas between.",
)  # fmt: skip
@option("--sample", type=click.IntRange(min=1), metavar="N", show_default=False, help="At most so many images.")
@option(
    "--representative", type=click.IntRange(min=1), metavar="K", show_default=False,
    help="First K images of every tag, then the rest of --sample at random.",
)  # fmt: skip
@option("--seed", type=int, default=0, help="Of the sample.")
@option("--min-images", type=click.IntRange(min=0), default=0, help="Images that a tag needs to stay a label.")
@option("--workers", type=click.IntRange(min=1), show_default=False, help="Threads.  [default: one a core]")
@root_option
def freeze(
    folder: str, output: Path, name: str, title: str, licence: str, trained_until: str, workers: int | None,
    root: Path | None, **chosen: Any,
) -> None:  # fmt: skip
    """Choose images of a dataset, pin every byte of them, and write them as a frozen folder.

    The same images and options give the same folder anywhere. Stopped at any point, the same command continues; done
    again, it changes nothing.

    Example: arena dataset freeze datasets/mine -o datasets/mine-1 --name mine-1
    """
    from arena.cards import find_dataset, find_models
    from arena.cli.terminal.console import Terminal
    from arena.dataset.freeze import About
    from arena.dataset.freeze import freeze as freeze_dataset
    from arena.dataset.selection import Selection

    models = find_models(split_names(trained_until), root) if split_names(trained_until) else []
    frozen = freeze_dataset(
        find_dataset(folder, root), output, about=About(name, title, licence),
        selection=Selection(trained_until=tuple(models), **chosen), workers=workers, progress=Terminal(),
    )  # fmt: skip
    said = "" if frozen.written else "; the very same set was there, nothing is changed"
    click.echo(f"{output}: {frozen.images:,} images, digest {frozen.card.digest[:12]}{said}")
