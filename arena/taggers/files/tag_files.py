"""Readers of the tag lists that taggers publish.

A list comes back as a `TagSpace`, one name a column of the network, in the network's order. Names are spelt as the arena spells
tags: underscores for spaces, brackets bare. A list with a gap, a nameless column, or two names that are one is refused: which
column a score belongs to would be a guess.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from arena.base.errors import ArenaError, WeightsError
from arena.cards import ModelCard
from arena.tags import CATEGORY_NAMES, E621_CATEGORY_NAMES, UNKNOWN_CATEGORY, TagSpace
from arena.tags.rows import read_csv

DANBOORU_NUMBERS: Mapping[int, str] = {**CATEGORY_NAMES, 10: "year"}
"""Danbooru's numbers, 9 for ratings as SmilingWolf adds it, and 10 for years as the port of Camie's tagger adds it."""

E621_FILE = "tags-selected.csv"
"""Z3D's list is called so; its numbers are e621's, where 5 is a species."""

LAYOUT_FILES: Mapping[str, str] = {
    "selected_tags.csv": "selected_tags",
    E621_FILE: "selected_tags",
    "top_tags.txt": "top_tags",
    "tag_mapping.json": "tag_mapping",
    "deepdanbooru_tags.csv": "deepdanbooru",
    "classes.json": "classes_json",
    "tags.json": "tags_json",
    "config.json": "config_tags",
}
"""How a file of this name is written, where a card does not say; the first that is there is read."""

CAMIE_SUFFIX = "metadata.json"
"""How the names of Camie's files end."""


class Told(NamedTuple):
    """A file that tells something, and how it is written."""

    path: Path
    format: str


def read_tags(card: ModelCard, files: Mapping[str, Path]) -> TagSpace:
    """The tags of a model, from the file that its card names, else from the one that its layout has.

    Args:
        files: the card's files by name.

    Raises:
        WeightsError: no list of tags is among them, or it is damaged, has gaps, or names a tag twice.
    """
    told = find_tag_file(card, files)
    if told is None:
        raise WeightsError(
            f"model {card.name}: no list of tags among its files ({', '.join(files)}); name it in the card: [tags] file, format"
        )
    return READERS[told.format](told.path)


def find_tag_file(card: ModelCard, files: Mapping[str, Path]) -> Told | None:
    """Which of a model's files lists its tags, and how; None where none does.

    Raises:
        WeightsError: the card names a file for its tags that is not one of its files.
    """
    if card.tags is not None:
        return Told(named_file(card, files, card.tags.file, "tags"), card.tags.format)
    by_name = {PurePosixPath(name).name: path for name, path in files.items()}
    for name, form in LAYOUT_FILES.items():
        if name in by_name:
            return Told(by_name[name], form)
    return next((Told(path, "camie_metadata") for name, path in by_name.items() if name.endswith(CAMIE_SUFFIX)), None)


def named_file(card: ModelCard, files: Mapping[str, Path], name: str, what: str) -> Path:
    """One of a model's files, which a table of its card names.

    Raises:
        WeightsError: it is not among them.
    """
    if name not in files:
        raise WeightsError(
            f"model {card.name}: [{what}] file = {name!r} is none of its files ({', '.join(files)}); add it to files"
        )
    return files[name]


def canonical(name: str) -> str:
    r"""A tag as the arena spells it: underscores for spaces, brackets bare. Kaomoji stay as they are.

    Brackets count as escaped where both are: a backslash may be somebody's arm.

    >>> canonical(r"ganyu \(genshin impact\)"), canonical(">_<"), canonical(r"\(o)/"), canonical(" |_| ")
    ('ganyu_(genshin_impact)', '>_<', '\\(o)/', '|_|')
    """
    if r"\(" in name and r"\)" in name:
        name = re.sub(r"\\+([()])", r"\1", name)
    return "_".join(name.split())


def read_top_tags(path: Path) -> TagSpace:
    """JoyTag's `top_tags.txt`: a name a line, blank lines passed over, no categories."""
    return _space(path, [line for line in read_text(path).splitlines() if line.strip()])


