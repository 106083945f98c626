"""From canonical RGB to the square of pixels that a tagger wants, and on to its network's numbers."""

from arena.taggers.preprocess.geometry import MAX_SIDE
from arena.taggers.preprocess.normalise import normalise
from arena.taggers.preprocess.padding import padding_of
from arena.taggers.preprocess.resize import need_library
from arena.taggers.preprocess.square import square

__all__ = ["MAX_SIDE", "need_library", "normalise", "padding_of", "square"]
