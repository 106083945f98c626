"""What needs a CUDA device: its tests, the speed of a run against JoyTag's loop, and onnxruntime against torch.

Usage: python scripts/bench_gpu.py [--images 4000] [--batch-size 64] [--workers 8] [--tiny]

Takes less than 8 minutes on a machine with a CUDA device, and needs no network.

- Tests: all tests with the mark `gpu`.
- Loops: JoyTag and WD-v3 vit at their real size with random weights, from generated JPEG files to scores, by arena's loop and
  by JoyTag's: Pillow in 8 DataLoader workers, fp16 autocast, one model after the other.
- Runtimes: WD-v3 vit in torch, and exported to ONNX in onnxruntime, with the same weights.

A part that the machine cannot run is one line that begins with `skipped`. With --tiny all parts but the tests run on the CPU,
with the demo models. Writes reports/benchmarks/gpu.{json,md}. Exits with 1 if a test fails, or the runtimes differ.
"""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from bench_taggers import COMPARED, compare_loops, loop_lines, spec_of
from reporting import Options, machine_facts, machine_line, write_report
from tagging import networks, pictures

from arena import taggers
from arena.base.provenance import device_name
from arena.cards import find_model
from arena.diagnostics.bench.timing import time_calls

ROOT = Path(__file__).parent.parent
TESTS_S = 240
"""Longest time of the tests in seconds."""

GRAPH_TOLERANCE = 1e-3
"""Largest accepted difference of a probability between the runtimes in float32, which sum in another order on a device."""

Facts = dict[str, Any]


class SkippedError(Exception):
    """The machine cannot run a part; the message says why."""


class Case(NamedTuple):
    """One runtime of the same weights."""

    name: str
    spec: str
    precision: str


def run_tests(options: Any) -> Facts:
    """Run the tests with the mark `gpu`; return the last line of pytest and whether all passed."""
    if not torch.cuda.is_available():
        raise SkippedError("no CUDA device, so the tests with the mark gpu have nothing to run on")
    if find_spec("pytest") is None:
        raise SkippedError("pytest is not installed")
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if "mark.gpu" in path.read_text(encoding="utf-8")]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", *map(str, sorted(files))]
    try:
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=TESTS_S)
    except subprocess.TimeoutExpired:
        return {"passed": False, "line": f"not finished after {TESTS_S} s"}
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-2000:], file=sys.stderr)
    line = (done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["no output"])[-1]
    return {"passed": done.returncode == 0, "line": line.strip("= ")}


def run_loops(options: Any) -> Facts:
    """Compare the scoring loops; return the part as `bench_taggers.loop_lines` takes it."""
    paths = pictures.make_pictures(options.build / "pictures", options.images)
    settings = {
        "models": options.models.split(","), "device": options.device, "batch_size": options.batch_size,
        "workers": options.workers,
    }  # fmt: skip
    return {"settings": settings, "found": compare_loops(options.build, paths, settings)}


def run_runtimes(options: Any) -> Facts:
    """Measure both runtimes on the same pixels; return images a second by case, and the largest difference in float32."""
    cuda = options.device.startswith("cuda")
    try:
        import onnxruntime
    except ImportError:
        raise SkippedError("onnxruntime is not installed") from None
    if cuda and "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise SkippedError(f"onnxruntime {onnxruntime.__version__} has no CUDA provider; install onnxruntime-gpu")
    half = [Case("torch, fp16", _torch_spec(options), "fp16")] if cuda else []
    cases = [
        Case("torch, fp32", _torch_spec(options), "fp32"),
        Case("onnxruntime, fp32", _onnx_spec(options), "auto"),
        *half,
    ]
    found, scores = {}, {}
    for case in cases:
        tagger = taggers.load(find_model(case.spec), device=options.device, precision=case.precision)
        shape = (options.batch_size, tagger.preprocess.size, tagger.preprocess.size, 3)
        batch = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        scores[case.name] = tagger.scores(batch)
        times = time_calls(lambda tagger=tagger, batch=batch: tagger.scores(batch), seconds=options.seconds)  # type: ignore[misc]
        found[case.name] = options.batch_size / times.mean
        del tagger
    first, second = (scores[case.name] for case in cases[:2])
    return {"batch_size": options.batch_size, "rates": found, "largest_difference": float(np.abs(first - second).max())}


