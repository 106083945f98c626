"""Training loop for one recipe and one network; it can be resumed after every epoch."""

import copy
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from demo_training.augment import Augment, augment_batch
from demo_training.figures import mean_average_precision
from numpy.typing import NDArray
from torch import Tensor, nn

from arena.base.files import open_whole

SOURCE_SIDE = 144
"""Side of the cached training squares in pixels; the warp samples the network's input size from them."""

MIRROR_BELIES = ("left", "right", "letter", "number", "alphabet", "text", "clock", "map", "arrow")
"""Words in tags whose images are not flipped, because the tag would be wrong for the mirrored image."""


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a training.

    Attributes:
        epochs: number of epochs.
        batch: images per batch.
        rate: peak learning rate.
        decay: weight decay.
        warmup: share of the training with a rising learning rate.
        stages: (share of the epochs, side in pixels), in order; small sides at the beginning save time.
        gamma: exponent of the focal factor on negatives.
        balance: exponent of (negatives / positives) in the weight of a tag's positives; 0 gives equal weights.
        average: decay of the running average of the weights per step.
        calm: share of the epochs, at the end, with weaker augmentation.
        group_cap: most images of a near-duplicate group in an epoch, drawn again for each epoch, because thousands of
            variants of a drawing teach no more than hundreds.
        augment: strength of the augmentation.
        seed: seed of all random numbers.
    """

    epochs: int
    batch: int = 32
    rate: float = 2e-3
    decay: float = 0.05
    warmup: float = 0.08
    stages: tuple[tuple[float, int], ...] = ((0.5, 64), (0.35, 96), (0.15, 128))
    gamma: float = 2.0
    balance: float = 0.25
    average: float = 0.996
    calm: float = 0.1
    group_cap: int = 150
    augment: Augment = field(default_factory=Augment)
    seed: int = 0

    def side(self, epoch: int) -> int:
        """Return the side of the training images in an epoch, counted from 0."""
        passed = 0.0
        for share, side in self.stages:
            passed += share
            if epoch < round(passed * self.epochs):
                return side
        return self.stages[-1][1]

    def augment_at(self, epoch: int) -> Augment:
        """Return the augmentation of an epoch, counted from 0."""
        return self.augment.weaker() if epoch >= self.epochs - round(self.calm * self.epochs) else self.augment


@dataclass(frozen=True)
class Subject:
    """A network and the format of its input.

    Attributes:
        network: maps normalised float (n, 3, side, side) to logits (n, tags).
        mean, std: normalisation of the input, RGB.
        bgr: whether the network takes BGR.
        resize: sets a new input side, for networks that depend on it.
    """

    network: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool
    resize: Callable[[nn.Module, int], None] = lambda network, side: None

    def prepare(self, images: Tensor) -> Tensor:
        """Return the network input for RGB images (n, 3, side, side) in 0 to 1."""
        mean, std = (torch.tensor(v, device=images.device).view(1, 3, 1, 1) for v in (self.mean, self.std))
        ready = (images - mean) / std
        return (ready.flip(1) if self.bgr else ready).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Material:
    """Training data and validation data.

    Attributes:
        tags: names of the columns of the labels.
        pixels: uint8 (n, SOURCE_SIDE, SOURCE_SIDE, 3).
        truth: bool (n, tags), labels.
        groups: int (n,), near-duplicate group.
        validation_pixels: uint8 (m, side, side, 3), at the network's side.
        validation_truth: bool (m, tags), labels.
    """

    tags: tuple[str, ...]
    pixels: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    groups: NDArray[np.int64]
    validation_pixels: NDArray[np.uint8]
    validation_truth: NDArray[np.bool_]


@dataclass(frozen=True)
class Epoch:
    """One line of the training log."""

    epoch: int
    side: int
    rate: float
    loss: float
    validation_map: float | None
    seconds: float


def fit(
    subject: Subject,
    material: Material,
    recipe: Recipe,
    *,
    folder: Path,
    device: torch.device,
    report: Callable[[Epoch], None],
) -> list[Epoch]:
    """Train `subject.network` in place; at the end it has the running average of its weights.

    A checkpoint in `folder` is resumed if it has the same recipe, tags, number of images and network.

    Returns: the log, one row per epoch.
    """
    trainer = _Trainer(subject, material, recipe, device)
    checkpoint = folder / "checkpoint.pt"
    log = trainer.restore(checkpoint)
    for epoch in range(len(log), recipe.epochs):
        started = time.perf_counter()
        loss = trainer.run_epoch(epoch)
        last = epoch == recipe.epochs - 1
        score = trainer.validate() if last or epoch % 4 == 3 else None
        row = Epoch(epoch + 1, recipe.side(epoch), trainer.rate(epoch, 1.0), loss, score, time.perf_counter() - started)
        log.append(row)
        trainer.save(checkpoint, log)
        report(row)
    subject.network.load_state_dict(trainer.average.state_dict())
    _resize(subject, subject.network, recipe.stages[-1][1])
    subject.network.eval()
    return log


def predict(
    subject: Subject, network: nn.Module, pixels: NDArray[np.uint8], device: torch.device
) -> NDArray[np.float32]:
    """Return the probabilities of squares at the network's side; float32 (images, tags)."""
    network.eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(pixels), 128):
            batch = torch.from_numpy(pixels[start : start + 128]).to(device).permute(0, 3, 1, 2).float() / 255
            parts.append(network(subject.prepare(batch)).float().sigmoid().cpu().numpy())
    return np.concatenate(parts)


