"""The page's table of tags as one packed block.

What follows from counts is not packed: the browser computes it as it was computed here. Where a convention counts otherwise
the figures differ from that, and are packed.
"""

from collections.abc import Callable, Mapping
from typing import Any

from arena.report.columns import number
from arena.report.page.packed import Column, Packed, figures, integers, listed, pack

TOLD: dict[str, Callable[[Column], Packed]] = {
    "name": listed, "category": listed, "support": integers, "compared": listed,
}  # fmt: skip
"""Columns of a tag, whatever the model."""

COUNTED = ("tp", "fp", "fn", "tn")
"""Columns of a model that are integers; all its others are figures, but for the threshold."""

DERIVED = ("fn", "tn", "precision", "recall", "f1")
"""Columns of a model that follow from TP, FP, the support and the number of images."""


def tag_block(tags: Mapping[str, Any], images: int) -> str:
    """The tags of a payload, packed: `name` ..., `0.tp` ... of the first model, `0.1.f1.q` ... of the first two."""
    columns = {name: how(tags[name]) for name, how in TOLD.items()}
    for place, own in enumerate(tags["models"].values()):
        kept = _without_derived(own, tags["support"], images)
        columns |= {f"{place}.{name}": _packed(name, values) for name, values in kept.items()}
    for pair in tags["pairs"]:
        which = f"{pair['first']}.{pair['second']}"
        columns |= {f"{which}.{key}.{name}": _packed(name, values) for key, name, values in _of_pair(pair)}
    return pack(columns)


def _packed(name: str, values: Column) -> Packed:
    if name in COUNTED:
        return integers(values)
    return listed(values) if name in ("threshold", "q", "higher") else figures(values)


def _of_pair(pair: Mapping[str, Any]) -> list[tuple[str, str, Column]]:
    return [(key, name, values) for key in ("f1", "ap") for name, values in pair[key].items()]


def _without_derived(own: Mapping[str, Column], support: Column, images: int) -> dict[str, Column]:
    derived = derive(own["tp"], own["fp"], support, images)
    return {name: values for name, values in own.items() if not (name in derived and _same(values, derived[name]))}


def _same(values: Column, others: Column) -> bool:
    """Equal as far as the page's data has digits."""
    return all(
        a == b or (a is not None and b is not None and number(a) == number(b))
        for a, b in zip(values, others, strict=True)
    )


def derive(tp: Column, fp: Column, support: Column, images: int) -> dict[str, list[Any]]:
    """False negatives, true negatives, precision, recall and F1 of every tag; null where a model lacks it, or undefined.

    >>> derive([6, None], [2, None], [8, 3], 100)["f1"]
    [0.75, None]
    """
    rows = [_derived(*counts, images) for counts in zip(tp, fp, support, strict=True)]
    return {name: [row[place] for row in rows] for place, name in enumerate(DERIVED)}


def _derived(tp: int | None, fp: int | None, support: int, images: int) -> tuple[Any, ...]:
    if tp is None or fp is None:
        return (None,) * len(DERIVED)
    fn = support - tp
    return fn, images - tp - fp - fn, _share(tp, tp + fp), _share(tp, support), _share(2 * tp, tp + fp + support)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
