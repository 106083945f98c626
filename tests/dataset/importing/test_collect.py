import csv
import gzip
import hashlib
import io
import json
import random
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from arena.base.errors import ArenaError
from arena.cli import arena
from arena.dataset.describe import summarise_dataset
from arena.dataset.frozen import digest_images
from arena.dataset.hashes.algorithms import dhash, phash
from arena.dataset.importing.collect import ImportResult, import_source
from arena.dataset.records import Reject
from arena.dataset.rejects import write_rejects
from arena.dataset.sources import open_source
from arena.images.decode import ImagePolicy, decode, pixel_digest
from arena.report.dataset.text import dataset_text
from arena.tags.exports import read_relations
from tests.dataset.sources.kinds import lines, picture, put

from .imports import contents, dataset, gather, rejected, table


def test_an_imported_folder_is_a_frozen_dataset(photos: Path, tmp_path: Path) -> None:
    put(photos / "sub/wrong.png", picture(20, "JPEG"))
    put(photos / "sub/wrong.txt", "")
    put(tmp_path / "aliases.csv", "antecedent_name,consequent_name,status\npuppy,dog,active\n")
    put(tmp_path / "implications.csv", "antecedent_name,consequent_name\ndog,animal\n")
    put(tmp_path / "blacklist.csv", "name,reason\nall,no label\n")
    relations = read_relations(
        **{name: [tmp_path / f"{name}.csv"] for name in ("aliases", "implications", "blacklist")}
    )
    outcome = gather(photos, tmp_path / "set", relations=relations, title="Photos", licence="CC0-1.0")
    assert outcome == ImportResult(13, 13, 14, outcome.rejected)
    assert not outcome.rejected
    heldout = dataset(tmp_path / "set")
    assert heldout.image_ids[:2] == ("00", "01")
    row = heldout.images.iloc[3]
    pixels = decode(photos / "03.png")
    assert row["sha256"] == hashlib.sha256((photos / "03.png").read_bytes()).hexdigest()
    assert row["path"] == f"images/{row['sha256'][:2]}/{row['sha256']}.png"
    assert heldout.paths[3].read_bytes() == (photos / "03.png").read_bytes()
    assert (row["phash"], row["dhash"], row["pixel_sha256"]) == (phash(pixels), dhash(pixels), pixel_digest(pixels))
    assert (row["width"], row["height"], row["group"]) == (40, 30, "03")
    assert list(row["tags"]) == ["animal", "dog", "only_3"]
    wrong = heldout.images.set_index("image_id").loc["sub/wrong"]
    assert wrong["path"].endswith(".jpg"), "its content tells the format"
    assert heldout.card.facts["untagged"] == 1
    read = ["13 images, with tag files", "tags in 'text files': separated by commas (12 of 12 texts)"]
    assert heldout.card.facts["labels_read"] == read
    assert f"labels read: {read[0]}\nlabels read: {read[1]}\n" in dataset_text(summarise_dataset(heldout))
    assert heldout.relations.close(["puppy", "all"]) == {"dog", "animal"}
    assert (heldout.card.title, heldout.card.licence, heldout.card.facts["source_kind"]) == (
        "Photos",
        "CC0-1.0",
        "folder",
    )
    assert not (tmp_path / "set/.parts").exists()


def test_categories_are_those_most_often_told(tmp_path: Path) -> None:
    said = ["character", "general", "character"]
    rows = [{"id": n, "tag_string": "x y", f"tag_string_{kind}": "x"} for n, kind in enumerate(said)]
    put(tmp_path / "p/posts.jsonl", lines(rows))
    for number in range(3):
        put(tmp_path / f"p/{number}.png", number)
    gather(tmp_path / "p", tmp_path / "set")
    assert dict(zip(dataset(tmp_path / "set").tags.names, dataset(tmp_path / "set").tags.categories or (), strict=True)) == {
        "x": "character", "y": "general",
    }  # fmt: skip


