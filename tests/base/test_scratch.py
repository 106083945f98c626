import re
from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.base.files import MARK
from arena.base.scratch import open_scratch, remove_scratch

PARTS = re.compile(r"\d+\.npy")


@pytest.mark.parametrize("content", [[], ["notes.txt"], ["plots/mine.txt"]])
def test_a_folder_of_another_program_is_neither_used_nor_removed(tmp_path: Path, content: list[str]) -> None:
    folder = tmp_path / "s.npz.parts"
    folder.mkdir()
    for name in content:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ArenaError, match="exists but was not made by arena"):
        open_scratch(folder, PARTS)
    remove_scratch(folder)
    assert sorted(tmp_path.rglob("*")) == before


def test_own_work_is_continued_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "s.npz.parts"
    open_scratch(folder)
    (folder / "model").mkdir()
    (folder / "model/1.npy").write_text("part")
    (folder / "model/.arena-7-00c0ffee00c0ffee.part").write_text("half")
    open_scratch(folder)
    assert [path.name for path in (folder / "model").iterdir()] == ["1.npy"]
    remove_scratch(folder)
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_stay_and_with_them_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "s.npz.parts"
    open_scratch(folder)
    (folder / "1.npy").write_text("part")
    (folder / "notes.txt").write_text("mine")
    remove_scratch(folder, PARTS)
    assert sorted(path.name for path in folder.iterdir()) == [MARK, "notes.txt"]


def test_parts_without_a_mark_are_of_an_earlier_version(tmp_path: Path) -> None:
    folder = tmp_path / "s.npz.parts"
    folder.mkdir()
    (folder / "1.npy").write_text("part")
    open_scratch(folder, PARTS)
    assert (folder / "1.npy").exists()
    remove_scratch(folder, PARTS)
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_folder_is_not_ours(tmp_path: Path) -> None:
    open_scratch(tmp_path / "real")
    (tmp_path / "s.parts").symlink_to("real")
    with pytest.raises(ArenaError, match="was not made by arena"):
        open_scratch(tmp_path / "s.parts")
    remove_scratch(tmp_path / "s.parts")
    assert (tmp_path / "real" / MARK).exists()
