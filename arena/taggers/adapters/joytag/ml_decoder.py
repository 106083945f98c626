"""The ML-Decoder head, an option of JoyTag's trainer instead of a linear layer.

Each group of tags has a learned query that attends to all patches; each group then scores its own tags.

Source: Ridnik et al. 2021, "ML-Decoder: Scalable and Versatile Classification Head"; tensors have the names of JoyTag's
checkpoints.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from arena.taggers.adapters.joytag.config import ML_DECODER_HEADS

MAX_GROUPS = 200
"""Largest number of groups of tags; with fewer tags, each tag is a group."""

_HIDDEN_WIDTH = 2048
"""Hidden width of the decoder's perceptron."""


class MLDecoder(nn.Module):
    """Head from patches, float (n, patches, width), to logits (n, tags)."""

    def __init__(self, tags: int, width: int) -> None:
        super().__init__()
        self.tags = tags
        self.embed_standart = nn.Linear(width, width)  # spelt as in the checkpoints
        self.decoder = Decoder(tags, width)

    def forward(self, patches: Tensor) -> Tensor:
        groups = self.decoder(F.relu(self.embed_standart(patches)))
        logits = torch.einsum("ngw,gwk->ngk", groups, self.decoder.duplicate_pooling)
        return logits.flatten(1)[:, : self.tags] + self.decoder.duplicate_pooling_bias


class Decoder(nn.Module):
    """One decoder layer over the queries, and the weights from each group to the logits of its tags."""

    def __init__(self, tags: int, width: int) -> None:
        super().__init__()
        groups = min(MAX_GROUPS, tags)
        self.layers = nn.ModuleList([DecoderLayer(width)])
        self.query_embed = nn.Embedding(groups, width)
        self.duplicate_pooling = nn.Parameter(torch.empty(groups, width, math.ceil(tags / groups)))
        self.duplicate_pooling_bias = nn.Parameter(torch.zeros(tags))
        nn.init.xavier_normal_(self.duplicate_pooling)

    def forward(self, patches: Tensor) -> Tensor:
        """Return the features of the groups, float (n, groups, width)."""
        queries = self.query_embed.weight.expand(len(patches), -1, -1)
        for layer in self.layers:
            queries = layer(queries, patches)
        return queries


class DecoderLayer(nn.Module):
    """Cross-attention of queries to patches, then a perceptron; queries do not attend to each other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.multihead_attn = nn.MultiheadAttention(width, ML_DECODER_HEADS, batch_first=True)
        self.linear1 = nn.Linear(width, _HIDDEN_WIDTH)
        self.linear2 = nn.Linear(_HIDDEN_WIDTH, width)

    def forward(self, queries: Tensor, patches: Tensor) -> Tensor:
        queries = self.norm1(2 * queries)  # the reference adds the queries to themselves
        attended, _ = self.multihead_attn(queries, patches, patches, need_weights=False)
        queries = self.norm2(queries + attended)
        hidden = self.linear2(F.relu(self.linear1(queries)))
        return self.norm3(queries + hidden)  # type: ignore[no-any-return]
