"""Forms in which a text holds several tags, and the choice of one form for each place of a source.

A single text is often ambiguous (`blue eyes` is one tag or two), a whole source rarely is. So a source is read twice. First
the forms of its texts are counted; then every text of one place (the text files, a column, a key) is split in the most
frequent form.
"""

import ast
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from arena.base.errors import ArenaError
from arena.base.format import listed, plural, shown
from arena.dataset.records import RowRefusedError
from arena.tags.spelling import canonical_spelling, decode_entities

AUTO = "auto"
"""Value of `--separator` that chooses the most frequent form of each place."""

_COMMA = re.compile(r"(?<!>),|,(?!<)|[，、]")  # >,< is a kaomoji
_BAR = re.compile(r"[^\W_)]\s*\|\s*[^\W_(]")
_AT_BARS = re.compile(r"(?<![_|\\])\|(?![_|/])")  # |_| and \||/ are kaomoji
_SEMICOLON = re.compile(r"(?:(?<=[^\W_])|(?<=\)));(?:\s+|$)")
_TIGHT_SEMICOLON = re.compile(r"(?<=[^\W_]);(?=[^\W_])")
_QUOTED = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_PYTHON_LIST = re.compile(rf"\s*[\[({{]\s*(?:{_QUOTED}(?:\s*,\s*|\s+|(?=\s*[\])}}])))*[\])}}]\s*", re.DOTALL)
_BROKEN_LIST = re.compile(r"""\s*(?:array\()?[\[({][\s\[({]*['"]\w""")
_WEIGHTED = re.compile(r"(?<![\\\w])\(((?:\\.|[^()\\])+?):\s*\d+(?:\.\d+)?\s*\)")
_ADDRESS = re.compile(r"\s*(?:source:\s*)?https?://", re.IGNORECASE)
_MARKED = re.compile(r"[a-z]+:\S|\S*[^\W_]_[^\W_]")
_EMPHASIS = re.compile(
    r"(?<![\\\w(])\(\(+([^()\\]*)\)\)+|(?<![\\\w\[])\[+([^\[\]\\]*)\]+(?!\w)|(?<![\\\w{])\{+([^{}\\]*)\}+(?!\w)"
)
_NETWORK = re.compile(r"<(?:lora|lyco|hypernet):[^<>]*>")
_ARTICLES = re.compile(r"\b(?:a|an|the|is|are|with|of|in|on|and|her|his|their)\b", re.IGNORECASE)

_MIN_WORDS, _MIN_SENTENCE_WORDS = 3.0, 4
"""Mean words from which texts without a separator are lists of tags; words from which a text with a full stop is a sentence."""

_MAX_NESTED = 4
"""Depth of nested brackets with weights that are removed."""

_MIN_CLASS_TEXTS = 4
"""Number of texts of several words from which repetition shows that each text is the name of a class, which is one tag."""

_LONG_PART_WORDS = 7
"""Words of a part between commas from which the text is prose; the longest common tags of booru sites have six."""


_CUT_NAMES = (
    "no text has an underscore, so names with spaces are cut into words, if there are any; then write the texts again with a "
    "separator (in Grabber %all:separator=\\n%)"
)
"""Note on texts of words without an underscore."""


class TagForm(NamedTuple):
    """One way to write several tags in a text.

    Attributes:
        title: description, such as "separated by commas".
        fits: returns whether a text is certainly in this form.
        split: splits a text; the parts may be empty or contain spaces.
    """

    title: str
    fits: Callable[[str], bool]
    split: Callable[[str], list[str]]


def _json_list(text: str) -> list[str] | None:
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) and all(isinstance(one, str) for one in value) else None


def _python_list(text: str) -> list[str]:
    return [str(ast.literal_eval(quoted)) for quoted in re.findall(_QUOTED, text, re.DOTALL)]


def _has_commas(text: str) -> bool:
    return 0 < len(_COMMA.findall(text)) >= text.strip().count("\n")


