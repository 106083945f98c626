"""RAM++ (the Recognize Anything Plus Model): a Swin transformer, and one query per tag that attends to the image.

A tag has 51 descriptions, embedded by CLIP and stored in the checkpoint. Their mean, weighted by similarity to the image's mean
feature, is projected to the tag's query. The query attends to the image in two layers of cross-attention, and a linear layer
gives the logit.

The network's sizes are read from the tensors' shapes; only the number of attention heads of the queries is not in them. The tag
list and its thresholds are not in the weights' repository.

Source: xinyu1205/recognize-anything (Apache-2.0), ram/models/ram_plus.py, swin_transformer.py, bert.py (mode `tagging`),
utils.py (`load_checkpoint_swinlarge`), ram/transform.py, ram/configs/q2l_config.json, ram/data/.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from arena.base.errors import WeightsError
from arena.cards import ModelCard
from arena.taggers.files.tag_files import read_tag_list
from arena.taggers.files.weights import load_state, read_state
from arena.taggers.torch_runtime import TorchTagger, choose_runtime

ENCODER = "swin_large_patch4_window12_384"
"""timm's name of the image encoder."""

QUERY_HEADS = 4
"""Attention heads of the tag queries (q2l_config.json)."""

TEMPERATURE = 0.07
"""Softmax temperature of the description weights if the checkpoint has no `reweight_scale`, as the published one."""

UNUSED_TENSORS = re.compile(
    r"logit_scale|tagging_head\.embeddings\..*|tagging_head\.encoder\.layer\.\d+\.attention\..*"
    r"|visual_encoder\..*\.(relative_position_index|attn_mask)"
)
"""Names of checkpoint tensors that the reference code drops: word embeddings, attention among tags, computed buffers."""


class RamSizes(NamedTuple):
    """Sizes of the network after its encoder.

    Attributes:
        features: width of the encoder's output.
        width: width of the projected patches and of a description.
        queries: width of a tag's query.
        inner: hidden width of the query's perceptron.
        layers: number of cross-attention layers.
        tags: number of tags.
        descriptions: number of descriptions per tag.
    """

    features: int
    width: int
    queries: int
    inner: int
    layers: int
    tags: int
    descriptions: int


