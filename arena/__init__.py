"""arena: which image tagger is better, on which tags, at which threshold, and how sure are we?"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from arena.base.version import __version__ as __version__

if TYPE_CHECKING:
    from arena.pipeline.notebook import Comparison as Comparison
    from arena.pipeline.notebook import compare as compare
    from arena.pipeline.notebook import score as score

# Pillow hands the memory of every picture back; threads that decode then wait for one another to get it again. Read when PIL
# is first loaded.
os.environ.setdefault("PILLOW_BLOCKS_MAX", "16")

_API = ("Comparison", "compare", "score")
"""What a notebook uses; imported when it is asked for, so that `arena --help` stays quick."""


def __getattr__(name: str) -> Any:
    if name in _API:
        return getattr(import_module("arena.pipeline.notebook"), name)
    raise AttributeError(f"module 'arena' has no attribute {name!r}")
