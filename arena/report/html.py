"""The comparison page: one HTML file that works from disk, offline, under a strict content security policy.

`render_comparison` takes the page payload (plain JSON values; an undefined value is None) and returns the page. The parts that
must work without JavaScript (findings, leaderboard, provenance, the 50 tags with the most positives) are rendered here. The
browser draws curves, scatter and the table of all tags from the same payload, which is embedded in the page.

This module computes no metric: it only compares, counts and describes the values of the payload.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from arena.base.format import count, encodable, figure, moment, percent, plural, rate
from arena.metrics.labels import LABEL_ISSUES_PER_TAG
from arena.metrics.registry import HEADLINES, METRICS, SLICED, TAG_METRICS, TAG_TABLE, TESTED
from arena.report.page.cost_plot import cost_plot
from arena.report.page.curves import DIAGRAM_HEIGHT, DIAGRAM_WIDTH, reliability_curves, x_of, y_of
from arena.report.page.evidence import evidence_block
from arena.report.page.forest_plot import forest_plot
from arena.report.page.headline_plot import headline_plot
from arena.report.page.histograms import histogram_block
from arena.report.page.judged_plot import judged_plot
from arena.report.page.label_issues import SHOWN_LABEL_ISSUES_PER_TAG, opened_suspects, shown_suspects
from arena.report.page.pictures import picture_columns, picture_facts
from arena.report.page.policy_block import chains, policy_block
from arena.report.page.small_multiples import FOLDED_ROWS, level_multiples, slice_multiples
from arena.report.page.tag_block import tag_block
from arena.report.view_model.contamination import CONTAMINATION_CAVEAT, contamination_sentences, level_groups
from arena.report.view_model.cost import megabytes
from arena.report.view_model.findings import (
    MOST_PAIRS_LISTED,
    findings,
    run_subject,
    static_tags,
    tag_findings,
    tag_text,
    tag_verdicts_by_pair,
)
from arena.report.view_model.forest import caption, forest
from arena.report.view_model.headline import (
    best_pair,
    decided_slices,
    headline_metrics,
    operating_points,
    pair_differences,
    policies,
    remarks,
)
from arena.report.view_model.judged import (
    completeness,
    judged_facts,
    judged_levels,
    judged_verdict,
    other_policies_judged,
    share_text,
)
from arena.report.view_model.leaderboard import MODEL_STYLES, boards
from arena.report.view_model.notes import counted_images
from arena.report.view_model.published import PUBLISHED_CAVEAT as PUBLISHED_CAVEAT
from arena.report.view_model.published import PUBLISHED_MARK, published_rows
from arena.report.view_model.recorded_labels import recorded_labels
from arena.report.view_model.regimes import CROSS_FITTED, regime_rows
from arena.report.view_model.slices import slice_groups
from arena.report.view_model.uncertainty import run_verdict, uncertainty_note
from arena.results.run_folder import JUDGED

PAGE_SCRIPTS = (
    "dom.js",
    "format.js",
    "packed.js",
    "fold.js",
    "data.js",
    "policies.js",
    "comparison.js",
    "numbers.js",
    "query.js",
    "histograms.js",
    "curve_plot.js",
    "sweep.js",
    "axes.js",
    "markers.js",
    "brush.js",
    "plot.js",
    "scatter.js",
    "funnel.js",
    "columns.js",
    "cells.js",
    "veil.js",
    "pictures.js",
    "viewer.js",
    "evidence.js",
    "tag_curves.js",
    "label_issues.js",
    "detail.js",
    "table.js",
    "popover.js",
    "help.js",
    "export.js",
    "headline.js",
    "forest.js",
    "matrix.js",
    "edges.js",
    "page.js",
)
"""Scripts in order of use; they share one scope, because a page opened from a file cannot import modules."""

PAGE_STYLES = (
    "page.css",
    "comparison/css/boards.css",
    "comparison/css/choice.css",
    "comparison/css/cost.css",
    "comparison/css/curves.css",
    "comparison/css/dots.css",
    "comparison/css/forest.css",
    "comparison/css/headline.css",
    "comparison/css/multiples.css",
    "comparison/css/pictures.css",
    "comparison/css/reproduce.css",
    "comparison/css/site.css",
    "comparison/css/table.css",
    "comparison/css/viewer.css",
    "comparison/css/print.css",
)
"""Style sheets in order; the first is shared by all pages."""

JUDGED_STYLE = "comparison/css/judged.css"
"""Style sheet of the section on judged truth, which only runs with judgements have."""

THRESHOLD_SOURCES = {
    "card": "from its card",
    "family": "from the card of its family",
    "file": "from its files",
    "option": "set for this run",
    "default": "default, none recorded",
    "cross-fitted": "cross-fitted",
}
"""Text for each source of a model's threshold."""


