"""What the tests of an import share."""

import csv
import hashlib
from pathlib import Path
from typing import Any

from arena.cards import read_dataset_card
from arena.dataset.frozen import HeldOut, read_frozen
from arena.dataset.importing.collect import ImportResult, ImportSettings, import_source
from arena.dataset.sources import open_source
from tests.dataset.sources.kinds import lines, put


def gather(source: Path, folder: Path, **wanted: Any) -> ImportResult:
    return import_source(open_source(source), folder, ImportSettings(**wanted))


def dataset(folder: Path) -> HeldOut:
    return read_frozen(read_dataset_card(folder / "dataset.toml"))


def contents(folder: Path) -> dict[str, str]:
    """Every file of a folder with its digest."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rejected(folder: Path) -> list[list[str]]:
    with (folder / "rejects.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def table(path: Path, rows: list[dict[str, Any]]) -> Path:
    return put(path, lines(rows))
