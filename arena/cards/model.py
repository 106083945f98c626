"""What is known of a tagger: where its files are, what it wants and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import NamedTuple

from arena.cards.adapters import check_adapter
from arena.cards.names import check_name
from arena.cards.toml import Table, load_toml
from arena.errors import ArenaError, nearest
from arena.tags import CATEGORY_NAMES

FILTERS = {
    "pil": ("bicubic", "bilinear", "lanczos", "box", "nearest"),
    "opencv": ("bicubic", "bilinear", "lanczos", "area", "nearest"),
    "torch": ("bicubic", "bilinear"),
}
"""The filters of each library by which a picture is resized."""

TAG_FORMATS = (
    "top_tags", "selected_tags", "tags_json", "tag_mapping", "camie_metadata", "classes_json", "deepdanbooru", "config_tags",
)  # fmt: skip
"""How lists of tags are written; `arena.taggers.tag_files` reads each."""

THRESHOLD_FORMATS = ("selected_tags", "thresholds_csv", "threshold_json", "camie_metadata", "pr_thresholds")
"""How files of thresholds are written."""

CARD_FILE = "card.toml"
"""A card of this name inside a model's folder speaks for that folder."""


@dataclass(frozen=True)
class Preprocess:
    """Which pixels a tagger wants; two equal ones are computed once and shared.

    Attributes:
        size: side of the square, pixels; 0 where the weights tell it.
        pad: `before` the resize, `after` it, or `none`, which squashes the picture; padded around its centre (offset `//2`).
        pad_mode: `colour`, or `edge` for the nearest pixel's.
        pad_colour: red, green, blue, 0 to 255.
        enlarge: whether a small picture is enlarged; if not, it is padded to the whole size.
        resize: filter, by its name in the library: `bicubic`, `bilinear`, `lanczos`, `box`, `nearest`, `area`.
        resize_up: another filter for pictures that are enlarged; empty: the same.
        library: whose filter: `pil`, `opencv` or `torch` (antialiased, on uint8).
        alpha: what shows through transparency, 0 to 255.
    """

    size: int = 0
    pad: str = "before"
    pad_mode: str = "colour"
    pad_colour: tuple[int, int, int] = (255, 255, 255)
    enlarge: bool = True
    resize: str = "bicubic"
    resize_up: str = ""
    library: str = "pil"
    alpha: tuple[int, int, int] = (255, 255, 255)


@dataclass(frozen=True)
class InputSpec:
    """How pixels become the network's input: `(pixels / scale - mean) / std`, channel by channel.

    Attributes:
        channels: `rgb` or `bgr`, the order that the network wants; mean and std are in this order.
        scale: divisor, 255 or 1.
        layout: `nhwc` or `nchw`, or `auto` where the graph tells it.
        name: of the graph's input; empty: its first.
        padding_mask: name of a further input, bool (n, size, size), true where a pixel is padding; empty: none.
    """

    channels: str = "rgb"
    scale: float = 255.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    layout: str = "auto"
    name: str = ""
    padding_mask: str = ""


@dataclass(frozen=True)
class TagFile:
    """Which file tells the tags, and how it is written.

    Attributes:
        file: one of the card's files.
        format: one of `TAG_FORMATS`.
    """

    file: str
    format: str


@dataclass(frozen=True)
class Thresholds:
    """The vendor's thresholds: one for all tags, another for some categories, and another for single tags.

    Attributes:
        file: one of the card's files that tells those of categories or tags; empty: none.
        format: one of `THRESHOLD_FORMATS`.
        profile: which of several sets in the file, such as `balanced`; empty: its only one.
        tags: by name; read from the file.
    """

    default: float | None = None
    categories: Mapping[str, float] = field(default_factory=dict)
    file: str = ""
    format: str = ""
    profile: str = ""
    tags: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelCard:
    """What is known of one tagger.

    Attributes:
        name: how users call it.
        adapter: one of `ADAPTERS`, or one that an installed package offers.
        folder: where its files are or may be put.
        hub, revision: where they are fetched, or None.
        files: what it needs, weights first; none for an ensemble.
        sha256: digest of some of its files, where it is known.
        output: `logits` or `probabilities`.
        output_name: of the graph's output; empty: its first.
        tags: where its tags are told; None: as the adapter's layout has it.
        verified: whether the published weights were run by this project.
        members: names of the models of an ensemble, in order; none for any other.
        weights: how much each of them counts, above 0; all alike where none is told.
        member_cards: their cards, once they are looked up.
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
    output_name: str = ""
    tags: TagFile | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    members: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    member_cards: "tuple[ModelCard, ...]" = ()

    @property
    def single(self) -> "tuple[ModelCard, ...]":
        """The cards that have files: those of an ensemble's members, or this one."""
        return self.member_cards or (self,)


