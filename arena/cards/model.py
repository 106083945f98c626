"""The card of a tagger: its files, input and output."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError, nearest
from arena.base.names import check_name
from arena.base.reading import read_toml
from arena.cards.adapters import refuse_unknown_adapter
from arena.cards.fingerprint import Fingerprint, read_fingerprint
from arena.cards.pixels import InputSpec, Preprocess, read_input, read_preprocess
from arena.cards.source import HubSource, read_elsewhere, read_hub, read_revision
from arena.cards.toml import CardTable
from arena.tags import CATEGORY_NAMES, E621_CATEGORY_NAMES
from arena.tags.space import VENDOR_CATEGORIES
from arena.tags.spelling import canonical_spelling

TAG_FORMATS = (
    "top_tags", "selected_tags", "tags_json", "tag_mapping", "camie_metadata", "classes_json", "deepdanbooru", "config_tags",
)  # fmt: skip
"""File formats of tag lists; `arena.taggers.files.tag_files` reads them."""

THRESHOLD_FORMATS = (
    "selected_tags", "thresholds_csv", "threshold_json", "camie_metadata", "pr_thresholds", "config_tags", "threshold_list",
)  # fmt: skip
"""File formats of thresholds."""

TIMM_CONFIG = "config.json"
"""timm's file in the folder of the weights; it also describes the preprocessing."""

OUTPUTS = ("logits", "probabilities", "auto")
"""Kinds of output; `auto`, for the adapter `onnx` only, reads the kind from the graph's last operator."""

TORCH_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
"""Suffixes of files with a torch network's weights."""

CARD_FILE = "card.toml"
"""Name of the card inside a model's folder."""


@dataclass(frozen=True)
class TagFile:
    """The file with the tag list, and its format.

    Attributes:
        file: one of the card's files.
        format: one of `TAG_FORMATS`.
    """

    file: str
    format: str


@dataclass(frozen=True)
class Thresholds:
    """The vendor's thresholds: a default, and thresholds of categories and of single tags.

    Attributes:
        file: one of the card's files, with thresholds of categories or tags; empty: none.
        format: one of `THRESHOLD_FORMATS`.
        profile: name of one of several sets in the file, such as `balanced`; empty: its only set.
        tags: tag -> threshold; a threshold in the file has precedence.
    """

    default: float | None = None
    categories: Mapping[str, float] = field(default_factory=dict)
    file: str = ""
    format: str = ""
    profile: str = ""
    tags: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelCard:
    """Description of one tagger.

    Attributes:
        name: name for users.
        adapter: one of `ADAPTERS`, or an adapter of an installed package.
        folder: folder of its files; downloads go there.
        hub, revision: repository of its files, or None.
        elsewhere: file -> source, for files in another repository of the hub.
        files: files that the model needs, weights first; empty for an ensemble.
        sha256: file -> known digest.
        output: one of `OUTPUTS`.
        output_name: name of the graph's output; empty: its first.
        tags: file with the tag list; None: the file of the adapter's layout.
        verified: whether this project has run the published weights.
        fingerprint: fingerprint of its scores on the canary images, as `arena verify` prints it; `arena verify` compares with
            it; None: unknown.
        tag_count: number of tags; 0: unknown.
        preprocess_file: one of the card's files, which replaces the card's preprocessing; empty: none.
        preprocess_notes: one line for each difference between that file and the card, and for each field that the file
            lacks; empty until the file is read.
        members: names of an ensemble's models, in order; empty for any other model.
        weights: weight of each member, above 0; empty: equal weights.
        member_cards: cards of the members, once they are looked up.
        family: name of the bundled card whose values a folder without a card gets; empty: the values are its own.
    """

    name: str
    title: str
    adapter: str
    folder: Path
    files: tuple[str, ...]
    hub: str | None = None
    revision: str | None = None
    elsewhere: Mapping[str, HubSource] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    licence: str = "unknown"
    trained_until: str = "unknown"
    verified: bool = False
    fingerprint: Fingerprint | None = None
    notes: str = ""
    preprocess: Preprocess = field(default_factory=Preprocess)
    input: InputSpec = field(default_factory=InputSpec)
    output: str = "probabilities"
    output_name: str = ""
    tags: TagFile | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    tag_count: int = 0
    preprocess_file: str = ""
    preprocess_notes: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    member_cards: "tuple[ModelCard, ...]" = ()
    family: str = ""

    @property
    def single(self) -> "tuple[ModelCard, ...]":
        """Cards with files: those of an ensemble's members, or this card."""
        return self.member_cards or (self,)

    @property
    def caution(self) -> str:
        """Warning to show with the name of a folder without a card, or of an unverified model; empty for any other."""
        if self.family:
            return f"{self.name}: a folder without a card, read with the preprocessing and thresholds of {self.family}"
        return "" if self.verified else f"{self.name}: unverified, not checked against its authors' own output"

    @property
    def known_verified(self) -> bool | None:
        """`verified`; None (unknown) for a folder without a card, because there may be no other output to compare with."""
        return None if self.family else self.verified

    def source(self, file: str) -> HubSource | None:
        """Return the repository of one of its files; None if it is not downloaded."""
        own = None if self.hub is None else HubSource(self.hub, self.revision)
        return self.elsewhere.get(file, own)

    @property
    def unpinned(self) -> tuple[HubSource, ...]:
        """Repositories of its files without a fixed commit, each once; their files may change."""
        sources = dict.fromkeys(self.source(file) for file in self.files)
        return tuple(source for source in sources if source is not None and not source.pinned)


