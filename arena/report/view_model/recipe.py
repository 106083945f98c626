"""The recipe of a run for the page: how to reproduce it, and its provenance by section."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from arena.results.recipe import Recipe
from arena.results.run_folder import Result

_DIGEST_DIGITS = 12
"""Displayed digits of an input's digest."""


def reproduce(result: Result) -> list[list[str]]:
    """Return what is needed to reproduce the run: rows of (name, text), without unknown values."""
    recipe, dataset = result.recipe, result.recipe.dataset
    lines = {
        "Command": recipe.command,
        "Signature": str(result.run.get("signature", "")),
        "Dataset": " ".join(filter(None, [dataset.name or "truth", dataset.digest])),
        "Sample": dataset.sample.text if dataset.sample.limit else "",
        "Settings": _listed(_settings(recipe)),
        "Inputs": "; ".join(_inputs(recipe)),
        "arena": recipe.arena_version,
        "Versions": _listed(recipe.versions),
        "Machine": _listed(recipe.machine),
    }
    return [[name, value] for name, value in lines.items() if value]


def provenance(result: Result) -> list[dict[str, Any]]:
    """Return the provenance of a run by section: a title and rows of (name, text)."""
    run, recipe, dataset = result.run, result.recipe, result.recipe.dataset
    sections: list[tuple[str, Mapping[str, Any]]] = [
        ("Run", {key: run.get(key) for key in ("signature", "created", "command", "arena_version")}),
        ("Dataset", {
            "name": dataset.name or None, "title": dataset.title or None, "digest": dataset.digest or None,
            "images": dataset.images, "licence": dataset.licence or None, "private": "yes" if dataset.private else None,
            "sample": dataset.sample.text,
        } if dataset.digest or dataset.name else {}),
        ("Settings", _settings(recipe)),
        *((f"Training index {one['name']}", one) for one in recipe.against),
        *run["models"].items(),
        ("Versions", recipe.versions),
        ("Machine", recipe.machine),
    ]  # fmt: skip
    return [
        {
            "section": title,
            "rows": [[key.replace("_", " "), _shown(value)] for key, value in facts.items() if value is not None],
        }
        for title, facts in sections
        if facts
    ]


def _settings(recipe: Recipe) -> dict[str, Any]:
    """Return the settings by display name; tag groups by their titles."""
    settings = recipe.settings
    groups = ", ".join(group.title for group in settings.tag_groups)
    return {
        "minimum positives": settings.min_positives,
        "convention": settings.convention,
        "resamples": settings.replicates,
        "seed": settings.seed,
        "slices": ", ".join(settings.slices) or "none",
        "tag groups": groups or ("none" if recipe.groups_digest is None else "not recorded"),
        **({"implied tags": "raised"} if settings.imply else {}),
        **({"renamed tags": len(recipe.renamed)} if recipe.renamed else {}),
    }


def _inputs(recipe: Recipe) -> list[str]:
    """Return the input files and folders with known digests, without their folders."""
    return [
        " ".join(filter(None, [one.kind, one.name, PurePosixPath(one.path).name, one.digest[:_DIGEST_DIGITS]]))
        for one in recipe.inputs
        if one.digest
    ]


def _listed(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in facts.items())


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return _listed(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_shown, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
