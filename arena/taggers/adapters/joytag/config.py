"""`config.json` of a JoyTag checkpoint: its keys and their ranges, and the layers and output size of the stem.

A configuration is accepted if JoyTag's own code accepts it and runs; it then describes the same network. JoyTag's code skips
unknown layers and options of the stem. They are skipped here too, and a note names them.

Source: fpgaminer/joytag at ce0c4a4, `VisionModel.from_config` of `Models.py` and `training/train/Models.py`.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, NamedTuple

NETWORK_CLASS = "ViT"
"""The only supported `class`; JoyTag's code has others, such as `CLIPLikeModel`."""

TRAINING_KEYS = frozenset({"class", "use_amp"})
"""Keys of `config.json` that the trainer writes and that do not affect scores."""

CONV_DEFAULTS = {"k": 3, "s": 2, "p": 1}
"""Default kernel, stride and padding of a stem convolution."""

STEM_LAYERS = ("bn", "ln", "relu", "gelu")
"""Layers of a stem besides `conv`."""

INPUT_CHANNELS = 3
"""Channels of an image, red, green and blue."""

FLAGS = ("use_sine", "head_mean_after", "ml_decoder_head")
"""Keys whose values are true or false."""

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
        stochdepth_rate: rate of stochastic depth, any number; used in training only.
        use_sine: whether positions are fixed sines; else they are learned.
        loss_type: loss of the training; does not affect scores.
        layerscale_init: initial value of the learned skip scales; None: 1.
        head_mean_after: whether the mean over patches is taken after the head instead of before it.
        cnn_stem: `;`-separated list of `conv:c=..,k=..,s=..,p=..`, `bn`, `ln`, `relu`, `gelu`; None: one convolution with
            kernel and stride `patch_size`.
        patch_dropout: share of the patches that are dropped in training, below 1.
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
    stochdepth_rate: float
    use_sine: bool
    loss_type: str
    layerscale_init: float | None = None
    head_mean_after: bool = False
    cnn_stem: str | None = None
    patch_dropout: float = 0.0
    ml_decoder_head: bool = False

    def __post_init__(self) -> None:
        for name in ("n_tags", "image_size", "patch_size", "d_model", "mlp_dim", "num_heads"):
            if type(getattr(self, name)) is not int or getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}; it must be a whole number above 0")
        if type(self.num_blocks) is not int or self.num_blocks < 0:
            raise ValueError(f"num_blocks = {self.num_blocks!r}; it must be a whole number, 0 or more")
        if not _is_number(self.stochdepth_rate):
            raise ValueError(f"stochdepth_rate = {self.stochdepth_rate!r}; it must be a number")
        if not _is_number(self.patch_dropout) or not self.patch_dropout < 1:
            raise ValueError(f"patch_dropout = {self.patch_dropout!r}; it must be a number below 1")
        for name in FLAGS:
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
            self._check_stem(self.cnn_stem)

    def _check_stem(self, cnn_stem: str) -> None:
        """Raise if the output of the stem does not fit the network."""
        channels, side = stem_output(read_stem(cnn_stem), self.image_size)
        if channels not in (1, self.d_model):  # one channel is broadcast to all numbers of a position
            raise ValueError(f"cnn_stem ends with {channels} channels, but d_model is {self.d_model}")
        # One patch is broadcast to all positions, and one position to all patches.
        if side < 1 or (side != self.grid and 1 not in (side, self.grid)):
            raise ValueError(
                f"cnn_stem makes {side} x {side} patches from {self.image_size} pixels, but the network has positions for "
                f"{self.grid} x {self.grid} (image_size / patch_size)"
            )

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "ViTConfig":
        """Return the config from the content of `config.json`.

        A number or null in a flag is read by its truth value, as in JoyTag's code: 1 is true, null is false.

        Raises:
            ValueError: another class of network, a missing or unknown key, or an invalid value.
        """
        if "class" in table and table["class"] != NETWORK_CLASS:
            raise ValueError(f"class = {table['class']!r}; only {NETWORK_CLASS} is supported")
        required = ["class", *(field.name for field in fields(cls) if field.default is MISSING)]
        if missing := [name for name in required if name not in table]:
            raise ValueError(f"has no {', '.join(missing)}; it must describe a JoyTag ViT")
        known = [field.name for field in fields(cls)]
        if unknown := sorted(table.keys() - {*known} - TRAINING_KEYS):
            raise ValueError(
                f"has {', '.join(unknown)}, which JoyTag's network does not have; remove a key that does not change the network"
            )
        values = {name: table[name] for name in known if name in table}
        flags = {name: bool(values[name]) for name in FLAGS if name in values and isinstance(values[name], int | None)}
        return cls(**values | flags)

    @property
    def grid(self) -> int:
        """Number of patches along one side."""
        return self.image_size // self.patch_size


def config_notes(config: ViTConfig) -> tuple[str, ...]:
    """Return notes for the user on behaviour of JoyTag's code that the author of a config may not expect, one line each."""
    notes = []
    if config.cnn_stem is not None and (skipped := skipped_stem_parts(config.cnn_stem)):
        notes.append(f"config.json: cnn_stem has {', '.join(map(repr, skipped))}, skipped as JoyTag's code does")
    if config.patch_dropout > 0:
        notes.append(
            f"config.json: patch_dropout = {config.patch_dropout:g} is not applied; JoyTag's code drops random patches at "
            "inference too, so its scores differ from run to run"
        )
    return tuple(notes)


def read_stem(layout: str) -> tuple[StemLayer, ...]:
    """Return the layers of a stem, first to last, each with its number of output channels; unknown parts are skipped.

    Raises:
        ValueError: an option is not `name=value`, a convolution has no `c`, or a value is not a whole number in its range.

    >>> read_stem("conv:c=8;ln;relu")[1]
    StemLayer(kind='ln', channels=8, kernel=1, stride=1, padding=0)
    """
    layers: list[StemLayer] = []
    channels = INPUT_CHANNELS
    for item in layout.split(";"):
        kind, values = _read_item(item)
        if kind == "conv":
            layers.append(_read_conv(item, values))
            channels = layers[-1].channels
        elif kind in STEM_LAYERS:
            layers.append(StemLayer(kind, channels))
    return tuple(layers)


def skipped_stem_parts(layout: str) -> list[str]:
    """Return the layers and options of a stem that JoyTag's code does not know and therefore skips.

    >>> skipped_stem_parts("conv:c=8,groups=2;silu;ln:eps=1;")
    ['conv:c=8,groups=2', 'silu', 'ln:eps=1', '']
    """
    skipped = []
    for item in layout.split(";"):
        kind, values = _read_item(item)
        if kind not in ("conv", *STEM_LAYERS) or values.keys() - ({"c", *CONV_DEFAULTS} if kind == "conv" else set()):
            skipped.append(item)
    return skipped


class _StemItem(NamedTuple):
    """One part of a stem: the kind of the layer, and its options by name."""

    kind: str
    values: dict[str, str]


def _read_item(item: str) -> _StemItem:
    """Split a part such as `conv:c=8,k=3`; raise ValueError if it is written in another way."""
    kind, *rest = item.split(":")
    options = [option.split("=") for option in rest[0].split(",")] if rest and rest[0] else []
    if len(rest) > 1 or any(len(option) != 2 for option in options):
        raise ValueError(f"cnn_stem has {item!r}; it must be written KIND or KIND:name=value,name=value")
    return _StemItem(kind, dict(options))


def _read_conv(item: str, values: Mapping[str, str]) -> StemLayer:
    if "c" not in values:
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
    return (layers[-1].channels if layers else INPUT_CHANNELS), side


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
