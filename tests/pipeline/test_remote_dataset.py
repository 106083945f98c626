"""A run on a dataset in an object store."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from arena.images.decode import decode

from ..conftest import Wd, arena_here
from ..object_store import STORES, Bucket, opened_bucket

pytestmark = pytest.mark.usefixtures("no_plots")


@pytest.fixture(params=STORES)
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with opened_bucket(request.param, monkeypatch) as opened:
        yield opened


def test_a_run_reads_a_dataset_in_a_store_as_one_on_disk(
    bucket: Bucket, onnx_folder: Wd, drawn_dataset: Path, tmp_path: Path
) -> None:
    remote = bucket.copy(drawn_dataset)
    command = ("run", "-m", f"wd={onnx_folder.folder}", "--bootstrap", 0)
    for name, dataset in (("here", drawn_dataset), ("there", remote)):
        done = arena_here(*command, "-d", dataset, "-o", tmp_path / name)
        assert done.returncode == 0, done.stderr
    here, there = tmp_path / "here", tmp_path / "there"
    for name in ("per_tag.parquet", "summary.json", "scores/wd/00000.npy"):
        assert (here / name).read_bytes() == (there / name).read_bytes(), name
    for path in sorted(drawn_dataset.glob("images/*"))[:3]:
        np.testing.assert_array_equal(decode(remote / "images" / path.name), decode(path))
    again = arena_here(*command, "-d", remote, "-o", there, "--scores-only")
    assert (again.returncode, "all scores exist already" in again.stderr) == (0, True), again.stderr


def test_a_dataset_that_is_not_whole_or_not_there_is_one_line(
    bucket: Bucket, onnx_folder: Wd, drawn_dataset: Path, tmp_path: Path
) -> None:
    remote = bucket.copy(drawn_dataset)
    first = min(path.relative_to(drawn_dataset).as_posix() for path in drawn_dataset.glob("images/**/*.*"))
    bucket.remove(f"{drawn_dataset.name}/{first}")
    for dataset, line in (
        (remote, f"images, 39 found; missing {first}. Restore the folder images/"),
        (f"{bucket.url}/none", f"{bucket.url}/none/dataset.toml: cannot be read (No such file or directory)"),
    ):
        done = arena_here("run", "-m", f"wd={onnx_folder.folder}", "-d", dataset, "-o", tmp_path / "run")
        assert (done.returncode, line in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr
