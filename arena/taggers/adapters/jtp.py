"""RedRocket's Joint Tagger Project, PILOT2: a SigLIP ViT from timm with a gated head, and `tags.json`.

The network is timm's `vit_so400m_patch14_siglip_384` with attention pooling and another classifier. Its width and depth are
read from the tensors' shapes; only the width of an attention head is not in them.

Source: RedRocket/JointTaggerProject, JTP_PILOT2/inference_gradio.py, as copied by public tools (deitydurg's ComfyUI node, the
Space RedRocket/JointTaggerProject-Inference-Beta): sigmoid of the first half times sigmoid of the second; the image fitted into
384 with Lanczos; transparency and padding are 0.5.
"""

from collections.abc import Mapping
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from arena.base.errors import WeightsError
from arena.cards import ModelCard
from arena.taggers.files.tag_files import read_tag_list
from arena.taggers.files.weights import load_state, read_state
from arena.taggers.torch_runtime import TorchTagger, choose_runtime

ARCHITECTURE = "vit_so400m_patch14_siglip_384"
"""timm's name of the network: width 1,152, 27 blocks, 16 heads."""

HEAD_WIDTH = 72
"""Width of one attention head of that architecture: 1,152 / 16."""


class GatedHead(nn.Module):
    """Head from features (n, width) to probabilities (n, tags): sigmoid of a tag's score times sigmoid of its gate.

    One linear layer computes both, scores first. The sigmoids are in float32 at any precision of the network.
    """

    def __init__(self, width: int, tags: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2 * tags)

    def forward(self, features: Tensor) -> Tensor:
        """Return the probabilities of pooled features."""
        score, gate = self.linear(features).float().chunk(2, dim=1)
        return torch.sigmoid(score) * torch.sigmoid(gate)


def load(card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str) -> TorchTagger:
    """Build the network from the shapes of its tensors, and load them.

    Raises:
        WeightsError: the file holds another network, or its number of tags is not that of the tag list.
    """
    runtime = choose_runtime(device, precision)
    tags = read_tag_list(card, files)
    path = files[card.files[0]]
    state = read_state(path)
    bias = state.get("head.linear.bias")
    if bias is None:
        raise WeightsError(f"{path}: has no head.linear.bias; it must be a JTP PILOT2, whose head is gated")
    if len(bias) != 2 * len(tags):
        raise WeightsError(
            f"{path}: {len(tags)} tags, but the network of {card.name} has {len(bias) / 2:g}; take both files from the "
            "same release"
        )
    network = build_jtp(state, tags=len(tags), size=card.preprocess.size, path=path)
    load_state(network, state, path, fits=ARCHITECTURE)
    return TorchTagger(card, tags, network, size=card.preprocess.size, runtime=runtime)


def build_jtp(state: Mapping[str, Tensor], *, tags: int, size: int, path: Path) -> nn.Module:
    """Return the network for a state dict, with its head, not yet loaded.

    Args:
        size: side of the input square, pixels.
        path: of the weights, for the error.

    Raises:
        WeightsError: the tensors are not those of a ViT.
    """
    try:
        width, _, _, patch = state["patch_embed.proj.weight"].shape
        hidden = len(state["blocks.0.mlp.fc1.weight"])
        depth = len({name.split(".")[1] for name in state if name.startswith("blocks.")})
        network: nn.Module = timm.create_model(
            ARCHITECTURE, pretrained=False, num_classes=0, img_size=size, patch_size=patch, embed_dim=width, depth=depth,
            num_heads=max(1, width // HEAD_WIDTH), mlp_ratio=(hidden + 0.5) / width,
        )  # fmt: skip
    except (KeyError, ValueError, AssertionError, RuntimeError) as error:
        raise WeightsError(f"{path}: does not fit {ARCHITECTURE} ({error})") from None
    network.head = GatedHead(width, tags)
    return network
