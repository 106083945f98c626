"""The pictures of `arena pick`: a folder of images, or a dataset whose labels are not read."""

from pathlib import Path
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.base.progress import Progress
from arena.cards import dataset_cards, find_dataset
from arena.dataset.files import file_stamp
from arena.dataset.frozen import random_order, read_frozen
from arena.dataset.readers import list_images
from arena.pipeline.display_options import rating_in_words
from arena.pipeline.truth import note_respelling
from arena.results.recipe import Sample
from arena.taggers.predict import ImageSource
from arena.tags import TagRelations

UNKNOWN_RATING = "unknown"
"""Rating of the images of a folder; pages blur such images."""


class PictureSet(NamedTuple):
    """Pictures without labels.

    Attributes:
        title: name for readers.
        root: folder of the images.
        paths: path of each image below `root`.
        source: the images with their identifiers, to score.
        ratings: a word for each image.
        groups: cluster of near duplicates of each image; None in a folder.
        relations: aliases and implications that come with the images; empty ones if none do.
        digest: digest of the dataset; empty for a folder.
        private: whether the dataset's card says `private = true`.
    """

    title: str
    root: Path
    paths: tuple[str, ...]
    source: ImageSource
    ratings: tuple[str, ...]
    groups: tuple[str, ...] | None
    relations: TagRelations
    digest: str = ""
    private: bool = False


def open_pictures(named: str, sample: Sample, root: Path | None, progress: Progress) -> PictureSet:
    """Return the images of a folder or of a dataset.

    Args:
        named: a folder, or a dataset by name or folder.
        sample: random sample of the images; a larger one holds a smaller one.

    Raises:
        ArenaError: there is no such folder or dataset, or it has no image.
    """
    folder = Path(named)
    if (folder / "dataset.toml").exists() or (not folder.exists() and named in dataset_cards(root)):
        return _of_dataset(named, sample, root, progress)
    if not folder.is_dir():
        raise ArenaError(f"{named}: no such folder or dataset; name a folder of images")
    listed = list_images(folder)
    ids, files = tuple(listed), tuple(listed.values())
    if sample.limit is not None and sample.limit < len(ids):
        kept = sorted(random_order(ids, ids, seed=sample.seed)[: sample.limit])
        ids, files = tuple(ids[place] for place in kept), tuple(files[place] for place in kept)
    source = ImageSource(ids, files, tuple(map(file_stamp, files)), verified=False)
    paths = tuple(file.relative_to(folder).as_posix() for file in files)
    relations = TagRelations.read(folder)
    return PictureSet(folder.resolve().name, folder, paths, source, (UNKNOWN_RATING,) * len(ids), None, relations)


def _of_dataset(named: str, sample: Sample, root: Path | None, progress: Progress) -> PictureSet:
    whole = read_frozen(find_dataset(named, root))
    note_respelling(progress, whole.note)
    heldout = whole.sample(*sample)
    facts, images = heldout.card.facts, heldout.images
    sensitive = set(facts.get("sensitive", ()))
    ratings = tuple(
        "sensitive" if image in sensitive else rating_in_words(rating, facts)
        for image, rating in zip(images["image_id"], images["rating"], strict=True)
    )
    return PictureSet(
        heldout.card.title, heldout.card.folder, tuple(images["path"]),
        ImageSource(heldout.image_ids, heldout.paths, tuple(images["sha256"]), verified=True),
        ratings, tuple(map(str, images["group"])), heldout.relations, heldout.digest,
        facts.get("private") is True,
    )  # fmt: skip
