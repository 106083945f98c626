"""Find the card that a user names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from arena.base.errors import ArenaError, nearest
from arena.base.names import check_name, split_named
from arena.base.reading import read_toml
from arena.base.remote import RemotePath, as_path
from arena.cards.adapters import refuse_unknown_adapter
from arena.cards.dataset import DatasetCard, read_dataset_card
from arena.cards.layouts import card_of_folder, is_weights
from arena.cards.members import with_members
from arena.cards.model import CARD_FILE, ModelCard, Thresholds, read_model_card
from arena.cards.toml import CardTable

GROUPS_FILE = "groups.toml"
"""File in the folder of the cards with names of groups of models, such as `wd-v3 = ["wd-vit-v3", ...]`."""

STORE_FILE = "store.json"
"""File that marks a folder of scores from an earlier run."""


def roots(root: Path | None) -> list[Path]:
    """Return the folders with `models/` and `datasets/`: the user's, then the checkout's or the installed package's.

    Raises:
        ArenaError: the user's root is not a folder.
    """
    if root is not None and not root.is_dir():
        raise ArenaError(f"--root {root}: no such folder; name one that holds models/ or datasets/")
    package = Path(__file__).parent.parent
    checkout = package.parent
    shipped = checkout if (checkout / "pyproject.toml").exists() else package / "bundled"
    return [root.resolve(), shipped] if root is not None else [shipped]


def model_cards(root: Path | None = None) -> dict[str, ModelCard]:
    """Return every model card by name; a card in the user's root hides a bundled one of the same name."""
    paths = [path for path in _card_paths(root, "models/*.toml") if path.name != GROUPS_FILE]
    cards = {path: _unchanged_card(path, _state(path)) for path in paths}
    for path, card in cards.items():
        refuse_unknown_adapter(card.adapter, str(path))  # packages may have come or gone since the file was read
    return {card.name: card for card in cards.values()}


@cache
def _unchanged_card(path: Path, state: tuple[int, ...]) -> ModelCard:
    """Return the card of a file that is read once for each of its states: a command looks for cards several times."""
    return read_model_card(path)


def _state(path: Path) -> tuple[int, ...]:
    """Return numbers that differ after a change of a file; none if there is no such file."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def model_groups(root: Path | None = None) -> dict[str, tuple[str, ...]]:
    """Return every group of models by name; a user's group replaces a bundled one. A group of one model is an alias of it.

    Raises:
        ArenaError: a group is not a list of names.
    """
    groups = {}
    for path in _card_paths(root, f"models/{GROUPS_FILE}"):
        table = CardTable(read_toml(path), str(path))
        for name in list(table.content):
            check_name(name)
            groups[name] = tuple(table.texts(name))
    return groups


def model_patterns(root: Path | None = None) -> tuple[str, ...]:
    """Return the name patterns of families of models, sorted; `{arch}` stands for the member's own name."""
    return tuple(sorted({CardTable(read_toml(path), str(path)).text("name") for path in _pattern_paths(root)}))


def find_model(spec: str, root: Path | None = None) -> ModelCard:
    """Return the card of a model named by its card, by a pattern such as `animetimm-ARCH`, or by `NAME=PATH`.

    A path is a folder, a card, a file of weights, a file of scores, or a run's folder of scores.

    Raises:
        ArenaError: the name is unknown (the nearest are suggested) or names several models; the path does not exist or its
            layout is unknown; or a member of an ensemble is unknown.
    """
    cards, groups = model_cards(root), model_groups(root)
    members = groups.get(spec, ()) if spec not in cards else ()
    if len(members) > 1:
        raise ArenaError(f"{spec} names {len(members)} models: {', '.join(members)}; name one of them")
    return _find(members[0] if members else spec, cards, groups, root)


def find_models(specs: Sequence[str], root: Path | None = None) -> list[ModelCard]:
    """Return the cards of several models; a group stands for its models that are not also named singly.

    Raises:
        ArenaError: no model is named, or a name occurs twice.
    """
    cards, groups = model_cards(root), model_groups(root)
    if not specs:
        raise ArenaError("--models: no model is named; name some, separated by commas")
    single = [spec for spec in specs if spec in cards or spec not in groups]
    names = [split_named(spec).name for spec in single]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ArenaError(f"--models: {twice} is named twice; give the second one another name: OTHERNAME=PATH")
    wanted: dict[str, None] = {}
    for spec in specs:
        members = (spec,) if spec in single else [member for member in groups[spec] if member not in names]
        wanted |= dict.fromkeys(members)
    return [_find(spec, cards, groups, root) for spec in wanted]


