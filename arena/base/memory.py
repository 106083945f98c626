"""How the C library of this process handles memory that was freed."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's `mallopt`."""

_LARGEST_KEPT_BYTES = 32 << 20
"""Largest piece of memory that is kept; glibc accepts no larger value."""

_KEPT_BYTES = 256 << 20
"""Most free memory that is kept."""


def keep_freed_memory() -> bool:
    """Keep memory that is freed, instead of returning it to the system; return whether the C library can.

    By default the pixels of every picture are in new pages, which the system clears first. This takes up to a quarter of the
    time of a process that decodes one picture after the other.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES) and mallopt(_TRIM_THRESHOLD, _KEPT_BYTES))
