"""PixAI's vision transformer in torch, with the names of its published checkpoint: SAM 3's image encoder under a pooling query.

Patches keep their grid. Most blocks attend within windows of it, some over the whole; queries and keys are turned by their
place (axial rotary positions), scaled so that the whole grid spans what a window did in pretraining. One learned query pools
the patches, a linear layer gives the logits.

Source: `tagger_pipeline.py` of pixai-labs/pixai-tagger-v1.0 as sln77/ComfyUI-Tagger (MIT) carries it on; the encoder is that of
facebookresearch/sam3, model/vitdet.py. With the fields that SAM 3 has it counts 486,346,909 parameters and fills a file of
1,945,425,796 bytes, as the release does.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ROPE_THETA = 10_000.0
"""Base of the rotary positions' wavelengths."""

BUILT: Mapping[str, Any] = {
    "rel_pos_blocks": [], "retain_cls_token": False, "use_abs_pos": True, "use_rope": True, "in_chans": 3,
    "norm_layer": "LayerNorm", "act_layer": "GELU",
}  # fmt: skip
"""Fields of `config.json` of which one value is built, that of the release."""

SILENT: Mapping[str, Any] = {"rel_pos_blocks": [2, 5, 8, 11], "retain_cls_token": True, "use_rope": False}
"""What the release's own code takes for those of them that `config.json` does not tell, where that is another value."""


@dataclass(frozen=True)
class VitDetConfig:
    """`config.json` of a PixAI checkpoint, without its tags and thresholds.

    Attributes:
        img_size, patch_size, window_size: pixels, pixels, patches.
        pretrain_img_size: side of the pictures whose absolute positions are tiled (or stretched) over the grid.
        global_att_blocks: which blocks attend over the whole grid.
        rope_pt_size: side of the grid that rotary positions were learnt on; None: a window.
        use_interp_rope: whether the grid's positions are scaled to that side.
        init_values: starting value of the learned scales of a block's two branches; None: there are none.
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
            raise ValueError(f"embed_dim = {self.embed_dim} is no multiple of 4 x num_heads = {4 * self.num_heads}")
        if self.depth - 1 not in self.global_att_blocks:
            raise ValueError(f"global_att_blocks = {list(self.global_att_blocks)}; the last block must be among them")

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "VitDetConfig":
        """From the content of `config.json`; keys that are no part of the network are passed over.

        Raises:
            TypeError: a size that the network needs is missing. ValueError: a value cannot be, or is not built.
        """
        for name, built in BUILT.items():
            value = table.get(name, SILENT.get(name, built))
            if value != built:
                raise ValueError(f"{name} = {value!r}; only {built!r} is built")
        known = {field.name for field in fields(cls)}
        told = {key: value for key, value in table.items() if key in known}
        return cls(**told | {"global_att_blocks": tuple(told.get("global_att_blocks", cls.global_att_blocks))})

    @property
    def grid(self) -> int:
        """Patches along one side."""
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
        self.blocks = nn.ModuleList(Block(config, whole=i in config.global_att_blocks) for i in range(config.depth))
        self.ln_post = nn.LayerNorm(width) if config.ln_post else nn.Identity()
        self.head_pool = QueryPool(width, config.num_heads, config.grid**2)
        self.head = nn.Linear(width, config.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of normalised images."""
        x = self.patch_embed["proj"](images).permute(0, 2, 3, 1)
        x = self.ln_pre(x + self.positions())
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.head_pool(self.ln_post(x).flatten(1, 2)))
        return logits

    def positions(self) -> Tensor:
        """Absolute positions of the grid, (1, grid, grid, width), from those of the pretraining's grid."""
        learnt = self.pos_embed[:, int(self.config.pretrain_use_cls_token) :]
        side, grid = math.isqrt(learnt.shape[1]), self.config.grid
        square = learnt.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        if self.config.tile_abs_pos:
            times = grid // side + 1
            square = square.tile(1, 1, times, times)[:, :, :grid, :grid]
        elif side != grid:
            square = F.interpolate(square, size=(grid, grid), mode="bicubic", align_corners=False)
        return square.permute(0, 2, 3, 1)


