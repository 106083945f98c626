"""Metadata of a model page on Hugging Face: the `model-index` and the entries of `.eval_results/`.

Both are built with the classes of `huggingface_hub` and checked by reading them back.
"""

from __future__ import annotations

from typing import Any

from arena.base.format import encodable, one_line
from arena.metrics.registry import METRICS
from arena.report.exports.facts import ExportedMetric, ModelResults
from arena.results.own_tags import also_known

TASK = "image-classification"


def model_index_yaml(facts: ModelResults) -> str:
    """Return the `model-index` for the front matter of a model's README, one entry for each defined metric; empty if none is.

    Source: huggingface_hub's `ModelCardData` and `EvalResult`.
    """
    import yaml
    from huggingface_hub.repocard_data import EvalResult, ModelCardData, model_index_to_eval_results

    dataset: dict[str, Any] = {
        "dataset_type": _line(facts.dataset), "dataset_name": _line(facts.dataset_title),
        "dataset_revision": facts.digest or None, "dataset_args": {"images": facts.images, "tags": facts.tags},
    }  # fmt: skip
    results = [
        EvalResult(
            task_type=TASK, task_name="multilabel image tagging", metric_type=METRICS[METRICS[one.key].base].hub,
            metric_name=one.title, metric_value=_rounded(one), metric_args=_arguments(facts, one), **dataset,
        )
        for one in facts.known
    ]  # fmt: skip
    if not results:
        return ""
    text = str(ModelCardData(model_name=facts.model, eval_results=results).to_yaml())
    _, read = model_index_to_eval_results(yaml.safe_load(text)["model-index"])
    assert read == results, "huggingface_hub reads it back differently"
    return encodable(text) + "\n"


def eval_results_yaml(facts: ModelResults) -> str:
    """Return the entries of `.eval_results/`, one for each defined metric; empty if none is.

    The hub shows an entry only if `dataset.id` is a benchmark on the hub: put the name of your benchmark there.

    Source: huggingface_hub's `EvalResultEntry`.
    """
    import yaml
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml, parse_eval_result_entries

    entries = [
        EvalResultEntry(
            dataset_id=_line(facts.dataset), task_id=one.key, value=_rounded(one), date=facts.created or None,
            dataset_revision=facts.digest or None, notes=_line(f"{one.title}; {facts.measured_on}; {facts.signature}"),
        )
        for one in facts.known
    ]  # fmt: skip
    if not entries:
        return ""
    text = str(yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True))
    assert parse_eval_result_entries(yaml.safe_load(text)) == entries, "huggingface_hub reads it back differently"
    return encodable(text)


def _rounded(one: ExportedMetric) -> float:
    """Return the value with six decimals: more are noise, fewer might not distinguish two runs."""
    assert one.value is not None
    return round(one.value, 6)


def _arguments(facts: ModelResults, one: ExportedMetric) -> dict[str, Any]:
    metric = METRICS[one.key]
    arguments: dict[str, Any] = {"average": metric.average}
    if facts.others:
        arguments["tags"] = _line(f"{facts.tags}{also_known(facts.others)}")
    if metric.needs_threshold:
        arguments["threshold"] = _line(facts.threshold)
    if one.low is not None and one.high is not None:
        arguments["interval"] = [round(one.low, 6), round(one.high, 6)]
    return arguments | {"signature": facts.signature}


def _line(text: str) -> str:
    return encodable(one_line(text)).strip()
