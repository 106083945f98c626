"""Bundled blacklists of tags."""

from collections.abc import Mapping
from pathlib import Path

from arena.base.errors import ArenaError, nearest
from arena.cards import roots

BLACKLISTS: Mapping[str, str] = {"danbooru-meta": "danbooru_meta.csv"}
"""Name of each bundled blacklist, as `--blacklist` takes it -> file below `datasets/`."""


def find_blacklist(spec: str, root: Path | None = None) -> Path:
    """Return the file of a bundled blacklist by name, or any file by path.

    Raises:
        ArenaError: no bundled blacklist and no file of that name; the message suggests the nearest names.
    """
    if spec in BLACKLISTS:
        places = [place / "datasets" / BLACKLISTS[spec] for place in roots(root)]
        return next((place for place in places if place.exists()), places[-1])
    if not Path(spec).is_file():
        raise ArenaError(
            f"--blacklist {spec}: no such file, and no bundled blacklist of that name. {nearest(spec, BLACKLISTS)}"
        )
    return Path(spec)
