"""Resize an image with a filter of Pillow, OpenCV or torch.

OpenCV and torch are imported only when a card names them.
"""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import numpy as np
from PIL import Image

from arena.base.errors import ArenaError
from arena.base.extras import install_command
from arena.images.decode import RGB

Canvas = RGB | Image.Image
"""An image between two steps. With Pillow it stays a Pillow image: copies to an array and back would take a sixth of the total
time (3 of 18 ms for 1024 to 448 pixels)."""


class ImageSides(NamedTuple):
    """Height and width, pixels."""

    height: int
    width: int


_PIL = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
    "nearest": Image.Resampling.NEAREST,
}

_OPENCV = {
    "bicubic": "INTER_CUBIC",
    "bilinear": "INTER_LINEAR",
    "lanczos": "INTER_LANCZOS4",
    "area": "INTER_AREA",
    "nearest": "INTER_NEAREST",
}

_LIBRARY_MODULES = {"pil": "PIL.Image", "opencv": "cv2", "torch": "torch"}
"""The module of each library."""

_INSTALL_HINTS = {
    "pil": "Pillow; run: pip install pillow",
    "opencv": f"opencv-python-headless; run: {install_command('opencv')}",
    "torch": f"torch; run: {install_command('torch')}",
}
"""Name of each library's package, and the command that installs it."""


def import_resize_library(library: str) -> ModuleType:
    """Import and return the module of a resize library.

    Raises:
        ArenaError: the library is not installed.
    """
    try:
        return import_module(_LIBRARY_MODULES[library])
    except ImportError as error:
        raise ArenaError(f'library = "{library}": needs {_INSTALL_HINTS[library]} ({error})') from None


def resize(picture: Canvas, height: int, width: int, *, filter_name: str, library: str) -> Canvas:
    """Return an image in another size; an image that already has it is returned unchanged.

    Args:
        picture: uint8 (h, w, 3), or a Pillow image if the library is Pillow.
        height, width: the new size, pixels.
        filter_name: one of `arena.cards.pixels.FILTERS` of the library.

    Raises:
        ArenaError: the library is not installed.
    """
    if height_and_width(picture) == (height, width):
        return picture
    return _RESIZERS[library](picture, height, width, filter_name)


def height_and_width(picture: Canvas) -> ImageSides:
    """Return the height and width of a canvas."""
    if isinstance(picture, Image.Image):
        return ImageSides(picture.height, picture.width)
    return ImageSides(picture.shape[0], picture.shape[1])


def _pil(picture: Canvas, height: int, width: int, filter_name: str) -> Canvas:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    return image.resize((width, height), _PIL[filter_name])


def _opencv(picture: Canvas, height: int, width: int, filter_name: str) -> Canvas:
    cv2 = import_resize_library("opencv")
    resized: RGB = cv2.resize(np.asarray(picture), (width, height), interpolation=getattr(cv2, _OPENCV[filter_name]))
    return resized


def _torch(picture: Canvas, height: int, width: int, filter_name: str) -> Canvas:
    torch = import_resize_library("torch")
    tensor = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(tensor, size=(height, width), mode=filter_name, antialias=True)
    return np.ascontiguousarray(resized[0].permute(1, 2, 0).numpy())


_RESIZERS: dict[str, Callable[[Canvas, int, int, str], Canvas]] = {"pil": _pil, "opencv": _opencv, "torch": _torch}
