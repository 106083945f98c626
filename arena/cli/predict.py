"""The verb `predict`: score images with one model."""

from pathlib import Path
from typing import Any

import click

from arena.base.errors import ArenaError
from arena.cli.options import (
    batch_option,
    compute_of,
    config_option,
    device_option,
    limit_option,
    option,
    precision_option,
    root_option,
    workers_option,
)


@click.command("predict")
@config_option
@option("--model", "-m", required=True, help="Card, or NAME=PATH of a local folder.", show_default=False)
@option("--images", type=click.Path(path_type=Path), help="Folder of images, a .tar, or @LIST.", show_default=False)
@option("--dataset", "-d", help="Dataset, instead of --images; its identifiers are kept.", show_default=False)
@option("--output", "-o", required=True, type=click.Path(path_type=Path), help="File to write.", show_default=False)
@option("--top-k", type=click.IntRange(min=1), help="Store the K highest scores of each image.", show_default=False)
@option("--min-score", type=click.FloatRange(0, 1), help="Store scores of at least this value.", show_default=False)
@limit_option
@batch_option
@device_option
@precision_option
@workers_option
@root_option
def predict(
    model: str, images: Path | None, dataset: str | None, output: Path, top_k: int | None, min_score: float | None,
    limit: int | None, root: Path | None, **settings: Any,
) -> None:  # fmt: skip
    """Score the images of a folder, of a tar, of a list of files, or of a dataset, with one model.

    Writes an .npz file with the arrays scores (float32, images x tags), tags, and image_ids: paths below the folder, names in
    the tar or lines of the list, each without suffix, or the identifiers of the dataset. Images are recognised by suffix or
    content. Links to files are followed; hidden folders and links to folders are skipped.

    --images takes a folder; a .tar without compression, such as a shard of webdataset, whose images are read in place; a folder
    of tars without other images; or @LIST, a text file with the path of an image or of a tar in each line.

    With --top-k or --min-score it writes a .parquet file of these scores: a row an image, with its tags and their scores. arena
    score reads it and counts the other scores as 0. The parts beside the output also hold only these scores.

    Example: arena predict -m joytag --images photos -o scores.npz
    """
    from arena.cards import find_dataset
    from arena.cli.terminal.console import Terminal, show_skipped
    from arena.dataset.frozen import read_frozen
    from arena.pipeline.predict import predict_folder
    from arena.scores.cut import Selection

    if (images is None) == (dataset is None):
        raise ArenaError("predict: needs either --images FOLDER or --dataset NAME, not both")
    source = read_frozen(find_dataset(str(dataset), root)) if images is None else images
    selection = None if top_k is None and min_score is None else Selection(top_k, min_score or 0.0)
    scores = predict_folder(
        model,
        source,
        output,
        limit=limit,
        selection=selection,
        compute=compute_of(settings),
        root=root,
        progress=Terminal(),
    )
    show_skipped(scores.skipped)
    for note in scores.notes:
        click.echo(f"{output}: {note}")
    click.echo(f"{output}: {len(scores.image_ids)} images x {len(scores.tags)} tags")
