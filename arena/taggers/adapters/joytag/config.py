"""`config.json` of a JoyTag checkpoint: its keys and their ranges, and the layers and output size of the stem."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

NETWORK_CLASS = "ViT"
"""The only supported `class`; JoyTag's code has others, such as `CLIPLikeModel`."""

TRAINING_KEYS = frozenset({"class", "use_amp"})
"""Keys of `config.json` that the trainer writes and that do not affect scores."""

CONV_DEFAULTS = {"k": 3, "s": 2, "p": 1}
"""Default kernel, stride and padding of a stem convolution."""

STEM_LAYERS = ("bn", "ln", "relu", "gelu")
"""Layers of a stem besides `conv`."""

ML_DECODER_HEADS = 8
"""Attention heads of the ML-Decoder head."""


class StemLayer(NamedTuple):
    """One layer of a convolutional stem; kernel, stride and padding are used for a `conv` only."""

    kind: str
    channels: int
    kernel: int = 1
    stride: int = 1
    padding: int = 0

    def side_of(self, side: int) -> int:
        """Return the side of the output for a square input, both in pixels."""
        return (side + 2 * self.padding - self.kernel) // self.stride + 1


@dataclass(frozen=True)
class ViTConfig:
    """The network that a `config.json` describes.

    Attributes:
        n_tags: number of outputs.
        image_size, patch_size: pixels; image_size is a multiple of patch_size.
        d_model, mlp_dim, num_heads, num_blocks: widths and counts of the transformer blocks.
        stochdepth_rate, patch_dropout: 0 to below 1; used in training only.
        use_sine: whether positions are fixed sines; else they are learned.
        loss_type: loss of the training; does not affect scores.
        layerscale_init: initial value of the learned skip scales; None: 1.
        head_mean_after: whether the mean over patches is taken after the head instead of before it.
        cnn_stem: `;`-separated list of `conv:c=..,k=..,s=..,p=..`, `bn`, `ln`, `relu`, `gelu`; None: one convolution with
            kernel and stride `patch_size`.
        ml_decoder_head: whether the head is an ML-Decoder instead of a linear layer.

    Raises:
        ValueError: a value is outside its range, or two values contradict each other.
    """

    n_tags: int
    image_size: int
    num_blocks: int
    patch_size: int
    d_model: int
    mlp_dim: int
    num_heads: int
    stochdepth_rate: float = 0.0
    use_sine: bool = True
    loss_type: str = "ce"
    layerscale_init: float | None = None
    head_mean_after: bool = False
    cnn_stem: str | None = None
    patch_dropout: float = 0.0
    ml_decoder_head: bool = False

    def __post_init__(self) -> None:
        for name in ("n_tags", "image_size", "num_blocks", "patch_size", "d_model", "mlp_dim", "num_heads"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}; it must be a whole number above 0")
        for name in ("stochdepth_rate", "patch_dropout"):
            if not _is_number(getattr(self, name)) or not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}; it must be a number from 0 to below 1")
        for name in ("use_sine", "head_mean_after", "ml_decoder_head"):
            if type(getattr(self, name)) is not bool:
                raise ValueError(f"{name} = {getattr(self, name)!r}; it must be true or false")
        if self.layerscale_init is not None and not _is_number(self.layerscale_init):
            raise ValueError(f"layerscale_init = {self.layerscale_init!r}; it must be a number or null")
        if not isinstance(self.cnn_stem, str | None):
            raise ValueError(f"cnn_stem = {self.cnn_stem!r}; it must be a string or null")
        self._check_fit()

    def _check_fit(self) -> None:
        """Raise if values contradict each other."""
        for part, whole in (("num_heads", "d_model"), ("patch_size", "image_size")):
            if getattr(self, whole) % getattr(self, part):
                raise ValueError(
                    f"{whole} = {getattr(self, whole)} is not a multiple of {part} = {getattr(self, part)}"
                )
        if self.use_sine and (self.d_model % 4 or self.d_model < 8):
            raise ValueError(f"d_model = {self.d_model}; sine positions (use_sine) need a multiple of 4, 8 or more")
        if self.ml_decoder_head and self.d_model % ML_DECODER_HEADS:
            raise ValueError(f"d_model = {self.d_model}; ml_decoder_head needs a multiple of {ML_DECODER_HEADS}")
        if self.ml_decoder_head and self.head_mean_after:
            raise ValueError(
                "ml_decoder_head and head_mean_after are both true; an ML-Decoder leaves no patches to average"
            )
        if self.cnn_stem is not None:
            channels, side = stem_output(read_stem(self.cnn_stem), self.image_size)
            if channels != self.d_model:
                raise ValueError(f"cnn_stem ends with {channels} channels, but d_model is {self.d_model}")
            if side != self.grid:
                raise ValueError(
                    f"cnn_stem makes {side} x {side} patches from {self.image_size} pixels, but the network has positions for "
                    f"{self.grid} x {self.grid} (image_size / patch_size)"
                )

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "ViTConfig":
        """Return the config from the content of `config.json`; keys that the network does not use are ignored.

        Raises:
            ValueError: another class of network, a missing key, or an invalid value.
        """
        network = table.get("class", NETWORK_CLASS)
        if network != NETWORK_CLASS:
            raise ValueError(f"class = {network!r}; only {NETWORK_CLASS} is supported")
        sizes = [field.name for field in fields(cls)]
        missing = [name for name in sizes[:7] if name not in table]
        if missing:
            raise ValueError(f"has no {', '.join(missing)}; it must describe a JoyTag ViT")
        return cls(**{name: table[name] for name in sizes if name in table})

    @property
    def grid(self) -> int:
        """Number of patches along one side."""
        return self.image_size // self.patch_size