def test_every_hostile_image_is_one_reject(tmp_path: Path) -> None:
    source = tmp_path / "in"
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    moving = io.BytesIO()
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(moving, "GIF", save_all=True, append_images=frames[1:])
    files: dict[str, bytes | str | int] = {
        "bomb.png": bomb.getvalue(), "cut.png": picture(1)[:-100], "zero.png": b"", "text.png": "no image",
        "anim.gif": moving.getvalue(),
        "ok\nname.png": 5, "=cmd|' /C calc'!A0.png": b"",
    }  # fmt: skip
    for name, content in files.items():
        put(source / name, content)
        put((source / name).with_suffix(".txt"), "x")
    (source / "passwd.png").symlink_to("/etc/passwd")
    put(source / "passwd.txt", "x")
    put(source / "long.png", 6)
    put(source / "long.txt", b"tag, " * 2_000_000)
    outcome = gather(source, tmp_path / "set")
    assert outcome.images == 1
    assert {row[0]: row[2] for row in rejected(tmp_path / "set")} == {
        "'=cmd|' /C calc'!A0.png": "empty", "anim.gif": "animated", "bomb.png": "too many pixels", "cut.png": "truncated",
        "long.png": "tags too long", "passwd.png": "not an image", "text.png": "not an image", "zero.png": "empty",
    }  # fmt: skip
    assert dataset(tmp_path / "set").image_ids == ("ok\nname",)
    assert {path.suffix for path in (tmp_path / "set").rglob("*") if path.is_file()} == {
        ".toml",
        ".csv",
        ".parquet",
        ".png",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "set"], "nothing beside the folder"
    steps = {step["name"]: (step["kept"], step["dropped"]) for step in dataset(tmp_path / "set").card.facts["steps"]}
    assert steps["read"] == (9, 0)
    assert steps["empty"][1] == 2
    assert list(steps.values())[-1][0] == 1


def test_hostile_rows_are_one_reject_each(tmp_path: Path) -> None:
    good = {"path": "a.png", "tags": "x"}
    rows = [
        {**good, "id": "\ud800"}, {**good, "id": "long", "tags": "t " * 5_000_000},
        {**good, "id": "many", "tags": ["t" * 99] * 20_000},
        {**good, "id": "sur", "tags": ["\udcff"]}, {**good, "id": "n" * 5_000}, {**good, "id": "ok", "created_at": "2024"},
        {**good, "id": "fact", "md5": "f" * 5_000}, {**good, "id": "big", "post_id": 1 << 70},
    ]  # fmt: skip
    put(tmp_path / "t.jsonl", lines(rows))
    put(tmp_path / "a.png", 1)
    gather(tmp_path / "t.jsonl", tmp_path / "set")
    assert [row[2] for row in rejected(tmp_path / "set")] == [
        "not text", "tags too long", "tags too long", "not text", "unreadable row", "unreadable row", "unreadable row",
    ]  # fmt: skip
    assert max(len(cell) for row in rejected(tmp_path / "set") for cell in row) < 400
    assert dataset(tmp_path / "set").image_ids == ("ok",)


def test_the_policy_is_kept_and_recorded(tmp_path: Path) -> None:
    clear = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(clear, "PNG")
    put(tmp_path / "in/clear.png", clear.getvalue())
    put(tmp_path / "in/full.png", 1)
    for name in ("clear", "full"):
        put(tmp_path / f"in/{name}.txt", "x")
    gather(tmp_path / "in", tmp_path / "white")
    assert len(dataset(tmp_path / "white")) == 2
    gather(tmp_path / "in", tmp_path / "drop", policy=ImagePolicy("drop", "drop", 5_000))
    assert rejected(tmp_path / "drop") == [["clear.png", "clear", "transparent", ""]]
    facts = dataset(tmp_path / "drop").card.facts
    assert (facts["animated"], facts["transparent"], facts["max_pixels"]) == ("drop", "drop", 5_000)


def test_the_order_of_the_source_changes_nothing(tmp_path: Path) -> None:
    rows = [{"path": f"{n}.png", "tags": [f"t{n % 5}", "all"], "id": f"i{n % 7}", "post_id": n} for n in range(10)]
    rows += [{**rows[n], "tags": [tag]} for n in (0, 7) for tag in ("other", "another")] + [dict(rows[1])]
    for number in range(10):
        put(tmp_path / f"in/{number}.png", number)
    outcomes, folders = [], []
    for seed in range(4):
        shuffled = random.Random(seed).sample(rows, len(rows))
        table(tmp_path / "in/t.jsonl", shuffled)
        outcomes.append(gather(tmp_path / "in/t.jsonl", tmp_path / f"set{seed}", name="same"))
        files = contents(tmp_path / f"set{seed}")
        del files["rejects.csv"]
        folders.append(files)
    assert all(files == folders[0] for files in folders)
    assert outcomes[0].images == 7
    assert outcomes[0].rejected == {"duplicate id": 8}
    images = dataset(tmp_path / "set0").images
    kept = images.set_index("image_id").loc["i0"]
    assert kept["sha256"] == min(hashlib.sha256(picture(n)).hexdigest() for n in (0, 7))
    assert len(list((tmp_path / "set0/images").rglob("*.png"))) == 7, "files of the others are gone"


