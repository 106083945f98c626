"""Release candidates made from a demo model, with a known fault that a gate must detect, or without one."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

MODELS = Path(__file__).parents[2] / "models"

WD_CARD = """name = "wd14-demo"
adapter = "onnx"
files = ["model.onnx", "selected_tags.csv"]
output = "probabilities"
[preprocess]
size = 128
resize = "bicubic"
pad_colour = [255, 255, 255]
[input]
channels = "{channels}"
scale = 1
[thresholds]
default = {threshold}
"""
"""Card of the demo model, with placeholders for the values that a fault changes."""

THRESHOLD = 0.56
"""Threshold in the card of the demo model."""


def plain(folder: Path, *, channels: str = "bgr", threshold: float = THRESHOLD) -> Path:
    """Copy the demo's WD model into a folder, with a card."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("model.onnx", "selected_tags.csv"):
        shutil.copy(MODELS / "wd14-demo" / name, folder / name)
    (folder / "card.toml").write_text(WD_CARD.format(channels=channels, threshold=threshold), encoding="utf-8")
    return folder


def rounded(folder: Path) -> Path:
    """Round every weight matrix to 16 bits: the file differs, the scores hardly do."""
    return _changed(folder, lambda values: values.astype(np.float16))


def noised(folder: Path, *, share: float = 0.5, seed: int = 0) -> Path:
    """Add normal noise to every weight matrix, with this share of its standard deviation."""
    rng = np.random.default_rng(seed)
    return _changed(folder, lambda values: values + rng.normal(0, share * values.std(), values.shape))


def _changed(folder: Path, change: Callable[[np.ndarray], np.ndarray]) -> Path:
    """Copy the model with a change of every weight matrix."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(plain(folder) / "model.onnx")
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.ndim > 1 and values.dtype.kind == "f":
            tensor.CopyFrom(numpy_helper.from_array(change(values).astype(values.dtype), tensor.name))
    onnx.save(model, folder / "model.onnx")
    return folder


def shifted(folder: Path) -> Path:
    """Shift the tag list by one: the first tag becomes the last."""
    rows = pd.read_csv(plain(folder) / "selected_tags.csv", keep_default_na=False)
    rows["name"] = np.roll(rows["name"].to_numpy(), -1)
    rows.to_csv(folder / "selected_tags.csv", index=False)
    return folder


def bgr_missed(folder: Path) -> Path:
    """Declare RGB input, although the network takes BGR."""
    return plain(folder, channels="rgb")


def threshold_halved(folder: Path) -> Path:
    """Halve the threshold."""
    return plain(folder, threshold=THRESHOLD / 2)


HONEST: Mapping[str, Callable[[Path], Path]] = {"nothing changed": plain, "weights rounded to 16 bits": rounded}
"""Candidates that a gate must pass."""

FAULTS: Mapping[str, Callable[[Path], Path]] = {
    "weights noised": noised,
    "tag list shifted by one": shifted,
    "BGR missed": bgr_missed,
    "threshold halved": threshold_halved,
}
"""Faults of a checkpoint that a gate must detect."""
