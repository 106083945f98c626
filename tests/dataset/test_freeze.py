"""Freezing: the same bytes from any order, whole or not at all, and every later change is seen."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arena.base.errors import ArenaError
from arena.base.files import digest_file
from arena.cards import DatasetCard, find_dataset
from arena.dataset import files
from arena.dataset import frozen as frozen_sets
from arena.dataset.files import stored_path
from arena.dataset.freeze import (
    REPRESENTATIVE_NOTE,
    CardOverrides,
    FreezeResult,
    freeze_dataset,
)
from arena.dataset.frozen import read_frozen, toml_text, write_frozen
from arena.dataset.pins import digest_rows
from arena.dataset.selection import INCLUDED_FOR, Selection
from arena.dataset.verify import fault_lines, verify_dataset

from ..conftest import draw, write_dataset

GOLDEN_CARD = """\
name = "small"
title = "Drawn \\"by hand\\""
licence = "CC0-1.0"
source = "a test"
phash_radius_bits = 8
frozen_from = "drawn"
frozen_from_digest = "{source}"
selected_sample = 6
selected_representative = 2
selected_seed = 1
selected_min_images = 2
sampling = "representative"
sampling_note = "{note}"
images = 6
tags = 3
digest = "{digest}"
rows_digest = "{rows}"

[[steps]]
name = "import"
kept = 8
dropped = 1
why = "truncated"

[[steps]]
name = "representative"
kept = 6
dropped = 2
why = "not a random sample: 3 images chosen so that every tag has 2 (or all, if it has fewer), then 3 at random; seed 1"

[[steps]]
name = "min_images"
kept = 6
dropped = 0
why = "tags removed, because fewer than 2 images carry them: 1 (rare); images left without a label: 2"

[[files]]
name = "tags.csv"
sha256 = "{tags}"

[[files]]
name = "tag_aliases.csv"
sha256 = "{aliases}"
"""

CARRIED = [["cat"], ["cat", "dog"], ["dog", "sun"], ["sun"], [], ["cat", "sun"], ["rare"], []]


def make_source(folder: Path, order: list[int] | None = None) -> DatasetCard:
    """Eight drawn images under hostile names, written in any order."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for i in order or range(8):
        path = folder / "images" / f"drawing {i}.PNG"
        draw(i).save(path)
        rows.append({
            "image_id": f"<b>{i}\n", "path": f"images/{path.name}", "sha256": digest_file(path), "width": 90,
            "height": 70, "phash": (1 << 63) + i, "dhash": i, "tags": CARRIED[i][:: -1 if order else 1], "rating": "g",
            "group": i, "post_id": 100 + i, "parent_id": pd.NA if i % 2 else (1 << 60) + i,
        })  # fmt: skip
    images = pd.DataFrame(rows).astype({"phash": "uint64", "parent_id": "Int64"})
    (folder / "tag_aliases.csv").write_text("antecedent_name,consequent_name,status\nkitty,cat,active\n")
    steps = [{"name": "import", "kept": 8, "dropped": 1, "why": "truncated"}]
    facts = {
        "name": "drawn",
        "title": 'Drawn "by hand"',
        "licence": "CC0-1.0",
        "source": "a test",
        "phash_radius_bits": 8,
    }
    names = [(name, "general") for name in ("sun", "cat", "dog", "rare")]
    write_frozen(folder, card={**facts, "steps": steps}, images=images, tags=names)
    return find_dataset(str(folder))


SMALL = Selection(sample=6, representative=2, seed=1, min_images=2)


def frozen(source: DatasetCard, output: Path, selection: Selection = SMALL, name: str = "small") -> FreezeResult:
    return freeze_dataset(source, output, about=CardOverrides(name), selection=selection)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_orders_give_the_same_bytes(tmp_path: Path) -> None:
    one = frozen(make_source(tmp_path / "one"), tmp_path / "a/frozen")
    two = frozen(make_source(tmp_path / "two", [5, 2, 7, 1, 0, 3, 6, 4]), tmp_path / "b/else")
    assert one.card.digest == two.card.digest
    assert contents(tmp_path / "a/frozen") == contents(tmp_path / "b/else")


