"""Histograms give back every count at the edges of their bins, and are read as they were written."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.dataset.frozen import Truth
from arena.evaluate import Settings, evaluate
from arena.metrics.counts import CONVENTIONS
from arena.metrics.thresholds import sweep_thresholds
from arena.report.html import embedded_json, render_comparison
from arena.report.page import histograms as histograms_module
from arena.report.page.histograms import bin_width, encode_varints, histogram_block, histograms, undefined_metrics
from arena.report.page.packed import compress
from arena.report.view import page_view
from arena.results.run_folder import Result
from arena.tags import TagRelations, TagSpace

from ...evaluate.worlds import entry, labels_of, see
from ..payloads import make_payload
from ..unpacking import decompress

SWEEP = sweep_thresholds()


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels (images, tags); many scores lie exactly on thresholds, at 0 and at 1."""
    shape = draw(st.integers(1, 30)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = np.where(rng.random(shape) < 0.5, rng.choice(SWEEP, shape), rng.random(shape, np.float32))
    return scores.astype(np.float32), rng.random(shape) < draw(st.floats(0, 1))


def swept(scores: np.ndarray, labels: np.ndarray, *, above: bool) -> pd.DataFrame:
    """Rows as `tag_sweep.parquet` has them, by brute force; in no order, with further thresholds and a tag too many."""
    thresholds = sweep_thresholds([0.001, 0.3537, 0.998])
    hit = (np.greater if above else np.greater_equal)(scores, thresholds[:, None, None])
    four = [hit & labels, hit & ~labels, ~hit & labels, ~hit & ~labels]
    counts = {name: found.sum(1).ravel() for name, found in zip(("tp", "fp", "fn", "tn"), four, strict=True)}
    names = [f"t{tag}" for tag in range(scores.shape[1])]
    own = {"tag": np.tile(names, len(thresholds)), "threshold": np.repeat(thresholds, len(names)), **counts}
    other = pd.DataFrame({"tag": "stranger", "threshold": SWEEP, "tp": 1, "fp": 2, "fn": 3, "tn": 4})
    table = pd.concat([pd.DataFrame(own), other])
    return table.astype({"threshold": np.float32, "tag": "category"}).sample(frac=1, random_state=0)


@given(scored(), st.sampled_from([1, 2, 5]), st.booleans())
def test_sums_of_bins_are_the_counts_at_every_edge(
    seen: tuple[np.ndarray, np.ndarray], width: int, above: bool
) -> None:
    scores, labels = seen
    names, edges = [f"t{tag}" for tag in reversed(range(scores.shape[1]))], SWEEP[::width]
    bins = histograms(swept(scores, labels, above=above), names, edges)
    assert bins.min() >= 0
    for place, edge in enumerate(edges):
        predicted = (scores > edge if above else scores >= edge)[:, ::-1]
        tp, fp = ((predicted & kind[:, ::-1]).sum(0) for kind in (labels, ~labels))
        assert np.array_equal(bins[:, 1 + place :].sum(1), [tp, fp])
    assert np.array_equal(bins.sum(1), [labels.sum(0)[::-1], (~labels).sum(0)[::-1]]), "every image is in one bin"


def read(block: str) -> Iterator[int]:
    """The integers of a block, by the format's description."""
    value = shift = 0
    for byte in decompress(block):
        value, shift = value | (byte & 127) << shift, shift + 7
        if byte < 128:
            yield value
            value = shift = 0


@given(st.lists(st.integers(0, 2**31 - 1)))
def test_varints_come_back(values: list[int]) -> None:
    block = compress(encode_varints(np.array(values, np.int64)))
    assert list(read(block)) == values


def test_a_block_leaves_out_the_lowest_bin_alone() -> None:
    rng = np.random.default_rng(2)
    bins = rng.integers(0, 40_000, (2, 1 + 21, 5))
    found = np.array(list(read(histogram_block(bins)))).reshape(2, 21, 5)
    assert np.array_equal(found[:, 0], bins[:, 0])
    assert np.array_equal(found[:, 1:], bins[:, 2:])
    assert histogram_block(bins) == histogram_block(bins.copy())


def test_the_more_cells_the_wider_the_bins() -> None:
    widths = [bin_width(cells) for cells in (0, 15_000, 15_001, 60_000, 60_001, 700_000)]
    assert widths == [1, 1, 2, 2, 5, 5]


@pytest.mark.parametrize(
    ("convention", "expected"),
    [
        ("arena", (None, None, None)),
        ("smilingwolf", (0, None, None)),
        ("joytag", (0, 0, 0)),
        ("animetimm", (0, 0, 1)),
    ],
)
def test_what_an_undefined_figure_counts_as(convention: str, expected: tuple[int | None, ...]) -> None:
    assert tuple(undefined_metrics(convention).values()) == expected


def evaluated(convention: str = "arena") -> Result:
    """Two models, of which the second lacks a tag and lists the others backwards; many scores are 0, 1 or thresholds."""
    rng = np.random.default_rng(6)
    ids, names = [f"i{n}" for n in range(160)], [f"t{n}" for n in range(8)]
    labels = labels_of(rng, len(ids), len(names))
    scores = [np.round(see(rng, labels), 2).astype(np.float32) for _ in range(2)]
    scores[0][:20], scores[1][20:30] = 0, 1
    kept = [7, 6, 4, 3, 2, 1, 0]
    models = [entry("fine", ids, names, scores[0]), entry("poor", ids, [names[n] for n in kept], scores[1][:, kept])]
    truth = Truth.of(ids, TagSpace(tuple(names)), labels)
    return evaluate(truth, models, Settings(convention=convention, replicates=0))


@pytest.mark.parametrize("convention", list(CONVENTIONS))
@pytest.mark.parametrize("width", [1, 5])
def test_the_payload_has_the_counts_of_the_tags_in_its_order(
    convention: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(histograms_module, "_BIN_WIDTHS", ((10**9, width),))
    result = evaluated(convention)
    view = page_view(result)
    assert view["histograms"]["step"] == width / 100
    for model, bins in view["histograms"]["models"].items():
        columns = view["tags"]["models"][model]
        known = [place for place, tp in enumerate(columns["tp"]) if tp is not None]
        assert bins.shape == (2, 2 + 100 // width, len(known))
        own = 1 + 50 // width
        assert bins[:, own:].sum(1).tolist() == [[columns[name][place] for place in known] for name in ("tp", "fp")]
        rows = result.tag_sweep[result.tag_sweep["model"] == model]
        for column, place in zip(bins.transpose(2, 0, 1), known, strict=True):
            name = view["tags"]["name"][place]
            swept_rows = rows[(rows["tag"] == name) & np.isin(rows["threshold"], SWEEP[::width])].sort_values(
                "threshold"
            )
            for kind, figure in enumerate(("tp", "fp")):
                assert column[kind, 1:][::-1].cumsum()[::-1].tolist() == swept_rows[figure].tolist()
    assert (view["histograms"]["models"]["fine"][:, 0].sum() > 0) == CONVENTIONS[convention].above, (
        "scores of exactly 0"
    )


def test_a_model_that_calls_two_tags_alike_shows_the_compared_one() -> None:
    rng = np.random.default_rng(4)
    ids, labels = [f"i{n}" for n in range(60)], rng.random((60, 2)) < 0.4
    truth = Truth.of(ids, TagSpace(("cat", "dog")), labels, relations=TagRelations.of(aliases=[("kitty", "cat")]))
    scores = rng.random((60, 3)).astype(np.float32)
    result = evaluate(truth, [entry("m", ids, ["kitty", "cat", "dog"], scores)], Settings(replicates=0))
    assert len(result.per_tag) == 3
    view = page_view(result)
    bins, columns = view["histograms"]["models"]["m"], view["tags"]["models"]["m"]
    assert bins[:, 1 + 50 :].sum(1).tolist() == [columns["tp"], columns["fp"]]


def test_the_page_holds_a_block_a_model_and_tells_its_step() -> None:
    payload = make_payload(("a", "b", "c"), tags=30)
    page = render_comparison(payload)
    for number, bins in enumerate(payload["histograms"]["models"].values()):
        assert f'<script type="text/plain" id="histogram-{number}">{histogram_block(bins)}</script>' in page
    told = {name: value for name, value in payload["histograms"].items() if name != "models"}
    assert embedded_json({"histograms": told})[1:-1] in page
