import os
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from arena.base.errors import ArenaError
from arena.cards import find_dataset
from arena.cli import arena
from arena.dataset.canonical import NAMED_RELATION_FINDINGS, Canonical, canonicalise, write_canonical
from arena.dataset.frozen import HeldOut, read_frozen
from arena.tags import TagRelations

RELATIONS = TagRelations.of(
    aliases=[("tag_3", "three"), ("tag_one", "tag_1")],
    implications=[("three", "number"), ("tag_1", "tag_2"), ("tag_2", "number")],
    blacklist={"tag_4": "says nothing"},
)


def read(folder: Path) -> HeldOut:
    return read_frozen(find_dataset(str(folder)))


def carrying(dataset: HeldOut, tag: str) -> set[str]:
    return {image for image, tags in zip(dataset.image_ids, dataset.images["tags"], strict=True) if tag in tags}


def test_the_truth_is_renamed_closed_and_cleaned(drawn_dataset: Path, tmp_path: Path) -> None:
    before = read(drawn_dataset)
    made = canonicalise(before, RELATIONS, {"number": "meta", "tag_0": "character"})
    digest = write_canonical(before, made, tmp_path / "out")
    after = read(tmp_path / "out")
    assert after.card.digest == digest == after.digest != before.digest
    assert after.card.name == "out"
    assert set(after.tags.names) == set(before.tags.names) - {"tag_3", "tag_4"} | {"three", "number"}
    assert after.tags.category(after.tags.index["number"]) == "meta"
    assert after.tags.category(after.tags.index["tag_0"]) == "general"
    assert carrying(after, "three") == carrying(before, "tag_3")
    assert carrying(after, "tag_2") == carrying(before, "tag_1") | carrying(before, "tag_2")
    assert carrying(after, "number") == carrying(after, "three") | carrying(after, "tag_2")
    assert after.relations.aliases == {"tag_3": "three", "tag_one": "tag_1"}


def test_the_step_counts_what_was_done(drawn_dataset: Path) -> None:
    before = read(drawn_dataset)
    step = canonicalise(before, RELATIONS).step
    renamed, taken = len(carrying(before, "tag_3")), len(carrying(before, "tag_4"))
    two = carrying(before, "tag_1") | carrying(before, "tag_2")
    added = len(carrying(before, "tag_1") - carrying(before, "tag_2")) + len(two | carrying(before, "tag_3"))
    assert min(renamed, taken, added) > 0
    assert (step["kept"], step["dropped"]) == (40, 0)
    assert step["why"].startswith(
        f"{renamed} labels renamed by aliases, {added} added by implications, {taken} removed by the blacklist"
    )


def test_doing_it_again_changes_nothing(drawn_dataset: Path, tmp_path: Path) -> None:
    first = read(drawn_dataset)
    write_canonical(first, canonicalise(first, RELATIONS), tmp_path / "once")
    once = read(tmp_path / "once")
    write_canonical(once, canonicalise(once, once.relations), tmp_path / "twice")
    assert read(tmp_path / "twice").digest == once.digest
    for name in ("tags.csv", "tag_aliases.csv", "tag_implications.csv", "tag_blacklist.csv", "images.parquet"):
        assert (tmp_path / "twice" / name).read_bytes() == (tmp_path / "once" / name).read_bytes()


def test_images_are_linked_and_what_lies_beside_is_kept(drawn_dataset: Path, tmp_path: Path) -> None:
    (drawn_dataset / "rejects.csv").write_text("where,image_id,reason,detail\n")
    (drawn_dataset / "secret").symlink_to("/etc/hostname")
    before = read(drawn_dataset)
    write_canonical(before, canonicalise(before, RELATIONS), tmp_path / "out")
    assert (tmp_path / "out/images/0003.png").samefile(drawn_dataset / "images/0003.png")
    assert (tmp_path / "out/rejects.csv").exists()
    assert not (tmp_path / "out/secret").exists()


