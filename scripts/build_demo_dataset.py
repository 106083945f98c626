"""Rebuild the demo dataset from Debian's packages of Open Clip Art 0.18 (public domain).

    apt-get install openclipart-png openclipart-svg        # or: apt-get download ... && dpkg -x ... FOLDER
    python scripts/build_demo_dataset.py

Writes the held-out part to `datasets/demo` and the training part to `build/demo/train`, both in the frozen format, and
prints what each step dropped. With `--split random` both parts go to `build/demo-random`. They are then split image by image,
with near duplicates in both parts, so scores on that split are too high.
"""

import argparse
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from demo_dataset.keywords import Metadata, TagPolicy, UnreadableSvgError, read_metadata
from demo_dataset.pictures import BLANK_DEVIATION, LONGEST_SIDE, WEBP_QUALITY, Picture, make_pictures
from demo_dataset.split import (
    DHASH_RADIUS,
    HELD_OUT_SHARE,
    LARGEST_HELD_OUT_CLUSTER,
    PHASH_RADIUS,
    cluster_labels,
    held_out_at_random,
    held_out_by_cluster,
    resembling,
    share_with_training_neighbour,
)
from rich.console import Console
from rich.progress import track
from rich.table import Table

from arena.base.errors import ArenaError
from arena.dataset.frozen import write_frozen
from arena.dataset.hashes.algorithms import DHASH, PHASH

HERE = Path(__file__).parent
TAG_FILES = HERE / "demo_tags"
PACKAGED = Path("/usr/share/openclipart")
PACKAGES = "Debian packages openclipart-png and openclipart-svg, version 1:0.18+dfsg-19"

MIN_IMAGES_A_TAG = 8
"""Drawings of the whole library that a keyword needs to become a tag; with fewer it can be neither learnt nor measured."""

MIN_POSITIVES = {"held-out": 3, "training": 1}
"""Positives that a tag needs in a part to be in the ground truth of that part."""

console = Console()


@dataclass
class Ledger:
    """Record of what each step kept and dropped."""

    steps: list[dict[str, Any]] = field(default_factory=list)

    def record(self, name: str, *, kept: int, dropped: int, why: str) -> None:
        """Add one step."""
        self.steps.append({"name": name, "kept": kept, "dropped": dropped, "why": why})

    def keep(self, table: pd.DataFrame, chosen: pd.Series, name: str, why: str) -> pd.DataFrame:
        """Return the chosen rows, and record how many were dropped."""
        kept = table[chosen].reset_index(drop=True)
        self.record(name, kept=len(kept), dropped=len(table) - len(kept), why=why)
        return kept


def main() -> None:
    """Run all steps and print the ledger."""
    options = parse_options()
    ledger = Ledger()
    policy = TagPolicy.read(TAG_FILES)
    drawings = drop_unusable(find_drawings(options.png, options.svg, options.workdir / "cache"), ledger)
    copies = tag_drawings(merge_copies(drawings), policy, ledger)
    pool = ledger.keep(copies, copies["first"], "identical", "the same pixels under another name; keywords were merged")
    pool["cluster"] = cluster_labels(pool)
    train, held_out = split_by_cluster(pool, ledger)
    show_leaks(copies, pool, train, held_out)
    if options.split == "random":
        source = copies if options.keep_copies else pool
        chosen = held_out_at_random(list(source["image_id"]), len(held_out))
        folder = options.workdir.with_name(options.workdir.name + "-random")
        parts = {folder / "train": source[~chosen], folder / "heldout": source[chosen]}
    else:
        parts = {options.workdir / "train": train, options.output: held_out}
    for (folder, rows), part in zip(parts.items(), ("training", "held-out"), strict=True):
        freeze(
            folder, rows, part=part, split=options.split, policy=policy, ledger=ledger, cache=options.workdir / "cache"
        )
    show_ledger(ledger)


