"""The verbs that make a held-out dataset, each from the folder that the one before it wrote."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from arena.cli.options import config_option, min_positives_option, option, pictures_option, root_option
from arena.cli.verbs import Verbs, split_names

if TYPE_CHECKING:
    from arena.tags import TagRelations


def day(text: str | date) -> date:
    """A day as `2024-05-31`."""
    try:
        return text if isinstance(text, date) else date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day such as 2024-05-31") from None


@click.group("dataset", cls=Verbs)
def dataset() -> None:
    """Make, check and describe held-out datasets.

    Example: arena dataset import photos -o datasets/photos
    """


def relation_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Options that name what sites publish about their tags; `read_given` reads them."""
    options = [
        option(
            "--aliases", multiple=True, type=click.Path(path_type=Path), metavar="FILE", show_default=False,
            help="Export of aliases, or a tag-complete list; may be given again.",
        ),
        option(
            "--implications", multiple=True, type=click.Path(path_type=Path), metavar="FILE", show_default=False,
            help="Export of implications; may be given again.",
        ),
        option(
            "--blacklist", multiple=True, metavar="FILE|NAME", show_default=False,
            help="Tags that are no labels, or an export that tells deprecated ones, or danbooru-meta; may be given again.",
        ),
        option(
            "--categories", multiple=True, type=click.Path(path_type=Path), metavar="FILE", show_default=False,
            help="Export of tags, for categories that the source does not tell.",
        ),
    ]  # fmt: skip
    for one in reversed(options):
        verb = one(verb)
    return verb


class Given(NamedTuple):
    """What the options of `relation_options` name, read."""

    relations: "TagRelations"
    categories: Mapping[str, str]
    findings: list[str]


def read_given(settings: Mapping[str, Any], root: Path | None, own: Iterable[Path] = ()) -> Given:
    """Read the files that were given, with those that a dataset has of its own."""
    from arena.tag_exports import find_blacklist, read_categories, read_relations

    relations = read_relations(
        own, aliases=settings["aliases"], implications=settings["implications"],
        blacklist=[find_blacklist(one, root) for one in settings["blacklist"]],
    )  # fmt: skip
    known = read_categories(settings["categories"])
    return Given(relations, known.by_name, [*relations.findings, *known.findings])


HINTS = ("images", "path_column", "tags_column", "id_column", "rating_column", "separator", "tag_names")
"""Options of `import` that tell what a source does not."""


@dataset.command("import")
@config_option
@click.argument("source", type=click.Path(path_type=Path))
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="Folder to write.", show_default=False)
@option(
    "--as", "kind", metavar="KIND", show_default=False,
    help="folder, table, posts, joytag, webdataset or huggingface.  [default: found out]",
)  # fmt: skip
@option("--images", type=click.Path(path_type=Path), help="Folder of the images.", show_default=False)
@option("--path-column", default="", help="Column of paths.", show_default=False)
@option("--tags-column", default="", help="Column of tags.", show_default=False)
@option("--id-column", default="", help="Column of identifiers.", show_default=False)
@option("--rating-column", default="", help="Column of ratings.", show_default=False)
@option("--keep", default="", help="Further columns to keep; commas between.", show_default=False)
@option("--separator", default="auto", help="How tags in one text are parted: auto, comma, line or space.")
@option("--tag-names", type=click.Path(path_type=Path), help="Tag a line, where tags are numbers.", show_default=False)
@option("--transparent", type=click.Choice(["white", "drop"]), default="white", help="What becomes of transparency.")
@option("--animated", type=click.Choice(["drop", "first"]), default="drop", help="What becomes of animations.")
@option(
    "--max-pixels", type=click.IntRange(min=1), help="Refuse larger images.  [default: 89478485]", show_default=False
)
@relation_options
@option("--name", default="", help="Of the dataset.  [default: of its folder]", show_default=False)
@option("--title", default="", help="Of the dataset.", show_default=False)
@option("--licence", default="unknown", help="Of the images.")
@option("--workers", type=click.IntRange(min=1), help="Threads.  [default: one a core]", show_default=False)
@option("--limit", "-L", type=click.IntRange(min=1), help="Read at most so many rows.", show_default=False)
@root_option
def import_(source: Path, output: Path, kind: str | None, root: Path | None, **settings: Any) -> None:
    """Make a dataset of images that are there: decode, hash, store and describe each one once.

    Reads a folder with .txt or .json tags beside the images, a table of paths and tags (CSV, TSV, JSON lines, Parquet),
    Danbooru posts, JoyTag's Parquet, webdataset tars, or a saved Hugging Face dataset. What cannot be taken is named in
    rejects.csv. Stopped at any point, the same command continues.

    Example: arena dataset import photos -o datasets/photos
    """
    from arena.heldout.collect import Wanted, collect
    from arena.heldout.sources import open_source
    from arena.heldout.sources.hints import Hints
    from arena.images import MAX_PIXELS, ImagePolicy
    from arena.terminal import Terminal, show_findings, show_table

    terminal = Terminal()
    keep = tuple(split_names(settings["keep"]))
    hints = Hints(keep=keep, **{name: settings[name] for name in HINTS})
    opened = open_source(source, kind, hints)
    terminal.note(f"{source}: {opened.kind}, {opened.found}")
    policy = ImagePolicy(settings["animated"], settings["transparent"], settings["max_pixels"] or MAX_PIXELS)
    given = read_given(settings, root)
    wanted = Wanted(
        policy, given.relations, given.categories,
        **{name: settings[name] for name in ("name", "title", "licence", "limit", "workers")},
    )  # fmt: skip
    outcome = collect(opened, output, wanted, terminal)
    show_findings(given.findings)
    rejected = [(reason, f"{count:,}") for reason, count in outcome.rejected.most_common()]
    show_table(("", "rows"), [("read", f"{outcome.rows:,}"), *rejected, ("kept", f"{outcome.images:,}")])
    click.echo(f"{output}: {outcome.images:,} images, {outcome.tags:,} tags; rejects in {output / 'rejects.csv'}")