def _at_commas(text: str) -> list[str]:
    return [part for line in text.splitlines() for part in _COMMA.split(line)]


def _has_lines(text: str) -> bool:
    return "\n" in text.strip() and not any(map(_is_spaced, text.splitlines()))


def _has_spaces(text: str) -> bool:
    return len(text.split()) > 1 and ("_" in text or any(map(_is_spaced, text.splitlines())))


def _is_spaced(line: str) -> bool:
    """Return whether two words with an underscore or a namespace show that spaces separate the tags of a line.

    >>> [_is_spaced(line) for line in ("artist:a character:b", "long_hair blue_eyes", "artist:a b", "series:re:zero")]
    [True, True, False, False]
    """
    return sum(1 for word in line.split() if _MARKED.match(word)) > 1


def _at_semicolons(text: str) -> list[str]:
    """Return the parts of a text between semicolons; a name such as `steins;gate` is one part."""
    plain = decode_entities(text.strip())
    if _SEMICOLON.search(plain):
        return _SEMICOLON.split(plain)
    tight = _TIGHT_SEMICOLON.split(plain)
    return tight if len(tight) > 2 and not re.search(r"\s", plain) else [plain]


FORMS: Mapping[str, TagForm] = {
    "json": TagForm("as JSON lists", lambda text: _json_list(text) is not None, lambda text: _json_list(text) or []),
    "python": TagForm("as Python or NumPy lists", lambda text: bool(_PYTHON_LIST.fullmatch(text)), _python_list),
    "comma": TagForm("separated by commas", _has_commas, _at_commas),
    "line": TagForm("one per line", _has_lines, str.splitlines),
    "bar": TagForm("separated by bars", lambda text: bool(_BAR.search(text)), _AT_BARS.split),
    "semicolon": TagForm("separated by semicolons", lambda text: len(_at_semicolons(text)) > 1, _at_semicolons),
    "space": TagForm("separated by spaces", _has_spaces, str.split),
}  # fmt: skip
"""Name, which is a value of `--separator` -> form. A text counts for the first form that it fits."""

LIST_FORMS = ("json", "python")
"""Forms that are unambiguous: a text that fits one is read in it, whatever the form of its place."""

SEPARATORS = (AUTO, *FORMS)
"""Values of `--separator`."""


@dataclass
class TextTally:
    """Counts of the texts of one place, by form. A text is undecided if it fits no form and has several words.

    Attributes:
        votes: form -> number of texts that fit it.
        texts: number of texts that are not empty.
        undecided: number of undecided texts.
        undecided_words: number of their words.
        undecided_hashes: hashes of the different ones; if there are few, each text is the name of a class.
        prose: number of texts that are sentences.
        sentence: the first of these; empty if there is none.
        default: form of undecided texts, if nothing shows whether they are one tag or several.
    """

    votes: Counter[str] = field(default_factory=Counter)
    texts: int = 0
    undecided: int = 0
    undecided_words: int = 0
    undecided_hashes: set[int] = field(default_factory=set)
    prose: int = 0
    sentence: str = ""
    default: str = "space"

    def add(self, text: str) -> None:
        """Count one text."""
        if not text.strip():
            return
        self.texts += 1
        form = fitting_form(text)
        if form not in LIST_FORMS and is_prose(text):
            self.prose += 1
            self.sentence = self.sentence or " ".join(text.split())
        if form:
            self.votes[form] += 1
        elif (words := len(text.split())) > 1:
            self.undecided += 1
            self.undecided_words += words
            self.undecided_hashes.add(hash(text.strip()))

    @property
    def may_cut_names(self) -> bool:
        """Whether texts are split at spaces without a sign that tags have none, such as an underscore in any text."""
        return not self.votes and self.undecided > 1 and self.best_form() == "space"

    def best_form(self) -> str:
        """Return the most frequent form; if no text fits one: `line` for class names, `space` for lists, else `default`."""
        if self.votes:
            return max(FORMS, key=lambda name: self.votes[name])
        if self.undecided >= _MIN_CLASS_TEXTS and len(self.undecided_hashes) <= self.undecided / 2:
            return "line"
        return "space" if self.undecided_words >= _MIN_WORDS * max(1, self.undecided) else self.default


