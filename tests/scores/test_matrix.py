"""Scores by rows, from memory and from every kind of file, against the plain array."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.base.errors import ScoresError
from arena.scores import matrix as module
from arena.scores.matrix import Matrix, MatrixPart, StoredMatrix, stored_member, stored_npy
from arena.scores.npz import read_npz, read_scores, write_scores
from arena.scores.store import Scores, ScoreStore, read_store
from arena.tags import TagSpace

VALUES = np.random.default_rng(0).random((50, 7)).astype(np.float32)


def npy(path: Path, values: np.ndarray, version: tuple[int, int] = (1, 0)) -> Path:
    with path.open("wb") as file:
        np.lib.format.write_array(file, values, version)
    return path


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_an_npy_file_is_read_where_it_lies(tmp_path: Path, version: tuple[int, int], kind: type) -> None:
    stored = stored_npy(npy(tmp_path / "a.npy", VALUES.astype(kind), version))
    assert stored is not None
    assert (stored.shape, stored.dtype) == (VALUES.shape, kind)
    for rows in (slice(0, 50), slice(3, 4), slice(48, 99), slice(7, 7), slice(60, 70), slice(-2, None)):
        assert np.array_equal(stored[rows], VALUES.astype(kind)[rows])
    assert isinstance(stored[3:4], np.memmap)
    assert np.array_equal(Matrix([stored]).read(), VALUES.astype(kind))


def test_what_cannot_be_mapped_by_rows_is_not(tmp_path: Path) -> None:
    assert stored_npy(npy(tmp_path / "f.npy", np.asfortranarray(VALUES))) is None
    assert stored_npy(npy(tmp_path / "v.npy", VALUES[0])) is None
    assert stored_npy(npy(tmp_path / "c.npy", VALUES[None])) is None
    assert stored_npy(npy(tmp_path / "3.npy", VALUES, (3, 0))) is None


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_member_of_an_npz_is_mapped_where_it_lies_stored_and_read_where_not(tmp_path: Path, save, order: str) -> None:
    path = tmp_path / "s.npz"
    save(path, names=np.array(["a"] * 1000), scores=np.asarray(VALUES, order=order), more=np.arange(9))
    stored = stored_member(path, "scores")
    assert (stored is not None) == (save is np.savez and order == "C")
    arrays = read_npz(path, ("scores",), large="scores", optional=("names", "more"))
    assert np.array_equal(arrays["scores"].read(), VALUES)
    assert isinstance(arrays["scores"].parts[0], StoredMatrix) == (stored is not None)
    assert arrays["more"].tolist() == list(range(9))


def test_a_member_is_found_whatever_its_local_header_holds(tmp_path: Path) -> None:
    """numpy writes an extra field into the local header only; other tools write none, or put text before the archive."""
    npy(tmp_path / "scores.npy", VALUES)
    path = tmp_path / "s.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("first.txt", "x" * 100)
        archive.write(tmp_path / "scores.npy", "scores.npy")
        archive.comment = b"made by hand"
    assert np.array_equal(Matrix([stored_member(path, "scores")]).read(), VALUES)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert np.array_equal(Matrix([stored_member(path, "scores")]).read(), VALUES)


def test_a_stored_member_that_is_cut_short_or_a_vector_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s.npz"
    np.savez(path, scores=VALUES[0])
    with pytest.raises(ScoresError, match=r"scores \(7,\); it must be a matrix"):
        read_npz(path, ("scores",), large="scores")
    np.savez(path, scores=VALUES)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ScoresError, match="not a readable npz file"):
        read_npz(path, ("scores",), large="scores")


def test_a_member_that_claims_more_rows_than_it_holds_is_told(tmp_path: Path) -> None:
    """Else the bytes of whatever comes next in the file would be taken for scores."""
    npy(tmp_path / "whole.npy", np.concatenate([VALUES, VALUES]))
    whole = (tmp_path / "whole.npy").read_bytes()
    with zipfile.ZipFile(tmp_path / "s.npz", "w") as archive:
        archive.writestr("scores.npy", whole[: len(whole) - VALUES.nbytes])
        archive.writestr("more.npy", whole)
    with pytest.raises(ScoresError, match="not a readable npz file"):
        read_npz(tmp_path / "s.npz", ("scores",), large="scores")["scores"].read()


@pytest.fixture(params=[1 << 25, 100, 1])
def tile_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(module, "TILE_BYTES", request.param)
    return request.param


@pytest.fixture(params=["memory", "stored", "shards", "mixed"])
def matrix(request: pytest.FixtureRequest, tile_bytes: int, tmp_path: Path) -> Matrix:
    """The same scores in several ways; parts of no row among them."""
    cuts = {"memory": [], "stored": [], "shards": [0, 20, 20, 33], "mixed": [10, 30, 50]}[request.param]
    parts = np.split(VALUES, cuts)
    if request.param == "memory":
        return Matrix.of(VALUES)
    found: list[MatrixPart] = []
    for number, part in enumerate(parts):
        stored = stored_npy(npy(tmp_path / f"{number}.npy", part))
        assert stored is not None
        found.append(part if request.param == "mixed" and number % 2 else stored)
    return Matrix(found)


def test_tiles_are_all_rows_in_order_and_none_is_larger_than_asked(matrix: Matrix, tile_bytes: int) -> None:
    row, seen = 0, []
    for start, tile in matrix.tiles():
        assert start == row
        assert 0 < tile.nbytes <= max(tile_bytes, 7 * 4)
        seen.append(np.array(tile))
        row += len(tile)
    assert np.array_equal(np.concatenate(seen), VALUES)
    assert matrix.shape == VALUES.shape


@pytest.mark.parametrize("wanted", [[0, 1, 2, 3, 4, 5, 6], [2, 3, 4], [6], [5, 0, 3], [1, 1], []], ids=str)
def test_columns_are_those_wanted_in_their_order_and_rows_go_to_their_place(matrix: Matrix, wanted: list[int]) -> None:
    columns = np.array(wanted, np.int64)
    assert np.array_equal(matrix.columns(columns, None), VALUES[:, columns])
    order = np.random.default_rng(1).permutation(50)
    assert np.array_equal(matrix.columns(columns, order)[order], VALUES[:, columns])
    place = np.where(order < 30, order, -1)
    found = matrix.columns(columns, place)
    assert found.shape == (30, len(wanted))
    assert np.array_equal(found[place[place >= 0]], VALUES[place >= 0][:, columns])
    assert matrix.columns(columns, np.full(50, -1)).shape == (0, len(wanted))


def test_everything_read_is_the_array(matrix: Matrix) -> None:
    assert np.array_equal(matrix.read(), VALUES)
    assert matrix.read().dtype == np.float32


def test_one_array_in_memory_is_not_copied() -> None:
    assert np.shares_memory(Matrix.of(VALUES).columns(np.array([2, 3]), None), VALUES)


def test_parts_of_several_types_become_the_widest() -> None:
    mixed = Matrix([VALUES[:20].astype(np.float16), VALUES[20:]])
    assert mixed.dtype == np.float32
    assert np.array_equal(mixed.read()[20:], VALUES[20:])
    assert np.array_equal(mixed.read()[:20], VALUES[:20].astype(np.float16).astype(np.float32))


class Watched:
    """A part that knows the most rows asked for at once."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape, self.dtype, self.most = values, values.shape, values.dtype, 0

    def __getitem__(self, rows: slice) -> np.ndarray:
        self.most = max(self.most, rows.stop - rows.start)
        return self.values[rows]


