"""Where cards are, and how a user names one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from arena.cards.dataset import DatasetCard, read_dataset_card
from arena.cards.members import with_members
from arena.cards.model import CARD_FILE, ModelCard, Thresholds, read_model_card
from arena.cards.names import check_name
from arena.errors import ArenaError, nearest

LAYOUTS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("model.safetensors", "config.json", "top_tags.txt"), "joytag"),
    (("model.pt", "config.json", "top_tags.txt"), "joytag"),
    (("model.onnx", "selected_tags.csv"), "wd14"),
    (("model.safetensors", "config.json", "selected_tags.csv"), "wd-vit-v3-timm"),
)
"""Files that tell what a local folder holds, weights first -> the card whose preprocessing and thresholds it follows."""

STORE_FILE = "store.json"
"""A folder that holds this file holds scores of an earlier run."""


def roots(root: Path | None) -> list[Path]:
    """Folders that hold `models/` and `datasets/`: the user's, then the checkout's or the installed package's.

    Raises:
        ArenaError: the user's root is no folder.
    """
    if root is not None and not root.is_dir():
        raise ArenaError(f"--root {root}: no such folder; name one that holds models/ or datasets/")
    package = Path(__file__).parent.parent
    checkout = package.parent
    shipped = checkout if (checkout / "pyproject.toml").exists() else package / "bundled"
    return [root.resolve(), shipped] if root is not None else [shipped]


def model_cards(root: Path | None = None) -> dict[str, ModelCard]:
    """Every model card by name; a card under the user's root hides a shipped one of the same name."""
    return {card.name: card for path in _card_paths(root, "models/*.toml") for card in [read_model_card(path)]}


def find_model(spec: str, root: Path | None = None) -> ModelCard:
    """The card of a model named by its card, or by `NAME=PATH`: a folder, a card, a file or a run's folder of scores.

    Raises:
        ArenaError: no such name (the nearest are suggested), nothing at the path, a folder in no known layout, or an
            ensemble of what there is not.
    """
    name, separator, path = spec.partition("=")
    check_name(name)
    cards = model_cards(root)
    if separator:
        return with_members(_local_card(name, Path(path), cards), cards)
    if name not in cards:
        raise ArenaError(f"no model is called {name!r}. {nearest(name, cards)} A local folder enters as NAME=PATH")
    return with_members(cards[name], cards)


def find_models(specs: Sequence[str], root: Path | None = None) -> list[ModelCard]:
    """The cards of several models, each named once.

    Raises:
        ArenaError: none, or two of one name.
    """
    cards = [find_model(spec, root) for spec in specs]
    names = [card.name for card in cards]
    if not cards:
        raise ArenaError("--models: no model is named; name some, separated by commas")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ArenaError(f"--models: {twice} is named twice; a second one enters as OTHERNAME=PATH")
    return cards


def dataset_cards(root: Path | None = None) -> dict[str, DatasetCard]:
    """Every dataset card by name, likewise."""
    return {
        card.name: card for path in _card_paths(root, "datasets/*/dataset.toml") for card in [read_dataset_card(path)]
    }


def find_dataset(spec: str, root: Path | None = None) -> DatasetCard:
    """The card of a dataset named by its card, or by the path of a frozen folder."""
    folder = Path(spec)
    if (folder / "dataset.toml").exists():
        return read_dataset_card(folder / "dataset.toml")
    cards = dataset_cards(root)
    if spec not in cards:
        if folder.is_dir():
            raise ArenaError(f"{folder}: no dataset.toml in it, so it is no frozen dataset")
        raise ArenaError(f"no dataset is called {spec!r}. {nearest(spec, cards)} A folder is named by its path")
    return cards[spec]


def _card_paths(root: Path | None, pattern: str) -> list[Path]:
    """The shipped cards, then the user's, which thus come to hold."""
    return [path for place in reversed(roots(root)) for path in sorted(place.glob(pattern))]


def _local_card(name: str, folder: Path, cards: Mapping[str, ModelCard]) -> ModelCard:
    """A card for a path: its own, that of the model whose layout it has, or one of scores that are there already."""
    if folder.suffix == ".toml" and folder.is_file():
        return replace(read_model_card(folder), name=name)
    if folder.suffix == ".npz" and not folder.is_dir():
        return _card_of_scores(name, folder.parent, (folder.name,), cards)
    if (folder / STORE_FILE).is_file():
        shards = sorted({path.name for path in folder.iterdir() if path.suffix in (".json", ".npy")} - {STORE_FILE})
        return _card_of_scores(name, folder, (STORE_FILE, *shards), cards)
    if not folder.is_dir():
        raise ArenaError(f"model {name}: no folder {folder}; name one in JoyTag's or SmilingWolf's layout")
    if (folder / CARD_FILE).exists():
        return replace(read_model_card(folder / CARD_FILE), name=name)
    for files, family in LAYOUTS:
        if all((folder / file).exists() for file in files):
            kin = cards[family]
            return replace(
                kin, name=name, title=name, folder=folder.resolve(), hub=None, revision=None, sha256={},
                licence="unknown", trained_until="unknown", verified=False, notes=f"local folder, read as {kin.name}",
                files=files,
            )  # fmt: skip
    wanted = "; or ".join(", ".join(files) for files, _ in LAYOUTS)
    raise ArenaError(f"model {name}: {folder} is in no layout that is known; it needs {wanted}")


def _card_of_scores(name: str, folder: Path, files: tuple[str, ...], cards: Mapping[str, ModelCard]) -> ModelCard:
    """A card for scores of anywhere; the thresholds are those of the card of that name, as `arena score` has it."""
    if not (folder / files[0]).is_file():
        raise ArenaError(f"model {name}: no file {folder / files[0]}; name an .npz file of scores")
    thresholds = cards[name].thresholds if name in cards else Thresholds()
    return ModelCard(
        name, name, "precomputed", folder.resolve(), files, notes="scores from a file", thresholds=thresholds
    )
