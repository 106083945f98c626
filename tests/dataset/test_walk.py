"""The walker of folders, and the three verbs that use it."""

from pathlib import Path

import pytest

from arena.base.errors import ArenaError
from arena.dataset.listing import list_source
from arena.dataset.readers import list_images
from arena.dataset.sources import open_source
from arena.dataset.walk import walk_folder

from .sources.kinds import put, read


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Images, and links of every kind, visible and hidden."""
    root = tmp_path / "root"
    for name in ("b.png", ".hidden.png", "sub/a.png", ".cache/no.png"):
        put(root / name, 1)
    put(tmp_path / "far/c.png", 2)
    for name, target in (
        ("file.png", "../far/c.png"), ("inside", "sub"), ("outside", "../far"), (".outside", "../far"),
        ("broken.png", "nothing"), ("loop.png", "loop.png"), (".link.png", "../far/c.png"),
    ):  # fmt: skip
        (root / name).symlink_to(target)
    return root


FOUND = [".hidden.png", ".link.png", "b.png", "broken.png", "file.png", "loop.png", "outside", "sub/a.png"]
"""What each verb reads or reports."""


def test_every_verb_finds_the_same_files(tree: Path) -> None:
    assert [path.relative_to(tree).as_posix() for path in list_images(tree).values()] == FOUND
    listed = [Path(item.path).relative_to(tree).as_posix() for item in list_source(str(tree), None).items()]
    assert listed == FOUND
    for name in FOUND:
        put(tree / f"{name}.txt", "x")
    records, rejects = read(tree)
    assert sorted([record.where for record in records] + [reject.where for reject in rejects]) == FOUND
    assert open_source(tree).rows == len(FOUND) - 1


def test_a_folder_that_cannot_be_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArenaError, match=r"nothing: cannot be read \(No such file or directory\); make it readable"):
        list(walk_folder(tmp_path / "nothing"))
