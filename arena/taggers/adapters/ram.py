"""RAM++ (the Recognize Anything Plus Model): a Swin transformer, and tags that ask the picture about themselves.

A tag is known by 51 descriptions, embedded by CLIP and kept in the checkpoint. The picture's mean feature weighs them; what
they come to is the tag's query, which attends to the picture in two layers of cross-attention; a linear layer gives the logit.

The sizes of the network come from the tensors themselves; only the number of attention heads of the queries cannot be told.
Its list of tags and their thresholds are no part of the weights' repository.

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
from arena.taggers.files.tag_files import read_tags
from arena.taggers.files.weights import load_state, read_state
from arena.taggers.torch_runtime import TorchTagger, choose_runtime

ENCODER = "swin_large_patch4_window12_384"
"""timm's name of the picture's encoder."""

QUERY_HEADS = 4
"""Attention heads of the tags' queries (q2l_config.json)."""

TEMPERATURE = 0.07
"""Of the weights of a tag's descriptions, where the checkpoint tells no `reweight_scale`; the published one does not."""

NEVER_RUN = re.compile(
    r"logit_scale|tagging_head\.embeddings\..*|tagging_head\.encoder\.layer\.\d+\.attention\..*"
    r"|visual_encoder\..*\.(relative_position_index|attn_mask)"
)
"""Tensors that a checkpoint may hold and its own code drops: words, attention among tags, and what is computed anew."""


class Sizes(NamedTuple):
    """Of the network above its encoder.

    Attributes:
        features: of the encoder.
        width: of the picture's patches as the tags see them, and of a description.
        queries, inner: of a tag's query, and within its perceptron.
        layers: of cross-attention.
        tags, descriptions: how many, and of each tag.
    """

    features: int
    width: int
    queries: int
    inner: int
    layers: int
    tags: int
    descriptions: int


class RamPlus(nn.Module):
    """The network: float (n, 3, size, size) to logits (n, tags), with the names of the published checkpoint.

    Args:
        encoder: a timm network whose `forward_features` gives (n, h, w, features).
    """

    def __init__(self, encoder: nn.Module, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.visual_encoder = encoder
        self.image_proj = nn.Linear(sizes.features, sizes.width)
        self.label_embed = nn.Parameter(torch.zeros(sizes.tags * sizes.descriptions, sizes.width))
        self.reweight_scale = nn.Parameter(torch.tensor(math.log(1 / TEMPERATURE)))
        self.wordvec_proj = nn.Linear(sizes.width, sizes.queries)
        layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.layers))
        self.tagging_head = _named(encoder=_named(layer=layers))
        self.fc = nn.Linear(sizes.queries, 1)
        self._layers = list(layers)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of normalised images."""
        patches: Tensor = self.visual_encoder.forward_features(images).flatten(1, 2)  # type: ignore[operator]
        picture = self.image_proj(torch.cat([patches.mean(dim=1, keepdim=True), patches], dim=1))
        x = F.relu(self.wordvec_proj(self.weighed(picture[:, 0])))
        for layer in self._layers:
            x = layer(x, picture)
        logits: Tensor = self.fc(x).squeeze(-1)
        return logits

    def weighed(self, mean: Tensor) -> Tensor:
        """Every tag's descriptions as pictures weigh them: (n, width) to (n, tags, width).

        The weights are a softmax over the cosine of picture and description, the descriptions' own length left in.
        """
        likeness = F.normalize(mean.float(), dim=-1).to(mean.dtype) @ self.label_embed.t()
        scores = self.reweight_scale.exp() * likeness.float()
        weights = scores.view(len(mean), self.sizes.tags, -1).softmax(dim=2)
        return torch.einsum("ntd,tdw->ntw", weights, self.label_embed.view(self.sizes.tags, -1, self.sizes.width))


class Layer(nn.Module):
    """The tags look at the picture: cross-attention and a perceptron, each added to what was and then normalised."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        queries, width = sizes.queries, sizes.width
        look = _named(query=nn.Linear(queries, queries), key=nn.Linear(width, queries), value=nn.Linear(width, queries))
        self.crossattention = _named(self=look, output=_added(queries, queries))
        self.intermediate = _named(dense=nn.Linear(queries, sizes.inner))
        self.output = _added(sizes.inner, queries)

    def forward(self, x: Tensor, picture: Tensor) -> Tensor:
        """Queries (n, tags, width) after they have seen the picture (n, patches, width)."""
        look: Any = self.crossattention["self"]
        q, k, v = (
            look[name](of).view(*of.shape[:2], QUERY_HEADS, -1).transpose(1, 2)
            for name, of in (("query", x), ("key", picture), ("value", picture))
        )
        seen = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = _add(self.crossattention["output"], seen, x)
        return _add(self.output, F.gelu(self.intermediate["dense"](x)), x)


