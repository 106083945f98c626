"""Hashes are those of the original, bit for bit; the variants of a picture are what they say."""

import math
from pathlib import Path

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from arena.dataset.frozen import read_frozen
from arena.dataset.hashes import algorithms as hashes
from arena.dataset.hashes.algorithms import ALGORITHMS, dhash, joytag, mirrored, phash
from arena.dataset.hashes.files import hash_file
from arena.images.decode import RGB, decode
from arena.pipeline.catalogue import find_dataset

from ...conftest import GOLDEN, draw


def assert_as_imagehash(pixels: RGB) -> None:
    assert f"{phash(pixels):016x}" == str(imagehash.phash(Image.fromarray(pixels)))
    assert f"{dhash(pixels):016x}" == str(imagehash.dhash(Image.fromarray(pixels)))


@pytest.mark.parametrize("name", ["exact448.png", "large.jpg", "tall.png", "tiny.png", "wide.png"])
def test_hashes_are_those_of_imagehash(name: str) -> None:
    assert_as_imagehash(decode(GOLDEN / "images" / name))


def test_hashes_of_the_demo_are_those_of_imagehash() -> None:
    for path in read_frozen(find_dataset("demo")).paths[::10]:
        assert_as_imagehash(decode(path))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80), st.integers(1, 80), st.integers(0, 9))
def test_odd_shapes_hash_as_imagehash_does(width: int, height: int, seed: int) -> None:
    assert_as_imagehash(np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8))


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (2001, 999), (999, 2001), (640, 1999)])
def test_extreme_and_large_shapes_hash_as_imagehash_does(size: tuple[int, int]) -> None:
    assert_as_imagehash(np.asarray(draw(4).resize(size)))


@pytest.mark.parametrize("level", [0, 1, 127, 255])
def test_one_colour_hashes_as_imagehash_does(level: int) -> None:
    assert_as_imagehash(np.full((600, 500, 3), level, np.uint8))


def test_a_jpeg_file_hashes_as_imagehash_does(tmp_path: Path) -> None:
    draw(7, (1200, 900)).save(tmp_path / "a.jpg", quality=80)
    found = hash_file(tmp_path / "a.jpg", ("phash", "dhash"))
    with Image.open(tmp_path / "a.jpg") as image:
        assert f"{found['phash']:016x}" == str(imagehash.phash(image))
        assert f"{found['dhash']:016x}" == str(imagehash.dhash(image))


def slow_joytag(pixels: RGB) -> int:
    """JoyTag's variant by the definition: sums of cosines, sorted by hand, bits set one by one."""
    grey = [[(2126 * int(r) + 7152 * int(g) + 722 * int(b)) // 10_000 for r, g, b in row] for row in pixels]
    small = np.asarray(Image.fromarray(np.array(grey, np.uint8)).resize((32, 32), Image.Resampling.LANCZOS))

    def cosine(frequency: int, place: int) -> float:
        return math.cos(math.pi * frequency * (2 * place + 1) / 64)

    table = [[cosine(frequency, place) for place in range(32)] for frequency in range(9)]
    found = {
        (row, column): sum(
            int(small[y, x]) * table[row][y] * table[column][x] for y in range(32) for x in range(32)
        )
        for row in range(1, 9)
        for column in range(1, 9)
    }  # fmt: skip
    ordered = sorted(found.values())
    median = (ordered[31] + ordered[32]) / 2
    places = [(row, column) for column in range(1, 9) for row in range(1, 9)]  # down each column, then the next
    return sum(1 << bit for bit, place in enumerate(places) if found[place] >= median)


@pytest.mark.parametrize("seed", range(4))
def test_joytags_variant_is_what_its_description_says(seed: int) -> None:
    pixels = np.asarray(draw(seed, (40 + 9 * seed, 51)))
    assert joytag(pixels) == slow_joytag(pixels)
    assert joytag(pixels) != phash(pixels)


def test_joytags_bits_run_down_the_columns_from_the_least_significant() -> None:
    """One cosine, of frequency 3 down and 1 across, leaves one large coefficient: row 3 of the first column, so bit 2."""
    y, x = np.mgrid[0:32, 0:32]
    wave = 128 + 100 * np.cos(np.pi * 3 * (2 * y + 1) / 64) * np.cos(np.pi * (2 * x + 1) / 64)
    spectrum = hashes._low_frequencies(wave.round().astype(np.uint8), first=1)
    assert np.argmax(spectrum) == 2 * 8 + 0
    pixels = np.repeat(wave.round().astype(np.uint8)[:, :, None], 3, axis=2)
    assert joytag(pixels) >> 2 & 1
    assert not joytag(255 - pixels) >> 2 & 1


def test_only_joytags_variant_is_marked_unverified_and_signed() -> None:
    assert [name for name, made in ALGORITHMS.items() if not made.verified] == ["joytag"]
    assert [name for name, made in ALGORITHMS.items() if made.signed] == ["joytag"]
    assert len({made.name for made in ALGORITHMS.values()}) == len(ALGORITHMS)


def test_a_scaled_decode_is_near_but_another_algorithm(tmp_path: Path) -> None:
    draw(9, (1600, 1400)).save(tmp_path / "a.jpg", quality=60)
    found = hash_file(tmp_path / "a.jpg", ("phash", "scaled"))
    assert (int(found["phash"]) ^ int(found["scaled"])).bit_count() <= 8
    with Image.open(tmp_path / "a.jpg") as image:
        image.draft("RGB", (128, 128))
        assert image.size == (200, 175), "an eighth of each side"
        assert f"{found['scaled']:016x}" == str(imagehash.phash(image))


def test_a_scaled_decode_of_what_is_no_jpeg_is_whole(tmp_path: Path) -> None:
    draw(9, (900, 800)).save(tmp_path / "a.png")
    found = hash_file(tmp_path / "a.png", ("phash", "scaled"))
    assert found["phash"] == found["scaled"]


def test_mirrored_twice_is_the_picture() -> None:
    pixels = np.asarray(draw(2))
    assert (mirrored(pixels)[:, 0] == pixels[:, -1]).all()
    assert (mirrored(mirrored(pixels)) == pixels).all()
