"""What taggers cost at their real sizes, decoding once for two models, and the usual scoring loop beside the arena's.

Usage: python scripts/bench_taggers.py [--device auto] [--models joytag,wd-vit-v3] [--seconds 10] [--again]

Networks of the real sizes are drawn at random once, into build/taggers (2.8 GB), and measured as `arena bench` does, each in a
process of its own, beside the demo models. Every part is written to reports/benchmarks/taggers.{json,md} as soon as it is
finished; stopped at any point, the same command continues. Parts of another machine or device stand beside each other. The
loop is compared where there is a GPU, or with --reference. Exits 1 where two models that share preprocessing take 1.25 times
the input time of one, or more.
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
from arena.diagnostics.bench.costs import from_json, to_json
from arena.diagnostics.bench.own_process import measure_apart
from arena.diagnostics.bench.table import markdown
from arena.diagnostics.bench.worker import Request

DEMO = ("joytag-demo", "wd14-demo", "wd14-demo-timm")
COMPARED = ("joytag", "wd-vit-v3")
"""The two that the loops run, one after the other or at once."""

Report = dict[str, Any]


def read_report(path: Path) -> Report:
    """What earlier runs finished: device -> part -> its settings and what was found."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def finish(report: Report, path: Path, device: str, part: str, settings: Report, work: Callable[[], Any]) -> None:
    """Do one part unless it is there with the same settings, and write the report."""
    parts = report.setdefault(device, {})
    if parts.get(part, {}).get("settings") == settings:
        print(f"{part}: measured already", file=sys.stderr)
        return
    parts[part] = {
        "settings": settings, "found": work(), "when": provenance.now(), "versions": provenance.versions(),
        "machine": provenance.machine(),
    }  # fmt: skip
    write_json(path, report)
    path.with_suffix(".md").write_text(as_markdown(report), encoding="utf-8")


def spec_of(name: str, build: Path) -> str:
    """How a model is named to the arena: a demo model by its card, another by its folder, drawn where it is not there."""
    return name if name in DEMO else f"{name}={networks.make_folder(name, build)}"


def measure_model(name: str, build: Path, paths: Sequence[Path], settings: Report) -> Report:
    """What one model costs, as plain values."""
    request = Request(
        spec_of(name, build), tuple(map(str, paths[:64])), tuple(settings["batch_sizes"]), settings["seconds"],
        settings["device"], settings["precision"],
    )  # fmt: skip
    return to_json(measure_apart(request, Terminal()))


def compare_loops(build: Path, paths: Sequence[Path], settings: Report) -> Report:
    """Both loops over the same models."""
    from tagging.reference import compare

    from arena import taggers
    from arena.cards import find_model

    cards = [find_model(spec_of(name, build)) for name in settings["models"]]
    loaded = [taggers.load(card, device=settings["device"]) for card in cards]
    return compare(paths, loaded, batch_size=settings["batch_size"], workers=settings["workers"])  # type: ignore[arg-type]


def as_markdown(report: Report) -> str:
    """The report for readers: a section a device."""
    lines = ["# What taggers cost", "", "Networks named after published ones have their size and drawn weights."]
    for device, parts in report.items():
        costs = [from_json(part["found"]) for name, part in parts.items() if name.startswith("model ")]
        lines += ["", f"## {device}", "", markdown(costs) if costs else ""]
        lines += _shared_lines(parts.get("shared input")) + _loop_lines(parts.get("loops"))
    return "\n".join([*lines, "", "Made by `python scripts/bench_taggers.py`."]) + "\n"


def _shared_lines(part: Report | None) -> list[str]:
    if part is None:
        return []
    found, images = part["found"], part["settings"]["images"]
    one = found["one model"]
    return [
        "", f"Reading, decoding and making square of {images:,} JPEG files of {pictures.SIDE} px, no network, all cores:",
        "", "| models | seconds | times one model's |", "| --- | ---: | ---: |",
        *(f"| {case} | {seconds:.2f} | {seconds / one:.2f} |" for case, seconds in found.items()),
    ]  # fmt: skip


def _loop_lines(part: Report | None) -> list[str]:
    if part is None:
        return []
    found, names = part["found"], " and ".join(part["settings"]["models"])
    peer = f"Pillow in {found['workers']} DataLoader workers, autocast on a GPU, one model after the other"
    ratio, difference = found["arena"] / found["reference"], found["largest_difference"]
    return [
        "", f"{names} on {found['images']:,} such files, from files to scores, batches of {found['batch_size']}:",
        "", "| loop | images/s through all models |", "| --- | ---: |",
        f"| {peer} | {found['reference']:.3g} |",
        f"| arena: decoded once, scores on disk | {found['arena']:.3g} |",
        "", f"{ratio:.2f} times as fast; largest difference of a score {difference:.1e}.",
    ]  # fmt: skip


def device_of(asked: str) -> str:
    """The device as the report names it."""
    import torch

    cuda = asked.startswith("cuda") or (asked == "auto" and torch.cuda.is_available())
    return (
        provenance.device_name("cuda:0" if asked in ("auto", "cuda") else asked)
        if cuda
        else provenance.device_name("cpu")
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__, build="taggers")
    parser.add_size("--models", ",".join([*DEMO, *networks.NETWORKS]), tiny="wd14-demo")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_size("--batch-sizes", "1,8", tiny="1", help="for the demo models and on a GPU also 32")
    parser.add_size("--seconds", 10.0, tiny=0.01, help="to measure each figure")
    parser.add_size("--images", 512, tiny=4, help="files for the input and the loops")
    parser.add_size("--rounds", 5, tiny=1, help="of the input's cases")
    parser.add_argument("--reference", action="store_true", help="compare the loops without a GPU, too")
    parser.add_argument("--loop-models", default=",".join(COMPARED))
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--again", action="store_true", help="forget what was measured on this device")
    asked = parser.read(arguments)
    device, kept = device_of(asked.device), asked.out / "taggers.json"
    report = read_report(kept)
    if asked.again:
        report.pop(device, None)
    paths = pictures.make_pictures(asked.build / "pictures", asked.images)
    done = partial(finish, report, kept, device)
    settings = {"images": asked.images, "rounds": asked.rounds}
    done("shared input", settings, lambda: shared_input.measure(paths, asked.rounds))
    on_gpu = not device.endswith("cores")
    for name in asked.models.split(","):
        sizes = sorted({*map(int, asked.batch_sizes.split(",")), *([32] if on_gpu or name in DEMO else [])})
        how = {"batch_sizes": sizes, "seconds": asked.seconds, "device": asked.device, "precision": asked.precision}
        done(f"model {name}", how, partial(measure_model, name, asked.build, paths, how))
    if on_gpu or asked.reference:
        how = {
            "models": asked.loop_models.split(","), "images": asked.images, "device": asked.device,
            "batch_size": 64 if on_gpu else 8, "workers": asked.workers,
        }  # fmt: skip
        done("loops", how, partial(compare_loops, asked.build, paths, how))
    print(as_markdown(report))
    found = report[device]["shared input"]["found"]
    ratio = found["two that share preprocessing"] / found["one model"]
    if ratio >= shared_input.LIMIT and not asked.tiny:
        sys.exit(f"two models that share preprocessing take {ratio:.2f} times the input time of one: too much")


if __name__ == "__main__":
    main()
