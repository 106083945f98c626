"""The document `pick.json`: what is known about models on pictures without labels. Its schema is `pick.schema.json`."""

from collections.abc import Mapping
from typing import Any

from arena.evaluate.choice import Choice
from arena.evaluate.expected import Estimate, Estimates, ModelEstimate
from arena.evaluate.unlabelled import Pictures
from arena.report.pick.words import conclusion

SCHEMA = 1
"""Version of `pick.json`."""


def pick_document(
    found: Mapping[str, Any], pictures: Pictures, estimates: Estimates | None, choice: Choice, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the document as plain values; NaN stands for an undefined number.

    Args:
        found: `agreement`, `alone`, `rules`, `judging` and, with a calibration run, `calibration`.
        facts: how the result was made: `created`, `command`, `recipe`, `images`, `models`, ...
    """
    models = {
        name: {**one, **({} if estimates is None else _expected(estimates, name))}
        for name, one in facts["models"].items()
    }
    document = {
        "schema": SCHEMA,
        **facts,
        "models": models,
        "common_tags": len(pictures.common),
        "calibration": None,
        **found,
        "differences": [] if estimates is None else _differences(estimates),
        "choice": _choice(choice),
    }
    return {**document, "conclusion": list(conclusion(document))}


def _expected(estimates: Estimates, name: str) -> dict[str, Any]:
    one: ModelEstimate = estimates.models[name]
    return {
        "expected": {
            "own": _metrics(one.own),
            "best": _metrics(one.best),
            "threshold": one.threshold.threshold,
            "threshold_for_macro_f1": one.for_macro.threshold,
            "best_macro_f1": one.for_macro.f1,
        },
        "shift": estimates.shifts[name]._asdict(),
    }


def _metrics(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {key: _ends(one) for key, one in estimates.items()}


def _ends(one: Estimate) -> dict[str, float]:
    return {"value": one.value, "low": one.low, "high": one.high}


def _differences(estimates: Estimates) -> list[dict[str, Any]]:
    return [
        {"first": first, "second": second, **{point: _metrics(each) for point, each in found.items()}}
        for (first, second), found in estimates.pairs.items()
    ]


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "reason": str(choice.reason),
        "model": choice.model,
        "threshold": choice.threshold,
        "micro_f1": None if choice.f1 is None else _ends(choice.f1),
        "others": {name: {**_ends(one), "p": choice.p[name]} for name, one in choice.others.items()},
    }
