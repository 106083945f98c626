"""Shorten local paths in what is recorded or published: folders name users, projects and machines."""

import re
import shlex
from collections.abc import Iterator, Sequence

_URL = re.compile(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]+://")
_ROOTED = re.compile(r"[/\\~]|[A-Za-z]:[/\\]|file:/")
_SEPARATORS = re.compile(r"[/\\]+")
_SHORT_OPTION = re.compile(r"-[A-Za-z](?=[/\\~])")


def last_component(path: str) -> str:
    """Return the last component of a path, with slashes or backslashes.

    >>> last_component("/home/me/run/"), last_component("../set"), last_component("/")
    ('run', 'set', '/')
    """
    return _SEPARATORS.split(path.rstrip("/\\"))[-1] or path


def is_local(path: str) -> bool:
    """Return whether a path starts at a root, a drive or a home folder, or leads out of the current folder.

    >>> [is_local(path) for path in ("/a", "~/a", "C:\\\\a", "a/../../b", "runs/a", "a", "..")]
    [True, True, True, True, False, False, False]
    """
    parts = _SEPARATORS.split(path)
    return bool(_ROOTED.match(path)) or (len(parts) > 1 and ".." in parts)


def shorten_word(word: str) -> str:
    """Return a word of a command with each local path replaced by its last component; other paths, and URLs, stay.

    A path may be the word, the value of `--option=` or `NAME=`, or an item of a list with commas.

    >>> shorten_word("a=/home/me/x.npz,b=../y.npz"), shorten_word("-o/home/me/run"), shorten_word("runs/demo")
    ('a=x.npz,b=y.npz', '-orun', 'runs/demo')
    >>> shorten_word("/home/me,you/a=b/run:wd14"), shorten_word("https://example.org/a")
    ('run:wd14', 'https://example.org/a')
    """
    if _URL.match(word):
        return word
    name, separator, value = word.partition("=")
    if separator and not is_local(name):
        return f"{name}={shorten_word(value)}"
    items = list(_items(word))
    if len(items) > 1:
        return ",".join(map(shorten_word, items))
    option = _SHORT_OPTION.match(word)
    if option:
        return option[0] + last_component(word)
    return last_component(word) if is_local(word) else word


def _items(word: str) -> Iterator[str]:
    """Yield the items of a list with commas; a comma inside a local path, before a further folder, separates nothing."""
    held = ""
    for item in word.split(","):
        parts = _SEPARATORS.split(item)
        continues = is_local(held) and len(parts) > 1 and not is_local(item) and "=" not in parts[0]
        if held and not continues:
            yield held
        held = f"{held},{item}" if continues else item
    yield held


def shorten_words(words: Sequence[str]) -> str:
    """Return words as a command line, quoted for a shell, with local paths shortened."""
    return shlex.join(map(shorten_word, words))


def shorten_command(command: str) -> str:
    """Return a command line with local paths shortened; one that is no command line is shortened at its spaces.

    >>> shorten_command("arena score --scores a=/home/me/a.npz -o runs/a")
    'arena score --scores a=a.npz -o runs/a'
    """
    try:
        return shorten_words(shlex.split(command))
    except ValueError:
        return " ".join(map(shorten_word, command.split(" ")))
