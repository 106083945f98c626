"""Write a dataset without duplicates and without training images of taggers."""

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from arena.base.errors import ArenaError, refuse_twice
from arena.base.files import copy_file, digest_file, open_whole
from arena.base.locks import lock_output
from arena.base.progress import Progress
from arena.base.scratch import open_scratch, remove_scratch
from arena.base.tables import Kind, read_frame
from arena.cards import read_dataset_card
from arena.dataset.copies.alignment import AlignmentDifference
from arena.dataset.copies.at_hand import compare_candidates, find_image_files, find_pictures
from arena.dataset.copies.nearest import compare_nearest
from arena.dataset.copies.pairs import (
    COPY_COLUMNS,
    INDEX_MATCH_ORDER,
    PerceptualHashes,
    candidates_in_index,
    candidates_within,
    classify_candidates,
    equal_phash_pairs,
    identical_in_index,
    identical_pairs,
    with_class,
)
from arena.dataset.copies.policy import DuplicateRule, Ledger, apply_policy, find_unconfirmed
from arena.dataset.copies.signing import THUMBNAILS_FILE, WORK_FILES, SignedImages, compute_signatures, make_thumbnails
from arena.dataset.files import CARRIED_FILES, DROPPED_FILE, DUPLICATES_FILE, default_workers, in_threads, link_or_copy
from arena.dataset.frozen import HeldOut, write_frozen
from arena.dataset.hashes.algorithms import ALGORITHMS
from arena.dataset.hashes.index import HashIndex, read_index
from arena.dataset.listing import ImageListing
from arena.dataset.rejects import write_rejects
from arena.dataset.tars import image_places, stored_images
from arena.images.places import ImagePlace
from arena.images.thumbnails import webp_thumbnail

PINNED_KEYS = ("steps", "images", "digest", "rows_digest", "files", "frozen_from", "frozen_from_digest")
"""Keys of the source's card that do not apply to a subset of its images."""


class TrainingIndex(NamedTuple):
    """An index of hashes, such as those of training images, that held-out images must not be in."""

    name: str
    digest: str
    hashed: HashIndex
    pictures: Sequence[ImageListing] = ()
    """Sources of its pictures; empty if none are available."""


def read_training_indexes(
    paths: Sequence[Path], pictures: Sequence[str] = (), root: Path | None = None
) -> list[TrainingIndex]:
    """Read index files; each is named by its file name and identified by the SHA-256 of the file.

    Args:
        pictures: as `find_pictures` takes them.

    Raises:
        ArenaError: a file is not an index, or two files have the same name.
        IncomparableError: the hashes of an index were made with other algorithms.
    """
    refuse_twice("--against", "index", [path.name for path in paths])
    available = find_pictures(pictures, paths, root)
    return [_read_source(path, available.get(path.name, ())) for path in paths]


def _read_source(path: Path, pictures: Sequence[ImageListing]) -> TrainingIndex:
    index = read_index(path)
    ours = HashIndex((), {}, {name: ALGORITHMS[name] for name in PerceptualHashes._fields}, name="the images")
    ours.refuse_unlike(index)
    return TrainingIndex(path.name, digest_file(path), index, pictures)


class Deduplicated(NamedTuple):
    """Result of `deduplicate`.

    Attributes:
        digest: digest of the new dataset.
        steps: numbers of images that each step kept and dropped, as in the card.
        classes: class -> number of pairs.
        unconfirmed: number of images that match an index by hash but were not compared with it by pixels.
        groups: number of groups of related images in the new dataset.
    """

    digest: str
    steps: list[dict[str, Any]]
    classes: Mapping[str, int]
    unconfirmed: int
    groups: int


def deduplicate(
    heldout: HeldOut, output: Path, *, against: Sequence[TrainingIndex], rule: DuplicateRule, progress: Progress
) -> Deduplicated:
    """Write a dataset without the copies that a rule finds, and all pairs to its `duplicates.parquet`.

    Dropped images are listed in `dropped.parquet`, with a thumbnail and the reason. The result does not depend on the order of
    the images. After an interruption the same call continues. The folder appears only when it is complete.

    Raises:
        ArenaError: the output holds something else already, or no image would be left.
    """
    shaped_by = {
        "phash_radius_bits": rule.radius,
        "deduplicated_from": heldout.digest,
        "deduplicated_by": str(rule),
        "deduplicated_against": ", ".join(f"{source.name} {source.digest[:12]}" for source in against),
        "compared_with_pictures_of": ", ".join(source.name for source in against if source.pictures),
    }
    work = output.resolve().with_name(f".{output.resolve().name}.part")
    with lock_output(output, "dataset dedup"):
        finished = _finished(output, shaped_by, rule)
        if finished is None:
            open_scratch(work, WORK_FILES)
            finished = _write_deduplicated(heldout, output, work, against, rule, shaped_by, progress)
        remove_scratch(work, WORK_FILES)
        return finished


