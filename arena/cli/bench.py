"""The verb `bench`: measure speed and memory of models."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from arena.cli.options import LARGEST_BATCH, config_option, one_device_option, option, precision_option, root_option
from arena.cli.verbs import split_names


class BatchSizes(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """Comma-separated whole numbers from 1 to `LARGEST_BATCH`."""

    name = "n,n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = split_names(str(value))
        if not parts or not all(part.isdecimal() and 0 < int(part) <= LARGEST_BATCH for part in parts):
            self.fail(f"{value!r} is not a list of whole numbers from 1 to {LARGEST_BATCH}, such as 1,8,32", param, ctx)
        return tuple(sorted(set(map(int, parts))))


@click.command()
@config_option
@option(
    "--models", "-m", required=True, show_default=False, help="Comma-separated cards, or NAME=PATH of local folders."
)
@option("--images", type=click.Path(path_type=Path), help="Folder of images to measure on.", show_default=False)
@option("--dataset", "-d", default="demo", help="Frozen dataset, used if --images is absent.")
@option("--batch-sizes", type=BatchSizes(), default="1,8,32", help="Comma-separated batch sizes.")
@option("--seconds", type=click.FloatRange(0, 3600, min_open=True), default=5.0, help="Measuring time of each metric.")
@one_device_option
@precision_option
@option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.", show_default=False)
@option("--output", "-o", type=click.Path(path_type=Path), help="Also write FILE.json or FILE.md.", show_default=False)
@root_option
def bench(
    models: str, images: Path | None, dataset: str, as_json: bool, output: Path | None, root: Path | None, **how: Any
) -> None:
    """Measure the speed and memory use of models.

    Reports parameters, operations per image, load time, images per second at each batch size, latency of one image and peak
    memory. Decoding and preprocessing are measured separately from the network. Each model runs in its own process. If the
    command is stopped, it shows the models that it has measured.

    Example: arena bench -m joytag,wd14 --batch-sizes 1,8
    """
    from arena.base.locks import lock_output
    from arena.cli.terminal.console import Terminal, show_costs
    from arena.diagnostics.bench.document import check_output, costs_document, write_costs
    from arena.diagnostics.bench.own_process import bench_models as measure_all
    from arena.diagnostics.bench.requests import build_requests, pick_images

    if output is not None:
        check_output(output)
    paths = pick_images(folder=images, dataset=dataset, root=root)
    costs = []
    try:
        with nullcontext() if output is None else lock_output(output, "bench"):
            for cost in measure_all(build_requests(split_names(models), paths, root=root, **how), Terminal()):
                costs.append(cost)
                if output is not None:
                    write_costs(costs, output)
    finally:
        if as_json:
            click.echo(json.dumps(costs_document(costs), ensure_ascii=False, indent=2))
        elif costs:
            show_costs(costs)
