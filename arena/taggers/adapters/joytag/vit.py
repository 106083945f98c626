"""JoyTag's vision transformer in torch; parameter names are those of its published checkpoint.

It has a convolutional or plain patch stem, sine or learned positions, pre-norm blocks with fused qkv, and a linear head on the
mean of the patches or an ML-Decoder on all of them. Stochastic depth and patch dropout are used in training only.

Source: the layout of `fancyfeast/joytag`'s `model.safetensors` and `config.json`.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from arena.taggers.adapters.joytag.config import StemLayer, ViTConfig, read_stem
from arena.taggers.adapters.joytag.ml_decoder import MLDecoder


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
        self.blocks = nn.ModuleList(ViTBlock(config, rate) for rate in rates)
        self.norm = nn.LayerNorm(width)
        self.head = MLDecoder(config.n_tags, width) if config.ml_decoder_head else nn.Linear(width, config.n_tags)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of normalised images."""
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
        if self.config.ml_decoder_head:
            return self.head(x)  # type: ignore[no-any-return]
        logits: Tensor = self.head(x).mean(1) if self.config.head_mean_after else self.head(x.mean(1))
        return logits


class CNNStem(nn.Module):
    """A small convolutional network instead of the patch projection."""

    def __init__(self, layout: str) -> None:
        super().__init__()
        channels, layers = 3, []
        for layer in read_stem(layout):
            layers.append(_build_layer(layer, channels))
            channels = layer.channels
        self.conv = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images)  # type: ignore[no-any-return]


def _build_layer(layer: StemLayer, channels: int) -> nn.Module:
    match layer.kind:
        case "conv":
            return nn.Conv2d(channels, layer.channels, layer.kernel, layer.stride, layer.padding)
        case "bn":
            return nn.BatchNorm2d(channels)
        case "ln":
            return ChannelNorm(channels)
        case "relu":
            return nn.ReLU()
        case _:
            return nn.GELU()


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of (n, c, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # type: ignore[no-any-return]


class LearnedPositions(nn.Module):
    """Learned positions: one vector per patch, added to the patches."""

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
        self.skip = nn.Parameter(torch.full((width,), 1.0 if start is None else float(start)))

    def forward(self, branch: Tensor) -> Tensor:
        if self.training and self.drop_rate > 0:
            keep = torch.rand(branch.shape[0], 1, 1, device=branch.device) >= self.drop_rate
            branch = branch * keep / (1 - self.drop_rate)
        return branch * self.skip


class ViTBlock(nn.Module):
    """Attention, then a two-layer perceptron; each is a residual branch with a norm before it and a learned scale after it."""

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
        """Return softmax attention over the patches, scaled by the square root of a head's width."""
        images, patches, width = x.shape
        split = self.qkv_proj(x).view(images, patches, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(images, patches, width)


def sine_positions(grid: int, width: int, device: torch.device) -> Tensor:
    """Return the fixed positions of a square grid, row by row; float32 (grid * grid, width).

    The width has four quarters: sine and cosine of x, sine and cosine of y, each at `width / 4` frequencies from 1 to 1/10000.
    """
    quarter = width // 4
    omega = torch.exp(-math.log(10_000) * torch.arange(quarter, device=device, dtype=torch.float32) / (quarter - 1))
    y, x = torch.meshgrid(*(torch.arange(grid, device=device, dtype=torch.float32),) * 2, indexing="ij")
    angles_x, angles_y = x.flatten()[:, None] * omega, y.flatten()[:, None] * omega
    return torch.cat([angles_x.sin(), angles_x.cos(), angles_y.sin(), angles_y.cos()], dim=1)


def drop_patches(x: Tensor, rate: float) -> Tensor:
    """Return a random subset of the patches of each image; `rate` is the share that is dropped."""
    images, patches, width = x.shape
    kept = max(1, round(patches * (1 - rate)))
    chosen = torch.rand(images, patches, device=x.device).argsort(1)[:, :kept, None].expand(-1, -1, width)
    return x.gather(1, chosen)
