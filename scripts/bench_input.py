"""Reading images into the squares of a tagger, compared with JoyTag's reference preprocessing and with the decoder alone.

Usage: python scripts/bench_input.py [--images 24] [--rounds 3] [--workers 8]

JPEG, WebP and PNG files of 512, 1,024 and 4,000 pixels are made once, below build/, from the drawings of the demo set. The
contestants take turns in every round, on one core, on files that were read before:

- decoder: the bytes of the file to RGB, without anything else: simplejpeg for JPEG, Pillow for the other formats.
- arena, pixels: the file to RGB, as `arena` decodes it: checks, EXIF orientation, limits.
- arena, squares: the file to JoyTag's square of 448 pixels, as `arena run` prepares it, bytes.
- reference: the file to JoyTag's input, as its `Models.py` does it with Pillow, float32 normalised.
- reference, 8 workers: the same in a torch DataLoader, against the threads of arena, on all cores.

Writes reports/benchmarks/input.{json,md}.
"""

import io
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import simplejpeg
import torch
from PIL import Image
from reporting import Options, Rounds, machine_facts, machine_line, on_all_cores, take_turns, write_report
from threadpoolctl import threadpool_limits
from torchvision.transforms import functional

from arena.base.files import open_whole
from arena.cards import InputSpec, Preprocess, find_dataset, find_model
from arena.dataset.frozen import read_frozen
from arena.images.decode import decode, decode_on
from arena.images.in_flight import picture_in_flight
from arena.images.places import ImagePlace, read_image_file
from arena.taggers.preprocess import normalise, square

FORMATS: Mapping[str, Mapping[str, Any]] = {
    "JPEG": {"quality": 90},
    "WEBP": {"quality": 85, "method": 2},
    "PNG": {"compress_level": 3},
}
SIDES, TINY_SIDES = (512, 1024, 4000), (24, 40)
SHAPES = ((1.0, 0.75), (0.75, 1.0), (1.0, 1.0))
"""Width and height of the files in turn, relative to the longest side."""

GOAL_OF_REFERENCE, GOAL_OF_LIMIT = 2.0, 0.8

COLUMNS = ("files", "decoder", "arena, pixels", "arena, squares", "reference", "pixels / decoder", "squares / reference",
           "arena, threads")  # fmt: skip


class Set(NamedTuple):
    """Files of one format and size."""

    kind: str
    side: int
    paths: tuple[Path, ...]


def make_files(build: Path, sides: Sequence[int], count: int) -> list[Set]:
    """Write the missing files; files of 4,000 pixels are a quarter of the others' number."""
    originals = [path for path in read_frozen(find_dataset("demo")).paths if isinstance(path, Path)]
    sets = [
        Set(kind, side, tuple(build / f"{side}-{number:03d}.{kind.lower()}" for number in range(_number(count, side))))
        for side in sides
        for kind in FORMATS
    ]
    jobs = [(one.kind, one.side, number, path, originals[number % len(originals)])
            for one in sets for number, path in enumerate(one.paths) if not path.exists()]  # fmt: skip
    list(map(_make_file, jobs) if len(jobs) < 20 or max(sides) < 100 else on_all_cores(_make_file, jobs))
    return sets


