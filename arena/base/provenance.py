"""Provenance of a result: versions, machine, signature."""

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from arena.base.version import __version__

PACKAGES = (
    "numpy", "scipy", "pillow", "torch", "timm", "onnxruntime-gpu", "onnxruntime", "scikit-learn", "pandas", "imagehash",
)  # fmt: skip
"""Packages whose version can change a metric."""


def now() -> str:
    """Return the current time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def versions() -> dict[str, str]:
    """Return the versions of Python and of every installed package that can change a metric."""
    installed = {package: found for package in PACKAGES if (found := _installed_version(package)) is not None}
    return {"python": platform.python_version()} | installed


@cache
def _installed_version(package: str) -> str | None:
    """Return a package's version, None if it is not installed; its metadata is a large text, so it is read once a process."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def machine() -> dict[str, str]:
    """Describe the machine without host or user names."""
    return {"system": platform.system(), "processor": platform.machine(), "cores": str(os.cpu_count() or 1)}


def processor_name() -> str:
    """Return the processor's model name, or its architecture if unknown."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def device_name(device: str) -> str:
    """Return the name of a CUDA device, or the processor and its number of cores."""
    if device.startswith("cuda"):
        import torch

        return str(torch.cuda.get_device_name(device))
    return f"{processor_name()}, {os.cpu_count() or 1} cores"


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of a mapping in hexadecimal, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


DIGEST = "digest"
"""Key under which a JSON object stores its own digest."""


def seal(content: Mapping[str, Any], bound: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return a JSON object with its own digest under `DIGEST`; `is_sealed` notices any later change.

    Args:
        content: values that JSON can hold; an earlier digest is replaced.
        bound: further values that the digest covers, but that are not stored in the object.
    """
    plain = {key: value for key, value in content.items() if key != DIGEST}
    return {**plain, DIGEST: digest({"content": plain, "bound": bound})}


def is_sealed(content: Mapping[str, Any], bound: Mapping[str, Any] | None = None) -> bool:
    """Return whether a JSON object has the digest that `seal` gave it.

    >>> sealed = seal({"f1": 0.5})
    >>> is_sealed(sealed), is_sealed({**sealed, "f1": 0.6}), is_sealed({"f1": 0.5})
    (True, False, False)
    """
    return DIGEST in content and seal(content, bound)[DIGEST] == content[DIGEST]


@dataclass(frozen=True)
class ComparisonSignature:
    """What identifies a comparison.

    Attributes:
        dataset: name and digest.
        images, tags: numbers of images and of compared tags.
        min_positives: positives that a tag needs.
        convention: how undefined metrics count.
        models: for each model its name, the digest of all inputs of its scores, and its thresholds.
        imply: whether implications raised the scores; the line mentions it only if true.
        against: name and digest of each index of training images, if any.
        judgements: digest of each file of judgements, if any.
        result: digest of the figures; empty if they are not stored in files.
    """

    dataset: str
    images: int
    tags: int
    min_positives: int
    convention: str
    models: Sequence[str]
    imply: bool = False
    against: Sequence[str] = ()
    judgements: Sequence[str] = ()
    result: str = ""

    @property
    def text(self) -> str:
        """One line, for a paper or a model card.

        >>> ComparisonSignature("demo@12ab", images=9, tags=2, min_positives=1, convention="arena", models=["a@34cd>=0.4"]).text
        'data:demo@12ab|images:9|tags:2|minpos:1|conv:arena|models:a@34cd>=0.4|v:0.1.0'
        """
        how = f"minpos:{self.min_positives}|conv:{self.convention}" + ("|imply:max" if self.imply else "")
        indexes = f"|against:{';'.join(self.against)}" if self.against else ""
        indexes += f"|judged:{';'.join(self.judgements)}" if self.judgements else ""
        counted = f"images:{self.images}|tags:{self.tags}"
        figures = f"|result:{self.result[:8]}" if self.result else ""
        return f"data:{self.dataset}|{counted}|{how}|models:{';'.join(self.models)}{indexes}{figures}|v:{__version__}"
