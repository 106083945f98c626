"""What there is: models, datasets and tags, and whether a model's files are on this machine."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from arena.cards import dataset_cards, find_dataset, find_models, model_cards
from arena.heldout.dataset import read_frozen
from arena.heldout.describe import describe
from arena.taggers import weights


class Fetched(NamedTuple):
    """A model's files on this machine."""

    name: str
    folder: Path
    size_mb: float
    digest: str


def pull(
    models: Sequence[str], root: Path | None, note: Callable[[str], None] = lambda text: None
) -> Iterator[Fetched]:
    """Fetch the files of models, one after the other."""
    for card in find_models(models, root):
        note(f"{card.name}: fetching {', '.join(card.files)} from {card.hub or card.folder}")
        files = weights.fetch(card)
        size = sum(path.stat().st_size for path in files.values()) / 1e6
        yield Fetched(card.name, next(iter(files.values())).parent, size, weights.digest_files(files))


class Listing(NamedTuple):
    """A table of text."""

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def list_models(root: Path | None) -> Listing:
    """A row a model card: whether its files are here, and whether its published weights were ever run."""
    header = ("model", "adapter", "threshold", "files here", "verified", "licence")
    rows = []
    for card in sorted(model_cards(root).values(), key=lambda card: card.name):
        threshold = "–" if card.thresholds.default is None else f"{card.thresholds.default:g}"
        here = "yes" if weights.find(card) else "no"
        rows.append((card.name, card.adapter, threshold, here, "yes" if card.verified else "no", card.licence))
    return Listing(header, rows)


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
