"""The tables of `arena pick` as text, for the page, `pick.md` and the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from arena.base.format import UNDEFINED, count, figure, interval, signed
from arena.metrics.registry import METRICS

SHOWN_METRICS = ("micro_f1", "macro_f1", "micro_precision", "micro_recall")
"""Expected metrics in tables; `pick.json` has all."""

_ALL = "all tags"


class TextTable(NamedTuple):
    """A table of text.

    Attributes:
        header: names of the columns.
        rows: cells; a cell with an interval has a line break before it.
        text_columns: number of leading columns that are text.
    """

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    text_columns: int = 1


def with_interval(one: Mapping[str, Any], show: Any = figure) -> str:
    """Return a value with its interval on a second line; without the interval if there is none."""
    return (
        show(one["value"])
        if _missing(one["low"])
        else f"{show(one['value'])}\n{interval(one['low'], one['high'], show)}"
    )


def _missing(value: float | None) -> bool:
    return value is None or value != value


def expected_table(document: Mapping[str, Any]) -> TextTable:
    """Return the expected metrics of each model at its own and at its best threshold; no row without a calibration."""
    header = ("tagger", "threshold", *(METRICS[key].heading for key in SHOWN_METRICS))
    rows = []
    for name, one in document["models"].items():
        if "expected" not in one:
            continue
        found = one["expected"]
        for label, point in ((one["threshold"], "own"), (f"{found['threshold']:g} (best)", "best")):
            rows.append((name, label, *(with_interval(found[point][key]) for key in SHOWN_METRICS)))
    return TextTable(header, rows, 2)


def difference_table(document: Mapping[str, Any]) -> TextTable:
    """Return the expected differences of each pair of models, each at its best threshold."""
    rows = [
        (f"{one['first']} − {one['second']}", *(with_interval(one["best"][key], signed) for key in SHOWN_METRICS))
        for one in document["differences"]
    ]
    return TextTable(("at best thresholds", *(METRICS[key].heading for key in SHOWN_METRICS)), rows)


def shift_table(document: Mapping[str, Any]) -> TextTable:
    """Return how far the tags of the pictures differ from those of the labelled images."""
    rows = [
        (name, figure(one["shift"]["distance"]), figure(one["shift"]["by_chance"]), f"{one['shift']['p']:.3f}")
        for name, one in document["models"].items()
        if "shift" in one
    ]
    return TextTable(("tagger", "distance", "by chance", "p"), rows)


def agreement_table(document: Mapping[str, Any]) -> TextTable:
    """Return the agreement of each pair of models, over all tags and by category."""
    rows = []
    for pair in document["agreement"]:
        label = f"{pair['first']}, {pair['second']}"
        if not pair["parts"]:
            rows.append((label, "no common tag", "0", UNDEFINED, UNDEFINED))
        for part in pair["parts"]:
            cells = (count(part["tags"]), with_interval(part["jaccard"]), with_interval(part["equal"]))
            rows.append((label, part["category"] or _ALL, *cells))
    return TextTable(("taggers", "category", "tags", "shared tags per image", "equal decisions"), rows, 2)


def alone_table(document: Mapping[str, Any]) -> TextTable:
    """Return how many decisions only one model makes."""
    rows = [
        (
            name,
            count(one["decisions"]),
            count(one["of"]),
            _share(one["decisions"], one["of"]),
            count(one["unknown_to_others"]),
        )
        for name, one in document["alone"].items()
    ]
    header = ("tagger", "tags given alone", "of", "share", "tags that no other tagger knows")
    return TextTable(header, rows if len(rows) > 1 else [])


def _share(part: int, whole: int) -> str:
    return UNDEFINED if not whole else f"{100 * part / whole:.1f} %"


def rule_table(document: Mapping[str, Any]) -> TextTable:
    """Return the broken rules of each model and kind; kinds without a rule are left out."""
    rows = []
    for kind, title in (("implications", "implication"), ("exclusions", "exclusive pair")):
        for name, one in document["rules"].items():
            found = one[kind]
            if found["rules"]:
                broken = (f"{found['share']['hits']:,.0f}", f"{found['share']['cases']:,.0f}")
                shared = with_interval(found["shared"]) if found["shared_rules"] else UNDEFINED
                rows.append((title, name, count(found["rules"]), *broken, with_interval(found["share"]), shared))
    header = ("rule", "tagger", "rules known", "broken", "cases", "share", "share, rules that all know")
    return TextTable(header, rows, 2)


def worst_rules(document: Mapping[str, Any], kind: str) -> TextTable:
    """Return the rules of a kind that are broken most often, by model."""
    word = "given without" if kind == "implications" else "given with"
    rows = [
        (name, one["first"], one["second"], count(one["broken"]), count(one["cases"]))
        for name, found in document["rules"].items()
        for one in found[kind]["worst"]
    ]
    return TextTable(("tagger", "tag", word, "images", "of"), rows, 3)


def tag_rows(alone: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    """Yield tag, category, and numbers of images of the tags that only one model gives."""
    for one in alone["tags"]:
        yield one["tag"], one["category"], count(one["images"]), count(one["given"])
