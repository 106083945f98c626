"""Summary entries of published results, which a comparison shows next to measured results."""

from collections.abc import Sequence
from typing import Any

from arena.base.errors import refuse_twice
from arena.results.published.aggregates import aggregates_of
from arena.results.published.record import Published

_UNKNOWN = "unknown"


def published_entries(published: Sequence[Published]) -> list[dict[str, Any]]:
    """The entries in `summary.json` of several published results, in their order.

    Raises:
        ArenaError: two models have the same name.
    """
    refuse_twice("--published", "model", [one.name for one in published])
    return [published_entry(one) for one in published]


def published_entry(published: Published) -> dict[str, Any]:
    """Name, source, threshold and aggregates of a published result, None if unknown; its images differ from the run's."""
    return {
        "name": published.name,
        "source": published.source,
        "format": published.format,
        "digest": published.digest,
        "images": published.images,
        "threshold": _threshold_text(published),
        "notes": list(published.notes),
        **aggregates_of(published),
    }


def _threshold_text(published: Published) -> str:
    """The threshold as text: `0.4`, `per tag`, or `unknown`."""
    if published.threshold is not None:
        return f"{published.threshold:g}"
    values = published.tags["threshold"].dropna().unique()
    if len(values) == 1 and published.tags["threshold"].notna().all():
        return f"{values[0]:g}"
    return "per tag" if len(values) else _UNKNOWN


def unknown_columns(published: Published) -> list[str]:
    """Names of the columns that are unknown for all tags, and `images` if the number of images is unknown."""
    known = {"tag"} if published.threshold is None else {"tag", "threshold"}
    columns = [name for name in published.tags.columns if name not in known and published.tags[name].isna().all()]
    return columns + ([] if published.images is not None else ["images"])
