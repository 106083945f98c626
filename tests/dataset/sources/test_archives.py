import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arena.base.errors import ArenaError
from arena.dataset.sources import open_source

from .kinds import picture, put, read, reasons, tags_of


def member(name: str, content: bytes = b"", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


def shard(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return path


def test_members_of_one_key_are_one_image(tmp_path: Path) -> None:
    shard(
        tmp_path / "0.tar", member("d", type=tarfile.DIRTYPE),
        member("d/1.png", picture(1)), member("d/1.json", b'{"tags": ["blue eyes"], "rating": "s"}'),
        member("2.txt", b"a, b"), member("2.jpg", picture(2, "JPEG")), member("2.npy", b"other"),
    )  # fmt: skip
    shard(tmp_path / "sub/1.tar", member("3.webp", picture(3, "WEBP")), member("3.cls", b"1\n"))
    put(tmp_path / "names", "cat\ndog")
    source = open_source(tmp_path)
    assert (source.kind, source.found) == ("webdataset", "2 tar files")
    records, rejects = read(tmp_path, tag_names=tmp_path / "names")
    assert tags_of(records) == {"d/1": ("blue_eyes",), "2": ("a", "b"), "3": ("dog",)}
    assert (records[0].rating, records[0].content, records[0].where) == ("s", picture(1), "0.tar:d/1")
    assert not rejects


def test_captions_and_texts_of_windows_in_a_shard(tmp_path: Path) -> None:
    shard(
        tmp_path / "0.tar", member("1.png", picture(1)), member("1.caption", b"blue eyes, hat"), member("2.png", picture(2)),
        member("2.txt", "\ufeffa, long hair".encode("utf-16-le")), member("3.png", picture(3)), member("3.txt", b""),
        member("3.caption", b"c"), member("4.png", picture(4)), member("4.tags.txt", b"d\ne"),
    )  # fmt: skip
    records, rejects = read(tmp_path)
    assert tags_of(records) == {"1": ("blue_eyes", "hat"), "2": ("a", "long_hair"), "3": ("c",), "4": ("d", "e")}
    assert not rejects


def test_members_are_recognised_by_content(tmp_path: Path) -> None:
    shard(
        tmp_path / "0.tar", member("0a1b", picture(1)), member("0a1b.txt", b"a"), member("2.image", picture(2, "JPEG")),
        member("2.txt", b"b"), member("3.jfif", picture(3, "JPEG")), member("3.mask", picture(1)),
        member("3.seg.png", picture(2)),
        member("3.txt", b"c"), member("4.bin", b"other"), member("5.jxl", b"\xff\x0a"), member("5.txt", b"d"),
    )  # fmt: skip
    records, rejects = read(tmp_path)
    assert tags_of(records) == {"0a1b": ("a",), "2": ("b",), "3": ("c",), "5": ("d",)}
    assert [record.content for record in records[:3]] == [picture(1), picture(2, "JPEG"), picture(3, "JPEG")]
    assert not rejects


def test_a_tar_among_more_images_is_no_dataset(tmp_path: Path) -> None:
    shard(tmp_path / "backup.tar", member("a.png", picture(1)), member("a.txt", b"a"))
    put(tmp_path / "b.png", 1)
    source = open_source(tmp_path)
    assert (source.kind, source.found) == ("folder", "1 images, with tag files; 1 tar files are not read")


def test_a_class_is_read_only_without_other_tags(tmp_path: Path) -> None:
    shard(
        tmp_path / "0.tar",
        member("1.png", picture(1)), member("1.json", b'{"tag_string": "1girl solo"}'), member("1.cls", b"7"),
        member("2.png", picture(2)), member("2.json", b'{"rating": "s"}'), member("2.cls", b"7"),
        member("3.png", picture(3)), member("3.txt", b"hat"), member("3.cls", b"7"),
    )  # fmt: skip
    assert tags_of(read(tmp_path)[0]) == {"1": ("1girl", "solo"), "2": ("7",), "3": ("hat",)}


def test_hostile_members_are_rejects(tmp_path: Path) -> None:
    shard(
        tmp_path / "h.tar",
        member("../up.png", picture(1)), member("../up.txt", b"x"), member("/abs.png", picture(1)),
        member("link.png", type=tarfile.SYMTYPE, linkname="/etc/passwd"), member("link.txt", b"x"),
        member("hard.png", type=tarfile.LNKTYPE, linkname="ok.png"), member("dev.png", type=tarfile.CHRTYPE),
        member("long.png", picture(1)), member("long.txt", b"x" * 10_000_000),
        member("alone.txt", b"x"), member("bare.png", picture(1)),
        member("latin.png", picture(1)), member("latin.txt", b"\xe9"),
        member("ok.png", picture(2)), member("ok.txt", b"fine"),
    )  # fmt: skip
    records, rejects = read(tmp_path / "h.tar")
    assert tags_of(records) == {"ok": ("fine",)}
    assert reasons(rejects) == [
        ("h.tar:../up.png", "outside the folder"), ("h.tar:../up.txt", "outside the folder"),
        ("h.tar:/abs.png", "outside the folder"), ("h.tar:link.png", "outside the folder"),
        ("h.tar:hard.png", "outside the folder"), ("h.tar:dev.png", "outside the folder"),
        ("h.tar:long.txt", "tags too long"), ("h.tar:alone", "missing"), ("h.tar:bare", "no tags"),
        ("h.tar:latin", "not text"),
    ]  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["h.tar"], "nothing was unpacked"


def test_a_shard_that_ends_early_keeps_what_came_before(tmp_path: Path) -> None:
    whole = shard(
        tmp_path / "w.tar",
        *(member(f"{n}.{kind}", c) for n in range(4) for kind, c in (("png", picture(n)), ("txt", b"x"))),
    )
    put(tmp_path / "cut.tar", whole.read_bytes()[:3000])
    put(tmp_path / "junk.tar", b"\x07" * 5000)
    records, rejects = read(tmp_path / "cut.tar")
    assert list(tags_of(records))[:1] == ["0"]
    assert rejects[-1].reason == "unreadable row"
    assert reasons(read(tmp_path / "junk.tar")[1]) == [("junk.tar", "unreadable row")]


STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def arrow(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def test_a_saved_dataset_of_two_splits(tmp_path: Path) -> None:
    label = {"feature": {"names": ["cat", "blue dog"], "_type": "ClassLabel"}, "_type": "List"}
    features = {"image": {"_type": "Image"}, "labels": label}
    put(tmp_path / "dataset_dict.json", '{"splits": ["train", "test"]}')
    for split, seeds in (("train", (0, 1, 2)), ("test", (3,))):
        put(tmp_path / split / "dataset_info.json", json.dumps({"features": features}))
        images = [{"bytes": picture(seed), "path": f"{seed}.png"} for seed in seeds]
        table = pa.table({"image": pa.array(images, STRUCT), "labels": [[seed % 2, 1] for seed in seeds]})
        arrow(tmp_path / split / "data-00000-of-00001.arrow", table)
    put(tmp_path / "train/cache-01.arrow", "left behind")
    source = open_source(tmp_path)
    assert (source.kind, source.found) == ("huggingface", "a saved dataset of 2 files")
    records, rejects = read(tmp_path)
    assert tags_of(records) == {
        "3": ("blue_dog",),
        "0": ("cat", "blue_dog"),
        "1": ("blue_dog",),
        "2": ("cat", "blue_dog"),
    }
    assert not rejects


def test_a_parquet_export_with_files_beside_it(tmp_path: Path) -> None:
    data = tmp_path / "set"
    put(data / "files/a.png", 1)
    put(tmp_path / "b.png", 2)
    images = [
        {"bytes": None, "path": "files/a.png"}, {"bytes": None, "path": "../b.png"}, {"bytes": picture(3), "path": None},
        {"bytes": None, "path": None}, None,
    ]  # fmt: skip
    table = pa.table(
        {"picture": pa.array(images, STRUCT), "tags": [["x"], ["x"], ["y"], ["x"], ["x"]], "rating": list("gsqeg")}
    )
    (data / "data").mkdir()
    pq.write_table(table, data / "data/train-00000-of-00001.parquet")
    assert open_source(data).kind == "huggingface"
    assert open_source(data).rows == 5
    records, rejects = read(data)
    name = "data/train-00000-of-00001.parquet"
    assert tags_of(records) == {"files/a": ("x",), f"{name}:3": ("y",)}
    assert [record.rating for record in records] == ["g", "q"]
    assert reasons(rejects) == [(f"{name}:2", "outside the folder"), (f"{name}:4", "missing"), (f"{name}:5", "missing")]


def test_names_in_the_metadata_of_parquet(tmp_path: Path) -> None:
    described = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    table = pa.table({"image": pa.array([{"bytes": picture(1), "path": "a.png"}], STRUCT), "label": [1]})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(described)}), tmp_path / "t.parquet")
    assert tags_of(read(tmp_path / "t.parquet")[0]) == {"a": ("dog",)}


