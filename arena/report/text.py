"""A result as text: JoyTag's two published formats, and a Markdown summary."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from arena.metrics.counts import TagCounts, joytag_ratios
from arena.report.contamination import CAVEAT, contamination_told
from arena.report.cost import cost_notes, megabytes, millions
from arena.report.figures import figure, interval, rate
from arena.report.findings import tag_findings
from arena.report.notes import convention_note, imply_notes, undefined_notes, unverified_notes
from arena.report.regimes import CROSS_FITTED, regime_rows
from arena.report.uncertainty import headline_rows, how_sure, told, verdict
from arena.report.view import headline_view
from arena.result import HEADLINES, Result

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
    """`summary.md`: what was compared, the verdict, a row a model, a row a threshold regime, and how to read it."""
    summary, dataset = result.summary, result.run.get("dataset", {})
    payload = headline_view(result)
    return (
        f"# {escape_markdown(', '.join(summary['models']))}\n\n"
        f"{summary['images']:,} held-out images of {escape_markdown(str(dataset.get('name', 'the given truth')))}"
        f"{skipped_note(summary['skipped'])}; means over the {summary['compared_tags']:,} tags that every model knows and at "
        f"least {summary['min_positives']} images carry. Convention `{summary['convention']}`: {convention_note(summary)}\n\n"
        + _verdict_lines(payload)
        + _leaderboard_table(result)
        + "".join(
            f"- {escape_markdown(note)}\n"
            for note in [
                *imply_notes(summary),
                *unverified_notes(result),
                *undefined_notes(result),
                *cost_notes(result),
            ]
        )
        + _contamination_lines(payload)
        + _regimes_table(payload)
        + f"\nSignature: `{result.run.get('signature', '')}`\n"
    )


def _verdict_lines(payload: Mapping[str, Any]) -> str:
    """The verdict and the numbers behind it; without intervals, that these are point estimates."""
    if not payload["replicates"]:
        return "Point estimates: no intervals were computed for this run, so no difference is decided.\n\n"
    lines = [f"**{escape_markdown(said)}**\n\n"] if (said := verdict(payload)) else []
    if said and len(payload["models"]) == 2:
        told_rows = [f"{HEADLINES[row['figure']]}: {told(payload['models'], row)}." for row in headline_rows(payload)]
        told_rows += [f"{finding.detail}." for finding in tag_findings(payload)]
        lines += [f"- {escape_markdown(row)}\n" for row in told_rows] + ["\n"]
    return "".join([*lines, escape_markdown(how_sure(payload)), "\n\n"])


def _leaderboard_table(result: Result) -> str:
    keys = ["macro_f1", "macro_precision", "macro_recall", "micro_f1", "micro_precision", "micro_recall", "map"]
    names = ["macro F1", "macro P", "macro R", "micro F1", "micro P", "micro R", "mAP"]
    rows = []
    for name, model in result.summary["models"].items():
        own = model["regimes"]["own"]
        figures = [
            f"{figure(own[key])} {interval(own.get(f'{key}_low'), own.get(f'{key}_high'))}".rstrip() for key in keys
        ]
        coverage = f"{model['known_tags']} of {result.summary['dataset_tags']}"
        facts = result.run["models"].get(name, {})
        cost = (
            rate(facts.get("images_per_second")),
            millions(model.get("parameters")),
            megabytes(model.get("weight_bytes")),
        )
        rows.append([name, f"{model['threshold']} ({model['threshold_source']})", *figures, coverage, *cost])
    return _table([["model", "threshold", *names, "tags known", "images/s", "parameters", "weights"], *rows])


def _contamination_lines(payload: Mapping[str, Any]) -> str:
    """What is in the training data, and what goes with it; empty where the run was held against nothing."""
    if not (said := contamination_told(payload)):
        return ""
    caveat = [CAVEAT] if len(said) > 1 else []
    return f"\n## Training images in this set\n\n{escape_markdown(' '.join(said + caveat))}\n"


def _regimes_table(payload: Mapping[str, Any]) -> str:
    """A row a regime; empty where only the models' own thresholds are known."""
    if not (regimes := regime_rows(payload)):
        return ""
    columns = [
        f"{model['name']} {name}" for model in payload["models"] for name in ("macro F1", "micro F1", "threshold")
    ]
    rows = []
    for row in regimes:
        cells = [
            [f"{cell.macro_f1} {cell.macro_aside}", f"{cell.micro_f1} {cell.micro_interval}", cell.thresholds]
            for cell in row.cells
        ]
        rows.append([row.title, *(text.strip() for cell in cells for text in cell), row.what])
    return f"\n## Thresholds\n\n{_table([['regime', *columns, 'what it is'], *rows])}{escape_markdown(CROSS_FITTED)}\n"


def _table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, the header first, with an empty line after it."""
    lines = ["| " + " | ".join(map(escape_markdown, row)) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(rows[0]))
    return "\n".join(lines) + "\n\n"


def skipped_note(skipped: int) -> str:
    """`` or ` (3 more could not be read)`."""
    return f" ({skipped} more could not be read)" if skipped else ""


def one_line(name: str) -> str:
    """A tag as it can stand on a line: control characters and line separators become spaces."""
    return _CONTROL.sub(" ", name)


def escape_markdown(text: str) -> str:
    """Text that a Markdown table shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>|#~$])", r"\\\1", one_line(text))