def test_the_card_is_as_it_was_written_down(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source")
    folder = tmp_path / "frozen"
    card = frozen(source, folder).card
    expected = GOLDEN_CARD.format(
        source=source.digest, note=REPRESENTATIVE_NOTE, digest=card.digest, rows=digest_rows(folder / "images.parquet"),
        tags=digest_file(folder / "tags.csv"), aliases=digest_file(folder / "tag_aliases.csv"),
    )  # fmt: skip
    assert (folder / "dataset.toml").read_text() == expected
    assert (folder / "tags.csv").read_text() == "name,category,positives\ncat,general,2\ndog,general,2\nsun,general,3\n"


def test_a_frozen_set_is_a_dataset_like_any_other(tmp_path: Path) -> None:
    frozen(make_source(tmp_path / "source"), tmp_path / "frozen")
    heldout = read_frozen(find_dataset(str(tmp_path / "frozen")))
    assert len(heldout) == 6
    assert set(heldout.images["path"]) == {
        stored_path(row.sha256, ".png") for row in heldout.images.itertuples(index=False)
    }
    whole = read_frozen(find_dataset(str(tmp_path / "source"))).images.set_index("image_id")
    for row in heldout.images.to_dict("records"):
        assert row["phash"] == whole.loc[row["image_id"], "phash"] > 2**63
    assert (heldout.images[INCLUDED_FOR] == "random").sum() == 3
    assert not list(tmp_path.glob(".*")), "nothing is left beside it"


def test_whole_numbers_stay_whole_beside_an_empty_cell(tmp_path: Path) -> None:
    frozen(make_source(tmp_path / "source"), tmp_path / "frozen", Selection())
    import pyarrow.parquet as pq

    table = pq.read_table(tmp_path / "frozen/images.parquet")
    assert str(table.schema.field("parent_id").type) == "int64"
    assert table["parent_id"].to_pylist() == [None if i % 2 else (1 << 60) + i for i in range(8)]


def test_done_again_it_changes_nothing(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source")
    assert frozen(source, tmp_path / "frozen").written
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "frozen").rglob("*")}
    assert not frozen(source, tmp_path / "frozen").written
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "frozen").rglob("*")} == before
    assert not list(tmp_path.glob(".*"))