class RamPlus(nn.Module):
    """The network: float (n, 3, size, size) to logits (n, tags). Parameter names are those of the published checkpoint.

    Args:
        encoder: a timm network whose `forward_features` returns (n, h, w, features).
    """

    def __init__(self, encoder: nn.Module, sizes: RamSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.visual_encoder = encoder
        self.image_proj = nn.Linear(sizes.features, sizes.width)
        self.label_embed = nn.Parameter(torch.zeros(sizes.tags * sizes.descriptions, sizes.width))
        self.reweight_scale = nn.Parameter(torch.tensor(math.log(1 / TEMPERATURE)))
        self.wordvec_proj = nn.Linear(sizes.width, sizes.queries)
        layers = nn.ModuleList(CrossAttentionLayer(sizes) for _ in range(sizes.layers))
        self.tagging_head = _named(encoder=_named(layer=layers))
        self.fc = nn.Linear(sizes.queries, 1)
        self._layers = list(layers)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of normalised images."""
        patches: Tensor = self.visual_encoder.forward_features(images).flatten(1, 2)  # type: ignore[operator]
        picture = self.image_proj(torch.cat([patches.mean(dim=1, keepdim=True), patches], dim=1))
        x = F.relu(self.wordvec_proj(self.weighed(picture[:, 0])))
        for layer in self._layers:
            x = layer(x, picture)
        logits: Tensor = self.fc(x).squeeze(-1)
        return logits

    def weighed(self, mean: Tensor) -> Tensor:
        """Return each tag's weighted mean of descriptions, (n, tags, width), from the images' mean features (n, width).

        The weights are a softmax over the scaled dot products of the normalised image feature and the descriptions, which are
        not normalised.
        """
        similarity = F.normalize(mean.float(), dim=-1).to(mean.dtype) @ self.label_embed.t()
        scores = self.reweight_scale.exp() * similarity.float()
        weights = scores.view(len(mean), self.sizes.tags, -1).softmax(dim=2)
        return torch.einsum("ntd,tdw->ntw", weights, self.label_embed.view(self.sizes.tags, -1, self.sizes.width))


class CrossAttentionLayer(nn.Module):
    """Cross-attention from tag queries to patches, then a perceptron; each with a residual connection and a norm after it."""

    def __init__(self, sizes: RamSizes) -> None:
        super().__init__()
        queries, width = sizes.queries, sizes.width
        projections = _named(
            query=nn.Linear(queries, queries), key=nn.Linear(width, queries), value=nn.Linear(width, queries)
        )
        self.crossattention = _named(self=projections, output=_residual(queries, queries))
        self.intermediate = _named(dense=nn.Linear(queries, sizes.inner))
        self.output = _residual(sizes.inner, queries)

    def forward(self, x: Tensor, picture: Tensor) -> Tensor:
        """Return the queries (n, tags, queries) after attention to the projected image (n, 1 + patches, width)."""
        projections: Any = self.crossattention["self"]
        q, k, v = (
            projections[name](of).view(*of.shape[:2], QUERY_HEADS, -1).transpose(1, 2)
            for name, of in (("query", x), ("key", picture), ("value", picture))
        )
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = _add(self.crossattention["output"], attended, x)
        return _add(self.output, F.gelu(self.intermediate["dense"](x)), x)


def load(card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str) -> TorchTagger:
    """Build the network from the shapes of its tensors, and load them.

    Raises:
        WeightsError: the file holds another network, or its number of tags is not that of the tag list.
    """
    runtime = choose_runtime(device, precision)
    tags = read_tag_list(card, files)
    path = files[card.files[0]]
    state = with_timm_names(read_state(path))
    embedded = state.get("label_embed")
    if embedded is None or len(embedded) % len(tags):
        found = "has no label_embed" if embedded is None else f"{len(embedded)} descriptions for {len(tags)} tags"
        raise WeightsError(
            f"{path}: {found}; it must be a RAM++ (not RAM or Tag2Text) from the same release as the tag list"
        )
    network = build_ram(state, tags=len(tags), size=card.preprocess.size, path=path)
    state.setdefault("reweight_scale", network.reweight_scale.detach())
    load_state(network, state, path, fits="RAM++")
    return TorchTagger(card, tags, network, size=card.preprocess.size, runtime=runtime)


def with_timm_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a checkpoint's tensors with timm's names, without those in `UNUSED_TENSORS`.

    timm assigns the downsampling between two stages of a Swin transformer to the second stage, the original to the first.

    >>> list(with_timm_names({"visual_encoder.layers.0.downsample.norm.bias": torch.zeros(1), "logit_scale": torch.zeros(1)}))
    ['visual_encoder.layers.1.downsample.norm.bias']
    """
    step = re.compile(r"(visual_encoder\.layers\.)(\d+)(\.downsample\.)")
    kept = {name: tensor for name, tensor in state.items() if not UNUSED_TENSORS.fullmatch(name)}
    return {step.sub(lambda m: f"{m[1]}{int(m[2]) + 1}{m[3]}", name): tensor for name, tensor in kept.items()}


def build_ram(state: Mapping[str, Tensor], *, tags: int, size: int, path: Path) -> RamPlus:
    """Return the network for a state dict, not yet loaded.

    Args:
        size: side of the input square, pixels.
        path: of the weights, for the error.

    Raises:
        WeightsError: the tensors are not those of a RAM++.
    """
    try:
        encoder = _encoder(state, size)
        return RamPlus(encoder, _sizes(state, tags, int(encoder.num_features)))  # type: ignore[arg-type]
    except (KeyError, ValueError, AssertionError, RuntimeError) as error:
        raise WeightsError(f"{path}: does not fit RAM++ ({error})") from None


def _encoder(state: Mapping[str, Tensor], size: int) -> nn.Module:
    stage = re.compile(r"visual_encoder\.layers\.(\d+)\.blocks\.(\d+)\.attn\.relative_position_bias_table")
    blocks = {(int(m[1]), int(m[2])): state[name].shape for name in state if (m := stage.fullmatch(name))}
    stages = range(1 + max(number for number, _ in blocks))
    distances, _ = blocks[0, 0]  # (2 x window - 1)², heads
    width, _, _, patch = state["visual_encoder.patch_embed.proj.weight"].shape
    encoder: nn.Module = timm.create_model(
        ENCODER, pretrained=False, num_classes=0, img_size=size, patch_size=patch, embed_dim=width,
        window_size=(math.isqrt(distances) + 1) // 2, depths=tuple(sum(s == n for s, _ in blocks) for n in stages),
        num_heads=tuple(blocks[n, 0][1] for n in stages),
    )  # fmt: skip
    return encoder


def _sizes(state: Mapping[str, Tensor], tags: int, features: int) -> RamSizes:
    queries = len(state["wordvec_proj.weight"])
    if queries % QUERY_HEADS:
        raise ValueError(f"wordvec_proj.weight has {queries} outputs, not a multiple of {QUERY_HEADS} attention heads")
    return RamSizes(
        features=features,
        width=len(state["image_proj.weight"]),
        queries=queries,
        inner=len(state["tagging_head.encoder.layer.0.intermediate.dense.weight"]),
        layers=sum(name.endswith(".intermediate.dense.weight") for name in state),
        tags=tags,
        descriptions=len(state["label_embed"]) // tags,
    )


def _named(**parts: nn.Module) -> nn.ModuleDict:
    """Return modules by name; a name such as `self` cannot be an attribute of a class."""
    return nn.ModuleDict(parts)


def _residual(incoming: int, queries: int) -> nn.ModuleDict:
    """Return the end of a residual branch: a linear layer, and the norm after the sum with the branch's input."""
    return _named(dense=nn.Linear(incoming, queries), LayerNorm=nn.LayerNorm(queries, eps=1e-12))


def _add(branch: Any, x: Tensor, before: Tensor) -> Tensor:
    added: Tensor = branch["LayerNorm"](branch["dense"](x) + before)
    return added