def read_model_card(path: Path) -> ModelCard:
    """Read one model card; its files are expected in the folder of the card's name beside it, or where it says `folder`.

    Raises:
        ArenaError: no TOML, a field unknown, missing, or of a value that is not allowed.
    """
    table = Table(load_toml(path), str(path))
    name = table.text("name")
    check_name(name)
    adapter = table.text("adapter")
    check_adapter(adapter, str(path))
    members = _members(table) if adapter == "ensemble" else _Members()
    card = ModelCard(
        name=name,
        title=table.text("title", name),
        adapter=adapter,
        folder=(path.parent / table.text("folder", name if path.name != CARD_FILE else ".")).resolve(),
        files=() if members.names else tuple(table.texts("files")),
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
        output_name=table.text("output_name", ""),
        tags=_tag_file(table.table("tags")),
        thresholds=_thresholds(table.table("thresholds")),
        members=members.names,
        weights=members.weights,
    )
    table.finish()
    return card


class _Members(NamedTuple):
    """Of an ensemble."""

    names: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()


def _members(table: Table) -> _Members:
    """`members = ["a", "b"]`, and `weights = [2, 1]` where they do not count alike."""
    names = tuple(table.texts("members"))
    if len(names) < 2 or len(set(names)) < len(names):
        raise ArenaError(f"{table.where}: members = {list(names)}; an ensemble has at least two, each named once")
    weights = table.take("weights", (list,), [])
    if any(
        isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < inf for weight in weights
    ):
        raise ArenaError(f"{table.where}: weights = {weights}; each must be a number above 0")
    if weights and len(weights) != len(names):
        raise ArenaError(f"{table.where}: {len(weights)} weights for {len(names)} members; give each member one")
    return _Members(names, tuple(map(float, weights)))


def _preprocess(table: Table) -> Preprocess:
    library = table.choice("library", tuple(FILTERS), "pil")
    preprocess = Preprocess(
        size=int(table.number("size", 0)),
        pad=table.choice("pad", ("before", "after", "none"), "before"),
        pad_mode=table.choice("pad_mode", ("colour", "edge"), "colour"),
        pad_colour=_colour(table, "pad_colour"),
        enlarge=table.flag("enlarge", True),
        resize=table.choice("resize", FILTERS[library], "bicubic"),
        resize_up=table.choice("resize_up", ("", *FILTERS[library]), ""),
        library=library,
        alpha=_colour(table, "alpha"),
    )
    table.finish()
    return preprocess


def _colour(table: Table, key: str) -> tuple[int, int, int]:
    colour = table.numbers(key, (255, 255, 255))
    if any(value != int(value) or not 0 <= value <= 255 for value in colour):
        raise ArenaError(f"{table.where}: {key} = {list(colour)}; three whole numbers from 0 to 255")
    return int(colour[0]), int(colour[1]), int(colour[2])


def _input(table: Table) -> InputSpec:
    spec = InputSpec(
        channels=table.choice("channels", ("rgb", "bgr"), "rgb"),
        scale=table.number("scale", 255.0),
        mean=table.numbers("mean", (0.0, 0.0, 0.0)),
        std=table.numbers("std", (1.0, 1.0, 1.0)),
        layout=table.choice("layout", ("auto", "nhwc", "nchw"), "auto"),
        name=table.text("name", ""),
        padding_mask=table.text("padding_mask", ""),
    )
    table.finish()
    return spec


def _tag_file(table: Table) -> TagFile | None:
    if not table.content:
        return None
    told = TagFile(table.text("file"), table.choice("format", TAG_FORMATS))
    table.finish()
    return told


def _thresholds(table: Table) -> Thresholds:
    default = table.number("default", -1.0)
    categories = table.table("categories").floats()
    file, profile = table.text("file", ""), table.text("profile", "")
    form = table.choice("format", THRESHOLD_FORMATS, THRESHOLD_FORMATS[0]) if file else ""
    table.finish()
    for name in categories:
        if name not in CATEGORY_NAMES.values():
            raise ArenaError(f"{table.where}: no category is called {name!r}. {nearest(name, CATEGORY_NAMES.values())}")
    for name, value in (("default", default), *categories.items()):
        if not 0 <= value <= 1 and (name, value) != ("default", -1.0):
            raise ArenaError(f"{table.where}: threshold {name} = {value}; it must lie in 0 to 1")
    return Thresholds(default if default >= 0 else None, categories, file, form, profile)