def test_another_set_is_never_overwritten(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source")
    frozen(source, tmp_path / "frozen")
    before = contents(tmp_path / "frozen")
    with pytest.raises(ArenaError, match="it holds another dataset"):
        frozen(source, tmp_path / "frozen", Selection(sample=3))
    with pytest.raises(ArenaError, match="it holds another dataset"):
        frozen(source, tmp_path / "frozen", name="other")
    assert contents(tmp_path / "frozen") == before
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/mine.txt").write_text("mine")
    with pytest.raises(ArenaError, match="exists and is not a frozen dataset"):
        frozen(source, tmp_path / "notes")
    assert contents(tmp_path / "notes") == {"mine.txt": b"mine"}
    for place in ("source", "source/images/frozen", "."):
        with pytest.raises(ArenaError, match="lies in the dataset"):
            frozen(source, tmp_path / place)
    assert not list(tmp_path.glob(".*"))


def test_an_empty_folder_may_be_filled(tmp_path: Path) -> None:
    (tmp_path / "frozen").mkdir()
    assert frozen(make_source(tmp_path / "source"), tmp_path / "frozen").written


def test_what_is_frozen_from_a_sample_stays_one(tmp_path: Path) -> None:
    frozen(make_source(tmp_path / "source"), tmp_path / "once")
    again = frozen(find_dataset(str(tmp_path / "once")), tmp_path / "twice", Selection(sample=4), "twice").card
    assert again.facts["sampling"] == "representative"
    assert [step["name"] for step in again.facts["steps"]] == ["import", "representative", "min_images", "sample"]
    assert "selected_representative" not in again.facts, "the steps tell the history, the keys this freezing"
    assert again.facts["frozen_from"] == "small"
    one = frozen(find_dataset(str(tmp_path / "source")), tmp_path / "random", Selection(sample=5)).card
    assert one.facts["sampling"] == "random"
    assert frozen(one, tmp_path / "all", Selection()).card.facts["sampling"] == "random"


def test_images_are_linked_or_else_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_source(tmp_path / "source")
    frozen(source, tmp_path / "linked", Selection())
    assert all(path.stat().st_nlink == 2 for path in (tmp_path / "linked/images").rglob("*.png"))

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    frozen(source, tmp_path / "copied", Selection())
    assert all(path.stat().st_nlink == 1 for path in (tmp_path / "copied/images").rglob("*.png"))
    assert contents(tmp_path / "copied") == contents(tmp_path / "linked")


def test_a_damaged_image_is_never_frozen(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source")
    path = tmp_path / "source/images/drawing 3.PNG"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArenaError, match=r"1 images are missing or differ from their sha256: images/drawing 3.PNG"):
        frozen(source, tmp_path / "frozen", Selection())
    assert not (tmp_path / "frozen").exists()
    draw(3).save(path)
    assert frozen(source, tmp_path / "frozen", Selection()).written, "and goes on once it is restored"


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("path", "../secret.png", "not a path below the folder"),
        ("path", "/etc/hostname", "not a path below the folder"),
        ("sha256", "../../../x", "it must be 64 hex digits"),
    ],
)
def test_no_row_leads_out_of_the_folder(tmp_path: Path, column: str, value: str, message: str) -> None:
    make_source(tmp_path / "source")
    draw(99).save(tmp_path / "secret.png")
    path = tmp_path / "source/images.parquet"
    images = pd.read_parquet(path)
    images.loc[2, column] = value
    images.to_parquet(path)
    card = tmp_path / "source/dataset.toml"
    card.write_text("\n".join(line for line in card.read_text().splitlines() if not line.startswith("digest")))
    with pytest.raises(ArenaError, match=message):
        frozen(find_dataset(str(tmp_path / "source")), tmp_path / "frozen")
    assert not list(tmp_path.glob(".*"))


KILLED = """
import os, signal, sys
from pathlib import Path
from arena.cards import find_dataset
from arena.dataset import freeze
from arena.dataset import placing as module
from arena.dataset.selection import Selection

left, link_or_copy = [5], module.link_or_copy
def few(source, target):
    link_or_copy(source, target)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
module.link_or_copy = few
about = freeze.CardOverrides("small")
freeze.freeze_dataset(find_dataset(sys.argv[1]), Path(sys.argv[2]), about=about, selection=Selection(), workers=1)
"""


def test_killed_half_way_it_continues_to_the_same_set(tmp_path: Path) -> None:
    source = make_source(tmp_path / "source")
    killed = subprocess.run([sys.executable, "-c", KILLED, source.folder, tmp_path / "frozen"], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "frozen").exists()
    partial = tmp_path / ".frozen.partial/folder"
    assert len(list((partial / "images").rglob("*.png"))) == 5
    (partial / "images/zz").mkdir()
    (partial / "images/zz/left.png.partial").write_bytes(b"half")
    assert frozen(source, tmp_path / "frozen", Selection()).written
    frozen(source, tmp_path / "fresh", Selection())
    assert contents(tmp_path / "frozen") == contents(tmp_path / "fresh")
    assert not (tmp_path / "frozen/images/zz").exists()


@pytest.mark.parametrize(
    "table",
    [
        {"title": 'a "b" \\ \n\t\x7f\x01 é 🐈', "two words": 1, "": "x", "is": True, "list": ["a", "b"], "empty": []},
        {"float": 0.5, "steps": [{"name": "a", "why": "x\x00"}, {"name": "b"}]},
    ],
)
def test_what_a_card_says_reads_back(table: dict[str, object]) -> None:
    assert tomllib.loads(toml_text(table)) == table


def test_what_a_card_cannot_hold_is_refused() -> None:
    assert tomllib.loads(toml_text({"name": "caf\udce9"})) == {"name": "caf\\udce9"}
    with pytest.raises(ArenaError, match="policy is a dict"):
        toml_text({"policy": {"animated": "drop"}})


