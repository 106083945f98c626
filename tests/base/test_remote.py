"""Paths of an object store."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arena.base import remote as module
from arena.base.errors import ArenaError
from arena.base.remote import RemotePath, as_path, readable

from ..object_store import STORES, Bucket, opened_bucket


@pytest.fixture(params=STORES)
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with opened_bucket(request.param, monkeypatch) as opened:
        yield opened


@pytest.mark.parametrize("url", ["s3://bucket/a b/c%20d/ü.png", "gs://x/y", "memory://a/b/c.tar"])
def test_the_text_of_a_path_is_its_url(url: str) -> None:
    path = as_path(url)
    assert isinstance(path, RemotePath)
    assert (str(path), path.as_posix(), f"{path}") == (url, url, url)
    assert str(path.parent / path.name) == url
    assert path.resolve() == path.absolute() == path.expanduser() == pickle.loads(pickle.dumps(path)) == path
    assert path.is_absolute()
    assert as_path(Path(url)) == path
    assert [type(as_path(text)) for text in ("s3", "c:/x", "images/a:/b")] == [type(Path())] * 3


def test_a_file_is_read_by_every_method_of_a_path(bucket: Bucket) -> None:
    path = bucket.write("folder/a.txt", "ü\r\nb".encode())
    assert path.read_bytes() == readable(path).read() == "ü\r\nb".encode()  # type: ignore[union-attr]
    assert (path.read_range(2, 3), path.read_range(4, 9)) == (b"\r\nb", b"b")  # type: ignore[attr-defined]
    assert path.read_text(encoding="utf-8") == "ü\nb"
    assert (path.exists(), path.is_file(), path.is_dir(), path.stat().st_size) == (True, True, False, 5)
    with path.open("rb") as file:
        assert (file.peek(1)[:1], file.read(2), file.seek(3), file.read()) == (b"\xc3", "ü".encode(), 3, b"\nb")
    bucket.write("folder/deep/b.txt", b"b")
    assert [one.name for one in path.parent.iterdir()] == ["a.txt", "deep"]
    assert path.parent.files_below() == {"a.txt", "deep/b.txt"}  # type: ignore[attr-defined]


def test_a_missing_file_is_missing_and_nothing_else_is(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    path = RemotePath(bucket.url) / "none.txt"
    assert not path.exists()
    with pytest.raises(FileNotFoundError) as missing:
        path.read_bytes()
    assert (missing.value.strerror, missing.value.filename) == ("No such file or directory", str(path))

    class Broken:
        def cat_file(self, name: str) -> Any:
            raise PermissionError("403 Forbidden\ndetails")

    monkeypatch.setattr(module, "_store_of", lambda protocol: Broken())
    with pytest.raises(ArenaError, match=r"none\.txt: cannot be read \(403 Forbidden\); check the address"):
        path.read_bytes()


def test_what_cannot_be_done_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArenaError, match=r"s3://bucket/a: cannot be written; name a folder of this machine"):
        as_path("s3://bucket/a").open("wb")
    with pytest.raises(ArenaError, match=r"nothing://…: cannot be read \(Protocol not known: nothing\)"):
        as_path("nothing://bucket/a").read_bytes()
    module._store_of.cache_clear()
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ArenaError, match=r'obstore is not installed; run: pip install "tagger-arena\[s3\]"'):
        as_path("s3://bucket/a").read_bytes()
