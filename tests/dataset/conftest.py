"""A board on loopback, and pictures with tags beside them, for every test that asks."""

import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.dataset.fetch.booru import Booru, serving
from tests.dataset.sources.kinds import put


@pytest.fixture
def booru(monkeypatch: pytest.MonkeyPatch) -> Iterator[Booru]:
    """An empty board, asked without a proxy."""
    from arena.dataset.fetch import client as fetch_client

    # Reading the certificates of the system takes a tenth of a second a client; the board has none.
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    monkeypatch.setattr(fetch_client, "Client", partial(fetch_client.Client, verify=plain, trust_env=False))
    with serving() as board:
        yield board


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(12):
        put(tmp_path / f"photos/{number:02d}.png", number)
        put(tmp_path / f"photos/{number:02d}.txt", f"all, only {number}, puppy")
    return tmp_path / "photos"
