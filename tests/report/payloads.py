"""A synthetic page payload: drawn counts, figures consistent with them, and verdicts that a test sets."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from arena.metrics.registry import TAG_METRICS

from .drawn_histograms import drawn_histograms

Payload = dict[str, Any]

THEMES = ("animal", "tree", "flag", "arrow", "house", "computer", "food", "car", "music", "people", "weather", "tool")
SHAPES = ("", "_icon", "_outline", "_black", "_round", "_with_text", "_small", "_cartoon", "_symbol", "_sign", "_set")
CATEGORIES = ("general", "meta", "character")
OFFERED = tuple(metric.key for metric in TAG_METRICS if metric.on_page)
THRESHOLDS = [round(i / 100, 2) for i in range(101)]


def tag_names(number: int) -> list[str]:
    """Plausible names, all different."""
    names = [theme + shape for shape in SHAPES for theme in THEMES]
    return [names[i % len(names)] + (f"_{i // len(names) + 1}" if i >= len(names) else "") for i in range(number)]


def _tag_column(rng: random.Random, support: int, images: int, skill: float) -> dict[str, Any]:
    """One tag of one model from drawn counts: the more support, the easier; undefined as the arena defines it."""
    recall = min(0.98, max(0.0, rng.gauss(skill + 0.07 * (support**0.3 - 2), 0.17)))
    tp = round(recall * support)
    fp = rng.choice([0, *[round(support * rng.random() * (1.3 - skill)) for _ in range(5)]])
    fn = support - tp
    precision = tp / (tp + fp) if tp + fp else None
    f1 = 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None
    ap = min(1.0, max(support / images, rng.gauss(f1 or 0.05, 0.06))) if support else None
    return dict.fromkeys(OFFERED, f1) | {
        "precision": precision,
        "recall": tp / support if support else None,
        "f1": f1,
        "ap": ap,
        **_further(tp, fp, support, images),
        "roc_auc": None if ap is None else (1 + ap) / 2,
        "best_f1": None if f1 is None else (1 + 3 * f1) / 4,
        "break_even": None if f1 is None else (1 + 7 * f1) / 8,
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "tn": images - tp - fp - fn,
    }


def _further(tp: int, fp: int, support: int, images: int) -> dict[str, float | None]:
    """F2, MCC and informedness by their definitions."""
    fn, negatives = support - tp, images - support
    tn = negatives - fp
    sides = (tp + fp) * support * negatives * (tn + fn)
    return {
        "f2": 5 * tp / (5 * tp + 4 * fn + fp) if tp + fp + fn else None,
        "mcc": (tp * tn - fp * fn) / sides**0.5 if sides else None,
        "informedness": tp / support - fp / negatives if support and negatives else None,
    }


def _mean(values: Sequence[float | None]) -> tuple[float | None, int]:
    defined = [value for value in values if value is not None]
    return (sum(defined) / len(defined) if defined else None), len(defined)


def _model(name: str, columns: Payload, support: list[int], compared: list[bool], *, threshold: str) -> Payload:
    kept = [i for i, use in enumerate(compared) if use]
    macro: Payload = {}
    for key in ("precision", "recall", "f1"):
        macro[key], macro[f"{key}_tags"] = _mean([columns[key][i] for i in kept])
    tp, fp, fn = (sum(columns[key][i] for i in kept) for key in ("tp", "fp", "fn"))
    mean_ap, map_tags = _mean([columns["ap"][i] for i in kept])
    return {
        "name": name,
        "title": name.replace("-", " ").title(),
        "verified": name != "wd14-demo",
        "family": None,
        "licence": "Apache-2.0",
        "tags": len(support) + 10,
        "known_tags": sum(value is not None for value in columns["tp"]),
        "dataset_tags": len(support),
        "threshold": threshold,
        "threshold_source": "card",
        "macro": macro,
        "micro": {
            "precision": tp / (tp + fp) if tp + fp else None,
            "recall": tp / (tp + fn) if tp + fn else None,
            "f1": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None,
        },
        "map": mean_ap,
        "map_tags": map_tags,
        "random_map": 0.0231,
        "parameters": 91_523_456 if name.startswith("joytag") else None,
        "weight_bytes": 365_900_000 if name.startswith("joytag") else None,
        "images_per_second": 55.04 if name.startswith("joytag") else 71.2,
        "images_timed": 1203,
        "timed_on": "Processor 9000, 2 cores",
        "intervals": dict.fromkeys(FIGURES),
        "as_published": {},
        "ranks": {},
        "in_sample_best_macro_f1": (macro["f1"] or 0) + 0.07,
        "unshrunk_macro_f1": None,
    }


def _sweep(model: Payload) -> Payload:
    """Smooth curves through the model's own point; precision is undefined at the highest thresholds."""
    own, curves = float(model["threshold"]), {}
    for average in ("macro", "micro"):
        precision, recall = model[average]["precision"] or 0, model[average]["recall"] or 0
        rs = [min(1.0, recall * ((1 - t) / (1 - own)) ** 1.4) for t in THRESHOLDS]
        ps = [1 - (1 - precision) * ((1 - t) / (1 - own)) ** 0.8 if t < 0.97 else None for t in THRESHOLDS]
        curves[f"{average}_recall"] = rs
        curves[f"{average}_precision"] = [p if p is None or p > 0 else 0.0 for p in ps]
        pairs = zip(rs, curves[f"{average}_precision"], strict=True)
        f1 = [2 * p * r / (p + r) if p and r else 0.0 for r, p in pairs]
        scale = (model[average]["f1"] or 0) / max(f1[round(own * 100)], 1e-9)
        curves[f"{average}_f1"] = [value * scale for value in f1]
    for key in ("precision", "recall", "f1"):
        curves[f"macro_{key}_tags"] = [model["macro"][f"{key}_tags"]] * len(THRESHOLDS)
    return curves


