import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arena.base.errors import ArenaError, UnreadableImageError
from arena.images.decode import ImagePolicy, decode, decode_on, pixel_digest, read_picture
from tests.conftest import draw


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_transparency_is_composited_on_white() -> None:
    image = Image.new("RGBA", (2, 1), (200, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    assert decode(encoded(image)).tolist() == [[[255, 255, 255], [0, 0, 0]]]


def test_one_decode_gives_every_background(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    monkeypatch.setattr(
        Image, "open", lambda *given, open_file=Image.open, **more: opened.append(1) or open_file(*given, **more)
    )
    image = Image.new("RGBA", (2, 1), (200, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    black, grey = (0, 0, 0), (114, 115, 116)
    pixels = decode_on(encoded(image), {black, grey, (255, 255, 255)})
    assert opened == [1]
    assert {colour: array[0].tolist() for colour, array in pixels.items()} == {
        black: [[0, 0, 0], [0, 0, 0]],
        grey: [[114, 115, 116], [0, 0, 0]],
        (255, 255, 255): [[255, 255, 255], [0, 0, 0]],
    }


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA"])
def test_an_opaque_picture_is_one_array_for_all_backgrounds(mode: str) -> None:
    content = encoded(draw(1, (9, 5)).convert(mode))
    black, white = decode_on(content, [(0, 0, 0), (255, 255, 255)]).values()
    assert black is white
    assert np.array_equal(white, decode(content))


def test_what_cannot_be_decoded_is_told_whatever_is_asked() -> None:
    with pytest.raises(UnreadableImageError, match="not an image"):
        decode_on(b"x", ())
    assert decode_on(encoded(draw(1)), ()) == {}


def test_palette_transparency_is_composited_on_white() -> None:
    image = Image.new("P", (2, 2), 0)
    image.putpalette([10, 20, 30] + [0] * 765)
    assert (decode(encoded(image, transparency=0)) == 255).all()
    assert (decode(encoded(image)) == [10, 20, 30]).all()


def test_exif_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(encoded(draw(1, (30, 20)), "JPEG", exif=exif)).shape == (30, 20, 3)


@pytest.mark.parametrize("mode", ["L", "LA", "1", "CMYK", "P", "RGB", "RGBA"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    pixels = decode(encoded(draw(2, (9, 5)).convert(mode), kind))
    assert pixels.shape == (5, 9, 3)
    assert pixels.dtype == np.uint8


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    image = Image.fromarray(np.array([[0, 32768, 65535]], np.uint16))
    assert decode(encoded(image))[0, :, 0].tolist() == [0, 128, 255]


def test_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    assert decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"no image at all", "not an image"),
        (encoded(draw(3))[:300], "truncated"),
        (encoded(draw(3), "JPEG")[:-200], "truncated"),
    ],
)
def test_unreadable_says_why(content: bytes, reason: str) -> None:
    assert_unreadable(content, reason)


def test_a_picture_of_too_many_pixels_is_unreadable() -> None:
    assert_unreadable(encoded(Image.new("1", (20_000, 20_000))), "too many pixels")


def assert_unreadable(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableImageError, match=reason) as caught:
        decode(content)
    assert caught.value.reason == reason


def test_files_are_refused_for_the_same_reasons_as_bytes(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("text")
    for name, reason in (
        ("none.png", "missing"),
        ("empty.png", "empty"),
        ("text.png", "not an image"),
        (".", "missing"),
    ):
        with pytest.raises(UnreadableImageError) as caught:
            decode(tmp_path / name)
        assert caught.value.reason == reason


def refused(content: bytes, **policy: object) -> str:
    with pytest.raises(UnreadableImageError) as caught:
        decode(content, ImagePolicy(**policy))  # type: ignore[arg-type]
    return caught.value.reason


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_a_policy_drops_animations_of_every_format(kind: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    moving = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert refused(moving, animated="drop") == "animated"
    assert decode(encoded(frames[0], kind), ImagePolicy(animated="drop")).shape == (4, 4, 3)


def test_pages_are_no_animation() -> None:
    pages = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for kind in ("TIFF", "MPO"):
        content = encoded(pages[0], kind, save_all=True, append_images=pages[1:])
        assert decode(content, ImagePolicy(animated="drop"))[0, 0, 0] > 200


def test_a_policy_drops_transparency_but_not_a_full_alpha_channel() -> None:
    image = Image.new("RGBA", (2, 1), (200, 0, 0, 255))
    assert decode(encoded(image), ImagePolicy(transparent="drop")).tolist() == [[[200, 0, 0]] * 2]
    image.putpixel((1, 0), (0, 0, 0, 254))
    assert refused(encoded(image), transparent="drop") == "transparent"
    palette = Image.new("P", (2, 2), 0)
    assert refused(encoded(palette, transparency=0), transparent="drop") == "transparent"
    assert decode(encoded(palette, transparency=7), ImagePolicy(transparent="drop")).shape == (2, 2, 3), "7 is not used"


def test_a_policy_limits_pixels_exactly() -> None:
    content = encoded(Image.new("RGB", (10, 10)))
    assert decode(content, ImagePolicy(max_pixels=100)).shape == (10, 10, 3)
    assert refused(content, max_pixels=99) == "too many pixels"


def test_a_policy_that_is_none_is_refused() -> None:
    for policy, message in (({"animated": "keep"}, "allowed: first, drop"), ({"max_pixels": 10**9}, "max_pixels")):
        with pytest.raises(ArenaError, match=message):
            ImagePolicy(**policy)  # type: ignore[arg-type]


def test_a_program_that_draws_is_no_image() -> None:
    assert refused(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n") == "not an image"


def test_the_format_is_told_by_content() -> None:
    kinds = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tif", "BMP": ".bmp"}
    assert {kind: read_picture(encoded(draw(1), kind)).suffix for kind in kinds} == kinds


def test_a_pixel_digest_tells_pixels_and_shape_and_nothing_else() -> None:
    pixels = decode(encoded(draw(1)))
    assert pixel_digest(pixels) == pixel_digest(decode(encoded(draw(1), "BMP")))
    assert pixel_digest(pixels) == pixel_digest(pixels[::-1][::-1]), "whatever the order in memory"
    assert pixel_digest(pixels) != pixel_digest(pixels.reshape(90, 70, 3))
    assert (
        pixel_digest(np.zeros((1, 2, 3), np.uint8))
        == hashlib.sha256(bytes([0, 0, 0, 2, 0, 0, 0, 1]) + bytes(6)).hexdigest()
    )