def render_comparison(payload: Mapping[str, Any]) -> str:
    """Return the comparison page of one or more models as one HTML document.

    Raises ValueError if the payload contains NaN or infinity: an undefined value must be None.
    """
    styles = [*PAGE_STYLES, *([JUDGED_STYLE] if JUDGED in payload else [])]
    script, style = _script(), "\n".join(map(template_text, styles))
    facts = picture_facts(payload["pictures"])
    page = (
        environment()
        .get_template("comparison/page.html.j2")
        .render(
            payload=payload,
            csp=content_security_policy(scripts=[script], styles=[style], beside=facts["beside"] > 0),
            script=Markup(script),
            style=Markup(style),
            data=Markup(embedded_json(_script_data(payload))),
            picture_facts=facts,
            evidence_block=Markup(evidence_block(payload["evidence"], picture_columns(payload["pictures"]))),
            picture_block=Markup("\n".join(payload["pictures"]["content"])),
            suspects=shown_suspects(payload),
            tag_block=Markup(tag_block(payload["tags"], counted_images(payload["dataset"]))),
            policy_block=Markup(policy_block(payload)),
            histogram_blocks=[Markup(histogram_block(bins)) for bins in payload["histograms"]["models"].values()],
            **_words(payload),
            subject=run_subject(payload),
            title_parts=_title_parts(payload),
        )
    )
    return encodable(page)