def test_where_linking_fails_files_are_copied(
    drawn_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*paths: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", fail)
    before = read(drawn_dataset)
    write_canonical(before, canonicalise(before, RELATIONS), tmp_path / "out")
    assert (tmp_path / "out/images/0003.png").read_bytes() == (drawn_dataset / "images/0003.png").read_bytes()


def test_a_missing_image_leaves_nothing(drawn_dataset: Path, tmp_path: Path) -> None:
    before = read(drawn_dataset)
    made = canonicalise(before, RELATIONS)
    (drawn_dataset / "images/0003.png").rename(tmp_path / "aside.png")
    with pytest.raises(FileNotFoundError):
        write_canonical(before, made, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "aside.png").rename(drawn_dataset / "images/0003.png")
    write_canonical(before, made, tmp_path / "out")
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_link_to_another_file_is_not_followed_into_the_new_set(drawn_dataset: Path, tmp_path: Path) -> None:
    before, image = read(drawn_dataset), drawn_dataset / "images/0003.png"
    made = canonicalise(before, RELATIONS)
    image.rename(tmp_path / "store.png")
    image.symlink_to(tmp_path / "store.png")
    write_canonical(before, made, tmp_path / "same")
    assert (tmp_path / "same/images/0003.png").samefile(tmp_path / "store.png"), "its digest says that it is the image"
    image.unlink()
    image.symlink_to("/etc/hostname")
    with pytest.raises(ArenaError, match=r"images/0003.png' is a link to a file that differs from its sha256"):
        write_canonical(before, made, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_never_touched(drawn_dataset: Path) -> None:
    before = read(drawn_dataset)
    with pytest.raises(ArenaError, match="exists already"):
        write_canonical(before, canonicalise(before, RELATIONS), drawn_dataset)


def test_a_blacklist_of_everything_is_refused(drawn_dataset: Path) -> None:
    before = read(drawn_dataset)
    with pytest.raises(ArenaError, match="leaves no tag"):
        canonicalise(before, TagRelations.of(blacklist=dict.fromkeys(before.tags.names, "no")))


def test_the_card_tells_what_was_wrong_and_counts_the_rest(drawn_dataset: Path, tmp_path: Path) -> None:
    before = read(drawn_dataset)
    relations = TagRelations.of(aliases=[(f"x{k:02d}", f"x{k:02d}") for k in range(NAMED_RELATION_FINDINGS + 5)])
    made: Canonical = canonicalise(before, relations)
    write_canonical(before, made, tmp_path / "out")
    told = [row["found"] for row in read(tmp_path / "out").card.facts["tag_findings"]]
    assert told[0] == "alias x00: leads to itself; left out"
    assert told[-1] == "and 5 more"
    assert len(told) == NAMED_RELATION_FINDINGS + 1


def test_the_verb_reads_exports_and_keeps_the_datasets_own_relations(drawn_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text('tag_5,0,9,"five,fünf"\nmany,5,9,\n')
    (tmp_path / "links.csv").write_text("antecedent_name,consequent_name,status\ntag_one,many,active\n,x,active\n")
    arguments = [
        "dataset", "tags", str(drawn_dataset), "-o", str(tmp_path / "out"), "--aliases", str(tmp_path / "tags.csv"),
        "--implications", str(tmp_path / "links.csv"), "--categories", str(tmp_path / "tags.csv"),
        "--blacklist", "danbooru-meta",
    ]  # fmt: skip
    found = CliRunner().invoke(arena, arguments, catch_exceptions=False)
    assert found.exit_code == 0
    assert "links.csv: 1 of 2 rows left out; row 2: a name is missing" in found.output
    assert "implication tag_one -> many: names an alias; read as tag_1 -> many" in found.output
    after = read(tmp_path / "out")
    assert carrying(after, "many") == carrying(after, "tag_1") != set()
    assert dict(pd.read_csv(tmp_path / "out/tags.csv")[["name", "category"]].to_numpy())["many"] == "meta"
    assert after.relations.aliases == {"tag_one": "tag_1", "five": "tag_5", "fünf": "tag_5"}