def parse_options() -> argparse.Namespace:
    """Parse the command line; exit if a source folder is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--png", type=Path, default=PACKAGED / "png", help="folder of openclipart-png")
    parser.add_argument("--svg", type=Path, default=PACKAGED / "svg", help="folder of openclipart-svg")
    parser.add_argument("--workdir", type=Path, default=Path("build/demo"), help="training part and cache")
    parser.add_argument("--output", type=Path, default=Path("datasets/demo"), help="held-out part")
    parser.add_argument("--split", choices=("cluster", "random"), default="cluster")
    parser.add_argument("--keep-copies", action="store_true", help="with --split random: keep identical copies")
    options = parser.parse_args()
    for folder in (options.png, options.svg):
        if not folder.is_dir():
            parser.error(f"{folder}: no such folder. Run: apt-get install openclipart-png openclipart-svg")
    return options


def find_drawings(png: Path, svg: Path, cache: Path) -> pd.DataFrame:
    """Return one row per PNG, ordered by path: metadata of the SVG with the same path, and properties of the image."""
    paths = sorted(png.rglob("*.png"))
    names = [path.relative_to(png).with_suffix("") for path in paths]
    found = [metadata_or_none(svg / f"{name}.svg") for name in track(names, "reading the keywords")]
    table = pd.DataFrame(make_pictures(paths, cache), columns=list(Picture._fields))
    return table.assign(
        image_id=unique_ids(names),
        readable=[data is not None for data in found],
        free=[data is not None and data.free for data in found],
        keywords=pd.Series([data.keywords if data else [] for data in found]),
    )


def metadata_or_none(path: Path) -> Metadata | None:
    """Return the metadata of an SVG, or None if it is missing or unreadable."""
    try:
        return read_metadata(path)
    except (UnreadableSvgError, FileNotFoundError):
        return None


def unique_ids(names: list[Path]) -> list[str]:
    """Return paths as ASCII names without slashes, made unique by a number.

    >>> unique_ids([Path("food/Café 1"), Path("food/caf_1")])
    ['food-caf_1', 'food-caf_1-2']
    """
    ids: dict[str, None] = {}
    for name in names:
        parts = [
            "".join(c if c.isascii() and c.isalnum() else " " for c in part.lower()).split() for part in name.parts
        ]
        base = "-".join("_".join(words) for words in parts if words)
        number = 1
        while (image_id := base if number == 1 else f"{base}-{number}") in ids:
            number += 1
        ids[image_id] = None
    return list(ids)


def drop_unusable(drawings: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    """Return the drawings that have readable keywords, are in the public domain, can be decoded and are not blank."""
    ledger.record("packages", kept=len(drawings), dropped=0, why="PNG files in the packages")
    rows = ledger.keep(drawings, drawings["readable"], "keywords", "no SVG of that path with readable XML")
    rows = ledger.keep(rows, rows["free"], "licence", "the SVG names another licence than the public domain")
    bombs = rows["problem"].str.contains("pixels")
    rows = ledger.keep(rows, ~bombs, "bombs", "too many pixels to decode safely")
    rows = ledger.keep(rows, rows["problem"] == "", "unreadable", "no image that decodes")
    blank = rows["deviation"] < BLANK_DEVIATION
    return ledger.keep(rows, ~blank, "blank", "one colour all over: the packages' renderer drew nothing")


def merge_copies(drawings: pd.DataFrame) -> pd.DataFrame:
    """Give all copies of the same pixels the keywords of all of them; `first` marks one copy of each set."""
    merged = drawings.groupby("pixels_sha256")["keywords"].agg(lambda lists: sorted({k for ks in lists for k in ks}))
    first = ~drawings["pixels_sha256"].duplicated()
    return drawings.assign(keywords=drawings["pixels_sha256"].map(merged), first=first)


def tag_drawings(drawings: pd.DataFrame, policy: TagPolicy, ledger: Ledger) -> pd.DataFrame:
    """Add the tags of each drawing; drop drawings without a tag."""
    rows = drawings.assign(tags=drawings["keywords"].map(policy.tags))
    images_a_tag = rows.loc[rows["first"], "tags"].map(sorted).explode().value_counts()
    vocabulary = set(images_a_tag[images_a_tag >= MIN_IMAGES_A_TAG].index)
    rows["tags"] = rows["tags"].map(lambda names: sorted(names & vocabulary))
    why = f"no keyword left that is a tag on {MIN_IMAGES_A_TAG} drawings or more"
    return ledger.keep(rows, rows["tags"].map(len) > 0, "untagged", why)


def split_by_cluster(pool: pd.DataFrame, ledger: Ledger) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return training rows and held-out rows; held-out rows that resemble a training row are dropped."""
    chosen = held_out_by_cluster(pool)
    train = pool[~chosen].reset_index(drop=True)
    why = f"went to training: {len(train)} images in {train['cluster'].nunique()} clusters"
    held_out = ledger.keep(pool, pd.Series(chosen), "training", why)
    clear = pd.Series(~resembling(held_out, train))
    held_out = ledger.keep(held_out, clear, "resembling", "mirrored or trimmed, it resembles a training image")
    common = held_out["tags"].explode().value_counts()
    listed = set(common[common >= MIN_POSITIVES["held-out"]].index)
    has_listed_tag = held_out["tags"].map(lambda names: bool(listed.intersection(names)))
    why = f"every tag has fewer than {MIN_POSITIVES['held-out']} held-out images"
    return train, ledger.keep(held_out, has_listed_tag, "rare", why)


