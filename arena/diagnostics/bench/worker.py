"""Worker process of `arena bench`: measures one model.

`python -m arena.diagnostics.bench.worker` reads a `BenchRequest` as JSON from standard input. It writes lines of JSON to
standard output: notes on the progress, then the cost or an error. `own_process` starts it.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from arena.base.errors import ArenaError, is_out_of_memory
from arena.base.extras import extras_for
from arena.diagnostics.bench.costs import Cost, Latency, NetworkRate, cost_to_json
from arena.images.places import ImagePlace, TarMember


@dataclass(frozen=True)
class BenchRequest:
    """A request to measure one model.

    Attributes:
        model: a card's name, or NAME=PATH.
        images: path of each image, or tar, offset and length of one in a tar.
        batch_sizes: in ascending order.
        seconds: shortest duration of each measurement; at least one batch or pass is measured.
        root: folder with further models, or None.
    """

    model: str
    images: tuple[str | tuple[str, int, int], ...]
    batch_sizes: tuple[int, ...] = (1, 8, 32)
    seconds: float = 5.0
    device: str = "auto"
    precision: str = "auto"
    root: str | None = None


def _place(one: str | Sequence[Any]) -> ImagePlace:
    return Path(one) if isinstance(one, str) else TarMember(Path(one[0]), *map(int, one[1:]))


def measure_cost(request: BenchRequest, note: Callable[[str], None] = lambda text: None) -> Cost:
    """Load a model and measure its cost.

    Memory and speed of the network come first, because the other measurements would affect them.

    Args:
        note: called with a word on each step.

    Raises:
        ArenaError: as `arena.taggers.load`, or no image can be read.
    """
    from arena import taggers
    from arena.base.provenance import device_name
    from arena.cards import find_model
    from arena.diagnostics.bench.memory import device_memory, memory_of
    from arena.diagnostics.bench.operations import count_operations
    from arena.diagnostics.bench.pictures import make_batch, measure_input, read_decodable
    from arena.images.decode import decode
    from arena.taggers.files import weights
    from arena.taggers.preprocess import square
    from arena.taggers.size import model_size

    card = find_model(request.model, Path(request.root) if request.root else None)
    files = weights.fetch_files(card)
    note("loading")
    with extras_for(card.name):
        import_s = _seconds(lambda: _import_adapter(card.adapter))
    before = device_memory(request.device)
    start = time.perf_counter()
    tagger = taggers.load(card, device=request.device, precision=request.precision)
    load_s = time.perf_counter() - start
    images = read_decodable([_place(one) for one in request.images])
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
    size = model_size(tagger, files)
    note("decoding and preprocessing")
    return Cost(
        model=card.name, title=card.title, adapter=card.adapter, device=tagger.device,
        device_name=device_name(tagger.device), precision=tagger.precision, size=tagger.preprocess.size,
        tags=len(tagger.tags), parameters=size.parameters, operations=operations.number,
        not_counted=operations.not_counted, weight_bytes=size.weight_bytes, import_s=import_s, load_s=load_s,
        latency=latency, rates=rates, peak_bytes=peak, memory=memory.of,
        input=measure_input(images, tagger.preprocess, request.seconds), verified=card.known_verified,
    )  # fmt: skip


def _measure_network(
    batch_of: Callable[[int], Callable[[], object]],
    request: BenchRequest,
    peak: Callable[[], int | None],
    note: Callable[[str], None],
) -> tuple[Sequence[NetworkRate], Latency]:
    """Measure the speed at each batch size in ascending order; stop at the first that does not fit into memory."""
    from arena.diagnostics.bench.timing import time_calls

    rates = []
    alone = time_calls(batch_of(1), seconds=request.seconds)
    for size in request.batch_sizes:
        note(f"batches of {size}")
        try:
            timings = alone if size == 1 else time_calls(batch_of(size), seconds=request.seconds)
        except Exception as error:  # out-of-memory errors of the libraries have no common base class
            if not is_out_of_memory(error):
                raise
            rates += [NetworkRate(larger, None, 0, peak()) for larger in request.batch_sizes if larger >= size]
            break
        rates.append(NetworkRate(size, size / timings.mean, len(timings.seconds), peak()))
    return tuple(rates), alone.latency()


def _import_adapter(adapter: str) -> None:
    """Import the module of a built-in adapter; a plugin is imported when the model is loaded."""
    from arena.cards import ADAPTERS
    from arena.taggers.adapters import adapter_module

    if adapter in ADAPTERS:
        adapter_module(adapter)


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _main() -> None:
    """Read one request from standard input and write its result."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it silently; the parent process prints the message
    output = _claim_standard_output()

    def send(kind: str, content: object) -> None:
        print(json.dumps({kind: content}), file=output, flush=True)

    request = json.loads(sys.stdin.read())
    wanted = BenchRequest(
        **{**request, "images": tuple(request["images"]), "batch_sizes": tuple(request["batch_sizes"])}
    )
    try:
        send("cost", cost_to_json(measure_cost(wanted, lambda text: send("note", text))))
    except ArenaError as error:
        send("error", str(error))


def _claim_standard_output() -> TextIO:
    """Return a stream to the original standard output, and redirect what libraries print to standard error."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return output


def request_json(request: BenchRequest) -> str:
    """Return a request as the JSON that `_main` reads."""
    return json.dumps(asdict(request))


if __name__ == "__main__":
    _main()
