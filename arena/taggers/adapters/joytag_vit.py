"""JoyTag's vision transformer in torch, with the names of its published checkpoint.

Convolutional or plain patch stem, sine or learned positions, pre-norm blocks with fused qkv, a head on the mean of the
patches. Stochastic depth and patch dropout act in training only.

Source: the layout of `fancyfeast/joytag`'s `model.safetensors` and `config.json`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEM_DEFAULTS = {"k": 3, "s": 2, "p": 1}
"""Kernel, stride and padding of a stem convolution that does not name them."""


@dataclass(frozen=True)
class ViTConfig:
    """`config.json` of a JoyTag checkpoint, without `class`.

    Attributes:
        image_size, patch_size: pixels.
        cnn_stem: `;`-separated list of `conv:c=..,k=..,s=..,p=..`, `bn`, `ln`, `relu`, `gelu`; None is one convolution of
            kernel and stride `patch_size`.
        layerscale_init: starting value of the learned skip scales; None starts at 1.
        head_mean_after: the mean over patches follows the head.
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

    def __post_init__(self) -> None:
        sizes = ("n_tags", "image_size", "num_blocks", "patch_size", "d_model", "mlp_dim", "num_heads")
        for name in sizes:
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}; it must be a whole number above 0")
        for part, whole in (("num_heads", "d_model"), ("patch_size", "image_size")):
            if getattr(self, whole) % getattr(self, part):
                raise ValueError(f"{whole} = {getattr(self, whole)} is no multiple of {part} = {getattr(self, part)}")
        if not isinstance(self.cnn_stem, str | None):
            raise ValueError(f"cnn_stem = {self.cnn_stem!r}; it must be a string or null")

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "ViTConfig":
        """From the content of `config.json`; keys that this network does not use are passed over.

        Raises:
            TypeError: a size that the network needs is missing. ValueError: one of them cannot be.
        """
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in table.items() if key in known})

    @property
    def grid(self) -> int:
        """Patches along one side."""
        return self.image_size // self.patch_size


class ViT(nn.Module):
    """The network: float (n, 3, size, size) to logits (n, n_tags)."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        width = config.d_model
        self.patch_embeddings: nn.Module
        if config.cnn_stem is None:
            self.patch_embeddings = nn.Conv2d(3, width, config.patch_size, config.patch_size)
        else:
            self.patch_embeddings = CNNStem(config.cnn_stem)
        self.pos_embedding: nn.Module = nn.Identity() if config.use_sine else LearnedPositions(config.grid**2, width)
        rates = [config.stochdepth_rate * i / max(1, config.num_blocks - 1) for i in range(config.num_blocks)]
        self.blocks = nn.ModuleList(Block(config, rate) for rate in rates)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, config.n_tags)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of normalised images."""
        x = self.patch_embeddings(images).flatten(2).transpose(1, 2)
        if self.config.use_sine:
            x = x + sine_positions(self.config.grid, self.config.d_model, x.device)
        else:
            x = self.pos_embedding(x)
        if self.training and self.config.patch_dropout > 0:
            x = drop_patches(x, self.config.patch_dropout)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        logits: Tensor = self.head(x).mean(1) if self.config.head_mean_after else self.head(x.mean(1))
        return logits


class CNNStem(nn.Module):
    """A small convolutional network in place of the patch projection."""

    def __init__(self, layout: str) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for item in layout.split(";"):
            kind, _, options = item.partition(":")
            if kind == "conv":
                given = (option.split("=") for option in options.split(","))
                o = STEM_DEFAULTS | {key: int(value) for key, value in given}
                layers.append(nn.Conv2d(channels, o["c"], o["k"], o["s"], o["p"]))
                channels = o["c"]
            elif kind in STEM_LAYERS:
                layers.append(STEM_LAYERS[kind](channels))
            else:
                raise ValueError(f"cnn_stem has {item!r}; known: conv, {', '.join(STEM_LAYERS)}")
        self.conv = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images)  # type: ignore[no-any-return]


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of (n, c, h, w)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


STEM_LAYERS: dict[str, Callable[[int], nn.Module]] = {
    "bn": nn.BatchNorm2d,
    "ln": ChannelNorm,
    "relu": lambda channels: nn.ReLU(),
    "gelu": lambda channels: nn.GELU(),
}
"""Layers of a stem that follow a convolution, by the name that `config.json` has for them."""


class LearnedPositions(nn.Module):
    """A learned vector a patch, added."""

    position_ids: Tensor

    def __init__(self, patches: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(patches, width)
        self.register_buffer("position_ids", torch.arange(patches))

    def forward(self, x: Tensor) -> Tensor:
        positions: Tensor = self.embedding(self.position_ids)
        return x + positions


class SkipInit(nn.Module):
    """A learned scale on a residual branch, with stochastic depth in training."""

    def __init__(self, width: int, start: float | None, drop_rate: float) -> None:
        super().__init__()
        self.drop_rate = drop_rate
        self.skip = nn.Parameter(torch.full((width,), 1.0 if start is None else start))

    def forward(self, branch: Tensor) -> Tensor:
        if self.training and self.drop_rate > 0:
            keep = torch.rand(branch.shape[0], 1, 1, device=branch.device) >= self.drop_rate
            branch = branch * keep / (1 - self.drop_rate)
        return branch * self.skip


class Block(nn.Module):
    """Attention, then a two-layer perceptron, each behind a norm and a scaled skip."""

    def __init__(self, config: ViTConfig, drop_rate: float) -> None:
        super().__init__()
        width = config.d_model
        self.heads = config.num_heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.skip_init1 = SkipInit(width, config.layerscale_init, drop_rate)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict(
            {"linear1": nn.Linear(width, config.mlp_dim), "linear2": nn.Linear(config.mlp_dim, width)}
        )
        self.skip_init2 = SkipInit(width, config.layerscale_init, drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.skip_init1(self.out_proj(self.attend(self.norm1(x))))
        hidden = F.gelu(self.mlp["linear1"](self.norm2(x)))
        return x + self.skip_init2(self.mlp["linear2"](hidden))  # type: ignore[no-any-return]

    def attend(self, x: Tensor) -> Tensor:
        """Softmax attention over the patches, scaled by the square root of a head's width."""
        images, patches, width = x.shape
        split = self.qkv_proj(x).view(images, patches, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(images, patches, width)


def sine_positions(grid: int, width: int, device: torch.device) -> Tensor:
    """Fixed positions of a square grid, row by row; float32 (grid * grid, width).

    Four quarters: sine and cosine of x, sine and cosine of y, each at `width / 4` frequencies from 1 to 1/10000.
    """
    quarter = width // 4
    omega = torch.exp(-math.log(10_000) * torch.arange(quarter, device=device, dtype=torch.float32) / (quarter - 1))
    y, x = torch.meshgrid(*(torch.arange(grid, device=device, dtype=torch.float32),) * 2, indexing="ij")
    angles_x, angles_y = x.flatten()[:, None] * omega, y.flatten()[:, None] * omega
    return torch.cat([angles_x.sin(), angles_x.cos(), angles_y.sin(), angles_y.cos()], dim=1)


def drop_patches(x: Tensor, rate: float) -> Tensor:
    """Keep a random part of the patches of each image."""
    images, patches, width = x.shape
    kept = max(1, round(patches * (1 - rate)))
    chosen = torch.rand(images, patches, device=x.device).argsort(1)[:, :kept, None].expand(-1, -1, width)
    return x.gather(1, chosen)
