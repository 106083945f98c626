"""Train the two demo taggers on the training part of the demo set, and write them in the layouts of their families.

    python scripts/build_demo_dataset.py     # writes build/demo/train and datasets/demo
    python scripts/train_demo_models.py      # under an hour on two cores; resumes an interrupted training
    python scripts/train_demo_models.py --leakage

Thresholds are chosen on a validation slice of the training part. The held-out part is used once, at the end.
"""

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import torch
from demo_training import leakage
from demo_training.examples import Examples, Split, read_aliases, read_categories, read_examples, split_validation
from demo_training.export import keep_rows, write_card, write_joytag, write_onnx, write_timm
from demo_training.figures import MeanAp, best_threshold, macro_f1, mean_average_precision
from demo_training.fit import SOURCE_SIDE, Epoch, Material, Subject, fit, predict, shortened
from demo_training.networks import DEMOS, JOYTAG_MEAN, JOYTAG_STD, SIDE, WD_MEAN, WD_STD, Demo, start_from_prevalence
from demo_training.vocabulary import MIN_TRAINED, Vocabulary
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

VALIDATION_SHARE = 0.12
"""Share of the groups of the training part in the validation slice, which is not trained on."""

MIN_VALIDATION_POSITIVES = 3
"""Positives in the validation slice that a tag needs to be used for the choice of the threshold."""

MIN_HELDOUT_POSITIVES = 10
"""Positives that a tag needs in the held-out part to enter the means; arena's default of --min-positives."""

LEAKAGE_EPOCHS = 10
"""Default number of epochs of --leakage: enough to see the difference, and fast enough to train once per split."""


class Outcome(NamedTuple):
    """Metrics of one tagger on the held-out part."""

    ap: MeanAp
    f1: float
    threshold: float
    seconds: float