@dataset.command("tags")
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
    from arena.heldout.canonical import canonicalise, write_canonical
    from arena.heldout.dataset import read_frozen
    from arena.tag_exports import relation_files
    from arena.terminal import Terminal, show_findings

    read = read_frozen(find_dataset(folder, root))
    given = read_given(settings, root, relation_files(read.card.folder))
    made = canonicalise(read, given.relations, given.categories)
    digest = write_canonical(read, made, output, name=name, progress=Terminal())
    show_findings(given.findings)
    click.echo(made.step["why"])
    click.echo(f"{output}: {len(read)} images, {len(made.tags)} tags, digest {digest[:12]}")


@dataset.command()
@config_option
@click.argument("api", metavar="danbooru", type=click.Choice(["danbooru"]))
@option("--before-id", type=click.IntRange(min=1), required=True, help="Only older posts.", show_default=False)
@option("--after-id", type=click.IntRange(min=0), default=0, help="Only newer posts.")
@option("--count", type=click.IntRange(min=1), required=True, help="Posts to take.", show_default=False)
@option(
    "--output", "-o", type=click.Path(path_type=Path), required=True, help="Folder to fetch into.", show_default=False
)
@option("--ratings", default="g,s", help="Of g, s, q, e; commas between.")
@option("--types", default="jpg,jpeg,png,webp,gif,avif", help="Suffixes of files to take; commas between.")
@option(
    "--rate", type=click.FloatRange(0, 10, min_open=True), default=1.0, metavar="N",
    help="Requests a second, for posts and files together; at most 10.",
)  # fmt: skip
@option("--base-url", default="https://danbooru.donmai.us", help="Another host with this API.")
@option("--file-host", default="", help="Hosts of files outside the domain; commas between.", show_default=False)
@option("--user-agent", help="Who asks.  [default: arena and its version]", show_default=False)
@click.option("--no-tag-filter", is_flag=True, help="Also take posts with tags that are unlawful in many places.")
def fetch(
    api: str, before_id: int, after_id: int, count: int, output: Path, no_tag_filter: bool, **settings: Any
) -> None:
    """Fetch posts and images older than a post, slowly; stopped, the same command continues.

    Writes posts.jsonl, images/, fetch.toml and rejects.csv. An account, if you have one, goes into the environment:
    ARENA_DANBOORU_LOGIN and ARENA_DANBOORU_API_KEY.

    Example: arena dataset fetch danbooru --before-id 6769098 --count 1000 -o danbooru-held-out
    """
    from arena.heldout import fetch as fetching
    from arena.heldout.fetch_address import Credentials, base_of
    from arena.heldout.fetch_client import USER_AGENT, Pace, PoliteClient
    from arena.heldout.fetch_filter import NO_FILTER_WARNING, wish_of
    from arena.terminal import Terminal

    terminal = Terminal()
    wish = wish_of(split_names(settings["ratings"]), split_names(settings["types"]), tag_filter=not no_tag_filter)
    base = base_of(settings["base_url"])
    query = fetching.Query(host=str(base), before_id=before_id, after_id=after_id, count=count, wish=wish)
    if no_tag_filter:
        terminal.note(NO_FILTER_WARNING)
    with PoliteClient(
        base, pace=Pace(1 / settings["rate"]), user_agent=settings["user_agent"] or USER_AGENT, note=terminal.note,
        credentials=Credentials.from_environment(), file_hosts=tuple(split_names(settings["file_host"].lower())),
    ) as client:  # fmt: skip
        click.echo(fetching.fetch(query, output, client=client, progress=terminal).told(output, query))


