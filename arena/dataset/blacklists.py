"""Bundled blacklists of tags."""

from collections.abc import Mapping
from pathlib import Path

from arena.base.errors import ArenaError, nearest
from arena.cards import roots

BLACKLISTS: Mapping[str, str] = {"danbooru-meta": "danbooru_meta.csv"}
"""Blacklists that ship with the project, by the name that an option takes -> file below `datasets/`."""


def find_blacklist(spec: str, root: Path | None = None) -> Path:
    """The file of a blacklist that ships with the project, by its name, or any file by its path.

    Raises:
        ArenaError: neither; the nearest names are suggested.
    """
    if spec in BLACKLISTS:
        places = [place / "datasets" / BLACKLISTS[spec] for place in roots(root)]
        return next((place for place in places if place.exists()), places[-1])
    if not Path(spec).is_file():
        raise ArenaError(
            f"--blacklist {spec}: no such file, and no blacklist of that name. {nearest(spec, BLACKLISTS)}"
        )
    return Path(spec)