@click.command(help=__doc__)
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True),
    default=Path("build/demo/train"),
    show_default=True,
    help="Training part.",
)
@click.option(
    "--heldout",
    type=click.Path(path_type=Path, exists=True),
    default=Path("datasets/demo"),
    show_default=True,
    help="Held-out part.",
)
@click.option(
    "--random-data",
    type=click.Path(path_type=Path),
    default=Path("build/demo-random"),
    show_default=True,
    help="For --leakage: folder of the random split, with train/ and heldout/.",
)
@click.option(
    "--copies-data",
    type=click.Path(path_type=Path),
    default=Path("build/demo-copies-random"),
    show_default=True,
    help="For --leakage, if it exists: folder of the random split that keeps identical copies.",
)
@click.option(
    "--models", type=click.Path(path_type=Path), default=Path("models"), show_default=True, help="Folder of the models."
)
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    default=Path("build/training"),
    show_default=True,
    help="Folder of the checkpoints.",
)
@click.option("--only", type=click.Choice(sorted(DEMOS)), help="Train only this tagger (default: both).")
@click.option("--epochs", type=click.IntRange(min=1), help="Number of epochs (default: that of the recipe).")
@click.option("--device", default="auto", show_default=True, help="Device: auto, cpu, cuda or cuda:N.")
@click.option(
    "--threads", type=click.IntRange(min=1), default=os.cpu_count(), show_default=True, help="Number of CPU threads."
)
@click.option(
    "--leakage",
    "measure_leakage",
    is_flag=True,
    help="Only measure the bias of a random split; train no demo tagger.",
)
def main(
    data: Path, heldout: Path, random_data: Path, copies_data: Path, models: Path, work: Path, only: str | None,
    epochs: int | None, device: str, threads: int, measure_leakage: bool,
) -> None:  # fmt: skip
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # averaged weights become denormals, which slow a CPU down a hundred times
    chosen = torch.device("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else torch.device(device)
    console = Console()
    if measure_leakage:
        splits = {"clustered": (data, heldout), "random": (random_data / "train", random_data / "heldout")}
        if copies_data.exists():
            splits["copies"] = (copies_data / "train", copies_data / "heldout")
        report = leakage.measure(splits, leakage.Training(epochs or LEAKAGE_EPOCHS, work, chosen, console))
        leakage.write(report, Path("reports/benchmarks"))
        console.print(Path("reports/benchmarks/leakage.md").read_text(), soft_wrap=True, markup=False)
        return
    examples, truth = read_examples(data), read_examples(heldout)
    split = split_validation(examples, VALIDATION_SHARE)
    console.print(f"{len(split.train)} training, {len(split.validation)} validation, {len(truth)} held-out images")
    for name in [only] if only else list(DEMOS):
        outcome = train(DEMOS[name], examples, split, truth, models, work / name, epochs, chosen, console)
        console.print(
            f"[bold]{name}[/]: held-out mAP {outcome.ap.value:.4f} over {outcome.ap.tags} tags, {outcome.ap.ratio:.1f} times "
            f"chance ({outcome.ap.chance:.4f}); macro F1 {outcome.f1:.4f} at {outcome.threshold}; {outcome.seconds:.0f} s"
        )


def train(
    demo: Demo, examples: Examples, split: Split, heldout: Examples, models: Path, work: Path, epochs: int | None,
    device: torch.device, console: Console,
) -> Outcome:  # fmt: skip
    """Train one tagger, choose its threshold, write its folders and cards, and score the held-out part."""
    recipe = shortened(demo.recipe, epochs)
    material = gather(split)
    torch.manual_seed(recipe.seed)
    subject = demo.build(len(material.tags))
    start_from_prevalence(subject.network, material.truth)
    with _progress(console) as progress:
        task = progress.add_task(demo.name, total=recipe.epochs)

        def report(row: Epoch) -> None:
            progress.update(task, completed=row.epoch)
            validation = "" if row.validation_map is None else f"  validation mAP {row.validation_map:.4f}"
            console.print(f"epoch {row.epoch:3} at {row.side} px  loss {row.loss:.3f}{validation}  {row.seconds:.0f} s")

        log = fit(subject, material, recipe, folder=work, device=device, report=report)
    counts = dict(zip(examples.tags, (int(n) for n in examples.truth.sum(0)), strict=True))
    folder = examples.folder
    vocabulary = demo.vocabulary(counts, read_categories(folder), read_aliases(folder))
    scores = predict(subject, subject.network, material.validation_pixels, device)[:, _columns(material, vocabulary)]
    threshold = best_threshold(scores, split.validation.columns(vocabulary.tags), MIN_VALIDATION_POSITIVES)
    publish(demo, subject, material, vocabulary, models, threshold, _notes(log), console)
    outcome = judge(subject, material, vocabulary, heldout, threshold, sum(row.seconds for row in log), device)
    write_log(models / demo.name / "training.jsonl", demo, epochs, log, outcome)
    return outcome


def gather(split: Split) -> Material:
    """Return the pixels and labels, for every tag with at least `MIN_TRAINED` training images."""
    train, validation = split
    tags = tuple(tag for tag, count in zip(train.tags, train.truth.sum(0), strict=True) if count >= MIN_TRAINED)
    return Material(
        tags, train.squares(SOURCE_SIDE), train.columns(tags), train.images["group"].to_numpy(),
        validation.squares(SIDE), validation.columns(tags),
    )  # fmt: skip


def publish(
    demo: Demo, subject: Subject, material: Material, vocabulary: Vocabulary, models: Path, threshold: float, notes: str,
    console: Console,
) -> None:  # fmt: skip
    """Write the network in the layout of its family (two layouts for the WD tagger), with cards."""
    state = keep_rows(subject.network, material.tags, vocabulary)
    published = demo.build(len(vocabulary.tags)).network.eval()
    published.load_state_dict(state)
    notes = f"{len(vocabulary.tags)} tags; {notes}"
    if demo.name == "joytag-demo":
        write_joytag(models / demo.name, state, vocabulary)
        entry = f'channels = "rgb"\nmean = {list(JOYTAG_MEAN)}\nstd = {list(JOYTAG_STD)}'
        files = ["model.safetensors", "config.json", "top_tags.txt"]
        write_card(
            models / f"{demo.name}.toml",
            title="JoyTag demo",
            adapter="joytag",
            files=files,
            notes=notes,
            output="logits",
            entry=entry,
            threshold=threshold,
        )
        return
    twin = f"{demo.name}-timm"
    write_timm(models / twin, state, vocabulary)
    difference = write_onnx(models / demo.name, published, vocabulary, material.validation_pixels[:16])
    console.print(f"{demo.name}: the ONNX graph agrees with torch to {difference:.1e}")
    entry = f'channels = "bgr"\nmean = {list(WD_MEAN)}\nstd = {list(WD_STD)}'
    write_card(
        models / f"{twin}.toml",
        title="WD14 demo (timm)",
        adapter="timm",
        files=["model.safetensors", "config.json", "selected_tags.csv"],
        notes=notes,
        output="logits",
        entry=entry,
        threshold=threshold,
    )
    entry = 'channels = "bgr"\nscale = 1'
    write_card(
        models / f"{demo.name}.toml",
        title="WD14 demo",
        adapter="onnx",
        files=["model.onnx", "selected_tags.csv"],
        notes=notes,
        output="probabilities",
        entry=entry,
        threshold=threshold,
    )


def judge(
    subject: Subject, material: Material, vocabulary: Vocabulary, heldout: Examples, threshold: float, seconds: float,
    device: torch.device,
) -> Outcome:  # fmt: skip
    """Return the metrics of the published tags on the held-out part."""
    scores = predict(subject, subject.network, heldout.squares(SIDE), device)[:, _columns(material, vocabulary)]
    truth = heldout.columns(vocabulary.tags)
    ap = mean_average_precision(scores, truth, MIN_HELDOUT_POSITIVES)
    return Outcome(ap, macro_f1(scores, truth, threshold, MIN_HELDOUT_POSITIVES), threshold, seconds)


def write_log(path: Path, demo: Demo, epochs: int | None, log: list[Epoch], outcome: Outcome) -> None:
    """Write the log as one JSON object per line: the recipe, every epoch, the outcome."""
    recipe = {
        "recipe": asdict(shortened(demo.recipe, epochs)),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    end = {
        "heldout_map": outcome.ap.value, "random_map": outcome.ap.chance, "tags": outcome.ap.tags,
        "macro_f1": outcome.f1, "threshold": outcome.threshold, "seconds": round(outcome.seconds, 1),
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }  # fmt: skip
    lines = [recipe, *(asdict(row) for row in log), end]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _columns(material: Material, vocabulary: Vocabulary) -> np.ndarray:
    return np.array([material.tags.index(name) for name in vocabulary.tags])


def _notes(log: list[Epoch]) -> str:
    return f"trained from scratch, {len(log)} epochs; threshold chosen on a slice of the training part"


def _progress(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)


if __name__ == "__main__":
    main()
