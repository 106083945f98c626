"""Notes on a run: undefined values, unknown cells, weights, clusters, implied tags, float16, unverified taggers."""

from collections.abc import Mapping
from typing import Any

from arena.base.format import percent, plural
from arena.metrics.counts import CONVENTIONS, PRF
from arena.results.run_folder import Result


def sample_notes(summary: Mapping[str, Any]) -> list[str]:
    """Return the notes on the images and scores of a run: unknown cells, weights, clusters, implied tags, float16, cuts."""
    return [
        *known_notes(summary),
        *weight_notes(summary),
        *cluster_notes(summary),
        *imply_notes(summary),
        *half_precision_notes(summary),
        *cut_notes(summary),
    ]


def run_notes(result: Result) -> list[str]:
    """Return `sample_notes`, then the notes on unverified taggers and on folders without a card."""
    return [*sample_notes(result.summary), *unverified_notes(result), *family_notes(result)]


def undefined_notes(result: Result) -> list[str]:
    """Return a note for each model whose means are over fewer tags than were compared."""
    notes = []
    for name, model in result.summary["models"].items():
        own = model["regimes"]["own"]
        short = {key: own[f"macro_{key}_tags"] for key in PRF._fields} | {"AP": own["map_tags"]}
        parts = [f"{key} over {tags}" for key, tags in short.items() if tags < own["tags"]]
        if parts:
            notes.append(f"{name}: mean {', '.join(parts)} of {own['tags']} tags; undefined on the others.")
    return notes


def unverified_notes(result: Result) -> list[str]:
    """Return a note that names the taggers whose cards are marked as unverified; empty if there are none."""
    names = [name for name in result.models if result.run["models"].get(name, {}).get("verified") is False]
    return [f"Unverified (output not compared with the authors' own output): {', '.join(names)}."] if names else []


def family_notes(result: Result) -> list[str]:
    """Return a note that names the folders without a card, each with its family; empty if there are none."""
    families = {name: result.run["models"].get(name, {}).get("family") for name in result.models}
    names = [f"{name} ({family})" for name, family in families.items() if family]
    return [f"Folders without a card, read with the settings of their family: {', '.join(names)}."] if names else []


def imply_notes(summary: Mapping[str, Any]) -> list[str]:
    """Return a note if scores were raised along tag implications."""
    note = "Every model's score of an implied tag was raised to the highest score of the tags that imply it (imply)."
    return [note] if summary.get("imply") else []  # older runs lack the key


FEW_CLUSTERS = 100
"""Effective number of clusters below which intervals can be too narrow. With 61 of very unequal size, intervals of aggregates
at own thresholds held the true value in 88 to 97 % of simulated experiments."""


def cluster_notes(summary: Mapping[str, Any]) -> list[str]:
    """Return a warning if near duplicates leave too few independent clusters for the intervals."""
    found = summary.get("effective_clusters")  # older runs lack the key
    if found is None or found >= FEW_CLUSTERS:
        return []
    size = "summed weights" if "weighted_images" in summary else "sizes"
    note = f"The images count as {found:,.0f} independent clusters (n² / Σ m² over the {size} m of the duplicate clusters)."
    return [f"{note} Below {FEW_CLUSTERS}, intervals can be too narrow."]


def known_cells(summary: Mapping[str, Any]) -> dict[str, int]:
    """Return the entries of the page for the known cells of the compared tags; empty if every cell is known."""
    return {key: int(summary[key]) for key in ("known_cells", "cells") if key in summary}


def known_notes(summary: Mapping[str, Any]) -> list[str]:
    """Return notes if cells of the ground truth are unknown: how many, and where nothing can be wrong."""
    if "known_cells" not in summary:
        return []
    known, cells = summary["known_cells"], summary["cells"]
    share = f"{known:,} of {cells:,} ({percent(known, cells)}), an image and a compared tag each"
    notes = [f"Known cells: {share}. Unknown cells enter no metric."]
    if bare := summary["tags_without_known_absence"]:
        notes.append(
            f"{plural(bare, 'compared tag is', 'compared tags are')} not known to be absent from any image: no prediction of "
            "them can be a false positive, so their precision and AP are 1."
        )
    return notes


def weighted_images(summary: Mapping[str, Any]) -> dict[str, int]:
    """Return the entry of the page for the sum of the weights of a weighted sample; empty for any other sample."""
    found = summary.get("weighted_images")  # only runs with weights have the key
    return {} if found is None else {"weighted_images": round(found)}


def counted_images(dataset: Mapping[str, Any]) -> int:
    """Return the number of images that the counts of a page add up to: in a weighted sample the sum of the weights."""
    return int(dataset.get("weighted_images", dataset["images"]))


def weight_notes(summary: Mapping[str, Any]) -> list[str]:
    """Return a note if the images are a weighted sample."""
    if "weighted_images" not in summary:
        return []
    images, population, effective = (summary[key] for key in ("images", "weighted_images", "effective_images"))
    what = f"{images:,} images represent {population:,.0f}; the weight of an image is 1 / its inclusion probability"
    whose = f"Metrics and counts are estimates for the {population:,.0f} images"
    precision = f"Means over images are as precise as those of {effective:,.0f} images with equal weights"
    return [f"Weighted sample: {what}. {whose}. {precision}."]


def half_precision_notes(summary: Mapping[str, Any]) -> list[str]:
    """Return a note that names the models whose scores are float16; empty if there are none."""
    names = [
        name for name, model in summary["models"].items() if model.get("score_type") == "float16"
    ]  # older runs lack it
    if not names:
        return []
    effect = "about three digits: more ties, and a score within 0.0003 of a threshold may be on the other side of it"
    return [f"Scores in float16 ({effect}): {', '.join(names)}."]


def cut_notes(summary: Mapping[str, Any]) -> list[str]:
    """Return a note for each model of whose scores only the high ones were stored."""
    models = summary["models"].items()
    return [f"{name}: {model['cut']['note']}." for name, model in models if model.get("cut") is not None]


def convention_note(summary: dict[str, object]) -> str:
    """Return how undefined metrics were counted."""
    return (
        f"{CONVENTIONS[str(summary['convention'])].undefined}; AP of a tag without positive images is not in the mean."
    )
