"""Pictures with tags beside them."""

from pathlib import Path

import pytest

from .sources.kinds import put


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(12):
        put(tmp_path / f"photos/{number:02d}.png", number)
        put(tmp_path / f"photos/{number:02d}.txt", f"all, only {number}, puppy")
    return tmp_path / "photos"
