"""The flow from a folder with copies to one without."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from arena import cli
from arena.base.errors import ArenaError, IncomparableError
from arena.base.progress import Silent
from arena.cards import find_dataset
from arena.dataset.copies import dedup as flow
from arena.dataset.copies.dedup import Deduplicated, TrainingIndex, deduplicate, read_training_indexes
from arena.dataset.copies.pairs import COPY_COLUMNS
from arena.dataset.copies.policy import DuplicateRule, Ledger, apply_policy
from arena.dataset.frozen import HeldOut, read_frozen, write_frozen
from arena.dataset.hashes.algorithms import ALGORITHMS, dhash, phash
from arena.dataset.hashes.index import HashIndex
from arena.images.decode import decode, pixel_digest
from tests.dataset.indexes import write_index

from .test_pairs import drawing, with_symbol

HOSTILE = ["=cmd|'x'!A0", "line\nbreak", "../../up", "ünï 💡", "a" * 300]


def write_folder(
    folder: Path, pictures: dict[str, tuple[Image.Image, list[str]]], order: int = 0, **more: object
) -> Path:
    """A dataset of named pictures with tags; files are called by their digest."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for image_id, (image, tags) in pictures.items():
        image.save(folder / "new.png")
        sha256 = hashlib.sha256((folder / "new.png").read_bytes()).hexdigest()
        path = f"images/{sha256}.png"
        (folder / "new.png").replace(folder / path)
        pixels = decode(folder / path)
        rows.append({
            "image_id": image_id, "path": path, "sha256": sha256, "width": image.width, "height": image.height,
            "phash": phash(pixels), "dhash": dhash(pixels), "tags": tags, "rating": "g", "group": image_id,
            "post_id": len(rows),
        })  # fmt: skip
    images = pd.DataFrame(rows).assign(**more).astype({"phash": np.uint64, "dhash": np.uint64})
    card = {"name": "drawn", "licence": "CC0-1.0", "steps": [{"name": "import", "kept": 9, "dropped": 1, "why": "so"}]}
    names = sorted({tag for _, tags in pictures.values() for tag in tags})
    write_frozen(folder, card=card, images=images, tags=[(name, "general") for name in names])
    if order:
        shuffled = pd.read_parquet(folder / "images.parquet").sample(frac=1, random_state=order)
        shuffled.to_parquet(folder / "images.parquet", index=False)
    return folder


@pytest.fixture(scope="module")
def pictures() -> dict[str, tuple[Image.Image, list[str]]]:
    first = drawing(1)
    return {
        "a": (first, ["cat"]),
        "b": (drawing(2), ["dog"]),
        "c": (first.resize((150, 120)), ["sun"]),
        "d": (first, ["moon", "cat"]),
        "e": (with_symbol(first), ["cat", "sign"]),
        "f": (drawing(3), ["dog"]),
        "g": (Image.new("RGB", (40, 40), "white"), ["white"]),
        "h": (Image.new("RGB", (60, 60), "white"), ["blank"]),
        "i": (first.transpose(Image.Transpose.FLIP_LEFT_RIGHT), ["left"]),
    }


class Merged(NamedTuple):
    """A folder with copies, and the one that the default rule makes of it; for tests that only read them."""

    source: Path
    folder: Path
    done: Deduplicated


@pytest.fixture(scope="module")
def merged(pictures, tmp_path_factory: pytest.TempPathFactory) -> Merged:
    home = tmp_path_factory.mktemp("merged")
    source = write_folder(home / "in", pictures)
    return Merged(source, home / "out", run(source, home / "out"))


def read(folder: Path) -> HeldOut:
    return read_frozen(find_dataset(str(folder)))


def run(folder: Path, output: Path, against: list[TrainingIndex] | None = None, **rule: object) -> Deduplicated:
    return deduplicate(read(folder), output, against=against or [], rule=DuplicateRule(**rule), progress=Silent())


def tags_by_id(folder: Path) -> dict[str, list[str]]:
    images = read(folder).images
    return {image_id: list(tags) for image_id, tags in zip(images["image_id"], images["tags"], strict=True)}


def index_of(*pictures: Image.Image, name: str = "train.parquet", digests: bool = False) -> TrainingIndex:
    pixels = [np.asarray(picture) for picture in pictures]
    hashed = HashIndex(
        image_ids=tuple(f"t{row}" for row in range(len(pixels))),
        hashes={
            kind: np.array([one(p) for p in pixels], np.uint64) for kind, one in (("phash", phash), ("dhash", dhash))
        },
        algorithms={kind: ALGORITHMS[kind] for kind in ("phash", "dhash")},
        digests={"pixel_sha256": tuple(map(pixel_digest, pixels))} if digests else {},
    )
    return TrainingIndex(name, "0" * 64, hashed)