def load(card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str) -> TorchTagger:
    """Build the network that the tensors show, and fill it.

    Raises:
        WeightsError: the file holds another network, or another number of tags than the list has.
    """
    runtime = choose_runtime(device, precision)
    tags = read_tags(card, files)
    path = files[card.files[0]]
    state = of_timm(read_state(path))
    embedded = state.get("label_embed")
    if embedded is None or len(embedded) % len(tags):
        seen = "no label_embed in it" if embedded is None else f"{len(embedded)} descriptions for {len(tags)} tags"
        raise WeightsError(f"{path}: {seen}; it must be a RAM++ (not RAM, nor Tag2Text), of the release of the tags")
    network = build(state, tags=len(tags), size=card.preprocess.size, path=path)
    state.setdefault("reweight_scale", network.reweight_scale.detach())
    load_state(network, state, path, fits="RAM++")
    return TorchTagger(card, tags, network, size=card.preprocess.size, runtime=runtime)


def of_timm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint's tensors with timm's names, without those that are `NEVER_RUN`.

    timm counts the step between two stages of a Swin transformer to the second of them, the original to the first.

    >>> list(of_timm({"visual_encoder.layers.0.downsample.norm.bias": torch.zeros(1), "logit_scale": torch.zeros(1)}))
    ['visual_encoder.layers.1.downsample.norm.bias']
    """
    step = re.compile(r"(visual_encoder\.layers\.)(\d+)(\.downsample\.)")
    kept = {name: tensor for name, tensor in state.items() if not NEVER_RUN.fullmatch(name)}
    return {step.sub(lambda m: f"{m[1]}{int(m[2]) + 1}{m[3]}", name): tensor for name, tensor in kept.items()}


def build(state: Mapping[str, Tensor], *, tags: int, size: int, path: Path) -> RamPlus:
    """The empty network that tensors of this name and shape fit into.

    Args:
        size: side of the square that it takes, pixels.

    Raises:
        WeightsError: they are those of no RAM++.
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


def _sizes(state: Mapping[str, Tensor], tags: int, features: int) -> Sizes:
    queries = len(state["wordvec_proj.weight"])
    if queries % QUERY_HEADS:
        raise ValueError(f"wordvec_proj.weight gives {queries} numbers, no multiple of {QUERY_HEADS} attention heads")
    return Sizes(
        features=features,
        width=len(state["image_proj.weight"]),
        queries=queries,
        inner=len(state["tagging_head.encoder.layer.0.intermediate.dense.weight"]),
        layers=sum(name.endswith(".intermediate.dense.weight") for name in state),
        tags=tags,
        descriptions=len(state["label_embed"]) // tags,
    )


def _named(**parts: nn.Module) -> nn.ModuleDict:
    """Modules under names of which some, as `self`, can be no attribute of a class."""
    return nn.ModuleDict(parts)


def _added(incoming: int, queries: int) -> nn.ModuleDict:
    """What ends a branch: a linear layer, and the norm of its sum with what was."""
    return _named(dense=nn.Linear(incoming, queries), LayerNorm=nn.LayerNorm(queries, eps=1e-12))


def _add(branch: Any, x: Tensor, before: Tensor) -> Tensor:
    added: Tensor = branch["LayerNorm"](branch["dense"](x) + before)
    return added
