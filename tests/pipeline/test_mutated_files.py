"""Every reader refuses a damaged file in one line, or reads it: no other exception, whatever a field or a column holds."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from arena.base.errors import ArenaError
from arena.base.tables import read_frame
from arena.cards import read_dataset_card, read_model_card
from arena.dataset.frozen import read_frozen
from arena.dataset.gallery import read_pairs
from arena.gate.policy import read_policy
from arena.images.thumbnails import read_thumbnails
from arena.report.site.folder import open_site
from arena.results.baselines.log import Baseline, add_line, read_log
from arena.results.content import TABLE_CONTENT
from arena.results.run_folder import TABLES, read_result
from arena.scores.npz import read_scores
from arena.scores.store import ScoreStore, read_store
from arena.taggers.adapters.joytag import _read_config
from arena.taggers.files.preprocess_files import read_preprocess_file
from arena.taggers.files.tag_files import read_unique_json
from arena.tags import TagSpace
from arena.tags.groups import read_tag_groups

from ..conftest import DATA, GOLDEN, write_dataset

VALUES: tuple[Any, ...] = (None, True, -1, 2**70, 0.5, "x", "", [], [[1]], {}, {"a": {"b": 1}})
"""What a field of JSON is replaced by; the huge number is beyond int64."""


TOML_VALUES = ("true", "-1", "9" * 5_000, "9" * 30, "nan", '"x"', '""', "[]", "[[1]]", "{}", "1979-05-27")


class Reader(NamedTuple):
    """A file and the function that reads the folder that it is in."""

    file: str
    read: Callable[[Path], object]


def _site(folder: Path) -> None:
    with open_site(folder, ["a"], None):
        pass


def _table(folder: Path, name: str) -> None:
    required, optional = TABLE_CONTENT[name]
    read_frame(folder / f"{name}.parquet", required, optional=optional)


JSON_READERS = {
    "run.json": Reader("run/run.json", lambda folder: read_result(folder / "run", ())),
    "summary.json": Reader("run/summary.json", lambda folder: read_result(folder / "run", ())),
    "store.json": Reader("store/store.json", lambda folder: read_store(folder / "store")),
    "shard": Reader("store/00000.json", lambda folder: read_store(folder / "store")),
    "baselines": Reader("baselines.jsonl", lambda folder: read_log(folder)),
    "site": Reader("site/arena-site.json", lambda folder: _site(folder / "site")),
    "config.json": Reader("config.json", lambda folder: _read_config(folder / "config.json")),
    "preprocess.json": Reader("preprocess.json", lambda folder: read_preprocess_file(folder / "preprocess.json")),
    "tags.json": Reader("tags.json", lambda folder: read_unique_json(folder / "tags.json")),
}
TOML_READERS = {
    "dataset.toml": Reader(
        "set/dataset.toml", lambda folder: read_frozen(read_dataset_card(folder / "set/dataset.toml"))
    ),
    "card": Reader("card.toml", lambda folder: read_model_card(folder / "card.toml")),
    "policy": Reader("policy.toml", lambda folder: read_policy(folder / "policy.toml")),
    "groups": Reader("groups.toml", lambda folder: read_tag_groups(folder / "groups.toml")),
}
PARQUET_READERS = {
    **{
        name: Reader(f"run/{name}.parquet", lambda folder, name=name: _table(folder / "run", name))  # type: ignore[misc]
        for name, kind in TABLES.items()
        if kind == "parquet"
    },
    "images": Reader("set/images.parquet", lambda folder: read_frozen(read_dataset_card(folder / "set/dataset.toml"))),
    "duplicates": Reader("duplicates.parquet", lambda folder: read_pairs(folder / "duplicates.parquet")),
    "thumbnails": Reader("run/thumbnails/thumbnails.parquet", lambda folder: read_thumbnails(folder / "run")),
}
NPZ_READER = Reader("a.npz", lambda folder: read_scores(folder / "a.npz"))
CSV_READERS = {
    "tags.csv": Reader("set/tags.csv", lambda folder: read_frozen(read_dataset_card(folder / "set/dataset.toml"))),
    "thresholds.csv": Reader("run/thresholds.csv", lambda folder: read_result(folder / "run", ["thresholds"])),
    "labels.csv": Reader("run/labels.csv", lambda folder: read_result(folder / "run", ["labels"])),
}
EVERY_READER = {**JSON_READERS, **TOML_READERS, **PARQUET_READERS, **CSV_READERS, "npz": NPZ_READER}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sound file of every kind."""
    folder = tmp_path_factory.mktemp("files")
    shutil.copytree(DATA / "old_run" / "run", folder / "run")
    shutil.copy(DATA / "old_run" / "tag_groups.toml", folder / "groups.toml")
    shutil.copy(GOLDEN / "joytag-ln-sine" / "config.json", folder / "config.json")
    write_dataset(folder / "set", 4, 3)
    store = ScoreStore(folder / "store", key="k", shards=[("a", "b")])
    store.prepare(TagSpace(("x", "y"), ("general", "general"), (3, 4)), {"title": "t"})
    store.write(0, np.array([[0.1, 0.2]], np.float32), {"b": "empty"}, seconds=1.0, machine="m")
    figures = {"map": {"value": 0.5, "low": None, "high": None, "tags": 3, "own": {"value": 0.5, "tags": 4}}}
    add_line(Baseline("n", "m", "r", "d" * 12, "s", {"name": "x", "images": 3}, "2026", "why", figures, {}, folder))
    _site(folder / "site")
    transforms = [{"type": "resize", "size": 448}, {"type": "normalize", "mean": [0.5, 0.5, 0.5], "std": 0.5}]
    (folder / "preprocess.json").write_text(json.dumps({"stages": transforms}))
    (folder / "tags.json").write_text(json.dumps({"a": 0, "b": {"c": [1]}}))
    (folder / "card.toml").write_text('name = "m"\nadapter = "onnx"\nfiles = ["a.onnx"]\nhub = "o/r"\n')
    (folder / "policy.toml").write_text("[margins]\nmacro_f1 = 0.02\n")
    np.savez(
        folder / "a.npz", scores=np.full((1, 2), 0.5, np.float32), tags=np.array(["a", "b"]), image_ids=np.array(["i"])
    )
    pairs = {"left": ["a"], "right": ["b"], "class": ["edit"], "source": [""], "phash_bits": [3], "difference": [0.5]}
    pq.write_table(pa.table(pairs), folder / "duplicates.parquet")
    (folder / "run" / "thumbnails").mkdir()
    (folder / "run" / "thumbnails" / "0123456789abcdef.webp").write_bytes(b"")
    row = {"image_id": ["a"], "file": ["0123456789abcdef.webp"], "rating": ["general"], "width": [3], "height": [4]}
    pq.write_table(pa.table(row), folder / "run" / "thumbnails" / "thumbnails.parquet")
    for reader in EVERY_READER.values():
        try:
            reader.read(folder)  # a fixture that is refused would prove nothing
        except ArenaError as error:
            if reader.file != "preprocess.json":
                raise AssertionError(reader.file) from error
    return folder


