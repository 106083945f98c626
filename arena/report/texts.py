"""The text files of a run folder."""

from __future__ import annotations

from arena.report.summary import summary_markdown
from arena.report.text import detailed_metrics, full_metrics
from arena.results.run_folder import Result


def text_reports(result: Result) -> dict[str, str]:
    """What each text file of a run folder holds, by its path there."""
    found = {f"full-metrics/{model}.txt": full_metrics(result, model) for model in result.models}
    return found | {"detailed_metrics.txt": detailed_metrics(result), "summary.md": summary_markdown(result)}
