"""Readers of the tag lists that taggers publish.

A list becomes a `TagSpace` with one name for each output column, in the network's order. Names are in the arena's spelling:
underscores instead of spaces, brackets not escaped. A list with a gap, an unnamed column, or two equal names is refused: a
score's tag would be a guess.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from arena.base import reading
from arena.base.errors import ArenaError, WeightsError
from arena.base.reading import MAX_JSON_BYTES, parse_json
from arena.cards import ModelCard
from arena.tags import CATEGORY_NAMES, E621_CATEGORY_NAMES, UNKNOWN_CATEGORY, TagSpace
from arena.tags.rows import read_csv
from arena.tags.spelling import canonical_spelling

DANBOORU_NUMBERS: Mapping[int, str] = {**CATEGORY_NAMES, 10: "year"}
"""Category names by number: Danbooru's, SmilingWolf's 9 for ratings, and 10 for years from the port of Camie's tagger."""

E621_FILE = "tags-selected.csv"
"""Name of Z3D's list; its category numbers are e621's, where 5 is species."""

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
"""File name -> format, for cards without `[tags]`; the first file present is read."""

CAMIE_SUFFIX = "metadata.json"
"""End of the names of Camie's files."""


class FormattedFile(NamedTuple):
    """A file, and the format that it is read in."""

    path: Path
    format: str


def read_tag_list(card: ModelCard, files: Mapping[str, Path]) -> TagSpace:
    """Return the tags of a model, from the file that its card names, else from the file of its layout.

    Args:
        files: the card's files by name.

    Raises:
        WeightsError: no file lists the tags, or the list is damaged, has gaps, or has a tag twice.
    """
    found = find_tag_file(card, files)
    if found is None:
        raise WeightsError(
            f"model {card.name}: no tag list among its files ({', '.join(files)}); name it in the card: [tags] file, format"
        )
    return TAG_READERS[found.format](found.path)


def find_tag_file(card: ModelCard, files: Mapping[str, Path]) -> FormattedFile | None:
    """Return the file with a model's tag list, and its format; None if there is none.

    Raises:
        WeightsError: the card's `[tags]` names a file that is not one of its files.
    """
    if card.tags is not None:
        return FormattedFile(named_file(card, files, card.tags.file, "tags"), card.tags.format)
    by_name = {PurePosixPath(name).name: path for name, path in files.items()}
    for name, form in LAYOUT_FILES.items():
        if name in by_name:
            return FormattedFile(by_name[name], form)
    return next(
        (FormattedFile(path, "camie_metadata") for name, path in by_name.items() if name.endswith(CAMIE_SUFFIX)), None
    )


def named_file(card: ModelCard, files: Mapping[str, Path], name: str, what: str) -> Path:
    """Return the path of the file that a table of the card names.

    Args:
        what: the table's name, for the error.

    Raises:
        WeightsError: it is not one of the model's files.
    """
    if name not in files:
        raise WeightsError(
            f"model {card.name}: [{what}] file = {name!r} is not one of its files ({', '.join(files)}); add it to files"
        )
    return files[name]


def read_top_tags(path: Path) -> TagSpace:
    """Read JoyTag's `top_tags.txt`: one name per line, no categories; blank lines are skipped."""
    return _space(path, [line for line in read_text(path).splitlines() if line.strip()])


def read_selected_tags(path: Path) -> TagSpace:
    """Read `selected_tags.csv` of SmilingWolf, animetimm, PixAI, OppaiOracle, Z3D or the port of Camie's tagger.

    Its columns are `name`, `category` (a number), and optionally `count` or `post_count`; others, such as `tag_id`, `ips` or
    `best_threshold`, are ignored. Rows are in the network's order. A tag may be called `nan` or `null`. Category numbers are
    Danbooru's, in `E621_FILE` e621's; an unknown number N becomes the category `category_N`.

    Source: SmilingWolf/wd-v1-4-vit-tagger-v2, toynya/Z3D-E621-Convnext, deepghs/camie_tagger_onnx.
    """
    rows = _rows(path, ("name", "category"))
    numbers = E621_CATEGORY_NAMES if path.name == E621_FILE else DANBOORU_NUMBERS
    counted = next((name for name in ("count", "post_count") if rows and name in rows[0]), None)
    counts = None if counted is None else [row[counted] for row in rows]
    try:
        categories = [_category(numbers, int(row["category"])) for row in rows]
        integers = None if counts is None else [int(float(count)) for count in counts]
    except (ValueError, TypeError, OverflowError) as error:
        raise WeightsError(f"{path}: category and count must be numbers in every row ({error})") from None
    return _space(path, [row["name"] for row in rows], categories, integers)