def read_model_card(path: Path, *, arch: str = "") -> ModelCard:
    """Read one model card; the model's folder is the card's field `folder`, or the sibling folder with the card's name.

    Args:
        arch: replaces `{arch}` in the name, the title and the hub of a pattern card.

    Raises:
        ArenaError: the file is not TOML, or a field is unknown, missing or has a value that is not allowed.
    """
    content = read_toml(path)
    for key in ("name", "title", "hub") if arch else ():
        if isinstance(content.get(key), str):
            content[key] = content[key].replace("{arch}", arch)
    table = CardTable(content, str(path))
    name = table.text("name")
    check_name(name)
    adapter = table.text("adapter")
    refuse_unknown_adapter(adapter, str(path))
    preprocess, network_input = table.table("preprocess"), table.table("input")
    silent = not preprocess.content and not network_input.content
    preprocess_file = preprocess.text("file", TIMM_CONFIG if silent and adapter == "timm" else "")
    members = _members(table) if adapter == "ensemble" else _Members()
    card = ModelCard(
        name=name,
        title=table.text("title", name),
        adapter=adapter,
        folder=(path.parent / table.text("folder", name if path.name != CARD_FILE else ".")).resolve(),
        files=() if members.names else tuple(table.texts("files")),
        hub=read_hub(table, needed=False),
        revision=read_revision(table),
        elsewhere=read_elsewhere(table.table("elsewhere")),
        sha256=table.table("sha256").strings(),
        licence=table.text("licence", "unknown"),
        trained_until=table.text("trained_until", "unknown"),
        verified=table.flag("verified", False),
        fingerprint=_fingerprint(table),
        notes=table.text("notes", ""),
        preprocess=read_preprocess(preprocess),
        input=read_input(network_input),
        output=table.choice("output", OUTPUTS if adapter == "onnx" else OUTPUTS[:2], "probabilities"),
        output_name=table.text("output_name", ""),
        tags=_tag_file(table.table("tags")),
        thresholds=_thresholds(table.table("thresholds")),
        tag_count=table.count("tag_count", 0),
        preprocess_file=preprocess_file,
        members=members.names,
        weights=members.weights,
    )
    table.finish()
    _refuse_wrong_files(card, str(path))
    return card


def _refuse_wrong_files(card: ModelCard, where: str) -> None:
    """Refuse a file that is named in a field but not in `files`, a wrong digest, and a path outside the model's folder."""
    named = {"preprocess.file": card.preprocess_file, "thresholds.file": card.thresholds.file}
    named |= {"tags.file": card.tags.file} if card.tags else {}
    named |= {f"sha256.{file}": file for file in card.sha256} | {f"elsewhere.{file}": file for file in card.elsewhere}
    for key, file in named.items():
        if file and file not in card.files:
            raise ArenaError(f"{where}: {key} = {file!r} is not among files. {nearest(file, card.files)}")
    if card.elsewhere and card.hub is None:
        raise ArenaError(f"{where}: elsewhere = {list(card.elsewhere)}, but no hub of the other files; add hub")
    for file, digest in card.sha256.items():
        if not re.fullmatch("[0-9a-f]{64}", digest):
            raise ArenaError(f"{where}: sha256 of {file} = {digest!r}; 64 digits 0 to 9 and a to f")
    for file in card.files:
        if file.startswith("/") or ".." in file.split("/"):
            raise ArenaError(f"{where}: files has {file!r}; a path below the model's folder")


class _Members(NamedTuple):
    """Members of an ensemble and their weights."""

    names: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()


def _members(table: CardTable) -> _Members:
    """Read `members = ["a", "b"]` and, for unequal weights, `weights = [2, 1]`."""
    names = tuple(table.texts("members"))
    if len(names) < 2 or len(set(names)) < len(names):
        raise ArenaError(f"{table.where}: members = {list(names)}; an ensemble has at least two, each named once")
    weights = table.take("weights", (list,), [])
    if any(
        isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < inf for weight in weights
    ):
        raise ArenaError(f"{table.where}: weights = {weights}; each must be a number above 0")
    if weights and len(weights) != len(names):
        raise ArenaError(f"{table.where}: {len(weights)} weights for {len(names)} members; give one weight per member")
    return _Members(names, tuple(map(float, weights)))


def _fingerprint(table: CardTable) -> Fingerprint | None:
    text = table.text("fingerprint", "")
    return read_fingerprint(text, f"{table.where}: fingerprint") if text else None


def _tag_file(table: CardTable) -> TagFile | None:
    if not table.content:
        return None
    tag_file = TagFile(table.text("file"), table.choice("format", TAG_FORMATS))
    table.finish()
    return tag_file


def _thresholds(table: CardTable) -> Thresholds:
    default = table.number("default", -1.0)
    categories = table.table("categories").floats()
    tags = {canonical_spelling(name): value for name, value in table.table("tags").floats().items()}
    file, profile = table.text("file", ""), table.text("profile", "")
    form = table.choice("format", THRESHOLD_FORMATS, THRESHOLD_FORMATS[0]) if file else ""
    table.finish()
    known = {*CATEGORY_NAMES.values(), *E621_CATEGORY_NAMES.values(), *VENDOR_CATEGORIES}
    for name in categories:
        if name not in known:
            raise ArenaError(f"{table.where}: no category is called {name!r}. {nearest(name, known)}")
    for name, value in (("default", default), *categories.items(), *tags.items()):
        if not 0 <= value <= 1 and (name, value) != ("default", -1.0):
            raise ArenaError(f"{table.where}: threshold {name} = {value}; it must lie in 0 to 1")
    return Thresholds(default if default >= 0 else None, categories, file, form, profile, tags)
