"""Seconds an image for JoyTag's network at its real size, random weights, in float32 and bfloat16.

Usage: python scripts/bench_joytag_size.py [--device auto] [--batch-size 4] [--batches 3]

Writes a folder in JoyTag's layout (91.5 M parameters, 448 pixels, 5,813 tags), loads it through the adapter as a user's
checkpoint would be, scores random pixels, and writes reports/benchmarks/joytag_size.{json,md}.
"""

import argparse
import json
import platform
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from arena import taggers
from arena.cards import find_model
from arena.taggers.adapters.joytag_vit import ViT, ViTConfig

CONFIG = ViTConfig(
    n_tags=5813, image_size=448, num_blocks=12, patch_size=16, d_model=768, mlp_dim=3072, num_heads=12, stochdepth_rate=0.05,
    use_sine=True, loss_type="focal2", layerscale_init=None, head_mean_after=False, patch_dropout=0.0,
    cnn_stem="conv:c=64;bn;relu;conv:c=128;bn;relu;conv:c=256;bn;relu;conv:c=512;bn;relu;conv:c=768,s=1,k=1,p=0",
)  # fmt: skip


def write_random(folder: Path) -> int:
    """Write the folder; returns the number of parameters."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    network = ViT(CONFIG)
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"class": "ViT", **asdict(CONFIG)}))
    (folder / "top_tags.txt").write_text("".join(f"tag_{i}\n" for i in range(CONFIG.n_tags)))
    return sum(parameter.numel() for parameter in network.parameters())


def measure(folder: Path, device: str, precision: str, batch_size: int, batches: int) -> dict[str, float | str]:
    """Load time, and seconds an image over several batches after one to warm up."""
    start = time.perf_counter()
    tagger = taggers.load(find_model(f"random={folder}"), device=device, precision=precision)
    loaded = time.perf_counter() - start
    pixels = np.random.default_rng(0).integers(0, 256, (batch_size, 448, 448, 3), np.uint8)
    tagger.scores(pixels)
    start = time.perf_counter()
    for _ in range(batches):
        tagger.scores(pixels)
    seconds = (time.perf_counter() - start) / (batches * batch_size)
    return {"precision": tagger.precision, "device": tagger.device, "load_s": loaded, "seconds_an_image": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--batches", type=int, default=3)
    arguments = parser.parse_args()
    folder = Path("build/joytag-random")
    parameters = write_random(folder)
    kinds = ["fp32", "bf16"]
    rows = [measure(folder, arguments.device, kind, arguments.batch_size, arguments.batches) for kind in kinds]
    facts = {
        "parameters": parameters, "image_size": CONFIG.image_size, "batch_size": arguments.batch_size,
        "threads": torch.get_num_threads(), "torch": torch.__version__, "processor": platform.machine(), "rows": rows,
    }  # fmt: skip
    out = Path("reports/benchmarks")
    out.mkdir(parents=True, exist_ok=True)
    (out / "joytag_size.json").write_text(json.dumps(facts, indent=2) + "\n")
    lines = [
        f"# JoyTag's network at its real size: {parameters / 1e6:.1f} M parameters, {CONFIG.image_size} px, random weights",
        "",
        f"Batch {arguments.batch_size}, {facts['threads']} threads, torch {torch.__version__}, {facts['processor']}.",
        "Made by `python scripts/bench_joytag_size.py`.",
        "",
        "| precision | device | load, s | seconds an image |",
        "| --- | --- | --- | --- |",
        *(f"| {r['precision']} | {r['device']} | {r['load_s']:.1f} | {r['seconds_an_image']:.2f} |" for r in rows),
    ]
    (out / "joytag_size.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
