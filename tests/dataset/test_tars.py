"""Images in tars: frozen into them, left in them by an import, and read in place; damage is one line."""

import io
import tarfile
from pathlib import Path

import pandas as pd
import pytest

from arena.base.errors import ArenaError, UnreadableImageError
from arena.base.files import digest_file
from arena.base.progress import Silent
from arena.cards import DatasetCard, read_dataset_card
from arena.dataset.copies.dedup import deduplicate
from arena.dataset.copies.policy import DuplicateRule
from arena.dataset.freeze import CardOverrides, freeze_dataset
from arena.dataset.frozen import HeldOut, read_frozen
from arena.dataset.hashes.build import hash_sources
from arena.dataset.hashes.index import read_index
from arena.dataset.placing import plan_tars
from arena.dataset.selection import Selection
from arena.dataset.tars import Packed, iterate_members, list_tar_images, pack, write_tar
from arena.dataset.verify import fault_lines, verify_dataset
from arena.images.places import TarMember, read_image_file

from ..conftest import write_dataset
from .importing.imports import dataset, gather, rejected
from .sources.kinds import picture
from .sources.test_archives import member, shard


def card_of(folder: Path) -> DatasetCard:
    return read_dataset_card(folder / "dataset.toml")


def freeze(source: Path, output: Path, *, tars: bool, sample: int | None = None) -> HeldOut:
    about, selection = CardOverrides("packed"), Selection(sample=sample)
    freeze_dataset(card_of(source), output, about=about, selection=selection, tars=tars)
    return read_frozen(card_of(output))


def contents(heldout: HeldOut) -> dict[str, bytes]:
    return {image: read_image_file(place) for image, place in zip(heldout.image_ids, heldout.paths, strict=True)}


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    write_dataset(tmp_path / "drawn", images=6)
    freeze(tmp_path / "drawn", tmp_path / "packed", tars=True)
    return tmp_path / "packed"


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    shard(
        tmp_path / "shards/0.tar", member("a.png", picture(1)), member("a.txt", b"hat, cat"),
        member("b.jpg", picture(2, "JPEG")), member("b.txt", b"hat"),
    )  # fmt: skip
    shard(tmp_path / "shards/sub/0.tar", member("c.png", picture(3)), member("c.json", b'{"tags": ["dog"]}'))
    return tmp_path / "shards"


def test_a_dataset_in_tars_equals_one_in_files(tmp_path: Path, packed: Path) -> None:
    plain = freeze(tmp_path / "drawn", tmp_path / "plain", tars=False)
    held = read_frozen(card_of(packed))
    assert held.digest == plain.digest
    assert contents(held) == contents(plain)
    assert [path.suffix for path in (packed / "images").iterdir()] == [".tar"]
    assert all(isinstance(place, TarMember) for place in held.paths)
    assert not {"tar", "tar_offset", "tar_length"} & held.truth.images.keys()
    found = verify_dataset(card_of(packed), decoding=True)
    assert not found.faults
    assert found.size_bytes == sum(map(len, contents(held).values()))
    again = freeze(packed, tmp_path / "unpacked", tars=False, sample=3)  # links the tar
    tar = next((packed / "images").iterdir())
    assert len(again) == 3
    assert (tmp_path / "unpacked/images" / tar.name).samefile(tar)
    assert len(freeze(packed, tmp_path / "repacked", tars=True, sample=3)) == 3
    assert not verify_dataset(card_of(tmp_path / "repacked")).faults


def test_the_bytes_of_a_tar_depend_only_on_the_images(tmp_path: Path, packed: Path) -> None:
    freeze(tmp_path / "drawn", tmp_path / "again", tars=True)
    tar = next((packed / "images").iterdir())
    assert digest_file(tar) == digest_file(tmp_path / "again/images" / tar.name)
    with tarfile.open(tar) as opened:
        infos = opened.getmembers()
        assert {(info.mtime, info.uid, info.gid, info.uname, info.mode) for info in infos} == {(0, 0, 0, "", 0o644)}
    assert [info.name for info in infos] == [f"{sha}.png" for sha in read_frozen(card_of(packed)).images["sha256"]]
    listed = {found.place for found in list_tar_images(tar)}
    assert listed == set(read_frozen(card_of(packed)).paths)


