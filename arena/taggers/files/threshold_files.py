"""Readers of the thresholds that taggers publish: global, per category, per tag.

Thresholds in a file override those in the card. The file is the one that the card names, else the files of the layout:
`thresholds.csv`, and the tag list itself if it has thresholds.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from arena.base.errors import WeightsError, nearest, refuse_twice
from arena.cards import ModelCard, Thresholds
from arena.taggers.files.tag_files import (
    DANBOORU_NUMBERS,
    FormattedFile,
    find_tag_file,
    named_file,
    read_text,
    read_unique_json,
)
from arena.tags import UNKNOWN_CATEGORY, TagSpace
from arena.tags.rows import read_csv
from arena.tags.spelling import canonical_spelling

_CATEGORY_FILE = "thresholds.csv"
"""Name of the threshold file of animetimm and PixAI."""

OVERALL = "overall"
"""Key of the global threshold in Camie's files."""

BREAK_EVEN, BEST_F1 = "pr_breakeven", "f1_optimal"
"""Operating points in OppaiOracle's file; its authors publish the first."""


@dataclass(frozen=True)
class _Found:
    """Thresholds in a file: global, by category, by tag name, or in the network's order (`columns`)."""

    default: float | None = None
    categories: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, float] = field(default_factory=dict)
    columns: Sequence[float] = ()

    @property
    def is_empty(self) -> bool:
        return self.default is None and not self.categories and not self.tags and not self.columns


def read_thresholds(card: ModelCard, files: Mapping[str, Path], tags: TagSpace) -> Thresholds:
    """Return the thresholds of a model: the card's, overridden by those of its files.

    Args:
        files: the card's files by name.
        tags: the model's tags.

    Raises:
        WeightsError: a file is damaged, has no thresholds although the card names it, has a value outside 0 to 1, or names a
            category or a tag that the model does not have.
    """
    thresholds = _of_card(card, tags)
    for path, form in _sources(card, files):
        found = _by_name(path, _READERS[form](path, thresholds.profile), tags)
        if found.is_empty and thresholds.file:
            raise WeightsError(f"{path}: has no thresholds; correct or remove it in the card: [thresholds] file")
        _check(path, found, tags)
        thresholds = replace(
            thresholds,
            default=thresholds.default if found.default is None else found.default,
            categories={**thresholds.categories, **found.categories},
            tags={**thresholds.tags, **found.tags},
        )
    return thresholds


def _of_card(card: ModelCard, tags: TagSpace) -> Thresholds:
    """Return the card's thresholds, whose tags the model must have."""
    for name in card.thresholds.tags.keys() - tags.index.keys():
        raise WeightsError(f"model {card.name}: its card has a threshold for {name!r}, which is not one of its tags")
    return card.thresholds


def has_threshold_files(card: ModelCard, files: Mapping[str, Path]) -> bool:
    """Return whether a model has files that may contain thresholds."""
    return bool(_sources(card, files))


def _sources(card: ModelCard, files: Mapping[str, Path]) -> list[FormattedFile]:
    """Return the files to read, in order: the one that the card names, else those of the layout."""
    own = card.thresholds
    if own.file:
        return [FormattedFile(named_file(card, files, own.file, "thresholds"), own.format)]
    found = [
        FormattedFile(path, "thresholds_csv")
        for name, path in files.items()
        if PurePosixPath(name).name == _CATEGORY_FILE
    ]
    listed = find_tag_file(card, files)
    if listed is not None and listed.format in ("selected_tags", "config_tags"):
        found.append(listed)
    return found


def _read_selected_tags(path: Path, profile: str) -> _Found:
    """Read column `best_threshold` of `selected_tags.csv`; a tag with an empty cell has no threshold there.

    Source: animetimm; its thresholds maximise F1 on its own test images.
    """
    rows = read_csv(path, ("name",), complete=True)
    values = {row["name"]: row.get("best_threshold") for row in rows}
    return _Found(
        tags=_numbers(path, "tag", ((canonical_spelling(name), value) for name, value in values.items() if value))
    )


def _read_thresholds_csv(path: Path, profile: str) -> _Found:
    """Read `thresholds.csv`: one row per category, with `category` (number or name) and `threshold`; or per tag, with `tag`.

    The first of several rows for one category is used, as in imgutils.

    Source: animetimm and deepghs/pixai-tagger-v0.9-onnx: `category,name,alpha,threshold,...`.
    """
    rows = read_csv(path, ("threshold",), complete=True)
    if rows and "tag" in rows[0]:
        names = [canonical_spelling(row["tag"]) for row in rows]
        refuse_twice(path, "tag", names)
        return _Found(tags=_numbers(path, "tag", zip(names, (row["threshold"] for row in rows), strict=True)))
    if rows and "category" not in rows[0]:
        raise WeightsError(f"{path}: no column category or tag; its header is {list(rows[0])}")
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(_category(row["category"]), row["threshold"])
    return _Found(categories=_numbers(path, "category", first.items()))


def _read_profiles(path: Path, profile: str) -> _Found:
    """Read `{category: {profile: {"threshold": 0.3}}}`; the category `overall` is the global threshold.

    A number may replace either inner table. In Camie's metadata the table may be under the key `thresholds`.

    Source: deepghs/camie_tagger_onnx, `threshold.json`, profiles `balanced`, `high_precision`, `high_recall`, ...
    """
    content = read_unique_json(path)
    table = content.get("thresholds", content) if isinstance(content, dict) else None
    if not isinstance(table, dict) or "idx_to_tag" in table or "dataset_info" in table:
        raise WeightsError(f"{path}: has no thresholds; write them into the card: [thresholds] default, categories")
    chosen = {name: _of_profile(path, name, value, profile) for name, value in table.items()}
    found = _numbers(path, "category", ((name.lower(), value) for name, value in chosen.items()))
    default = found.pop(OVERALL, None)
    return _Found(default, found)


