import errno
import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from arena.base import files
from arena.base.errors import ArenaError
from arena.base.files import is_temporary, open_whole, remove_temporary, write_json, write_whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@given(st.one_of(st.binary(max_size=2000), st.text(max_size=500)), st.booleans())
def test_what_is_written_is_read_again(content: str | bytes, durable: bool) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        write_whole(path, "before")
        write_whole(path, content, durable=durable)
        assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
        assert names(Path(folder)) == ["a"]


def write_then_fail(path: Path, pieces: list[bytes]) -> None:
    with open_whole(path) as file:
        for piece in pieces:
            file.write(piece)
        raise ZeroDivisionError


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_a_writer_that_fails_leaves_what_was_there(pieces: list[bytes]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        with pytest.raises(ZeroDivisionError):
            write_then_fail(path, pieces)
        assert names(Path(folder)) == []
        path.write_bytes(b"before")
        with pytest.raises(ZeroDivisionError):
            write_then_fail(path, pieces)
        assert path.read_bytes() == b"before"
        assert names(Path(folder)) == ["a"]


def test_text_that_is_no_unicode_touches_nothing(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "before")
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "a", "\ud800")
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a", {"a": float("inf")})
    assert (tmp_path / "a").read_text() == "before"
    assert names(tmp_path) == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_mode_is_that_of_an_ordinary_file(umask: int, tmp_path: Path) -> None:
    earlier = os.umask(umask)
    try:
        write_whole(tmp_path / "whole", "")
        (tmp_path / "ordinary").write_text("")
    finally:
        os.umask(earlier)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("whole", "ordinary")]
    assert modes == [0o666 & ~umask] * 2


def test_two_writers_at_once_leave_one_whole_file(tmp_path: Path) -> None:
    contents = [bytes([number]) * 200_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            list(pool.map(lambda content: write_whole(tmp_path / "a", content), contents))
            assert (tmp_path / "a").read_bytes() in contents
    assert names(tmp_path) == ["a"]


def test_the_one_who_ends_last_wins(tmp_path: Path) -> None:
    with open_whole(tmp_path / "a") as outer:
        outer.write(b"out")
        write_whole(tmp_path / "a", "inner")
        assert (tmp_path / "a").read_text() == "inner"
        outer.write(b"er")
    assert (tmp_path / "a").read_text() == "outer"


def no_folder(folder: Path) -> Path:
    return folder / "none/a"


def in_a_file(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file/a"


def a_folder(folder: Path) -> Path:
    (folder / "a").mkdir()
    return folder / "a"


def read_only(folder: Path) -> Path:
    (folder / "locked").mkdir(mode=0o500)
    return folder / "locked/a"


@pytest.mark.parametrize(
    ("place", "reason", "fix"),
    [
        (no_folder, "No such file or directory", "create the folder"),
        (in_a_file, "Not a directory", "a file is where its folder should be"),
        (a_folder, "Is a directory", "a folder has this name"),
        pytest.param(
            read_only, "Permission denied", "change its permissions",
            marks=pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may write anywhere"),
        ),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_written_is_told_in_one_line(place, reason: str, fix: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = place(tmp_path)
    before = names(tmp_path)
    with pytest.raises(ArenaError) as told:
        write_whole(path, "text")
    assert str(told.value).startswith(f"{path}: cannot be written ({reason}); {fix}")
    assert "\n" not in str(told.value)
    assert names(tmp_path) == before


class Full:
    """A disk without room: the first bytes are taken, the next are not."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def write(self, content: bytes) -> int:
        self.file.write(content[:3])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_and_leaves_no_part(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "before")
    with (
        pytest.raises(ArenaError, match=r"a: cannot be written \(No space left on device\); make room"),
        open_whole(tmp_path / "a") as file,
    ):
        np.save(Full(file), np.zeros(9))  # type: ignore[arg-type]
    assert (tmp_path / "a").read_text() == "before"
    assert names(tmp_path) == ["a"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_a_device_that_is_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write fails when the buffer is emptied, and again when the file is closed."""
    true_open = Path.open
    monkeypatch.setattr(Path, "open", lambda path, mode: true_open(Path("/dev/full"), "wb" if mode == "xb" else mode))
    with pytest.raises(ArenaError, match="No space left on device"):
        write_whole(tmp_path / "a", "text")


def test_an_error_of_another_file_is_not_told_of_this_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), open_whole(tmp_path / "a") as file:
        file.write((tmp_path / "missing").read_bytes())
    (tmp_path / "no picture").write_text("text")
    with pytest.raises(OSError, match="cannot identify image"), open_whole(tmp_path / "a") as file:
        Image.open(tmp_path / "no picture").save(file)
    assert names(tmp_path) == ["no picture"]


def test_libraries_write_into_it(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": [1, 2]})
    with open_whole(tmp_path / "a.parquet") as file:
        table.to_parquet(file, index=False)
    with open_whole(tmp_path / "a.npz") as file:
        np.savez(file, a=np.arange(3))
    with open_whole(tmp_path / "a.png") as file:
        Image.new("RGB", (2, 1), "red").save(file, "PNG")
    assert pd.read_parquet(tmp_path / "a.parquet").equals(table)
    assert np.load(tmp_path / "a.npz")["a"].tolist() == [0, 1, 2]
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (2, 1)


def test_only_what_has_to_survive_a_power_failure_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: seen.append(os.fstat(descriptor).st_size))
    write_whole(tmp_path / "a", "text")
    assert seen == []
    write_whole(tmp_path / "a", "text", durable=True)
    assert seen == [4], "all bytes are out of the buffer"


def test_a_killed_process_leaves_what_can_be_removed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from arena.base.files import open_whole\n"
        "with open_whole(Path(sys.argv[1])) as file:\n    file.write(b'half')\n    file.flush()\n    time.sleep(60)"
    )
    (tmp_path / "a").write_text("before")
    (tmp_path / "b.part").write_text("of another program")
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a")])
    deadline = time.monotonic() + 30
    while len(names(tmp_path)) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = [name for name in names(tmp_path) if is_temporary(name)]
    assert len(left) == 1
    assert (tmp_path / "a").read_text() == "before"
    remove_temporary(tmp_path)
    assert names(tmp_path) == ["a", "b.part"]


CONTINUED = {"dataset/fetch/images.py"}
"""A download that a later one continues has one name for ever."""

FOLDERS = {"dataset/canonical.py", "dataset/freeze.py", "dataset/copies/dedup.py", "results/baselines/store.py"}
"""Whole folders, renamed when they are ready."""


def test_no_other_module_has_a_way_of_its_own() -> None:
    package = Path(files.__file__).parents[1]
    signs = ('.part"', '.partial"', '.tmp"', "NamedTemporaryFile", "mkstemp", "os.replace")
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(sign in path.read_text(encoding="utf-8") for sign in signs)
    }
    assert found == CONTINUED | FOLDERS | {"base/files.py"}
