"""What is known of a tagger: where its files are, what it wants and what it gives."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError, nearest
from arena.base.names import check_name
from arena.cards.adapters import check_adapter
from arena.cards.fingerprint import Fingerprint, read_fingerprint
from arena.cards.pixels import InputSpec, Preprocess, read_input, read_preprocess
from arena.cards.source import Source, read_elsewhere
from arena.cards.toml import Table, load_toml
from arena.tags import CATEGORY_NAMES, E621_CATEGORY_NAMES
from arena.tags.space import VENDOR_CATEGORIES

TAG_FORMATS = (
    "top_tags", "selected_tags", "tags_json", "tag_mapping", "camie_metadata", "classes_json", "deepdanbooru", "config_tags",
)  # fmt: skip
"""How lists of tags are written; `arena.taggers.files.tag_files` reads each."""

THRESHOLD_FORMATS = (
    "selected_tags", "thresholds_csv", "threshold_json", "camie_metadata", "pr_thresholds", "config_tags", "threshold_list",
)  # fmt: skip
"""How files of thresholds are written."""

TIMM_CONFIG = "config.json"
"""timm's file beside the weights, which also tells the preprocessing."""

CARD_FILE = "card.toml"
"""A card of this name inside a model's folder speaks for that folder."""


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
        tags: by name; those that the file tells come before them.
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
        elsewhere: the files that lie in another repository of the hub, and in which.
        files: what it needs, weights first; none for an ensemble.
        sha256: digest of some of its files, where it is known.
        output: `logits` or `probabilities`.
        output_name: of the graph's output; empty: its first.
        tags: where its tags are told; None: as the adapter's layout has it.
        verified: whether the published weights were run by this project.
        fingerprint: of its scores on the canary images, as `arena verify` printed it, which then compares by itself; None:
            not known.
        tag_count: how many tags it has; 0: unknown.
        preprocess_file: one of the card's files that tells the preprocessing, in place of the card; empty: none.
        preprocess_notes: once that file is read, where it differs from the card and what it leaves to it, a line each.
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
    elsewhere: Mapping[str, Source] = field(default_factory=dict)
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

    @property
    def single(self) -> "tuple[ModelCard, ...]":
        """The cards that have files: those of an ensemble's members, or this one."""
        return self.member_cards or (self,)

    @property
    def caution(self) -> str:
        """What has to stand beside its name: that its output was never checked; empty where it was."""
        return "" if self.verified else f"{self.name}: unverified, not checked against its authors' own output"

    def source(self, file: str) -> Source | None:
        """Where one of its files is fetched; None where it is not."""
        own = None if self.hub is None else Source(self.hub, self.revision)
        return self.elsewhere.get(file, own)

    @property
    def unpinned(self) -> tuple[Source, ...]:
        """The repositories of its files that may come to hold other ones, each once."""
        sources = dict.fromkeys(self.source(file) for file in self.files)
        return tuple(source for source in sources if source is not None and not source.pinned)


def read_model_card(path: Path, *, arch: str = "") -> ModelCard:
    """Read one model card; its files are expected in the folder of the card's name beside it, or where it says `folder`.

    Args:
        arch: takes the place of `{arch}` in the name, the title and the hub of a card that is a pattern.

    Raises:
        ArenaError: no TOML, a field unknown, missing, or of a value that is not allowed.
    """
    content = load_toml(path)
    for key in ("name", "title", "hub") if arch else ():
        if isinstance(content.get(key), str):
            content[key] = content[key].replace("{arch}", arch)
    table = Table(content, str(path))
    name = table.text("name")
    check_name(name)
    adapter = table.text("adapter")
    check_adapter(adapter, str(path))
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
        hub=table.text("hub", "") or None,
        revision=table.text("revision", "") or None,
        elsewhere=read_elsewhere(table.table("elsewhere")),
        sha256=table.table("sha256").strings(),
        licence=table.text("licence", "unknown"),
        trained_until=table.text("trained_until", "unknown"),
        verified=table.flag("verified", False),
        fingerprint=_fingerprint(table),
        notes=table.text("notes", ""),
        preprocess=read_preprocess(preprocess),
        input=read_input(network_input),
        output=table.choice("output", ("logits", "probabilities"), "probabilities"),
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
    """Every file that a field names must be listed, and a digest must be one."""
    named = {"preprocess.file": card.preprocess_file, "thresholds.file": card.thresholds.file}
    named |= {"tags.file": card.tags.file} if card.tags else {}
    named |= {f"sha256.{file}": file for file in card.sha256} | {f"elsewhere.{file}": file for file in card.elsewhere}
    for key, file in named.items():
        if file and file not in card.files:
            raise ArenaError(f"{where}: {key} = {file!r} is not among files. {nearest(file, card.files)}")
    if card.elsewhere and card.hub is None:
        raise ArenaError(f"{where}: elsewhere = {list(card.elsewhere)}, but no hub of the other files; say hub too")
    for file, digest in card.sha256.items():
        if not re.fullmatch("[0-9a-f]{64}", digest):
            raise ArenaError(f"{where}: sha256 of {file} = {digest!r}; 64 digits 0 to 9 and a to f")
    for file in card.files:
        if file.startswith("/") or ".." in file.split("/"):
            raise ArenaError(f"{where}: files has {file!r}; a path below the model's folder")


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


def _fingerprint(table: Table) -> Fingerprint | None:
    text = table.text("fingerprint", "")
    return read_fingerprint(text, f"{table.where}: fingerprint") if text else None


def _tag_file(table: Table) -> TagFile | None:
    if not table.content:
        return None
    told = TagFile(table.text("file"), table.choice("format", TAG_FORMATS))
    table.finish()
    return told


def _thresholds(table: Table) -> Thresholds:
    default = table.number("default", -1.0)
    categories = table.table("categories").floats()
    tags = table.table("tags").floats()
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
