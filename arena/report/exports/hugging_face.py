"""Metadata of a model's page on Hugging Face: the model-index, and entries of `.eval_results/`.

Both are built by `huggingface_hub`'s own classes, and read back by them before they are handed out.
"""

from __future__ import annotations

from typing import Any

from arena.base.format import encodable, one_line
from arena.metrics.registry import METRICS
from arena.report.exports.facts import Facts, Told

TASK = "image-classification"


def model_index_yaml(facts: Facts) -> str:
    """`model-index` for the head of a model's README, an entry a figure that is defined; empty where none is.

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
    assert read == results, "the hub reads it otherwise"
    return encodable(text) + "\n"


def eval_results_yaml(facts: Facts) -> str:
    """Entries of `.eval_results/`, one a figure that is defined; empty where none is.

    The hub shows them where `dataset.id` is a benchmark of its own: put its name there if yours is one.

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
    assert parse_eval_result_entries(yaml.safe_load(text)) == entries, "the hub reads it otherwise"
    return encodable(text)


def _rounded(one: Told) -> float:
    """Six digits: more are noise, fewer could not be told from another run's."""
    assert one.value is not None
    return round(one.value, 6)


def _arguments(facts: Facts, one: Told) -> dict[str, Any]:
    metric = METRICS[one.key]
    told: dict[str, Any] = {"average": metric.average}
    if metric.needs_threshold:
        told["threshold"] = _line(facts.threshold)
    if one.low is not None and one.high is not None:
        told["interval"] = [round(one.low, 6), round(one.high, 6)]
    return told | {"signature": facts.signature}


def _line(text: str) -> str:
    return encodable(one_line(text)).strip()
