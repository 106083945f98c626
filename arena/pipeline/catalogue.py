"""What there is: models, datasets and tags, and whether a model's files are on this machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from arena.base.errors import ArenaError, WeightsError
from arena.base.files import digest_files
from arena.base.progress import Progress, Silent
from arena.cards import ModelCard, Source, dataset_cards, find_dataset, model_cards
from arena.dataset.describe import describe
from arena.dataset.frozen import read_frozen
from arena.taggers.files import weights
from arena.taggers.files.hub import commit_of
from arena.taggers.files.tag_files import read_tags


class Pulled(NamedTuple):
    """A repository of the hub, and the commit of it that is here."""

    source: Source
    commit: str


class Fetched(NamedTuple):
    """A model's files on this machine.

    Attributes:
        unpinned: the repositories of the hub that they came from and that may come to hold other ones.
    """

    name: str
    folder: Path
    files: int
    size_bytes: int
    digest: str
    unpinned: tuple["Pulled", ...]


def pull(card: ModelCard, progress: Progress = Silent()) -> Fetched:
    """Fetch the files of a model, and check them.

    Raises:
        WeightsError: they are not to be had, or not what they should be.
    """
    if weights.find(card) is None:
        progress.note(f"{card.name}: fetching {', '.join(card.files)} from {card.hub or card.folder}")
    files = weights.fetch(card, progress)
    size = sum(path.stat().st_size for path in files.values())
    commits = {card.source(name): commit for name, path in files.items() if (commit := commit_of(path))}
    unpinned = tuple(Pulled(source, commits[source]) for source in card.unpinned if source in commits)
    return Fetched(card.name, weights.folder_of(files), len(files), size, digest_files(files), unpinned)


class Listing(NamedTuple):
    """A table of text."""

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class ListedModel:
    """What a list of models tells of one.

    Attributes:
        image_side: pixels, or None where only the weights tell it.
        tag_count: or None where neither the card nor files that are here tell it.
        size_bytes: of its files on this machine, or None where they are not here.
        unpinned: whether the hub may come to hold other files under its name.
        folder: where its files are, or may be put.
    """

    name: str
    title: str
    adapter: str
    licence: str
    image_side: int | None
    tag_count: int | None
    threshold: float | None
    category_thresholds: Mapping[str, float]
    trained_until: str
    verified: bool
    size_bytes: int | None
    hub: str | None
    revision: str | None
    unpinned: bool
    files: Sequence[str]
    folder: str
    notes: str


def list_models(root: Path | None) -> list[ListedModel]:
    """Every model that has a card, by name."""
    return [_listed(card) for card in sorted(model_cards(root).values(), key=lambda card: card.name)]


def _listed(card: ModelCard) -> ListedModel:
    files = _files_here(card)
    return ListedModel(
        name=card.name, title=card.title, adapter=card.adapter, licence=card.licence,
        image_side=card.preprocess.size or None, tag_count=card.tag_count or _count_tags(card, files),
        threshold=card.thresholds.default,
        category_thresholds=card.thresholds.categories, trained_until=card.trained_until, verified=card.verified,
        size_bytes=sum(path.stat().st_size for path in files.values()) if files else None, hub=card.hub,
        revision=card.revision, unpinned=bool(card.unpinned), files=card.files,
        folder=str(weights.folder_of(files) if files else card.folder),
        notes=card.notes,
    )  # fmt: skip


def _files_here(card: ModelCard) -> Mapping[str, Path] | None:
    try:
        return weights.find(card)
    except WeightsError:
        return None  # a list goes on; `arena verify` says what is wrong with it


def _count_tags(card: ModelCard, files: Mapping[str, Path] | None) -> int | None:
    if not files:
        return None
    try:
        return len(read_tags(card, files))
    except ArenaError:
        return None


def list_datasets(root: Path | None) -> Listing:
    """A row a dataset card."""
    cards = sorted(dataset_cards(root).values(), key=lambda card: card.name)
    rows = [
        (card.name, str(card.facts.get("images", "–")), card.digest[:12], card.licence, card.title) for card in cards
    ]
    return Listing(("dataset", "images", "digest", "licence", "title"), rows)


def list_tags(dataset: str, root: Path | None) -> Listing:
    """A row a tag of a dataset, by number of positives, then name."""
    truth = read_frozen(find_dataset(dataset, root)).truth
    positives = truth.values.sum(axis=0)
    order = sorted(range(len(truth.tags)), key=lambda column: (-positives[column], truth.tags.names[column]))
    rows = [(truth.tags.names[c], truth.tags.category(c), str(positives[c])) for c in order]
    return Listing(("tag", "category", "positives"), rows)


def describe_dataset(dataset: str, root: Path | None, *, min_positives: int, pairs: int) -> dict[str, Any]:
    """What a dataset is made of, as plain values."""
    return describe(read_frozen(find_dataset(dataset, root)), min_positives=min_positives, pairs=pairs)
