"""What the files of a run folder must hold: JSON Schemas of `run.json` and `summary.json`, columns of the tables.

Fields and columns that only newer runs have are optional, so that older run folders stay readable. Fields that no reader uses
are not listed.
"""

from collections.abc import Mapping
from typing import NamedTuple

from arena.base.schema import COUNT, FLAG, INTEGER, NUMBER, TEXT, Schema, list_of, optional, table_of
from arena.base.tables import Kind
from arena.metrics.counts import CONVENTIONS
from arena.metrics.registry import AGGREGATES, LEADERBOARD, TAG_METRIC_COLUMNS, TESTED, THRESHOLDED

_CONVENTION = {"type": "string", "enum": list(CONVENTIONS)}
_MAYBE_NUMBER, _MAYBE_COUNT, _MAYBE_TEXT = optional(NUMBER), optional(COUNT), optional(TEXT)

_THRESHOLDS = table_of(
    known={
        "source": TEXT, "default": _MAYBE_NUMBER, "categories": table_of(others=NUMBER), "tags": COUNT, "digest": TEXT,
    },
)  # fmt: skip

_FACTS = table_of(
    known={
        "title": TEXT, "adapter": TEXT, "hub": _MAYBE_TEXT, "revision": _MAYBE_TEXT, "licence": TEXT, "family": _MAYBE_TEXT,
        "verified": optional(FLAG), "weights": _MAYBE_TEXT, "key": TEXT, "scores": TEXT, "precision": TEXT, "device": TEXT,
        "images_per_second": _MAYBE_NUMBER, "images_timed": _MAYBE_COUNT, "timed_on": TEXT, "thresholds": _THRESHOLDS,
        "parameters": _MAYBE_COUNT, "weight_bytes": _MAYBE_COUNT,
    },
)  # fmt: skip
"""Facts of one model in `run.json`."""

_GROUP = table_of(
    {"name": TEXT, "title": TEXT, "why": TEXT, "tags": list_of("string"), "exceptions": list_of("string")}
)

_RECIPE = table_of(
    {
        "started": TEXT,
        "sample": table_of({"limit": _MAYBE_COUNT, "seed": INTEGER}),
        "private": FLAG,
        "settings": table_of(
            {"slices": list_of("string"), "tag_groups": {"type": "array", "items": _GROUP}},
            {"min_positives": COUNT, "convention": _CONVENTION, "replicates": COUNT, "seed": INTEGER, "imply": FLAG},
        ),
        "renamed": table_of(others=TEXT),
        "inputs": {
            "type": "array",
            "items": table_of(known={"kind": TEXT, "path": TEXT, "name": TEXT, "digest": TEXT}),
        },
    },
    {"weighted": FLAG, "partly_known": FLAG, "answers": COUNT},
)

_DATASET = table_of(
    known={"name": TEXT, "title": TEXT, "digest": TEXT, "images": _MAYBE_COUNT, "licence": TEXT, "sample": TEXT}
)

RUN = Schema(
    table_of(
        {"models": table_of(others=_FACTS)},
        {
            "created": TEXT, "arena_version": TEXT, "command": TEXT, "signature": TEXT, "versions": table_of(others=TEXT),
            "machine": table_of(others=TEXT), "dataset": _DATASET, "recipe": _RECIPE, "skipped": table_of(others=TEXT),
            "against": {"type": "array", "items": table_of({"name": TEXT, "digest": TEXT}, {"images": COUNT})},
            "shows": table_of(known={"thumbnails": TEXT, "image_ids": FLAG}),
            "settings": table_of(known={"seed": INTEGER, "slices": list_of("string"), "tag_groups": TEXT}),
        },
    )
)  # fmt: skip
"""Content of `run.json`."""

_OF_REGIME = {
    **{
        f"{key}{end}": _MAYBE_NUMBER
        for key in AGGREGATES
        for end in ("", "_low", "_high", "_bias", "_corrected", "_tags")
    },
    **dict.fromkeys(
        ("lowest_threshold", "highest_threshold", "unshrunk_macro_f1", "confident_threshold"), _MAYBE_NUMBER
    ),
}
_REGIME = table_of(dict.fromkeys(THRESHOLDED, _MAYBE_NUMBER), _OF_REGIME)
_OWN = table_of(dict.fromkeys((*AGGREGATES, "map_tags", "random_map"), _MAYBE_NUMBER), _OF_REGIME)