def dataset_cards(root: Path | None = None) -> dict[str, DatasetCard]:
    """Return every dataset card by name; a card in the user's root hides a bundled one of the same name."""
    return {
        card.name: card for path in _card_paths(root, "datasets/*/dataset.toml") for card in [read_dataset_card(path)]
    }


def find_dataset(spec: str, root: Path | None = None) -> DatasetCard:
    """Return the card of a dataset named by its card, or by the path of a frozen folder."""
    folder = as_path(spec)
    if isinstance(folder, RemotePath) or (folder / "dataset.toml").exists():
        return read_dataset_card(folder / "dataset.toml")
    cards = dataset_cards(root)
    if spec not in cards:
        if folder.is_dir():
            raise ArenaError(
                f"{folder}: no dataset.toml in it, so it is not a dataset; make one of its images and tags: "
                f"arena dataset import {folder} -o NEW, then name NEW"
            )
        raise ArenaError(f"no dataset is called {spec!r}. {nearest(spec, cards)} Name a folder by its path")
    return cards[spec]


def _card_paths(root: Path | None, pattern: str) -> list[Path]:
    """Return the bundled cards, then the user's, so that the user's replace bundled ones of the same name."""
    return [path for place in reversed(roots(root)) for path in sorted(place.glob(pattern))]


def _pattern_paths(root: Path | None) -> list[Path]:
    return _card_paths(root, "models/patterns/*.toml")


def _find(spec: str, cards: Mapping[str, ModelCard], groups: Iterable[str], root: Path | None) -> ModelCard:
    name, path = split_named(spec)
    check_name(name)
    if path:
        return with_members(_local_card(name, Path(path), cards), cards)
    card = cards.get(name) or _patterned(name, root)
    if card is None:
        if name in groups:
            raise ArenaError(f"{GROUPS_FILE}: a group contains the group {name}; list its models instead")
        suggestion = nearest(name, {*cards, *groups})
        raise ArenaError(
            f"no model is called {name!r}. {suggestion} All: arena ls models. Name a local folder as NAME=PATH"
        )
    return with_members(card, cards)


def _patterned(name: str, root: Path | None) -> ModelCard | None:
    """Return the card of a family's member; a family is a card in `models/patterns/` with `{arch}` in its name."""
    fitting = []
    for path in _pattern_paths(root):
        before, _, behind = CardTable(read_toml(path), str(path)).text("name").partition("{arch}")
        arch = name.removeprefix(before).removesuffix(behind)
        if arch and f"{before}{arch}{behind}" == name:
            fitting.append((len(before + behind), path, arch))
    if not fitting:
        return None
    _, path, arch = max(fitting, key=lambda pattern: pattern[0])  # prefer `animetimm-ARCH-timm` to `animetimm-ARCH`
    return read_model_card(path, arch=arch)


def _local_card(name: str, folder: Path, cards: Mapping[str, ModelCard]) -> ModelCard:
    """Return the card of a path: its own, the card of the model with the same layout, or a card of existing scores."""
    if folder.suffix == ".toml" and folder.is_file():
        return replace(read_model_card(folder), name=name)
    if folder.suffix in (".npz", ".parquet") and not folder.is_dir():
        return _card_of_scores(name, folder.parent, (folder.name,), cards)
    if (folder / STORE_FILE).is_file():
        shards = sorted({path.name for path in folder.iterdir() if path.suffix in (".json", ".npy")} - {STORE_FILE})
        return _card_of_scores(name, folder, (STORE_FILE, *shards), cards)
    if is_weights(folder):
        return card_of_folder(name, folder, cards)
    if not folder.is_dir():
        raise ArenaError(f"model {name}: no folder {folder}; name one in JoyTag's or SmilingWolf's layout")
    if (folder / CARD_FILE).exists():
        return replace(read_model_card(folder / CARD_FILE), name=name)
    return card_of_folder(name, folder, cards)


def _card_of_scores(name: str, folder: Path, files: tuple[str, ...], cards: Mapping[str, ModelCard]) -> ModelCard:
    """Return a card of existing scores; it takes the thresholds of the card with the same name, as `arena score` does."""
    if not (folder / files[0]).is_file():
        raise ArenaError(f"model {name}: no file {folder / files[0]}; name an .npz or .parquet file of scores")
    thresholds = cards[name].thresholds if name in cards else Thresholds()
    return ModelCard(
        name, name, "precomputed", folder.resolve(), files, notes="scores from a file", thresholds=thresholds
    )