@dataset.command()
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
    from arena.heldout.freeze import About
    from arena.heldout.freeze import freeze as freeze_dataset
    from arena.heldout.selection import Selection
    from arena.terminal import Terminal

    models = find_models(split_names(trained_until), root) if split_names(trained_until) else []
    frozen = freeze_dataset(
        find_dataset(folder, root), output, about=About(name, title, licence),
        selection=Selection(trained_until=tuple(models), **chosen), workers=workers, progress=Terminal(),
    )  # fmt: skip
    said = "" if frozen.written else "; the very same set was there, nothing is changed"
    click.echo(f"{output}: {frozen.images:,} images, digest {frozen.card.digest[:12]}{said}")


@dataset.command()
@click.argument("folder")
@option("--decode", is_flag=True, show_default=False, help="Also decode every image.")
@option("--workers", type=click.IntRange(min=1), show_default=False, help="Threads.  [default: one a core]")
@root_option
def verify(folder: str, decode: bool, workers: int | None, root: Path | None) -> None:
    """Check every byte of a frozen dataset against its card and its table.

    Prints a line a fault, at most 20, and how many there are; exits with 2 if there is any.

    Example: arena dataset verify datasets/mine-1
    """
    from arena.cards import find_dataset
    from arena.heldout import verify as verifying
    from arena.terminal import Terminal

    card = find_dataset(folder, root)
    found = verifying.verify(card, decoding=decode, workers=workers, progress=Terminal())
    for line in verifying.fault_lines(found):
        click.echo(line)
    verifying.refuse_faults(card, found)
    click.echo(f"{folder}: {found.images:,} images, {found.size_bytes:,} bytes, digest {found.digest[:12]}: as frozen")


@dataset.command()
@click.argument("folder")
@option("--json", "as_json", is_flag=True, show_default=False, help="Everything, as JSON.")
@min_positives_option
@option("--pairs", type=click.IntRange(min=0), default=15, help="Pairs of tags that are listed.")
@root_option
def describe(folder: str, as_json: bool, min_positives: int, pairs: int, root: Path | None) -> None:
    """Tell what a dataset is made of: tags, pairs, ratings, sizes, and what every step dropped.

    Example: arena dataset describe demo
    """
    from arena.catalogue import describe_dataset
    from arena.report.dataset_text import dataset_text

    description = describe_dataset(folder, root, min_positives=min_positives, pairs=pairs)
    click.echo(json.dumps(description, indent=1) if as_json else dataset_text(description), nl=as_json)


@dataset.command()
@click.argument("folder")
@option("--output", "-o", required=True, type=click.Path(path_type=Path), show_default=False, help="Page to write.")
@option(
    "--pictures", multiple=True, metavar="[SOURCE=]FOLDER", show_default=False,
    help="Dataset with pictures that this one dropped, or with those of an index; may be given again.",
)  # fmt: skip
@option("--blur", default="q,e", help="Ratings blurred until asked: g, s, q, e, unknown; or none.")
@option("--pairs", type=click.IntRange(0, 500), default=120, help="Pairs of duplicates that are shown.")
@root_option
def card(folder: str, output: Path, pictures: tuple[str, ...], blur: str, pairs: int, root: Path | None) -> None:
    """Write a page that tells a dataset: how it was made, its tags, and the duplicates that were found, side by side.

    Example: arena dataset card datasets/mine-1 -o card.html
    """
    from arena.dataset_card import write_card
    from arena.terminal import Terminal

    page = write_card(
        folder, output, pictures=pictures, blur=split_names(blur), pairs=pairs, root=root, progress=Terminal()
    )
    click.echo(f"{page}")


@dataset.command()
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
    from arena.heldout.copy_policy import Rule
    from arena.heldout.dataset import read_frozen
    from arena.heldout.dedup import dedup, read_sources
    from arena.terminal import Terminal, show_table

    done = dedup(
        read_frozen(find_dataset(folder, root)), output, against=read_sources(against, pictures, root),
        rule=Rule(radius, policy, alternates), progress=Terminal(),
    )  # fmt: skip
    show_table(("pairs", "class"), [(f"{count:,}", name) for name, count in sorted(done.classes.items())])
    show_table(("step", "kept", "dropped"), [(s["name"], f"{s['kept']:,}", f"{s['dropped']:,}") for s in done.steps])
    click.echo(f"{output}: {done.steps[-1]['kept']:,} images, digest {done.digest[:12]}")