def test_a_tar_has_a_largest_size_and_one_member_for_equal_files(tmp_path: Path) -> None:
    images = [Packed("a", 600), Packed("b", 512), Packed("c", 1)]
    assert list(pack(images, 2_560)) == [{"a": 512, "b": 2_048}, {"c": 512}]
    assert list(pack(images, 1)) == [{"a": 512}, {"b": 512}, {"c": 512}]
    assert list(pack([])) == []
    held = read_frozen(card_of(write_dataset(tmp_path / "drawn", images=6)))
    twice = pd.concat([held.images, held.images.assign(image_id=held.images["image_id"] + "x")], ignore_index=True)
    plan = plan_tars(held.card.folder, twice, most_bytes=4_000)
    assert sum(map(len, plan.written.values())) == 6
    assert len(plan.written) > 1
    assert plan.images.groupby("sha256")[["tar", "tar_offset"]].nunique().to_numpy().max() == 1


def test_a_written_tar_is_a_tar(tmp_path: Path) -> None:
    contents = [("a.png", b"12345"), ("b.png", b"x" * 512)]
    with (tmp_path / "a.tar").open("wb") as file:
        write_tar(file, iter(contents))
    with tarfile.open(tmp_path / "a.tar") as tar:
        found = {}
        for info in iterate_members(tar):
            opened = tar.extractfile(info)
            assert opened is not None
            found[info.name] = opened.read()
    assert found == dict(contents)
    assert (tmp_path / "a.tar").stat().st_size % 512 == 0


def test_an_import_leaves_images_in_their_tars(tmp_path: Path, shards: Path) -> None:
    gather(shards, tmp_path / "files")
    gather(shards, tmp_path / "place", in_place=True)
    plain, held = dataset(tmp_path / "files"), dataset(tmp_path / "place")
    assert held.digest == plain.digest
    assert contents(held) == contents(plain)
    assert sorted(path.suffix for path in (tmp_path / "place/images").iterdir()) == [".tar", ".tar"]
    assert (tmp_path / "place/images/0.tar").samefile(shards / "0.tar")
    frozen = freeze(tmp_path / "place", tmp_path / "frozen", tars=False)
    assert frozen.digest == held.digest
    assert (tmp_path / "frozen/images/0.tar").samefile(shards / "0.tar")
    assert not verify_dataset(card_of(tmp_path / "frozen")).faults
    table = tmp_path / "t.csv"
    table.write_text("path,tags\na.png,hat\n")
    with pytest.raises(ArenaError, match=r"--in-place: .* is read as table"):
        gather(table, tmp_path / "no", in_place=True)


def test_dedup_and_hash_read_images_in_tars(tmp_path: Path, packed: Path) -> None:
    rule, held = DuplicateRule(radius=8), read_frozen(card_of(packed))
    plain = read_frozen(card_of(tmp_path / "drawn"))
    kept = [
        deduplicate(one, tmp_path / name, against=(), rule=rule, progress=Silent()).steps[-1]["kept"]
        for name, one in (("one", held), ("two", plain))
    ]
    assert kept[0] == kept[1]
    assert not [one for one in verify_dataset(card_of(tmp_path / "one")).faults if "dataset.toml" not in one.path]
    for name in ("packed", "drawn"):
        hash_sources([str(tmp_path / name)], tmp_path / f"{name}.parquet", workers=1)
    one, two = read_index(tmp_path / "packed.parquet"), read_index(tmp_path / "drawn.parquet")
    assert one.hashes["phash"].tolist() == two.hashes["phash"].tolist()
    assert one.digests == two.digests


def _damage(folder: Path, kind: str) -> None:
    tar = next((folder / "images").iterdir())
    content = bytearray(tar.read_bytes())
    tar.unlink()  # it may be a link
    if kind == "changed":
        content[600] ^= 1
    if kind == "short":
        del content[1_000:]
    if kind != "missing":
        tar.write_bytes(content)