def _number(count: int, side: int) -> int:
    return max(1, count // 4) if side >= 4000 else count


def _make_file(job: tuple[str, int, int, Path, ImagePlace]) -> None:
    kind, side, number, path, original = job
    width, height = (max(1, round(side * share)) for share in SHAPES[number % len(SHAPES)])
    with Image.open(io.BytesIO(read_image_file(original))) as image:
        picture = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    grain = np.random.default_rng(number).normal(0, 3, (height, width, 1))
    pixels = (np.asarray(picture) + grain).round().clip(0, 255).astype(np.uint8)
    options = {"subsampling": number % 3} if kind == "JPEG" else {}
    with open_whole(path) as file:
        Image.fromarray(pixels).save(file, kind, **FORMATS[kind], **options)


def decoder(path: Path) -> Any:
    """Decode the bytes of a file with the library alone."""
    content = path.read_bytes()
    if path.suffix == ".jpeg":
        return simplejpeg.decode_jpeg(content, "RGB")
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image


def joytag() -> tuple[Preprocess, InputSpec]:
    """Return the preprocessing of JoyTag's card, with its size, and the normalisation."""
    card = find_model("joytag")
    return card.preprocess if card.preprocess.size else Preprocess(size=448), card.input


PREPROCESS, INPUT = joytag()


def arena_square(path: Path) -> np.ndarray:
    """Return the square as `arena run` prepares it."""
    with picture_in_flight(path.name):
        pixels = decode_on(read_image_file(path), {PREPROCESS.alpha})
        return square(pixels[PREPROCESS.alpha], PREPROCESS)


def reference_square(path: Path) -> Image.Image:
    """Return the square of JoyTag's reference: padded with white, resized with Pillow's bicubic filter."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    side = max(image.size)
    padded = Image.new("RGB", (side, side), (255, 255, 255))
    padded.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return padded if side == PREPROCESS.size else padded.resize((PREPROCESS.size,) * 2, Image.Resampling.BICUBIC)


def reference_input(path: Path) -> torch.Tensor:
    """Return the network's input of JoyTag's reference, float32 (3, 448, 448)."""
    tensor = functional.pil_to_tensor(reference_square(path)) / 255.0
    normalised: torch.Tensor = functional.normalize(tensor, mean=list(INPUT.mean), std=list(INPUT.std))
    return normalised


class Files(torch.utils.data.Dataset[torch.Tensor]):
    """The reference's inputs of some files, for a DataLoader."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> torch.Tensor:
        return reference_input(self.paths[row])


def by_loader(paths: Sequence[Path], workers: int) -> int:
    """Read all files with a DataLoader; return their number."""
    loader = torch.utils.data.DataLoader(Files(paths), batch_size=8, num_workers=workers)
    return sum(len(batch) for batch in loader)


def by_threads(paths: Sequence[Path]) -> int:
    """Read all files as `arena run` does: threads, and one normalisation per batch; return their number."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        squares = list(pool.map(arena_square, paths))
    return sum(len(normalise(np.stack(squares[at : at + 8]), INPUT)) for at in range(0, len(squares), 8))


def on_each(work: Callable[[Path], Any], paths: Sequence[Path]) -> Callable[[], int]:
    def run() -> int:
        for path in paths:
            work(path)
        return len(paths)

    return run


def measure(files: Set, rounds: int, workers: int) -> dict[str, Rounds[int]]:
    """Time all contestants; those that use all cores read every file four times, to outweigh the start of the processes."""
    many = files.paths * 4
    return take_turns(
        {
            "decoder": on_each(decoder, files.paths),
            "arena, pixels": on_each(decode, files.paths),
            "arena, squares": on_each(arena_square, files.paths),
            "reference": on_each(reference_input, files.paths),
            "arena, threads": lambda: by_threads(many),
            f"reference, {workers} workers": lambda: by_loader(many, workers),
        },
        rounds,
    )


def different(files: Set) -> int:
    """Return the number of files whose square differs from the reference's."""
    return sum(not np.array_equal(arena_square(path), np.asarray(reference_square(path))) for path in files.paths)


class Row(NamedTuple):
    """Images a second of CPU time by contestant, and what they must reach."""

    files: Set
    found: Mapping[str, Rounds[int]]
    different: int

    def rate(self, name: str, *, wall: bool = False) -> float:
        one = self.found[name]
        return one.result / max(one.median.wall_s if wall else one.median.cpu_s, 1e-9)

    @property
    def of_reference(self) -> float:
        return self.rate("arena, squares") / self.rate("reference")

    @property
    def of_limit(self) -> float:
        return self.rate("arena, pixels") / self.rate("decoder")

    def line(self, workers: int) -> str:
        rates = [self.rate(name) for name in ("decoder", "arena, pixels", "arena, squares", "reference")]
        threads, loader = (self.rate(name, wall=True) for name in ("arena, threads", f"reference, {workers} workers"))
        cells = [f"{self.files.kind} {self.files.side:,}", *(f"{rate:.1f}" for rate in rates),
                 f"{self.of_limit:.0%}", f"{self.of_reference:.2f}", f"{threads:.1f}", f"{loader:.1f}",
                 f"{threads / loader:.2f}", str(self.different)]  # fmt: skip
        return f"| {' | '.join(cells)} |"


def report(rows: Sequence[Row], facts: Mapping[str, Any], workers: int) -> list[str]:
    """Return the report as lines of Markdown."""
    jpeg = [row for row in rows if row.files.kind == "JPEG"]
    reached = [
        f"- JPEG {row.files.side:,}: {row.of_reference:.2f} times the reference (goal {GOAL_OF_REFERENCE:g}), "
        f"{row.of_limit:.0%} of the decoder (goal {GOAL_OF_LIMIT:.0%})"
        for row in jpeg
    ]
    return [
        "# Reading images into JoyTag's squares, images a second",
        "",
        machine_line(facts),
        "",
        "Columns 2 to 5: per second of CPU time, on one core. Threads and workers: per second of wall-clock time, all cores.",
        "",
        f"| {' | '.join([*COLUMNS, f'reference, {workers} workers', 'threads / workers', 'different squares'])} |",
        "| --- |" + " ---: |" * 10,
        *(row.line(workers) for row in rows),
        "",
        *reached,
        "",
        "Made by `python scripts/bench_input.py`.",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = Options(__doc__, build="input")
    parser.add_size("--images", 24, tiny=2)
    parser.add_size("--rounds", 3, tiny=1)
    parser.add_size("--workers", 8, tiny=0)
    options = parser.read(arguments)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        sets = make_files(options.build, TINY_SIDES if options.tiny else SIDES, options.images)
        rows = []
        for one in sets:
            differences = different(one)  # before the timing, so that every module is imported
            rows.append(Row(one, measure(one, options.rounds, options.workers), differences))
    facts = machine_facts("numpy", "pillow", "simplejpeg", "torch", "torchvision")
    entries = [{"format": row.files.kind, "side": row.files.side, "different": row.different,
                "contestants": {name: {"images": one.result, **one.facts()} for name, one in row.found.items()}}
               for row in rows]  # fmt: skip
    write_report(options.out, "input", {**facts, "files": entries}, report(rows, facts, options.workers))


if __name__ == "__main__":
    main()
