"""Measure one model, in the process that this module is run in.

`python -m arena.diagnostics.bench.worker` reads a `Request` as JSON from standard input and writes lines of JSON to standard
output: notes on the way, and at the end what was found, or why not. `own_process` is who starts it.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from arena.base.errors import ArenaError
from arena.diagnostics.bench.costs import Cost, Latency, Rate, to_json


@dataclass(frozen=True)
class Request:
    """What is to be measured.

    Attributes:
        model: a card's name, or NAME=PATH.
        images: files to measure on.
        batch_sizes: rising.
        seconds: how long each figure is measured, and at least for one batch or pass.
        root: folder with further models, or None.
    """

    model: str
    images: tuple[str, ...]
    batch_sizes: tuple[int, ...] = (1, 8, 32)
    seconds: float = 5.0
    device: str = "auto"
    precision: str = "auto"
    root: str | None = None


def measure(request: Request, note: Callable[[str], None] = lambda text: None) -> Cost:
    """Load a model and measure what it costs: memory and speed first, then what would disturb them.

    Raises:
        ArenaError: as `arena.taggers.load`, or none of the images can be read.
    """
    from arena import taggers
    from arena.base.provenance import device_name
    from arena.cards import find_model
    from arena.diagnostics.bench.memory import device_memory, memory_of
    from arena.diagnostics.bench.operations import count_operations
    from arena.diagnostics.bench.pictures import make_batch, measure_input, read_images
    from arena.images.decode import decode
    from arena.taggers.files import weights
    from arena.taggers.preprocess import square
    from arena.taggers.size import size_of

    card = find_model(request.model, Path(request.root) if request.root else None)
    files = weights.fetch(card)
    note("loading")
    import_s = _seconds(lambda: _import_adapter(card.adapter))
    before = device_memory(request.device)
    start = time.perf_counter()
    tagger = taggers.load(card, device=request.device, precision=request.precision)
    load_s = time.perf_counter() - start
    images = read_images([Path(path) for path in request.images])
    wanted = max(request.batch_sizes)
    squares = [square(decode(content), tagger.preprocess) for content in list(images.values())[:wanted]]
    memory = memory_of(tagger, before)
    rates, latency = _measure_network(
        lambda size: lambda batch=make_batch(squares, size): tagger.scores(batch),  # type: ignore[misc]
        request, memory.peak_bytes, note,
    )  # fmt: skip
    peak = memory.peak_bytes()
    note("counting operations")
    operations = count_operations(tagger, files, make_batch(squares, 1))
    size = size_of(tagger, files)
    note("decoding and preprocessing")
    return Cost(
        model=card.name, title=card.title, adapter=card.adapter, device=tagger.device,
        device_name=device_name(tagger.device), precision=tagger.precision, size=tagger.preprocess.size,
        tags=len(tagger.tags), parameters=size.parameters, operations=operations.number,
        not_counted=operations.not_counted, weight_bytes=size.weight_bytes, import_s=import_s, load_s=load_s,
        latency=latency, rates=rates, peak_bytes=peak, memory=memory.of,
        input=measure_input(images, tagger.preprocess, request.seconds), verified=card.verified,
    )  # fmt: skip


def _measure_network(
    batch_of: Callable[[int], Callable[[], object]],
    request: Request,
    peak: Callable[[], int | None],
    note: Callable[[str], None],
) -> tuple[Sequence[Rate], Latency]:
    """The speed at each batch size, from small to large; where one does not fit into the memory, larger ones do not either."""
    from arena.diagnostics.bench.timing import time_calls

    rates = []
    alone = time_calls(batch_of(1), seconds=request.seconds)
    for size in request.batch_sizes:
        note(f"batches of {size}")
        try:
            timings = alone if size == 1 else time_calls(batch_of(size), seconds=request.seconds)
        except Exception as error:  # what a library raises when its memory is full has no common base
            if not _out_of_memory(error):
                raise
            rates += [Rate(larger, None, 0, peak()) for larger in request.batch_sizes if larger >= size]
            break
        rates.append(Rate(size, size / timings.mean, len(timings.seconds), peak()))
    return tuple(rates), alone.latency()


def _import_adapter(adapter: str) -> None:
    """Import an adapter's module where it is one of ours; a plugin's is imported when it is loaded."""
    from arena.cards import ADAPTERS
    from arena.taggers.adapters import adapter_module

    if adapter in ADAPTERS:
        adapter_module(adapter)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _out_of_memory(error: Exception) -> bool:
    """Whether a library says that its memory is full: torch by a class of its own, onnxruntime in words."""
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(
        words in said for words in ("out of memory", "failed to allocate memory", "can't allocate memory", "bad_alloc")
    )


def main() -> None:
    """Answer one request."""
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # Ctrl-C ends it without a word; who started it says what there is to say
    answers = _claim_standard_output()

    def tell(kind: str, content: object) -> None:
        print(json.dumps({kind: content}), file=answers, flush=True)

    request = json.loads(sys.stdin.read())
    wanted = Request(**{**request, "images": tuple(request["images"]), "batch_sizes": tuple(request["batch_sizes"])})
    try:
        tell("cost", to_json(measure(wanted, lambda text: tell("note", text))))
    except ArenaError as error:
        tell("error", str(error))


def _claim_standard_output() -> TextIO:
    """A stream to where standard output went; what a library prints goes to standard error from now on."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def as_json(request: Request) -> str:
    """A request as `main` reads it."""
    return json.dumps(asdict(request))


if __name__ == "__main__":
    main()
