"""Decode any image file to canonical RGB, or raise an error with the reason.

Canonical: EXIF orientation applied, the first frame of an animation, transparency composited on white or on a requested
colour, 8 bits per channel.
"""

import hashlib
import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError, _imaging

from arena.base.errors import ArenaError, UnreadableImageError
from arena.base.remote import RemotePath
from arena.images import messages
from arena.images.formats import HEAD_BYTES, describe_non_image, extra_decoder
from arena.images.in_flight import hold_pixels, picture_in_flight
from arena.images.jpeg import RGB as RGB
from arena.images.jpeg import decode_opened_jpeg, read_plain_jpeg
from arena.images.places import MAX_FILE_BYTES, ImagePlace, TarMember, read_image_file, refuse_irregular
from arena.images.png import PNG_SIGNATURE, without_large_text

MAX_PIXELS = 89_478_485
"""Images with more pixels are refused before decoding, because a few kilobytes of PNG can expand to gigabytes. Pillow's own
limit."""

# Pillow only warns at this limit, and a warning filter around each decode would not be thread-safe.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

messages.log_messages_of_libtiff(_imaging.__file__)

FORMAT_SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2"}
"""Pillow's format name -> suffix, if the suffix is not the name in lower case."""

_PROGRAM_FORMATS = frozenset({"EPS", "WMF"})
"""Formats that are programs; Pillow would run Ghostscript or a system function to decode them."""

ANIMATED_FORMATS = frozenset({"GIF", "PNG", "WEBP", "AVIF", "JXL", "FLI"})
"""Pillow's names of formats whose frames form an animation, unlike the pages of a TIFF or the preview in an MPO."""

CHANGED_IMAGE = "the file changed after the dataset was frozen (SHA-256 differs)"
"""Reason why an image of a frozen dataset is not used."""

Alpha = NDArray[np.uint8]
"""Opacity of each pixel, uint8 (height, width), 0 transparent to 255 opaque."""

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

WHITE: Colour = (255, 255, 255)
"""Default background of transparent pixels."""


@dataclass(frozen=True)
class ImagePolicy:
    """Which images are accepted, and how transparency is handled.

    Attributes:
        animated: `first` takes the first frame of an animation, `drop` refuses it.
        transparent: `white` composites on white, `drop` refuses a picture with any transparent pixel.
        max_pixels: images with more pixels are refused before decoding.

    Raises:
        ArenaError: an invalid value; `max_pixels` is limited to twice `MAX_PIXELS`, because Pillow refuses larger images.
    """

    animated: str = "first"
    transparent: str = "white"
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        for what, value, allowed in (
            ("animated", self.animated, ("first", "drop")),
            ("transparent", self.transparent, ("white", "drop")),
        ):
            if value not in allowed:
                raise ArenaError(f"image policy: {what} = {value!r}; allowed: {', '.join(allowed)}")
        if not 0 < self.max_pixels <= 2 * MAX_PIXELS:
            raise ArenaError(f"image policy: max_pixels = {self.max_pixels}; it must be between 1 and {2 * MAX_PIXELS}")


