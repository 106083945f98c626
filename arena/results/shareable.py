"""The content of `run.json` for others: names and digests, without the paths of this machine.

The run folder keeps the paths of its inputs, so that they are found again. A copy that is published or recorded does not.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from arena.base.local_paths import last_component, shorten_command


def without_local_paths(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of `run.json` with names instead of the paths of inputs, and with a shortened command.

    Args:
        run: content of `run.json` of this or an earlier version.
    """
    shared = dict(run)
    if isinstance(run.get("command"), str):
        shared["command"] = shorten_command(run["command"])
    if isinstance(recipe := run.get("recipe"), Mapping) and "inputs" in recipe:
        shared["recipe"] = {**recipe, "inputs": [_named(one, "path") for one in recipe["inputs"]]}
    if isinstance(models := run.get("models"), Mapping):
        shared["models"] = {name: _named(facts, "scores") for name, facts in models.items()}
    return shared


def with_local_paths(shared: Mapping[str, Any], private: Mapping[str, Any]) -> dict[str, Any]:
    """Return a shared `run.json` with the paths of the run folder's own; every other value, each digest too, stays.

    Args:
        private: content of `run.json` in the run folder; parts that it lacks stay shortened.
    """
    run = dict(shared)
    if "recipe" in shared:
        inputs = private.get("recipe", {}).get("inputs", shared["recipe"].get("inputs", []))
        run["recipe"] = {**shared["recipe"], "inputs": inputs}
        return run
    run["command"] = private.get("command", shared.get("command", ""))  # of an earlier version: it names the inputs
    scores = {name: facts["scores"] for name, facts in private.get("models", {}).items() if "scores" in facts}
    run["models"] = {
        name: {**facts, "scores": scores[name]} if name in scores else facts for name, facts in shared["models"].items()
    }
    return run


class Shortened(NamedTuple):
    """A text of `run.json` that reports show, before and after its local paths were shortened."""

    before: str
    after: str


def shortened_texts(run: Mapping[str, Any]) -> Iterator[Shortened]:
    """Yield the texts with local paths that the reports of a run of an earlier version may show."""
    shared = without_local_paths(run)
    if (before := run.get("command")) != (after := shared.get("command")):
        yield Shortened(str(before), str(after))
    for name, facts in shared["models"].items():
        if isinstance(facts, Mapping) and (path := run["models"][name].get("scores")) != facts.get("scores"):
            yield Shortened(str(path), str(facts["scores"]))


def _named(facts: Any, key: str) -> Any:
    """Return facts with the last component of the path under a key."""
    if isinstance(facts, Mapping) and isinstance(facts.get(key), str):
        return {**facts, key: last_component(facts[key])}
    return facts