def fitting_form(text: str) -> str:
    """Return the first form that a text fits; empty if it fits none, such as a text of one word."""
    return next((name for name, form in FORMS.items() if form.fits(text)), "")


def is_prose(text: str) -> bool:
    """Return whether a text is a sentence instead of tags.

    >>> [is_prose(text) for text in ("A girl with long hair.", "1girl, long hair, looking at viewer", "very long hair")]
    [True, False, False]
    """
    if "_" in text or not _ARTICLES.search(text):
        return False
    longest = max(len(part.split()) for part in re.split(r"[,.;\n]", text))
    return longest >= _LONG_PART_WORDS or (text.rstrip().endswith((".", "!")) and longest >= _MIN_SENTENCE_WORDS)


def _unemphasised(match: re.Match[str]) -> str:
    """Return the text in the brackets; the whole match if it has no two letters in a row, as in a kaomoji."""
    inner = next(part for part in match.groups() if part is not None)
    return inner if re.search(r"[^\W_]{2}", inner) else match[0]


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf"


class TagForms:
    """The forms of a source's texts, by place.

    While `recognising` is true, every text is counted. `decide` ends the recognition; then each place has one form.

    Args:
        name: one of `SEPARATORS`; any other than `auto` is the form of every text.

    Attributes:
        recognising: whether texts are counted.
    """

    def __init__(self, name: str = AUTO) -> None:
        self.name = name
        self.recognising = False
        self._tallies: dict[str, TextTally] = {}
        self._chosen: dict[str, str] = {}
        self._names: Counter[str] = Counter()
        self._case: dict[str, str] = {}
        self._cleaned: Counter[str] = Counter()
        self._layouts: list[str] = []

    def split(self, text: str, place: str = "", default: str = "space") -> list[str]:
        """Return the tags in a text, in the canonical spelling, each once, in order.

        Args:
            place: the column, key or kind of file that contains the text.
            default: form of a text with several words, if the source does not show whether they are one tag.

        Raises:
            RowRefusedError: the text is a list that cannot be read, or not the list that `name` asks for.
        """
        form = self._form(text, place, default)
        if form == self.name and form in LIST_FORMS and text.strip() and not FORMS[form].fits(text):
            raise RowRefusedError("unreadable row", f"tags that are not {FORMS[form].title}: {shown(text[:60])}")
        if form not in LIST_FORMS:
            if _BROKEN_LIST.match(text) and self.name == AUTO:
                raise RowRefusedError("unreadable row", f"a list of tags that cannot be read: {shown(text[:60])}")
            text = self._without_weights(text)
        return self.names(FORMS[form].split(text))

    def names(self, parts: list[str]) -> list[str]:
        """Return names in the canonical spelling, each once, without empty ones and web addresses.

        After `decide`, names that differ only in capitals are one name: the most frequent.
        """
        found = []
        for part in parts:
            if _ADDRESS.match(part):
                self._cleaned["web addresses"] += self.recognising
                continue
            name = canonical_spelling(part)
            if self.recognising:
                self._names[name] += 1
                self._cleaned["HTML entities"] += decode_entities(part) != part
                self._cleaned["invisible characters"] += not part.isascii() and any(map(_is_invisible, part))
            found.append(self._case.get(name, name))
        return list(dict.fromkeys(filter(None, found)))

    def decide(self) -> None:
        """End the recognition; choose the form of each place, and one spelling of names that differ only in capitals.

        Raises:
            ArenaError: most texts of a place are sentences.
        """
        self.recognising = False
        for place, tally in self._tallies.items():
            if tally.prose > tally.texts / 2:
                raise ArenaError(
                    f"{place}: {tally.prose:,} of {tally.texts:,} texts are sentences, not tags, such as "
                    f"{shown(tally.sentence)!r}; name the tags with --tags-column or remove these texts, or choose a "
                    "form with --separator to read them as tags"
                )
            if tally.votes or tally.undecided:
                self._chosen[place] = tally.best_form()
        self._choose_capitals()

    def _choose_capitals(self) -> None:
        """Map each name to the most frequent of those that differ from it only in capitals; ties: lower case, then the last."""
        by_case: dict[str, list[str]] = {}
        for name in self._names:
            by_case.setdefault(name.lower(), []).append(name)
        for lower, names in by_case.items():
            if len(names) > 1:
                kept = max(names, key=lambda name: (self._names[name], name == lower, name))
                self._case |= {name: kept for name in names if name != kept}
        self._names.clear()

    def describe(self, layout: str) -> None:
        """Record how a source holds its tags other than in texts, such as "one tag per column"."""
        if layout not in self._layouts:
            self._layouts.append(layout)

    def recognised(self) -> list[str]:
        """Return one line on each layout, and one on the form of each place, or on the form that the user chose."""
        found = [f"tags: {layout}" for layout in self._layouts]
        if self.name != AUTO:
            return [*found, f"tags: {FORMS[self.name].title} (--separator {self.name})"]
        for place, form in self._chosen.items():
            tally = self._tallies[place]
            others = {name: count for name, count in tally.votes.items() if name not in (form, *LIST_FORMS)}
            texts = plural(tally.texts, "text", "texts")
            reason = f"{tally.votes[form]:,} of {texts}" if tally.votes else f"no separator in {texts}"
            also = "".join(f"; {count:,} look {FORMS[name].title}" for name, count in others.items())
            found.append(f"tags in {place!r}: {FORMS[form].title} ({reason}{also})")
        return found

    def notes(self) -> list[str]:
        """Return the lines of `recognised` with the fix, one on what was cleaned, and one on merged names."""
        fix = "; --separator chooses another form"
        lines = self.recognised() if self.name == AUTO else []
        found = [line + fix * line.startswith("tags in ") for line in lines]
        found += [f"{place!r}: {_CUT_NAMES}" for place in self._chosen if self._may_cut_names(place)]
        if cleaned := [f"{what} ({count:,})" for what, count in self._cleaned.items() if count]:
            found.append(f"tags: cleaned of {listed(cleaned)}")
        if self._case:
            old, new = min(self._case.items())
            names = plural(len(self._case), "name that differs", "names that differ")
            found.append(f"tags: merged {names} from another only in capitals, such as {old} into {new}")
        return found

    def _may_cut_names(self, place: str) -> bool:
        """Return whether names with spaces may have been cut; a `tag_string` of a site has none."""
        return self._tallies[place].may_cut_names and not place.startswith("tag_string")

    def _form(self, text: str, place: str, default: str) -> str:
        """Return the form of a text, and count the text while `recognising`."""
        if self.name != AUTO:
            return self.name
        fits = fitting_form(text)
        if self.recognising:
            self._tallies.setdefault(place, TextTally(default=default)).add(text)
        if fits in LIST_FORMS:
            return fits
        form = self._chosen.get(place, "")
        if not form:  # before the decision, or in a place that had no text before it
            tally = TextTally(default=default)
            tally.add(text)
            form = tally.best_form()
        return form if form not in LIST_FORMS else fits or default

    def _without_weights(self, text: str) -> str:
        """Return a prompt without weights and networks, such as `1girl, hat` for `(1girl:1.2), {{hat}}, <lora:x:1>`."""
        found = _NETWORK.sub("", text) if "<" in text else text
        for _ in range(_MAX_NESTED if ":" in found else 0):
            found = _WEIGHTED.sub(r"\1", found)
        found = _EMPHASIS.sub(_unemphasised, found)
        if self.recognising and found != text:
            self._cleaned["weights"] += 1
        return found
