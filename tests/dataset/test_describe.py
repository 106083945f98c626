"""What is told of a dataset, against a count by hand and a brute force."""

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_array

from arena.cards import find_dataset
from arena.dataset import describe as module
from arena.dataset.describe import strongest_pairs, summarise_dataset
from arena.dataset.frozen import read_frozen, write_frozen
from arena.tags import TagRelations, TagSpace


def test_a_small_set_is_told_as_it_was_counted_by_hand(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    rows = [
        {"tags": ["cat", "pet"], "rating": "g", "width": 10, "height": 20, "group": 1, "path": "images/a.PNG"},
        {"tags": ["cat", "pet"], "rating": "g", "width": 20, "height": 20, "group": 1, "path": "images/b.jpg"},
        {"tags": ["sun"], "rating": None, "width": 30, "height": 20, "group": 2, "path": "images/c.jpg"},
        {"tags": [], "rating": "e", "width": 40, "height": 20, "group": 3, "path": "images/d"},
    ]
    for place, row in enumerate(rows):
        row |= {"image_id": str(place), "sha256": f"{place:064x}", "phash": place, "dhash": place}
        (tmp_path / str(row["path"])).touch()
    tags = [("cat", "character"), ("pet", "general"), ("sea", "general"), ("sun", "general")]
    steps = [{"name": "import", "kept": 4, "dropped": 2, "why": "truncated"}, {"name": "by hand"}]
    write_frozen(tmp_path, card={"name": "tiny", "steps": steps}, images=pd.DataFrame(rows), tags=tags)
    told = summarise_dataset(read_frozen(find_dataset(str(tmp_path))), min_positives=1)
    assert told["categories"] == [
        {"category": "general", "tags": 3, "labels": 3}, {"category": "character", "tags": 1, "labels": 2},
    ]  # fmt: skip
    assert [(row["name"], row["images"]) for row in told["tags"]] == [("cat", 2), ("pet", 2), ("sun", 1), ("sea", 0)]
    assert told["support"] == [{"from": 0, "to": 0, "tags": 1}, {"from": 1, "to": 2, "tags": 3}]
    assert told["pairs"] == [{"first": "cat", "second": "pet", "images": 2, "lift": 2.0, "phi": 1.0}]
    assert told["ratings"] == [{"value": v, "images": n} for v, n in (("g", 2), ("", 1), ("e", 1))]
    assert told["formats"] == [{"value": v, "images": n} for v, n in (("jpg", 2), ("", 1), ("png", 1))]
    assert told["sizes"]["width"] == [10, 17.5, 25, 32.5, 40]
    assert told["sizes"]["megapixels"] == pytest.approx([0.0002, 0.00035, 0.0005, 0.00065, 0.0008])
    assert told["groups"] == {"groups": 3, "shared": 1, "images_in_shared": 2, "largest": 2}
    assert told["untagged_images"] == 1
    assert told["included_for"] is None
    assert told["steps"][1] == {"name": "by hand", "kept": None, "dropped": None, "why": ""}
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def brute(dense: np.ndarray, least: int) -> dict[tuple[str, str], float]:
    """Phi of every pair by numpy's own correlation."""
    names = [f"t{i:02}" for i in range(dense.shape[1])]
    enough = [i for i in range(dense.shape[1]) if max(1, least) <= dense[:, i].sum() < len(dense)]
    return {
        (names[a], names[b]): float(np.corrcoef(dense[:, a], dense[:, b])[0, 1])
        for a, b in itertools.combinations(enough, 2)
    }


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 12), st.integers(0, 4), st.integers(1, 20))
@pytest.mark.parametrize("block", [1, 3, 256])
def test_the_strongest_pairs_are_those_of_a_brute_force(
    block: int, seed: int, images: int, tags: int, least: int, most: int
) -> None:
    dense = np.random.default_rng(seed).random((images, tags)) < 0.4
    space = TagSpace(tuple(f"t{i:02}" for i in range(tags)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TAGS_PER_BLOCK", block)
        found = strongest_pairs(csc_array(dense), space, TagRelations(), min_positives=least, most=most)
    phi = brute(dense, least)
    expected = sorted((value for value in phi.values() if value > 1e-12), reverse=True)[:most]
    assert [pair.phi for pair in found if pair.phi > 1e-12] == pytest.approx(expected)
    for pair in found:
        a, b = (dense[:, space.index[name]] for name in (pair.first, pair.second))
        assert pair.phi == pytest.approx(phi[pair.first, pair.second])
        assert pair.images == (a & b).sum()
        assert pair.lift == pytest.approx((a & b).mean() / (a.mean() * b.mean()))


def test_implied_pairs_and_ubiquitous_tags_are_left_out() -> None:
    dense = np.array([[1, 1, 1, 1], [1, 1, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1]], bool)
    space, relations = TagSpace(("cat", "pet", "sun", "all")), TagRelations.of(implications=[("cat", "pet")])
    assert strongest_pairs(csc_array(dense), space, relations, min_positives=1, most=9) == []
    (pair,) = strongest_pairs(csc_array(dense), space, TagRelations(), min_positives=1, most=9)
    assert (pair.first, pair.second) == ("cat", "pet")
    assert strongest_pairs(csc_array(dense), space, TagRelations(), min_positives=1, most=0) == []
