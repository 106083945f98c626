"""Start a process for each model, and listen to it."""

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
from arena.diagnostics.bench.costs import Cost, from_json
from arena.diagnostics.bench.worker import Request, as_json


def bench(requests: Iterable[Request], progress: Progress = Silent()) -> Iterator[Cost]:
    """Measure one model after the other, each in a process of its own; what is finished is given at once.

    Raises:
        ArenaError: a model cannot be measured.
    """
    for request in requests:
        yield measure_apart(request, progress)


def measure_apart(request: Request, progress: Progress = Silent()) -> Cost:
    """What one model costs, measured in a process of its own, which ends with this call whatever happens.

    Raises:
        ArenaError: as `measure`, or the process was ended from outside.
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
            with suppress(BrokenPipeError):  # it ended at once; its exit code tells
                process.stdin.write(as_json(request))
                process.stdin.close()
            for line in process.stdout:
                answer: dict[str, Any] = json.loads(line)
                if "cost" in answer:
                    return from_json(answer["cost"])
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
            f"its process was ended by signal {-code} before it was measured; if its memory was full, measure smaller "
            "--batch-sizes"
        )
    return f"its process ended with code {code} before it was measured; what it printed stands above"


def _module_path() -> str:
    """Where the other process finds this package, and all that this one finds."""
    own = str(Path(__file__).parents[3])
    return os.pathsep.join([own, *filter(None, [os.environ.get("PYTHONPATH")])])
