"""Histograms for a synthetic payload: at the tags' own threshold of 0.4 they give the counts that the payload has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from arena.report.page.histograms import bin_width, undefined_rules

OWN = 40
"""The own threshold of every tag in hundredths; bins of 1, 2 and 5 hundredths all have an edge there."""


def drawn_histograms(
    models: Mapping[str, Mapping[str, Sequence[int | None]]], convention: str = "arena"
) -> dict[str, Any]:
    """Counts of each model's tags, spread below and above the own threshold: positives evenly, negatives mostly near 0."""
    rng = np.random.default_rng(11)
    known = {name: [i for i, tp in enumerate(columns["tp"]) if tp is not None] for name, columns in models.items()}
    width = bin_width(sum(map(len, known.values())))
    drawn = {
        name: np.stack([_spread(rng, columns, known[name], kind, width) for kind in (("fn", "tp"), ("tn", "fp"))])
        for name, columns in models.items()
    }
    return {"step": width / 100, **undefined_rules(convention), "models": drawn}


def _spread(
    rng: np.random.Generator, columns: Mapping[str, Any], known: Sequence[int], kind: tuple[str, str], width: int
) -> np.ndarray:
    """(1 + bins, tags): none below the lowest edge, then the counts below and from the own threshold on."""
    edges, own = 100 // width + 1, OWN // width
    steepness = 0.02 if kind == ("fn", "tp") else 0.5
    parts = []
    for name, bins in zip(kind, (own, edges - own), strict=True):
        counts = np.array([columns[name][i] for i in known], np.int64)
        weights = np.exp(-steepness * width * np.arange(bins))
        parts.append(rng.multinomial(counts, weights / weights.sum()).T.reshape(bins, len(known)))
    return np.concatenate([np.zeros((1, len(known)), np.int64), *parts])
