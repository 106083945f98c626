"""What ships with the project keeps what its cards promise."""

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arena import taggers
from arena.cards import find_dataset, find_model, model_cards
from arena.dataset.frozen import HeldOut, read_frozen
from arena.dataset.hamming.duplicates import pairs_within
from arena.dataset.hashes.algorithms import dhash, phash
from arena.images.decode import decode
from arena.taggers.preprocess import square

DEMO_MODELS = ("joytag-demo", "wd14-demo", "wd14-demo-timm")


@pytest.fixture(scope="module")
def demo() -> HeldOut:
    return read_frozen(find_dataset("demo"))


def size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def test_the_demo_set_is_large_enough_and_small_enough(demo: HeldOut) -> None:
    positives = np.diff(demo.truth.values.indptr)
    assert len(demo) >= 1000
    assert (positives >= 10).sum() >= 50
    assert size_mb(demo.card.folder) < 12
    assert demo.card.facts["source"].startswith("Debian packages openclipart-png")


def test_every_file_is_the_one_that_was_frozen(demo: HeldOut) -> None:
    for path, digest in zip(demo.paths, demo.images["sha256"], strict=True):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest, path
    listed = {path.name for path in demo.paths}
    assert {path.name for path in (demo.card.folder / "images").iterdir()} == listed


def test_pictures_are_small_and_their_hashes_are_those_of_the_files(demo: HeldOut) -> None:
    for row in demo.images.sample(40, random_state=0).itertuples():
        path = demo.card.folder / row.path
        with Image.open(path) as image:
            assert max(image.size) <= 256
            assert image.format == "WEBP"
        pixels = decode(path)
        assert (phash(pixels), dhash(pixels)) == (row.phash, row.dhash)


def test_near_duplicates_within_the_set_share_a_group(demo: HeldOut) -> None:
    for kind, radius in (("phash", 8), ("dhash", 4)):
        pairs = pairs_within(demo.images[kind].to_numpy(np.uint64), radius=radius)
        groups = demo.images["group"].to_numpy()
        assert (groups[pairs.left] == groups[pairs.right]).all()


def test_the_steps_add_up(demo: HeldOut) -> None:
    steps = demo.card.facts["steps"]
    for before, after in pairwise(steps):
        assert after["kept"] == before["kept"] - after["dropped"], after["name"]
        assert after["why"]
    assert steps[-1]["kept"] == len(demo)


def test_implications_hold_in_the_truth(demo: HeldOut) -> None:
    for names in demo.images["tags"]:
        assert set(names) == demo.relations.close(names) & demo.tags.index.keys()


@pytest.mark.parametrize("name", DEMO_MODELS)
def test_a_demo_model_is_small_and_knows_tags_of_the_set(name: str, demo: HeldOut) -> None:
    card = find_model(name)
    assert size_mb(card.folder) <= 8
    tagger = taggers.load(card, device="cpu")
    known = {demo.relations.canonical(tag) for tag in tagger.tags.names} & demo.tags.index.keys()
    assert len(known) > 50


def test_vocabularies_differ_and_some_tags_are_spelt_by_an_alias(demo: HeldOut) -> None:
    joytag, wd = (taggers.load(find_model(name), device="cpu").tags for name in DEMO_MODELS[:2])
    canonical = {demo.relations.canonical(name) for name in wd.names}
    assert set(joytag.names) - canonical
    assert canonical - set(joytag.names)
    assert [name for name in wd.names if demo.relations.canonical(name) != name], "an alias is put to the test"
    assert joytag.categories is None
    assert wd.categories is not None


def test_the_onnx_and_timm_twins_agree_on_real_images(demo: HeldOut) -> None:
    cards = model_cards()
    pair = [taggers.load(cards[name], device="cpu") for name in ("wd14-demo", "wd14-demo-timm")]
    assert pair[0].preprocess == pair[1].preprocess, "they share their pixels"
    pixels = np.stack([square(decode(path), pair[0].preprocess) for path in demo.paths[::100]])
    np.testing.assert_allclose(pair[0].scores(pixels), pair[1].scores(pixels), atol=1e-4)
