"""One picture to another size, by the filter of one of three libraries.

OpenCV and torch are imported when a card asks for them.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

import numpy as np
from PIL import Image

from arena.errors import ArenaError
from arena.images import RGB

_PIL = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "nearest": Image.Resampling.NEAREST,
}

_OPENCV = {
    "bicubic": "INTER_CUBIC",
    "bilinear": "INTER_LINEAR",
    "lanczos": "INTER_LANCZOS4",
    "area": "INTER_AREA",
    "nearest": "INTER_NEAREST",
}

MODULES = {"pil": "PIL.Image", "opencv": "cv2", "torch": "torch"}
"""The module of each library."""

INSTALL = {
    "pil": "Pillow; run: pip install pillow",
    "opencv": 'opencv-python-headless; run: pip install "arena[opencv]"',
    "torch": "torch; run: pip install torch",
}
"""How each library is had."""


def need_library(library: str) -> ModuleType:
    """The library that resizes, imported now.

    Raises:
        ArenaError: it is not installed.
    """
    try:
        return import_module(MODULES[library])
    except ImportError as error:
        raise ArenaError(f'library = "{library}": needs {INSTALL[library]} ({error})') from None


def resize(pixels: RGB, height: int, width: int, *, filter_name: str, library: str) -> RGB:
    """A picture of another size; one that has it already comes back as it is.

    Args:
        filter_name: one of `arena.cards.pixels.FILTERS` of the library.

    Returns: uint8 (height, width, 3).

    Raises:
        ArenaError: the library is not installed.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    return _RESIZERS[library](pixels, height, width, filter_name)


def _pil(pixels: RGB, height: int, width: int, filter_name: str) -> RGB:
    return np.asarray(Image.fromarray(pixels).resize((width, height), _PIL[filter_name]))


def _opencv(pixels: RGB, height: int, width: int, filter_name: str) -> RGB:
    cv2 = need_library("opencv")
    resized: RGB = cv2.resize(pixels, (width, height), interpolation=getattr(cv2, _OPENCV[filter_name]))
    return resized


def _torch(pixels: RGB, height: int, width: int, filter_name: str) -> RGB:
    torch = need_library("torch")
    tensor = torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(tensor, size=(height, width), mode=filter_name, antialias=True)
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())


_RESIZERS: dict[str, Callable[[RGB, int, int, str], RGB]] = {"pil": _pil, "opencv": _opencv, "torch": _torch}