def test_the_first_copy_stays_with_the_tags_of_all(merged: Merged) -> None:
    assert tags_by_id(merged.folder) == {
        "a": ["cat", "left", "moon", "sun"], "b": ["dog"], "e": ["cat", "sign"], "f": ["dog"], "g": ["white"],
        "h": ["blank"],
    }  # fmt: skip
    out = read(merged.folder)
    assert merged.done.digest == out.digest == out.card.digest
    assert [step["name"] for step in out.card.facts["steps"]] == ["import", "readable", "seen", "copies"]
    assert (out.card.facts["steps"][-1]["kept"], out.card.facts["steps"][-1]["dropped"]) == (6, 3)
    assert out.images["post_id"].tolist() == [0, 1, 4, 5, 6, 7], "further columns are kept"
    assert (merged.folder / out.images["path"][0]).samefile(merged.source / out.images["path"][0])
    assert sorted(path.name for path in merged.folder.parent.iterdir()) == ["in", "out"], "nothing is left beside it"


def test_every_pair_is_written_with_what_found_it(merged: Merged, tmp_path: Path) -> None:
    run(merged.source, tmp_path / "out", [index_of(drawing(2), digests=True)])
    table = pd.read_parquet(tmp_path / "out/duplicates.parquet")
    assert tuple(table.columns) == COPY_COLUMNS
    told = {
        (row["left"], row["right"], row["source"]): (row["class"], row["found_by"]) for row in table.to_dict("records")
    }
    assert told["a", "d", ""] == ("identical", "sha256")
    assert told["a", "c", ""] == ("near", "phash")
    assert told["a", "e", ""][0] == "alternate"
    assert told["a", "i", ""] == ("near", "mirrored phash")
    assert told["b", "t0", "train.parquet"] == ("identical", "pixel_sha256")
    assert not any("g" in pair[:2] for pair in told), "a white picture is nobody's copy by its hash"
    dropped = pd.read_parquet(tmp_path / "out/dropped.parquet").set_index("image_id")
    assert dropped["why"].to_dict() == {
        "b": "identical of t0 in train.parquet", "c": "copy of a", "d": "copy of a", "i": "copy of a",
    }  # fmt: skip
    assert decode(dropped["thumbnail"]["c"]).shape == (120, 150, 3), "no larger than it was"


def test_policies(merged: Merged, tmp_path: Path) -> None:
    folder = merged.source
    run(folder, tmp_path / "drop", policy="drop")
    assert tags_by_id(tmp_path / "drop")["a"] == ["cat"]
    assert list(tags_by_id(tmp_path / "drop")) == list("abefgh")
    run(folder, tmp_path / "alternates", alternates=True)
    assert list(tags_by_id(tmp_path / "alternates")) == list("abfgh")
    run(folder, tmp_path / "mark", [index_of(drawing(3))], policy="mark")
    marked = read(tmp_path / "mark").images.set_index("image_id")
    assert list(marked.index) == list("abcdefghi")
    assert marked["duplicate_of"].to_dict() == {**dict.fromkeys("abefgh", ""), "c": "a", "d": "a", "i": "a"}
    assert marked["duplicate_class"]["d"] == "identical"
    assert marked["duplicate_class"]["c"] == "near"
    assert len({marked["group"][name] for name in "aceid"}) == 1, "another version is not independent"
    assert marked["group"]["a"] not in {marked["group"][name] for name in "bfgh"}
    assert (marked["seen_in"]["f"], marked["seen_class"]["f"]) == ("train.parquet", "candidate")
    assert (marked["seen_in"].drop("f") == "").all()


def test_radius_0_is_joytags_rule(merged: Merged, tmp_path: Path, pictures) -> None:
    folder = merged.source
    run(folder, tmp_path / "out", [index_of(drawing(3))], radius=0)
    hashes = read(folder).images.set_index("image_id")["phash"]
    first: dict[int, str] = {}
    joined: dict[str, set[str]] = {}
    for image_id, value in hashes.items():  # the rule, written out
        joined.setdefault(first.setdefault(value, image_id), set()).update(pictures[image_id][1])
    del joined["f"]
    assert tags_by_id(tmp_path / "out") == {name: sorted(tags) for name, tags in joined.items()}
    assert "h" not in joined, "two white pictures have one hash, so this rule joins them"


