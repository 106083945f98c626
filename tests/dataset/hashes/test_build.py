"""From sources to an index: what a user's folder may hold, and a run that is stopped."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import imagehash
import pytest
from PIL import Image

from arena import cli
from arena.base.errors import ArenaError
from arena.dataset.hashes import build as hashing
from arena.dataset.hashes import files
from arena.dataset.hashes.build import hash_sources
from arena.dataset.hashes.index import read_index, read_index_facts
from arena.images.decode import decode, pixel_digest

from ...conftest import draw, write_dataset


def fill(folder: Path, count: int, size: tuple[int, int] = (60, 50)) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        draw(number, size).save(folder / f"{number:04d}.jpg")
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_an_index_with_the_hashes_of_imagehash(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", 7)
    hashed = hash_sources([str(folder)], tmp_path / "out" / "i.parquet", columns=("dhash", "phash", "pixel_sha256"))
    index = read_index(tmp_path / "out" / "i.parquet")
    assert (hashed.images, hashed.rejects) == (7, 0)
    assert index.image_ids == tuple(f"{number:04d}" for number in range(7))
    assert list(index.hashes) == ["phash", "dhash"]
    assert list(index.digests) == ["sha256", "pixel_sha256"]
    for row, name in enumerate(index.image_ids):
        with Image.open(folder / f"{name}.jpg") as image:
            assert f"{index.hashes['phash'][row]:016x}" == str(imagehash.phash(image))
            assert f"{index.hashes['dhash'][row]:016x}" == str(imagehash.dhash(image))
        assert index.digests["pixel_sha256"][row] == pixel_digest(decode(folder / f"{name}.jpg"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["i.parquet"]


def test_what_a_folder_may_hold(tmp_path: Path) -> None:
    """Every file is a row or a reject, in order of name, whatever it is called."""
    folder = fill(tmp_path / "in", 1)
    picture = draw(5)
    picture.save(folder / "same.png")
    picture.save(folder / "same.jpg")
    picture.save(folder / "new\nline.png")
    (folder / "wrong.png").write_bytes((folder / "same.jpg").read_bytes())
    (folder / "deep" / "er").mkdir(parents=True)
    picture.save(folder / "deep" / "er" / "x.webp")
    (folder / "broken.jpg").write_bytes((folder / "same.jpg").read_bytes()[:300])
    (folder / "=empty.png").touch()
    (folder / "text.txt").write_text("no image, and not said to be one")
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    (folder / "loop").symlink_to(folder)
    (folder / "linked.png").symlink_to(folder / "same.png")
    os.mkfifo(folder / "pipe.png")
    (tmp_path / "elsewhere").mkdir()
    (folder / "outside").symlink_to(tmp_path / "elsewhere")
    (folder / "circle.png").symlink_to("circle.png")
    (folder / "plain").write_bytes((folder / "same.png").read_bytes())
    (folder / ".hidden").mkdir()
    picture.save(folder / ".hidden" / "x.png")
    bomb = Image.new("1", (20_000, 20_000))
    bomb.save(folder / "bomb.png")
    raw = os.fsencode(folder) + b"/\xff\xfe.png"
    Path(os.fsdecode(raw)).write_bytes((folder / "same.png").read_bytes())

    hashed = hash_sources([str(folder)], tmp_path / "i.parquet")
    assert read_index(tmp_path / "i.parquet").image_ids == (
        "0000", "linked", "new\nline", "plain", "same.jpg", "same.png", "wrong", "\\xff\\xfe", "deep/er/x",
    )  # fmt: skip
    assert hashed.rejects == 7
    found = {row["image_id"]: row for row in rows_of(tmp_path / "i.rejects.csv")}
    assert found.keys() == {"broken", "'=empty", "bomb", "gone", "circle", "pipe", "outside"}
    assert found["pipe"]["detail"] == "missing: not a regular file"
    assert found["outside"]["detail"] == "missing: a link to a folder, which is not followed"
    assert "pixels" in found["bomb"]["detail"]
    assert {row["reason"] for row in found.values()} == {"unreadable"}
    assert found["broken"]["where"] == str(folder / "broken.jpg")


def test_a_name_with_a_newline_is_one_line_of_the_rejects(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", 1)
    (folder / "a\nb\x1b.png").touch()
    hash_sources([str(folder)], tmp_path / "i.parquet")
    assert len((tmp_path / "i.rejects.csv").read_text().splitlines()) == 2
    assert rows_of(tmp_path / "i.rejects.csv")[0]["image_id"] == "a\\nb\\x1b"


def test_several_sources_are_told_apart_by_their_names(tmp_path: Path) -> None:
    first, second = fill(tmp_path / "one", 2), fill(tmp_path / "two", 2)
    draw(1).save(tmp_path / "alone.png")
    dataset = write_dataset(tmp_path / "drawn", images=3)
    sources = [str(first), str(second), str(tmp_path / "alone.png"), str(dataset)]
    hash_sources(sources, tmp_path / "i.parquet")
    assert read_index(tmp_path / "i.parquet").image_ids == (
        "one/0000", "one/0001", "two/0000", "two/0001", "alone", "drawn/0000", "drawn/0001", "drawn/0002",
    )  # fmt: skip


def test_a_dataset_is_named_by_its_card(tmp_path: Path) -> None:
    write_dataset(tmp_path / "root" / "datasets" / "drawn", images=3)
    hash_sources(["drawn"], tmp_path / "i.parquet", root=tmp_path / "root")
    assert read_index(tmp_path / "i.parquet").image_ids == ("0000", "0001", "0002")


def test_threads_parts_and_what_is_there_already_change_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "in", 23)
    (folder / "0009.jpg").write_bytes(b"broken")
    monkeypatch.setattr(hashing, "PART_IMAGES", 5)
    contents = []
    for workers in (1, 3):
        output = tmp_path / str(workers) / "i.parquet"
        hash_sources([str(folder)], output, columns=("phash", "joytag", "scaled"), workers=workers)
        contents.append((output.read_bytes(), output.with_suffix(".rejects.csv").read_bytes()))
    assert contents[0] == contents[1]


def test_a_finished_index_is_kept_until_something_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, output = fill(tmp_path / "in", 3), tmp_path / "i.parquet"
    first = hash_sources([str(folder)], output)
    with monkeypatch.context() as patch:
        patch.setattr(files, "hash_file", lambda path, columns: pytest.fail("hashed again"))
        assert hash_sources([str(folder)], output) == first
    os.utime(folder / "0001.jpg", (1, 1))
    draw(99).save(folder / "0002.jpg")
    before = read_index(output)
    hash_sources([str(folder)], output)
    assert [a == b for a, b in zip(before.digests["sha256"], read_index(output).digests["sha256"], strict=True)] == [
        True, True, False,
    ]  # fmt: skip
    hash_sources([str(folder)], output, columns=("dhash",))
    assert list(read_index(output).hashes) == ["dhash"]
    output.write_bytes(b"damaged")
    assert hash_sources([str(folder)], output).images == 3
    assert read_index_facts(output)["made_with"].keys() == {"pillow"}


def test_a_rejects_file_of_before_does_not_stay(tmp_path: Path) -> None:
    folder, output = fill(tmp_path / "in", 2), tmp_path / "i.parquet"
    (folder / "bad.png").touch()
    assert hash_sources([str(folder)], output).rejects == 1
    (folder / "bad.png").unlink()
    assert hash_sources([str(folder)], output).rejects == 0
    assert not (tmp_path / "i.rejects.csv").exists()


def test_killed_half_way_it_continues_and_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, whole, stopped = fill(tmp_path / "in", 60), tmp_path / "whole.parquet", tmp_path / "stopped.parquet"
    (folder / "0003.jpg").write_bytes(b"broken")
    slow = (
        "import sys, time\nfrom pathlib import Path\nfrom arena.dataset.hashes import build, files\n"
        "build.PART_IMAGES = 4\nwork = files.hash_file\n"
        "def slowly(path, columns):\n    time.sleep(0.05)\n    return work(path, columns)\n"
        "files.hash_file = slowly\nbuild.hash_sources([sys.argv[1]], Path(sys.argv[2]), workers=1)"
    )
    process = subprocess.Popen([sys.executable, "-c", slow, str(folder), str(stopped)], stdout=subprocess.DEVNULL)
    parts = tmp_path / "stopped.parquet.parts"
    deadline = time.monotonic() + 60
    while len(list(parts.glob("*.parquet"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was still at work"
    assert not stopped.exists()
    (parts / "000099-0123.parquet.part").write_bytes(b"of another program")

    monkeypatch.setattr(hashing, "PART_IMAGES", 4)
    hash_sources([str(folder)], whole)
    seen, work = [], files.hash_file
    monkeypatch.setattr(files, "hash_file", lambda path, columns: seen.append(path) or work(path, columns))
    hash_sources([str(folder)], stopped)
    assert 0 < len(seen) <= 60 - 12, "three parts of four were there"
    assert stopped.read_bytes() == whole.read_bytes()
    assert rows_of(tmp_path / "stopped.rejects.csv") == rows_of(tmp_path / "whole.rejects.csv")
    left = sorted(path.name for path in parts.iterdir())
    assert left == [".arena", "000099-0123.parquet.part"], "only its own files are removed"


def test_a_changed_image_of_a_frozen_set_is_rejected(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "drawn", images=3)
    draw(9).save(dataset / "images/0001.png")
    hash_sources([str(dataset)], tmp_path / "i.parquet", workers=1)
    assert read_index(tmp_path / "i.parquet").image_ids == ("0000", "0002")
    assert "changed after the dataset was frozen" in (tmp_path / "i.rejects.csv").read_text()


def test_what_cannot_be_done_is_one_line(tmp_path: Path) -> None:
    folder = fill(tmp_path / "in", 1)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").touch()
    fill(tmp_path / "other" / "in", 1)
    for sources, columns, output, message in [
        ([folder], ["pash"], "i", "--algorithms pash: no such hash. Did you mean phash"),
        ([folder], ["sha256"], "i", "an index needs a hash besides digests"),
        ([folder], ["phash"], "empty", "a folder; name a file"),
        ([tmp_path / "empty"], ["phash"], "i", "no image in it"),
        ([tmp_path / "bad"], ["phash"], "i", "none of 1 files can be read"),
        ([folder, tmp_path / "other" / "in"], ["phash"], "i", "source 'in' is listed twice"),
        (["dmeo"], ["phash"], "i", "Did you mean demo?"),
    ]:
        with pytest.raises(ArenaError) as refused:
            hash_sources([str(source) for source in sources], tmp_path / output, columns=columns)
        assert message in str(refused.value)
        assert "\n" not in str(refused.value)


def test_the_verb_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fill(tmp_path / "in", 3)
    (folder / "bad.png").touch()
    cli.main(
        ["hash", str(folder), "-o", str(tmp_path / "i.parquet"), "--algorithms", "phash, scaled", "--workers", "2"]
    )
    out = capsys.readouterr().out
    assert out.splitlines() == [
        f"{tmp_path / 'i.parquet'}: 3 images",
        f"{tmp_path / 'i.rejects.csv'}: 1 files could not be read",
    ]
    assert list(read_index(tmp_path / "i.parquet").hashes) == ["phash", "scaled"]


def test_processes_give_the_bytes_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fill(tmp_path / "in", 40)
    (folder / "0003.jpg").write_bytes(b"broken")
    hash_sources([str(folder)], tmp_path / "one.parquet", workers=1)
    monkeypatch.setattr(hashing, "MIN_POOLED_IMAGES", 1)
    monkeypatch.setattr(files, "hash_file", lambda path, columns: pytest.fail("hashed in this process"))
    hash_sources([str(folder)], tmp_path / "two.parquet", workers=2)
    assert (tmp_path / "two.parquet").read_bytes() == (tmp_path / "one.parquet").read_bytes()
    assert rows_of(tmp_path / "two.rejects.csv") == rows_of(tmp_path / "one.rejects.csv")


def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    code = (
        "import time\nfrom arena.dataset.hashes.files import ImageFile, image_hasher\n"
        "if __name__ == '__main__':\n"
        "    with image_hasher(2) as hashed:\n"
        "        list(hashed([ImageFile('a', 'none.png')] * 64, ('phash',)))\n"
        "        import multiprocessing\n"
        "        print(*[one.pid for one in multiprocessing.active_children()], flush=True)\n"
        "        time.sleep(600)\n"
    )
    (tmp_path / "parent.py").write_text(code)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent, parent.stdout:
        workers = [int(text) for text in parent.stdout.readline().split()]
        assert workers
        parent.kill()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in workers):
        assert time.monotonic() < deadline, "a worker is still there"
        time.sleep(0.05)
