"""Measure each model in its own process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from arena.base.errors import ArenaError
from arena.base.progress import Progress, Silent
from arena.diagnostics.bench.costs import Cost, cost_from_json
from arena.diagnostics.bench.worker import BenchRequest, request_json


def bench_models(requests: Iterable[BenchRequest], progress: Progress = Silent()) -> Iterator[Cost]:
    """Measure the models one after the other, each in its own process; yield each cost when it is ready.

    Raises:
        ArenaError: a model cannot be measured.
    """
    for request in requests:
        yield bench_in_process(request, progress)


def bench_in_process(request: BenchRequest, progress: Progress = Silent()) -> Cost:
    """Measure one model in its own process, which is always ended when this call returns or raises.

    Raises:
        ArenaError: as `worker.measure`, or the process ended without a result.
    """
    name = request.model.partition("=")[0]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "arena.diagnostics.bench.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, encoding="utf-8", env=os.environ | {"PYTHONPATH": _module_path()},
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        try:
            with suppress(BrokenPipeError):  # the process ended at once; its exit code is reported below
                process.stdin.write(request_json(request))
                process.stdin.close()
            for line in process.stdout:
                answer: dict[str, Any] = json.loads(line)
                if "cost" in answer:
                    return cost_from_json(answer["cost"])
                if "error" in answer:
                    raise ArenaError(answer["error"])
                progress.note(f"{name}: {answer['note']}")
        except BaseException:
            process.kill()
            raise
    raise ArenaError(f"model {name}: {_why_it_ended(process.returncode)}")


def _why_it_ended(code: int) -> str:
    if code < 0:
        return (
            f"its process was ended by signal {-code} before the measurement was complete; if it ran out of memory, use "
            "smaller --batch-sizes"
        )
    return f"its process ended with code {code} before the measurement was complete; see its output above"


def _module_path() -> str:
    """Return the PYTHONPATH of the process: this package's folder, then that of this process."""
    own = str(Path(__file__).parents[3])
    return os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH")])])
