"""Summary entries of published results, which a comparison shows next to measured results."""

from collections.abc import Sequence
from typing import Any

from arena.base.errors import refuse_twice
from arena.results.published.aggregates import aggregates_of
from arena.results.published.record import Published

UNKNOWN = "unknown"


def columns_of(published: Sequence[Published]) -> list[dict[str, Any]]:
    """The entries in `summary.json` of several published results, in their order.

    Raises:
        ArenaError: two models have the same name.
    """
    refuse_twice("--published", "model", [one.name for one in published])
    return [column_of(one) for one in published]


def column_of(published: Published) -> dict[str, Any]:
    """Name, source, threshold and aggregates of a published result, None if unknown; its images differ from the run's."""
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
    """The threshold as text: `0.4`, `per tag`, or `unknown`."""
    values = published.tags["threshold"].dropna().unique()
    if len(values) == 1 and published.tags["threshold"].notna().all():
        return f"{values[0]:g}"
    return "per tag" if len(values) else UNKNOWN


def unknown_of(published: Published) -> list[str]:
    """Names of the columns that are unknown for all tags, and `images` if the number of images is unknown."""
    columns = [name for name in published.tags.columns if name != "tag" and published.tags[name].isna().all()]
    return columns + ([] if published.images is not None else ["images"])