class ImageSize(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


class DecodedImage(NamedTuple):
    """A decoded image, canonical, in the form in which its decoder gave it."""

    picture: Image.Image | RGB
    """A Pillow image in mode RGB, or its pixels; `image` and `pixels` convert the other form at each access."""
    suffix: str
    """Suffix of the format of its content, such as `.jpg`; the file name may have another."""
    alpha: Alpha | None = None
    """Opacity before the pixels were composited on white; None if every pixel is opaque."""

    @property
    def image(self) -> Image.Image:
        """As a Pillow image."""
        return self.picture if isinstance(self.picture, Image.Image) else Image.fromarray(self.picture)

    @property
    def pixels(self) -> RGB:
        """As an array, uint8 (height, width, 3)."""
        return np.asarray(self.picture)


def decode(source: ImagePlace | bytes, policy: ImagePolicy = ImagePolicy()) -> RGB:
    """Decode a file, or its bytes, to canonical RGB.

    Returns: uint8 (height, width, 3).

    Raises:
        UnreadableImageError: as for `read_picture`.
    """
    return read_picture(source, policy).pixels


def decode_on(
    source: ImagePlace | bytes, backgrounds: Iterable[Colour], policy: ImagePolicy = ImagePolicy()
) -> dict[Colour, RGB]:
    """Decode a file, or its bytes, once, and composite it on each of several background colours.

    Returns: colour -> uint8 (height, width, 3); all colours share one array if the picture is opaque.

    Raises:
        UnreadableImageError: as for `read_picture`, even if `backgrounds` is empty.
    """
    picture = _read(source, policy)
    if (transparent := _transparent(picture)) is None:
        return dict.fromkeys(backgrounds, picture.pixels)
    return {colour: np.asarray(_composite(transparent, colour)) for colour in backgrounds}


def read_picture(
    source: ImagePlace | bytes, policy: ImagePolicy = ImagePolicy(), *, least_side: int | None = None
) -> DecodedImage:
    """Decode a file, or its bytes, and return the format of its content too.

    Args:
        least_side: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as long as both sides keep this many pixels. This is
            several times faster and gives slightly different pixels. None: always full size.

    Raises:
        UnreadableImageError: its `reason` is one of `missing`, `empty`, `not an image`, `no decoder` (of the format, or of this
            variant of it), `truncated` (the header is that of an image, the rest does not decode), `animated`, `transparent`,
            `too many pixels`. The message does not contain the file name, because the caller knows it.
    """
    picture = _read(source, policy, least_side=least_side)
    if (transparent := _transparent(picture)) is None:
        return picture
    return picture._replace(
        picture=_composite(transparent, WHITE), alpha=np.asarray(transparent.getchannel("A"), np.uint8)
    )


def read_grey(source: ImagePlace | bytes) -> Image.Image:
    """Decode a file, or its bytes, to mode L by Rec. 601: `read_picture(source).image.convert("L")`, in less time for a JPEG.

    Raises:
        UnreadableImageError: as for `read_picture`.
    """
    picture = _read(source, ImagePolicy(), grey=True)
    if isinstance(picture.picture, Image.Image) and picture.picture.mode == "L":
        return picture.picture
    transparent = _transparent(picture)
    return (picture.image if transparent is None else _composite(transparent, WHITE)).convert("L")


def _transparent(picture: DecodedImage) -> Image.Image | None:
    """Return the image if it is in mode RGBA, else None."""
    image = picture.picture
    return image if isinstance(image, Image.Image) and image.mode == "RGBA" else None


def pixel_digest(pixels: RGB, alpha: Alpha | None = None) -> str:
    """Return the SHA-256 (hexadecimal) of width, height (4 bytes each, big-endian), the RGB and the alpha bytes, row by row.

    Files with equal digests show the same picture on every background, whatever their format and metadata. An opaque picture
    has no alpha bytes.

    Args:
        pixels: composited on white, uint8 (height, width, 3).
        alpha: opacity, uint8 (height, width); None if every pixel is opaque.
    """
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(width.to_bytes(4, "big") + height.to_bytes(4, "big"))
    digest.update(np.ascontiguousarray(pixels).data)
    if alpha is not None:
        digest.update(np.ascontiguousarray(alpha).data)
    return digest.hexdigest()


def _open(source: Path | bytes) -> Image.Image:
    """Open an image; a format that Pillow does not know is opened by its plugin, if that is installed."""
    head = _head(source)
    if (image := _identified(source)) is not None:
        return image
    if (decoder := extra_decoder(head)) is None:
        raise UnreadableImageError("not an image", describe_non_image(head))
    try:
        decoder.register()
    except ImportError:
        raise UnreadableImageError("no decoder", f"{decoder.name}; run: {decoder.install}") from None
    if (image := _identified(source)) is not None:
        return image
    raise UnreadableImageError("truncated", f"{decoder.name} with a damaged header")


def _head(source: Path | bytes) -> bytes:
    """Return the first bytes of an image.

    Raises:
        UnreadableImageError: `missing`, or `empty`.
    """
    if isinstance(source, Path):
        refuse_irregular(source)
        try:
            with source.open("rb") as file:
                head = file.read(HEAD_BYTES)
        except OSError as error:
            raise UnreadableImageError("missing", (error.strerror or "").lower()) from None
    else:
        head = source[:HEAD_BYTES]
    if not head:
        raise UnreadableImageError("empty")
    return head


def _formats() -> tuple[str, ...]:
    """Return the formats in the order in which they are tried: those with a signature first.

    Pillow tries them in the order in which its plugins were imported, which depends on the files that were opened before. For
    example, it reads an icon as TGA, which has no signature, if a `.tga` file was opened before.
    """
    Image.init()
    return tuple(sorted(Image.ID, key=lambda name: (Image.OPEN[name][1] is None, name)))


def _identified(source: Path | bytes) -> Image.Image | None:
    """Open an image with the registered decoders; return None if none of them knows its format."""
    try:
        return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_formats())
    except UnidentifiedImageError:
        return None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UnreadableImageError("too many pixels") from None
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:
            raise UnreadableImageError("missing", error.strerror.lower()) from None
        raise UnreadableImageError(_reason(error, "not an image"), _first_line(error)) from None


