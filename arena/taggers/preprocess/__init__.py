"""Preprocessing of a decoded RGB image: the tagger's square of pixels, and the network's input from it."""

from arena.taggers.preprocess.geometry import MAX_SIDE
from arena.taggers.preprocess.normalise import normalise
from arena.taggers.preprocess.padding import find_padding
from arena.taggers.preprocess.resize import import_resize_library
from arena.taggers.preprocess.square import square

__all__ = ["MAX_SIDE", "find_padding", "import_resize_library", "normalise", "square"]