def _write_deduplicated(
    heldout: HeldOut, output: Path, work: Path, against: Sequence[TrainingIndex], rule: DuplicateRule,
    shaped_by: Mapping[str, Any], progress: Progress,
) -> Deduplicated:  # fmt: skip
    """Compare the images, and write the new dataset.

    Args:
        work: folder of the unfinished work.
        shaped_by: further entries of the card: everything that the result depends on.
    """
    signed = compute_signatures(heldout, work, progress)
    ledger = Ledger([dict(step) for step in heldout.card.facts.get("steps", [])])
    why = "not a readable image, or the file differs from its sha256"
    ledger.record("readable", before=len(heldout), kept=len(signed.images), why=why)
    copies = find_copies(signed, heldout.card.folder, work, rule, progress)
    seen = find_index_matches(signed, heldout.card.folder, against, rule, progress)
    settled = apply_policy(signed.images, copies, seen, rule, ledger)
    if settled.kept.empty:
        raise ArenaError(f"{heldout.card.folder}: no image would be left ({rule}); change --radius or --against")
    table = _named(signed.images, copies, seen)
    folder = _fresh(work / "folder")
    with open_whole(folder / DUPLICATES_FILE) as file:
        table.to_parquet(file, index=False)
    _write_dropped(folder / DROPPED_FILE, settled.dropped, heldout.card.folder)
    write_rejects(folder / "rejects.csv", signed.rejects)
    digest = _write_images(folder, heldout, settled.kept, {**shaped_by, "steps": ledger.steps})
    folder.replace(output)
    return _summarised(digest, ledger.steps, table, settled.kept["group"], rule)


def _summarised(
    digest: str, steps: list[dict[str, Any]], table: pd.DataFrame, groups: pd.Series, rule: DuplicateRule
) -> Deduplicated:
    """Return the result.

    Args:
        table: rows of `duplicates.parquet`.
        groups: group of each kept image.
    """
    unconfirmed = find_unconfirmed(table[table["source"] != ""], rule)
    return Deduplicated(digest, steps, Counter(table["class"]), len(unconfirmed), int(groups.nunique()))


def _finished(output: Path, shaped_by: Mapping[str, Any], rule: DuplicateRule) -> Deduplicated | None:
    """Return the result of an earlier, identical call; None if the output is missing or empty.

    Raises:
        ArenaError: the output holds something else.
    """
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return None
    if (output / "dataset.toml").exists():
        card = read_dataset_card(output / "dataset.toml")
        if all(card.facts.get(key) == value for key, value in shaped_by.items()):
            kinds = {"left": Kind.IDENTIFIER, "source": Kind.TEXT, "class": Kind.TEXT}
            table = read_frame(output / DUPLICATES_FILE, kinds)
            groups = read_frame(output / "images.parquet", {"group": Kind.IDENTIFIER})["group"]
            return _summarised(card.digest, list(card.facts.get("steps", [])), table, groups, rule)
    raise ArenaError(f"-o {output}: exists and holds something else; name a new folder, or remove it")


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _write_images(folder: Path, heldout: HeldOut, images: pd.DataFrame, more: Mapping[str, Any]) -> str:
    """Write the frozen dataset into the folder; image files are hard links if the file system allows it."""
    source = heldout.card.folder
    for path in dict.fromkeys(one.file for one in stored_images(images)):
        link_or_copy(source / path, folder / path)
    for name in CARRIED_FILES:
        if (source / name).exists():
            copy_file(source / name, folder / name)
    card = {key: value for key, value in heldout.card.facts.items() if key not in PINNED_KEYS}
    tags = [(name, heldout.tags.category(column)) for column, name in enumerate(heldout.tags.names)]
    return write_frozen(folder, card={**card, **more}, images=images, tags=tags)


def _write_dropped(path: Path, dropped: pd.DataFrame, folder: Path) -> None:
    """Write the dropped rows, with reason and a WebP thumbnail."""
    thumbnails = list(
        in_threads(webp_thumbnail, image_places(folder, dropped), workers=default_workers(), advance=lambda done: None)
    )
    with open_whole(path) as file:
        dropped.assign(thumbnail=pd.Series(thumbnails, dtype=object)).to_parquet(file, index=False)