def _of_profile(path: Path, category: str, value: object, profile: str) -> object:
    """Return the threshold of a category under a profile; without a named profile, under its only one."""
    if isinstance(value, dict) and "threshold" not in value:
        if not profile and len(value) != 1:
            raise WeightsError(
                f"{path}: {category} has profiles {', '.join(value)}; name one in the card: [thresholds] profile"
            )
        if profile and profile not in value:
            raise WeightsError(f"{path}: {category} has no profile {profile!r}. {nearest(profile, value)}")
        value = value[profile] if profile else next(iter(value.values()))
    return value["threshold"] if isinstance(value, dict) and "threshold" in value else value


def _read_pr_thresholds(path: Path, profile: str) -> _Found:
    """Read OppaiOracle's `pr_thresholds.json`: global in `micro.<profile>.threshold`, by tag in `per_tag.per_tag`.

    The profile is `pr_breakeven` (default) or `f1_optimal`. Their keys in a tag's table are `pr_threshold` and `f1_threshold`;
    null means too few images.

    Source: Grio43/OppaiOracle, V1.1_onnx.
    """
    point = profile or BREAK_EVEN
    if point not in (BREAK_EVEN, BEST_F1):
        raise WeightsError(f"{path}: no profile {profile!r}. {nearest(profile, (BREAK_EVEN, BEST_F1))}")
    content = read_unique_json(path)
    default = _inside(content, "micro", point, "threshold")
    table = _inside(content, "per_tag", "per_tag") or {}
    key = "pr_threshold" if point == BREAK_EVEN else "f1_threshold"
    own = (
        {canonical_spelling(name): _inside(row, key) for name, row in table.items()} if isinstance(table, dict) else {}
    )
    return _Found(
        None if default is None else _number(path, point, default),
        tags=_numbers(path, "tag", ((name, value) for name, value in own.items() if value is not None)),
    )


def _read_list(path: Path, profile: str) -> _Found:
    """Read one threshold per line, in the network's order.

    Source: xinyu1205/recognize-anything, ram/data/ram_tag_list_threshold.txt.
    """
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    return _Found(columns=[_number(path, f"line {number + 1}", line) for number, line in enumerate(lines)])


def _read_config_tags(path: Path, profile: str) -> _Found:
    """Read a `config.json` with `category_best_threshold`, `{category: 0.17}`, or `tags_best_threshold`, a number per tag.

    Source: pixai-labs/pixai-tagger-v1.0.
    """
    content = read_unique_json(path)
    names, own = _inside(content, "tags") or [], _inside(content, "tags_best_threshold") or []
    if own and len(own) != len(names):
        raise WeightsError(f"{path}: {len(own)} tags_best_threshold for {len(names)} tags; download the file again")
    by_category = _inside(content, "category_best_threshold") or {}
    pairs = by_category.items() if isinstance(by_category, dict) else by_category
    return _Found(
        categories=_numbers(path, "category", ((str(name).lower(), value) for name, value in pairs)),
        tags=_numbers(
            path, "tag", ((canonical_spelling(name), value) for name, value in zip(names, own, strict=False))
        ),
    )


_READERS: Mapping[str, Callable[[Path, str], _Found]] = {
    "selected_tags": _read_selected_tags,
    "thresholds_csv": _read_thresholds_csv,
    "threshold_json": _read_profiles,
    "camie_metadata": _read_profiles,
    "pr_thresholds": _read_pr_thresholds,
    "config_tags": _read_config_tags,
    "threshold_list": _read_list,
}


def _inside(content: object, *keys: str) -> Any:
    """Return a value in nested tables by its keys; None if a key is missing."""
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content


def _category(written: str) -> str:
    """Return the arena's name of a category, from its number or its name."""
    if not written.strip().isdecimal():
        return written.strip().lower()
    return DANBOORU_NUMBERS.get(int(written), f"category_{int(written)}")


def _numbers(path: Path, what: str, pairs: Iterable[tuple[str, object]]) -> dict[str, float]:
    return {name: _number(path, f"{what} {name!r}", value) for name, value in pairs}


def _number(path: Path, what: str, value: object) -> float:
    """Return a threshold as a float; raise if it is not a number in 0 to 1."""
    try:
        number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise WeightsError(f"{path}: the threshold of {what} is {value!r}; it must lie in 0 to 1")
    return number


def _by_name(path: Path, found: _Found, tags: TagSpace) -> _Found:
    """Return the thresholds with those in the network's order assigned to tag names."""
    if found.columns and len(found.columns) != len(tags):
        raise WeightsError(
            f"{path}: {len(found.columns):,} thresholds, but the model has {len(tags):,} tags; take both files from the same "
            "release"
        )
    return (
        replace(found, tags=dict(zip(tags.names, found.columns, strict=True)), columns=()) if found.columns else found
    )


def _check(path: Path, found: _Found, tags: TagSpace) -> None:
    """Raise if a threshold is of a tag or a category that the model does not have."""
    if unknown := [name for name in found.tags if name not in tags.index]:
        raise WeightsError(
            f"{path}: thresholds of {len(unknown):,} tags that are not among the model's {len(tags):,} ({unknown[0]!r}"
            f"{', ...' if len(unknown) > 1 else ''}); take both files from the same release"
        )
    known = set(tags.categories or (UNKNOWN_CATEGORY,))
    for name in found.categories:
        if name not in known:
            raise WeightsError(f"{path}: the model has no tags of category {name!r}. {nearest(name, known)}")
