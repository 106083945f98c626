"""`summary.md`: a result for a README or a model card, in GitHub Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from arena.base.format import UNDEFINED, clipped, count, escape_markdown, moment, plural, rate
from arena.metrics.registry import HEADLINES, LEADERBOARD, METRICS
from arena.report.markdown import bullets, code, folded, picture, table
from arena.report.static_pictures import plots_of
from arena.report.view import headline_view
from arena.report.view_model.contamination import CONTAMINATION_CAVEAT, contamination_sentences
from arena.report.view_model.cost import cost_notes, megabytes, millions
from arena.report.view_model.findings import run_subject, tag_findings
from arena.report.view_model.forest import caption, forest
from arena.report.view_model.judged import (
    BY_LABELS,
    BY_TRUTH,
    JUDGED_METRICS,
    completeness,
    judged_contrasts,
    judged_facts,
    judged_levels,
    judged_verdict,
    share_text,
)
from arena.report.view_model.leaderboard import Cell, Standing, leaderboard
from arena.report.view_model.notes import convention_note, run_notes, undefined_notes
from arena.report.view_model.published import PUBLISHED_CAVEAT as PUBLISHED_CAVEAT
from arena.report.view_model.published import PUBLISHED_MARK, published_rows, published_table
from arena.report.view_model.recorded_labels import recorded_labels
from arena.report.view_model.regimes import CROSS_FITTED, regime_rows
from arena.report.view_model.slices import slice_groups
from arena.report.view_model.uncertainty import headline_rows, pair_evidence, run_verdict, uncertainty_note
from arena.results.run_folder import Result

_NAME_LENGTH = 60
"""Characters of a name in a heading or a table; the full name is in the section "How it was measured"."""

MOST_SLICES_LISTED = 24
"""Most slices that the table lists; `slices.parquet` has all."""

POINT_ESTIMATES = "Point estimates: this run has no intervals, so no difference was tested."


def summary_markdown(result: Result, headline_payload: Mapping[str, Any] | None = None) -> str:
    """Return the verdict and the leaderboard, then folded sections: all metrics, thresholds, slices, and the recipe.

    Args:
        headline_payload: `headline_view` of the result; None computes it.
    """
    payload = headline_payload or headline_view(result)
    shown = {one.name: picture(one) for one in plots_of(payload)}
    parts = [
        f"# {escape_markdown(' vs '.join(clipped(model['name'], _NAME_LENGTH) for model in payload['models']))}",
        _verdict(payload),
        _judged_verdict(payload),
        escape_markdown(" ".join(recorded_labels(payload))),
        escape_markdown(f"{run_subject(payload)}{skipped_note(payload['dataset']['skipped'])}"),
        _short_leaderboard(payload),
        _forest(payload),
        _judged(payload),
        _published(payload),
        shown.get("leaderboard", ""),
        folded("All metrics, with intervals and tests", _all_figures(result, payload)),
        _thresholds(payload, shown.get("sweep", "")),
        f"## Tag against tag\n\n{shown['scatter']}" if "scatter" in shown else "",
        _slices(payload, shown.get("slices", "")),
        _contamination(payload),
        _measured(result, payload),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def skipped_note(skipped: int) -> str:
    """Return the note on skipped images, such as ` (3 more could not be read)`; empty if there are none."""
    return f" ({count(skipped)} more could not be read)" if skipped else ""


def _verdict(payload: Mapping[str, Any]) -> str:
    if not payload["replicates"]:
        return POINT_ESTIMATES
    text = run_verdict(payload)
    return f"**{escape_markdown(text)}**" if text else ""


def _judged_verdict(payload: Mapping[str, Any]) -> str:
    """Return what judged truth says of the headline metrics; empty without judgements."""
    text = " ".join(judged_verdict(payload))
    return f"**{escape_markdown(text)}**" if text else ""


def _judged(payload: Mapping[str, Any]) -> str:
    """Return the section on metrics by judged truth; empty without judgements."""
    facts = judged_facts(payload)
    if not facts:
        return ""
    levels = judged_levels(payload)
    shown = list(levels[0].by_truth) if levels else []
    header = ["model", "by", *(METRICS[key].short for key in shown)]
    rows = [
        [clipped(one.name, _NAME_LENGTH), by, *(of[key].text for key in shown)]
        for one in levels
        for by, of in ((BY_LABELS, one.by_labels), (BY_TRUTH, one.by_truth))
    ]
    for one in judged_contrasts(payload, JUDGED_METRICS):
        name = f"{clipped(one.first, 30)} − {clipped(one.second, 30)}, {METRICS[one.figure].short}"
        worth = "" if one.effective is None else f"{count(one.effective)} effective answers"
        facts.append(": ".join([name, "; ".join(filter(None, [
            f"{one.labels.signed_text} by labels, {one.truth.signed_text} by judged truth", worth,
        ]))]))  # fmt: skip
    tags = [[one.title, count(one.tags), count(one.answers), share_text(one.complete), share_text(one.right)]
            for one in completeness(payload)]  # fmt: skip
    complete = table([["tags", "number", "answers", "true tags recorded", "recorded tags true"], *tags], numbers_from=1)
    body = [bullets(facts), *([table([header, *rows], numbers_from=2), complete] if levels else [])]
    return folded("By judged truth", "\n\n".join(body))


def _short_leaderboard(payload: Mapping[str, Any]) -> str:
    """Return a table with one row per model, by mAP descending: headline metrics, threshold, and the known costs."""
    standings = leaderboard(payload)
    columns = {"tagger": [clipped(s.model["name"], _NAME_LENGTH) for s in standings]}
    columns |= {
        title: [_starred(s.cells[key]) for s in standings] for key, title in LEADERBOARD.items() if key in HEADLINES
    }
    plain = [title for key, title in HEADLINES.items() if any(s.cells[key].plain for s in standings)]
    if plain:
        keys = [key for key in HEADLINES if HEADLINES[key] in plain]
        columns[f"as published: {' / '.join(plain)}"] = [
            " / ".join(s.cells[key].plain or UNDEFINED for key in keys) for s in standings
        ]
    columns["threshold"] = [clipped(str(s.model["threshold"]), _NAME_LENGTH) for s in standings]
    columns |= {
        title: [show(s.model) for s in standings] for title, key, show in _COSTS if any(s.model[key] for s in standings)
    }
    starred = any(s.cells[key].best for s in standings for key in HEADLINES)
    return "\n\n".join(
        filter(None, [table(_rows(columns), numbers_from=1), _key(payload, starred=starred, plain=bool(plain))])
    )


def _forest(payload: Mapping[str, Any]) -> str:
    """Return the folded table of differences under every threshold policy; empty if nothing was tested."""
    found = forest(payload)
    if found is None:
        return ""
    several = len(found.listed) > 1
    rows = [
        [
            *([f"{clipped(row.first, 30)} − {clipped(row.second, 30)}"] if several else []),
            HEADLINES[row.metric], row.title, row.text, row.words,
        ]
        for metrics in found.listed.values() for rows in metrics.values() for row in rows
    ]  # fmt: skip
    header = [*(["pair"] if several else []), "metric", "threshold policy", "difference", "higher"]
    names = [clipped(model["name"], _NAME_LENGTH) for model in payload["models"]]
    which = "" if several else f"Differences are {names[0]} minus {names[1]}. "
    body = f"{table([header, *rows])}\n\n{escape_markdown(which + caption(found, 'table'))}"
    return folded("Differences under every threshold policy", body)


def _published(payload: Mapping[str, Any]) -> str:
    """Return the table of published results; empty if the run names none."""
    rows = published_rows(payload["published"])
    if not rows:
        return ""
    notes = [f"{clipped(row.name, _NAME_LENGTH)}: {note}." for row in rows for note in row.notes]
    header, *others = published_table(rows)
    cells = [[clipped(one[0], _NAME_LENGTH), *one[1:-1], clipped(one[-1], _NAME_LENGTH)] for one in others]
    caveat = escape_markdown(" ".join([f"{PUBLISHED_MARK.capitalize()}. {PUBLISHED_CAVEAT}", *notes]))
    return f"{table([header, *cells], numbers_from=1)}\n\n{caveat}"


_COSTS: Sequence[tuple[str, str, Callable[[Mapping[str, Any]], str]]] = (
    ("images/s", "images_per_second", lambda model: rate(model["images_per_second"])),
    ("parameters", "parameters", lambda model: millions(model["parameters"])),
)


def _rows(columns: Mapping[str, Sequence[str]]) -> list[Sequence[str]]:
    return [list(columns), *zip(*columns.values(), strict=True)]


def _starred(cell: Cell) -> str:
    return f"{cell.text} {cell.range}".rstrip() + (" ★" if cell.best else "")


def _key(payload: Mapping[str, Any], *, starred: bool, plain: bool) -> str:
    parts = ["In brackets: 95 % intervals."] if payload["replicates"] else []
    if plain:
        parts.append("As published: the plain mean over tags, without correction for bias.")
    if starred:
        parts.append(f"★ the highest{', or not significantly below it' if payload['replicates'] else ''}.")
    return " ".join(parts)


def _all_figures(result: Result, payload: Mapping[str, Any]) -> str:
    """Return the numbers behind the verdict, the full leaderboard, and the notes on it."""
    evidence = []
    if payload["replicates"] and len(payload["models"]) == 2:
        evidence = [
            f"{HEADLINES[row['figure']]}: {pair_evidence(payload['models'], row)}." for row in headline_rows(payload)
        ]
        evidence += [f"{finding.detail}." for finding in tag_findings(payload)]
    notes = [*run_notes(result), *undefined_notes(result), *cost_notes(result)]
    parts = [
        bullets(evidence),
        table([_HEADER, *(_full_row(standing) for standing in leaderboard(payload))], numbers_from=1),
        bullets(notes),
        escape_markdown(uncertainty_note(payload)) if payload["replicates"] else "",
    ]
    return "\n\n".join(filter(None, parts))


_FULL = {key: METRICS[key].short for key in sorted(LEADERBOARD, key=lambda key: not METRICS[key].needs_threshold)}
_HEADER = ["model", "threshold", *_FULL.values(), "tags known", "images/s", "parameters", "weights"]


def _full_row(standing: Standing) -> list[str]:
    model = standing.model
    return [
        clipped(model["name"], _NAME_LENGTH),
        f"{model['threshold']} ({model['threshold_source']})",
        *(_with_plain(standing.cells[key]) for key in _FULL),
        f"{count(model['known_tags'])} of {count(model['dataset_tags'])}",
        rate(model["images_per_second"]), millions(model["parameters"]), megabytes(model["weight_bytes"]),
    ]  # fmt: skip


def _with_plain(cell: Cell) -> str:
    """Return a value with its interval, and the plain mean if it is another."""
    plain = f"as published {cell.plain}" if cell.plain else ""
    return " ".join(filter(None, [cell.text, cell.range, plain]))


def _thresholds(payload: Mapping[str, Any], sweep: str) -> str:
    """Return the plot of the threshold sweep, and a folded table with one row per threshold policy."""
    regimes = regime_rows(payload)
    if not regimes and not sweep:
        return ""
    parts = ["## Thresholds", sweep]
    if regimes:
        names = [clipped(model["name"], 30) for model in payload["models"]]
        header = [
            "threshold policy",
            *(f"{name} {what}" for name in names for what in ("macro F1", "micro F1", "threshold")),
        ]
        rows = []
        for regime in regimes:
            cells = [
                [
                    f"{cell.macro_f1} {cell.macro_aside} {cell.macro_plain}",
                    f"{cell.micro_f1} {cell.micro_interval}",
                    f"{cell.thresholds} {cell.thresholds_aside}",
                ]
                for cell in regime.cells
            ]
            rows.append([regime.title, *(text.strip() for cell in cells for text in cell)])
        what = bullets([f"{regime.title}: {regime.what}" for regime in regimes])
        body = "\n\n".join([table([header, *rows], numbers_from=1), what, escape_markdown(CROSS_FITTED)])
        parts.append(folded("Results at other thresholds", body))
    return "\n\n".join(filter(None, parts))


def _slices(payload: Mapping[str, Any], plot: str) -> str:
    """Return the plot of slices, and a folded table with one row per slice: macro F1, mAP and verdicts."""
    groups = slice_groups(payload)
    if not groups:
        return ""
    names = [clipped(model["name"], 30) for model in payload["models"]]
    rows = []
    for group in groups:
        for row in group.rows:
            values = [" / ".join(one.models[place][0] for one in row.figures) for place in range(len(names))]
            verdicts = [one.verdict.words for one in row.figures if one.verdict]
            kind = clipped(group.title.partition(":")[0], 30)
            rows.append([f"{kind}: {clipped(row.title, 40)}", row.size, *values, "; ".join(verdicts)])
    header = ["slice", "size", *(f"{name}: macro F1 / mAP" for name in names), "verdict: macro F1; mAP"]
    more = (
        f"\n\n{count(len(rows) - MOST_SLICES_LISTED)} more in `slices.parquet`."
        if len(rows) > MOST_SLICES_LISTED
        else ""
    )
    body = table([header, *rows[:MOST_SLICES_LISTED]]) + more
    return "\n\n".join(
        filter(None, ["## Slices", plot, folded(f"Table of {plural(len(rows), 'slice', 'slices')}", body)])
    )


def _contamination(payload: Mapping[str, Any]) -> str:
    """Return the section on training images in the dataset; empty if no training index was checked."""
    if not (sentences := contamination_sentences(payload)):
        return ""
    caveat = [CONTAMINATION_CAVEAT] if len(sentences) > 1 else []
    return f"## Training images in this set\n\n{escape_markdown(' '.join(sentences + caveat))}"


def _known(dataset: Mapping[str, Any]) -> str:
    """Return the number of known cells as the end of a sentence; empty if every cell is known."""
    if "known_cells" not in dataset:
        return ""
    return f"; known cells: {count(dataset['known_cells'])} of {count(dataset['cells'])}"


def _measured(result: Result, payload: Mapping[str, Any]) -> str:
    """Return the section on dataset, taggers, signature and command."""
    run, dataset = result.run, payload["dataset"]
    weighted = f", a weighted sample of {count(dataset['weighted_images'])}" if "weighted_images" in dataset else ""
    images = f"{count(dataset['images'])}{skipped_note(dataset['skipped'])}{weighted}"
    tags = f"{count(payload['compared_tags'])} compared of {count(dataset['tags'])} in the dataset"
    least = f"a tag is compared if every tagger knows it and at least {count(payload['min_positives'])} images have it"
    lines = [
        f"- Dataset: {escape_markdown(dataset['name'])}, {escape_markdown(dataset['title'])}"
        + (f"; digest {code(dataset['digest'])}" if dataset["digest"] else ""),
        f"- Images: {images}; tags: {tags}; {least}{_known(dataset)}",
        f"- Convention: {code(payload['convention'])}: {escape_markdown(convention_note(result.summary))}",
        *(f"- Tagger: {escape_markdown(_identity(model, run))}" for model in payload["models"]),
        *(
            f"- {title}: {code(str(run[key]))}"
            for key, title in (("signature", "Signature"), ("command", "Command"))
            if run.get(key)
        ),
        f"- Created: {escape_markdown(_created(payload))}" if _created(payload) else "",
        "- All tags: [page](index.html), [text files](full-metrics), [numbers](summary.json)",
    ]
    return (
        f"## How it was measured\n\n{folded('Dataset, taggers, signature, command', chr(10).join(filter(None, lines)))}"
    )


def _identity(model: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """Return a model's full name, title, Hub repository, revision and the digest of its scores."""
    facts = run["models"].get(model["name"], {})
    title = model["title"] if model["title"] != model["name"] else ""
    found = [
        model["name"],
        title,
        facts.get("hub"),
        facts.get("revision"),
        f"scores {facts['key'][:8]}" if facts.get("key") else "",
    ]
    return ", ".join(str(one) for one in found if one)


def _created(payload: Mapping[str, Any]) -> str:
    """Return the time and the arena version of the run."""
    version = f"with arena {payload['arena_version']}" if payload["arena_version"] else ""
    return " ".join(filter(None, [moment(payload["created"]) if payload["created"] else "", version]))