def _torch_spec(options: Any) -> str:
    return "wd14-demo-timm" if options.tiny else spec_of("wd-vit-v3", options.build)


def _onnx_spec(options: Any) -> str:
    """Return the model argument of the graph with the same weights, which is exported if it is missing."""
    if options.tiny:
        return "wd14-demo"
    try:
        import onnxscript  # noqa: F401  # torch.onnx needs it
    except ImportError:
        raise SkippedError("onnxscript is not installed, so no graph can be exported") from None
    return f"graph={networks.export_onnx(options.build / 'wd-vit-v3-onnx', options.build / 'wd-vit-v3')}"


PARTS: Mapping[str, Callable[[Any], Facts]] = {"tests": run_tests, "loops": run_loops, "runtimes": run_runtimes}


def run_part(name: str, options: Any) -> Facts:
    """Run one part; return its facts, or why it was skipped."""
    print(f"bench_gpu: {name}", file=sys.stderr, flush=True)
    try:
        return PARTS[name](options)
    except SkippedError as reason:
        print(f"bench_gpu: skipped: {name}: {reason}", file=sys.stderr, flush=True)
        return {"skipped": str(reason)}


def as_lines(facts: Facts, options: Any) -> list[str]:
    """Return the report."""
    skipped = [f"skipped: {name}: {part['skipped']}." for name, part in facts["parts"].items() if "skipped" in part]
    parts = {name: part for name, part in facts["parts"].items() if "skipped" not in part}
    lines = [f"# Runs on {facts['device']}", "", *(line for one in skipped for line in (one, ""))]
    if "tests" in parts:
        lines += [f"Tests with the mark `gpu`: {parts['tests']['line']}.", ""]
    if "loops" in parts:
        lines += ["## Loops", *loop_lines(parts["loops"]), ""]
    if "runtimes" in parts:
        lines += ["## Runtimes of the same weights", "", *_runtime_lines(parts["runtimes"]), ""]
    size = "" if options.tiny else " Networks named after published ones have their size and random weights."
    return [*lines, f"{machine_line(facts)}{size} Made by `python scripts/bench_gpu.py`."]


def _runtime_lines(part: Facts) -> list[str]:
    difference = f"{part['largest_difference']:.1e}; accepted are {GRAPH_TOLERANCE:.0e}"
    return [
        f"Batches of {part['batch_size']} random images, from bytes in memory to probabilities in memory:",
        "", "| runtime | images/s |", "| --- | ---: |",
        *(f"| {name} | {rate:.3g} |" for name, rate in part["rates"].items()),
        "", f"In float32 the largest difference of a probability is {difference}.",
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all parts and write the report; return 1 if a test failed, or the runtimes differ."""
    parser = Options(__doc__, build="gpu")
    parser.add_size("--images", 4_000, tiny=4, help="generated JPEG files")
    parser.add_size("--models", ",".join(COMPARED), tiny="joytag-demo,wd14-demo-timm", help="models of the loops")
    parser.add_size("--batch-size", 64, tiny=2, help="images per batch")
    parser.add_size("--workers", 8, tiny=0, help="workers of the reference loop")
    parser.add_size("--seconds", 10.0, tiny=0.01, help="seconds to measure each runtime")
    options = parser.read(arguments)
    options.device = "cuda:0" if torch.cuda.is_available() else "cpu"
    if options.device == "cpu" and not options.tiny:
        print("bench_gpu: skipped: no CUDA device; --tiny tries the script on the CPU", file=sys.stderr)
        return 0
    facts = machine_facts("torch", "timm", "onnxruntime-gpu", "onnxruntime", "pillow")
    facts |= {"device": device_name(options.device), "parts": {name: run_part(name, options) for name in PARTS}}
    write_report(options.out, "gpu", facts, as_lines(facts, options))
    parts = facts["parts"]
    different = parts["runtimes"].get("largest_difference", 0.0) > GRAPH_TOLERANCE
    return int(not parts["tests"].get("passed", True) or different)


if __name__ == "__main__":
    sys.exit(main())