def _words(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template variables that are derived from the payload."""
    return {
        "verdict": run_verdict(payload),
        "recorded_labels": recorded_labels(payload),
        "policies": policies(payload),
        "contents": contents(payload),
        "headline_plot": headline_plot(headline_metrics(payload)),
        "remarks": remarks(payload),
        "forest": forest_plot(differences := forest(payload), payload, _names(payload, best_pair(payload))),
        "forest_caption": caption(differences) if differences else "",
        "judged_verdict": judged_verdict(payload),
        "judged_facts": judged_facts(payload),
        "judged_plot": judged_plot(payload),
        "judged_levels": judged_levels(payload),
        "judged_labels": completeness(payload),
        "judged_policies": other_policies_judged(payload),
        "findings": findings(payload),
        "tag_findings": tag_findings(payload),
        "tag_pairs": tag_verdicts_by_pair(payload)[:MOST_PAIRS_LISTED],
        "more_pairs": max(0, len(tag_verdicts_by_pair(payload)) - MOST_PAIRS_LISTED),
        "how_sure": uncertainty_note(payload) if payload["replicates"] else "",
        "boards": boards(payload),
        "cost": cost_plot(payload),
        "published": published_rows(payload["published"]),
        "published_mark": PUBLISHED_MARK,
        "published_caveat": PUBLISHED_CAVEAT,
        "regimes": regime_rows(payload),
        "cross_fitted": CROSS_FITTED,
        "level_groups": level_groups(payload),
        "contamination_told": contamination_sentences(payload),
        "contamination_caveat": CONTAMINATION_CAVEAT,
        "slice_groups": slice_groups(payload),
        "slice_multiples": slice_multiples(payload),
        "level_multiples": level_multiples(payload),
        "folded": len(payload["slices"]) >= FOLDED_ROWS,
        "curves": reliability_curves(payload["calibration"]),
        "static_tags": static_tags(payload),
        "metrics": table_metrics(payload),
        "sources": THRESHOLD_SOURCES,
        "recipe": payload["reproduce"],
        "tested": bool(payload["tags"]["pairs"]) and payload["replicates"] > 0,
    }


def _names(payload: Mapping[str, Any], pair: tuple[int, int] | None) -> tuple[str, str] | None:
    return None if pair is None else (payload["models"][pair[0]]["name"], payload["models"][pair[1]]["name"])


def contents(payload: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the table of contents: the id and title of every section that the page of a payload has."""
    several = len(payload["models"]) > 1
    sections = (
        ("summary", "Which tagger is better" if several else "The tagger at a glance", True),
        ("judged-title", "By judged truth", bool(judged_facts(payload))),
        ("leaderboard-title", "Leaderboard", True),
        ("pairs-title", "Paired differences", forest(payload) is not None),
        ("contamination-title", "Training images in this set", bool(level_groups(payload))),
        ("regimes-title", "Thresholds", len(payload["regimes"]) > 1),
        ("sweep-title", "Over thresholds", True),
        ("scatter-title", "Tag by tag", several),
        ("slices-title", "Slices", bool(payload["slices"])),
        ("tags-title", "All tags", True),
        ("calibration-title", "Calibration", True),
        ("labels-title", "Label quality", bool(payload["labels"])),
        ("suspects-title", "Likely missing labels", bool(payload["suspects"])),
        ("notes-title", "Notes", bool(payload["notes"])),
        ("provenance-title", "How to reproduce this run", True),
    )
    return [(target, title) for target, title, there in sections if there]


_SCRIPT_KEYS = ("dataset", "models", "min_positives", "compared_tags", "created", "image_ids", "sweep")
"""Parts of the payload that the scripts read as JSON; the others are packed, or used by the templates only."""


def _script_data(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data that the scripts read as JSON: parts of the payload, and facts about the packed blocks."""
    return {name: payload[name] for name in _SCRIPT_KEYS} | {
        "metrics": table_metrics(payload),
        "pairs": [[pair["first"], pair["second"]] for pair in payload["tags"]["pairs"]],
        "best_pair": best_pair(payload),
        "policies": [[one.name, one.title] for one in policies(payload)],
        "differences": pair_differences(payload),
        "slices": decided_slices(payload),
        "chains": chains(payload["policy_counts"]["models"]),
        "operating_points": operating_points(payload),
        "evidence": {"of": payload["evidence"]["of"], "tags": len(payload["evidence"]["tags"])},
        "pictures": picture_facts(payload["pictures"]),
        "suspects": opened_suspects(payload),
        "histograms": {name: value for name, value in payload["histograms"].items() if name != "models"},
    }


def table_metrics(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the metrics that can be columns of the table of tags: those that the run has for every model."""
    models: list[Mapping[str, Any]] = list(payload["tags"]["models"].values())
    return [
        {
            "key": one.key, "short": one.short, "name": one.heading, "about": one.about, "standard": one.in_table,
            "tested": one.tested,
        }
        for one in TAG_METRICS
        if one.on_page and all(one.key in columns for columns in models)
    ]  # fmt: skip


def _title_parts(payload: Mapping[str, Any]) -> list[str]:
    """Return the model names that form the title, so that no name is broken over two lines; else the title as one part."""
    names = [model["name"] for model in payload["models"]]
    return names if payload["title"] == " vs ".join(names) else [payload["title"]]


_JSON_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def embedded_json(payload: Mapping[str, Any]) -> str:
    """Return the payload as JSON in which no name can be parsed as HTML markup.

    >>> embedded_json({"name": "</script>"})
    '{"name":"\\\\u003c/script\\\\u003e"}'
    """
    text = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate(_JSON_ESCAPES)


def content_security_policy(
    *, scripts: Iterable[str], styles: Iterable[str], beside: bool = False, scripts_beside: bool = False
) -> str:
    """Return a content security policy that allows only these inline scripts and styles, and inline pictures.

    Args:
        scripts, styles: the exact text of each inline element.
        beside: also allow pictures from the page's own origin (`'self'`); for a page on disk, from that disk.
        scripts_beside: the same for scripts.
    """
    allowed = [*map(_csp_hash, scripts), *([_OWN_ORIGIN] if scripts_beside else [])]
    return (
        f"default-src 'none'; script-src {' '.join(allowed)}; style-src {' '.join(map(_csp_hash, styles))}; "
        f"img-src data:{' ' + _OWN_ORIGIN if beside else ''}; base-uri 'none'; form-action 'none'"
    )


_OWN_ORIGIN = "'self'"


def _csp_hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def template_text(name: str) -> str:
    """Return the text of a file of `templates/`."""
    return files("arena.report").joinpath("templates", name).read_text(encoding="utf-8")


def _script() -> str:
    """Return all scripts in one scope; if one of them fails, the static table of tags is shown again."""
    body = "\n".join(_without_comments(template_text(f"comparison/js/{name}")) for name in PAGE_SCRIPTS)
    return (
        f'(() => {{\n"use strict";\nconst fallback = document.getElementById("static-tags");\nfallback.hidden = true;\n'
        f"(async () => {{\n{body}}})().catch((error) => {{\nfallback.hidden = false;\nconsole.error(error);\n}});\n}})();\n"
    )


_COMMENTS = re.compile(r"(?m)^[ \t]*(?://.*|/\*\*(?s:.*?)\*/[ \t]*)\n")


def _without_comments(script: str) -> str:
    """Return a script without comments that fill their lines and without indentation: a fifth of its size.

    >>> _without_comments("/** a\\n * b */\\nconst c = 1; // d\\n  // e\\n  f();\\n")
    'const c = 1; // d\\nf();\\n'
    """
    return re.sub(r"(?m)^[ \t]+", "", _COMMENTS.sub("", script))


class _UnindentedLoader(PackageLoader):
    """Loads templates without indentation, which is a quarter of a page's markup and has no effect in a browser."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool] | None]:
        source, filename, uptodate = super().get_source(environment, template)
        return re.sub(r"(?m)^[ \t]+", "", source), filename, uptodate


@cache
def environment() -> Environment:
    """Return the Jinja environment of all pages: templates, filters and globals, with HTML escaping on."""
    templates = Environment(
        loader=_UnindentedLoader("arena.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(figure=figure, count=count, percent=percent, rate=rate, plural=plural, moment=moment)
    templates.filters.update(megabytes=megabytes)
    templates.filters.update(share=share_text)
    templates.globals.update(
        headlines=[METRICS[key] for key in HEADLINES],
        metric_of=METRICS,
        sliced=[METRICS[key] for key in SLICED],
        tag_table=[METRICS[key] for key in TAG_TABLE],
        tested_metrics=[METRICS[key] for key in TESTED],
        model_styles=MODEL_STYLES,
        tag_text=tag_text,
        x_of=x_of,
        y_of=y_of,
        drawing=(DIAGRAM_WIDTH, DIAGRAM_HEIGHT),
        suspects_per_tag=LABEL_ISSUES_PER_TAG,
        suspects_of_a_tag=SHOWN_LABEL_ISSUES_PER_TAG,
    )
    return templates
