"""Seconds per image and peak memory of JoyTag's network at its real size with random weights, in float32 and bfloat16.

Usage: python scripts/bench_joytag_size.py [--device auto] [--batch-size 4] [--batches 3] [--tiny]

Writes a folder in the layout of the released JoyTag (LayerNorm stem, 91.5 M parameters, 448 pixels, 5,813 tags), loads it
through the adapter like a user's checkpoint, and scores random pixels. Writes reports/benchmarks/joytag_size.{json,md}, which
also compares the tensor names with those of the reference implementation.
"""

import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from reporting import Options, in_own_process, peak_gib, write_report
from safetensors.torch import save_file

from arena import taggers
from arena.cards import find_model
from arena.taggers.adapters.joytag.config import ViTConfig
from arena.taggers.adapters.joytag.vit import ViT

CONFIG = ViTConfig(
    n_tags=5813, image_size=448, num_blocks=12, patch_size=16, d_model=768, mlp_dim=3072, num_heads=12, stochdepth_rate=0.05,
    use_sine=True, loss_type="focal2", layerscale_init=None, head_mean_after=False, patch_dropout=0.0,
    cnn_stem="conv:c=64;ln;relu;conv:c=128;ln;relu;conv:c=256;ln;relu;conv:c=512;ln;relu;conv:c=768,s=1,k=1,p=0",
)  # fmt: skip
"""Configuration of the released network."""

TINY = replace(
    CONFIG, n_tags=37, image_size=64, num_blocks=2, d_model=64, mlp_dim=96, num_heads=4,
    cnn_stem="conv:c=8;ln;relu;conv:c=8;ln;relu;conv:c=16;ln;relu;conv:c=16;ln;relu;conv:c=64,s=1,k=1,p=0",
)  # fmt: skip
"""A small network with the same layout."""

REFERENCE = Path(__file__).parent.parent / "tests" / "data" / "joytag" / "trainer.json"
"""Tensor names as the reference trainer saves them."""

REFERENCE_CONFIGURATION = "SWModel20"
"""Default configuration of the reference trainer."""


def write_random(folder: Path, config: ViTConfig = CONFIG) -> int:
    """Write a network with random weights in JoyTag's layout; return the number of parameters."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = ViT(config)
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"class": "ViT", **asdict(config)}))
    (folder / "top_tags.txt").write_text("".join(f"tag_{i}\n" for i in range(config.n_tags)))
    return sum(parameter.numel() for parameter in network.parameters())


class Cost(NamedTuple):
    """Cost of one precision; the peak memory is that of a process that does nothing else."""

    precision: str
    device: str
    load_s: float
    seconds_an_image: float
    peak_gib: float


def measure(folder: Path, device: str, precision: str, batch_size: int, batches: int) -> Cost:
    """Return load time, seconds per image over several batches after a warm-up batch, and peak memory of this process."""
    start = time.perf_counter()
    tagger = taggers.load(find_model(f"random={folder}"), device=device, precision=precision)
    loaded = time.perf_counter() - start
    side = tagger.preprocess.size
    pixels = np.random.default_rng(0).integers(0, 256, (batch_size, side, side, 3), np.uint8)
    tagger.scores(pixels)
    start = time.perf_counter()
    for _ in range(batches):
        tagger.scores(pixels)
    seconds = (time.perf_counter() - start) / (batches * batch_size)
    return Cost(tagger.precision, tagger.device, loaded, seconds, peak_gib())


def tensor_names(config: ViTConfig) -> list[str]:
    """Return names and shapes of the tensors of arena's network; all blocks are shown as one."""
    with torch.device("meta"):
        state = ViT(config).state_dict()
    return [
        f"{name.replace('blocks.0.', 'blocks.*.')} {tuple(tensor.shape)}"
        for name, tensor in state.items()
        if not name.startswith("blocks.") or name.startswith("blocks.0.")
    ]


def reference_names(path: Path) -> set[str]:
    """Return the tensor names that the reference's default configuration saves; all blocks are shown as one."""
    tensors = json.loads(path.read_text())[REFERENCE_CONFIGURATION]["tensors"]
    return {name.replace("blocks.0.", "blocks.*.") for name in tensors}


def as_markdown(config: ViTConfig, facts: Mapping[str, Any], rows: Sequence[Cost], reference: set[str]) -> str:
    names = tensor_names(config)
    ours = {name.partition(" ")[0] for name in names}
    agree = "the same names" if ours == reference else f"different names: {sorted(ours ^ reference)}"
    return "\n".join(
        [
            f"# JoyTag's network: {facts['parameters']:,} parameters, {config.image_size} px, random weights",
            "",
            f"Stem `{config.cnn_stem}`, {config.n_tags:,} tags.",
            f"Batch {facts['batch_size']}, {facts['threads']} threads, torch {torch.__version__}, {facts['processor']}.",
            "Made by `python scripts/bench_joytag_size.py`; each row ran in its own process.",
            "",
            "| precision | device | load, s | seconds per image | peak memory, GiB |",
            "| --- | --- | --- | --- | --- |",
            *(
                f"| {row.precision} | {row.device} | {row.load_s:.1f} | {row.seconds_an_image:.2f} | {row.peak_gib:.2f} |"
                for row in rows
            ),
            "",
            f"Tensors of the checkpoint (blocks 0 to {config.num_blocks - 1} have the same tensors). The default configuration",
            f"of JoyTag's trainer saves {agree}.",
            "",
            *(f"- `{name}`" for name in names),
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__, build="joytag-random")
    parser.add_argument("--device", default="auto")
    parser.add_size("--batch-size", 4, tiny=2)
    parser.add_size("--batches", 3, tiny=1)
    options = parser.read(arguments)
    config = TINY if options.tiny else CONFIG
    parameters = write_random(options.build, config)
    rows = [
        in_own_process(measure, options.build, options.device, precision, options.batch_size, options.batches)
        for precision in ("fp32", "bf16")
    ]
    facts = {
        "parameters": parameters, "image_size": config.image_size, "batch_size": options.batch_size,
        "threads": torch.get_num_threads(), "torch": torch.__version__, "processor": platform.machine(),
        "rows": [row._asdict() for row in rows],
    }  # fmt: skip
    text = as_markdown(config, facts, rows, reference_names(REFERENCE))
    write_report(options.out, "joytag_size", facts, text.splitlines())


if __name__ == "__main__":
    main()
