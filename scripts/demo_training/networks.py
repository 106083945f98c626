"""Network, recipe and vocabulary of the two demo taggers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import timm
import torch
from demo_training.augment import Augment
from demo_training.fit import Recipe, Subject
from demo_training.vocabulary import Vocabulary, choose
from numpy.typing import NDArray
from torch import nn

from arena.taggers.adapters.joytag.config import ViTConfig
from arena.taggers.adapters.joytag.vit import ViT

SIDE = 128
"""Side of the input of both networks, in pixels."""

JOYTAG_MEAN, JOYTAG_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
WD_MEAN, WD_STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)

JOYTAG_CONFIG = ViTConfig(
    n_tags=1,
    image_size=SIDE,
    num_blocks=4,
    patch_size=16,
    d_model=192,
    mlp_dim=576,
    num_heads=6,
    stochdepth_rate=0.05,
    use_sine=True,
    loss_type="focal2",
    cnn_stem="conv:c=48;bn;relu;conv:c=96;bn;relu;conv:c=144;bn;relu;conv:c=192;bn;relu;conv:c=192,s=1,k=1,p=0",
)
"""JoyTag's architecture with fewer channels; `n_tags` is replaced by the size of the vocabulary.

The stem has batch norm, not the LayerNorm of the released JoyTag, because it is better in so short a training (see
models/TRAINING.md).
"""

WD_ARCHITECTURE = "resnet18"
WD_MODEL_ARGS: dict[str, Any] = {"channels": [32, 64, 128, 188]}

AUGMENT = Augment(zoom=0.35, stretch=0.3, rotate=12, shift=0.08, colour=0.3, hue=20, erase=0.25)


@dataclass(frozen=True)
class Demo:
    """One demo tagger.

    Attributes:
        name: name of the model.
        recipe: hyperparameters.
        build: builds the network for a number of tags.
        vocabulary: returns the published tags from counts, categories and aliases.
    """

    name: str
    recipe: Recipe
    build: Callable[[int], Subject]
    vocabulary: Callable[[Mapping[str, int], Mapping[str, str], Sequence[tuple[str, str]]], Vocabulary]


def build_joytag(n_tags: int) -> Subject:
    """Build JoyTag's network at demo size."""
    return Subject(ViT(replace(JOYTAG_CONFIG, n_tags=n_tags)), JOYTAG_MEAN, JOYTAG_STD, bgr=False, resize=_resize_vit)


def build_wd14(n_tags: int) -> Subject:
    """Build the timm network."""
    network = timm.create_model(WD_ARCHITECTURE, num_classes=n_tags, **WD_MODEL_ARGS)
    return Subject(network, WD_MEAN, WD_STD, bgr=True)


DEMOS = {
    "joytag-demo": Demo(
        "joytag-demo",
        Recipe(epochs=30, rate=8e-4, augment=AUGMENT),
        build_joytag,
        lambda counts, categories, aliases: choose(counts, categories, min_images=10, skip=(16, 5)),
    ),
    "wd14-demo": Demo(
        "wd14-demo",
        Recipe(epochs=30, rate=1.5e-3, augment=AUGMENT),
        build_wd14,
        lambda counts, categories, aliases: choose(
            counts, categories, min_images=12, skip=(13, 7), aliases=aliases, aliased=8
        ),
    ),
}


def head_of(network: nn.Module) -> nn.Linear:
    """Return the last layer of a network."""
    head = network.head if isinstance(network, ViT) else network.get_classifier()  # type: ignore[operator]
    assert isinstance(head, nn.Linear)
    return head


def start_from_prevalence(network: nn.Module, truth: NDArray[np.bool_]) -> None:
    """Set the bias of the head to the log-odds of each tag, so that training need not learn first that tags are rare."""
    share = torch.from_numpy(truth.mean(0)).float().clamp(1e-4, 0.9)
    with torch.no_grad():
        head_of(network).bias.copy_(torch.log(share / (1 - share)))


def joytag_config(n_tags: int) -> dict[str, Any]:
    """Return the content of `config.json` in JoyTag's layout."""
    return {"class": "ViT"} | asdict(replace(JOYTAG_CONFIG, n_tags=n_tags))


def _resize_vit(network: nn.Module, side: int) -> None:
    """Set the input side: the sine positions depend on it, the weights do not."""
    assert isinstance(network, ViT)
    network.config = replace(network.config, image_size=side)
