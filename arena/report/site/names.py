"""Names of runs, models and tags in URLs: permanent, and valid on every file system."""

import hashlib
import re

from arena.base.provenance import DIGEST, digest
from arena.results.run_folder import Result
from arena.results.written import FILES

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_()-]{0,79}")
_OTHER = re.compile(r"[^a-z0-9_]+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

_RESERVED = frozenset(
    ["index", "con", "prn", "aux", "nul", *(f"{device}{number}" for device in ("com", "lpt") for number in range(10))]
)
"""Device names that Windows reserves, with any suffix, and the name of the index page."""

MOST_LETTERS = 40
"""Largest number of characters kept of a name that is not plain; a digest makes it unique."""


def slug(name: str) -> str:
    """Return a name as a part of a URL and of a file path.

    A name of lower-case letters, digits, `_`, `-` and round brackets is unchanged. Any other name is reduced to letters,
    digits, `_` and `-`, and `~` and a digest are added; no plain name contains `~`. So two names never share a file, on any
    file system, and no name leaves its folder.

    >>> slug("1girl"), slug("hatsune_miku_(vocaloid)")
    ('1girl', 'hatsune_miku_(vocaloid)')
    >>> slug("Cat"), slug("../../x"), slug("con"), slug("猫")
    ('cat~48735c4fae42d150', 'x~9cdf6a50100a862e', 'con~1143da2bc54c495c', 'n~a810bf845a307382')
    """
    if _PLAIN.fullmatch(name) and name not in _RESERVED:
        return name
    letters = _OTHER.sub("-", name.lower())[:MOST_LETTERS].strip("-_") or "n"
    return f"{letters}~{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def run_id(result: Result) -> str:
    """Return the id of a run in URLs: its date, and a digest of its provenance and results.

    The id stays the same if the run is rendered again. Another run has another id, even with an equal signature.
    """
    created = result.recipe.created[:10]
    date = created if _DATE.fullmatch(created) else "undated"
    run = {
        key: value for key, value in result.run.items() if key not in (FILES, DIGEST)
    }  # they change with the reports
    return f"{date}-{digest({'run': run, 'summary': result.summary})[:12]}"
