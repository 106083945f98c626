"""Arrays of an npz file: the header is compared with the size of the member before memory is allocated."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arena.base.errors import ScoresError
from arena.scores import members
from arena.scores.npz import read_scores

SOUND: dict[str, Any] = {
    "scores": np.full((3, 2), 0.5, np.float32), "tags": np.array(["a", "b"]), "image_ids": np.array(["x", "y", "z"]),
}  # fmt: skip


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_sound_arrays_are_read_in_any_layout(tmp_path: Path, save: Any, order: Any) -> None:
    values = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], np.float32, order=order)
    save(tmp_path / "a.npz", **SOUND | {"scores": values})
    assert (read_scores(tmp_path / "a.npz").values.read() == values).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scores": np.zeros((3, 2), [("a", "f4")])}, r"scores is \[\('a', '<f4'\)\]; it must hold numbers"),
        ({"tags": np.zeros(2, [("a", "U3")])}, "tags is .*; it must hold numbers or str"),
        ({"tags": np.array(["a", None], object)}, "tags is object; it must hold numbers or str"),
        (
            {"image_ids": np.array(["2020", "2021", "2022"], "M8[Y]")},
            "image_ids is datetime64.*; it must hold numbers or str",
        ),
        ({"tags": np.array(["a", "x\udce9"])}, r"tags\[1\] is 'x\\udce9'; a lone surrogate is not text"),
        ({"tags": np.array([0x61, 0x7FFFFFFF], "<u4").view("<U1")}, "tags holds text that is not Unicode"),
    ],
)
def test_other_kinds_of_values_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    np.savez(tmp_path / "a.npz", **SOUND | changes)
    with pytest.raises(ScoresError, match=words):
        read_scores(tmp_path / "a.npz")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(("shape", "descr"), [((2_400_000_000, 2), "<f4"), ((-3, -2), "<f4"), ((3, 2), "<U100000000")])
def test_a_header_that_lies_is_refused_at_once(
    tmp_path: Path, compression: int, shape: tuple[int, int], descr: str
) -> None:
    np.savez(tmp_path / "a.npz", tags=SOUND["tags"], image_ids=SOUND["image_ids"])
    with zipfile.ZipFile(tmp_path / "a.npz", "a", compression) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})  # type: ignore[no-untyped-call]
        archive.writestr("scores.npy", header.getvalue() + bytes(24))
    with pytest.raises(ScoresError, match=r"not a readable npz file|scores .*, but 3 image_ids|must hold numbers"):
        read_scores(tmp_path / "a.npz")


def test_a_large_compressed_array_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MAX_COMPRESSED_BYTES", 100)
    np.savez_compressed(tmp_path / "a.npz", **SOUND | {"scores": np.zeros((30, 2), np.float32)})
    with pytest.raises(ScoresError, match="scores has 368 bytes when decompressed, more than 100; do not compress it"):
        read_scores(tmp_path / "a.npz")
