"""Cost of taggers at their real sizes, cost of shared decoding for two models, and arena's scoring loop against the usual one.

Usage: python scripts/bench_taggers.py [--device auto] [--models joytag,wd-vit-v3] [--seconds 10] [--again]

Networks of the real sizes with random weights are written once to build/taggers (2.8 GB). They and the demo models are
measured as `arena bench` does, each in its own process. Every part is written to reports/benchmarks/taggers.{json,md} as soon
as it is finished; after an interruption the same command continues. Each device has its own section in the report. The
scoring loops are compared if there is a GPU, or with --reference. Exits with 1 if two models that share preprocessing take
1.25 times the input time of one, or more.
"""

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from reporting import Options
from tagging import networks, pictures, shared_input

from arena.base import provenance
from arena.base.files import write_json
from arena.cli.terminal.console import Terminal
from arena.diagnostics.bench.costs import cost_from_json, cost_to_json
from arena.diagnostics.bench.own_process import bench_in_process
from arena.diagnostics.bench.table import costs_markdown
from arena.diagnostics.bench.worker import BenchRequest

DEMO = ("joytag-demo", "wd14-demo", "wd14-demo-timm")
COMPARED = ("joytag", "wd-vit-v3")
"""The two models of the comparison of scoring loops."""

Report = dict[str, Any]