def focal_loss(logits: Tensor, truth: Tensor, gamma: float, weight: Tensor) -> Tensor:
    """Return binary cross-entropy with less weight on easy negatives and a weight per tag on positives; a scalar.

    Source: the negative half is the focal loss of Lin et al., 2017; the asymmetry follows Ridnik et al., 2021.
    """
    log_yes, log_no = nn.functional.logsigmoid(logits), nn.functional.logsigmoid(-logits)
    loss = truth * weight * log_yes + (1 - truth) * log_yes.detach().exp() ** gamma * log_no
    return -loss.sum(1).mean()


class _Trainer:
    """State of a training: weights, their running average, optimiser, random generators."""

    def __init__(self, subject: Subject, material: Material, recipe: Recipe, device: torch.device) -> None:
        self.subject, self.material, self.recipe, self.device = subject, material, recipe, device
        self.network = subject.network.to(device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval()
        self.rng = torch.Generator().manual_seed(recipe.seed)
        torch.manual_seed(recipe.seed)
        self.pixels = torch.from_numpy(material.pixels).permute(0, 3, 1, 2)
        self.truth = torch.from_numpy(material.truth).float()
        positives = self.truth.sum(0).clamp(min=1)
        self.weight = ((len(self.truth) - positives) / positives).pow(recipe.balance).to(device)
        fixed = [i for i, name in enumerate(material.tags) if any(part in MIRROR_BELIES for part in name.split("_"))]
        self.may_flip = self.truth[:, fixed].sum(1) == 0
        self.groups = [np.flatnonzero(material.groups == group) for group in np.unique(material.groups)]
        self.steps = sum(min(len(rows), recipe.group_cap) for rows in self.groups) // recipe.batch
        self.optimiser = torch.optim.AdamW(
            _parameter_groups(self.network, recipe.decay), lr=recipe.rate, betas=(0.9, 0.98)
        )

    def rate(self, epoch: int, within: float) -> float:
        """Return the learning rate: a linear warm-up, then a cosine decay to 1 %."""
        passed = (epoch + within) / self.recipe.epochs
        if passed < self.recipe.warmup:
            return self.recipe.rate * passed / self.recipe.warmup
        rest = (passed - self.recipe.warmup) / (1 - self.recipe.warmup)
        return self.recipe.rate * (0.01 + 0.99 * (1 + math.cos(math.pi * min(rest, 1.0))) / 2)

    def run_epoch(self, epoch: int) -> float:
        """Train on all images once in a new order; return the mean loss."""
        self.network.train()
        side, how = self.recipe.side(epoch), self.recipe.augment_at(epoch)
        _resize(self.subject, self.network, side)
        order = self._draw_order()
        total = torch.zeros((), device=self.device)
        for step in range(self.steps):
            rows = order[step * self.recipe.batch : (step + 1) * self.recipe.batch]
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate(epoch, step / self.steps)
            total += self._step(rows, side, how, epoch * self.steps + step)
        return (total / self.steps).item()

    def _draw_order(self) -> Tensor:
        """Return the rows of an epoch in random order, at most `group_cap` per group."""
        cap = self.recipe.group_cap
        drawn = [
            torch.from_numpy(rows)[torch.randperm(len(rows), generator=self.rng)[:cap]]
            if len(rows) > cap
            else torch.from_numpy(rows)
            for rows in self.groups
        ]
        kept = torch.cat(drawn)
        return kept[torch.randperm(len(kept), generator=self.rng)]

    def _step(self, rows: Tensor, side: int, how: Augment, done: int) -> Tensor:
        pixels, truth, may_flip = (part[rows].to(self.device) for part in (self.pixels, self.truth, self.may_flip))
        images, truth = augment_batch(pixels, truth, may_flip, side, how, self.rng)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            logits = self.network(self.subject.prepare(images))
        loss = focal_loss(logits.float(), truth, self.recipe.gamma, self.weight)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self._follow(min(self.recipe.average, (1 + done) / (10 + done)))
        return loss.detach()

    def _follow(self, keep: float) -> None:
        """Update the running average of the weights."""
        with torch.no_grad():
            averaged, current = self.average.state_dict().values(), self.network.state_dict().values()
            for slow, fast in zip(averaged, current, strict=True):
                if slow.is_floating_point():
                    slow.lerp_(fast, 1 - keep)
                else:
                    slow.copy_(fast)

    def validate(self) -> float:
        """Return the mean average precision of the averaged weights on the validation slice."""
        _resize(self.subject, self.average, self.recipe.stages[-1][1])
        scores = predict(self.subject, self.average, self.material.validation_pixels, self.device)
        return mean_average_precision(scores, self.material.validation_truth, min_positives=3).value

    def _identity(self) -> str:
        shapes = {name: list(tensor.shape) for name, tensor in self.network.state_dict().items()}
        return json.dumps([asdict(self.recipe), self.material.tags, len(self.truth), shapes], sort_keys=True)

    def save(self, path: Path, log: list[Epoch]) -> None:
        """Write everything that is needed to resume the training."""
        state = {
            "identity": self._identity(), "log": [asdict(row) for row in log], "network": self.network.state_dict(),
            "average": self.average.state_dict(), "optimiser": self.optimiser.state_dict(),
            "rng": self.rng.get_state(), "global_rng": torch.get_rng_state(),
        }  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        with open_whole(path, durable=True) as file:
            torch.save(state, file)

    def restore(self, path: Path) -> list[Epoch]:
        """Resume from a checkpoint of the same training; return its log, empty if there is none."""
        if not path.exists():
            return []
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if state["identity"] != self._identity():
            return []
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rng.set_state(state["rng"])
        torch.set_rng_state(state["global_rng"])
        return [Epoch(**row) for row in state["log"]]


def _resize(subject: Subject, network: nn.Module, side: int) -> None:
    subject.resize(network, side)


def _parameter_groups(network: nn.Module, decay: float) -> list[dict[str, Any]]:
    """Return parameter groups with weight decay on matrices and kernels only."""
    wide = [p for p in network.parameters() if p.ndim > 1]
    narrow = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": wide, "weight_decay": decay}, {"params": narrow, "weight_decay": 0.0}]


def shortened(recipe: Recipe, epochs: int | None) -> Recipe:
    """Return the recipe with another number of epochs; unchanged if `epochs` is None."""
    return recipe if epochs is None else replace(recipe, epochs=epochs)
