"""Rebuild the canary images from the demo set: five image shapes and modes that preprocessing often gets wrong.

Usage: python scripts/build_canary.py

Writes `datasets/canary`. The images are PNG, so that every decoder gives the same pixels.
"""

import hashlib
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from arena.cards import find_dataset
from arena.dataset.frozen import HeldOut, read_frozen, write_frozen
from arena.dataset.hashes.algorithms import dhash, phash
from arena.images.decode import decode

FOLDER = Path(__file__).parent.parent / "datasets/canary"

WHITE_FROM = 250
"""Pixels whose darkest channel is at least this become transparent in the image with transparency."""

MOSAIC_TILE = 300
"""Width of a quarter of the mosaic, in pixels; the mosaic is larger than the other images, so models must shrink it."""

SOURCES = {
    "grey": ["animals-mammals-horses-cavallo_architetto_franc_04"],
    "mosaic": [
        "computer-buttons-arrow_right_red_benji_pa_01",
        "food-vegetables-cayennepepperrevisited_d_01",
        "geography-canarian_islands_01",
        "transportation-road_runner_ganson",
    ],
    "tall": ["food-desserts-cone_soft_chocolate"],
    "transparent": ["animals-mammals-big_cats-leone_01_architetto_fran_01"],
    "wide": ["animals-mammals-big_cats-tigre05_architetto_franc_01"],
}
"""Canary image -> image_ids of the demo set that it is made from."""


class Drawn(NamedTuple):
    """A canary image and its tags."""

    image: Image.Image
    tags: list[str]


def draw(name: str, demo: HeldOut) -> Drawn:
    rows = [demo.image_ids.index(source) for source in SOURCES[name]]
    images = [Image.fromarray(decode(demo.paths[row])) for row in rows]
    tags = sorted({str(tag) for row in rows for tag in demo.images["tags"].iloc[row]})
    first = images[0]
    if name == "grey":
        return Drawn(first.convert("L"), tags)
    if name == "transparent":
        first.putalpha(Image.fromarray(np.where(np.asarray(first).min(axis=2) >= WHITE_FROM, 0, 255).astype(np.uint8)))
        return Drawn(first, tags)
    if name == "mosaic":
        canvas = Image.new("RGB", (2 * MOSAIC_TILE, 2 * MOSAIC_TILE), "white")
        for place, image in enumerate(images):
            tile = image.resize((MOSAIC_TILE, MOSAIC_TILE * image.height // image.width), Image.Resampling.BICUBIC)
            canvas.paste(tile, (place % 2 * MOSAIC_TILE, place // 2 * MOSAIC_TILE))
        return Drawn(canvas, tags)
    return Drawn(first, tags)


def main() -> None:
    demo = read_frozen(find_dataset("demo"))
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "images").mkdir(parents=True)
    rows = []
    for name in SOURCES:
        drawn, path = draw(name, demo), FOLDER / "images" / f"{name}.png"
        drawn.image.save(path, optimize=True)
        rgb = decode(path)
        rows.append(
            {
                "image_id": name, "path": f"images/{name}.png", "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "width": rgb.shape[1], "height": rgb.shape[0], "phash": f"{phash(rgb):016x}", "dhash": f"{dhash(rgb):016x}",
                "tags": drawn.tags, "rating": "unknown", "group": name,
            }
        )  # fmt: skip
    names = sorted({tag for row in rows for tag in row["tags"]})
    card = {
        "name": "canary", "title": "Canary images: five shapes and modes", "licence": demo.card.licence,
        "licence_url": demo.card.facts["licence_url"], "source": "images of the dataset demo",
        "built_by": "scripts/build_canary.py",
        "pictures": "PNG: grey (one channel), mosaic (large), tall, transparent (alpha), wide; scored by arena verify",
    }  # fmt: skip
    tags = [(name, demo.tags.category(demo.tags.index[name])) for name in names]
    print(write_frozen(FOLDER, card=card, images=pd.DataFrame(rows), tags=tags))


if __name__ == "__main__":
    main()
