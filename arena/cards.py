"""Cards: what is known of a tagger or a dataset, as TOML, read and validated.

Cards lie in `models/` and `datasets/` of a root: the folder that `--root` names, then the checkout, or else the installed
package. A card that is wrong is refused with the field, what was seen, and what is allowed.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from arena.errors import ArenaError, nearest
from arena.tags import CATEGORY_NAMES

ADAPTERS = ("joytag", "onnx", "timm")
"""Names of the adapters in `arena.taggers`."""

LAYOUTS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("model.safetensors", "config.json", "top_tags.txt"), "joytag"),
    (("model.pt", "config.json", "top_tags.txt"), "joytag"),
    (("model.onnx", "selected_tags.csv"), "wd14"),
    (("model.safetensors", "config.json", "selected_tags.csv"), "wd-vit-v3-timm"),
)
"""Files that tell what a local folder holds, weights first -> the card whose preprocessing and thresholds it follows."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")

CARD_FILE = "card.toml"
"""A card of this name inside a model's folder speaks for that folder."""


@dataclass(frozen=True)
class Preprocess:
    """Which pixels a tagger wants; two equal ones are computed once and shared.

    The image is padded to a square around its centre (offset `//2`), then resized.

    Attributes:
        size: side of the square, pixels; 0 where the weights tell it.
        pad_colour: red, green, blue, 0 to 255.
        resize: filter, by Pillow's name: `bicubic`, `bilinear`, `lanczos`, `box`, `nearest`.
    """

    size: int = 0
    pad_colour: tuple[int, int, int] = (255, 255, 255)
    resize: str = "bicubic"


@dataclass(frozen=True)
class InputSpec:
    """How pixels become the network's input: `(pixels / scale - mean) / std`, channel by channel.

    Attributes:
        channels: `rgb` or `bgr`, the order that the network wants; mean and std are in this order.
        scale: divisor, 255 or 1.
    """

    channels: str = "rgb"
    scale: float = 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Thresholds:
    """The vendor's thresholds: one for all tags, and another for some categories."""

    default: float | None = None
    categories: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelCard:
    """What is known of one tagger.

    Attributes:
        name: how users call it.
        adapter: one of `ADAPTERS`.
        folder: where its files are or may be put.
        hub, revision: where they are fetched, or None.
        files: what it needs, weights first.
        sha256: digest of some of its files, where it is known.
        output: `logits` or `probabilities`.
        verified: whether the published weights were run by this project.
    """

    name: str
    title: str
    adapter: str
    folder: Path
    files: tuple[str, ...]
    hub: str | None = None
    revision: str | None = None
    sha256: Mapping[str, str] = field(default_factory=dict)
    licence: str = "unknown"
    trained_until: str = "unknown"
    verified: bool = False
    notes: str = ""
    preprocess: Preprocess = field(default_factory=Preprocess)
    input: InputSpec = field(default_factory=InputSpec)
    output: str = "probabilities"
    thresholds: Thresholds = field(default_factory=Thresholds)


@dataclass(frozen=True)
class DatasetCard:
    """What is known of one frozen dataset.

    Attributes:
        folder: where `images.parquet` and `images/` are.
        digest: SHA-256 of the set when it was frozen, or empty.
        facts: everything else on the card.
    """

    name: str
    title: str
    folder: Path
    licence: str = "unknown"
    digest: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def roots(root: Path | None) -> list[Path]:
    """Folders that hold `models/` and `datasets/`: the user's, then the checkout's or the installed package's.

    Raises:
        ArenaError: the user's root is no folder.
    """
    if root is not None and not root.is_dir():
        raise ArenaError(f"--root {root}: no such folder; name one that holds models/ or datasets/")
    package = Path(__file__).parent
    checkout = package.parent
    shipped = checkout if (checkout / "pyproject.toml").exists() else package / "bundled"
    return [root.resolve(), shipped] if root is not None else [shipped]


def model_cards(root: Path | None = None) -> dict[str, ModelCard]:
    """Every model card by name; a card under the user's root hides a shipped one of the same name."""
    return {card.name: card for path in _card_paths(root, "models/*.toml") for card in [read_model_card(path)]}


def find_model(spec: str, root: Path | None = None) -> ModelCard:
    """The card of a model named by its card, or by `NAME=PATH` for a local folder.

    Raises:
        ArenaError: no such name (the nearest are suggested), no such folder, or a folder in no known layout.
    """
    name, separator, path = spec.partition("=")
    check_name(name)
    cards = model_cards(root)
    if separator:
        return _local_card(name, Path(path), cards)
    if name not in cards:
        raise ArenaError(f"no model is called {name!r}. {nearest(name, cards)} A local folder enters as NAME=PATH")
    return cards[name]


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


def check_name(name: str) -> None:
    """Refuse a name of a model or a dataset that cannot be the name of a file."""
    if not _NAME.fullmatch(name):
        raise ArenaError(
            f"{name!r}: a name is made of letters, digits and . _ + - and starts with one of the first two"
        )


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