def freeze(
    folder: Path, rows: pd.DataFrame, *, part: str, split: str, policy: TagPolicy, ledger: Ledger, cache: Path
) -> None:
    """Write one part as a frozen dataset; remove images of an earlier build that are not part of it."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for stale in set((folder / "images").iterdir()) - {folder / "images" / f"{name}.webp" for name in rows["image_id"]}:
        stale.unlink()
    for image_id, png_sha256 in zip(rows["image_id"], rows["png_sha256"], strict=True):
        shutil.copyfile(cache / "webp" / f"{png_sha256}.webp", folder / "images" / f"{image_id}.webp")
    positives = rows["tags"].explode().value_counts()
    vocabulary = sorted(positives[positives >= MIN_POSITIVES[part]].index)
    write_relations(folder, policy, set(vocabulary))
    card = make_card(part=part, split=split, ledger=ledger)
    tags = [(name, policy.category(name)) for name in vocabulary]
    digest = write_frozen(folder, card=card, images=image_table(rows, set(vocabulary)), tags=tags)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    common = positives[positives >= 10]
    console.print(
        f"[bold]{folder}[/]: {len(rows)} images, {len(tags)} tags, {len(common)} of them on 10 images or more "
        f"(mean prevalence {common.mean() / len(rows):.4f}), {size:.1f} MB, digest {digest[:12]}"
    )


def image_table(rows: pd.DataFrame, vocabulary: set[str]) -> pd.DataFrame:
    """Return the table `images.parquet`."""
    labels = rows["cluster"] if "cluster" in rows else pd.Series(np.arange(len(rows)), index=rows.index)
    return pd.DataFrame(
        {
            "image_id": rows["image_id"],
            "path": "images/" + rows["image_id"] + ".webp",
            "sha256": rows["webp_sha256"],
            "width": rows["width"],
            "height": rows["height"],
            "phash": rows["phash"].astype(np.uint64),
            "dhash": rows["dhash"].astype(np.uint64),
            "tags": rows["tags"].map(lambda names: [name for name in names if name in vocabulary]),
            "rating": "unrated",
            "group": labels.astype(np.int64),
        }
    )


def write_relations(folder: Path, policy: TagPolicy, vocabulary: set[str]) -> None:
    """Write the aliases and implications that concern the tags of this part."""
    relations = policy.relations
    aliases = [(old, new, "active") for old, new in relations.aliases.items() if new in vocabulary]
    implications = [
        (name, general, "active")
        for name, generals in relations.implications.items()
        for general in generals
        if {name, general} <= vocabulary
    ]
    columns = ["antecedent_name", "consequent_name", "status"]
    for file, pairs in (("tag_aliases.csv", aliases), ("tag_implications.csv", implications)):
        pd.DataFrame(sorted(pairs), columns=columns).to_csv(folder / file, index=False, lineterminator="\n")


def make_card(*, part: str, split: str, ledger: Ledger) -> Mapping[str, Any]:
    """Return the content of `dataset.toml`."""
    name = "demo" if (part, split) == ("held-out", "cluster") else f"demo-{split}-{part}"
    radius = f"pHash at most {PHASH_RADIUS} bits or dHash at most {DHASH_RADIUS}"
    by_cluster = (
        f"single-linkage clusters of near duplicates ({radius}); a cluster is held out where a hash of its first image_id "
        f"falls below {HELD_OUT_SHARE}, unless it has more than {LARGEST_HELD_OUT_CLUSTER} images; held-out images that "
        "resemble a training image as they are, mirrored or without their white border are dropped"
    )
    return {
        "name": name,
        "title": f"Open Clip Art 0.18, {part}" + (" (split at random)" if split == "random" else ""),
        "licence": "public domain",
        "licence_url": "https://creativecommons.org/licenses/publicdomain/",
        "licence_note": (
            "Each author gave the drawing to the public domain (Creative Commons Public Domain Dedication), which is what "
            "Open Clip Art accepted; the few drawings whose SVG names another licence are left out."
        ),
        "source": PACKAGES,
        "source_url": "https://packages.debian.org/source/stable/openclipart",
        "built_by": "scripts/build_demo_dataset.py",
        "pictures": f"flattened on white, at most {LONGEST_SIDE} px, WebP at quality {WEBP_QUALITY}",
        "labels": (
            "keywords that people wrote into each SVG (dc:subject), made Danbooru-style tags by the lists in "
            f"scripts/demo_tags; tags on at least {MIN_IMAGES_A_TAG} drawings of the library and at least "
            f"{MIN_POSITIVES[part]} images of this part. Keywords are incomplete: an absent tag may still be seen"
        ),
        "phash": PHASH,
        "dhash": DHASH,
        "hashed": "the WebP file",
        "phash_radius_bits": PHASH_RADIUS,
        "dhash_radius_bits": DHASH_RADIUS,
        "split": by_cluster if split == "cluster" else "each image at random; near duplicates lie on both sides",
        "rating": "the drawings were not rated one by one; all were looked through as contact sheets: icons, flags, "
        "animals, things, and a few figures that are blurred",
        "unrated_is": "general",
        "sensitive": [
            "people-elfish_girl_mo1",
            "people-female_rollandin_frances",
            "people-sexy_lady_01",
            "people-silhouette_female_2",
            "people-silhouette_male_2",
        ],
        "steps": ledger.steps if split == "cluster" else [],
    }


def show_leaks(copies: pd.DataFrame, pool: pd.DataFrame, train: pd.DataFrame, held_out: pd.DataFrame) -> None:
    """Print the share of held-out images that have a near duplicate in training, for each kind of split."""
    shares: dict[str, float] = {}
    for name, rows in (("at random, copies kept", copies), ("at random, identical copies merged", pool)):
        chosen = held_out_at_random(list(rows["image_id"]), len(held_out))
        shares[name] = share_with_training_neighbour(rows[chosen], rows[~chosen])
    shares["by cluster"] = share_with_training_neighbour(held_out, train)
    for name, share in shares.items():
        console.print(f"split {name}: {share:.1%} of held-out images have a training image within {PHASH_RADIUS} bits")


def show_ledger(ledger: Ledger) -> None:
    """Print the steps as a table."""
    table = Table("step", "kept", "dropped", "why")
    for step in ledger.steps:
        table.add_row(step["name"], f"{step['kept']:,}", f"{step['dropped']:,}", step["why"])
    console.print(table)


if __name__ == "__main__":
    try:
        main()
    except ArenaError as error:
        raise SystemExit(f"error: {error}") from None
