"""JoyTag's `full-metrics.txt`, one block per tag with its counts: read it, and write it byte for byte."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from arena.base.errors import ArenaError
from arena.base.format import one_line, shown
from arena.metrics.counts import TagCounts, joytag_ratios
from arena.results.published.record import Published
from arena.results.published.rows import PublishedTag, count_decimals, line_error, publish_rows, read_published_text

_FORMAT = "full-metrics"

FULL_METRICS_FIRST_LINE = re.compile(r"Tag: (?P<tag>.*) \((?P<index>\d+)\) \(cnt: (?P<training_count>\d+)\)")
"""The first line of a block."""

_FIGURE = r"(?P<{}>\d(?:\.\d+)?|nan)"
_REST = (
    (re.compile("Precision: " + _FIGURE.format("precision")), "Precision: 0.0000"),
    (re.compile("Recall: " + _FIGURE.format("recall")), "Recall: 0.0000"),
    (re.compile("F1: " + _FIGURE.format("f1")), "F1: 0.0000"),
    (re.compile(r"TP: (?P<tp>\d+), TN: (?P<tn>\d+), FP: (?P<fp>\d+), FN: (?P<fn>\d+)"), "TP: 0, TN: 0, FP: 0, FN: 0"),
)
"""The pattern and an example of each other line of a block."""


def read_full_metrics(path: Path) -> dict[str, Published]:
    """Read the file's only model, named after the file; threshold and average precision are unknown.

    Raises:
        ArenaError: a block is damaged, truncated or contradictory.

    Source: JoyTag's `full-metrics.txt`; its `cnt` is the training count.
    """
    lines = read_published_text(path).split("\n")
    rows: list[PublishedTag] = []
    written: list[str] = []
    place = 0
    while place < len(lines):
        if not lines[place]:
            place += 1
            continue
        found = _block(path, lines, place)
        written += [found[name] for name in ("precision", "recall", "f1") if found[name] != "nan"]
        rows.append(_row(place + 1, found))
        place += 1 + len(_REST)
    published = publish_rows(path, rows, name=path.stem, form=_FORMAT, digits=count_decimals(written))
    return {published.name: published}


def _block(path: Path, lines: list[str], place: int) -> dict[str, str]:
    """The fields of the block that starts at a line."""
    first = FULL_METRICS_FIRST_LINE.fullmatch(lines[place])
    if first is None:
        fault = f"expected 'Tag: name (0) (cnt: 0)', found {shown(lines[place])}"
        raise line_error(path, place + 1, f"{fault}; the file is damaged, fetch it again")
    fields = first.groupdict()
    for step, (pattern, example) in enumerate(_REST, place + 1):
        line = lines[step] if step < len(lines) else ""
        match = pattern.fullmatch(line)
        if match is None:
            found = "the end of the block" if not line else shown(line)
            fault = f"tag {shown(fields['tag'])}: expected '{example}', found {found}"
            raise line_error(path, step + 1, f"{fault}; the file is truncated or damaged, fetch it again")
        fields |= match.groupdict()
    return fields


def _row(line: int, found: dict[str, str]) -> PublishedTag:
    metrics = {name: None if found[name] == "nan" else float(found[name]) for name in ("precision", "recall", "f1")}
    counts = {name: int(found[name]) for name in ("index", "training_count", "tp", "fp", "fn", "tn")}
    return PublishedTag(line, found["tag"], **counts, **metrics)  # type: ignore[arg-type]  # keyword arguments of different types


def full_metrics_of(published: Published) -> str:
    """The text of `full-metrics.txt` for a published result, as JoyTag writes it; for an imported file the same bytes.

    If the training count is unknown, `cnt` is the support; if the index is unknown, it is the tag's position in the file.

    Raises:
        ArenaError: counts or the number of images are unknown.
    """
    tags = published.tags
    unknown = [name for name in ("tp", "fp", "fn", "tn") if tags[name].isna().any()]
    if unknown:
        raise ArenaError(
            f"{published.source}: {published.name} lacks {', '.join(unknown)} for at least one tag, which "
            "full-metrics.txt needs; publish a file with counts and the number of images"
        )
    place = pd.Series(range(len(tags)), index=tags.index, dtype="Int64")
    return full_metrics_text(
        tags.assign(
            index=tags["index"].fillna(place), training_count=tags["training_count"].fillna(tags["support"])
        )
    )  # fmt: skip


def full_metrics_text(tags: pd.DataFrame) -> str:
    """One block per row of `tag index training_count tp fp fn tn`, sorted by F1 (descending), then by index.

    The metrics are those of `joytag_ratios`; an undefined one is 0.0000.

    Source: JoyTag's `full-metrics.txt`.
    """
    tp, fp, fn, tn, index, training = (
        tags[name].to_numpy(np.int64) for name in ("tp", "fp", "fn", "tn", "index", "training_count")
    )
    metrics = joytag_ratios(TagCounts(np.zeros(len(tp), np.float32), tp, fp, tp + fn, images=0))
    columns = (index, training, *metrics, tp, tn, fp, fn)
    blocks = list(zip(tags["tag"].tolist(), *(column.tolist() for column in columns), strict=True))
    return "".join(
        f"Tag: {one_line(tag)} ({place}) (cnt: {count})\nPrecision: {p:.4f}\nRecall: {r:.4f}\nF1: {f1:.4f}\n"
        f"TP: {hits}, TN: {left}, FP: {wrong}, FN: {missed}\n\n"
        for tag, place, count, p, r, f1, hits, left, wrong, missed in (
            blocks[i] for i in np.lexsort((index, -metrics.f1))
        )
    )
