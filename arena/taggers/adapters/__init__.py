"""Adapters: one module per kind of checkpoint, with `load(card, files, *, device, precision)`, which returns a `Tagger`.

A module and its library are imported only when a card names it.
"""

from importlib import import_module
from types import ModuleType


def adapter_module(name: str) -> ModuleType:
    """Return the module of one of the project's own adapters, by its name in a card."""
    return import_module(f"{__name__}.{name}")