def read_selected_tags(path: Path) -> TagSpace:
    """SmilingWolf's `selected_tags.csv`, which animetimm, PixAI, OppaiOracle, Z3D and the port of Camie's tagger follow.

    Columns `name` and `category`, a number; `count` or `post_count` where it is known; others, such as `tag_id`, `ips` or
    `best_threshold`, are no part of the list. Rows are in the network's order. A tag may be called `nan` or `null`.
    Categories are Danbooru's, in `E621_FILE` those of e621; a number that is not known there is kept as `category_N`.

    Source: SmilingWolf/wd-v1-4-vit-tagger-v2, toynya/Z3D-E621-Convnext, deepghs/camie_tagger_onnx.
    """
    rows = _rows(path, ("name", "category"))
    numbers = E621_CATEGORY_NAMES if path.name == E621_FILE else DANBOORU_NUMBERS
    counted = next((name for name in ("count", "post_count") if rows and name in rows[0]), None)
    counts = None if counted is None else [row[counted] for row in rows]
    try:
        categories = [_category(numbers, int(row["category"])) for row in rows]
        whole = None if counts is None else [int(float(count)) for count in counts]
    except (ValueError, TypeError, OverflowError) as error:
        raise WeightsError(f"{path}: category and count must be numbers in every row ({error})") from None
    return _space(path, [row["name"] for row in rows], categories, whole)


def read_deepdanbooru(path: Path) -> TagSpace:
    """`deepdanbooru_tags.csv`: columns `name,real_name,category`, of which `real_name` is what Danbooru calls the tag today.

    The old name is kept: several old ones may share a new one, and aliases lead from it.

    Source: deepghs/imgutils-models, deepdanbooru/.
    """
    return read_selected_tags(path)


def read_names(path: Path) -> TagSpace:
    """`tags.json` and `classes.json`: a list of names, `{name: column}`, or `{"column": name}`; no categories.

    Source: RedRocket/JointTaggerProject (names to columns), deepghs/ml-danbooru-onnx (a list).
    """
    content = read_json(path)
    if isinstance(content, list):
        return _space(path, content)
    table = _table(path, content)
    if all(isinstance(value, int) for value in table.values()):
        return _space(path, _in_order(path, ((column, name) for name, column in table.items())))
    return _space(path, _in_order(path, table.items()))


def read_tag_mapping(path: Path) -> TagSpace:
    """cl_tagger's `tag_mapping.json`: `{"0": {"tag": "1girl", "category": "General"}, ...}`; categories in lower case.

    Releases that write it as Camie does are read so.

    Source: cella110n/cl_tagger.
    """
    table = _table(path, read_json(path))
    if "idx_to_tag" in table:
        return read_camie_metadata(path)
    rows = [_table(path, row) for row in _in_order(path, table.items())]
    if missing := [str(column) for column, row in enumerate(rows) if not isinstance(row.get("tag"), str)]:
        raise WeightsError(f"{path}: no tag at {', '.join(missing[:3])}; each must be {{tag, category}}")
    return _space(path, [row["tag"] for row in rows], [_word(row.get("category")) for row in rows])


def read_camie_metadata(path: Path) -> TagSpace:
    """Camie's metadata: `idx_to_tag` of `{"0": "1girl"}` and `tag_to_category` of `{"1girl": "general"}`.

    They stand at the top (v1) or in `dataset_info.tag_mapping` (v2).

    Source: Camais03/camie-tagger and Camais03/camie-tagger-v2.
    """
    table = _table(path, read_json(path))
    if "idx_to_tag" not in table:
        table = _table(path, _table(path, table.get("dataset_info")).get("tag_mapping"))
    names = _in_order(path, _table(path, table.get("idx_to_tag")).items())
    categories = _table(path, table.get("tag_to_category"))
    return _space(path, names, [_word(categories.get(name)) for name in names])


def read_config_tags(path: Path) -> TagSpace:
    """A `config.json` with `tags`, a list of names, and `tags_split`, `[["general", 9741], ["character", 3720], ...]`.

    The tags stand category after category. Without `tags_split` they have none.

    Source: pixai-labs/pixai-tagger-v1.0.
    """
    table = _table(path, read_json(path))
    names = table.get("tags")
    if not isinstance(names, list):
        raise WeightsError(f"{path}: no list called tags in it; name the file that lists the tags in the card: [tags]")
    split = split_of(path, table)
    if not split:
        return _space(path, names)
    categories = [category for category, count in split for _ in range(count)]
    if len(categories) != len(names):
        raise WeightsError(f"{path}: {len(names)} tags, but tags_split counts {len(categories)}; fetch the file again")
    return _space(path, names, categories)


