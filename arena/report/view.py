"""Builds the page payload from a result: one JSON value with columns of metrics, undefined as null."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from arena.metrics.counts import PRF
from arena.metrics.registry import LEADERBOARD, MACRO_THRESHOLDED, TAG_INTERVALS, TAG_METRICS, THRESHOLDED
from arena.metrics.thresholds import on_sweep
from arena.report.columns import exact_column, exact_number, rounded_column
from arena.report.page.evidence import evidence
from arena.report.page.histograms import tag_histograms
from arena.report.page.label_issues import label_issues, number_label_issues
from arena.report.page.pictures import RunThumbnails, embed_pictures
from arena.report.page.policy_block import policy_counts
from arena.report.view_model import comparisons
from arena.report.view_model.contamination import contamination
from arena.report.view_model.cost import cost_notes
from arena.report.view_model.notes import convention_note, known_cells, sample_notes, undefined_notes, weighted_images
from arena.report.view_model.recipe import provenance, reproduce
from arena.results.headline import as_published, headline
from arena.results.run_folder import CONTAMINATION, JUDGED, KNOWN, Result

CURVES = (*THRESHOLDED, *(f"{key}_tags" for key in MACRO_THRESHOLDED))
"""Columns of the threshold sweep that the page draws, with the number of tags in each mean."""

TAG_COUNTS = ("threshold", "tp", "fp", "fn", "tn")
"""Columns of each tag and model in the payload, in addition to the metrics."""

HEADLINE_TABLES = ("differences", "tag_differences", "slices", CONTAMINATION)
"""Tables that `headline_view` reads."""

_SKIPPED_IMAGES_NAMED = 5
"""Most unreadable images that the page names; it counts the others."""


def page_view(
    result: Result, shelf: RunThumbnails | None = None, *, headline_payload: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the payload of `index.html`, ready for JSON.

    Args:
        result: the result.
        shelf: thumbnails of the images; None leaves images out.
        headline_payload: `headline_view` of the result; None computes it.
    """
    rows = _tag_rows(result)
    tags = _tags(result, rows)
    return {
        **(headline_payload or headline_view(result)),
        "calibration": comparisons.calibration(result),
        "sweep": _sweep(result),
        "tags": tags,
        "policy_counts": {"models": policy_counts(result, rows, tags["name"])},
        "histograms": tag_histograms(result, _own_names(result, rows, tags["name"])),
        "provenance": provenance(result),
        "reproduce": reproduce(result),
        "notes": _notes(result),
        **_images(result, shelf),
    }


def shown_images(result: Result) -> list[str]:
    """Return the ids of the images on the page: those with label issues first, then those of the evidence by interest."""
    found: list[str] = _images(result, None)["evidence"]["images"]
    return found


def _images(result: Result, shelf: RunThumbnails | None) -> dict[str, Any]:
    """Return the parts of the payload that name images: label issues, evidence of compared tags, and pictures."""
    page_tags = enumerate(_page_tags(_tag_rows(result)).itertuples())
    places = {str(row.truth_tag): place for place, row in page_tags if row.compared}
    named = may_name_images(result)
    rows = label_issues(result) if named else []
    found = evidence(result, places, first=[row["image"] for row in rows], image_ids=named)
    return {
        "suspects": number_label_issues(rows, places, found["images"]),
        "evidence": found,
        "pictures": embed_pictures(found["images"], shelf),
        "image_ids": named,
    }


def may_name_images(result: Result) -> bool:
    """Return whether a page of this run may name its images."""
    return bool(result.run.get("shows", {}).get("image_ids", True))


def headline_view(result: Result) -> dict[str, Any]:
    """Return the payload without tags and images: the dataset, models, differences, threshold policies and slices."""
    summary, recipe = result.summary, result.recipe
    return {
        "title": " vs ".join(result.models),
        "created": recipe.created,
        "arena_version": recipe.arena_version,
        "dataset": _dataset(result),
        "convention": summary["convention"],
        "min_positives": summary["min_positives"],
        "compared_tags": summary["compared_tags"],
        "replicates": summary["replicates"],
        "clusters": summary["clusters"],
        "models": [_model(result, name) for name in result.models],
        "differences": comparisons.difference_rows(result),
        "tag_verdicts": comparisons.tag_verdicts(result),
        "regimes": comparisons.regime_results(result),
        "slices": comparisons.slice_results(result),
        "contamination": contamination(result),
        "labels": comparisons.labels(result),
        "published": result.summary.get("published", []),
        **({JUDGED: result.summary[JUDGED]} if JUDGED in result.summary else {}),
    }


def _dataset(result: Result) -> dict[str, Any]:
    dataset = result.recipe.dataset
    return {
        "name": dataset.name or "truth",
        "title": dataset.title or "ground truth from a file",
        "images": result.summary["images"],
        "skipped": result.summary["skipped"],
        **weighted_images(result.summary),
        **known_cells(result.summary),
        "tags": result.summary["dataset_tags"],
        "digest": dataset.digest,
        "licence": dataset.licence or "unknown",
    }


