"""Readers of the thresholds that taggers publish: of all tags, of categories, of single tags.

What a file tells beats what the card tells, as the card names the file. Without such a name the files that a layout has for the
purpose are read: `thresholds.csv`, and the thresholds that stand in the list of tags itself.
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
    Told,
    canonical,
    find_tag_file,
    named_file,
    read_json,
    read_text,
)
from arena.tags import UNKNOWN_CATEGORY, TagSpace
from arena.tags.rows import read_csv

CATEGORY_FILE = "thresholds.csv"
"""What animetimm and PixAI call theirs."""

OVERALL = "overall"
"""What Camie's files call the threshold of all tags."""

BREAK_EVEN, BEST_F1 = "pr_breakeven", "f1_optimal"
"""The operating points in OppaiOracle's file; its authors publish the first."""


@dataclass(frozen=True)
class _Found:
    """What a file tells: of all tags, of categories by name, of tags by name or in the order of the network."""

    default: float | None = None
    categories: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, float] = field(default_factory=dict)
    columns: Sequence[float] = ()

    @property
    def nothing(self) -> bool:
        return self.default is None and not self.categories and not self.tags and not self.columns


def read_thresholds(card: ModelCard, files: Mapping[str, Path], tags: TagSpace) -> Thresholds:
    """The thresholds of a model: the card's, with those of its files in their place.

    Args:
        files: the card's files by name.
        tags: the model's own.

    Raises:
        WeightsError: a file is damaged, tells nothing though the card names it, has a value outside 0 to 1, or names a category
            or a tag that the model does not have.
    """
    told = _of_card(card, tags)
    for path, form in _sources(card, files):
        found = _named(path, _READERS[form](path, told.profile), tags)
        if found.nothing and told.file:
            raise WeightsError(f"{path}: no threshold in it; name another file in the card, or none: [thresholds] file")
        _check(path, found, tags)
        told = replace(
            told,
            default=told.default if found.default is None else found.default,
            categories={**told.categories, **found.categories},
            tags={**told.tags, **found.tags},
        )
    return told


def _of_card(card: ModelCard, tags: TagSpace) -> Thresholds:
    """What the card itself tells, its tags as the arena spells them."""
    single = {canonical(name): value for name, value in card.thresholds.tags.items()}
    for name in single.keys() - tags.index.keys():
        raise WeightsError(f"model {card.name}: no tag of it is called {name!r}, of which its card tells a threshold")
    return replace(card.thresholds, tags=single)


def tells_thresholds(card: ModelCard, files: Mapping[str, Path]) -> bool:
    """Whether a model has files that may tell thresholds."""
    return bool(_sources(card, files))


def _sources(card: ModelCard, files: Mapping[str, Path]) -> list[Told]:
    """The files to read, in this order: the card's, or else those of the layout."""
    own = card.thresholds
    if own.file:
        return [Told(named_file(card, files, own.file, "thresholds"), own.format)]
    found = [Told(path, "thresholds_csv") for name, path in files.items() if PurePosixPath(name).name == CATEGORY_FILE]
    listed = find_tag_file(card, files)
    if listed is not None and listed.format in ("selected_tags", "config_tags"):
        found.append(listed)
    return found


def _read_selected_tags(path: Path, profile: str) -> _Found:
    """Column `best_threshold` of `selected_tags.csv`, that of each tag; an empty cell is none of its own.

    Source: animetimm, the threshold of the best F1 on its own test images.
    """
    rows = read_csv(path, ("name",))
    values = {row["name"]: row.get("best_threshold") for row in rows}
    return _Found(tags=_numbers(path, "tag", ((canonical(name), value) for name, value in values.items() if value)))


def _read_thresholds_csv(path: Path, profile: str) -> _Found:
    """`thresholds.csv`: a row a category, with `category` (a number, or a name) and `threshold`; or a row a tag, with `tag`.

    Of several rows for one category the first holds, as imgutils reads them.

    Source: animetimm and deepghs/pixai-tagger-v0.9-onnx: `category,name,alpha,threshold,...`.
    """
    rows = read_csv(path, ("threshold",))
    if rows and "tag" in rows[0]:
        names = [canonical(row["tag"]) for row in rows]
        refuse_twice(path, "tag", names)
        return _Found(tags=_numbers(path, "tag", zip(names, (row["threshold"] for row in rows), strict=True)))
    if rows and "category" not in rows[0]:
        raise WeightsError(f"{path}: no column category or tag; its header is {list(rows[0])}")
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(_category(row["category"]), row["threshold"])
    return _Found(categories=_numbers(path, "category", first.items()))


def _read_profiles(path: Path, profile: str) -> _Found:
    """`{category: {profile: {"threshold": 0.3}}}`, where `overall` speaks of all tags; a number may stand for either table.

    Metadata may hold this under `thresholds`.

    Source: deepghs/camie_tagger_onnx, `threshold.json`, profiles `balanced`, `high_precision`, `high_recall`, ...
    """
    content = read_json(path)
    table = content.get("thresholds", content) if isinstance(content, dict) else None
    if not isinstance(table, dict) or "idx_to_tag" in table or "dataset_info" in table:
        raise WeightsError(f"{path}: no thresholds in it; write them into the card: [thresholds] default, categories")
    chosen = {name: _of_profile(path, name, value, profile) for name, value in table.items()}
    found = _numbers(path, "category", ((name.lower(), value) for name, value in chosen.items()))
    default = found.pop(OVERALL, None)
    return _Found(default, found)


