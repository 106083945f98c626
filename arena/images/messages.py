"""What image libraries print while a picture is decoded: collected with the name of the picture, instead of on the terminal.

Pillow issues Python warnings and log records. libtiff, which it uses, writes to standard error from C; its handlers of errors
and warnings are set to write log records too. No other library of Pillow prints.
"""

import ctypes
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from arena.base.format import clipped, one_line, plural
from arena.images.in_flight import current_picture

_EXAMPLES = 3
"""Largest number of messages that the line of a summary repeats."""

_PILLOW = "PIL"
"""Name of Pillow's loggers, and of its modules."""

_LIBTIFF = logging.getLogger(f"{_PILLOW}.libtiff")

_TEXT_BYTES = 500
"""Largest length of a message of libtiff; the rest is cut."""

_UNNAMED = b"tempfile.tif"
"""Name that Pillow gives to every file that libtiff decodes."""


@dataclass
class LibraryMessages:
    """Messages of libraries on pictures.

    Attributes:
        counts: name of a picture -> number of messages.
        examples: the first messages, each of another picture, with its name.
    """

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, picture: str, text: str) -> None:
        """Add one message."""
        self.counts[picture] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.setdefault(picture, text)

    def merge(self, other: "LibraryMessages") -> None:
        """Add the messages of another process."""
        self.counts.update(other.counts)
        for picture, text in other.examples.items():
            if len(self.examples) < _EXAMPLES:
                self.examples.setdefault(picture, text)

    @property
    def line(self) -> str:
        """One line about all messages; empty without any.

        >>> found = LibraryMessages()
        >>> found.add("a.tif", "bad strip")
        >>> found.line
        'image libraries: 1 message on 1 image; a.tif: bad strip'
        """
        if not self.counts:
            return ""
        total = f"{plural(self.counts.total(), 'message', 'messages')} on {plural(len(self.counts), 'image', 'images')}"
        shown = [f"{_end_of(name)}: {clipped(text)}" for name, text in self.examples.items()]
        return one_line("; ".join([f"image libraries: {total}", *shown]))


def _end_of(name: str, length: int = 60) -> str:
    return name if len(name) <= length else f"…{name[1 - length :]}"


_collecting: list[LibraryMessages] = []
"""Collections that are open, the innermost last."""


@contextmanager
def collect_library_messages() -> Iterator[LibraryMessages]:
    """Collect the messages on pictures that any thread decodes in the block; all other warnings and log records are shown.

    Enter the block before threads are started: it changes the warning filters of the process.
    """
    found, log = LibraryMessages(), logging.getLogger(_PILLOW)
    handler = _Handler(found)
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=UserWarning, module=rf"{_PILLOW}\.")  # Python shows each place once
        setattr(warnings, "showwarning", partial(_show_warning, found, warnings.showwarning))  # noqa: B010
        log.addHandler(handler)
        _collecting.append(found)
        try:
            yield found
        finally:
            _collecting.remove(found)
            log.removeHandler(handler)


def add_library_messages(other: LibraryMessages) -> None:
    """Add the messages of a worker process to the open collection; without one, log them."""
    if _collecting:
        _collecting[-1].merge(other)
    elif other.line:
        logging.getLogger(_PILLOW).warning("%s", other.line)


class _Handler(logging.Handler):
    """Collects the log records of the thread's picture; the others go where they would go without it."""

    def __init__(self, found: LibraryMessages) -> None:
        super().__init__(logging.WARNING)
        self.found = found

    def emit(self, record: logging.LogRecord) -> None:
        picture = current_picture()
        if picture is not None:
            self.found.add(picture, record.getMessage())
        elif logging.lastResort is not None:
            logging.lastResort.handle(record)


def _show_warning(
    found: LibraryMessages, show: Callable[..., None], message: Warning | str, *place: Any, **more: Any
) -> None:
    """Replace `warnings.showwarning`: collect a warning on the thread's picture, show any other."""
    picture = current_picture()
    if picture is None:
        show(message, *place, **more)
    else:
        found.add(picture, str(message))


_HandlerOfLibtiff = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
"""A handler of libtiff: name of the file or function, format, arguments (`va_list`)."""


@cache
def log_messages_of_libtiff(library: str) -> object:
    """Make libtiff write log records instead of lines on standard error, if a library is linked to it dynamically.

    Args:
        library: path of a loaded library that uses libtiff, such as that of Pillow.

    Returns: what must exist as long as libtiff is used; the cache keeps it.
    """
    try:
        loaded = ctypes.CDLL(library)
        setters = (loaded.TIFFSetErrorHandler, loaded.TIFFSetWarningHandler)
        write_formatted = loaded.vsnprintf
    except (OSError, AttributeError):
        return None

    def log(module: bytes | None, text: bytes, arguments: int) -> None:
        buffer = ctypes.create_string_buffer(_TEXT_BYTES)
        write_formatted(buffer, ctypes.c_size_t(_TEXT_BYTES), text, ctypes.c_void_p(arguments))
        names = ["libtiff", *([] if module in (None, _UNNAMED) else [_text(module)]), _text(buffer.value)]
        _LIBTIFF.warning("%s", ": ".join(names))

    handler = _HandlerOfLibtiff(log)
    for setter in setters:
        setter.restype = ctypes.c_void_p
        setter(handler)
    return handler


def _text(content: bytes | None) -> str:
    return (content or b"").decode("utf-8", "replace")