def _model(result: Result, name: str) -> dict[str, Any]:
    model, facts = result.summary["models"][name], result.run["models"].get(name, {})
    own = model["regimes"]["own"]
    return {
        "name": name,
        "title": model["title"],
        "verified": facts.get("verified"),
        "family": facts.get("family"),
        "licence": facts.get("licence", "unknown"),
        "tags": model["tags"],
        "known_tags": model["known_tags"],
        "dataset_tags": result.summary["dataset_tags"],
        "threshold": model["threshold"],
        "threshold_source": model["threshold_source"],
        "macro": {
            key: exact_number(headline(own, f"macro_{key}")) for name in PRF._fields for key in (name, f"{name}_tags")
        },
        "micro": {key: exact_number(headline(own, f"micro_{key}")) for key in PRF._fields},
        "map": exact_number(headline(own, "map")),
        "map_tags": own["map_tags"],
        "random_map": exact_number(own["random_map"]),
        "parameters": model.get("parameters"),
        "weight_bytes": model.get("weight_bytes"),
        "images_per_second": facts.get("images_per_second"),
        "images_timed": facts.get("images_timed"),
        "timed_on": facts.get("timed_on", ""),
        "intervals": {key: _interval(own, key) for key in LEADERBOARD},
        "as_published": {
            key: value for key in LEADERBOARD if (value := exact_number(as_published(own, key))) is not None
        },
        "ranks": {key: ranks[name] for key, ranks in result.summary["ranks"].items()},
        "in_sample_best_macro_f1": exact_number(model["in_sample_best_macro_f1"]),
        "unshrunk_macro_f1": exact_number(model["regimes"].get("tag", {}).get("unshrunk_macro_f1")),
    }


def _interval(own: dict[str, Any], key: str) -> list[float | int] | None:
    low, high = exact_number(own.get(f"{key}_low")), exact_number(own.get(f"{key}_high"))
    return None if low is None or high is None else [low, high]


def _sweep(result: Result) -> dict[str, Any]:
    even = result.sweep[on_sweep(result.sweep["threshold"].to_numpy(np.float32))]
    curves = {
        name: {metric: exact_column(rows[metric].tolist()) for metric in CURVES}
        for name in result.models
        for rows in [even[even["model"] == name]]
    }
    first = even[even["model"] == result.models[0]]
    return {"thresholds": [round(float(value), 6) for value in first["threshold"]], "models": curves}


def _own_names(result: Result, rows: pd.DataFrame, names: Sequence[str]) -> dict[str, list[str]]:
    """Return, for each model, its own names of the tags in `names` that it knows."""
    by_model = {name: rows[rows["model"] == name] for name in result.models}
    own_names = {name: dict(zip(own["truth_tag"], own["tag"], strict=True)) for name, own in by_model.items()}
    return {model: [own[name] for name in names if name in own] for model, own in own_names.items()}


def _tags(result: Result, table: pd.DataFrame) -> dict[str, Any]:
    """Return columns over the ground truth tags that any model knows, by support, then name; null if a model lacks one."""
    shared = _page_tags(table)
    names = shared["truth_tag"]
    metrics = [one.key for one in TAG_METRICS if one.on_page and one.key in table]  # older runs lack newer metrics
    return {
        "name": names.tolist(),
        "category": shared["category"].tolist(),
        "support": (shared["tp"] + shared["fn"]).tolist(),
        "compared": [bool(value) for value in shared["compared"]],
        **({"known": shared[["tp", "fp", "fn", "tn"]].sum(axis=1).tolist()} if KNOWN in table else {}),
        "pairs": comparisons.tag_difference_columns(result, names),
        "models": {
            name: {key: exact_column(_plain(rows[key]).tolist()) for key in (*TAG_COUNTS, *metrics)}
            | _tag_intervals(rows)
            for name in result.models
            for rows in [table[table["model"] == name].set_index("truth_tag").reindex(names)]
        },
    }


def _tag_rows(result: Result) -> pd.DataFrame:
    """Return one row per model and ground truth tag; if two tags of a model map to the same one, the compared row."""
    ordered = result.per_tag.sort_values("compared", ascending=False, kind="stable")
    return ordered.drop_duplicates(["model", "truth_tag"])


def _page_tags(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row per tag, in the order of the page: support descending, then name."""
    return rows.drop_duplicates("truth_tag").sort_values(["support", "truth_tag"], ascending=[False, True])


def _plain(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return float32 values (thresholds) as their shortest decimal, 0.6 instead of 0.6000000238."""
    return values.astype(str).astype(np.float64) if values.dtype == np.float32 else values


def _tag_intervals(rows: pd.DataFrame) -> dict[str, list[float | int | None]]:
    """Return both ends of the intervals of each metric; empty if no tag has any."""
    ends = [f"{metric}_{end}" for metric in TAG_INTERVALS for end in ("low", "high")]
    if rows[ends].isna().all(axis=None):
        return {}
    return {end: rounded_column(rows[end].tolist()) for end in ends}


def _notes(result: Result) -> list[str]:
    skipped = result.run.get("skipped", {})
    notes = [f"– means undefined. Convention {result.summary['convention']}: {convention_note(result.summary)}"]
    notes += [*sample_notes(result.summary), *cost_notes(result)]
    if skipped:
        named = "; ".join(f"{image_id}: {reason}" for image_id, reason in list(skipped.items())[:_SKIPPED_IMAGES_NAMED])
        more = f"; and {len(skipped) - _SKIPPED_IMAGES_NAMED} more" if len(skipped) > _SKIPPED_IMAGES_NAMED else ""
        which = f": {named}{more}" if may_name_images(result) else ""
        notes.append(f"{len(skipped)} images could not be scored; they are excluded for every model{which}.")
    return notes + undefined_notes(result)
