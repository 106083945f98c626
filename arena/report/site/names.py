"""What runs, models and tags are called in addresses: the same for ever, on every file system, whatever the name."""

import hashlib
import re

from arena.base.provenance import digest
from arena.results.run_folder import Result

_PLAIN = re.compile(r"[a-z0-9][a-z0-9_()-]{0,79}")
_OTHER = re.compile(r"[^a-z0-9_]+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")

_RESERVED = frozenset(
    ["index", "con", "prn", "aux", "nul", *(f"{device}{number}" for device in ("com", "lpt") for number in range(10))]
)
"""What Windows keeps for devices, with any suffix; and the name of the index itself."""

MOST_LETTERS = 40
"""Of a name that cannot stand as it is; its digest tells it from every other."""


def slug(name: str) -> str:
    """A name as a part of an address and the name of a file.

    A name of small letters, digits, `_`, `-` and brackets stands as it is. Any other is cut down to these and told apart by a
    digest after `~`, which no plain name holds; so two names share a file on no file system, and none leaves its folder.

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
    """The address of a run: its date, and a digest of its provenance and figures.

    Rendering a run again does not move it. Another run, even of the same signature, has another address.
    """
    created = result.recipe.created[:10]
    date = created if _DATE.fullmatch(created) else "undated"
    return f"{date}-{digest({'run': result.run, 'summary': result.summary})[:12]}"