class Block(nn.Module):
    """Pre-norm attention, within windows or over the whole grid, and a perceptron; (n, h, w, width) to the same."""

    def __init__(self, config: VitDetConfig, *, whole: bool) -> None:
        super().__init__()
        width, hidden = config.embed_dim, int(config.embed_dim * config.mlp_ratio)
        self.window = 0 if whole else config.window_size
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = Attention(config, config.grid if whole else config.window_size)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, hidden), "fc2": nn.Linear(hidden, width)})
        self.ls1, self.ls2 = (Scale(width) if config.init_values else nn.Identity() for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """The grid after both branches."""
        x = x + self.ls1(self._attended(self.norm1(x)))
        thought: Tensor = self.ls2(self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x)))))
        return x + thought

    def _attended(self, x: Tensor) -> Tensor:
        if not self.window:
            whole: Tensor = self.attn(x)
            return whole
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
    """Softmax attention over a square of patches, rotary positions on queries and keys."""

    turns: Tensor

    def __init__(self, config: VitDetConfig, side: int) -> None:
        super().__init__()
        self.heads = config.num_heads
        self.qkv = nn.Linear(config.embed_dim, 3 * config.embed_dim, bias=config.qkv_bias)
        self.proj = nn.Linear(config.embed_dim, config.embed_dim)
        scale = (config.rope_pt_size or config.window_size) / side if config.use_interp_rope else 1.0
        self.register_buffer("turns", axial_turns(side, config.embed_dim // config.num_heads, scale), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The same patches, attended: (n, side, side, width)."""
        n, height, width, channels = x.shape
        parts = self.qkv(x).view(n, height * width, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = parts.unbind(0)
        out = F.scaled_dot_product_attention(turned(q, self.turns), turned(k, self.turns), v)
        attended: Tensor = self.proj(out.transpose(1, 2).reshape(n, height, width, channels))
        return attended


class QueryPool(nn.Module):
    """One learned query over all patches: (n, patches, width) to (n, width)."""

    def __init__(self, width: int, heads: int, patches: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.q = nn.Parameter(torch.zeros(width))
        self.kv = nn.Linear(width, 2 * width)
        self.pos_embed = nn.Parameter(torch.zeros(patches, width))
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """The mean of the patches that the query asks for."""
        n, patches, width = x.shape
        k, v = self.kv(self.norm(x) + self.pos_embed).view(n, patches, 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        q = self.q.to(k.dtype).view(1, self.heads, 1, -1).expand(n, -1, -1, -1)
        pooled: Tensor = self.proj(F.scaled_dot_product_attention(q, k, v).reshape(n, width))
        return pooled


class Scale(nn.Module):
    """A learned factor a channel, `gamma`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Every channel times its factor."""
        return x * self.gamma


def axial_turns(side: int, width: int, scale: float) -> Tensor:
    """Angles of the rotary positions of a square of patches, row by row: the first half of them by column, the rest by row.

    Args:
        width: numbers of one head; two make a pair that is turned together.
        scale: of the positions.

    Returns: float32 (2, side * side, width / 2): cosines, then sines.

    >>> axial_turns(2, 4, math.pi / 2)[1].tolist()  # sines: a quarter of a turn a step, across first
    [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    """
    speeds = 1.0 / ROPE_THETA ** (torch.arange(0, width, 4).float() / width)
    places = torch.arange(side * side)
    across, down = places % side * scale, places // side * scale
    angles = torch.cat([torch.outer(across, speeds), torch.outer(down, speeds)], dim=1)
    return torch.stack([angles.cos(), angles.sin()])


def turned(x: Tensor, turns: Tensor) -> Tensor:
    """Queries or keys, (n, heads, patches, width), each pair of neighbouring numbers turned by its angle, in float32.

    >>> quarter = torch.tensor([[[0.0]], [[1.0]]])
    >>> turned(torch.tensor([[[[3.0, 4.0]]]]), quarter).tolist()
    [[[[-4.0, 3.0]]]]
    """
    first, second = x.float().reshape(*x.shape[:-1], -1, 2).unbind(-1)
    cosine, sine = turns
    pairs = torch.stack([first * cosine - second * sine, first * sine + second * cosine], dim=-1)
    return pairs.flatten(-2).to(x.dtype)
