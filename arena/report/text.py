"""Text files of a run folder: the summary, and the two formats that JoyTag publishes."""

from collections.abc import Mapping
from typing import Any

from arena.base.format import one_line
from arena.report.summary import summary_markdown
from arena.results.published.full_metrics import full_metrics_text
from arena.results.run_folder import Result


def text_reports(result: Result, headline_payload: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return the content of each text file of a run folder, by its path in the folder.

    Args:
        headline_payload: `headline_view` of the result; None computes it.
    """
    found = {f"full-metrics/{model}.txt": full_metrics(result, model) for model in result.models}
    summary = summary_markdown(result, headline_payload)
    return found | {"detailed_metrics.txt": detailed_metrics(result), "summary.md": summary}


def full_metrics(result: Result, model: str) -> str:
    """Return `full-metrics.txt` of one model, byte for byte in JoyTag's format.

    It has a block for every tag of the model that the ground truth knows, by F1 descending, then by index in the model's
    list. Metrics follow `joytag_ratios`, undefined as 0.0000. `cnt` is the training count, or the support if unknown.

    Source: JoyTag's `full-metrics.txt`.
    """
    rows = result.tags_of(model)
    return full_metrics_text(rows.assign(training_count=rows["training_count"].fillna(rows["support"])))


def detailed_metrics(result: Result) -> str:
    """Return `detailed_metrics.txt`: compared tags by name, with one line per model; undefined as 0.0000.

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
