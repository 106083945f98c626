"""A synthetic page payload, and one browser for the tests of the page."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

Payload = dict[str, Any]

THEMES = ("animal", "tree", "flag", "arrow", "house", "computer", "food", "car", "music", "people", "weather", "tool")
SHAPES = ("", "_icon", "_outline", "_black", "_round", "_with_text", "_small", "_cartoon", "_symbol", "_sign", "_set")
CATEGORIES = ("general", "meta", "character")
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
    return {
        "precision": precision,
        "recall": tp / support if support else None,
        "f1": f1,
        "ap": ap,
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "tn": images - tp - fp - fn,
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
        "images_per_second": 55.04 if name.startswith("joytag") else 71.2,
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
    return curves


def make_payload(
    names: Sequence[str] = ("joytag-demo", "wd14-demo"), *, tags: int = 150, images: int = 1203, seed: int = 7
) -> Payload:
    """What `arena.report.view` hands to the page, with drawn counts and every figure consistent with them."""
    rng = random.Random(seed)
    supports = sorted((max(0, round(images * 0.3 / (i + 1) ** 0.75) - 2) for i in range(tags)), reverse=True)
    known = [[i % 23 != 5 + m for i in range(tags)] for m in range(len(names))]
    compared = [s >= 10 and all(has[i] for has in known) for i, s in enumerate(supports)]
    by_model: Payload = {}
    for m, name in enumerate(names):
        rows = [_tag_column(rng, s, images, 0.42 + 0.03 * m) if known[m][i] else None for i, s in enumerate(supports)]
        keys = ("precision", "recall", "f1", "ap", "tp", "fp", "fn", "tn")
        columns = {key: [row[key] if row else None for row in rows] for key in keys}
        columns["threshold"] = [0.4 if row else None for row in rows]
        by_model[name] = columns
    own = ["0.40", "0.35", "0.30", "0.45", "0.5"]
    models = [
        _model(name, by_model[name], supports, compared, threshold=own[m % len(own)]) for m, name in enumerate(names)
    ]
    return {
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
        "provenance": [
            {"section": "Dataset", "rows": [["digest", "sha256:ab12" + "0" * 60], ["licence", "CC0-1.0"]]},
            *[{"section": n, "rows": [["weights", "sha256:" + "c3" * 32], ["precision", "float32"]]} for n in names],
            {"section": "Run", "rows": [["command", "arena run"], ["python", "3.11.2"]]},
        ],
        "notes": ["3 images could not be read: a.png (truncated), b.png (169 million pixels), c.gif (no frame)."],
    }


@pytest.fixture
def payload() -> Payload:
    """Two models, 150 tags, of which some are not compared."""
    return make_payload()


@pytest.fixture
def payload_of() -> Callable[..., Payload]:
    """The factory itself, for payloads of another size."""
    return make_payload


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One headless browser for all tests; they are skipped, with the reason, where none is installed."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no Chromium or Chrome found on PATH: the page is tested in a real browser")
    api = pytest.importorskip("playwright.sync_api")
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *quiet])
        yield browser
        browser.close()