def test_a_large_matrix_is_never_asked_for_as_a_whole(tile_bytes: int) -> None:
    part = Watched(np.tile(VALUES, (40, 1)))
    matrix, step = Matrix([part]), max(1, tile_bytes // 28)
    for use in (
        matrix.read,
        lambda: list(matrix.tiles()),
        lambda: matrix.columns(np.array([3]), np.arange(2000)[::-1]),
    ):
        part.most = 0
        use()
        assert 0 < part.most <= step


def test_scores_of_a_file_and_of_a_store_stay_on_disk(tmp_path: Path) -> None:
    tags = TagSpace(tuple("abcdefg"))
    write_scores(tmp_path / "s.npz", Scores.of(tuple(map(str, range(50))), tags, VALUES))
    store = ScoreStore(tmp_path / "store", key="k", shards=[tuple(map(str, range(k, k + 25))) for k in (0, 25)])
    store.prepare(tags, {})
    for number in range(2):
        store.write(number, VALUES[25 * number : 25 * number + 25], {})
    for scores in (read_scores(tmp_path / "s.npz"), read_store(tmp_path / "store")):
        assert all(isinstance(part, StoredMatrix) for part in scores.values.parts)
        assert np.array_equal(scores.values.read(), VALUES)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.randoms(use_true_random=False), st.booleans())
def test_any_parts_and_any_places(lengths: list[int], random, keep_all: bool) -> None:
    values = np.arange(sum(lengths) * 3, dtype=np.float32).reshape(-1, 3)
    matrix = Matrix(np.split(values, np.cumsum(lengths)[:-1]))
    places = list(range(len(values)))
    random.shuffle(places)
    kept = len(places) if keep_all else random.randint(0, len(places))
    place = np.array([one if one < kept else -1 for one in places], np.int64)
    expected = np.empty((kept, 2), np.float32)
    expected[place[place >= 0]] = values[place >= 0][:, [2, 0]]
    assert np.array_equal(matrix.columns(np.array([2, 0]), place), expected)
