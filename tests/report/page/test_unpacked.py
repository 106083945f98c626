"""Blocks of a page, read again, are what was packed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.report.columns import rounded_number
from arena.report.html import render_comparison
from arena.report.page.histograms import encode_varints
from arena.report.page.packed import (
    compress,
    join_columns,
    pack_integers,
    pack_places,
    pack_ratio_codes,
    pack_ratios,
    pack_values,
    ratio_codes,
)
from arena.report.page.unpacked import PackedColumns, decode_varints, decompress, page_blocks

from ..payloads import Payload

FIGURE = st.none() | st.floats(-1, 1)


@given(st.binary(max_size=99))
@settings(max_examples=20)
def test_a_block_comes_back(content: bytes) -> None:
    assert decompress(compress(content)) == content


@pytest.mark.parametrize("text", ["", "x", "no block", "\u732b", compress(b"cut")[:-5]])
def test_a_damaged_block_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="block"):
        decompress(text)


@given(st.lists(FIGURE), st.lists(st.none() | st.integers(0, 2**24)), st.lists(st.none() | st.text(max_size=5)))
@settings(max_examples=20)
def test_columns_come_back(shown: list[float | None], counts: list[int | None], texts: list[str | None]) -> None:
    block = PackedColumns(join_columns({"f": pack_ratios(shown), "i": pack_integers(counts), "t": pack_values(texts)}))
    assert block.column("f") == [rounded_number(value) for value in shown]
    assert (block.column("i"), block.column("t")) == (counts, texts)
    assert "f" in block
    assert "g" not in block


@given(st.lists(FIGURE, min_size=1))
@settings(max_examples=20)
def test_ratios_of_an_array_are_packed_as_those_of_a_column(shown: list[float | None]) -> None:
    values = np.array([np.nan if value is None else value for value in shown])
    assert pack_ratio_codes(ratio_codes(values)) == pack_ratios(shown)


def test_places_store_the_values_that_occur() -> None:
    block = PackedColumns(join_columns({"p": pack_places(["a", "b", "c"], np.array([2, 0, 2]))}))
    assert block.column("p") == ["c", "a", "c"]


@given(st.lists(st.integers(0, 2**40)))
@settings(max_examples=20)
def test_varints_come_back(values: list[int]) -> None:
    assert decode_varints(encode_varints(np.array(values, np.int64))).tolist() == values


def test_the_blocks_of_a_page_are_found(payload: Payload) -> None:
    blocks = page_blocks(render_comparison(payload))
    tags = PackedColumns(decompress(blocks["tag-block"]))
    assert tags.column("name") == payload["tags"]["name"]
    assert {"payload", "histogram-0", "evidence-block"} <= set(blocks)