def unknown_keys(table: Mapping[str, Any]) -> list[str]:
    """Return the keys of `config.json` that neither the network nor the trainer uses, sorted."""
    return sorted(table.keys() - {field.name for field in fields(ViTConfig)} - TRAINING_KEYS)


def read_stem(layout: str) -> tuple[StemLayer, ...]:
    """Return the layers of a stem, first to last, each with its number of output channels.

    Raises:
        ValueError: an unknown layer or option, a value that is not a whole number or is out of range, or a convolution without
            `c`.

    >>> read_stem("conv:c=8;ln;relu")[1]
    StemLayer(kind='ln', channels=8, kernel=1, stride=1, padding=0)
    """
    layers: list[StemLayer] = []
    channels = 3
    for item in layout.split(";"):
        kind, _, options = item.partition(":")
        if kind == "conv":
            layers.append(_read_conv(item, options))
            channels = layers[-1].channels
        elif item in STEM_LAYERS:
            layers.append(StemLayer(kind, channels))
        else:
            raise ValueError(f"cnn_stem has {item!r}; known: conv, {', '.join(STEM_LAYERS)}")
    return tuple(layers)


def _read_conv(item: str, options: str) -> StemLayer:
    values = dict(option.partition("=")[::2] for option in options.split(",") if option)
    if values.keys() - CONV_DEFAULTS.keys() - {"c"} or "c" not in values:
        raise ValueError(f"cnn_stem has {item!r}; a conv needs c (channels), and may have k, s, p")
    try:
        c, k, s, p = (int(values.get(key, CONV_DEFAULTS.get(key, 0))) for key in "cksp")
    except ValueError:
        raise ValueError(f"cnn_stem has {item!r}; c, k, s and p must be whole numbers") from None
    if min(c, k, s) < 1 or p < 0:
        raise ValueError(f"cnn_stem has {item!r}; c, k and s must be 1 or more, and p 0 or more")
    return StemLayer("conv", c, k, s, p)


def stem_output(layers: tuple[StemLayer, ...], image_size: int) -> tuple[int, int]:
    """Return a stem's output for a square image of image_size pixels: channels, and patches along one side.

    >>> stem_output(read_stem("conv:c=8;ln;relu;conv:c=32,k=1,s=1,p=0"), 64)
    (32, 32)
    """
    side = image_size
    for layer in layers:
        side = max(0, layer.side_of(side))
    return layers[-1].channels, side


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
