"""Bias of a random split: one recipe, trained and scored on a split by near-duplicate clusters and on random splits."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from demo_training.examples import Examples, read_examples
from demo_training.figures import macro_f1, mean_average_precision
from demo_training.fit import SOURCE_SIDE, Epoch, Material, Recipe, fit, predict
from demo_training.networks import DEMOS, SIDE, start_from_prevalence
from demo_training.vocabulary import MIN_TRAINED
from numpy.typing import NDArray
from rich.console import Console

from arena.dataset.hamming.duplicates import pairs_between

MIN_POSITIVES = 10
"""Positives that a tag needs in each held-out set."""

DUPLICATE_BITS = 8
"""Largest Hamming distance of perceptual hashes at which two images count as near duplicates."""

THRESHOLD = 0.4
"""Threshold for all splits; nothing is fitted to a held-out set."""

DEMO = "wd14-demo"

EVERY_IMAGE = 1_000_000
"""Group cap that no group reaches, so that the random split loses no images."""

STAGES = ((0.6, 64), (0.4, 96))
"""Stages with small training images, because only the difference between the splits matters."""


BASELINE = "clustered"
"""Name of the split by near-duplicate clusters."""

TITLES = {
    BASELINE: "by near-duplicate clusters",
    "random": "random, identical copies merged",
    "copies": "random, identical copies kept",
}


@dataclass(frozen=True)
class Training:
    """Settings of all trainings."""

    epochs: int
    work: Path
    device: torch.device
    console: Console


@dataclass(frozen=True)
class Side:
    """Result of one split: its held-out examples, and the scores of the network trained on its training part.

    Attributes:
        heldout: held-out examples.
        trained: names of the columns of `scores`.
        scores: float32 (held-out images, tags).
        twins: bool (held-out images,), whether the image has a near duplicate in training.
        training_images: number of training images.
        seconds: duration of the training.
    """

    heldout: Examples
    trained: tuple[str, ...]
    scores: NDArray[np.float32]
    twins: NDArray[np.bool_]
    training_images: int
    seconds: float

    def columns(self, tags: list[str]) -> NDArray[np.float32]:
        """Return the scores of the named tags, in their order."""
        return self.scores[:, [self.trained.index(tag) for tag in tags]]


def measure(splits: Mapping[str, tuple[Path, Path]], training: Training) -> dict[str, Any]:
    """Train on the first folder of each split, score the second, and compare over the tags with support in every split.

    Args:
        splits: name -> training folder and held-out folder; must contain `BASELINE`. The names are keys of the report.
        training: settings of all trainings.
    """
    sides = {}
    for name, (train, heldout) in splits.items():
        training.console.print(f"{name} split: {train}")
        sides[name] = train_side(read_examples(train), read_examples(heldout), training, f"leakage-{name}")
    tags = sorted(set.intersection(*(_judged(side) for side in sides.values())))
    figures = {name: _figures(side, tags) for name, side in sides.items()}
    others = [name for name in splits if name != BASELINE]
    device, threads = training.device.type, torch.get_num_threads()
    return {
        "network": DEMO,
        "recipe": asdict(recipe_for(training.epochs)),
        "threshold": THRESHOLD,
        "min_positives": MIN_POSITIVES,
        "duplicate_bits": DUPLICATE_BITS,
        "tags": len(tags),
        "splits": figures,
        "times_baseline": {
            name: {key: figures[name][key] / figures[BASELINE][key] for key in ("map", "macro_f1")} for name in others
        },
        "by_twin": {name: _twins_against_rest(sides[name]) for name in others},
        "machine": f"{platform.machine()}, {threads} threads, torch {torch.__version__}, {device}",
    }


def recipe_for(epochs: int) -> Recipe:
    """Return a short version of the demo's recipe, with small images and without a group cap."""
    return replace(DEMOS[DEMO].recipe, epochs=epochs, stages=STAGES, group_cap=EVERY_IMAGE)


def train_side(train: Examples, heldout: Examples, training: Training, name: str) -> Side:
    """Train the fixed recipe once. No validation slice is set aside, because nothing is chosen by the result."""
    demo = DEMOS[DEMO]
    tags = tuple(tag for tag, count in zip(train.tags, train.truth.sum(0), strict=True) if count >= MIN_TRAINED)
    first = heldout.take(np.arange(len(heldout)) < 64)
    material = Material(
        tags, train.squares(SOURCE_SIDE), train.columns(tags), train.images["group"].to_numpy(),
        first.squares(SIDE), first.columns(tags),
    )  # fmt: skip
    torch.manual_seed(demo.recipe.seed)
    subject = demo.build(len(tags))
    start_from_prevalence(subject.network, material.truth)

    def report(row: Epoch) -> None:
        training.console.print(f"  epoch {row.epoch}/{training.epochs}  loss {row.loss:.3f}  {row.seconds:.0f} s")

    log = fit(
        subject,
        material,
        recipe_for(training.epochs),
        folder=training.work / name,
        device=training.device,
        report=report,
    )
    scores = predict(subject, subject.network, heldout.squares(SIDE), training.device)
    pairs = pairs_between(_hashes(heldout), _hashes(train), radius=DUPLICATE_BITS)
    twins = np.zeros(len(heldout), dtype=bool)
    twins[pairs.left] = True
    return Side(heldout, tags, scores, twins, len(train), sum(row.seconds for row in log))