def split_of(path: Path, table: Mapping[str, Any]) -> list[tuple[str, int]]:
    """How many tags each category has, one after the other; empty where `tags_split` is not there."""
    split = table.get("tags_split") or []
    try:
        pairs = [
            (_word(category), int(count)) for category, count in (split.items() if isinstance(split, dict) else split)
        ]
    except (TypeError, ValueError):
        raise WeightsError(f"{path}: tags_split must hold a category and its number of tags, each") from None
    return pairs


READERS: Mapping[str, Callable[[Path], TagSpace]] = {
    "top_tags": read_top_tags,
    "selected_tags": read_selected_tags,
    "tags_json": read_names,
    "classes_json": read_names,
    "tag_mapping": read_tag_mapping,
    "camie_metadata": read_camie_metadata,
    "deepdanbooru": read_deepdanbooru,
    "config_tags": read_config_tags,
}
"""What reads each of `arena.cards.model.TAG_FORMATS`."""


def read_text(path: Path) -> str:
    """A text file whole, without a byte order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise WeightsError(f"{path}: no UTF-8 text; fetch the file again") from None


def read_json(path: Path) -> Any:
    """A JSON file whole.

    Raises:
        WeightsError: it is no JSON, or an object in it has a key twice.
    """
    try:
        return json.loads(read_text(path), object_pairs_hook=_once)
    except (json.JSONDecodeError, RecursionError) as error:
        raise WeightsError(f"{path}: no readable JSON ({error}); fetch the file again") from None
    except KeyError as error:
        raise WeightsError(f"{path}: {error.args[0]!r} stands twice in one object; fetch the file again") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of which no key is lost."""
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        raise KeyError(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return table


def _table(path: Path, content: object) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        seen = "nothing" if content is None else f"a {type(content).__name__}"
        raise WeightsError(f"{path}: {seen} where a table of tags must be; is it the file that the card means?")
    return content


def _rows(path: Path, required: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a CSV file, each as long as its header."""
    rows = read_csv(path, required)
    for number, row in enumerate(rows):
        if None in row or None in row.values():
            raise WeightsError(f"{path}: row {number + 1} is not as long as the header; is a quote left open?")
    return rows


def _in_order(path: Path, pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Values by their column, 0 to the last without a gap."""
    try:
        listed = [(int(column), value) for column, value in pairs]
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{path}: the columns of tags must be whole numbers ({error})") from None
    found = dict(listed)
    if len(found) < len(listed):
        raise WeightsError(f"{path}: {len(listed)} tags for {len(found)} columns; each needs a column of its own")
    missing = next((column for column in range(len(found)) if column not in found), None)
    if missing is not None:
        raise WeightsError(
            f"{path}: {len(found)} tags, but none for column {missing}; columns count from 0 without a gap"
        )
    return [found[column] for column in range(len(found))]


def _category(numbers: Mapping[int, str], number: int) -> str:
    return numbers.get(number, f"category_{number}")


def _word(category: object) -> str:
    """A category as it is written in JSON: a word, a number of Danbooru's, or nothing."""
    if isinstance(category, int):
        return _category(DANBOORU_NUMBERS, category)
    return category.strip().lower() if isinstance(category, str) and category.strip() else UNKNOWN_CATEGORY


def _space(
    path: Path, names: Sequence[object], categories: Sequence[str] | None = None, counts: Sequence[int] | None = None
) -> TagSpace:
    """The tags, once their names are known to be names and to differ from each other."""
    spelt: dict[str, str] = {}
    for column, name in enumerate(names):
        if not isinstance(name, str) or not name.strip() or "\n" in name:
            raise WeightsError(f"{path}: the name at column {column} is {name!r}; it must be text on one line")
        if (own := canonical(name)) in spelt:
            also = "" if spelt[own] == name else f", also as {spelt[own]!r}"
            raise WeightsError(f"{path}: tag {name!r} is listed twice{also}; each needs a name of its own")
        spelt[own] = name
    try:
        return TagSpace(
            tuple(spelt), None if categories is None else tuple(categories), None if counts is None else tuple(counts)
        )
    except ArenaError as error:
        raise WeightsError(f"{path}: {error}") from None
