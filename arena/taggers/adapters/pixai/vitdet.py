"""PixAI's vision transformer in torch: SAM 3's image encoder with a pooling query. Parameter names are the checkpoint's.

Patches stay in a grid. Most blocks attend within windows of the grid, some over all of it. Queries and keys have axial rotary
positions, scaled so that the whole grid spans the range of one window in pretraining. One learned query pools the patches, and
a linear layer gives the logits.

Source: `tagger_pipeline.py` of pixai-labs/pixai-tagger-v1.0 as copied in sln77/ComfyUI-Tagger (MIT); the encoder is that of
facebookresearch/sam3, model/vitdet.py. With SAM 3's config values it has 486,346,909 parameters in a file of 1,945,425,796
bytes, as the release.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROPE_THETA = 10_000.0
"""Base of the wavelengths of rotary positions."""

SUPPORTED_VALUES: Mapping[str, Any] = {
    "rel_pos_blocks": [], "retain_cls_token": False, "use_abs_pos": True, "use_rope": True, "in_chans": 3,
    "norm_layer": "LayerNorm", "act_layer": "GELU",
}  # fmt: skip
"""Fields of `config.json` with only one supported value, that of the release."""

RELEASE_DEFAULTS: Mapping[str, Any] = {"rel_pos_blocks": [2, 5, 8, 11], "retain_cls_token": True, "use_rope": False}
"""Defaults of the release's code that differ from `SUPPORTED_VALUES`, for fields that are missing in `config.json`."""


@dataclass(frozen=True)
class VitDetConfig:
    """`config.json` of a PixAI checkpoint, without its tags and thresholds.

    Attributes:
        img_size, patch_size, window_size: sides in pixels, pixels, patches.
        pretrain_img_size: side of the pretraining images, pixels; their absolute positions are tiled or interpolated over the
            grid.
        tile_abs_pos: whether they are tiled; else interpolated.
        global_att_blocks: indices of the blocks that attend over the whole grid.
        rope_pt_size: side of the grid of the pretrained rotary positions, patches; None: window_size.
        use_interp_rope: whether rotary positions are scaled to that side.
        init_values: initial value, in training, of the learned scales of a block's two branches; None or 0: no scales.

    Raises:
        ValueError: a value is out of range, or two values contradict each other.
    """

    num_classes: int
    img_size: int
    patch_size: int
    embed_dim: int
    depth: int
    num_heads: int
    mlp_ratio: float = 4.0
    window_size: int = 14
    global_att_blocks: tuple[int, ...] = (2, 5, 8, 11)
    pretrain_img_size: int = 224
    pretrain_use_cls_token: bool = True
    tile_abs_pos: bool = True
    rope_pt_size: int | None = None
    use_interp_rope: bool = False
    qkv_bias: bool = True
    bias_patch_embed: bool = True
    ln_pre: bool = False
    ln_post: bool = False
    init_values: float | None = None

    def __post_init__(self) -> None:
        sizes = ("num_classes", "img_size", "patch_size", "embed_dim", "depth", "num_heads", "window_size")
        for name in sizes:
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)!r}; it must be a whole number above 0")
        if self.embed_dim % (4 * self.num_heads):
            raise ValueError(f"embed_dim = {self.embed_dim} is not a multiple of 4 x num_heads = {4 * self.num_heads}")
        if self.depth - 1 not in self.global_att_blocks:
            raise ValueError(f"global_att_blocks = {list(self.global_att_blocks)}; the last block must be among them")

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "VitDetConfig":
        """Return the config from the content of `config.json`; keys that are not part of the network are ignored.

        Raises:
            TypeError: a required size is missing.
            ValueError: a value is invalid or not supported.
        """
        for name, supported in SUPPORTED_VALUES.items():
            value = table.get(name, RELEASE_DEFAULTS.get(name, supported))
            if value != supported:
                raise ValueError(f"{name} = {value!r}; only {supported!r} is supported")
        known = {field.name for field in fields(cls)}
        values = {key: value for key, value in table.items() if key in known}
        return cls(**values | {"global_att_blocks": tuple(values.get("global_att_blocks", cls.global_att_blocks))})

    @property
    def grid(self) -> int:
        """Number of patches along one side."""
        return self.img_size // self.patch_size


