"""List models, datasets and tags, and fetch the files of a model.

Frozen datasets are read with pandas and scipy; they are imported where a dataset is read, so that lists of cards take no time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from arena.base.errors import ArenaError, WeightsError
from arena.base.files import digest_files
from arena.base.progress import Progress, Silent
from arena.cards import HubSource, ModelCard, dataset_cards, find_dataset, model_cards
from arena.taggers.files import weights
from arena.taggers.files.hub import commit_of
from arena.taggers.files.tag_files import read_tag_list


class PulledRepository(NamedTuple):
    """A repository of the hub, and the commit of its files on this machine."""

    source: HubSource
    commit: str


class PulledModel(NamedTuple):
    """The files of a model on this machine.

    Attributes:
        digest: SHA-256 over all files.
        unpinned: repositories of the files that have no fixed commit, so that their files may change.
    """

    name: str
    folder: Path
    files: int
    size_bytes: int
    digest: str
    unpinned: tuple["PulledRepository", ...]


def pull_model(card: ModelCard, progress: Progress = Silent()) -> PulledModel:
    """Fetch the files of a model and check them.

    Raises:
        WeightsError: a file cannot be fetched, or its content is not the expected one.
    """
    if weights.find_files(card) is None:
        progress.note(f"{card.name}: fetching {', '.join(card.files)} from {card.hub or card.folder}")
    files = weights.fetch_files(card, progress)
    size = sum(path.stat().st_size for path in files.values())
    commits = {card.source(name): commit for name, path in files.items() if (commit := commit_of(path))}
    unpinned = tuple(PulledRepository(source, commits[source]) for source in card.unpinned if source in commits)
    return PulledModel(card.name, weights.folder_of(files), len(files), size, digest_files(files), unpinned)


class Listing(NamedTuple):
    """A table of texts."""

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True)
class ListedModel:
    """One model of a list of models.

    Attributes:
        image_side: side of the input image in pixels; None if only the weights define it.
        tag_count: number of tags; None if neither the card nor the local files define it.
        size_bytes: size of its files on this machine; None if they are not here.
        unpinned: whether a repository of its files has no fixed commit, so that the files may change.
        folder: the folder of its files; if they are not here, the folder to put them in.
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
    """All models that have a card, sorted by name."""
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
        return weights.find_files(card)
    except WeightsError:
        return None  # one damaged model must not stop the list; `arena verify` reports the error


def _count_tags(card: ModelCard, files: Mapping[str, Path] | None) -> int | None:
    if not files:
        return None
    try:
        return len(read_tag_list(card, files))
    except ArenaError:
        return None


def list_datasets(root: Path | None) -> Listing:
    """One row per dataset card, sorted by name."""
    cards = sorted(dataset_cards(root).values(), key=lambda card: card.name)
    rows = [
        (card.name, str(card.facts.get("images", "–")), card.digest[:12], card.licence, card.title) for card in cards
    ]
    return Listing(("dataset", "images", "digest", "licence", "title"), rows)


def list_tags(dataset: str, root: Path | None) -> Listing:
    """One row per tag of a dataset, sorted by positives (descending), then by name."""
    from arena.dataset.frozen import read_frozen

    truth = read_frozen(find_dataset(dataset, root)).truth
    positives = truth.values.sum(axis=0)
    order = sorted(range(len(truth.tags)), key=lambda column: (-positives[column], truth.tags.names[column]))
    rows = [(truth.tags.names[c], truth.tags.category(c), str(positives[c])) for c in order]
    return Listing(("tag", "category", "positives"), rows)


def describe_dataset(dataset: str, root: Path | None, *, min_positives: int, pairs: int) -> dict[str, Any]:
    """Statistics of a dataset as plain values; see `arena.dataset.describe`."""
    from arena.dataset.describe import summarise_dataset
    from arena.dataset.frozen import read_frozen

    return summarise_dataset(read_frozen(find_dataset(dataset, root)), min_positives=min_positives, pairs=pairs)