def make_payload(
    names: Sequence[str] = ("joytag-demo", "wd14-demo"),
    *,
    tags: int = 150,
    images: int = 1203,
    seed: int = 7,
    replicates: int = 1000,
) -> Payload:
    """What `arena.report.view` hands to the page, with drawn counts and every figure consistent with them."""
    rng = random.Random(seed)
    supports = sorted((max(0, round(images * 0.3 / (i + 1) ** 0.75) - 2) for i in range(tags)), reverse=True)
    known = [[i % 23 != 5 + m for i in range(tags)] for m in range(len(names))]
    compared = [s >= 10 and all(has[i] for has in known) for i, s in enumerate(supports)]
    by_model: Payload = {}
    for m, name in enumerate(names):
        rows = [_tag_column(rng, s, images, 0.42 + 0.03 * m) if known[m][i] else None for i, s in enumerate(supports)]
        keys = (*OFFERED, "tp", "fp", "fn", "tn")
        columns = {key: [row[key] if row else None for row in rows] for key in keys}
        columns["threshold"] = [0.4 if row else None for row in rows]
        by_model[name] = columns
    own = ["0.40", "0.35", "0.30", "0.45", "0.5"]
    models = [
        _model(name, by_model[name], supports, compared, threshold=own[m % len(own)]) for m, name in enumerate(names)
    ]
    payload: Payload = {
        "title": " vs ".join(names),
        "created": "2026-11-22T12:00:00Z",
        "arena_version": "0.1.0",
        "dataset": {
            "name": "demo",
            "title": "Open Clip Art, held out",
            "images": images,
            "skipped": 3,
            "tags": tags,
            "digest": "sha256:ab12" + "0" * 60,
            "licence": "CC0-1.0",
        },
        "convention": "arena",
        "min_positives": 10,
        "compared_tags": sum(compared),
        "models": models,
        "sweep": {"thresholds": THRESHOLDS, "models": {model["name"]: _sweep(model) for model in models}},
        "tags": {
            "name": tag_names(tags),
            "category": [CATEGORIES[i % 7 % 3] for i in range(tags)],
            "support": supports,
            "compared": compared,
            "models": by_model,
        },
        "policy_counts": {"models": _policy_counts(by_model) if replicates else {}},
        "histograms": drawn_histograms(by_model),
        "provenance": [
            {"section": "Dataset", "rows": [["digest", "sha256:ab12" + "0" * 60], ["licence", "CC0-1.0"]]},
            *[{"section": n, "rows": [["weights", "sha256:" + "c3" * 32], ["precision", "float32"]]} for n in names],
            {"section": "Run", "rows": [["command", "arena run"], ["python", "3.11.2"]]},
        ],
        "reproduce": [["Command", "arena run"], ["Dataset", "demo sha256:ab12" + "0" * 60]],
        "notes": ["3 images could not be read: a.png (truncated), b.png (169 million pixels), c.gif (no frame)."],
        "replicates": replicates,
        "clusters": images - 50,
        "differences": [],
        "tag_verdicts": [],
        "regimes": [_regime("own", models)],
        "slices": [],
        "published": [],
        "contamination": None,
        "calibration": [_calibration(name) for name in names],
        "labels": None,
        "evidence": {"images": [], "of": 0, "tags": [], **{name: _rows(keys, []) for name, keys in EVIDENCE.items()}},
        "suspects": [],
        "pictures": {"rating": [], "open": [], "file": [], "inside": [], "content": []},
        "image_ids": True,
    }
    payload["tags"]["pairs"] = [
        {"first": a, "second": b}
        | {key: {"difference": _differences(by_model, (names[a], names[b]), key)} for key in ("f1", "ap")}
        for a, b in combinations(range(len(names)), 2)
    ]
    if replicates:
        add_uncertainty(payload)
    return payload


