"""Candidates of an index are decided by their pictures where these are at hand, and stay candidates where they are not."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from arena.base.errors import ArenaError
from arena.base.progress import Silent
from arena.dataset.contamination import CONTAMINATION_CLASSES, search_index_files
from arena.dataset.copies.at_hand import find_image_files, find_pictures
from arena.dataset.copies.dedup import deduplicate, read_training_indexes
from arena.dataset.copies.policy import DuplicateRule
from arena.dataset.hashes.build import hash_sources
from arena.dataset.hashes.index import HashIndex, read_index
from tests.dataset.indexes import write_index

from .test_dedup import read, tags_by_id, write_folder
from .test_pairs import drawing, with_symbol

NAMES = ["near", "alternate", "other", "gone", "clean"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, and training pictures: a smaller copy, another version, one that is gone, and two that are unlike.

    `other` has a candidate by its hash alone: the index says that an unlike picture has its hash.
    """
    home = tmp_path_factory.mktemp("at_hand")
    write_folder(home / "in", {name: (drawing(2 * seed), [name]) for seed, name in enumerate(NAMES)})
    (home / "train/sub").mkdir(parents=True)
    drawing(0).resize((150, 120)).save(home / "train/copy.png")
    with_symbol(drawing(2)).save(home / "train/sub/version.png")
    drawing(41).save(home / "train/unlike.png")
    drawing(6).save(home / "train/soon_gone.webp", lossless=True)
    hash_sources([str(home / "train")], home / "plain.parquet")
    (home / "train/soon_gone.webp").unlink()
    index, images = read_index(home / "plain.parquet"), read(home / "in").images.set_index("image_id")
    hashes = {name: values.copy() for name, values in index.hashes.items()}
    for name, values in hashes.items():
        values[index.image_ids.index("unlike")] = images[name]["other"]
    write_index(home / "train.parquet", HashIndex(index.image_ids, hashes, index.algorithms, index.digests))
    return home


def classes_of(world: Path, *pictures: str) -> dict[str, str]:
    heldout = read(world / "in")
    found = search_index_files(heldout, [world / "train.parquet"], Silent(), pictures=pictures)
    assert found is not None
    return {
        name: [*CONTAMINATION_CLASSES, "clean"][place]
        for name, place in zip(found.image_ids, found.place.tolist(), strict=True)
    }


def test_what_is_near_is_compared_in_a_run(world: Path) -> None:
    blind = classes_of(world)
    assert blind["other"] == blind["gone"] == "distance 0"
    assert blind["near"].startswith("distance")
    told = classes_of(world, str(world / "train"))
    assert told["near"] == "near"
    assert told["other"] == "clean", "an unlike picture of the same hash"
    assert told["gone"] == "distance 0", "its picture cannot be looked at any more"
    assert told["clean"] == "clean"


def test_unconfirmed_candidates_are_kept_unless_they_are_to_be_dropped(world: Path) -> None:
    def left(pictures: list[str], output: str, **rule: str) -> set[str]:
        sources = read_training_indexes([world / "train.parquet"], pictures)
        deduplicate(read(world / "in"), world / output, against=sources, rule=DuplicateRule(**rule), progress=Silent())
        return set(tags_by_id(world / output))

    assert left([], "blind") == set(NAMES)
    assert left([], "blind drop", unconfirmed="drop") <= {"alternate", "clean"}
    pictures = [f"train.parquet={world / 'train'}"]
    assert left(pictures, "drop", unconfirmed="drop") == {"alternate", "other", "clean"}
    assert left(pictures, "seen") == {"alternate", "other", "gone", "clean"}
    table = pd.read_parquet(world / "seen/duplicates.parquet").set_index("left")
    assert table["class"].to_dict() | {"alternate": ""} == {
        "near": "near", "other": "rejected", "gone": "candidate", "alternate": "",
    }  # fmt: skip
    assert table["correlation"]["near"] > 0.95
    assert read(world / "seen").card.facts["compared_with_pictures_of"] == "train.parquet"


def test_alternates_go_where_they_are_asked_to(world: Path) -> None:
    table = []
    for alternates in (False, True):
        sources = read_training_indexes([world / "train.parquet"], [str(world / "train")])
        output = world / f"out-{alternates}"
        deduplicate(
            read(world / "in"), output, against=sources, rule=DuplicateRule(alternates=alternates), progress=Silent()
        )
        pairs = pd.read_parquet(output / "duplicates.parquet").set_index("left")["class"].to_dict()
        table.append((pairs.get("alternate"), "alternate" in tags_by_id(output)))
    assert table in ([("alternate", True), ("alternate", False)], [(None, True), (None, True)])


def test_names_are_those_of_the_index_with_one_source_or_several(world: Path) -> None:
    (world / "more").mkdir()
    drawing(50).save(world / "more/copy.png")
    one = find_pictures([str(world / "train")], [world / "train.parquet"])["train.parquet"]
    assert find_image_files(["copy", "sub/version", "none"], one) == {
        "copy": world / "train/copy.png", "sub/version": world / "train/sub/version.png",
    }  # fmt: skip
    two = find_pictures([f"b={world / 'train'}", f"b={world / 'more'}"], [world / "a", world / "b"])["b"]
    assert find_image_files(["train/copy", "more/copy"], two) == {
        "train/copy": world / "train/copy.png", "more/copy": world / "more/copy.png",
    }  # fmt: skip


def test_an_unreadable_picture_stays_a_candidate(world: Path, tmp_path: Path) -> None:
    train = Path(shutil.copytree(world / "train", tmp_path / "train"))
    (train / "unlike.png").write_bytes((train / "unlike.png").read_bytes()[:60])
    assert classes_of(world, str(train))["other"] == "distance 0"


def test_pictures_of_no_index_are_one_line(world: Path) -> None:
    heldout, two = read(world / "in"), [world / "train.parquet", world / "plain.parquet"]
    with pytest.raises(ArenaError, match=r"--pictures .*train: no index named; write INDEX="):
        search_index_files(heldout, two, Silent(), pictures=[str(world / "train")])
    with pytest.raises(ArenaError, match=r"name the index with --against"):
        search_index_files(heldout, [], Silent(), pictures=["x"])
    with pytest.raises(ArenaError, match="nowhere"):
        search_index_files(heldout, two[:1], Silent(), pictures=[str(world / "nowhere")])
