"""What the figures of a run say: a leaderboard with its best marked, and findings in words.

Nothing is computed here: figures are only compared, counted and put into words. No finding names a winner: it says who
has the higher figure, by how much, over how many tags.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arena.report.figures import UNDEFINED, count, figure, percent, plural, rate

MODEL_STYLES = 10
"""Colours, markers and dash patterns in page.css; an eleventh model shares the first one's."""

STATIC_TAGS = 50
"""Rows of the table of tags that a reader without JavaScript sees."""


@dataclass(frozen=True)
class Cell:
    """One figure of the leaderboard: as shown, over how many tags (None: not said), and whether it is the best."""

    text: str
    value: float | None = None
    over: int | None = None
    best: bool = False


@dataclass(frozen=True)
class Standing:
    """One model's row of the leaderboard; `style` picks its colour, marker and dash pattern."""

    model: Mapping[str, Any]
    style: int
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Share:
    """On how many tags a model has the highest AP (`name` None: equal on these tags)."""

    name: str | None
    style: int
    tags: int
    start: float
    width: float


@dataclass(frozen=True)
class Finding:
    """One thing the figures say: what, who (or the figure itself), and the numbers behind it."""

    label: str
    lead: str
    detail: str
    style: int | None = None


_LEADERBOARD: tuple[tuple[str, Callable[[Mapping[str, Any]], float | None]], ...] = (
    ("map", lambda m: m["map"]),
    ("macro_f1", lambda m: m["macro"]["f1"]),
    ("macro_precision", lambda m: m["macro"]["precision"]),
    ("macro_recall", lambda m: m["macro"]["recall"]),
    ("micro_f1", lambda m: m["micro"]["f1"]),
    ("micro_precision", lambda m: m["micro"]["precision"]),
    ("micro_recall", lambda m: m["micro"]["recall"]),
)


def leaderboard(models: Sequence[Mapping[str, Any]]) -> list[Standing]:
    """The models by falling mAP (undefined last, ties in the given order), each figure with its mark as best."""
    columns = {key: _column(models, key, value) for key, value in _LEADERBOARD}
    columns["coverage"] = _marked(
        [Cell(percent(m["known_tags"], m["dataset_tags"]), m["known_tags"]) for m in models],
    )
    columns["rate"] = _marked([Cell(rate(m["images_per_second"]), m["images_per_second"]) for m in models])
    standings = [
        Standing(model=model, style=i % MODEL_STYLES, cells={key: cells[i] for key, cells in columns.items()})
        for i, model in enumerate(models)
    ]
    return sorted(standings, key=lambda s: -s.model["map"] if s.model["map"] is not None else float("inf"))


def _column(
    models: Sequence[Mapping[str, Any]], key: str, value: Callable[[Mapping[str, Any]], float | None]
) -> list[Cell]:
    average, _, name = key.partition("_")
    over = [m["map_tags"] if key == "map" else m["macro"][f"{name}_tags"] for m in models] if average != "micro" else []
    return _marked(
        [Cell(figure(value(m)), value(m), over[i] if over else None) for i, m in enumerate(models)],
    )


def _marked(cells: Sequence[Cell]) -> list[Cell]:
    """The cells with the best marked; what reads the same is best together, and if all read the same none is."""
    defined = [cell for cell in cells if cell.value is not None]
    if len({cell.text for cell in cells}) < 2 or len(defined) < 2:
        return list(cells)
    best = max(defined, key=lambda cell: cell.value or 0.0).text
    return [Cell(c.text, c.value, c.over, best=c.text == best) for c in cells]


def findings(payload: Mapping[str, Any]) -> list[Finding]:
    """Who has the higher mAP and macro F1, by how much and over how many tags; ties and undefined figures said so."""
    models = payload["models"]
    return [
        _finding(models, "mAP", lambda m: m["map"], lambda m: m["map_tags"], _chance(models)),
        _finding(models, "macro F1", lambda m: m["macro"]["f1"], lambda m: m["macro"]["f1_tags"], _at(models)),
    ]


def _at(models: Sequence[Mapping[str, Any]]) -> str:
    thresholds = [str(m["threshold"]) for m in models]
    if len(set(thresholds)) == 1:
        return f"{'both ' if len(models) == 2 else 'all ' if len(models) > 2 else ''}at threshold {thresholds[0]}"
    return f"at their own thresholds{f' ({_listed(thresholds)})' if len(models) <= 3 else ''}"