@pytest.fixture
def small(tmp_path: Path) -> DatasetCard:
    """A frozen set whose images are copies, so that they can be damaged."""
    frozen(make_source(tmp_path / "source"), tmp_path / "frozen", Selection())
    shutil.copytree(tmp_path / "frozen", tmp_path / "copy")
    return find_dataset(str(tmp_path / "copy"))


def faults(card: DatasetCard, **options: bool) -> list[str]:
    return fault_lines(verify_dataset(card, **options))


def image(card: DatasetCard, place: int = 0) -> Path:
    return sorted((card.folder / "images").rglob("*.png"))[place]


def test_a_frozen_set_verifies(small: DatasetCard) -> None:
    found = verify_dataset(small, decoding=True)
    assert found.faults == ()
    assert found.images == 8
    assert found.size_bytes == sum(path.stat().st_size for path in (small.folder / "images").rglob("*.png"))


def test_every_single_byte_counts(small: DatasetCard) -> None:
    path = image(small)
    good = path.read_bytes()
    for place in (0, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        (line,) = faults(small)
        assert "its sha256 is" in line
        assert path.name in line
    path.write_bytes(good)
    assert faults(small) == []


def test_files_that_are_missing_truncated_surplus_or_no_files(small: DatasetCard) -> None:
    image(small, 0).unlink()
    image(small, 0).write_bytes(b"")
    (link := image(small, 1)).unlink()
    link.symlink_to(small.folder.parent / "source/images/drawing 0.PNG")
    (queue := image(small, 2)).unlink()
    os.mkfifo(queue)
    (small.folder / "images/new\nline.png").write_bytes(b"x")
    lines = faults(small)
    assert len(lines) == 5
    for what in ("missing", "(0 bytes)", "a link that leaves the folder", "not a regular file"):
        assert sum(what in line for line in lines) == 1, what
    assert "images/new\\nline.png: no row of images.parquet lists it" in lines


def test_tables_are_compared_with_the_card(small: DatasetCard) -> None:
    path = small.folder / "images.parquet"
    images = pd.read_parquet(path)
    images.assign(rating="e").to_parquet(path)
    (line,) = faults(small)
    assert "the digest of all its columns" in line
    images.iloc[1:].to_parquet(path)
    lines = faults(small)
    assert any(line.startswith("images.parquet: its digest is") for line in lines)
    assert "images.parquet: it has 7 rows, the card says 8" in lines
    assert any(line.endswith("no row of images.parquet lists it") for line in lines)


def test_tags_are_compared_with_the_images(small: DatasetCard) -> None:
    path = small.folder / "tags.csv"
    path.write_text("name,category,positives\ncat,general,2\nsun,general,3\nkitty,general,\nrare,general,1\n")
    (small.folder / "tag_aliases.csv").unlink()
    shutil.copy(small.folder.parent / "source/tag_aliases.csv", small.folder / "tag_implications.csv")
    lines = faults(small)
    assert any(line.startswith("tags.csv: its sha256 is") for line in lines)
    assert "tag_aliases.csv: missing" in lines
    assert "tags.csv: it lacks dog, which 2 images carry" in lines
    assert "tags.csv: cat has 2 positives, but 3 images carry it" in lines


def change_rating(folder: Path) -> None:
    images = pd.read_parquet(folder / "images.parquet")
    images.assign(rating="e").to_parquet(folder / "images.parquet", index=False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "tags.csv").write_text("name,category\ncat,meta\n"), r"tags\.csv: its sha256 is"),
        (lambda folder: (folder / "tag_aliases.csv").unlink(), r"tag_aliases\.csv: missing"),
        (lambda folder: (folder / "tag_aliases.csv").write_text("old,new\nkitten,cat\n"), r"tag_aliases\.csv: its sha256 is"),
        (lambda folder: (folder / "tag_implications.csv").write_text(""), r"tag_implications\.csv: the card does not list it"),
        (change_rating, r"images\.parquet: the digest of all its columns is"),
    ],
)  # fmt: skip
def test_a_changed_set_is_not_opened(small: DatasetCard, change: Callable[[Path], object], words: str) -> None:
    change(small.folder)
    with pytest.raises(ArenaError, match=rf"{words}.*; the dataset was changed after it was frozen\. Restore it"):
        read_frozen(small)


