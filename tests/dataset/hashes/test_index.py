"""An index comes back as it was written, says how it was made, and refuses what it is not."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.base.errors import ArenaError, IncomparableError
from arena.dataset.hashes import index as index_module
from arena.dataset.hashes.algorithms import ALGORITHMS
from arena.dataset.hashes.index import (
    DIGESTS,
    METADATA,
    HashIndex,
    count_index_rows,
    read_blocks,
    read_index,
    read_index_facts,
    write_blocks,
)
from tests.dataset.indexes import write_index

HOSTILE = ("a\nb", "=cmd()", "../../etc", "\x00", "ünï/код", "", "a" * 10_000, "<script>", '"', "\u202e")


def make(ids: tuple[str, ...], columns: tuple[str, ...] = ("phash", "joytag"), seed: int = 0) -> HashIndex:
    rng = np.random.default_rng(seed)
    return HashIndex(
        ids,
        {name: rng.integers(0, 2**64, len(ids), dtype=np.uint64) for name in columns},
        {name: ALGORITHMS[name] for name in columns},
        {name: tuple(rng.bytes(32).hex() for _ in ids) for name in DIGESTS},
    )


def assert_same(left: HashIndex, right: HashIndex) -> None:
    assert left.image_ids == right.image_ids
    assert left.algorithms == right.algorithms
    assert left.digests == right.digests
    assert left.hashes.keys() == right.hashes.keys()
    for name, values in left.hashes.items():
        assert right.hashes[name].dtype == np.uint64
        assert np.array_equal(values, right.hashes[name])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=20),
    st.sets(st.sampled_from(list(ALGORITHMS)), min_size=1),
)
def test_an_index_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], columns: set[str]
) -> None:
    path = tmp_path_factory.mktemp("index") / "index.parquet"
    index = make(tuple(ids), tuple(columns))
    write_index(path, index)
    assert_same(index, read_index(path))
    assert count_index_rows(path) == len(index) == len(ids)


def test_hostile_names_and_top_bits_come_back(tmp_path: Path) -> None:
    index = make(HOSTILE)
    for values in index.hashes.values():
        values[:3] = (2**64 - 1, 2**63, 0)
    write_index(tmp_path / "i.parquet", index)
    assert_same(index, read_index(tmp_path / "i.parquet"))


def test_a_signed_hash_is_stored_as_int64_and_says_so(tmp_path: Path) -> None:
    index = make(("a",))
    index.hashes["joytag"][0] = 2**64 - 2
    write_index(tmp_path / "i.parquet", index)
    table = pq.read_table(tmp_path / "i.parquet")
    assert table.schema.field("joytag").type == pa.int64()
    assert table.column("joytag").to_pylist() == [-2]
    assert table.schema.field("phash").type == pa.uint64()
    said = json.loads(table.schema.metadata[METADATA])["algorithms"]
    assert said["joytag"] == {
        "name": "joytag.phash/8x8", "version": 1, "bits": 64, "bit_order": "column-major, least significant first",
        "signed": True, "verified": False,
    }  # fmt: skip
    assert said["phash"]["name"] == "imagehash.phash/8x8"


def test_chosen_columns_alone_are_read(tmp_path: Path) -> None:
    index = make(("a", "b"))
    write_index(tmp_path / "i.parquet", index)
    part = read_index(tmp_path / "i.parquet", columns=("phash", "sha256"))
    assert_same(part, replace(index, hashes={"phash": index.hashes["phash"]}, algorithms={"phash": ALGORITHMS["phash"]},
                              digests={"sha256": index.digests["sha256"]}))  # fmt: skip


def test_blocks_of_any_size_make_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "GROUP_ROWS", 10)
    index = make(tuple(map(str, range(47))))
    files = []
    for size in (1, 7, 47):
        blocks = [
            HashIndex(
                index.image_ids[at : at + size],
                {name: values[at : at + size] for name, values in index.hashes.items()},
                index.algorithms,
                {name: values[at : at + size] for name, values in index.digests.items()},
            )
            for at in range(0, 47, size)
        ]
        path = tmp_path / f"{size}.parquet"
        assert write_blocks(path, blocks, algorithms=index.algorithms, digests=DIGESTS, facts={"b": 1}) == 47
        assert_same(index, read_index(path))
        assert read_index_facts(path) == {"b": 1}
        files.append([block.image_ids for block in read_blocks(path)])
    assert [len(group) for group in files[0]] == [10, 10, 10, 10, 7]


def test_two_indexes_made_alike_are_compared_by_what_both_have() -> None:
    make(("a",), ("phash", "dhash")).refuse_unlike(make(("b",), ("phash", "joytag")))


@pytest.mark.parametrize(
    "changed", [{"name": "other"}, {"version": 2}, {"bits": 63}, {"bit_order": "column-major"}, {"signed": True}]
)
def test_indexes_that_disagree_are_refused_with_what_differs(changed: Mapping[str, object]) -> None:
    mine = replace(make(("a",), ("phash",)), name="mine.parquet")
    other = replace(mine, algorithms={"phash": ALGORITHMS["phash"]._replace(**changed)}, name="theirs.parquet")
    with pytest.raises(IncomparableError) as refused:
        mine.refuse_unlike(other)
    [(field, value)] = changed.items()
    assert str(refused.value).startswith("theirs.parquet: its phash has another algorithm than in mine.parquet")
    assert f"{field} {value!r}, not " in str(refused.value)
    assert "\n" not in str(refused.value)


def test_indexes_without_a_hash_in_common_are_refused() -> None:
    with pytest.raises(IncomparableError, match=r"has dhash, index has phash; no hash is in both"):
        make(("a",), ("phash",)).refuse_unlike(make(("a",), ("dhash",)))


def metadata(**content: object) -> dict[bytes, str]:
    return {METADATA: json.dumps({"schema": 1, "algorithms": {"phash": ALGORITHMS["phash"]._asdict()}, **content})}


def test_what_is_no_index_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "i.parquet"
    plain = pa.table({"image_id": ["a"], "phash": pa.array([1], pa.uint64())})
    for table, message in [
        (pa.table({"post_id": [1], "hash": [-5]}), "not an index: it does not record how its hashes were made (columns"),
        (plain.replace_schema_metadata({METADATA: "{"}), "is damaged"),
        (plain.replace_schema_metadata({METADATA: '{"schema": 1, "algorithms": {"phash": {"nmae": 1}}}'}), "is damaged"),
        (plain.replace_schema_metadata({METADATA: "[]"}), "is damaged"),
        (plain.drop_columns("phash").replace_schema_metadata(metadata()), "phash must be uint64, found: no such column"),
        (plain.set_column(1, "phash", pa.array(["x"])).replace_schema_metadata(metadata()), "must be uint64, found: string"),
        (
            plain.set_column(1, "phash", pa.array([None], pa.uint64())).replace_schema_metadata(metadata()),
            "1 rows have no phash",
        ),
    ]:  # fmt: skip
        pq.write_table(table, path)
        with pytest.raises(ArenaError) as refused:
            read_index(path)
        assert str(refused.value).startswith(f"{path}: ")
        assert message in str(refused.value)
        assert "\n" not in str(refused.value)


def test_an_index_of_a_later_schema_is_incomparable(tmp_path: Path) -> None:
    table = pa.table({"image_id": ["a"], "phash": pa.array([1], pa.uint64())}).replace_schema_metadata(
        metadata(schema=9)
    )
    pq.write_table(table, tmp_path / "i.parquet")
    with pytest.raises(IncomparableError, match="an index of schema 9, this release reads 1"):
        read_index(tmp_path / "i.parquet")


def test_a_damaged_file_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "i.parquet"
    write_index(path, make(tuple(map(str, range(500)))))
    whole = path.read_bytes()
    for cut in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(ArenaError, match="not a readable Parquet file"):
            read_index(path)
    path.write_bytes(whole[:50] + bytes(byte ^ 0xFF for byte in whole[50:250]) + whole[250:])
    with pytest.raises(ArenaError, match="not a readable Parquet file"):
        read_index(path)
    with pytest.raises(ArenaError, match="no such file"):
        read_index(tmp_path / "none.parquet")


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    index = make(("a", "b"))
    write_index(tmp_path / "i.parquet", index)

    def breaking() -> object:
        yield index
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError):
        write_blocks(tmp_path / "i.parquet", breaking(), algorithms=index.algorithms, digests=DIGESTS)  # type: ignore[arg-type]
    assert_same(index, read_index(tmp_path / "i.parquet"))
    assert [path.name for path in tmp_path.iterdir()] == ["i.parquet"]


def test_reading_in_blocks_needs_little_memory(tmp_path: Path) -> None:
    """A million rows, of which reading a group at a time keeps no more than a few."""
    path = tmp_path / "i.parquet"
    algorithms = {"phash": ALGORITHMS["phash"], "dhash": ALGORITHMS["dhash"]}
    rng = np.random.default_rng(0)
    ids = tuple(map(str, range(100_000)))

    def blocks() -> object:
        for _ in range(10):
            yield HashIndex(
                ids, {name: rng.integers(0, 2**64, 100_000, dtype=np.uint64) for name in algorithms}, algorithms
            )

    assert write_blocks(path, blocks(), algorithms=algorithms) == 1_000_000  # type: ignore[arg-type]
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom arena.dataset.hashes.index import read_blocks\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "blocks = read_blocks(Path(sys.argv[1]))\nnext(blocks)\nbefore = peak()\n"
        "rows = sum(len(block) for block in blocks)\nprint(rows, (peak() - before) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True)
    rows, megabytes = map(int, done.stdout.split())
    assert rows == 1_000_000 - 65_536
    assert megabytes < 60, "all of it at once is 150 MB"
