"""Classes of pairs, on pictures that were changed in a known way."""

import io
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from arena.dataset.copies.alignment import AlignmentDifference, align_and_compare, thumbnail
from arena.dataset.copies.pairs import (
    PerceptualHashes,
    Signatures,
    candidates_in_index,
    candidates_within,
    classify_candidates,
    equal_phash_pairs,
    identical_in_index,
    identical_pairs,
)
from arena.dataset.copies.signatures import VARIANTS, compute_signature, cropped, is_flat, trimmed
from arena.dataset.hashes.algorithms import mirrored
from arena.images.decode import RGB, decode, pixel_digest


def drawing(seed: int = 0) -> Image.Image:
    """Shapes that differ left and right over a ground that is of one colour nowhere, with a white margin for odd seeds."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:160, 0:200] / 200
    tints = rng.integers(-90, 90, (2, 3))
    ground = 128 + rows[..., None] * tints[0] + columns[..., None] * tints[1]
    image = Image.fromarray(ground.astype(np.uint8))
    canvas = ImageDraw.Draw(image)
    for _ in range(9):
        x, y = int(rng.integers(-10, 170)), int(rng.integers(-10, 130))
        w, h = (int(v) for v in rng.integers(20, 60, 2))
        shape = canvas.ellipse if rng.random() < 0.5 else canvas.rectangle
        shape((x, y, x + w, y + h), fill=tuple(int(v) for v in rng.integers(0, 255, 3)))
    return padded(image.resize((176, 136)), "white", 12) if seed % 2 else image


def jpeg(image: Image.Image, quality: int = 75) -> RGB:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return decode(buffer.getvalue())


def watermarked(image: Image.Image) -> Image.Image:
    layer = Image.new("RGBA", image.size)
    ImageDraw.Draw(layer).text((90, 140), "example.org", fill=(128, 128, 128, 128))
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def padded(image: Image.Image, colour: str, border: int = 30) -> Image.Image:
    canvas = Image.new("RGB", (image.width + 2 * border, image.height + 2 * border), colour)
    canvas.paste(image, (border, border))
    return canvas


def with_symbol(image: Image.Image) -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image).polygon([(110, 60), (124, 84), (96, 84)], fill="black", outline="white")
    return image


def swapped(image: Image.Image) -> Image.Image:
    """Other colours of about the same brightness."""
    grey, blueness, redness = image.convert("YCbCr").split()
    return Image.merge("YCbCr", (grey, redness, blueness)).convert("RGB")


COPIES = {
    "re-encoded": lambda image: image,
    "smaller": lambda image: image.resize((90, 72)),
    "larger": lambda image: image.resize((330, 270)),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "watermarked": watermarked,
    "cropped 1 %": lambda image: image.crop((2, 0, 200, 159)),
    "cropped 3 %": lambda image: image.crop((0, 3, 196, 158)),
    "cropped 5 %": lambda image: image.crop((4, 3, 194, 155)),
    "padded white": lambda image: padded(image, "white"),
    "padded black": lambda image: padded(image, "black"),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}
ALTERNATES = {"symbol": with_symbol, "other colours": swapped}


def signatures_of(*pictures: RGB) -> Signatures:
    signed = [compute_signature(picture) for picture in pictures]
    return Signatures(
        {"pixel_sha256": tuple(one.pixel_sha256 for one in signed)},
        {
            name: PerceptualHashes(
                *(np.array([one.hashes[name][kind] for one in signed], np.uint64) for kind in (0, 1))
            )
            for name in VARIANTS
        },
        np.array([one.flat for one in signed]),
    )


def classes(*pictures: RGB, radius: int = 8) -> dict[tuple[int, int], str]:
    """Class of each candidate pair."""
    signatures = signatures_of(*pictures)
    found = candidates_within(signatures, np.flatnonzero(~signatures.flat), radius=radius)
    small = np.stack([[thumbnail(picture), thumbnail(trimmed(picture))] for picture in pictures])
    return {
        (row["left"], row["right"]): row["class"]
        for part in classify_candidates(found, small)
        for row in part.to_dict("records")
    }


@pytest.mark.parametrize("seed", range(2))
def test_a_copy_is_near(seed: int) -> None:
    original = drawing(seed)
    found = classes(np.asarray(original), *(jpeg(changed(original)) for changed in COPIES.values()))
    assert {kind: found.get((0, place)) for place, kind in enumerate(COPIES, 1)} == dict.fromkeys(COPIES, "near")


@pytest.mark.parametrize("seed", range(3))
def test_another_version_is_no_copy(seed: int) -> None:
    original = drawing(seed)
    found = classes(np.asarray(original), *(jpeg(made(original)) for made in ALTERNATES.values()), radius=32)
    assert [found[0, place] for place in (1, 2)] == ["alternate"] * 2


def test_other_pictures_are_rejected_however_wide_the_radius() -> None:
    found = classes(*(np.asarray(drawing(seed)) for seed in range(6)), radius=64)
    assert len(found) == 15
    assert set(found.values()) == {"rejected"}


def test_what_found_a_pair_is_told_with_its_distances() -> None:
    picture = np.asarray(drawing())
    others = (jpeg(drawing()), mirrored(picture), np.asarray(padded(drawing(), "black")))
    ways = []
    for other in others:
        [row] = candidates_within(signatures_of(picture, other), np.arange(2), radius=8).to_dict("records")
        assert min(row["phash_bits"], row["dhash_bits"]) <= 8
        ways.append(row["found_by"])
    assert ways == ["phash", "mirrored phash", "trimmed phash"]


def test_a_symmetric_picture_does_not_find_itself() -> None:
    picture = np.asarray(drawing())
    symmetric = np.concatenate([picture, mirrored(picture)], axis=1)
    assert candidates_within(signatures_of(symmetric, np.asarray(drawing(5))), np.arange(2), radius=4).empty


def gradient(angle: float) -> RGB:
    y, x = np.mgrid[0:200, 0:300]
    slope = np.cos(angle) * x / 300 + np.sin(angle) * y / 200
    return np.repeat(((slope - slope.min()) / np.ptp(slope) * 255).astype(np.uint8)[:, :, None], 3, axis=2)


def recompressed(pixels: RGB) -> RGB:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=50)
    return decode(buffer.getvalue())


@pytest.mark.parametrize("angle", [0.0, 0.5, 1.0, math.pi / 2])
def test_gradients_are_flat_even_from_a_jpeg(angle: float) -> None:
    assert is_flat(gradient(angle))
    assert is_flat(recompressed(gradient(angle)))


def test_one_colour_and_stripes_are_flat_and_drawings_are_not() -> None:
    stripes = np.zeros((200, 200, 3), np.uint8)
    stripes[:, ::20] = 255
    assert is_flat(stripes)
    assert is_flat(np.full((1, 1, 3), 9, np.uint8))
    assert not any(is_flat(np.asarray(drawing(seed))) for seed in range(20))
    line = np.full((200, 200, 3), 255, np.uint8)
    line[np.arange(200), np.arange(200)] = 0
    assert not is_flat(line), "a thin line says where it runs"
    square = np.full((128, 128, 3), 255, np.uint8)
    square[40:80, 40:80] = 200
    assert not is_flat(square), "a pale square is a picture"


def test_digests_pair_each_picture_with_the_first_alone() -> None:
    blank, other = np.full((9, 9, 3), 200, np.uint8), np.full((9, 9, 3), 100, np.uint8)
    signatures = signatures_of(other, blank, blank, blank)
    assert identical_pairs(signatures)[["left", "right"]].to_numpy().tolist() == [[1, 2], [1, 3]]
    assert equal_phash_pairs(signatures)[["left", "right"]].to_numpy().tolist() == [[0, 1], [0, 2], [0, 3]]


def test_a_digest_knows_the_shape() -> None:
    assert pixel_digest(np.zeros((2, 8, 3), np.uint8)) != pixel_digest(np.zeros((8, 2, 3), np.uint8))


class Index:
    """Training images of which hashes and digests are known."""

    def __init__(self, *pictures: RGB) -> None:
        signatures = signatures_of(*pictures)
        self.image_ids = tuple(f"=train\n{row}" for row in range(len(pictures)))
        self.hashes = signatures.hashes["as is"]._asdict()
        self.digests = signatures.digests


def test_an_index_is_searched_by_digest_and_by_every_variant() -> None:
    index = Index(*(np.asarray(drawing(seed)) for seed in range(5)))
    held = signatures_of(
        np.asarray(drawing(3)), jpeg(drawing(1)), mirrored(np.asarray(drawing(4))), jpeg(padded(drawing(2), "black"))
    )
    assert identical_in_index(held, index)[["left", "right"]].to_numpy().tolist() == [[0, 3]]
    found = candidates_in_index(held, index, radius=8)
    assert dict(zip(found["left"], found["right"], strict=True)) == {0: 3, 1: 1, 2: 4, 3: 2}
    assert found["found_by"].tolist()[:3] == ["phash", "phash", "mirrored phash"]
    assert found["found_by"][3].startswith("trimmed")
    equal = candidates_in_index(held, index, radius=0)
    assert set(equal["found_by"]) == {"phash"}
    assert equal["phash_bits"].tolist() == [0] * len(equal)
    assert equal["left"][0] == 0


def test_an_index_without_a_hash_has_no_distance_of_it() -> None:
    index = Index(np.asarray(drawing(1)))
    del index.hashes["dhash"]
    [row] = candidates_in_index(signatures_of(jpeg(drawing(1))), index, radius=8).to_dict("records")
    assert row["found_by"] == "phash"
    assert pd.isna(row["dhash_bits"])


@settings(max_examples=20)
@given(st.integers(0, 20), st.integers(0, 20), st.sampled_from(["#fff", "#000", "#777"]))
def test_trimming_undoes_padding(wide: int, high: int, colour: str) -> None:
    inner = trimmed(np.asarray(drawing(1)))
    canvas = Image.new("RGB", (inner.shape[1] + 2 * wide, inner.shape[0] + 2 * high), colour)
    canvas.paste(Image.fromarray(inner), (wide, high))
    again = trimmed(np.asarray(canvas))
    assert abs(again.shape[0] - inner.shape[0]) <= 2
    assert abs(again.shape[1] - inner.shape[1]) <= 2


def test_a_symbol_in_a_wide_frame_keeps_its_frame() -> None:
    symbol = drawing(1).resize((80, 64))
    for share, left in ((0.9, (64, 80)), (0.45, (64 / 0.45, 80 / 0.45))):
        frame = Image.new("RGB", (round(80 / share), round(64 / share)), "red")
        frame.paste(symbol, ((frame.width - 80) // 2, (frame.height - 64) // 2))
        canvas = padded(frame, "white")
        assert trimmed(np.asarray(canvas)).shape[:2] == pytest.approx(left, rel=0.2)


def test_trimming_and_cropping_leave_something() -> None:
    for shape in ((1, 1, 3), (1, 300, 3), (700, 2, 3), (40, 40, 3)):
        assert trimmed(np.full(shape, 9, np.uint8)).shape == shape
        assert cropped(np.full(shape, 9, np.uint8)).size


@settings(max_examples=10)
@given(st.integers(0, 10), st.integers(0, 10))
def test_an_overlay_of_a_picture_with_itself_leaves_nothing(first: int, second: int) -> None:
    small = np.stack([thumbnail(np.asarray(drawing(seed))) for seed in (first, second)])
    itself = align_and_compare(small, small)
    assert itself.correlation == pytest.approx(1)
    assert max(itself.largest) == max(itself.colour) == max(itself.changed) == 0


def test_an_overlay_does_not_depend_on_what_else_is_compared() -> None:
    small = np.stack([thumbnail(np.asarray(drawing(seed))) for seed in range(6)])
    together = align_and_compare(small[:3], small[3:])
    alone = [align_and_compare(small[row : row + 1], small[row + 3 : row + 4]) for row in range(3)]
    for name in AlignmentDifference._fields:
        assert getattr(together, name).tolist() == [float(getattr(one, name)[0]) for one in alone]


def test_one_grey_correlates_with_nothing() -> None:
    blank = np.full((1, 64, 64, 3), 128, np.uint8)
    assert align_and_compare(blank, thumbnail(np.asarray(drawing()))[None]).correlation.tolist() == [0]
