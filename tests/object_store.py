"""Object stores of the tests: fsspec's in memory, and an S3-compatible server on loopback.

The server is moto's. It is not in the extra `dev`, because it needs botocore and twenty other packages, some of them older than
`constraints.txt` has. Where moto or obstore is missing, these tests are skipped.
"""

import secrets
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import fsspec
import pytest

from arena.base.remote import RemotePath, _store_of

STORES = ["memory", pytest.param("s3", marks=pytest.mark.filterwarnings("default"))]


class Bucket(NamedTuple):
    """A bucket of a store."""

    url: str
    protocol: str

    def write(self, name: str, content: bytes) -> RemotePath:
        """Write one object, and return its path."""
        path = RemotePath(self.url) / name
        _store_of(self.protocol).pipe_file(str(path), content)
        return path

    def copy(self, folder: Path) -> RemotePath:
        """Write every file below a folder to the bucket, and return the path of the copy."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.write(f"{folder.name}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        return RemotePath(self.url) / folder.name

    def remove(self, name: str) -> None:
        """Remove one object."""
        _store_of(self.protocol).rm(f"{self.url}/{name}")


@contextmanager
def opened_bucket(protocol: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Make a bucket for the block; skip the test if the packages of its store are not installed."""
    name = f"arena-{secrets.token_hex(4)}"
    _store_of.cache_clear()
    if protocol == "memory":
        yield Bucket(f"memory://{name}", protocol)
        fsspec.filesystem("memory").store.clear()
        return
    pytest.importorskip("obstore", reason="obstore is not installed; it comes with the extra s3")
    server = pytest.importorskip("moto.server", reason="moto[server] is not installed").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    try:
        address = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
        for variable, value in {
            "AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "key",
            "AWS_REGION": "us-east-1",
        }.items():  # fmt: skip
            monkeypatch.setenv(variable, value)
        with urllib.request.urlopen(urllib.request.Request(f"{address}/{name}", method="PUT")):
            pass
        yield Bucket(f"s3://{name}", protocol)
    finally:
        server.stop()
        _store_of.cache_clear()
