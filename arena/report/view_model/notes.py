"""What a reader has to know beside the figures: where they are undefined, and what that counted as."""

from collections.abc import Mapping
from typing import Any

from arena.metrics.counts import CONVENTIONS, PRF
from arena.results.run_folder import Result


def undefined_notes(result: Result) -> list[str]:
    """For each model, which means ran over fewer tags than were compared."""
    notes = []
    for name, model in result.summary["models"].items():
        own = model["regimes"]["own"]
        short = {key: own[f"macro_{key}_tags"] for key in PRF._fields} | {"AP": own["map_tags"]}
        parts = [f"{key} over {tags}" for key, tags in short.items() if tags < own["tags"]]
        if parts:
            notes.append(f"{name}: mean {', '.join(parts)} of {own['tags']} tags; undefined on the others.")
    return notes


def unverified_notes(result: Result) -> list[str]:
    """Which taggers' cards say that their published weights were not run by who wrote the card; none where it is not known."""
    names = [name for name in result.models if result.run["models"].get(name, {}).get("verified") is False]
    return [f"Unverified, not checked against their authors' own output: {', '.join(names)}."] if names else []


def imply_notes(summary: Mapping[str, Any]) -> list[str]:
    """That scores were closed over implications, where they were."""
    told = "Every model's score of an implied tag was raised to that of any tag implying it (imply)."
    return [told] if summary.get("imply") else []  # runs from before the option lack it


def convention_note(summary: dict[str, object]) -> str:
    """What an undefined figure counted as."""
    return f"{CONVENTIONS[str(summary['convention'])].undefined}; AP of a tag that no image carries is left out."
