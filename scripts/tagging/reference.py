"""Comparison of arena's scoring loop with the usual one, on the same networks, images and machine.

The reference loop decodes with Pillow in 8 worker processes of a DataLoader, one image per item, normalises there, and runs one
model after the other under autocast. Arena decodes in threads, shares squares between models, and sends uint8 to the device.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from arena.scores.store import read_store
from arena.taggers.torch_runtime import TorchTagger
from tagging.stored import prepared

WORKERS = 8


class Pictures(Dataset[torch.Tensor]):
    """Images as the reference loop prepares them: padded with white, resized by Pillow, float32, normalised."""

    def __init__(self, paths: Sequence[Path], tagger: TorchTagger) -> None:
        self.paths = paths
        self.size = tagger.preprocess.size
        spec = tagger.card.input
        self.mean, self.std = np.array(spec.mean, np.float32) * spec.scale, np.array(spec.std, np.float32) * spec.scale
        self.flipped = spec.channels == "bgr"

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> torch.Tensor:
        with Image.open(self.paths[place]) as file:
            image = file.convert("RGB")
        side = max(image.size)
        square = Image.new("RGB", (side, side), (255, 255, 255))
        square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
        pixels = np.asarray(square.resize((self.size, self.size), Image.Resampling.BICUBIC), np.float32)
        ordered = pixels[..., ::-1] if self.flipped else pixels
        return torch.from_numpy(np.ascontiguousarray((ordered - self.mean) / self.std)).permute(2, 0, 1)


@torch.inference_mode()
def reference(paths: Sequence[Path], taggers: Sequence[TorchTagger], batch_size: int, workers: int) -> list[np.ndarray]:
    """Score with the reference loop, one model after the other."""
    found = []
    for tagger in taggers:
        device = torch.device(tagger.device)
        loader = DataLoader(Pictures(paths, tagger), batch_size, num_workers=workers, pin_memory=device.type == "cuda")
        parts = []
        for batch in loader:
            with torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
                logits = tagger.network(batch.to(device, non_blocking=True))
            parts.append(torch.sigmoid(logits.float()).cpu().numpy())
        found.append(np.concatenate(parts))
    return found


def arena(paths: Sequence[Path], taggers: Sequence[TorchTagger], batch_size: int) -> list[np.ndarray]:
    """Score with arena; scores are written to disk as in a run and read back."""
    with prepared(paths, taggers) as run:
        run.predict(batch_size)
        return [np.array(read_store(job.store.folder).values.read()) for job in run.jobs]


@contextmanager
def network_clock(taggers: Sequence[TorchTagger]) -> Iterator[Callable[[], float]]:
    """Measure the networks of some taggers in the block; yield a function that returns the seconds of all their batches.

    On CUDA the time of a batch is that between two events on the device, before the first and after the last operation.
    """
    times: list[tuple[Any, Any]] = []

    def now(tagger: TorchTagger) -> Any:
        if not tagger.device.startswith("cuda"):
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def seconds() -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds_of = (
            end - start if isinstance(start, float) else start.elapsed_time(end) / 1000 for start, end in times
        )
        return float(sum(seconds_of))

    hooks = []
    for tagger in taggers:
        begun: list[Any] = []
        hooks += [
            tagger.network.register_forward_pre_hook(lambda *_, one=tagger, begun=begun: begun.append(now(one))),
            tagger.network.register_forward_hook(
                lambda *_, one=tagger, begun=begun: times.append((begun.pop(), now(one)))
            ),
        ]
    try:
        yield seconds
    finally:
        for hook in hooks:
            hook.remove()


def compare(
    paths: Sequence[Path], taggers: Sequence[TorchTagger], *, batch_size: int, workers: int = WORKERS
) -> dict[str, float]:
    """Return images per second of both loops over all models, and the largest difference of a score.

    The `share`s are those of the time in which a network computes.
    """
    for tagger in taggers:  # warm up, so that neither loop pays for the first call
        tagger.scores(np.zeros((batch_size, tagger.preprocess.size, tagger.preprocess.size, 3), np.uint8))
    found: dict[str, list[np.ndarray]] = {}
    speed: dict[str, float] = {}
    loops: dict[str, Callable[[], list[np.ndarray]]] = {
        "reference": lambda: reference(paths, taggers, batch_size, workers),
        "arena": lambda: arena(paths, taggers, batch_size),
    }
    for name, loop in loops.items():
        with network_clock(taggers) as seconds:
            start = time.perf_counter()
            found[name] = loop()
            wall = time.perf_counter() - start
            speed |= {name: len(paths) / wall, f"{name}_share": seconds() / wall}
    pairs = zip(found["reference"], found["arena"], strict=True)
    difference = max(float(np.abs(a - b).max()) for a, b in pairs)
    return {
        "images": len(paths), "models": len(taggers), "workers": workers, "batch_size": batch_size, **speed,
        "largest_difference": difference,
    }  # fmt: skip