def read_report(path: Path) -> Report:
    """Return the parts that earlier runs finished: device -> part -> its settings and results."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def finish(report: Report, path: Path, device: str, part: str, settings: Report, work: Callable[[], Any]) -> None:
    """Run one part and write the report; skip it if the report has the part with the same settings."""
    parts = report.setdefault(device, {})
    if parts.get(part, {}).get("settings") == settings:
        print(f"{part}: already measured", file=sys.stderr)
        return
    parts[part] = {
        "settings": settings, "found": work(), "when": provenance.now(), "versions": provenance.versions(),
        "machine": provenance.machine(),
    }  # fmt: skip
    write_json(path, report)
    path.with_suffix(".md").write_text(as_markdown(report), encoding="utf-8")


def spec_of(name: str, build: Path) -> str:
    """Return the model argument for arena: the name of a demo model, or NAME=FOLDER, whose folder is made if missing."""
    return name if name in DEMO else f"{name}={networks.make_folder(name, build)}"


def measure_model(name: str, build: Path, paths: Sequence[Path], settings: Report) -> Report:
    """Return the cost of one model, as plain values."""
    request = BenchRequest(
        spec_of(name, build), tuple(map(str, paths[:64])), tuple(settings["batch_sizes"]), settings["seconds"],
        settings["device"], settings["precision"],
    )  # fmt: skip
    return cost_to_json(bench_in_process(request, Terminal()))


def compare_loops(build: Path, paths: Sequence[Path], settings: Report) -> Report:
    """Run both scoring loops over the same models."""
    from tagging.reference import compare

    from arena import taggers
    from arena.cards import find_model

    cards = [find_model(spec_of(name, build)) for name in settings["models"]]
    loaded = [taggers.load(card, device=settings["device"]) for card in cards]
    return compare(paths, loaded, batch_size=settings["batch_size"], workers=settings["workers"])  # type: ignore[arg-type]


def as_markdown(report: Report) -> str:
    """Return the report as Markdown, one section per device."""
    lines = ["# Cost of taggers", "", "Networks named after published ones have their size and random weights."]
    for device, parts in report.items():
        costs = [cost_from_json(part["found"]) for name, part in parts.items() if name.startswith("model ")]
        lines += ["", f"## {device}", "", costs_markdown(costs) if costs else ""]
        lines += _shared_lines(parts.get("shared input")) + loop_lines(parts.get("loops"))
    return "\n".join([*lines, "", "Made by `python scripts/bench_taggers.py`."]) + "\n"


def _shared_lines(part: Report | None) -> list[str]:
    if part is None:
        return []
    found, images = part["found"], part["settings"]["images"]
    one = found["one model"]
    return [
        "", f"Time to read, decode and pad {images:,} JPEG files of {pictures.SIDE} px to squares, no network, all cores:",
        "", "| models | seconds | relative to one model |", "| --- | ---: | ---: |",
        *(f"| {case} | {seconds:.2f} | {seconds / one:.2f} |" for case, seconds in found.items()),
    ]  # fmt: skip


def loop_lines(part: Report | None) -> list[str]:
    """Return the lines of the report on the two scoring loops, from the part that `finish` kept."""
    if part is None:
        return []
    found, names = part["found"], " and ".join(part["settings"]["models"])
    peer = f"Pillow in {found['workers']} DataLoader workers, autocast on a GPU, one model after the other"
    loops = {"reference": peer, "arena": "arena: decoded once, scores on disk"}
    ratio, difference = found["arena"] / found["reference"], found["largest_difference"]
    return [
        "", f"{names} on {found['images']:,} JPEG files of {pictures.SIDE} px, from files to scores:",
        "", "| loop | images/s through all models | time in which a network computes |", "| --- | ---: | ---: |",
        *(f"| {title} | {found[loop]:.3g} | {_percent(found.get(f'{loop}_share'))} |" for loop, title in loops.items()),
        "", f"Batches of {found['batch_size']}. Arena is {ratio:.2f} times as fast.",
        f"The largest difference of a score is {difference:.1e}.",
    ]  # fmt: skip


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def device_of(requested: str) -> str:
    """Return the name of the device in the report."""
    import torch

    cuda = requested.startswith("cuda") or (requested == "auto" and torch.cuda.is_available())
    return (
        provenance.device_name("cuda:0" if requested in ("auto", "cuda") else requested)
        if cuda
        else provenance.device_name("cpu")
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__, build="taggers")
    parser.add_size("--models", ",".join([*DEMO, *networks.NETWORKS]), tiny="wd14-demo")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_size(
        "--batch-sizes", "1,8", tiny="1", help="batch sizes to measure; 32 is added for the demo models and on a GPU"
    )
    parser.add_size("--seconds", 10.0, tiny=0.01, help="seconds to measure each value")
    parser.add_size("--images", 512, tiny=4, help="files for the shared-input and loop measurements")
    parser.add_size("--rounds", 5, tiny=1, help="rounds of the shared-input measurement")
    parser.add_argument("--reference", action="store_true", help="compare the scoring loops without a GPU too")
    parser.add_argument("--loop-models", default=",".join(COMPARED))
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--again", action="store_true", help="measure again what was measured on this device")
    options = parser.read(arguments)
    device, kept = device_of(options.device), options.out / "taggers.json"
    report = read_report(kept)
    if options.again:
        report.pop(device, None)
    paths = pictures.make_pictures(options.build / "pictures", options.images)
    done = partial(finish, report, kept, device)
    settings = {"images": options.images, "rounds": options.rounds}
    done("shared input", settings, lambda: shared_input.measure(paths, options.rounds))
    on_gpu = not device.endswith("cores")
    for name in options.models.split(","):
        sizes = sorted({*map(int, options.batch_sizes.split(",")), *([32] if on_gpu or name in DEMO else [])})
        settings = {
            "batch_sizes": sizes, "seconds": options.seconds, "device": options.device, "precision": options.precision,
        }  # fmt: skip
        done(f"model {name}", settings, partial(measure_model, name, options.build, paths, settings))
    if on_gpu or options.reference:
        settings = {
            "models": options.loop_models.split(","), "images": options.images, "device": options.device,
            "batch_size": 64 if on_gpu else 8, "workers": options.workers,
        }  # fmt: skip
        done("loops", settings, partial(compare_loops, options.build, paths, settings))
    print(as_markdown(report))
    found = report[device]["shared input"]["found"]
    ratio = found["two that share preprocessing"] / found["one model"]
    if ratio >= shared_input.LIMIT and not options.tiny:
        sys.exit(
            f"bench_taggers: two models that share preprocessing take {ratio:.2f} times the input time of one; "
            f"the limit is {shared_input.LIMIT}"
        )


if __name__ == "__main__":
    main()