def _policy_counts(by_model: Payload) -> Payload:
    """Counts under every policy but the own thresholds: each has fewer true and more false positives than the one before it.

    Where no prediction is true, the number of false positives is unknown.
    """
    return {
        name: {
            policy: {
                "tp": [None if tp is None else max(tp - place, 0) for tp in columns["tp"]],
                "fp": [
                    None if tp is None or tp <= place else fp + 2 * place
                    for tp, fp in zip(columns["tp"], columns["fp"], strict=True)
                ],
                "threshold": [None if tp is None else 0.4 + place / 100 for tp in columns["tp"]],
            }
            for place, policy in enumerate(REGIMES[1:], 1)
        }
        for name, columns in by_model.items()
    }


FIGURES = ("map", "macro_f1", "macro_precision", "macro_recall", "micro_f1", "micro_precision", "micro_recall")
REGIMES = ("own", "macro_f1", "micro_f1", "break_even", "category", "precision_90", "tag")


def value_of(model: Payload, key: str) -> float | None:
    average, _, name = key.partition("_")
    return model["map"] if key == "map" else model[average][name]


def set_value(payload: Payload, key: str, values: Sequence[float | None], *, higher: str | None = None) -> None:
    """Give every model a figure, in order, and the first pair a verdict on it."""
    average, _, name = key.partition("_")
    for model, value in zip(payload["models"], values, strict=True):
        if key == "map":
            model["map"] = value
        else:
            model[average][name] = value
    for row in payload["differences"]:
        if row["figure"] == key:
            row.update(difference=values[0] - values[1], higher=higher, p=0.001 if higher else 0.6)


def _around(value: float | None, reach: float) -> list[float] | None:
    return None if value is None else [max(0.0, value - reach), min(1.0, value + reach)]


def add_uncertainty(payload: Payload) -> None:
    """Intervals everywhere; every headline figure undetermined, every fourth compared tag decided."""
    models, tags = payload["models"], payload["tags"]
    names = [model["name"] for model in models]
    for model in models:
        model["intervals"] = {key: _around(value_of(model, key), 0.02) for key in FIGURES}
        model["unshrunk_macro_f1"] = model["macro"]["f1"]
        if len(models) > 1:
            model["ranks"] = {key: {"rank": 1, "tied_with_best": True} for key in ("macro_f1", "micro_f1", "map")}
        columns = tags["models"][model["name"]]
        for key in ("precision", "recall", "f1", "ap"):
            ends = [
                _around(value, 0.5 / (1 + support) ** 0.5)
                for value, support in zip(columns[key], tags["support"], strict=True)
            ]
            columns[f"{key}_low"], columns[f"{key}_high"] = ([end and round(end[i], 4) for end in ends] for i in (0, 1))
    payload["differences"] = [
        _difference(key, *pair, models)
        for key in FIGURES
        for pair in combinations(names, 2)
        if payload["compared_tags"]
    ]
    payload["regimes"] = [_regime(name, models) for name in REGIMES]
    payload["slices"] = [_slice(kind, title, payload) for kind, title in SLICES]
    payload["labels"] = {
        "missing": 1894,
        "false_positives": {model["name"]: {"total": 1000, "suspected": 250} for model in models},
    }
    _add_tag_differences(payload, names)
    _add_evidence(payload)


SLICES = (("category", "general"), ("category", "meta"), ("support", "10–29 positives"), ("group", "People and bodies"))


def _difference(key: str, first: str, second: str, models: Sequence[Payload]) -> Payload:
    a, b = (value_of(next(m for m in models if m["name"] == name), key) or 0.0 for name in (first, second))
    return {
        "figure": key, "first": first, "second": second, "difference": a - b, "low": a - b - 0.02, "high": a - b + 0.02,
        "p": 0.6, "p_alone": 0.2, "minimum_detectable": 0.0285, "higher": None,
    }  # fmt: skip