def refused(reader: Reader, folder: Path, content: bytes) -> str:
    """Read a file with other bytes: the one line of its refusal; empty if it was read."""
    path = folder / reader.file
    sound = path.read_bytes()
    path.write_bytes(content)
    try:
        reader.read(folder)
    except ArenaError as error:
        message = str(error)
    else:
        message = ""
    finally:
        path.write_bytes(sound)
    assert "\n" not in message
    assert len(message) < 1_000
    return message


def changed_fields(content: Any) -> Iterator[Any]:
    """Yield copies in which one field has another value or is missing; of a list only the first item is changed."""
    keys = list(content) if isinstance(content, dict) else list(range(min(1, len(content))))
    for key in keys:
        for value in VALUES:
            copy = content.copy()
            copy[key] = value
            yield copy
        if isinstance(content, dict):
            yield {name: value for name, value in content.items() if name != key}
        if isinstance(content[key], (dict, list)):
            for inner in changed_fields(content[key]):
                copy = content.copy()
                copy[key] = inner
                yield copy


@pytest.mark.parametrize("name", EVERY_READER)
def test_damaged_bytes_are_refused_in_one_line(name: str, files: Path) -> None:
    reader = EVERY_READER[name]
    sound = (files / reader.file).read_bytes()
    third = sound[: len(sound) // 3]
    for content in (
        b"",
        third,
        sound[:1] + b"\xff\xfe" + sound[1:],
        b"\xff" * 40,
        b"[" * 100_000,
        b"null",
        b"1\n2",
        b"\0" * 99,
    ):
        refused(reader, files, content)
    if name != "store.json":  # a store without a readable header holds no scores
        assert str(Path(reader.file).name) in (refused(reader, files, b"\xff" * 40) + refused(reader, files, third))


@pytest.mark.parametrize("name", JSON_READERS)
def test_a_wrong_field_of_json_is_refused_in_one_line(name: str, files: Path) -> None:
    reader = JSON_READERS[name]
    content = json.loads((files / reader.file).read_bytes())
    cases = list(changed_fields(content))
    for case in cases[:: max(1, len(cases) // 25)]:
        refused(reader, files, json.dumps(case).encode())
    for case in VALUES:
        refused(reader, files, json.dumps(case).encode())


@pytest.mark.parametrize("name", TOML_READERS)
def test_a_wrong_value_of_toml_is_refused_in_one_line(name: str, files: Path) -> None:
    reader = TOML_READERS[name]
    lines = (files / reader.file).read_text().splitlines()
    for number, line in enumerate(lines):
        key, equals, _ = line.partition(" = ")
        for value in (
            ("true", "-1", "9" * 5_000, "9" * 30, "nan", '"x"', '""', "[]", "[[1]]", "{}", "1979-05-27")
            if equals
            else ()
        ):
            text = "\n".join([*lines[:number], f"{key} = {value}", *lines[number + 1 :]])
            message = refused(reader, files, text.encode())
            assert message or len(value) < 30


@pytest.mark.parametrize("name", PARQUET_READERS)
def test_a_wrong_column_is_refused_in_one_line(name: str, files: Path) -> None:
    reader = PARQUET_READERS[name]
    table = pq.read_table(files / reader.file)
    rows, path = len(table), files / "changed.parquet"
    bad_text = pa.Array.from_buffers(pa.string(), rows, pa.array([b"\xff\xfe"] * rows, pa.binary()).buffers())
    others = [
        pa.array(["x"] * rows), pa.array([7] * rows), pa.array([0.5] * rows), pa.array([None] * rows), bad_text,
        pa.array([[1]] * rows), pa.array([{"a": 1}] * rows, pa.struct([("a", pa.int64())])),
        pa.array([2**64 - 1] * rows, pa.uint64()), pa.array([["x", None]] * rows),
        pa.array([b"x"] * rows), pa.array([True] * rows),
    ]  # fmt: skip
    for place, column in list(enumerate(table.column_names))[:: max(1, len(table.column_names) // 4)]:
        some = [others[(place + step) % len(others)] for step in (0, 3, 6)]  # every kind in the whole table
        cases = [table.set_column(place, column, other) for other in some]
        for case in (*cases, table.drop_columns([column])):
            pq.write_table(case, path)
            refused(reader, files, path.read_bytes())
    pq.write_table(table.append_column(column, table[column]), path)
    assert "two columns" in refused(reader, files, path.read_bytes())


def test_damaged_metadata_of_pandas_and_its_index_are_ignored(files: Path) -> None:
    reader = PARQUET_READERS["per_tag"]
    table = pq.read_table(files / reader.file)
    for metadata in (b"{", b"[]", b'{"index_columns": ["tag"], "columns": []}'):
        pq.write_table(table.replace_schema_metadata({b"pandas": metadata}), files / "changed.parquet")
        assert refused(reader, files, (files / "changed.parquet").read_bytes()) == ""


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("run/run.json", {"recipe": 5}, "run.json: recipe is 5; it must be a table"),
        ("run/summary.json", {"images": 3.0}, "summary.json: images is 3.0; it must be a whole number"),
        ("store/00000.json", {"image_ids": [{"a": 1}]}, r"00000.json: image_ids\[0\] is a table; it must be text"),
        ("store/store.json", {"shards": -1}, "store.json: shards is -1; it must be 0 or more"),
        ("config.json", {"stochdepth_rate": [0.1]}, "stochdepth_rate = .*it must be a number"),
    ],
)
def test_the_line_names_file_field_found_and_wanted(
    file: str, content: dict[str, Any], words: str, files: Path
) -> None:
    reader = next(one for one in JSON_READERS.values() if one.file == file)
    sound = json.loads((files / file).read_bytes())
    message = refused(reader, files, json.dumps({**sound, **content}).encode())
    with pytest.raises(ArenaError, match=words):
        raise ArenaError(message)


def test_a_short_row_and_a_cell_of_another_type_are_named(files: Path) -> None:
    tags, thresholds = CSV_READERS["tags.csv"], CSV_READERS["thresholds.csv"]
    lonely = (files / tags.file).read_bytes() + b"lonely\n"
    assert "tags.csv: row 5 has no category" in refused(tags, files, lonely)
    broken = (files / thresholds.file).read_bytes().replace(b'"own"', b'"own",1', 1)
    assert "thresholds.csv: not a readable CSV file" in refused(thresholds, files, broken)