def test_rows_are_digested_as_their_json(tmp_path: Path) -> None:
    cells = {
        "é": ['a "b"\n', "猫"], "n": [1, (1 << 64) - 1], "some": [1, None], "x": [0.1, float("nan")], "yes": [True, False],
        "list": [["b", "a"], []], "gaps": [["b", None], None], "day": [date(2026, 1, 2), None], "raw": [b"a", b""],
    }  # fmt: skip
    table = pa.table({name: pa.array(values, pa.uint64() if name == "n" else None) for name, values in cells.items()})
    pq.write_table(table, tmp_path / "rows.parquet")
    plain = {**cells, "x": [0.1, None], "day": ["2026-01-02", None], "raw": ["61", ""]}
    rows = [{name: plain[name][place] for name in sorted(plain)} for place in range(2)]
    expected = hashlib.sha256("".join(json.dumps(row) + "\n" for row in rows).encode()).hexdigest()
    assert digest_rows(tmp_path / "rows.parquet") == expected


def test_decoding_finds_what_a_digest_cannot(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "drawn", images=3)
    path = folder / "images.parquet"
    images = pd.read_parquet(path)
    broken = folder / "images/0001.png"
    broken.write_bytes(broken.read_bytes()[:200])
    images.loc[1, "sha256"] = digest_file(broken)
    images.loc[2, "width"] = 91
    images.to_parquet(path)
    card = folder / "dataset.toml"
    card.write_text('name = "drawn"\nimages = 3\n')
    lines = faults(find_dataset(str(folder)), decoding=True)
    assert "dataset.toml: it has no digest, so nothing pins the dataset; freeze it" in lines
    assert any(line.startswith("images/0001.png: it does not decode:") for line in lines)
    assert "images/0002.png: it is 90 x 70, images.parquet says 91 x 70" in lines


def test_many_faults_are_counted(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "drawn")
    for path in (folder / "images").iterdir():
        path.unlink()
    lines = faults(find_dataset(str(folder)))
    assert len(lines) == 21
    assert lines[-1] == "and 20 more"


def test_threads_and_batches_change_nothing(small: DatasetCard, monkeypatch: pytest.MonkeyPatch) -> None:
    image(small, 3).write_bytes(b"x")
    image(small, 6).unlink()
    expected = verify_dataset(small, workers=1)
    monkeypatch.setattr(files, "ITEMS_PER_BATCH", 3)
    assert verify_dataset(small, workers=4) == expected
    assert len(expected.faults) == 2


@pytest.mark.parametrize(
    ("title", "frozen_title"), [("", "mine"), ('title = "imported"', "mine"), ('title = "Cats"', "Cats")]
)
def test_a_source_without_a_title_is_titled_by_the_new_name(tmp_path: Path, title: str, frozen_title: str) -> None:
    source = write_dataset(tmp_path / "imported", images=8, tags=3)
    card = (source / "dataset.toml").read_text().replace('title = "Drawn"', title)
    (source / "dataset.toml").write_text(card)
    found = frozen(find_dataset(str(source)), tmp_path / "mine", Selection(), "mine")
    assert found.card.title == frozen_title


def test_the_table_is_that_of_pandas_and_groups_of_rows_change_no_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = read_frozen(make_source(tmp_path / "source")).images
    images.to_parquet(tmp_path / "pandas.parquet", index=False)
    frozen_sets._write_image_table(tmp_path / "whole.parquet", images)
    monkeypatch.setattr(frozen_sets, "_ROWS_PER_GROUP", 3)
    frozen_sets._write_image_table(tmp_path / "groups.parquet", images)
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "pandas.parquet").read_bytes()
    assert pq.ParquetFile(tmp_path / "groups.parquet").metadata.num_row_groups == 3
    assert pq.read_table(tmp_path / "groups.parquet").equals(pq.read_table(tmp_path / "whole.parquet"))
    assert digest_rows(tmp_path / "groups.parquet") == digest_rows(tmp_path / "whole.parquet")