def test_a_damaged_file_is_one_line_or_one_reject(tmp_path: Path) -> None:
    table = pa.table(
        {"image": pa.array([{"bytes": picture(n), "path": f"{n}.png"} for n in range(4)], STRUCT), "tags": [["x"]] * 4}
    )
    arrow(tmp_path / "data-0.arrow", table)
    content = (tmp_path / "data-0.arrow").read_bytes()
    put(tmp_path / "data-1.arrow", content[: len(content) * 2 // 3])
    records, rejects = read(tmp_path)
    assert [record.image_id for record in records][:4] == ["0", "1", "2", "3"]
    assert reasons(rejects) == [("data-1.arrow", "unreadable row")]
    put(tmp_path / "data-0.arrow", "junk")
    assert [reject.where for reject in read(tmp_path)[1]] == ["data-0.arrow", "data-1.arrow"]
    put(tmp_path / "data-1.arrow", "junk")
    with pytest.raises(ArenaError, match=r"data-1.arrow: not a readable arrow file"):
        read(tmp_path)


def test_what_is_no_source_says_what_was_seen(tmp_path: Path) -> None:
    put(tmp_path / "a.xyz", "")
    put(tmp_path / "b.xyz", "")
    with pytest.raises(ArenaError, match=r"no image source recognised; found 2 \.xyz\. Supported: images with"):
        open_source(tmp_path)
    with pytest.raises(ArenaError, match=r"--as post: unknown kind of source. Did you mean posts\?"):
        open_source(tmp_path, "post")
    with pytest.raises(ArenaError, match="no such file or folder"):
        open_source(tmp_path / "none")
    with pytest.raises(ArenaError, match="no joytag source recognised"):
        open_source(tmp_path, "joytag")


@pytest.mark.parametrize("claimed", [10**15, 2**40, 20_481])
def test_a_member_that_claims_more_bytes_than_the_archive_has_ends_it(tmp_path: Path, claimed: int) -> None:
    path = shard(tmp_path / "0.tar", member("a.png", picture(1)), member("a.txt", b"hat"))
    info, _ = member("b.png")
    info.size = claimed
    content = path.read_bytes()
    end = content.rindex(b"hat") + 512
    path.write_bytes(content[:end] + info.tobuf() + b"\0" * 1024)
    records, rejects = read(tmp_path)
    assert [record.tags for record in records] == [("hat",)]
    assert f"its header says {claimed:,} bytes, more than the archive has" in rejects[0].detail