def read_deepdanbooru(path: Path) -> TagSpace:
    """Read `deepdanbooru_tags.csv`: columns `name,real_name,category`; `real_name` is Danbooru's present name of the tag.

    The old name is kept, because several old names may share a present one, and aliases map them.

    Source: deepghs/imgutils-models, deepdanbooru/.
    """
    return read_selected_tags(path)


def _read_names(path: Path) -> TagSpace:
    """Read `tags.json` or `classes.json`: a list of names, `{name: column}`, or `{"column": name}`; no categories.

    Source: RedRocket/JointTaggerProject (names to columns), deepghs/ml-danbooru-onnx (a list).
    """
    content = read_unique_json(path)
    if isinstance(content, list):
        return _space(path, content)
    table = _table(path, content)
    if all(isinstance(value, int) for value in table.values()):
        return _space(path, _in_order(path, ((column, name) for name, column in table.items())))
    return _space(path, _in_order(path, table.items()))


def read_tag_mapping(path: Path) -> TagSpace:
    """Read cl_tagger's `tag_mapping.json`: `{"0": {"tag": "1girl", "category": "General"}, ...}`.

    Categories become lower case. Releases that write the file in Camie's format are read too.

    Source: cella110n/cl_tagger.
    """
    table = _table(path, read_unique_json(path))
    if "idx_to_tag" in table:
        return read_camie_metadata(path)
    rows = [_table(path, row) for row in _in_order(path, table.items())]
    if missing := [str(column) for column, row in enumerate(rows) if not isinstance(row.get("tag"), str)]:
        raise WeightsError(f"{path}: no tag at {', '.join(missing[:3])}; each entry must be {{tag, category}}")
    return _space(path, [row["tag"] for row in rows], [_category_of(row.get("category")) for row in rows])


def read_camie_metadata(path: Path) -> TagSpace:
    """Read Camie's metadata: `idx_to_tag`, `{"0": "1girl"}`, and `tag_to_category`, `{"1girl": "general"}`.

    Both are at the top level (v1) or in `dataset_info.tag_mapping` (v2).

    Source: Camais03/camie-tagger and Camais03/camie-tagger-v2.
    """
    table = _table(path, read_unique_json(path))
    if "idx_to_tag" not in table:
        table = _table(path, _table(path, table.get("dataset_info")).get("tag_mapping"))
    names = _in_order(path, _table(path, table.get("idx_to_tag")).items())
    categories = _table(path, table.get("tag_to_category"))
    return _space(path, names, [_category_of(categories.get(name)) for name in names])


def read_config_tags(path: Path) -> TagSpace:
    """Read a `config.json` with `tags`, a list of names, and `tags_split`, `[["general", 9741], ["character", 3720], ...]`.

    The tags are sorted by category, in the order of `tags_split`. Without `tags_split` they have no categories.

    Source: pixai-labs/pixai-tagger-v1.0.
    """
    table = _table(path, read_unique_json(path))
    names = table.get("tags")
    if not isinstance(names, list):
        raise WeightsError(f"{path}: has no list tags; name the file that lists the tags in the card: [tags]")
    split = _category_counts(path, table)
    if not split:
        return _space(path, names)
    categories = [category for category, count in split for _ in range(count)]
    if len(categories) != len(names):
        raise WeightsError(
            f"{path}: {len(names)} tags, but tags_split counts {len(categories)}; download the file again"
        )
    return _space(path, names, categories)


