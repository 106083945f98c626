"""Recognise image files by suffix or by their first bytes, and load the decoders that Pillow does not include."""

import importlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from PIL import features

from arena.base.extras import install_command

IMAGE_SUFFIXES = frozenset({
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif",
    ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif", ".jxl", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".tga",
    ".icb", ".vda", ".vst", ".psd", ".qoi", ".dds", ".ico", ".cur", ".icns", ".pcx", ".dcx", ".pbm", ".pgm", ".ppm", ".pnm",
    ".pfm", ".sgi", ".rgb", ".rgba", ".bw", ".ras", ".fli", ".flc", ".blp", ".ftc", ".ftu", ".fit", ".fits", ".gbr", ".im",
    ".msp", ".pcd", ".pxr", ".xbm", ".xpm", ".imt", ".p7", ".spider", ".fpx", ".eps", ".ps", ".wmf", ".emf",
})  # fmt: skip
"""Suffixes that a folder scan treats as images; a file with another suffix, or none, is recognised by its first bytes."""

HEAD_BYTES = 32
"""Number of first bytes from which a format is recognised."""

_SIGNATURES = (
    b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"8BPS\0\1",
    b"\0\0\0\x0cjP  \r\n\x87\n", b"\xffO\xffQ\0", b"qoif", b"DDS |\0\0\0", b"icns\0",
    b"\1\xda\0\1", b"\1\xda\1\1", b"Y\xa6j\x95", b"\x80\xe8\0\0",
    b"P7 332", b"\0\0\0\0\0\0\0\4",
)  # fmt: skip
"""First bytes of image formats; they are long enough that files of other formats do not start with them."""

_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}
"""Sizes of the second header of a BMP, in bytes; the size is at offset 14, because `BM` alone is too short a signature."""

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_JXL_HEADS = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")


def _register_heif() -> None:
    importlib.import_module("pillow_heif").register_heif_opener()


_NON_IMAGES = {
    b"version https://git-lfs": "a Git LFS pointer, not its file; run: git lfs pull",
    b"../": "the text of a link, not its target; restore the links",
    b"<!doctype html": "an HTML page; fetch the file again",
    b"<html": "an HTML page; fetch the file again",
    b"<svg": "an SVG drawing, which has no pixels; convert it to PNG",
}
"""First bytes (lower case) of files that are often found under the name of an image -> what they are, and the fix."""


class Decoder(NamedTuple):
    """A decoder that not every release of Pillow includes.

    Attributes:
        name: name of the format.
        package: distribution that contains the decoder.
        install: command that installs it.
        register: makes Pillow use the decoder; raises ImportError if it is not installed.
    """

    name: str
    package: str
    install: str
    register: Callable[[], Any]


def _check_avif() -> None:
    """Raise ImportError if Pillow was built without AVIF; otherwise it is already registered."""
    if not features.check("avif"):
        raise ImportError("avif")


_DECODERS = {
    "heif": Decoder("HEIF", "pillow-heif", install_command("heif"), _register_heif),
    "jxl": Decoder("JPEG XL", "pillow-jxl-plugin", install_command("jxl"), lambda: importlib.import_module("pillow_jxl")),
    "avif": Decoder("AVIF", "pillow", 'pip install -U "pillow>=11.3"', _check_avif),
}  # fmt: skip


def is_image_file(path: Path) -> bool:
    """Return whether a file counts as an image: by its suffix, else by its first bytes.

    The first bytes of a link are those of its target. A file that cannot be read counts by its suffix only, so that it is
    reported.
    """
    return has_image_suffix(path.name) or is_image_head(_head(path))


def has_image_suffix(name: str) -> bool:
    """Return whether a file name ends with one of `IMAGE_SUFFIXES`.

    >>> has_image_suffix("a.PNG"), has_image_suffix("a.b"), has_image_suffix(".png")
    (True, False, False)
    """
    stem, dot, suffix = name.rpartition(".")
    return bool(stem) and dot + suffix.lower() in IMAGE_SUFFIXES


def is_image_head(head: bytes) -> bool:
    """Return whether a file that starts with these bytes is an image.

    >>> is_image_head(b"\\xff\\xd8\\xff\\xe0"), is_image_head(b"\\0\\0\\0\\x1cftypheic"), is_image_head(b"BMW")
    (True, True, False)
    """
    riff = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    known = riff or head.startswith(_SIGNATURES) or _is_bmp(head) or _is_fli(head)
    return known or extra_decoder(head) is not None


def extra_decoder(head: bytes) -> Decoder | None:
    """Return the decoder that a file needs besides Pillow's own, whether or not it is installed; None if it needs none."""
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if brand in _AVIF_BRANDS:
        return _DECODERS["avif"]
    if brand in _HEIF_BRANDS:
        return _DECODERS["heif"]
    return _DECODERS["jxl"] if head.startswith(_JXL_HEADS) else None


def describe_non_image(head: bytes) -> str:
    """Return what a file that starts with these bytes is, and the fix; empty if it is none of `_NON_IMAGES`.

    >>> describe_non_image(b"../../blobs/0a1b"), describe_non_image(b"some text")
    ('the text of a link, not its target; restore the links', '')
    """
    for start, what in _NON_IMAGES.items():
        if head.lstrip().lower().startswith(start):
            return what
    return ""


def decoder_versions() -> dict[str, str]:
    """Return package -> version of Pillow and of the installed extra decoders; the decoded pixels depend on them."""
    found = {}
    for decoder in _DECODERS.values():
        try:
            found[decoder.package] = version(decoder.package)
        except PackageNotFoundError:
            continue
    return dict(sorted(found.items()))


def _head(path: Path) -> bytes:
    """Return the first bytes of a regular file; empty if it cannot be read."""
    try:
        if not path.is_file():  # reading a pipe would block
            return b""
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _is_bmp(head: bytes) -> bool:
    return head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS


def _is_fli(head: bytes) -> bool:
    """Return whether a file is FLI or FLC: by its type at offset 4, and its flags at 14, which are 0 or 3."""
    return head[4:6] in (b"\x11\xaf", b"\x12\xaf") and head[14:16] in (b"\0\0", b"\3\0")