def _chance(models: Sequence[Mapping[str, Any]]) -> str:
    shown = sorted({figure(m["random_map"]) for m in models})
    return f"random scores would reach {' to '.join((shown[0], shown[-1]) if len(shown) > 1 else shown)}"


def _finding(
    models: Sequence[Mapping[str, Any]],
    name: str,
    value: Callable[[Mapping[str, Any]], float | None],
    tags: Callable[[Mapping[str, Any]], int],
    aside: str,
) -> Finding:
    defined = sorted((m for m in models if value(m) is not None), key=lambda m: -(value(m) or 0.0))
    title = name[0].upper() + name[1:] if name.startswith("macro") else name
    if not defined:
        return Finding(title, UNDEFINED, "undefined: no tag to average over")
    best = figure(value(defined[0]))
    tied = [m for m in defined if figure(value(m)) == best]
    over = sorted({tags(m) for m in defined})
    span = (
        f"over {plural(over[-1], 'tag', 'tags')}" if len(over) == 1 else f"over {count(over[0])} to {over[-1]:,} tags"
    )
    if len(models) == 1:
        return Finding(title, best, f"{span}; {aside}")
    others = [*defined[len(tied) :], *(m for m in models if value(m) is None)]
    rest = _listed([f"{figure(value(m))} ({m['name']})" for m in others], keep=3)
    if len(tied) > 1:
        names = _listed([m["name"] for m in tied])
        label = f"Highest {name}, shared" if others else f"Same {name} to four digits"
        return Finding(label, best, f"{names}{f' against {rest}' if others else ''}, {span}; {aside}")
    label = f"{'Higher' if len(models) == 2 else 'Highest'} {name}"
    style = models.index(tied[0]) % MODEL_STYLES
    return Finding(label, tied[0]["name"], f"{best} against {rest}, {span}; {aside}", style)


def _listed(items: Sequence[str], *, keep: int = 10) -> str:
    """Items as a sentence lists them, the tail counted.

    >>> _listed(["a", "b", "c"]), _listed(["a", "b", "c", "d"], keep=2)
    ('a, b and c', 'a, b and 2 more')
    """
    shown = list(items[:keep])
    if not shown:
        return ""
    if len(items) > keep:
        shown.append(f"{len(items) - keep} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def shares(payload: Mapping[str, Any]) -> list[Share]:
    """On how many compared tags each model has the highest AP, among tags where every model's AP is defined."""
    tags, names = payload["tags"], [m["name"] for m in payload["models"]]
    wins, equal = [0] * len(names), 0
    columns = zip(*(tags["models"][name]["ap"] for name in names), strict=True)
    for compared, row in zip(tags["compared"], columns, strict=True):
        if not compared or None in row:
            continue
        best = [i for i, value in enumerate(row) if value == max(row)]
        if len(best) == 1:
            wins[best[0]] += 1
        else:
            equal += 1
    total = max(sum(wins) + equal, 1)
    parts: list[Share] = []
    start = 0.0
    for i, (name, number) in enumerate([*zip(names, wins, strict=True), (None, equal)]):
        width = 100 * number / total
        parts.append(Share(name=name, style=i % MODEL_STYLES, tags=number, start=start, width=width))
        start += width
    return parts


def subject(payload: Mapping[str, Any]) -> str:
    """The one sentence that says what was compared with what, on what."""
    dataset, models, least = payload["dataset"], payload["models"], payload["min_positives"]
    taggers = plural(len(models), "tagger", "taggers")
    who = "that it knows" if len(models) == 1 else "that " + ("both" if len(models) == 2 else "all") + " know"
    thick = f" and that have at least {plural(least, 'positive image', 'positive images')}" if least else ""
    return (
        f"{taggers} scored on {'' if len(models) == 1 else 'the same '}{plural(dataset['images'], 'image', 'images')} "
        f"({dataset['title']}), and {'measured' if len(models) == 1 else 'compared'} on the "
        f"{plural(payload['compared_tags'], 'tag', 'tags')} {who}{thick}."
    )


def static_tags(payload: Mapping[str, Any]) -> list[int]:
    """Positions of the tags that a reader without JavaScript sees: compared first, then support, then name."""
    tags = payload["tags"]
    order = sorted(
        range(len(tags["name"])), key=lambda i: (not tags["compared"][i], -tags["support"][i], tags["name"][i])
    )
    return order[:STATIC_TAGS]
