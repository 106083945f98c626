"""Write `check.html`: the verdict, a plot of every requirement, and the tags that got worse with images. It needs no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from arena.base.format import encodable
from arena.base.version import __version__
from arena.gate.cases import enough
from arena.gate.verdict import UNJUDGED, Case, Outcome, Verdict
from arena.metrics.registry import HEADLINES, TESTED
from arena.report.check.drawing import CASE_PLOT_HEIGHT, CASE_PLOT_WIDTH, CasePlot, case_plot, common_scale
from arena.report.check.losses import loss_columns
from arena.report.check.words import (
    OUTCOME_TITLES,
    OUTCOME_WORDS,
    FormattedMeasure,
    baseline_to_candidate,
    cases_by_outcome,
    enough_told,
    format_measure,
    more_tags,
    outcome_counts,
    safe_name,
    verdict_facts,
    verdict_sentence,
)  # fmt: skip
from arena.report.html import content_security_policy, environment, template_text
from arena.report.page.pictures import RunThumbnails
from arena.results.run_folder import Result

_STYLES = ("page.css", "comparison/css/pictures.css", "check/check.css")
"""Style sheets in order of inclusion; `page.css` is the one of every page."""

OPEN_CASES = 12
"""Largest number of passed requirements that are not folded."""


@dataclass(frozen=True)
class _RequirementRow:
    """A requirement, formatted for the page."""

    case: Case
    title: str
    word: str
    shown: FormattedMeasure | None
    sides: str
    drawing: CasePlot | None
    needed: str
    more: str


@dataclass(frozen=True)
class _OutcomeSection:
    """The requirements of one outcome."""

    outcome: Outcome
    title: str
    rows: Sequence[_RequirementRow]
    folded: bool


def render_check(verdict: Verdict, result: Result | None = None, shelf: RunThumbnails | None = None) -> str:
    """Return the page as one self-contained HTML document.

    Args:
        result: the paired result; without it tags have neither metrics nor images, and no comparison page is linked.
        shelf: thumbnails of the folder; None if its pages must not show any.
    """
    style = "\n".join(map(template_text, _STYLES))
    page = (
        environment()
        .get_template("check/page.html.j2")
        .render(
            verdict=verdict,
            names=[safe_name(model.name) for model in (verdict.candidate, verdict.baseline)],
            sentence=verdict_sentence(verdict),
            tally=outcome_counts(verdict),
            facts=verdict_facts(verdict),
            sections=sections(verdict),
            losses=loss_columns(verdict, result, shelf),
            needed=enough_told(verdict.of(Outcome.INCONCLUSIVE)),
            links=result is not None,
            size=(CASE_PLOT_WIDTH, CASE_PLOT_HEIGHT),
            arena_version=__version__,
            csp=content_security_policy(scripts=[], styles=[style]),
            style=Markup(style),
        )
    )
    return encodable(page)


def sections(verdict: Verdict) -> list[_OutcomeSection]:
    """Return the requirements by outcome. All requirements of one gate and unit are plotted on one scale."""
    spans = {
        key: common_scale([case for case in verdict.cases if _scale(case) == key])
        for key in set(map(_scale, verdict.cases))
    }
    found = []
    for outcome, cases in cases_by_outcome(verdict.cases).items():
        rows = [_row(case, case_plot(case.measure, spans[_scale(case)])) for case in cases]
        folded = outcome in UNJUDGED or (outcome is Outcome.PASS and len(rows) > OPEN_CASES)
        found.append(_OutcomeSection(outcome, OUTCOME_TITLES[outcome], rows, folded))
    return found


def _scale(case: Case) -> tuple[str, str]:
    """Return the key of the scale: within a gate, all metrics in 0 to 1 share one; any other metric has its own."""
    figure = "" if case.measure is None else case.measure.figure
    return case.gate, "share" if figure in HEADLINES or figure in TESTED else figure


def _row(case: Case, drawing: CasePlot | None) -> _RequirementRow:
    shown = None if case.measure is None else format_measure(case.measure)
    images = None if case.measure is None else case.measure.images_needed
    needed = "" if images is None else enough(images)
    more = more_tags(case, len(case.tags)) if case.tags else ""
    values = "" if shown is None else baseline_to_candidate(shown)
    return _RequirementRow(
        case, safe_name(case.title, 200), OUTCOME_WORDS[case.outcome], shown, values, drawing, needed, more
    )
