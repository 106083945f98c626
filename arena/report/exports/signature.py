"""The signature of a run: one line that identifies dataset, tags, thresholds and versions."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable

from arena.results.run_folder import Result

_VERSIONED = ("python", "numpy", "scipy", "torch", "onnxruntime", "onnxruntime-gpu")
"""Packages whose versions are in the signature, if the run recorded them."""

_DIGEST_DIGITS = 12
"""Number of hexadecimal digits of a digest in the signature."""

_UNFIT = re.compile(r"[^\w.+@-]")


def signature_line(result: Result) -> str:
    """Return the signature, with its parts separated by `|`. Equal inputs give an equal signature.

    `tagset` covers the compared tags. `model` has the digest of all inputs of its scores. `thr` covers the thresholds of all
    tags that both the model and the ground truth know.
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
        *(f"{name}:{versions[name]}" for name in _VERSIONED if name in versions),
        f"arena:{recipe.arena_version}",
    ]
    return "|".join(parts)


def digest_of(content: object) -> str:
    """Return the first `_DIGEST_DIGITS` digits of the SHA-256 of a JSON value.

    >>> digest_of(["a", "b"])
    '3554d2b8a1e3'
    """
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:_DIGEST_DIGITS]


def _model(result: Result, name: str) -> str:
    rows = result.tags_of(name)
    thresholds = digest_of(_pairs(rows["tag"], rows["threshold"]))
    key = _short(result.run.get("models", {}).get(name, {}).get("key", ""))
    return f"model:{plain_name(name)}@{key},thr:{thresholds}"


def _pairs(tags: Iterable[str], thresholds: Iterable[float]) -> list[list[object]]:
    """Return pairs of tag and threshold, sorted; nine digits identify a float32 exactly."""
    return sorted([tag, f"{threshold:.9g}"] for tag, threshold in zip(tags, thresholds, strict=True))


def _short(digest: str) -> str:
    return digest[:_DIGEST_DIGITS] or "none"


def plain_name(text: str) -> str:
    """Return a name in which `_` replaces all characters that could act as a separator."""
    return _UNFIT.sub("_", text)