_MODEL = table_of(
    {
        "title": TEXT, "tags": COUNT, "known_tags": COUNT, "threshold": TEXT, "threshold_source": TEXT,
        "regimes": table_of({"own": _OWN}, others=_REGIME), "in_sample_best_macro_f1": _MAYBE_NUMBER,
        "brier": _MAYBE_NUMBER, "ece": _MAYBE_NUMBER,
    },
    {
        "score_type": TEXT, "cut": table_of({"note": TEXT}, others=_MAYBE_NUMBER),
        "parameters": _MAYBE_COUNT, "weight_bytes": _MAYBE_COUNT, "roc_auc": _MAYBE_NUMBER,
        "ece_if_calibrated": _MAYBE_NUMBER, "per_image": table_of(others=_MAYBE_NUMBER),
    },
)  # fmt: skip

_RANK = table_of({"rank": _MAYBE_COUNT, "tied_with_best": optional(FLAG)})
_CLASS = table_of({"class": TEXT, "images": COUNT}, {"chance_pairs": _MAYBE_NUMBER})
_LEVEL = table_of({"level": TEXT, "images": COUNT, "dropped": COUNT, "tags_without_positives": COUNT})
_PUBLISHED = table_of(
    {
        "name": TEXT, "source": TEXT, "threshold": TEXT, "images": _MAYBE_COUNT, "tags": _MAYBE_COUNT, "convention": TEXT,
        "notes": list_of("string"), **dict.fromkeys(LEADERBOARD, _MAYBE_NUMBER),
    },
    {f"{key}_tags": _MAYBE_COUNT for key in LEADERBOARD},
)  # fmt: skip

_ESTIMATE = ("", "_low", "_high", "_standard_error")
_JUDGED_REGIME = table_of(
    {f"{key}{end}": _MAYBE_NUMBER for key in THRESHOLDED for end in _ESTIMATE},
    {f"map{end}": _MAYBE_NUMBER for end in _ESTIMATE},
)
_JUDGED_MODEL = table_of({"regimes": table_of(others=_JUDGED_REGIME)}, {"error_shift": table_of(others=_MAYBE_NUMBER)})
_JUDGED_LABELS = table_of(
    {
        "slice": TEXT, "value": TEXT, "tags": COUNT, "answers": COUNT,
        **{f"{key}{end}": _MAYBE_NUMBER for key in ("complete", "right") for end in ("", "_low", "_high")},
    },
)  # fmt: skip
_JUDGED_DIFFERENCE = table_of(
    {
        "regime": TEXT, "figure": TEXT, "first": TEXT, "second": TEXT,
        **dict.fromkeys(("difference", "low", "high", "standard_error", "p"), _MAYBE_NUMBER),
    },
    {
        "higher": _MAYBE_TEXT,
        **dict.fromkeys(
            ("p_adjusted", "image_error", "effective_answers", "wanted", "more_answers", "error_shift"), _MAYBE_NUMBER
        ),
    },
)  # fmt: skip

_JUDGED = table_of(
    {
        "answers": COUNT, "unclear": COUNT, "unsampled": COUNT, "elsewhere": COUNT, "unfinished": list_of("string"),
        "assumed": FLAG, "agreement": _MAYBE_NUMBER, "repeated": COUNT, "error_rate": _MAYBE_NUMBER,
        "error_rate_standard_error": _MAYBE_NUMBER, "undefined": TEXT,
    },
    {
        "models": table_of(others=_JUDGED_MODEL), "labels": {"type": "array", "items": _JUDGED_LABELS},
        "differences": {"type": "array", "items": _JUDGED_DIFFERENCE},
    },
)  # fmt: skip
"""Entry `judged` of `summary.json`: metrics by judged truth; without `models` if `undefined` says why there are none."""

SUMMARY = Schema(
    table_of(
        {
            "images": COUNT, "skipped": COUNT, "dataset_tags": COUNT, "convention": _CONVENTION, "min_positives": COUNT,
            "compared_tags": COUNT, "replicates": COUNT, "clusters": COUNT,
            "models": {**table_of(others=_MODEL), "minProperties": 1},
            "ranks": table_of(others=table_of(others=_RANK)),
            "labels": table_of(
                known={
                    "missing": COUNT,
                    "false_positives": table_of(others=table_of({"total": COUNT, "suspected": COUNT})),
                }
            ),
        },
        {
            "imply": FLAG, "effective_clusters": _MAYBE_NUMBER, "weighted_images": NUMBER, "effective_images": NUMBER,
            "known_cells": COUNT, "cells": COUNT, "tags_without_known_absence": COUNT,
            "published": {"type": "array", "items": _PUBLISHED},
            "judged": _JUDGED,
            "contamination": table_of(
                {
                    "indexes": {"type": "array", "items": table_of({"name": TEXT, "digest": TEXT, "images": COUNT})},
                    "radius": COUNT, "classes": {"type": "array", "items": _CLASS}, "untold": COUNT,
                    "levels": {"type": "array", "items": _LEVEL},
                }
            ),
        },
    )
)  # fmt: skip
"""Content of `summary.json`."""