@pytest.mark.parametrize(
    ("kind", "opened", "verified"),
    [
        ("missing", "missing", "missing"),
        ("short", "it has 1,000 bytes, but images.parquet lists an image that ends at byte", "ends before byte"),
        ("changed", "", "its sha256 is"),
    ],
)
def test_damage_of_a_tar_is_one_line(packed: Path, kind: str, opened: str, verified: str) -> None:
    _damage(packed, kind)
    lines = fault_lines(verify_dataset(card_of(packed)))
    assert lines
    assert verified in lines[0]
    if opened:
        with pytest.raises(ArenaError, match=opened) as error:
            read_frozen(card_of(packed))
        assert "\n" not in str(error.value)
    with pytest.raises(ArenaError, match=r"missing|sha256|bytes"):
        freeze(packed, packed.with_name("other"), tars=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tar": "../a.tar"}, "not a path below the folder"),
        ({"tar_offset": 0}, "is said to be at byte 0"),
        ({"tar_length": -1}, "-1 bytes long"),
        ({"tar_length": None}, "no column tar_length"),
        ({"tar_offset": 10**15}, "ends at byte"),
    ],
)
def test_wrong_places_are_refused(packed: Path, change: dict[str, object], said: str) -> None:
    table = pd.read_parquet(packed / "images.parquet")
    gone = [name for name, value in change.items() if value is None]
    for name, value in change.items():
        table[name] = pd.Series([value] * len(table))
    table.drop(columns=gone).to_parquet(packed / "images.parquet")
    text = (packed / "dataset.toml").read_text()
    (packed / "dataset.toml").write_text("\n".join(one for one in text.split("\n") if "rows_digest" not in one))
    with pytest.raises(ArenaError, match=said):
        read_frozen(card_of(packed))


def test_headers_that_lie(tmp_path: Path) -> None:
    good = tmp_path / "a.tar"
    shard(good, member("a.png", picture(1)), member("b.png", picture(2)), member("x.txt", b"hat"))
    assert [one.name for one in list_tar_images(good)] == ["a.png", "b.png"]
    content = good.read_bytes()

    def resized(name: str, size: int) -> Path:
        info = tarfile.TarInfo("a.png")
        info.size = size
        path = tmp_path / name
        path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + content[512:])
        return path

    for name, size, said in (
        ("large.tar", 10**9, "more than the file has"),
        ("small.tar", 0, "no header at byte 512,"),
    ):
        with pytest.raises(ArenaError, match=said):
            list(list_tar_images(resized(name, size)))
    resized("small.tar", 0).rename(tmp_path / "s.tar")
    gather(shard(tmp_path / "t/1.tar", member("c.png", picture(3)), member("c.txt", b"hat")).parent, tmp_path / "ok")
    (tmp_path / "s.tar").rename(tmp_path / "t/0.tar")
    gather(tmp_path / "t", tmp_path / "some", in_place=True)
    assert any("no header at byte 512," in row[3] for row in rejected(tmp_path / "some"))
    for name, text in (("none.tar", b""), ("text.tar", b"not a tar" * 100), ("z.tar", io.BytesIO().getvalue())):
        (tmp_path / name).write_bytes(text)
        with pytest.raises(ArenaError, match="not a readable tar without compression"):
            list(list_tar_images(tmp_path / name))


def test_reading_a_place(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(bytes(range(100)))
    assert read_image_file(TarMember(tmp_path / "a.tar", 10, 5)) == bytes(range(10, 15))
    for place, said in (
        (TarMember(tmp_path / "a.tar", 96, 5), "ends before byte 101"),
        (TarMember(tmp_path / "a.tar", 0, 10**9), "file too large"),
        (TarMember(tmp_path / "no.tar", 0, 1), "missing"),
    ):
        with pytest.raises(UnreadableImageError, match=said):
            read_image_file(place)
