"""Images of tars and of lists of files get the scores that they get in a folder."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from arena.base.errors import ArenaError
from arena.cards import read_dataset_card
from arena.dataset.freeze import CardOverrides, freeze_dataset
from arena.dataset.frozen import read_frozen
from arena.dataset.readers import list_pictures
from arena.dataset.selection import Selection
from arena.images.places import TarMember
from arena.images.thumbnails import webp_thumbnail
from arena.pipeline.predict import predict_folder
from arena.scores.store import Scores
from tests.conftest import Wd, arena_here, write_dataset
from tests.dataset.sources.test_archives import member, shard


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "drawn", images=6) / "images"


def by_image(scores: Scores) -> dict[str, list[float]]:
    return dict(zip(scores.image_ids, scores.values.read().tolist(), strict=True))


def test_tars_and_lists_are_scored_like_a_folder(
    images: Path, onnx_folder: Wd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = sorted(images.iterdir())
    members = [member(file.name, file.read_bytes()) for file in files]
    shard(tmp_path / "shards/a.tar", *members[:3], member("0000.txt", b"hat"))
    shard(tmp_path / "shards/b.tar", *members[3:])
    Path("list.txt").write_text("shards/a.tar\n\n" + "".join(f"drawn/images/{file.name}\n" for file in files[3:]))
    model = f"wd={onnx_folder.folder}"
    wanted = by_image(predict_folder(model, images, tmp_path / "folder.npz"))

    def scored(named: str) -> dict[str, list[float]]:
        return by_image(predict_folder(model, Path(named), tmp_path / "s.npz"))

    assert scored("shards") == wanted
    assert scored("shards/b.tar") == {name: wanted[name] for name in ("0003", "0004", "0005")}
    assert {name.removeprefix("drawn/images/"): row for name, row in scored("@list.txt").items()} == wanted
    done = arena_here("predict", "-m", model, "--images", "@list.txt", "-o", "c.npz", "-L", 4)
    assert done.returncode == 0
    assert "c.npz: 4 images" in done.stdout


def test_identifiers_of_tars(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = next(images.iterdir()).read_bytes()
    for name in ("a", "b"):
        shard(tmp_path / f"shards/{name}.tar", member("1.png", content), member(f"{name}.png", content))
    assert list(list_pictures(Path("shards"))) == ["a.tar/1", "a", "b.tar/1", "b"]
    assert all(isinstance(place, TarMember) for place in list_pictures(Path("shards")).values())
    shutil.copy(images / "0000.png", "shards")
    assert list(list_pictures(Path("shards"))) == ["0000"]
    for text, said in (
        ("@no.txt", "cannot be read"), ("drawn/dataset.toml", "name a folder, a .tar, or @drawn/dataset.toml"),
        ("no.tar", "no such folder"),
    ):  # fmt: skip
        with pytest.raises(ArenaError, match=said):
            list_pictures(Path(text))
    Path("twice.txt").write_text("a.png\na.png\n")
    Path("empty.txt").write_text("\n")
    for text, said in (("@twice.txt", "a.png"), ("@empty.txt", "no image in it")):
        with pytest.raises(ArenaError, match=said):
            list_pictures(Path(text))


def test_a_missing_file_of_a_list_is_skipped(images: Path, onnx_folder: Wd, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_bytes(b"\n".join(map(os.fsencode, [images / "0000.png", tmp_path / "no.png", images])))
    scores = predict_folder(f"wd={onnx_folder.folder}", Path(f"@{listed}"), tmp_path / "s.npz")
    assert len(scores.image_ids) == 1
    assert sorted(reason.partition(":")[0] for reason in scores.skipped.values()) == ["missing", "missing"]


def test_a_run_reads_images_in_tars_and_skips_changed_ones(images: Path, onnx_folder: Wd, tmp_path: Path) -> None:
    card = read_dataset_card(images.parent / "dataset.toml")
    freeze_dataset(card, tmp_path / "packed", about=CardOverrides("packed"), selection=Selection(), tars=True)
    model, packed = f"wd={onnx_folder.folder}", read_frozen(read_dataset_card(tmp_path / "packed/dataset.toml"))
    one, two = (predict_folder(model, held, tmp_path / "s.npz") for held in (read_frozen(card), packed))
    assert one.image_ids == two.image_ids
    assert np.array_equal(one.values.read(), two.values.read())
    tar = next((tmp_path / "packed/images").iterdir())
    content = bytearray(tar.read_bytes())
    content[600] ^= 1
    tar.write_bytes(content)
    done = arena_here(
        "run", "-m", model, "-d", tmp_path / "packed", "-o", tmp_path / "run", "--bootstrap", 0, "--min-positives", 1
    )
    assert done.returncode == 0, done.stderr
    assert "the file changed after the dataset was frozen" in done.stdout + done.stderr
    assert webp_thumbnail(packed.paths[1]) == webp_thumbnail(images / "0001.png")