def test_copies_of_a_seen_image_go_with_it() -> None:
    images = pd.DataFrame({"image_id": list("abcd"), "tags": [[], [], [], []], "group": list("abcd")})
    pairs = pd.DataFrame({"left": [0, 1], "right": [1, 3], "class": ["near", "alternate"]})
    seen = pd.DataFrame({"left": [1], "source": ["train"], "class": ["candidate"], "right_id": ["t7"]})
    ledger = Ledger()
    assert len(apply_policy(images, pairs, seen, DuplicateRule(), Ledger()).kept) == 3, "a candidate is not confirmed"
    settled = apply_policy(images, pairs, seen, DuplicateRule(unconfirmed="drop"), ledger)
    assert settled.kept["image_id"].tolist() == ["c", "d"], "another version is not gone with it"
    assert settled.dropped["why"].tolist() == [
        "copy of an image that is candidate of t7 in train",
        "candidate of t7 in train",
    ]
    [step, _] = ledger.steps
    assert (step["kept"], step["dropped"]) == (2, 2)
    assert step["why"] == "1 candidate in train; also 1 of their copies"


@pytest.mark.parametrize(("policy", "orders"), [("merge", (0, 2)), ("drop", (0, 1)), ("mark", (0, 2))])
def test_the_order_of_the_images_changes_nothing(
    tmp_path: Path, pictures, policy: str, orders: tuple[int, int]
) -> None:
    for order in orders:
        folder = write_folder(
            tmp_path / f"in{order}", dict(sorted(pictures.items(), reverse=order == 2)), order, post_id=0
        )
        run(folder, tmp_path / f"out{order}", [index_of(drawing(2))], policy=policy)
        for name in (
            "dataset.toml",
            "tags.csv",
            "images.parquet",
            "duplicates.parquet",
            "dropped.parquet",
            "rejects.csv",
        ):
            assert (tmp_path / f"out{order}" / name).read_bytes() == (tmp_path / "out0" / name).read_bytes(), name


