"""A result as text: JoyTag's two published formats, and a Markdown summary."""

import re

import numpy as np

from arena.metrics.counts import CONVENTIONS, TagCounts, joytag_ratios
from arena.report.figures import figure
from arena.result import Result

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def full_metrics(result: Result, model: str) -> str:
    """`full-metrics.txt` of one model, byte for byte as JoyTag publishes it.

    A block for every tag of the model that the truth knows, by F1 descending, then place in the model's list; figures as
    `joytag_ratios` gives them, undefined as 0.0000; `cnt` is the training count, or the support where it is unknown.

    Source: JoyTag's `full-metrics.txt`.
    """
    rows = result.tags_of(model)
    figures = joytag_ratios(
        TagCounts(
            rows["threshold"].to_numpy(), rows["tp"].to_numpy(), rows["fp"].to_numpy(), rows["support"].to_numpy(),
            images=int(result.summary["images"]),
        )
    )  # fmt: skip
    counts = rows["training_count"].fillna(rows["support"]).astype(int)
    columns = (rows["tag"], rows["index"], counts, *figures, rows["tp"], rows["tn"], rows["fp"], rows["fn"])
    blocks = list(zip(*(column.tolist() for column in columns), strict=True))
    order = np.lexsort((rows["index"].to_numpy(), -figures.f1))
    return "".join(
        f"Tag: {one_line(tag)} ({index}) (cnt: {count})\nPrecision: {p:.4f}\nRecall: {r:.4f}\nF1: {f1:.4f}\n"
        f"TP: {tp}, TN: {tn}, FP: {fp}, FN: {fn}\n\n"
        for tag, index, count, p, r, f1, tp, tn, fp, fn in (blocks[i] for i in order)
    )


def detailed_metrics(result: Result) -> str:
    """`detailed_metrics.txt`: every compared tag by name, with a line a model; undefined as 0.0000.

    Source: JoyTag's `detailed_metrics.txt`.
    """
    compared = result.per_tag[result.per_tag["compared"]].fillna(
        {"precision": 0.0, "recall": 0.0, "f1": 0.0, "ap": 0.0}
    )
    rank = {model: place for place, model in enumerate(result.models)}
    ordered = compared.assign(rank=compared["model"].map(rank)).sort_values(["truth_tag", "rank"])
    columns = [ordered[name].tolist() for name in ("truth_tag", "model", "precision", "recall", "f1", "ap")]
    blocks: dict[str, list[str]] = {}
    for tag, model, p, r, f1, ap in zip(*columns, strict=True):
        line = f"{model:<20}: Precision {p:.4f}, Recall {r:.4f}, F1 {f1:.4f}, AP {ap:.4f}\n"
        blocks.setdefault(tag, [f"{one_line(tag)}\n"]).append(line)
    return "".join("".join([*lines, "\n"]) for lines in blocks.values())


def summary_markdown(result: Result) -> str:
    """`summary.md`: what was compared, a row a model, and how to read it."""
    summary, dataset = result.summary, result.run.get("dataset", {})
    header = [
        "model",
        "threshold",
        "macro F1",
        "macro P",
        "macro R",
        "micro F1",
        "micro P",
        "micro R",
        "mAP",
        "tags known",
    ]
    keys = ["macro_f1", "macro_precision", "macro_recall", "micro_f1", "micro_precision", "micro_recall", "map"]
    rows = []
    for name, model in summary["models"].items():
        own = model["regimes"]["own"]
        figures = [figure(own[key]) for key in keys]
        coverage = f"{model['known_tags']} of {summary['dataset_tags']}"
        rows.append([name, f"{model['threshold']} ({model['threshold_source']})", *figures, coverage])
    lines = ["| " + " | ".join(map(escape_markdown, row)) + " |" for row in [header, *rows]]
    lines.insert(1, "|" + " --- |" * len(header))
    return (
        f"# {escape_markdown(', '.join(summary['models']))}\n\n"
        f"{summary['images']:,} held-out images of {escape_markdown(str(dataset.get('name', 'the given truth')))}"
        f"{skipped_note(summary['skipped'])}; means over the {summary['compared_tags']:,} tags that every model knows and at "
        f"least {summary['min_positives']} images carry. Convention `{summary['convention']}`: {convention_note(summary)}\n\n"
        + "\n".join(lines)
        + "\n\n"
        + "".join(f"- {escape_markdown(note)}\n" for note in undefined_notes(result))
        + f"\nSignature: `{result.run.get('signature', '')}`\n"
    )


def undefined_notes(result: Result) -> list[str]:
    """For each model, which means ran over fewer tags than were compared."""
    notes = []
    for name, model in result.summary["models"].items():
        own = model["regimes"]["own"]
        short = {key: own[f"macro_{key}_tags"] for key in ("precision", "recall", "f1")} | {"AP": own["map_tags"]}
        parts = [f"{key} over {tags}" for key, tags in short.items() if tags < own["tags"]]
        if parts:
            notes.append(f"{name}: mean {', '.join(parts)} of {own['tags']} tags; undefined on the others.")
    return notes


def convention_note(summary: dict[str, object]) -> str:
    """What an undefined figure counted as."""
    return f"{CONVENTIONS[str(summary['convention'])].undefined}; AP of a tag that no image carries is left out."


def skipped_note(skipped: int) -> str:
    """`` or ` (3 more could not be read)`."""
    return f" ({skipped} more could not be read)" if skipped else ""


def one_line(name: str) -> str:
    """A tag as it can stand on a line: control characters and line separators become spaces."""
    return _CONTROL.sub(" ", name)


def escape_markdown(text: str) -> str:
    """Text that a Markdown table shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>|#~$])", r"\\\1", one_line(text))