class TableContent(NamedTuple):
    """Columns of a table of a run."""

    required: Mapping[str, Kind]
    optional: Mapping[str, Kind]


_TEXTS = frozenset({
    "model", "tag", "truth_tag", "category", "slice", "title", "regime", "figure", "first", "second", "higher", "image_id",
    "kind", "instead_of", "right", "wrong", "level", "f1_higher", "ap_higher",
})  # fmt: skip
_WHOLE = frozenset({
    "index", "training_count", "support", "known", "tp", "fp", "fn", "tn", "images", "dropped", "tags", "rank", "cells",
    "positives",
})  # fmt: skip
_FLAGS = frozenset({"compared", "carried"})


def _kinds(*names: str, **others: Kind) -> dict[str, Kind]:
    """Return the kinds of columns by their names; `others` has those that mean something else in one table."""

    def kind(name: str) -> Kind:
        if name in others:
            return others[name]
        if name in _TEXTS:
            return Kind.TEXT
        if name in _FLAGS:
            return Kind.FLAG
        return Kind.INTEGER if name in _WHOLE or name.endswith("_tags") else Kind.NUMBER

    return {name: kind(name) for name in names}


_COUNTED = ("precision", "recall", "f1")
_ENDS = ("", "_low", "_high")

TABLE_CONTENT: Mapping[str, TableContent] = {
    "per_tag": TableContent(
        _kinds(
            "model", "tag", "truth_tag", "category", "index", "support", "threshold", "tp", "fp", "fn", "tn",
            *_COUNTED, "ap", "compared",
        ),
        _kinds("training_count", "known", *(name for metric in TAG_METRIC_COLUMNS for name in metric.columns)),
    ),
    "sweep": TableContent(
        _kinds("model", "threshold", *THRESHOLDED),
        _kinds(*(f"{key}_tags" for key in THRESHOLDED)),
    ),
    "tag_sweep": TableContent(_kinds("model", "tag", "threshold", "tp", "fp", "fn", "tn"), {}),
    "slices": TableContent(
        _kinds(
            "slice", "value", "title", "model", "images", "tags", *(f"{key}{end}" for key in AGGREGATES for end in _ENDS),
            value=Kind.TEXT,
        ),
        _kinds("positives", *(f"{key}{end}" for key in AGGREGATES for end in ("_tags", "_corrected"))),
    ),
    "differences": TableContent(
        _kinds(
            "slice", "value", "regime", "figure", "first", "second", "difference", "low", "high", "standard_error", "p",
            "minimum_detectable", "images", "tags", "p_adjusted", "higher", value=Kind.TEXT,
        ),
        _kinds("degrees_of_freedom"),
    ),
    "tag_differences": TableContent(
        _kinds(
            "first", "second", "tag", "category", "support",
            *(f"{key}_{part}" for key in TESTED for part in ("difference", "low", "high", "p", "q", "higher")),
        ),
        {},
    ),
    "calibration": TableContent(_kinds("model", "low", "high", "cells", "mean_score", "share_positive"), {}),
    "errors": TableContent(_kinds("model", "tag", "kind", "rank", "image_id", "score"), {}),
    "confusions": TableContent(_kinds("model", "tag", "instead_of", "images", "expected"), {}),
    "disagreements": TableContent(
        _kinds("tag", "image_id", "carried", "right", "wrong", "right_score", "wrong_score"), {}
    ),
    "thresholds": TableContent(
        _kinds("model", "regime", "tag", "category", "threshold"),
        _kinds(*(f"{key}{end}" for key in _COUNTED for end in _ENDS)),
    ),
    "labels": TableContent(_kinds("kind", "tag", "image_id", "strength"), {}),
    "contamination": TableContent(
        _kinds(
            "level", "first", "second", "figure", "value", "low", "high", "change", "change_low", "change_high", "images",
            "dropped", "tags",
        ),
        _kinds("corrected", "change_corrected"),
    ),
}  # fmt: skip
"""Columns of the tables of a run by name; the columns `score_NAME` of `labels` are not listed."""