def read_model_card(path: Path) -> ModelCard:
    """Read one model card; its files are expected in the folder of the card's name beside it, or where it says `folder`.

    Raises:
        ArenaError: no TOML, a field unknown, missing, or of a value that is not allowed.
    """
    table = _Table(_load(path), str(path))
    name = table.text("name")
    check_name(name)
    card = ModelCard(
        name=name,
        title=table.text("title", name),
        adapter=table.choice("adapter", ADAPTERS),
        folder=(path.parent / table.text("folder", name if path.name != CARD_FILE else ".")).resolve(),
        files=tuple(table.texts("files")),
        hub=table.text("hub", "") or None,
        revision=table.text("revision", "") or None,
        sha256=table.table("sha256").strings(),
        licence=table.text("licence", "unknown"),
        trained_until=table.text("trained_until", "unknown"),
        verified=table.flag("verified", False),
        notes=table.text("notes", ""),
        preprocess=_preprocess(table.table("preprocess")),
        input=_input(table.table("input")),
        output=table.choice("output", ("logits", "probabilities"), "probabilities"),
        thresholds=_thresholds(table.table("thresholds")),
    )
    table.finish()
    return card


def read_dataset_card(path: Path) -> DatasetCard:
    """Read `dataset.toml` of a frozen folder."""
    facts = _load(path)
    table = _Table(dict(facts), str(path))
    name = table.text("name")
    check_name(name)
    return DatasetCard(
        name=name,
        title=table.text("title", name),
        folder=path.parent.resolve(),
        licence=table.text("licence", "unknown"),
        digest=table.text("digest", ""),
        facts=facts,
    )


def _card_paths(root: Path | None, pattern: str) -> list[Path]:
    """The shipped cards, then the user's, which thus come to hold."""
    return [path for place in reversed(roots(root)) for path in sorted(place.glob(pattern))]


def _local_card(name: str, folder: Path, cards: Mapping[str, ModelCard]) -> ModelCard:
    """A card for a folder: its own, or that of the model whose layout it has."""
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


def _preprocess(table: "_Table") -> Preprocess:
    colour = table.numbers("pad_colour", (255, 255, 255))
    if any(value != int(value) or not 0 <= value <= 255 for value in colour):
        raise ArenaError(f"{table.where}: pad_colour = {list(colour)}; three whole numbers from 0 to 255")
    preprocess = Preprocess(
        size=int(table.number("size", 0)),
        pad_colour=(int(colour[0]), int(colour[1]), int(colour[2])),
        resize=table.choice("resize", ("bicubic", "bilinear", "lanczos", "box", "nearest"), "bicubic"),
    )
    table.finish()
    return preprocess


def _input(table: "_Table") -> InputSpec:
    spec = InputSpec(
        channels=table.choice("channels", ("rgb", "bgr"), "rgb"),
        scale=table.number("scale", 255.0),
        mean=table.numbers("mean", (0.0, 0.0, 0.0)),
        std=table.numbers("std", (1.0, 1.0, 1.0)),
    )
    table.finish()
    return spec


def _thresholds(table: "_Table") -> Thresholds:
    default = table.number("default", -1.0)
    categories = table.table("categories").floats()
    table.finish()
    for name in categories:
        if name not in CATEGORY_NAMES.values():
            raise ArenaError(f"{table.where}: no category is called {name!r}. {nearest(name, CATEGORY_NAMES.values())}")
    for name, value in (("default", default), *categories.items()):
        if not 0 <= value <= 1 and (name, value) != ("default", -1.0):
            raise ArenaError(f"{table.where}: threshold {name} = {value}; it must lie in 0 to 1")
    return Thresholds(default if default >= 0 else None, categories)


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArenaError(f"{path}: no readable TOML ({error})") from None


_MISSING: Any = object()


class _Table:
    """One TOML table, read field by field; what is left over at `finish` is a mistake."""

    def __init__(self, content: dict[str, Any], where: str) -> None:
        self.content = content
        self.where = where
        self.known: list[str] = []

    def take(self, key: str, kinds: tuple[type, ...], default: Any) -> Any:
        self.known.append(key)
        value = self.content.pop(key, default)
        if value is _MISSING:
            raise ArenaError(f"{self.where}: no {key}; add it")
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ArenaError(f"{self.where}: {key} = {value!r}; it must be {kinds[0].__name__}")
        return value

    def text(self, key: str, default: Any = _MISSING) -> str:
        return str(self.take(key, (str,), default))

    def texts(self, key: str) -> list[str]:
        values = self.take(key, (list,), _MISSING)
        if not values or not all(isinstance(value, str) for value in values):
            raise ArenaError(f"{self.where}: {key} = {values!r}; it must list at least one name")
        return list(values)

    def choice(self, key: str, allowed: tuple[str, ...], default: Any = _MISSING) -> str:
        value = self.text(key, default)
        if value not in allowed:
            raise ArenaError(f"{self.where}: {key} = {value!r}; allowed: {', '.join(allowed)}")
        return value

    def number(self, key: str, default: Any = _MISSING) -> float:
        return float(self.take(key, (float, int), default))

    def numbers(self, key: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
        values = self.take(key, (list, tuple), default)
        if len(values) != 3 or any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in values):
            raise ArenaError(f"{self.where}: {key} = {values!r}; it must be three numbers, one a channel")
        return float(values[0]), float(values[1]), float(values[2])

    def flag(self, key: str, default: bool) -> bool:
        return bool(self.take(key, (bool,), default))

    def table(self, key: str) -> "_Table":
        return _Table(self.take(key, (dict,), {}), f"{self.where}: [{key}]")

    def strings(self) -> dict[str, str]:
        return {key: self.text(key) for key in self.keys()}

    def floats(self) -> dict[str, float]:
        return {key: self.number(key) for key in self.keys()}

    def keys(self) -> Iterator[str]:
        return iter(list(self.content))

    def finish(self) -> None:
        for key in self.content:
            raise ArenaError(f"{self.where}: {key} is no field of a card. {nearest(key, self.known)}")
