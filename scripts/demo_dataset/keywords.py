"""Convert the keywords in the drawings' metadata to Danbooru-style tags."""

import gzip
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from arena.tags import TagRelations
from arena.tags.rows import read_csv

SUBJECT = "{http://purl.org/dc/elements/1.1/}subject"
"""Element of the RDF in an SVG that holds the keywords: `dc:subject/rdf:Bag/rdf:li`."""

OTHER_LICENCE = re.compile(
    rb"creativecommons\.org/licenses/(?!publicdomain)|gnu\.org/(licenses|copyleft)|docname=\"[^\"]*GPL"
)
"""Text in an SVG which shows that it is not in the public domain, whatever the library's metadata says."""

NO_WORD = re.compile(r"^(hash\(.*|0x[0-9a-f]+|\d+|.*@.*|https?:.*|www\..*)$")
"""Keywords that are not words: printed Perl hashes, memory addresses, e-mail and web addresses, plain numbers."""

PHRASE_SEPARATOR = re.compile(r"[,;]")
EDGE = " \t\r\n._-:'\"()"


class UnreadableSvgError(ValueError):
    """Raised for an SVG that is not well-formed XML."""


@dataclass(frozen=True)
class TagPolicy:
    """Rules for converting keywords to tags.

    Attributes:
        relations: aliases, implications, blacklist.
        contexts: pairs (name, context): the tag `name` is dropped if the drawing also has the tag `context`.
        categories: category of the tags that are not `general`.
    """

    relations: TagRelations
    contexts: tuple[tuple[str, str], ...]
    categories: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> "TagPolicy":
        """Read the `tag_*.csv` files of a folder."""
        contexts = read_csv(folder / "tag_contexts.csv", ("name", "beside", "reason"))
        categories = read_csv(folder / "tag_categories.csv", ("name", "category"))
        return cls(
            relations=TagRelations.read(folder),
            contexts=tuple((row["name"], row["beside"]) for row in contexts),
            categories={row["name"]: row["category"] for row in categories},
        )

    @cached_property
    def phrases(self) -> frozenset[str]:
        """Names of several words in the lists; any other phrase is split into words."""
        relations = self.relations
        implied = {name for names in relations.implications.values() for name in names}
        names = {
            *relations.aliases,
            *relations.aliases.values(),
            *relations.implications,
            *implied,
            *relations.blacklist,
        }
        return frozenset(name for name in names if "_" in name)

    def names(self, keyword: str) -> list[str]:
        """Return the names in a keyword in Danbooru's form: lower case, underscores; empty if it holds no word."""
        text = unicodedata.normalize("NFKC", keyword).lower().strip()
        if NO_WORD.match(text):
            return []
        found: list[str] = []
        for part in PHRASE_SEPARATOR.split(text):
            phrase = re.sub(r"\s+", "_", part.strip(EDGE))
            found += [phrase] if phrase in self.phrases else [word.strip(EDGE) for word in part.split()]
        return [name for name in found if name and not NO_WORD.match(name)]

    def tags(self, keywords: Iterable[str]) -> set[str]:
        """Return the canonical tags of a drawing and all implied tags, without those ruled out by context or blacklist."""
        canonical = {self.relations.canonical(name) for keyword in keywords for name in self.names(keyword)}
        everything = self._closed(canonical)
        ruled_out = {name for name, context in self.contexts if name in canonical and context in everything}
        return self.relations.close(canonical - ruled_out)

    def category(self, name: str) -> str:
        """Return the category of a tag."""
        return self.categories.get(name, "general")

    def _closed(self, names: set[str]) -> set[str]:
        return names.union(*(self.relations.implications.get(name, ()) for name in names))


class Metadata(NamedTuple):
    """Metadata of an SVG."""

    keywords: list[str]
    """As written, in their order."""
    free: bool
    """Whether it is in the public domain."""


def read_metadata(path: Path) -> Metadata:
    """Read keywords and licence of an SVG file, plain or gzipped.

    Raises:
        UnreadableSvgError: the file is not well-formed XML.
    """
    content = path.read_bytes()
    try:
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, OSError, EOFError, LookupError) as error:
        raise UnreadableSvgError(f"{path}: {error}") from None
    texts = (li.text or "" for subject in root.iter(SUBJECT) for li in subject.iter() if _local_name(li) == "li")
    return Metadata([text.strip() for text in texts if text.strip()], OTHER_LICENCE.search(content) is None)


def _local_name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
