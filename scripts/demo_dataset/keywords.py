"""From the keywords that people wrote into their drawings to Danbooru-style tags."""

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
"""Where an SVG's RDF keeps keywords: `dc:subject/rdf:Bag/rdf:li`."""

OTHER_LICENCE = re.compile(
    rb"creativecommons\.org/licenses/(?!publicdomain)|gnu\.org/(licenses|copyleft)|docname=\"[^\"]*GPL"
)
"""Signs, anywhere in an SVG, that its author did not give it to the public domain, whatever the library's form says."""

NO_WORD = re.compile(r"^(hash\(.*|0x[0-9a-f]+|\d+|.*@.*|https?:.*|www\..*)$")
"""Keywords that are no words: printed Perl hashes, addresses in memory or on the web, bare numbers."""

PHRASE_SEPARATOR = re.compile(r"[,;]")
EDGE = " \t\r\n._-:'\"()"


class UnreadableSvgError(ValueError):
    """An SVG that is no well-formed XML."""


@dataclass(frozen=True)
class TagPolicy:
    """How keywords become tags.

    Attributes:
        relations: aliases, implications, blacklist.
        contexts: (name, beside): the keyword `name` says nothing seen where `beside` holds too.
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
        """Names of several words that the lists know; any other phrase is taken word by word."""
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
        """Spellings in a keyword, in Danbooru's form: lower case, underscores; none where it holds no word."""
        text = unicodedata.normalize("NFKC", keyword).lower().strip()
        if NO_WORD.match(text):
            return []
        found: list[str] = []
        for part in PHRASE_SEPARATOR.split(text):
            phrase = re.sub(r"\s+", "_", part.strip(EDGE))
            found += [phrase] if phrase in self.phrases else [word.strip(EDGE) for word in part.split()]
        return [name for name in found if name and not NO_WORD.match(name)]

    def tags(self, keywords: Iterable[str]) -> set[str]:
        """Canonical tags of one drawing, with all that they imply, less what its context or the blacklist rules out."""
        canonical = {self.relations.canonical(name) for keyword in keywords for name in self.names(keyword)}
        everything = self._closed(canonical)
        ruled_out = {name for name, beside in self.contexts if name in canonical and beside in everything}
        return self.relations.close(canonical - ruled_out)

    def category(self, name: str) -> str:
        """The category of a tag."""
        return self.categories.get(name, "general")

    def _closed(self, names: set[str]) -> set[str]:
        return names.union(*(self.relations.implications.get(name, ()) for name in names))


class Metadata(NamedTuple):
    """What an SVG says of its drawing: keywords as written, in their order; whether it is in the public domain."""

    keywords: list[str]
    free: bool


def read_metadata(path: Path) -> Metadata:
    """Keywords and licence of an SVG file; gzipped files are read too.

    Raises:
        UnreadableSvgError: no well-formed XML.
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
