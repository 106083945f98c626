"""Description of a dataset as text and tables for a terminal of 80 columns."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from arena.base.format import UNDEFINED, clipped, count, one_line, percent, plural

DATASET_TEXT_WIDTH = 80
"""Width of the text, in columns."""

_SHOWN_TAGS = 15
"""Largest number of listed tags; the JSON output has all."""

NAME_LENGTH = 32
"""Largest length of a name, in columns: two names and three numbers fit a line."""

_UNKNOWN = "unknown"
"""Text of an empty rating or suffix."""


def dataset_text(description: Mapping[str, Any]) -> str:
    """Return the result of `describe` as text, with the most frequent tags only.

    No line is wider than `DATASET_TEXT_WIDTH` columns.
    """
    out = Console(
        file=io.StringIO(), width=DATASET_TEXT_WIDTH, highlight=False, color_system=None, markup=False, emoji=False
    )
    images = description["images"]
    out.print(one_line(f"{description['name']}: {description['title']}"))
    groups = plural(description["groups"]["groups"], "group", "groups")
    out.print(f"{plural(images, 'image', 'images')} in {groups}, {plural(len(description['tags']), 'tag', 'tags')}")
    out.print(one_line(f"licence {description['licence']}; digest {description['digest'][:12]}"))
    if (known := description.get("known_cells")) is not None:
        cells = images * len(description["tags"])
        out.print(f"known: {count(known)} of {count(cells)} cells (an image and a tag)")
    labels_read = description["facts"].get("labels_read")
    for line in labels_read if isinstance(labels_read, list) else []:
        out.print(one_line(f"labels read: {line}"))
    if included := description["included_for"]:
        out.print(
            f"not a random sample: {count(included['for_a_tag'])} images for a tag, {count(included['random'])} at random"
        )
    _print(out, "Categories", ("category", "tags", "labels"), category_rows(description["categories"]))
    _print(out, "Tags by number of images", ("images", "tags"), support_rows(description["support"]))
    _print(out, "Most frequent tags", ("tag", "category", "images", "share"), tag_rows(description, _SHOWN_TAGS))
    _print(out, _pairs_title(description), ("tag", "and tag", "images", "lift", "phi"), pair_rows(description))
    _print(out, "Ratings", ("rating", "images", "share"), rating_rows(description))
    _print(out, "Formats", ("format", "images", "share"), value_rows(description["formats"], images))
    _print(out, "Sizes", ("", "min", "25 %", "median", "75 %", "max"), size_rows(description))
    out.print("\n" + group_sentence(description["groups"]))
    _print(out, "Steps", ("step", "kept", "dropped", "why"), step_rows(description["steps"]), folded=("why",))
    file = out.file
    assert isinstance(file, io.StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def category_rows(categories: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return one row for each category: name, number of tags, number of labels (pairs of image and tag)."""
    return [(row["category"], count(row["tags"]), count(row["labels"])) for row in categories]


def support_rows(classes: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return one row for each class of support, such as `10 to 29`, with its number of tags."""
    return [(support_class(row), count(row["tags"])) for row in classes]


def support_class(row: Mapping[str, Any]) -> str:
    """Return the bounds of a class of support as text.

    >>> [support_class({"from": a, "to": b}) for a, b in ((0, 0), (10, 29), (10000, None))]
    ['0', '10 to 29', '10,000 or more']
    """
    if row["to"] is None:
        return f"{count(row['from'])} or more"
    return count(row["from"]) if row["from"] == row["to"] else f"{count(row['from'])} to {count(row['to'])}"


def tag_rows(description: Mapping[str, Any], most: int) -> list[tuple[str, ...]]:
    """Return the most frequent tags with category, number of images, and share of all images."""
    images = description["images"]
    return [
        (row["name"], row["category"], count(row["images"]), percent(row["images"], images))
        for row in description["tags"][:most]
    ]


def pair_rows(description: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the tag pairs with number of images, lift and phi."""
    return [
        (row["first"], row["second"], count(row["images"]), f"{row['lift']:,.1f}", f"{row['phi']:.2f}")
        for row in description["pairs"]
    ]


def value_rows(values: Iterable[Mapping[str, Any]], images: int) -> list[tuple[str, str, str]]:
    """Return one row for each value: value, number of images, share of all images."""
    return [(row["value"] or _UNKNOWN, count(row["images"]), percent(row["images"], images)) for row in values]


def rating_rows(description: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return one row for each rating: letter with its meaning in this dataset, number of images, share.

    >>> rating_rows({"ratings": [{"value": "s", "images": 2}], "rating_meanings": {"s": "sensitive"}, "images": 4})
    [('s (sensitive)', '2', '50.0 %')]
    """
    meanings = description["rating_meanings"]
    rows = value_rows(description["ratings"], description["images"])
    named = {value: f"{value} ({meaning})" for value, meaning in meanings.items()}
    return [(named.get(value, value), images, share) for value, images, share in rows]


def size_rows(description: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return minimum, quartiles and maximum of width, height, megapixels and tags per image."""
    sizes = description["sizes"]
    rows = [(f"{name}, pixels", *(f"{value:,.0f}" for value in sizes[name])) for name in ("width", "height")]
    rows.append(("megapixels", *(f"{value:,.2f}" for value in sizes["megapixels"])))
    return [*rows, ("tags per image", *(f"{value:,.0f}" for value in description["tags_per_image"]))]


def step_rows(steps: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return one row for each step of the card; a missing number is a dash."""
    return [(row["name"], _number(row["kept"]), _number(row["dropped"]), row["why"]) for row in steps]


def _number(value: int | None) -> str:
    return UNDEFINED if value is None else count(value)


def group_sentence(groups: Mapping[str, int]) -> str:
    """Return a sentence on the groups of related images.

    >>> group_sentence({"groups": 1331, "shared": 120, "images_in_shared": 326, "largest": 14})
    '1,331 groups of related images; 120 hold more than one image: 326 images in total, 14 in the largest'
    """
    start = plural(groups["groups"], "group", "groups") + " of related images"
    if not groups["shared"]:
        return f"{start}; each holds one image"
    shared, largest = groups["images_in_shared"], groups["largest"]
    return (
        f"{start}; {count(groups['shared'])} hold more than one image: "
        f"{count(shared)} images in total, {count(largest)} in the largest"
    )


def _pairs_title(description: Mapping[str, Any]) -> str:
    return f"Tags that occur together (each on {description['min_positives']} images or more, none implied)"


def _print(
    out: Console, title: str, header: Sequence[str], rows: Sequence[Sequence[str]], folded: Sequence[str] = ()
) -> None:
    """Print a table with a title; print nothing if there are no rows."""
    if not rows:
        return
    table = Table(box=None, pad_edge=False, show_header=True)
    named = {"tag", "and tag", "category", "rating", "format", "step", "why", ""}
    for name in header:
        table.add_column(name, justify="left" if name in named else "right", overflow="fold" if name in folded else "ellipsis",
                         no_wrap=name not in folded)  # fmt: skip
    for row in rows:
        cells = (
            cell if name in folded else clipped(cell, NAME_LENGTH)
            for name, cell in zip(header, map(one_line, row), strict=True)
        )
        table.add_row(*map(Text, cells))
    out.print(f"\n{title}")
    out.print(table)
