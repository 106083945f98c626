"""RedRocket's Joint Tagger Project, PILOT2: a SigLIP ViT from timm under a gated head, with `tags.json`.

The network is `vit_so400m_patch14_siglip_384` of timm, pooled by attention, its classifier replaced. How wide and how deep it
is comes from the tensors themselves; only the width of an attention head cannot be told from them.

Source: RedRocket/JointTaggerProject, JTP_PILOT2/inference_gradio.py, as public tools carry it on (deitydurg's ComfyUI node, the
Space RedRocket/JointTaggerProject-Inference-Beta): sigmoid of the first half times sigmoid of the second, picture fitted into
384 by Lanczos, transparency and padding on 0.5.
"""

from collections.abc import Mapping
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from arena.base.errors import WeightsError
from arena.cards import ModelCard
from arena.taggers.files.tag_files import read_tags
from arena.taggers.files.weights import load_state, read_state
from arena.taggers.torch_runtime import TorchTagger, choose_runtime

ARCHITECTURE = "vit_so400m_patch14_siglip_384"
"""timm's name of the network; 1,152 wide, 27 blocks, 16 heads."""

HEAD_WIDTH = 72
"""Numbers of one attention head of that architecture: 1,152 / 16."""


class GatedHead(nn.Module):
    """Features (n, width) to probabilities (n, tags): a sigmoid of each tag's score, times a sigmoid of its gate.

    One linear layer gives both, scores first. In float32, whatever the network runs in.
    """

    def __init__(self, width: int, tags: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 2 * tags)

    def forward(self, features: Tensor) -> Tensor:
        """Probabilities of pooled features."""
        score, gate = self.linear(features).float().chunk(2, dim=1)
        return torch.sigmoid(score) * torch.sigmoid(gate)


def load(card: ModelCard, files: Mapping[str, Path], *, device: str, precision: str) -> TorchTagger:
    """Build the network that the tensors show, and fill it.

    Raises:
        WeightsError: the file holds another network, or another number of tags than the list has.
    """
    runtime = choose_runtime(device, precision)
    tags = read_tags(card, files)
    path = files[card.files[0]]
    state = read_state(path)
    told = state.get("head.linear.bias")
    if told is None:
        raise WeightsError(f"{path}: no head.linear.bias in it; it must be a JTP PILOT2, whose head is gated")
    if len(told) != 2 * len(tags):
        raise WeightsError(
            f"{path}: {len(tags)} tags, but the network of {card.name} has {len(told) / 2:g}; take both files from the "
            "same release"
        )
    network = build(state, tags=len(tags), size=card.preprocess.size, path=path)
    load_state(network, state, path, fits=ARCHITECTURE)
    return TorchTagger(card, tags, network, size=card.preprocess.size, runtime=runtime)


def build(state: Mapping[str, Tensor], *, tags: int, size: int, path: Path) -> nn.Module:
    """The empty network that tensors of this name and shape fit into.

    Args:
        size: side of the square that it takes, pixels.

    Raises:
        WeightsError: they are those of no ViT.
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