def _read(
    place: ImagePlace | bytes, policy: ImagePolicy, *, least_side: int | None = None, grey: bool = False
) -> DecodedImage:
    """Decode an image to mode RGB, or RGBA if it has transparent pixels; with `grey`, the result may be in mode L."""
    with picture_in_flight("image" if isinstance(place, bytes) else str(place)):
        source = read_image_file(place) if isinstance(place, TarMember | RemotePath) else place
        try:
            return _read_as_it_is(source, policy, least_side=least_side, grey=grey)
        except UnreadableImageError as error:
            if error.reason not in ("not an image", "truncated") or (smaller := _smaller_png(source)) is None:
                raise
        return _read_as_it_is(smaller, policy, least_side=least_side)


def _smaller_png(source: Path | bytes) -> bytes | None:
    """Return a PNG without the profiles and texts that are too large for Pillow; None for a file without these."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            content = file.read(len(PNG_SIGNATURE))
            if content == PNG_SIGNATURE:
                content += file.read(MAX_FILE_BYTES)
    else:
        content = source
    smaller = without_large_text(content)
    return None if smaller is content else smaller


def _read_as_it_is(
    source: Path | bytes, policy: ImagePolicy, *, least_side: int | None = None, grey: bool = False
) -> DecodedImage:
    """Decode an image, as `_read`, without repairing it."""
    if least_side is None:
        quick = read_plain_jpeg(source, max_pixels=min(policy.max_pixels, MAX_PIXELS), grey=grey)
        if quick is not None:
            return DecodedImage(quick, FORMAT_SUFFIXES["JPEG"])
    with _open(source) as image:
        format_name = image.format or ""
        if format_name in _PROGRAM_FORMATS:
            raise UnreadableImageError("not an image", f"{format_name} is a program that draws one")
        _refuse_bomb(ImageSize(*image.size), policy.max_pixels)
        try:
            if policy.animated == "drop" and format_name in ANIMATED_FORMATS and getattr(image, "is_animated", False):
                raise UnreadableImageError("animated")
            if least_side is not None:
                image.draft("RGB", (least_side, least_side))
            hold_pixels(image.width * image.height)
            fast = decode_opened_jpeg(image, source, grey=grey) if least_side is None else None
            plain = _canonical(image, policy.transparent) if fast is None else fast
        except UnreadableImageError:
            raise
        except Image.DecompressionBombError:
            raise UnreadableImageError("too many pixels") from None
        except Exception as error:  # Pillow's plugins raise almost any exception on hostile bytes
            raise UnreadableImageError(_reason(error, "truncated"), _first_line(error)) from None
    return DecodedImage(plain, FORMAT_SUFFIXES.get(format_name, f".{format_name.lower()}"))


def _canonical(image: Image.Image, transparent: str) -> Image.Image:
    """Decode an image with Pillow to mode RGB, or RGBA if it has transparent pixels, and apply its orientation."""
    ImageOps.exif_transpose(image, in_place=True)  # a copy of every picture would take a millisecond
    plain = _eight_bits(image, transparent)
    plain.load()
    return plain


def _refuse_bomb(size: ImageSize, max_pixels: int) -> None:
    if size.width * size.height > max_pixels:
        raise UnreadableImageError(
            "too many pixels", f"{size.width} x {size.height} is more than {max_pixels:,} pixels"
        )


def _eight_bits(image: Image.Image, transparent: str) -> Image.Image:
    """Convert a picture of any mode to RGB, or to RGBA if it has transparent pixels; with `drop` these raise an error.

    16-bit greys are scaled to 8 bits; Pillow's own conversion would clip them to white.
    """
    if image.mode.startswith("I;16") or image.mode == "I":
        grey = np.asarray(image, dtype=np.int64)
        return Image.fromarray(
            (grey >> 8 if grey.max(initial=0) > 255 else grey).clip(0, 255).astype(np.uint8)
        ).convert("RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        opaque = rgba.getchannel("A").getextrema()[0] == 255
        if transparent == "drop" and not opaque:
            raise UnreadableImageError("transparent")
        return rgba.convert("RGB") if opaque else rgba
    return image if image.mode == "RGB" else image.convert("RGB")


def _composite(rgba: Image.Image, colour: Colour) -> Image.Image:
    """Composite a transparent image on a plain background."""
    return Image.alpha_composite(Image.new("RGBA", rgba.size, (*colour, 255)), rgba).convert("RGB")


def _reason(error: Exception, otherwise: str) -> str:
    """Return `no decoder` if Pillow knows the format but not this variant of it, else the other reason."""
    text = str(error).lower()
    unknown = any(words in text for words in ("cannot find loader", "unsupported", "not supported", "conversion from"))
    return "no decoder" if unknown or isinstance(error, NotImplementedError) else otherwise


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
