import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from arena.dataset.importing.collect import ImportSettings, import_source
from arena.dataset.records import Record, Reject
from arena.dataset.sources import DatasetSource, open_source
from arena.images.decode import ImagePolicy, read_picture
from arena.tags.exports import read_relations
from tests.dataset.sources.kinds import picture, put

from .imports import contents, dataset, gather, rejected, table


class StoppedError(Exception):
    pass


def stopping(source: DatasetSource, after: int) -> Any:
    """A source that fails as it is read."""

    class Failing(DatasetSource):
        def records(self) -> Iterator[Record | Reject]:
            for number, row in enumerate(super().records()):
                if number == after:
                    raise StoppedError
                yield row

    return Failing(source.kind, source.path, source.found, source.hints, source.rows)


@pytest.mark.parametrize("after", [3, 4, 9, 12])
def test_a_stopped_import_continues_where_it_was(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    monkeypatch.setattr("arena.dataset.importing.parts.PART_ROWS", 4)
    put(photos / "bad.png", "x")
    put(photos / "bad.txt", "x")
    gather(photos, tmp_path / "whole", name="same")
    target = tmp_path / "target"
    with pytest.raises(StoppedError):
        import_source(stopping(open_source(photos), after), target, ImportSettings(name="same"))
    assert not (target / "dataset.toml").exists()
    decoded = []

    def counted(content: bytes, policy: ImagePolicy) -> Any:
        decoded.append(1)
        return read_picture(content, policy)

    monkeypatch.setattr("arena.dataset.importing.examine.read_picture", counted)
    gather(photos, target, name="same")
    assert contents(target) == contents(tmp_path / "whole")
    assert len(decoded) == 13 - after // 4 * 4, "finished parts are not decoded again"


@pytest.fixture
def half(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An import of the photos, the first of them transparent, that was stopped after ten."""
    monkeypatch.setattr("arena.dataset.importing.parts.PART_ROWS", 2)
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(photos / "00.png")
    with pytest.raises(StoppedError):
        import_source(stopping(open_source(photos), 11), tmp_path / "half", ImportSettings())
    assert len(list((tmp_path / "half").glob(".parts/*.arrow"))) == 5
    return tmp_path / "half"


def test_parts_of_another_policy_are_not_taken_up(photos: Path, half: Path) -> None:
    gather(photos, half, policy=ImagePolicy("drop", "drop"))
    assert rejected(half) == [["00.png", "00", "transparent", ""]]
    assert len(list((half / "images").rglob("*.png"))) == 11, "the file of the one that is dropped is gone"


def test_parts_of_other_relations_are_not_taken_up(photos: Path, half: Path) -> None:
    aliases = put(half.parent / "aliases.csv", "antecedent_name,consequent_name\npuppy,dog\n")
    gather(photos, half, relations=read_relations(aliases=[aliases]))
    assert all("dog" in tags for tags in dataset(half).images["tags"])


def test_parts_of_other_files_or_tags_are_not_taken_up(photos: Path, half: Path) -> None:
    put(photos / "03.png", 99)
    put(photos / "04.txt", "new")
    gather(photos, half)
    images = dataset(half).images.set_index("image_id")
    assert images.loc["03", "sha256"] == hashlib.sha256(picture(99)).hexdigest()
    assert list(images.loc["04", "tags"]) == ["new"]
    assert len(list((half / "images").rglob("*.png"))) == 12, "the file that changed is gone"


KILLED = """
import sys
import arena.dataset.importing.parts as parts
parts.PART_ROWS = 8
from arena.cli import main
main(sys.argv[1:])
"""


def test_a_killed_import_ends_with_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"path": f"{n % 30}.png", "tags": f"t{n % 9}, all", "id": n} for n in range(300)]
    for number in range(30):
        put(tmp_path / f"{number}.png", number)
    source, target = table(tmp_path / "t.jsonl", rows), tmp_path / "target"
    arguments = ["dataset", "import", str(source), "--name", "same", "--workers", "1", "-o", str(target)]
    with subprocess.Popen([sys.executable, "-c", KILLED, *arguments], stderr=subprocess.DEVNULL) as running:
        while len(list(target.glob(".parts/*.arrow"))) < 3 and running.poll() is None:
            time.sleep(0.002)
        running.send_signal(signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL
    assert not (target / "dataset.toml").exists()
    monkeypatch.setattr("arena.dataset.importing.parts.PART_ROWS", 8)
    gather(source, tmp_path / "whole", name="same")
    gather(source, target, name="same")
    assert contents(target) == contents(tmp_path / "whole")