def write(report: dict[str, Any], folder: Path) -> None:
    """Write the report as `leakage.json` and `leakage.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "leakage.json").write_text(json.dumps(report, indent=2) + "\n")
    (folder / "leakage.md").write_text(_page(report))


def _hashes(examples: Examples) -> NDArray[np.uint64]:
    return examples.images["phash"].to_numpy(dtype=np.uint64)


def _judged(side: Side) -> set[str]:
    enough = {
        tag for tag, count in zip(side.heldout.tags, side.heldout.truth.sum(0), strict=True) if count >= MIN_POSITIVES
    }
    return enough & set(side.trained)


def _figures(side: Side, tags: list[str]) -> dict[str, float]:
    everything = np.ones(len(side.heldout), dtype=bool)
    own = {"training_images": side.training_images, "with_training_twin": float(side.twins.mean())}
    return own | {"seconds": round(side.seconds, 1)} | _score(side, tags, everything)


def _twins_against_rest(side: Side) -> dict[str, Any]:
    """Return the metrics on held-out images with a near duplicate in training, and on those without."""
    counts = [side.heldout.columns(side.trained)[rows].sum(0) for rows in (side.twins, ~side.twins)]
    tags = [tag for tag, a, b in zip(side.trained, *counts, strict=True) if min(a, b) >= MIN_POSITIVES]
    return {"tags": len(tags), "with_twin": _score(side, tags, side.twins), "without": _score(side, tags, ~side.twins)}


def _score(side: Side, tags: list[str], rows: NDArray[np.bool_]) -> dict[str, float]:
    scores, truth = side.columns(tags)[rows], side.heldout.columns(tags)[rows]
    ap = mean_average_precision(scores, truth, MIN_POSITIVES)
    f1 = macro_f1(scores, truth, THRESHOLD, MIN_POSITIVES)
    return {"images": int(rows.sum()), "map": ap.value, "random_map": ap.chance, "macro_f1": f1}


def _page(report: dict[str, Any]) -> str:
    head = "images | mAP | mAP of random scores | macro F1 |"
    rule = "---|---|---|---|---|"
    lines = [
        "# Bias of a random split",
        "",
        f"The network and recipe of `{report['network']}` are trained once on each split of the same library, for",
        f"{report['recipe']['epochs']} epochs at small image sizes, and scored on the held-out part of the split. Values are",
        f"means over the {report['tags']} tags with at least {report['min_positives']} positives in each held-out part. Macro",
        f"F1 is at the threshold {report['threshold']}. A twin is a training image within {report['duplicate_bits']} bits of",
        "the perceptual hash.",
        "",
        f"| split | training images | held-out images with a twin | {head}",
        f"|---|---|{rule}",
        *(
            f"| {TITLES[name]} | {row['training_images']:,} | {row['with_training_twin']:.1%} | {_cells(row)}"
            for name, row in report["splits"].items()
        ),
        "",
        *(
            f"- {TITLES[name]}: {times['map']:.2f} times the mAP, {times['macro_f1']:.2f} times the macro F1."
            for name, times in report["times_baseline"].items()
        ),
        "",
        "The choice of the split changes the published metric by these factors. Twins are not the only cause. A random split",
        "also puts families of similar drawings into both parts, keeps large clusters in its held-out part, and trains on a",
        "few more images. The next table shows the effect of twins alone, within each random split, over the tags with",
        "enough positives in both groups of images. The two groups hold different images, so compare each mAP with that of",
        "random scores, which is lower for the images with a twin.",
        "",
        f"| split, held-out images | tags | {head}",
        f"|---|{rule}",
        *(
            f"| {TITLES[name]}: {label} | {parts['tags']} | {_cells(parts[key])}"
            for name, parts in report["by_twin"].items()
            for label, key in (("with a twin", "with_twin"), ("without", "without"))
        ),
        "",
        f"{report['machine']}. Made by `python scripts/train_demo_models.py --leakage`.",
    ]
    return "\n".join(lines) + "\n"


def _cells(row: dict[str, float]) -> str:
    return f"{row['images']:,} | {row['map']:.3f} | {row['random_map']:.3f} | {row['macro_f1']:.3f} |"
