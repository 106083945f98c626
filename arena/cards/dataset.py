"""The card of a frozen dataset."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from arena.base.names import check_name
from arena.base.reading import read_toml
from arena.base.schema import INTEGER, TEXT, Schema, list_of, table_of
from arena.cards.toml import CardTable

_STEP = table_of(known={"name": TEXT, "kept": INTEGER, "dropped": INTEGER, "why": TEXT})

_FACTS = Schema(
    table_of(
        known={
            "images": INTEGER, "tags": INTEGER, "sensitive": list_of("string"), "steps": {"type": "array", "items": _STEP},
            "files": {"type": "array"},
        },
    )
)  # fmt: skip
"""Fields that are read of a card besides those of `DatasetCard`."""


@dataclass(frozen=True)
class DatasetCard:
    """Description of one frozen dataset.

    Attributes:
        folder: folder of `images.parquet` and `images/`.
        digest: SHA-256 of the dataset when it was frozen, or empty.
        facts: all fields of the card.
    """

    name: str
    title: str
    folder: Path
    licence: str = "unknown"
    digest: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def read_dataset_card(path: Path) -> DatasetCard:
    """Read `dataset.toml` of a frozen folder."""
    facts = read_toml(path)
    _FACTS.check(facts, path, fix="correct it")
    table = CardTable(dict(facts), str(path))
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
