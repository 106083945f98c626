"""Compare networks of JoyTag's real size with the reference implementation, for every configuration of its trainer.

Usage: python scripts/compare_joytag_reference.py --reference JOYTAG [--configurations NAME,NAME] [--images 20] [--size 224]

JOYTAG is a clone of github.com/fpgaminer/joytag, whose code needs einops, torchvision and transformers. Each network gets
random weights, is saved as the trainer saves it, and is loaded like a user's checkpoint. Both implementations score images of
the demo set from their files, in float32. Configurations that differ only in training (the rate of dropped blocks, the initial
value of a scale) have the same network, which is compared once. The input has 224 pixels, the trainer's default; the released
network has 448. Writes reports/benchmarks/joytag_reference.{json,md}; a run replaces the rows of its configurations and size,
and keeps the others.
"""

import importlib.util
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from reporting import Options, machine_facts, machine_line, timed, write_report
from torch import Tensor, nn

from arena import taggers
from arena.base.errors import ArenaError
from arena.cards import Preprocess, find_dataset, find_model
from arena.dataset.frozen import read_frozen
from arena.images.decode import decode_on
from arena.images.places import read_image_file
from arena.taggers.preprocess import square

DEMO = Path(__file__).parent.parent / "datasets" / "demo"

N_TAGS = 5_813
"""Number of tags of the released network."""

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Normalisation in the reference's README."""

BATCH_SIZE = 5

TOLERANCE = 1e-5
"""Largest accepted difference of a probability."""

HEAD_GAIN = 4
"""Factor of the head's weights, so that probabilities differ from image to image as those of a trained network do."""

TRAINING_KEYS = ("stochdepth_rate", "layerscale_init")
"""Keys that do not change the network that scores images: a rate used in training only, and an initial value."""


class Comparison(NamedTuple):
    """Result for one network.

    Attributes:
        names: configurations that have this network.
        parameters: number of parameters.
        size: side of the input in pixels.
        images: number of images.
        difference: largest difference of a probability; None if both implementations refuse the network.
        spread: mean standard deviation of a tag's probability over the images; near 0, the comparison would show little.
        cpu_s: CPU seconds of both implementations.
    """

    names: tuple[str, ...]
    parameters: int
    size: int
    images: int
    difference: float | None
    spread: float
    cpu_s: float

    @property
    def agrees(self) -> bool:
        return self.difference is None or self.difference <= TOLERANCE


