"""The counts of every tag under each threshold policy: those behind thresholds.csv, and packed without loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from arena.report.page import policy_block as block_module
from arena.report.page.packed import join_columns
from arena.report.page.policy_block import chains, policy_block
from arena.report.page.unpacked import PackedColumns, decompress
from arena.report.view import page_view
from arena.results.run_folder import Result

from ..payloads import make_payload
from ..results import result_of


@pytest.fixture(scope="module")
def result() -> Result:
    return result_of(("first", "second"), images=90)


@pytest.fixture(scope="module")
def view(result: Result) -> dict[str, Any]:
    return page_view(result)


def test_metrics_from_the_counts_are_those_of_thresholds_csv(result: Result, view: dict[str, Any]) -> None:
    table = result.tables["thresholds"].set_index(["model", "regime", "tag"])
    names, support = view["tags"]["name"], view["tags"]["support"]
    checked = 0
    for model, by_policy in view["policy_counts"]["models"].items():
        for policy, counts in by_policy.items():
            for place, tag in enumerate(names):
                tp, fp, row = counts["tp"][place], counts["fp"][place], table.loc[(model, policy, tag)]
                assert counts["threshold"][place] == row["threshold"]
                if fp is None:
                    assert (tp, row["precision"]) == (0, 0)
                    continue
                found = 2 * tp / (tp + fp + support[place]) if tp + fp + support[place] else np.nan
                assert found == pytest.approx(row["f1"], abs=1e-6, nan_ok=True)
                checked += 1
    assert checked > 20


def unpacked(payload: dict[str, Any]) -> dict[str, dict[str, dict[str, list[int | None]]]]:
    """Read the block as the browser does: each column is the sum of the steps of its chain."""
    columns = PackedColumns(decompress(policy_block(payload)))
    counts, own = payload["policy_counts"]["models"], payload["tags"]["models"]
    found: dict[str, dict[str, dict[str, list[int | None]]]] = {name: {} for name in counts}
    for place, (name, chain) in enumerate(zip(counts, chains(counts), strict=True)):
        now = {key: [value or 0 for value in own[name][key]] for key in ("tp", "fp")}
        for policy in chain:
            found[name][policy] = {}
            for key in ("tp", "fp"):
                codes = columns.column(f"{place}.{policy}.{key}")
                steps = [0 if code is None else -(code + 1) // 2 if code % 2 else code // 2 for code in codes]
                now[key] = [value + step for value, step in zip(now[key], steps, strict=True)]
                known = zip(now[key], codes, strict=True)
                found[name][policy][key] = [None if code is None else value for value, code in known]
    return found


@pytest.mark.parametrize("real", [True, False])
def test_the_block_holds_the_counts(view: dict[str, Any], real: bool) -> None:
    payload = view if real else make_payload(tags=60)
    wanted = {
        name: {policy: {key: counts[key] for key in ("tp", "fp")} for policy, counts in by_policy.items()}
        for name, by_policy in payload["policy_counts"]["models"].items()
    }
    assert unpacked(payload) == wanted


def test_a_run_without_resamples_has_none() -> None:
    payload = make_payload(tags=12, replicates=0)
    assert payload["policy_counts"]["models"] == {}
    assert decompress(policy_block(payload)) == join_columns({})


def test_a_large_page_has_the_compared_tags_only(result: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_module, "MOST_CELLS", 3)
    view = page_view(result)
    tp = view["policy_counts"]["models"]["first"]["tag"]["tp"]
    assert [value is not None for value in tp] == view["tags"]["compared"]