def _regime(name: str, models: Sequence[Payload]) -> Payload:
    keys = [key for key in FIGURES if key != "map"]
    cells = [
        {key: value_of(m, key) for key in keys}
        | {f"{key}_{end}": value for key in keys for end, value in (("low", 0.3), ("high", 0.4))}
        | {f"{key}_tags": 30 for key in keys if key.startswith("macro")}
        | {f"{key}_as_published": None for key in keys}
        | {"tags": 30, "confident_threshold": 0.8 if name == "precision_90" else None}
        | {"lowest_threshold": 0.4, "highest_threshold": 0.9 if name == "tag" else 0.4}
        for m in models
    ]
    names = [m["name"] for m in models]
    tested = [*keys, "map"] if name == "own" else keys
    rows = [_difference(key, *pair, models) for key in tested for pair in combinations(names, 2)]
    return {"name": name, "models": cells, "differences": rows}


def _slice(kind: str, title: str, payload: Payload) -> Payload:
    figures = {}
    for key in ("macro_f1", "map"):
        rows = [dict(row) for row in payload["differences"] if row["figure"] == key]
        figures[key] = {"models": [[value_of(m, key), 0.3, 0.4] for m in payload["models"]], "differences": rows}
    return {"slice": kind, "title": title, "images": payload["dataset"]["images"], "tags": 12, "figures": figures}


def _calibration(name: str) -> Payload:
    bins = [[i / 20, (i + 1) / 20, i / 20 + 0.02, (i / 20) ** 2, 10_000 >> i] for i in range(20)]
    return {"model": name, "ece": 0.1509, "ece_if_calibrated": 0.0104, "brier": 0.0574, "bins": bins}


def _add_tag_differences(payload: Payload, names: Sequence[str]) -> None:
    tags, compared = payload["tags"], payload["tags"]["compared"]
    decided = [i for i, use in enumerate(compared) if use][::4]
    payload["tag_verdicts"] = [
        {
            "figure": key, "models": list(pair), "first": len(decided), "second": 0,
            "undetermined": sum(compared) - len(decided), "tags": sum(compared),
        }
        for pair in combinations(names, 2) for key in ("f1", "ap") if sum(compared)
    ]  # fmt: skip
    for pair in tags["pairs"]:
        for key in ("f1", "ap"):
            pair[key] |= {
                "low": [-0.1234 if use else None for use in compared],
                "high": [0.0567 if use else None for use in compared],
                "q": [(0.01 if i in decided else 0.4696) if use else None for i, use in enumerate(compared)],
                "higher": [pair["first"] if i in decided else None for i in range(len(compared))],
            }


def _differences(by_model: Payload, names: Sequence[str], key: str) -> list[float | None]:
    """The first's figure less the second's; null where one of them is."""
    rows = zip(*(by_model[name][key] for name in names), strict=True)
    return [None if a is None or b is None else a - b for a, b in rows]


EVIDENCE = {
    "errors": ("tag", "model", "kind", "image", "score"),
    "confusions": ("tag", "model", "instead_of", "images", "expected_tenths"),
    "disagreements": ("tag", "image", "carried", "right", "right_score", "wrong", "wrong_score"),
}


def _rows(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    """Rows as columns."""
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _add_evidence(payload: Payload) -> None:
    """Of the first three compared tags, as if there were room for no more."""
    tags, models = payload["tags"], range(len(payload["models"]))
    compared = [i for i, use in enumerate(tags["compared"]) if use]
    shown, last = compared[:3], len(models) - 1
    errors = [
        (t, m, *one) for t in shown for m in models for one in ((0, 0, 0.91 - 0.1 * m), (0, 1, 0.5), (1, 2, 0.05))
    ]
    parted = [(t, 1, 1, 0, 0.7, last, 0.2) for t in shown if last]
    rows = {"errors": errors, "confusions": [(t, m, 0, 4, 7) for t in shown for m in models], "disagreements": parted}
    payload["evidence"] = {
        "images": ["animals-bug_01", "people-face_02", "<b>x</b>"],
        "of": len(compared),
        "tags": shown,
        **{name: _rows(EVIDENCE[name], rows[name]) for name in EVIDENCE},
    }
    payload["pictures"] = {name: [None] * 3 for name in ("rating", "open", "file", "inside")} | {"content": []}
    payload["suspects"] = [
        {
            "tag": tags["name"][t],
            "place": t,
            "image": "<b>x</b>",
            "number": 2,
            "scores": [0.81 for _ in models],
        }
        for t in compared[:9]
    ]


def add_pictures(payload: Payload, picture: str, *, ratings: Sequence[str], beside: Sequence[str | None] = ()) -> None:
    """A picture in the file for each of the first images, WebP in base64; or a file beside the page where one is named."""
    names = [*beside, *[None] * (len(ratings) - len(beside))]
    inside = iter(range(len(names)))
    payload["pictures"] = {
        "rating": list(ratings),
        "open": [int(rating in ("general", "safe")) for rating in ratings],
        "file": names,
        "inside": [next(inside) if name is None else None for name in names],
        "content": [picture] * names.count(None),
    }