def load_reference(clone: Path) -> ModuleType:
    """Return the reference's module of networks."""
    path = clone / "training" / "train" / "Models.py"
    if not path.is_file():
        sys.exit(f"--reference {clone}: no training/train/Models.py in it; name a clone of github.com/fpgaminer/joytag")
    spec = importlib.util.spec_from_file_location("joytag_models", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def distinct_networks(configs: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """Return the configurations of class ViT; those with one network have one entry.

    >>> list(distinct_networks({"a": {"class": "ViT", "num_blocks": 1, "stochdepth_rate": 0},
    ...                         "b": {"class": "ViT", "num_blocks": 1, "stochdepth_rate": 0.1}, "c": {"class": "Other"}}))
    [('a', 'b')]
    """
    found: dict[str, list[str]] = {}
    for name, config in configs.items():
        if config["class"] == "ViT":
            network = {key: value for key, value in config.items() if key not in TRAINING_KEYS}
            found.setdefault(json.dumps(network, sort_keys=True), []).append(name)
    return {tuple(names): configs[names[0]] for names in found.values()}


def randomise(network: nn.Module, seed: int) -> None:
    """Fill every tensor with random numbers whose scale keeps the activations near 1, so that every layer matters."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point():
            continue
        values = torch.randn(tensor.shape, generator=generator)
        if name.endswith(("running_var", "skip")) or (tensor.ndim == 1 and name.endswith("weight")):
            tensor.copy_(0.5 + 0.1 * values.abs())
        elif tensor.ndim == 1:
            tensor.copy_(0.1 * values)
        else:
            gain = HEAD_GAIN if name.startswith("head.") else 1
            tensor.copy_(gain * values / math.sqrt(tensor[0].numel()))


def adapt_decoder(network: nn.Module) -> None:
    """Make the reference's decoder layers callable by today's `nn.TransformerDecoder`; no number changes.

    It reads an attribute that they lack, and passes two flags that they do not take.
    """
    for module in network.modules():
        if isinstance(module, nn.TransformerDecoder):
            for layer in module.layers:
                layer.self_attn = SimpleNamespace(batch_first=False)
                layer.forward = partial(_without_causal_flags, layer.forward)


def _without_causal_flags(forward: Callable[..., Tensor], *inputs: Tensor, **options: Any) -> Tensor:
    return forward(*inputs, **{key: value for key, value in options.items() if not key.endswith("_is_causal")})


def reference_input(path: Path, size: int) -> Tensor:
    """Return the input of the reference, (3, size, size): padded to a white square, resized, normalised."""
    image = Image.open(path).convert("RGB")
    side = max(image.size)
    canvas = Image.new("RGB", (side, side), (255, 255, 255))
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    if side != size:
        canvas = canvas.resize((size, size), Image.Resampling.BICUBIC)
    values = torch.from_numpy(np.array(canvas)).permute(2, 0, 1) / 255.0
    return (values - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def opaque_images(count: int) -> list[Path]:
    """Return images without transparency, evenly spaced in the demo set; the reference defines no background for others."""
    paths = [
        path
        for path in read_frozen(find_dataset(str(DEMO), None)).paths
        if isinstance(path, Path) and Image.open(path).mode == "RGB"
    ]
    return [paths[place] for place in np.linspace(0, len(paths) - 1, count).astype(int)]


def batches(images: Sequence[Path]) -> Iterator[Sequence[Path]]:
    """Yield the images in batches."""
    yield from (images[start : start + BATCH_SIZE] for start in range(0, len(images), BATCH_SIZE))


def write_checkpoint(folder: Path, config: Mapping[str, Any], network: nn.Module) -> None:
    """Write the files that the trainer leaves, and a list of tags."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), folder / "model.pt")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "top_tags.txt").write_text("".join(f"tag_{number}\n" for number in range(config["n_tags"])))


@torch.inference_mode()
def reference_scores(network: nn.Module, images: Sequence[Path], size: int) -> np.ndarray | None:
    """Return the reference's probabilities, (images, tags); None if it cannot run the network."""
    try:
        rows = [
            network({"image": torch.stack([reference_input(path, size) for path in part])})["tags"].sigmoid()
            for part in batches(images)
        ]
    except RuntimeError:
        return None
    return torch.cat(rows).numpy()


def arena_scores(folder: Path, images: Sequence[Path]) -> np.ndarray | None:
    """Return the probabilities of the adapter, (images, tags); None if it refuses the network."""
    try:
        tagger = taggers.load(find_model(f"random={folder}"), device="cpu", precision="fp32")
    except ArenaError as error:
        print(f"refused: {error}", file=sys.stderr)
        return None
    squares = ([_square(path, tagger.preprocess) for path in part] for part in batches(images))
    return np.concatenate([tagger.scores(np.stack(part)) for part in squares])


def _square(path: Path, preprocess: Preprocess) -> np.ndarray:
    pixels = decode_on(read_image_file(path), {preprocess.alpha})
    return square(pixels[preprocess.alpha], preprocess)


def compare(
    names: tuple[str, ...],
    config: Mapping[str, Any],
    size: int,
    models: ModuleType,
    images: Sequence[Path],
    build: Path,
) -> Comparison:
    """Return the differences of one network at an input size; the checkpoint is written to `build` and removed."""
    whole = {**config, "image_size": size, "n_tags": N_TAGS, "loss_type": "focal2", "use_amp": False}
    network = models.VisionModel.from_config(whole).eval()
    adapt_decoder(network)
    randomise(network, seed=0)
    write_checkpoint(build, whole, network)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    theirs, their_time = timed(partial(reference_scores, network, images, size))
    ours, our_time = timed(lambda: arena_scores(build, images))
    (build / "model.pt").unlink()
    if (theirs is None) != (ours is None):
        sys.exit(f"{names[0]}: {'the reference' if theirs is None else 'arena'} refuses the network, the other runs it")
    both = None if theirs is None or ours is None else float(np.abs(ours - theirs).max())
    spread = 0.0 if ours is None else float(ours.std(axis=0).mean())
    return Comparison(names, parameters, size, len(images), both, spread, their_time.cpu_s + our_time.cpu_s)


def as_lines(facts: Mapping[str, Any]) -> list[str]:
    rows = [Comparison(**row) for row in facts["rows"]]
    compared = [row.difference for row in rows if row.difference is not None]
    return [
        "# JoyTag's networks at real size against the reference",
        "",
        f"Random weights, {N_TAGS:,} tags, images of the demo set, float32, {machine_line(facts)}",
        "Made by `python scripts/compare_joytag_reference.py --reference JOYTAG`.",
        "Configurations in one row have the same network. Differences are of probabilities.",
        f"Largest difference of all: {max(compared, default=math.nan):.1e}; accepted are {TOLERANCE:.0e}.",
        "",
        "| configurations | parameters | images | pixels | largest difference | standard deviation of a tag | CPU s |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {', '.join(row.names)} | {row.parameters:,} | {row.images} | {row.size} | "
            f"{'both refuse it' if row.difference is None else f'{row.difference:.1e}'} | {row.spread:.3f} | {row.cpu_s:.0f} |"
            for row in rows
        ),
    ]


def merged_rows(path: Path, found: Sequence[Comparison], order: Sequence[tuple[str, ...]]) -> list[dict[str, Any]]:
    """Return the rows of an earlier report that were not measured again, and the new ones, in the trainer's order."""
    before = json.loads(path.read_text())["rows"] if path.exists() else []
    rows = {(row["names"][0], row["size"]): row for row in (*before, *(one._asdict() for one in found))}
    place = {names[0]: number for number, names in enumerate(order)}
    return [rows[key] for key in sorted(rows, key=lambda key: (place[key[0]], key[1]))]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = Options(__doc__, build="joytag-reference")
    parser.add_argument("--reference", type=Path, required=True, help="clone of github.com/fpgaminer/joytag")
    parser.add_argument("--configurations", default="", help="names, separated by commas (default: all)")
    parser.add_argument("--size", type=int, default=224, help="side of the input in pixels (default 224)")
    parser.add_size("--images", 20, tiny=2)
    options = parser.read(arguments)
    models = load_reference(options.reference)
    networks = distinct_networks(models.MODEL_CONFIGS)
    wanted = {*options.configurations.split(",")} - {""}
    images = opaque_images(options.images)
    found = []
    for names, config in networks.items():
        if not wanted or wanted & {*names}:
            found.append(compare(names, config, options.size, models, images, options.build))
            facts = machine_facts("torch")
            facts["rows"] = merged_rows(options.out / "joytag_reference.json", found, list(networks))
            write_report(options.out, "joytag_reference", facts, as_lines(facts))
    return 0 if all(row.agrees for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
