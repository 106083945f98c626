"""Augmentation of whole batches on tensors: one affine warp, colour, erasing, mixing.

Images are processed inverted (1 - value, called ink), so that areas left empty by a warp or an erasure become white.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Augment:
    """Strength of the augmentation; if all are zero, images are only resized.

    Attributes:
        zoom: log2 of the largest enlargement and reduction.
        stretch: log2 of the largest change of aspect.
        rotate: largest rotation in degrees, in both directions.
        shift: largest shift as a share of the side, in both directions.
        colour: largest relative change of contrast and saturation; a quarter of it is the largest change of brightness.
        hue: largest change of hue in degrees, in both directions.
        erase: probability that a rectangle of an image is erased.
        mix: probability that a batch is mixed.
        mix_alpha: parameter of the beta distribution of the mixing share.
    """

    zoom: float = 0.0
    stretch: float = 0.0
    rotate: float = 0.0
    shift: float = 0.0
    colour: float = 0.0
    hue: float = 0.0
    erase: float = 0.0
    mix: float = 0.0
    mix_alpha: float = 0.4

    def weaker(self) -> "Augment":
        """Return half the warp and colour without erasing and mixing, for the last epochs."""
        half = {name: getattr(self, name) / 2 for name in ("zoom", "stretch", "rotate", "shift", "colour", "hue")}
        return Augment(**half)


def augment_batch(
    pixels: Tensor, truth: Tensor, may_flip: Tensor, size: int, how: Augment, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return an augmented batch.

    Args:
        pixels: uint8 (n, 3, side, side).
        truth: float (n, tags).
        may_flip: bool (n,); False if the tags of an image would be wrong for the mirrored image.
        size: side of the returned images.
        how: strength of the augmentation.
        rng: random generator on the CPU.

    Returns: float (n, 3, size, size) in 0 to 1, and the labels, mixed like the images.
    """
    ink = 1 - pixels.float() / 255
    while ink.shape[-1] >= 2 * size:  # a bilinear warp to less than half the side would alias
        ink = F.avg_pool2d(ink, 2)
    ink = F.grid_sample(
        ink, _warp(len(ink), size, may_flip, how, rng), mode="bilinear", padding_mode="zeros", align_corners=False
    )
    ink = _recolour(ink, how, rng)
    if how.erase > 0:
        ink = _erase(ink, how.erase, rng)
    if how.mix > 0 and torch.rand((), generator=rng).item() < how.mix:
        ink, truth = _mix(ink, truth, how.mix_alpha, rng)
    return 1 - ink, truth


def _uniform(n: int, width: float, rng: torch.Generator, device: torch.device) -> Tensor:
    """Return `n` numbers in [-width, width]; drawn on the CPU, so that a seed gives the same numbers on every device."""
    return ((torch.rand(n, generator=rng) * 2 - 1) * width).to(device)


def _warp(n: int, size: int, may_flip: Tensor, how: Augment, rng: torch.Generator) -> Tensor:
    device = may_flip.device
    angle = _uniform(n, math.radians(how.rotate), rng, device)
    zoom, stretch = _uniform(n, how.zoom, rng, device), _uniform(n, how.stretch, rng, device)
    x_scale, y_scale = 2 ** (zoom + stretch / 2), 2 ** (zoom - stretch / 2)
    flip = torch.where((torch.rand(n, generator=rng).to(device) < 0.5) & may_flip, -1.0, 1.0)
    x_shift, y_shift = _uniform(n, 2 * how.shift, rng, device), _uniform(n, 2 * how.shift, rng, device)
    rows = [
        angle.cos() * x_scale * flip,
        -angle.sin() * y_scale,
        x_shift,
        angle.sin() * x_scale * flip,
        angle.cos() * y_scale,
        y_shift,
    ]
    return F.affine_grid(torch.stack(rows, 1).view(n, 2, 3), [n, 3, size, size], align_corners=False)


def _recolour(ink: Tensor, how: Augment, rng: torch.Generator) -> Tensor:
    """Change hue, saturation, contrast and brightness by one 3 x 3 matrix and one offset per image."""
    n, device = len(ink), ink.device
    turn = _uniform(n, math.radians(how.hue), rng, device)
    saturation, contrast = 1 + _uniform(n, how.colour, rng, device), 1 + _uniform(n, how.colour, rng, device)
    offset = _uniform(n, how.colour / 4, rng, device)
    grey = torch.full((3, 3), 1 / 3, device=device)
    skew = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]], device=device) / math.sqrt(3)
    around = torch.eye(3, device=device) - grey  # a change of hue is a rotation about the grey axis
    chroma = turn.cos()[:, None, None] * around + turn.sin()[:, None, None] * skew
    matrix = contrast[:, None, None] * (grey + saturation[:, None, None] * chroma)
    paper = ink.amax(1, keepdim=True) < 1 / 255  # white stays white
    changed = torch.einsum("nij,njhw->nihw", matrix, ink) + offset[:, None, None, None]
    return changed.clamp(0, 1).masked_fill(paper, 0)


def _erase(ink: Tensor, chance: float, rng: torch.Generator) -> Tensor:
    """Erase a rectangle with sides of 1/5 to 1/2 of the image in some images."""
    n, _, side, _ = ink.shape
    corner, extent = torch.rand(n, 2, generator=rng), 0.2 + 0.3 * torch.rand(n, 2, generator=rng)
    hit = torch.rand(n, generator=rng) < chance
    start = (corner * (1 - extent) * side).long()
    stop = (start + (extent * side).long()) * hit[:, None]
    at = torch.arange(side)
    inside = [(at >= start[:, i : i + 1]) & (at < stop[:, i : i + 1]) for i in (0, 1)]
    gone = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return ink.masked_fill(gone.to(ink.device), 0)


def _mix(ink: Tensor, truth: Tensor, alpha: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blend each image with another of the batch, and the labels in the same way (mixup).

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018.
    """
    first, second = (torch._standard_gamma(torch.tensor(alpha), generator=rng).item() for _ in range(2))
    share = max(first, second) / max(first + second, 1e-12)
    other = torch.randperm(len(ink), generator=rng).to(ink.device)
    return ink.lerp(ink[other], 1 - share), truth.lerp(truth[other], 1 - share)
