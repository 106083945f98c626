"""A dataset in words and tables that fit a terminal of 80 columns."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from arena.base.format import UNDEFINED, clipped, count, one_line, percent, plural

WIDTH = 80
"""Columns of a terminal."""

SHOWN_TAGS = 15
"""Tags that are listed; JSON has all."""

NAME_LENGTH = 32
"""Longer names are cut: two of them and three figures fit a line."""

UNKNOWN = "unknown"
"""How an empty rating or suffix is called."""


def dataset_text(description: Mapping[str, Any]) -> str:
    """Everything that `describe` found, with the tags that are most frequent.

    No line is longer than `WIDTH`, whatever the names in it.
    """
    out = Console(file=io.StringIO(), width=WIDTH, highlight=False, color_system=None, markup=False, emoji=False)
    images = description["images"]
    out.print(one_line(f"{description['name']}: {description['title']}"))
    out.print(f"{plural(images, 'image', 'images')}, {plural(len(description['tags']), 'tag', 'tags')}")
    out.print(one_line(f"licence {description['licence']}; digest {description['digest'][:12]}"))
    if included := description["included_for"]:
        out.print(
            f"no random sample: {count(included['for_a_tag'])} images for a tag, {count(included['random'])} at random"
        )
    _print(out, "Categories", ("category", "tags", "labels"), category_rows(description["categories"]))
    _print(out, "Tags by number of images", ("images", "tags"), support_rows(description["support"]))
    _print(out, "Most frequent tags", ("tag", "category", "images", "share"), tag_rows(description, SHOWN_TAGS))
    _print(out, _pairs_title(description), ("tag", "and tag", "images", "lift", "phi"), pair_rows(description))
    _print(out, "Ratings", ("rating", "images", "share"), rating_rows(description))
    _print(out, "Formats", ("format", "images", "share"), value_rows(description["formats"], images))
    _print(out, "Sizes", ("", "least", "25 %", "median", "75 %", "most"), size_rows(description))
    out.print("\n" + group_sentence(description["groups"]))
    _print(out, "Steps", ("step", "kept", "dropped", "why"), step_rows(description["steps"]), folded=("why",))
    file = out.file
    assert isinstance(file, io.StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def category_rows(categories: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """A row a category: its tags, and how often any of them is carried."""
    return [(row["category"], count(row["tags"]), count(row["labels"])) for row in categories]


def support_rows(classes: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """A row a class: `10 to 29`, how many tags."""
    return [(support_class(row), count(row["tags"])) for row in classes]


def support_class(row: Mapping[str, Any]) -> str:
    """Bounds of a class in words.

    >>> [support_class({"from": a, "to": b}) for a, b in ((0, 0), (10, 29), (10000, None))]
    ['0', '10 to 29', '10,000 or more']
    """
    if row["to"] is None:
        return f"{count(row['from'])} or more"
    return count(row["from"]) if row["from"] == row["to"] else f"{count(row['from'])} to {count(row['to'])}"


def tag_rows(description: Mapping[str, Any], most: int) -> list[tuple[str, ...]]:
    """The most frequent tags with category, images, and share of the images."""
    images = description["images"]
    return [
        (row["name"], row["category"], count(row["images"]), percent(row["images"], images))
        for row in description["tags"][:most]
    ]


def pair_rows(description: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The pairs with images, lift and phi."""
    return [
        (row["first"], row["second"], count(row["images"]), f"{row['lift']:,.1f}", f"{row['phi']:.2f}")
        for row in description["pairs"]
    ]


def value_rows(values: Iterable[Mapping[str, Any]], images: int) -> list[tuple[str, str, str]]:
    """A row a value: how many images, and what share."""
    return [(row["value"] or UNKNOWN, count(row["images"]), percent(row["images"], images)) for row in values]


def rating_rows(description: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """A row a rating, its letter with what it means in the scheme of the set.

    >>> rating_rows({"ratings": [{"value": "s", "images": 2}], "rating_meanings": {"s": "sensitive"}, "images": 4})
    [('s (sensitive)', '2', '50.0 %')]
    """
    meanings = description["rating_meanings"]
    rows = value_rows(description["ratings"], description["images"])
    named = {value: f"{value} ({meaning})" for value, meaning in meanings.items()}
    return [(named.get(value, value), images, share) for value, images, share in rows]


def size_rows(description: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Width, height, megapixels and tags an image: least, quartiles, most."""
    sizes = description["sizes"]
    rows = [(f"{name}, pixels", *(f"{value:,.0f}" for value in sizes[name])) for name in ("width", "height")]
    rows.append(("megapixels", *(f"{value:,.2f}" for value in sizes["megapixels"])))
    return [*rows, ("tags an image", *(f"{value:,.0f}" for value in description["tags_per_image"]))]


def step_rows(steps: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """A row a step; a number that a card lacks is a dash."""
    return [(row["name"], _number(row["kept"]), _number(row["dropped"]), row["why"]) for row in steps]


def _number(value: int | None) -> str:
    return UNDEFINED if value is None else count(value)


def group_sentence(groups: Mapping[str, int]) -> str:
    """How many images are related.

    >>> group_sentence({"groups": 1331, "shared": 120, "images_in_shared": 326, "largest": 14})
    '1,331 groups of related images; 120 hold more than one, 326 images in all, the largest 14'
    """
    told = plural(groups["groups"], "group", "groups") + " of related images"
    if not groups["shared"]:
        return f"{told}; each holds one"
    shared, largest = groups["images_in_shared"], groups["largest"]
    return f"{told}; {count(groups['shared'])} hold more than one, {count(shared)} images in all, the largest {count(largest)}"


def _pairs_title(description: Mapping[str, Any]) -> str:
    return f"Tags that go together (each on {description['min_positives']} images or more, none implied)"


def _print(
    out: Console, title: str, header: Sequence[str], rows: Sequence[Sequence[str]], folded: Sequence[str] = ()
) -> None:
    """A titled table; nothing where it would be empty."""
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