class VitDet(nn.Module):
    """The network: float (n, 3, size, size) to logits (n, tags)."""

    def __init__(self, config: VitDetConfig) -> None:
        super().__init__()
        self.config = config
        width = config.embed_dim
        self.patch_embed = nn.ModuleDict(
            {"proj": nn.Conv2d(3, width, config.patch_size, config.patch_size, bias=config.bias_patch_embed)}
        )
        learnt = (config.pretrain_img_size // config.patch_size) ** 2 + config.pretrain_use_cls_token
        self.pos_embed = nn.Parameter(torch.zeros(1, learnt, width))
        self.ln_pre = nn.LayerNorm(width) if config.ln_pre else nn.Identity()
        self.blocks = nn.ModuleList(
            VitDetBlock(config, whole=i in config.global_att_blocks) for i in range(config.depth)
        )
        self.ln_post = nn.LayerNorm(width) if config.ln_post else nn.Identity()
        self.head_pool = QueryPool(width, config.num_heads, config.grid**2)
        self.head = nn.Linear(width, config.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of normalised images."""
        x = self.patch_embed["proj"](images).permute(0, 2, 3, 1)
        x = self.ln_pre(x + self.positions())
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.head_pool(self.ln_post(x).flatten(1, 2)))
        return logits

    def positions(self) -> Tensor:
        """Return the absolute positions of the grid, (1, grid, grid, width), from those of the pretraining's grid."""
        learnt = self.pos_embed[:, int(self.config.pretrain_use_cls_token) :]
        side, grid = math.isqrt(learnt.shape[1]), self.config.grid
        square = learnt.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        if self.config.tile_abs_pos:
            repeats = grid // side + 1
            square = square.tile(1, 1, repeats, repeats)[:, :, :grid, :grid]
        elif side != grid:
            square = F.interpolate(square, size=(grid, grid), mode="bicubic", align_corners=False)
        return square.permute(0, 2, 3, 1)


class VitDetBlock(nn.Module):
    """Pre-norm attention, within windows or over the whole grid, then a perceptron; keeps the shape (n, h, w, width)."""

    def __init__(self, config: VitDetConfig, *, whole: bool) -> None:
        super().__init__()
        width, hidden = config.embed_dim, int(config.embed_dim * config.mlp_ratio)
        self.window = 0 if whole else config.window_size
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(config, config.grid if whole else config.window_size)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, hidden), "fc2": nn.Linear(hidden, width)})
        self.ls1, self.ls2 = (LayerScale(width) if config.init_values else nn.Identity() for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Return the grid after both branches."""
        x = x + self.ls1(self._attend(self.norm1(x)))
        hidden: Tensor = self.ls2(self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x)))))
        return x + hidden

    def _attend(self, x: Tensor) -> Tensor:
        if not self.window:
            attended: Tensor = self.attn(x)
            return attended
        n, height, width, channels = x.shape
        side = self.window
        below, right = -height % side, -width % side
        x = F.pad(x, (0, 0, 0, right, 0, below))
        rows, columns = (height + below) // side, (width + right) // side
        x = x.view(n, rows, side, columns, side, channels).transpose(2, 3)
        x = self.attn(x.reshape(-1, side, side, channels))
        x = x.view(n, rows, columns, side, side, channels).transpose(2, 3)
        return x.reshape(n, height + below, width + right, channels)[:, :height, :width]


class Attention(nn.Module):
    """Softmax attention over a square of patches, with rotary positions on queries and keys."""

    turns: Tensor

    def __init__(self, config: VitDetConfig, side: int) -> None:
        super().__init__()
        self.heads = config.num_heads
        self.qkv = nn.Linear(config.embed_dim, 3 * config.embed_dim, bias=config.qkv_bias)
        self.proj = nn.Linear(config.embed_dim, config.embed_dim)
        scale = (config.rope_pt_size or config.window_size) / side if config.use_interp_rope else 1.0
        self.register_buffer(
            "turns", axial_rotations(side, config.embed_dim // config.num_heads, scale), persistent=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the patches after attention, (n, side, side, width)."""
        n, height, width, channels = x.shape
        parts = self.qkv(x).view(n, height * width, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = parts.unbind(0)
        out = F.scaled_dot_product_attention(rotate_pairs(q, self.turns), rotate_pairs(k, self.turns), v)
        attended: Tensor = self.proj(out.transpose(1, 2).reshape(n, height, width, channels))
        return attended


class QueryPool(nn.Module):
    """Attention pooling with one learned query: (n, patches, width) to (n, width)."""

    def __init__(self, width: int, heads: int, patches: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.q = nn.Parameter(torch.zeros(width))
        self.kv = nn.Linear(width, 2 * width)
        self.pos_embed = nn.Parameter(torch.zeros(patches, width))
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the patches' mean, weighted by the query."""
        n, patches, width = x.shape
        k, v = self.kv(self.norm(x) + self.pos_embed).view(n, patches, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        q = self.q.to(k.dtype).view(1, self.heads, 1, -1).expand(n, -1, -1, -1)
        pooled: Tensor = self.proj(F.scaled_dot_product_attention(q, k, v).reshape(n, width))
        return pooled


class LayerScale(nn.Module):
    """A learned factor per channel, `gamma`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return each channel times its factor."""
        return x * self.gamma


def axial_rotations(side: int, width: int, scale: float) -> Tensor:
    """Return the rotations of axial rotary positions for a square of patches, row by row.

    The first half of the angles depends on the column, the other half on the row.

    Args:
        side: patches along one side.
        width: width of one attention head; two neighbouring numbers are rotated as a pair.
        scale: factor of the positions.

    Returns: float32 (2, side * side, width / 2): cosines, then sines.

    >>> axial_rotations(2, 4, math.pi / 2)[1].tolist()  # sines: a quarter turn per step; columns first
    [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    """
    speeds = 1.0 / ROPE_THETA ** (torch.arange(0, width, 4).float() / width)
    patches = torch.arange(side * side)
    across, down = patches % side * scale, patches // side * scale
    angles = torch.cat([torch.outer(across, speeds), torch.outer(down, speeds)], dim=1)
    return torch.stack([angles.cos(), angles.sin()])


def rotate_pairs(x: Tensor, turns: Tensor) -> Tensor:
    """Rotate each pair of neighbouring numbers of queries or keys, (n, heads, patches, width), by its angle, in float32.

    >>> quarter = torch.tensor([[[0.0]], [[1.0]]])
    >>> rotate_pairs(torch.tensor([[[[3.0, 4.0]]]]), quarter).tolist()
    [[[[-4.0, 3.0]]]]
    """
    first, second = x.float().reshape(*x.shape[:-1], -1, 2).unbind(-1)
    cosine, sine = turns
    pairs = torch.stack([first * cosine - second * sine, first * sine + second * cosine], dim=-1)
    return pairs.flatten(-2).to(x.dtype)