def test_hostile_identifiers_stay_text(tmp_path: Path) -> None:
    pictures = {name: (drawing(row), ["x"]) for row, name in enumerate(HOSTILE)}
    pictures |= {f"{name} copy": (drawing(row).resize((150, 120)), ["y"]) for row, name in enumerate(HOSTILE)}
    run(write_folder(tmp_path / "in", pictures), tmp_path / "out")
    assert sorted(tags_by_id(tmp_path / "out")) == sorted(HOSTILE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_what_is_no_image_any_more_is_a_reject(tmp_path: Path, pictures) -> None:
    folder = write_folder(tmp_path / "in", pictures)
    images = read(folder).images.set_index("image_id")["path"]
    (folder / images["b"]).write_bytes(b"")
    (folder / images["f"]).write_bytes((folder / images["e"]).read_bytes()[:900])
    run(folder, tmp_path / "out")
    assert list(tags_by_id(tmp_path / "out")) == list("aegh")
    lines = (tmp_path / "out/rejects.csv").read_text().splitlines()
    assert lines[0] == '"where","image_id","reason","detail"'
    assert [line.split(",")[1:3] for line in lines[1:]] == [
        [f'"{name}"', '"the file differs from its sha256"'] for name in "bf"
    ]


def test_stopped_and_called_again_it_is_the_same(
    merged: Merged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = merged.source

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for step in ("find_copies", "apply_policy", "write_frozen"):
        with monkeypatch.context() as patch:
            patch.setattr(flow, step, stop)
            with pytest.raises(KeyboardInterrupt):
                run(folder, tmp_path / "out")
        assert not (tmp_path / "out").exists()
    with monkeypatch.context() as patch:
        patch.setattr("arena.dataset.copies.signing.compute_signature", stop)
        run(folder, tmp_path / "out")
    for path in merged.folder.iterdir():
        if path.is_file():
            assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_a_finished_folder_is_kept(merged: Merged, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = merged.source
    with monkeypatch.context() as patch:
        patch.delattr(flow, "compute_signatures")
        assert run(folder, merged.folder) == merged.done
    with pytest.raises(ArenaError, match="holds something else; name a new folder"):
        run(folder, merged.folder, radius=4)
    with pytest.raises(ArenaError, match="holds something else"):
        run(folder, folder)


def test_nothing_left_is_an_error(tmp_path: Path, pictures) -> None:
    folder = write_folder(tmp_path / "in", {"a": pictures["a"]})
    with pytest.raises(ArenaError, match="no image would be left"):
        run(folder, tmp_path / "out", [index_of(drawing(1))], unconfirmed="drop")
    assert not (tmp_path / "out").exists()


def test_groups_that_were_known_stay_together() -> None:
    images = pd.DataFrame({"image_id": list("abcd"), "tags": [[], [], [], []], "group": ["p", "", "p", None]})
    pairs = pd.DataFrame({"left": [1], "right": [2], "class": ["near"]})
    seen = pd.DataFrame({"left": [], "source": [], "class": [], "right_id": []})
    kept = apply_policy(images, pairs, seen, DuplicateRule(policy="mark"), Ledger()).kept
    assert kept["group"].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("policy", ["merge", "drop", "mark"])
def test_alternates_share_a_group_also_through_dropped_images(policy: str) -> None:
    images = pd.DataFrame({"image_id": list("abcde"), "tags": [[]] * 5, "group": list("abcde")})
    pairs = pd.DataFrame({"left": [0, 1, 3], "right": [1, 2, 4], "class": ["near", "alternate", "rejected"]})
    seen = pd.DataFrame({"left": [], "source": [], "class": [], "right_id": []})
    kept = apply_policy(images, pairs, seen, DuplicateRule(policy=policy), Ledger()).kept
    groups = dict(zip(kept["image_id"], kept["group"], strict=True))
    assert groups["a"] == groups["c"], "c is a version of b, the dropped copy of a"
    assert len(set(groups.values())) == 3


def test_the_verb_counts_groups_and_unconfirmed_candidates(tmp_path: Path, pictures) -> None:
    folder = write_folder(tmp_path / "in", {name: pictures[name] for name in "abe"})
    write_index(tmp_path / "train.parquet", index_of(drawing(2)).hashed)
    call = ["dataset", "dedup", str(folder), "--against", str(tmp_path / "train.parquet"), "-o"]
    for output in ("out", "out"):  # the second call finds the finished folder
        shown = CliRunner().invoke(cli.arena, [*call, str(tmp_path / output)]).output
        assert "1 image matches an index by hash alone and is kept; --pictures FOLDER" in shown
        assert "3 images in 2 groups" in shown
    shown = CliRunner().invoke(cli.arena, [*call, str(tmp_path / "drop"), "--unconfirmed", "drop"]).output
    assert "and is dropped; --pictures" in shown
    assert "2 images in 1 group" in shown


def test_the_verb_says_what_it_found(tmp_path: Path, pictures, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "in", {name: pictures[name] for name in "ab"} | {"c": pictures["a"]})
    cli.main(["dataset", "dedup", str(folder), "-o", str(tmp_path / "out"), "--policy", "drop"])
    said = capsys.readouterr().out.split()
    assert said[:4] == ["pairs", "class", "1", "identical"]
    assert [said[said.index("copies") + place] for place in (1, 2)] == ["2", "1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no dataset is called 'nowhere'"),
        (
            ["demo", "--against", "a/train.parquet", "--against", "b/train.parquet"],
            "index 'train.parquet' is listed twice",
        ),
        (["demo", "--radius", "65"], "65 is not in the range"),
        (["demo", "--policy", "keep"], "'keep' is not one of"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, arguments: list[str], message: str, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["dataset", "dedup", *arguments, "-o", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert message in error
    assert error.count("\n") == 1


def test_help_fits_the_screen_and_has_an_example() -> None:
    shown = CliRunner().invoke(cli.arena, ["dataset", "dedup", "--help"]).output
    assert "Example: arena dataset dedup" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_an_index_file_is_read_and_an_unlike_one_refused(tmp_path: Path) -> None:
    index = pytest.importorskip("arena.dataset.hashes.index")
    from arena.dataset.hashes.algorithms import ALGORITHMS

    algorithms = {name: ALGORITHMS[name] for name in ("phash", "dhash")}
    hashes = {name: np.array([1, 2**64 - 1], np.uint64) for name in algorithms}
    write_index(tmp_path / "train.parquet", index.HashIndex(("=a", "b\n"), hashes, algorithms))
    [source] = read_training_indexes([tmp_path / "train.parquet"])
    assert (source.name, source.hashed.image_ids) == ("train.parquet", ("=a", "b\n"))
    assert source.digest == hashlib.sha256((tmp_path / "train.parquet").read_bytes()).hexdigest()
    other = {name: made._replace(version=made.version + 1) for name, made in algorithms.items()}
    write_index(tmp_path / "other.parquet", index.HashIndex(("a", "b"), hashes, other))
    with pytest.raises(IncomparableError, match=r"other\.parquet"):
        read_training_indexes([tmp_path / "other.parquet"])
