"""The `model-index` of a model page on Hugging Face: averages of a model, without tags. `arena publish --forms` writes one."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError
from arena.base.files import digest_file
from arena.base.format import plural
from arena.base.reading import parse_yaml
from arena.base.schema import TEXT, Schema, optional, table_of
from arena.metrics.registry import AGGREGATES, METRICS
from arena.results.published.record import Published
from arena.results.published.rows import no_tags, read_published_text

_FORMAT = "model-index"

_FIX = "fetch it again"

_KEY = re.compile(r"^model-index:", re.MULTILINE)
_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)---[ \t]*(\n|$)", re.DOTALL)

_METRIC = table_of({"type": TEXT, "value": {}}, {"name": optional(TEXT), "args": {}})
_RESULT = table_of(
    {
        "dataset": table_of(known={"name": TEXT, "type": TEXT, "args": {}}),
        "metrics": {"type": "array", "items": _METRIC},
    }
)
_CONTENT = Schema(
    table_of(
        {
            "model-index": {
                "type": "array",
                "items": table_of({"name": TEXT, "results": {"type": "array", "items": _RESULT}}),
            }
        }
    )
)

_KEYS: Mapping[tuple[str, str], str] = {
    (METRICS[METRICS[key].base].hub, METRICS[key].average): key for key in AGGREGATES
}
"""Type of a metric on the hub and its argument `average` -> the arena's name."""


def is_model_index(text: str) -> bool:
    """Whether text is a `model-index`, alone or in the front matter of a README."""
    if text.startswith("---"):
        front = _FRONT_MATTER.match(text)
        return front is not None and _KEY.search(front[1]) is not None
    return _KEY.match(text) is not None


def read_model_index(path: Path) -> dict[str, Published]:
    """Read every model of the file; where one has results on several sets of images, each is a model of its own.

    Raises:
        ArenaError: the file is damaged, holds no average that the arena knows, or holds one twice.
    """
    text, digest = read_published_text(path), digest_file(path)
    front = _FRONT_MATTER.match(text)
    content = parse_yaml(front[1] if front else text, path, _CONTENT, fix=_FIX)
    found: dict[str, Published] = {}
    for name, result in _named_results(content["model-index"]):
        if name in found:
            raise ArenaError(f"{path}: two results of {name} on the same images; keep one")
        figures, threshold, skipped = _figures(path, result["metrics"])
        if figures:
            notes = [f"metrics of {result['dataset'].get('name', 'unnamed images')}"]
            notes += [f"left out: {plural(skipped, 'metric', 'metrics')} of another kind"] if skipped else []
            images = _images(result["dataset"].get("args"))
            found[name] = Published(
                name, path.name, _FORMAT, digest, no_tags(), images, figures, notes=notes, threshold=threshold
            )
    if not found:
        wanted = ", ".join(sorted({kind for kind, _ in _KEYS}))
        raise ArenaError(
            f"{path}: no metric of type {wanted} with average macro or micro in its args; nothing can be compared"
        )
    return found


def _named_results(models: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for model in models:
        for result in model["results"]:
            several = len(model["results"]) > 1
            dataset = result["dataset"].get("name") or result["dataset"].get("type", "")
            yield (f"{model['name']} on {dataset}" if several else model["name"]), result


def _figures(path: Path, metrics: Sequence[Mapping[str, Any]]) -> tuple[dict[str, float], float | None, int]:
    """Return the averages by the arena's names, their threshold, and the number of metrics left out."""
    figures: dict[str, float] = {}
    thresholds: set[str] = set()
    for metric in metrics:
        found = metric.get("args")
        arguments: dict[str, Any] = found if isinstance(found, dict) else {}
        key = _KEYS.get((metric["type"], str(arguments.get("average"))))
        if key is None:
            continue
        value = metric["value"]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ArenaError(f"{path}: {key} is {value!r:.40}, but must lie in 0 to 1; {_FIX}")
        if key in figures:
            raise ArenaError(f"{path}: {key} occurs twice; keep one")
        figures[key] = float(value)
        thresholds |= {str(arguments["threshold"])} if "threshold" in arguments else set()
    return figures, _threshold(thresholds), len(metrics) - len(figures)


def _threshold(texts: set[str]) -> float | None:
    """Return the only threshold; None if there are several, or it is not a number."""
    try:
        (value,) = map(float, texts)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


def _images(arguments: Any) -> int | None:
    images = arguments.get("images") if isinstance(arguments, dict) else None
    return images if type(images) is int and images > 0 else None
