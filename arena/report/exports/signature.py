"""One line that pins what was measured: dataset, tags, thresholds, versions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable

from arena.results.run_folder import Result

VERSIONED = ("python", "numpy", "scipy", "torch", "onnxruntime", "onnxruntime-gpu")
"""Whose versions the line tells, of those that the run knows."""

SHORT = 12
"""Hexadecimal digits of a digest in the line."""

_UNFIT = re.compile(r"[^\w.+@-]")


def signature_line(result: Result) -> str:
    """The line, in which `|` parts what is pinned; the same figures have the same line.

    The tag set is that of the compared tags, `thr` those of every tag of a model that the truth knows, `key` all that its
    scores depend on.
    """
    recipe, summary = result.recipe, result.summary
    dataset, versions = recipe.dataset, recipe.versions
    compared = result.per_tag[result.per_tag["compared"]]
    parts = [
        f"data:{plain_name(dataset.name or 'truth')}@{_short(dataset.digest)}",
        f"images:{summary['images']}",
        f"tagset:{summary['compared_tags']}@{digest_of(sorted(set(compared['truth_tag'])))}",
        f"minpos:{summary['min_positives']}",
        f"conv:{summary['convention']}",
        *(["imply:max"] if summary.get("imply") else []),
        *(_model(result, name) for name in result.models),
        *(f"against:{plain_name(one['name'])}@{_short(one['digest'])}" for one in recipe.against),
        *(f"{name}:{versions[name]}" for name in VERSIONED if name in versions),
        f"arena:{recipe.arena_version}",
    ]
    return "|".join(parts)


def digest_of(content: object) -> str:
    """The first digits of the SHA-256 of anything that is JSON.

    >>> digest_of(["a", "b"])
    '3554d2b8a1e3'
    """
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:SHORT]


def _model(result: Result, name: str) -> str:
    rows = result.tags_of(name)
    thresholds = digest_of(_pairs(rows["tag"], rows["threshold"]))
    key = _short(result.run.get("models", {}).get(name, {}).get("key", ""))
    return f"model:{plain_name(name)}@{key},thr:{thresholds}"


def _pairs(tags: Iterable[str], thresholds: Iterable[float]) -> list[list[object]]:
    """Tags with thresholds as the shortest numbers that mean the same float32."""
    return sorted([tag, f"{threshold:.9g}"] for tag, threshold in zip(tags, thresholds, strict=True))


def _short(digest: str) -> str:
    return digest[:SHORT] or "none"


def plain_name(text: str) -> str:
    """A name that parts nothing."""
    return _UNFIT.sub("_", text)