def find_copies(
    signed: SignedImages, folder: Path, work: Path, rule: DuplicateRule, progress: Progress
) -> pd.DataFrame:
    """Return the pairs of pictures that a digest or a hash finds, with class and differences; `left` and `right` are rows.

    Of pictures with many candidates, only the most similar pairs are compared and returned, see `compare_nearest`.
    """
    signatures = signed.signatures
    identical = with_class(identical_pairs(signatures), "identical").assign(phash_bits=0, dhash_bits=0)
    if rule.radius == 0:
        equal = with_class(equal_phash_pairs(signatures), "candidate").assign(phash_bits=0)
        return pd.concat([identical, equal], ignore_index=True).drop_duplicates(["left", "right"])
    rows = np.setdiff1d(np.flatnonzero(~signatures.flat), identical["right"])
    candidates = candidates_within(signatures, rows, radius=rule.radius)
    involved = np.union1d(candidates["left"], candidates["right"]).astype(np.int64)
    small = make_thumbnails(image_places(folder, signed.images.iloc[involved]), work / THUMBNAILS_FILE, progress)
    if not small.readable.all():
        changed = signed.images["path"].iloc[involved[~small.readable][0]]
        raise ArenaError(f"{folder / changed}: changed while it was compared; run dedup again")
    among = candidates.assign(
        left=np.searchsorted(involved, candidates["left"]), right=np.searchsorted(involved, candidates["right"])
    )

    def compare(pairs: pd.DataFrame) -> Iterator[pd.DataFrame]:
        with progress.count("comparing candidates", len(pairs), 0) as advance:
            for part in classify_candidates(pairs, small.pixels):
                yield part
                advance(len(part))

    found = compare_nearest(among, small.pixels, compare, joined=rule.joined, related=rule.related)
    if found.left_out:
        progress.note(
            f"{found.left_out:,} of {len(among):,} candidate pairs were not compared: their pictures have many candidates, and "
            "the most similar ones join no further pictures"
        )
    compared = found.pairs.assign(left=involved[found.pairs["left"]], right=involved[found.pairs["right"]])
    return pd.concat([identical, compared], ignore_index=True).sort_values(["left", "right"], ignore_index=True)


def find_index_matches(
    signed: SignedImages, folder: Path, against: Sequence[TrainingIndex], rule: DuplicateRule, progress: Progress
) -> pd.DataFrame:  # fmt: skip
    """Return the images that an index contains or may contain: for each image and index the most certain and nearest match."""
    signatures, lefts = signed.signatures, image_places(folder, signed.images)
    empty = pd.DataFrame({"left": np.empty(0, np.int64), "right": np.empty(0, np.int64)})
    found = [empty.assign(**dict.fromkeys(("source", "right_id", "class", "found_by"), ""))]
    for source in against:
        progress.note(f"searching {source.name}: {len(source.hashed.image_ids):,} hashes")
        identical = with_class(identical_in_index(signatures, source.hashed), "identical")
        candidates = with_class(candidates_in_index(signatures, source.hashed, radius=rule.radius), "candidate")
        if source.pictures and rule.radius:
            candidates = _compared(candidates, lefts, source, progress)
        both = pd.concat([identical, candidates], ignore_index=True)
        both["rank"] = both["class"].map(INDEX_MATCH_ORDER.index)
        nearest = both.sort_values(["left", "rank", "phash_bits", "dhash_bits", "right"]).drop_duplicates("left")
        ids = [source.hashed.image_ids[row] for row in nearest["right"]]
        found.append(nearest.assign(source=source.name, right_id=ids))
    return pd.concat(found, ignore_index=True).sort_values(["left", "source"], ignore_index=True)


def _compared(
    candidates: pd.DataFrame, lefts: Sequence[ImagePlace], source: TrainingIndex, progress: Progress
) -> pd.DataFrame:
    """Compare the candidates whose picture of the index is available."""
    names = {int(row): source.hashed.image_ids[row] for row in candidates["right"]}
    paths = find_image_files(names.values(), source.pictures)
    return compare_candidates(
        candidates, lefts, {row: paths[name] for row, name in names.items() if name in paths}, progress
    )


def _named(images: pd.DataFrame, copies: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
    """Return all pairs by identifier, in the columns of `duplicates.parquet`; pairs within the dataset have an empty source."""
    ids = images["image_id"].to_numpy(object)
    within = copies.assign(left=ids[copies["left"]], right=ids[copies["right"]], source="")
    outside = seen.assign(left=ids[seen["left"]], right=seen["right_id"])
    table = pd.concat([within, outside], ignore_index=True).reindex(columns=list(COPY_COLUMNS))
    for name in ("phash_bits", "dhash_bits"):
        table[name] = table[name].astype("Int64")
    for name in AlignmentDifference._fields:
        table[name] = table[name].astype("Float32")
    return table.sort_values(["source", "left", "right"], ignore_index=True)