def _of_profile(path: Path, category: str, value: object, profile: str) -> object:
    """The threshold of a category under a profile; of its only one, where none is named."""
    if isinstance(value, dict) and "threshold" not in value:
        if not profile and len(value) != 1:
            raise WeightsError(f"{path}: {category} has {', '.join(value)}; name one in the card: [thresholds] profile")
        if profile and profile not in value:
            raise WeightsError(f"{path}: {category} has no profile {profile!r}. {nearest(profile, value)}")
        value = value[profile] if profile else next(iter(value.values()))
    return value["threshold"] if isinstance(value, dict) and "threshold" in value else value


def _read_pr_thresholds(path: Path, profile: str) -> _Found:
    """OppaiOracle's `pr_thresholds.json`: `micro.<profile>.threshold` for all tags, `per_tag.per_tag` for those it lists.

    The profile is `pr_breakeven`, where none is named, or `f1_optimal`; of a tag they are called `pr_threshold` and
    `f1_threshold`, null where a tag had too few images.

    Source: Grio43/OppaiOracle, V1.1_onnx.
    """
    point = profile or BREAK_EVEN
    if point not in (BREAK_EVEN, BEST_F1):
        raise WeightsError(f"{path}: no profile {profile!r}. {nearest(profile, (BREAK_EVEN, BEST_F1))}")
    content = read_json(path)
    default = _inside(content, "micro", point, "threshold")
    table = _inside(content, "per_tag", "per_tag") or {}
    key = "pr_threshold" if point == BREAK_EVEN else "f1_threshold"
    own = {canonical(name): _inside(row, key) for name, row in table.items()} if isinstance(table, dict) else {}
    return _Found(
        None if default is None else _number(path, point, default),
        tags=_numbers(path, "tag", ((name, value) for name, value in own.items() if value is not None)),
    )


def _read_list(path: Path, profile: str) -> _Found:
    """A threshold a line, in the network's order.

    Source: xinyu1205/recognize-anything, ram/data/ram_tag_list_threshold.txt.
    """
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    return _Found(columns=[_number(path, f"line {number + 1}", line) for number, line in enumerate(lines)])


def _read_config_tags(path: Path, profile: str) -> _Found:
    """A `config.json` with `category_best_threshold`, `{category: 0.17}`, or `tags_best_threshold`, a number a tag.

    Source: pixai-labs/pixai-tagger-v1.0.
    """
    content = read_json(path)
    names, own = _inside(content, "tags") or [], _inside(content, "tags_best_threshold") or []
    if own and len(own) != len(names):
        raise WeightsError(f"{path}: {len(own)} tags_best_threshold for {len(names)} tags; fetch the file again")
    by_category = _inside(content, "category_best_threshold") or {}
    pairs = by_category.items() if isinstance(by_category, dict) else by_category
    return _Found(
        categories=_numbers(path, "category", ((str(name).lower(), value) for name, value in pairs)),
        tags=_numbers(path, "tag", ((canonical(name), value) for name, value in zip(names, own, strict=False))),
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
    """A value some tables deep, None where one of them is not there."""
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    return content


def _category(written: str) -> str:
    """A category as the arena calls it, from its number or its name."""
    if not written.strip().isdecimal():
        return written.strip().lower()
    return DANBOORU_NUMBERS.get(int(written), f"category_{int(written)}")


def _numbers(path: Path, what: str, pairs: Iterable[tuple[str, object]]) -> dict[str, float]:
    return {name: _number(path, f"{what} {name!r}", value) for name, value in pairs}


def _number(path: Path, what: str, value: object) -> float:
    """A threshold that is one."""
    try:
        number = float(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise WeightsError(f"{path}: the threshold of {what} is {value!r}; it must lie in 0 to 1")
    return number


def _named(path: Path, found: _Found, tags: TagSpace) -> _Found:
    """Thresholds in the network's order, by the names of its tags."""
    if found.columns and len(found.columns) != len(tags):
        raise WeightsError(
            f"{path}: {len(found.columns):,} thresholds, but the model has {len(tags):,} tags; take both files from the same "
            "release"
        )
    return (
        replace(found, tags=dict(zip(tags.names, found.columns, strict=True)), columns=()) if found.columns else found
    )


def _check(path: Path, found: _Found, tags: TagSpace) -> None:
    """Refuse thresholds of what the model does not have."""
    if unknown := [name for name in found.tags if name not in tags.index]:
        raise WeightsError(
            f"{path}: thresholds of {len(unknown):,} tags that are none of the model's {len(tags):,} ({unknown[0]!r}"
            f"{', ...' if len(unknown) > 1 else ''}); take both files from the same release"
        )
    known = set(tags.categories or (UNKNOWN_CATEGORY,))
    for name in found.categories:
        if name not in known:
            raise WeightsError(f"{path}: no tag of the model is of category {name!r}. {nearest(name, known)}")
