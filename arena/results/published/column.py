"""A published result beside measured ones: what a comparison keeps of it."""

from collections.abc import Sequence
from typing import Any

from arena.base.errors import refuse_twice
from arena.results.published.aggregates import aggregates_of
from arena.results.published.record import Published

UNKNOWN = "unknown"


def columns_of(published: Sequence[Published]) -> list[dict[str, Any]]:
    """The entries of `summary.json` of several published results, in their order.

    Raises:
        ArenaError: two models have one name.
    """
    refuse_twice("--published", "model", [one.name for one in published])
    return [column_of(one) for one in published]


def column_of(published: Published) -> dict[str, Any]:
    """Name, source, threshold and aggregates, None where unknown; they are of other images than any run's."""
    return {
        "name": published.name,
        "source": published.source,
        "format": published.format,
        "digest": published.digest,
        "images": published.images,
        "threshold": threshold_of(published),
        "notes": list(published.notes),
        **aggregates_of(published),
    }


def threshold_of(published: Published) -> str:
    """Where predictions begin, for people: `0.4`, `per tag`, or `unknown`."""
    told = published.tags["threshold"].dropna().unique()
    if len(told) == 1 and published.tags["threshold"].notna().all():
        return f"{told[0]:g}"
    return "per tag" if len(told) else UNKNOWN


def unknown_of(published: Published) -> list[str]:
    """What the file does not tell of any tag, by the names of the columns, and `images` where it does not tell these."""
    columns = [name for name in published.tags.columns if name != "tag" and published.tags[name].isna().all()]
    return columns + ([] if published.images is not None else ["images"])