def test_two_orders_of_shards_are_one_dataset(tmp_path: Path) -> None:
    def pack(path: Path, numbers: list[int]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w") as tar:
            for number in numbers:
                for suffix, content in (("png", picture(number)), ("txt", b"x, t%d" % number)):
                    info = tarfile.TarInfo(f"{number}.{suffix}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))

    pack(tmp_path / "a/0.tar", [0, 1, 2])
    pack(tmp_path / "a/1.tar", [3, 4])
    pack(tmp_path / "b/0.tar", [4, 2, 3, 1])
    pack(tmp_path / "b/1.tar", [0])
    for name in "ab":
        gather(tmp_path / name, tmp_path / f"set-{name}", name="same")
    a, b = (dataset(tmp_path / f"set-{name}") for name in "ab")
    assert a.digest == b.digest
    assert (tmp_path / "set-a/images.parquet").read_bytes() == (tmp_path / "set-b/images.parquet").read_bytes()


def test_columns_that_only_some_rows_have_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena.dataset.importing.parts.PART_ROWS", 2)
    rows: list[dict[str, Any]] = [{"path": "a.png", "tags": "x", "id": n} for n in range(5)]
    rows[0]["post_id"], rows[3]["created_at"], rows[4]["parent_id"] = 7, "2024-01-01", 3
    put(tmp_path / "a.png", 1)
    gather(table(tmp_path / "t.jsonl", rows), tmp_path / "set")
    images = dataset(tmp_path / "set").images
    assert images["post_id"].isna().tolist() == [False, True, True, True, True]
    assert images["created_at"][3] == "2024-01-01"
    assert images["group"].tolist() == ["0", "1", "2", "3", "3"], "an image without a parent is a family of its own"


def test_what_is_in_the_way_is_refused(photos: Path, tmp_path: Path) -> None:
    gather(photos, tmp_path / "set")
    before = contents(tmp_path / "set")
    put(tmp_path / "full/notes.txt", "mine")
    for target, message in (
        (tmp_path / "set", "already holds a finished dataset"), (tmp_path / "full", "already holds something else"),
        (photos / "set", "lies inside the source"), (photos, "lies inside the source"), (tmp_path / "a b", "a name is made of"),
    ):  # fmt: skip
        with pytest.raises(ArenaError, match=message):
            gather(photos, target)
    assert contents(tmp_path / "set") == before
    assert contents(tmp_path / "full").keys() == {"notes.txt"}


@pytest.mark.parametrize(
    ("ratings", "scheme"),
    [
        (["safe", "explicit"], "danbooru-2021"), (["s", "general"], "danbooru-2022"), (["s", "q"], "unknown"),
        (["sensitive"], "danbooru-2022"),
    ],
)  # fmt: skip
def test_the_card_says_what_the_letters_of_the_ratings_mean(tmp_path: Path, ratings: list[str], scheme: str) -> None:
    rows = [{"path": f"{n}.png", "tags": "x", "rating": rating} for n, rating in enumerate(ratings)]
    table(tmp_path / "in/t.jsonl", rows)
    for number in range(len(ratings)):
        put(tmp_path / f"in/{number}.png", number)
    gather(tmp_path / "in/t.jsonl", tmp_path / "set")
    made = dataset(tmp_path / "set")
    assert made.card.facts["rating_scheme"] == scheme
    assert made.images["rating"].tolist() == [rating[0] for rating in ratings]


def test_without_a_rating_no_scheme_is_told(photos: Path, tmp_path: Path) -> None:
    gather(photos, tmp_path / "set")
    assert "rating_scheme" not in dataset(tmp_path / "set").card.facts


def test_posts_of_a_fetch_have_the_scheme_that_it_names(tmp_path: Path) -> None:
    put(tmp_path / "in/posts.jsonl", lines([{"id": 1, "tag_string": "x", "rating": "s"}]))
    put(tmp_path / "in/1.png", 1)
    put(tmp_path / "in/fetch.toml", 'rating_scheme = "danbooru-2022"\n')
    gather(tmp_path / "in", tmp_path / "set")
    assert dataset(tmp_path / "set").card.facts["rating_scheme"] == "danbooru-2022"


def test_the_verb_takes_exports_of_tags(photos: Path, tmp_path: Path) -> None:
    rows = [{"antecedent_name": "puppy", "consequent_name": "dog", "status": "active"},
            {"antecedent_name": "never_seen", "consequent_name": "nor_this", "status": "active"}]  # fmt: skip
    with gzip.open(tmp_path / "tag_aliases.jsonl.gz", "wt") as file:
        file.write(lines(rows))
    put(tmp_path / "tags.jsonl", lines([{"name": "dog", "category": 4, "is_deprecated": False}]))
    done = CliRunner().invoke(
        arena,
        [
            "dataset", "import", str(photos), "-o", str(tmp_path / "set"), "--aliases", str(tmp_path / "tag_aliases.jsonl.gz"),
            "--categories", str(tmp_path / "tags.jsonl"), "--blacklist", "danbooru-meta",
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    made = dataset(tmp_path / "set")
    assert made.relations.aliases == {"puppy": "dog"}, "what matters for its tags alone"
    assert made.tags.category(made.tags.index["dog"]) == "character"
    assert "puppy" not in made.tags.names


def test_a_source_that_gives_nothing_is_one_line(tmp_path: Path) -> None:
    put(tmp_path / "in/a.png", "no image")
    put(tmp_path / "in/a.txt", "x")
    with pytest.raises(ArenaError, match=r"all 1 rows were rejected \(1 not an image\); see .*rejects.csv"):
        gather(tmp_path / "in", tmp_path / "set")
    assert rejected(tmp_path / "set") == [["a.png", "a", "not an image", ""]]
    put(tmp_path / "in/a.png", 1)
    put(tmp_path / "in/a.txt", "")
    with pytest.raises(ArenaError, match="none of 1 images has a tag"):
        gather(tmp_path / "in", tmp_path / "set")
    put(tmp_path / "in/a.txt", "x")
    assert gather(tmp_path / "in", tmp_path / "set").images == 1, "mended, the same command goes on"
    put(tmp_path / "empty/t.csv", "path,tags\n")
    with pytest.raises(ArenaError, match=r"has no row|no column of paths"):
        import_source(open_source(tmp_path / "empty/t.csv", "table"), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_limit_takes_the_first_rows(photos: Path, tmp_path: Path) -> None:
    gather(photos, tmp_path / "set", limit=5)
    assert dataset(tmp_path / "set").image_ids == ("00", "01", "02", "03", "04")
    assert dataset(tmp_path / "set").card.facts["limit"] == 5


def test_the_digest_is_that_of_a_frozen_dataset(photos: Path, tmp_path: Path) -> None:
    gather(photos, tmp_path / "set")
    assert dataset(tmp_path / "set").card.digest == digest_images(pd.read_parquet(tmp_path / "set/images.parquet"))


def test_the_verb_tells_what_was_kept_and_rejected(photos: Path, tmp_path: Path) -> None:
    put(photos / "bad.png", b"")
    put(photos / "bad.txt", "x")
    result = CliRunner().invoke(
        arena, ["dataset", "import", str(photos), "-o", str(tmp_path / "set"), "--licence", "CC0-1.0"]
    )
    assert result.exit_code == 0, result.output
    assert [line.split() for line in result.stdout.splitlines()[1:4]] == [
        ["read", "13"],
        ["empty", "1"],
        ["kept", "12"],
    ]
    assert "12 images, 14 tags; rejects in" in " ".join(result.stdout.split())
    assert "folder, 13 images, with tag files" in result.stderr


@given(st.lists(st.text(max_size=20), min_size=4, max_size=4))
def test_rejects_are_one_line_each_and_no_formula(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("r") / "rejects.csv"
    write_rejects(path, [Reject(*texts)])
    assert len(path.read_text(encoding="utf-8").split("\n")) == 3
    with path.open(newline="", encoding="utf-8") as file:
        _, row = csv.reader(file)
    assert len(row) == 4
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)
    shutil.rmtree(path.parent)


def test_a_large_import_is_merged_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arena.dataset.importing.parts.PART_ROWS", 7)
    rows = [{"path": f"{n % 5}.png", "tags": [f"t{n % 11}"], "id": f"{n * 37 % 101:03d}"} for n in range(101)]
    for number in range(5):
        put(tmp_path / f"{number}.png", number)
    gather(table(tmp_path / "t.jsonl", rows), tmp_path / "one", name="same")
    monkeypatch.setattr("arena.dataset.importing.assemble.ASSEMBLE_BLOCK_ROWS", 10)
    gather(tmp_path / "t.jsonl", tmp_path / "many", name="same")
    one, many = dataset(tmp_path / "one"), dataset(tmp_path / "many")
    assert one.images.equals(many.images)
    assert one.digest == many.digest
    assert list(one.image_ids) == sorted(one.image_ids)
    assert np.array_equal(one.truth.values.toarray(), many.truth.values.toarray())
    expected = {
        row["id"]: row["tags"] for row in json.loads(f"[{','.join((tmp_path / 't.jsonl').read_text().splitlines())}]")
    }
    assert {row["image_id"]: list(row["tags"]) for _, row in one.images.iterrows()} == expected