def _category_counts(path: Path, table: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return each category with its number of tags, in order; empty without `tags_split`."""
    split = table.get("tags_split") or []
    try:
        pairs = [
            (_category_of(category), int(count))
            for category, count in (split.items() if isinstance(split, dict) else split)
        ]
    except (TypeError, ValueError):
        raise WeightsError(f"{path}: each entry of tags_split must be a category and its number of tags") from None
    return pairs


TAG_READERS: Mapping[str, Callable[[Path], TagSpace]] = {
    "top_tags": read_top_tags,
    "selected_tags": read_selected_tags,
    "tags_json": _read_names,
    "classes_json": _read_names,
    "tag_mapping": read_tag_mapping,
    "camie_metadata": read_camie_metadata,
    "deepdanbooru": read_deepdanbooru,
    "config_tags": read_config_tags,
}
"""Reader of each of `arena.cards.model.TAG_FORMATS`."""


def read_text(path: Path) -> str:
    """Return the content of a text file, without a byte order mark.

    Raises:
        WeightsError: it is neither UTF-8 nor UTF-16 with a byte order mark.
    """
    return reading.read_text(path, most=MAX_JSON_BYTES, fix="download the file again", error=WeightsError)


def read_unique_json(path: Path) -> Any:
    """Return the content of a JSON file without duplicate keys.

    Raises:
        WeightsError: not readable JSON, or an object in it has a key twice.
    """
    return parse_json(read_text(path), path, fix="download the file again", error=WeightsError, unique_keys=True)


def _table(path: Path, content: object) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"a {type(content).__name__}"
        raise WeightsError(f"{path}: {found} instead of a table of tags; does the card name the right file?")
    return content


def _rows(path: Path, required: tuple[str, ...]) -> list[dict[str, str]]:
    """Return the rows of a CSV file; raise if a row is longer or shorter than the header."""
    rows = read_csv(path, required)
    for number, row in enumerate(rows):
        if None in row or None in row.values():
            raise WeightsError(f"{path}: row {number + 1} is not as long as the header; is a quote left open?")
    return rows


def _in_order(path: Path, pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    """Return the values in the order of their columns; raise if a column number is missing or duplicate."""
    try:
        listed = [(int(column), value) for column, value in pairs]
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{path}: the columns of tags must be whole numbers ({error})") from None
    found = dict(listed)
    if len(found) < len(listed):
        raise WeightsError(f"{path}: {len(listed)} tags for {len(found)} columns; each tag needs its own column")
    missing = next((column for column in range(len(found)) if column not in found), None)
    if missing is not None:
        raise WeightsError(
            f"{path}: {len(found)} tags, but none for column {missing}; columns must count from 0 without a gap"
        )
    return [found[column] for column in range(len(found))]


def _category(numbers: Mapping[int, str], number: int) -> str:
    return numbers.get(number, f"category_{number}")


def _category_of(category: object) -> str:
    """Return the category of a JSON value: a word, one of Danbooru's numbers, or nothing."""
    if isinstance(category, int):
        return _category(DANBOORU_NUMBERS, category)
    return category.strip().lower() if isinstance(category, str) and category.strip() else UNKNOWN_CATEGORY


def _space(
    path: Path, names: Sequence[object], categories: Sequence[str] | None = None, counts: Sequence[int] | None = None
) -> TagSpace:
    """Return the tag space of these names; raise if a name is invalid or duplicate in the arena's spelling."""
    originals: dict[str, str] = {}
    for column, name in enumerate(names):
        if not isinstance(name, str) or not name.strip() or "\n" in name:
            raise WeightsError(f"{path}: the name at column {column} is {name!r}; it must be text on one line")
        if (spelling := canonical_spelling(name)) in originals:
            also = "" if originals[spelling] == name else f", also as {originals[spelling]!r}"
            raise WeightsError(f"{path}: tag {name!r} is listed twice{also}; each tag needs its own name")
        originals[spelling] = name
    try:
        return TagSpace(
            tuple(originals),
            None if categories is None else tuple(categories),
            None if counts is None else tuple(counts),
        )
    except ArenaError as error:
        raise WeightsError(f"{path}: {error}") from None
