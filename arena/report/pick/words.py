"""The sentences of `arena pick`: the conclusion, and what its tables say."""

from collections.abc import Iterator, Mapping
from typing import Any

from arena.base.format import count, figure, interval, listed, plural, shown, signed

ASSUMPTION = (
    "An estimate, not a measurement: what labels like those of the calibration run would say about pictures of the same kind. "
    "The intervals cover the sampling of the pictures and of the labelled images, not a difference between the two."
)
"""Caveat of every expected metric."""


def conclusion(document: Mapping[str, Any]) -> tuple[str, str]:
    """Return two sentences: which model and threshold to take or why that cannot be said, and what would decide or check it."""
    return _first(document), _second(document)


def _first(document: Mapping[str, Any]) -> str:
    choice, reason = document["choice"], document["choice"]["reason"]
    if reason == "no calibration":
        models = list(document["models"])
        what = "which tagger is better, and" if len(models) > 1 else "how good the tagger is, and"
        return f"The pictures alone cannot tell {what} no threshold can be recommended from them."
    if reason == "pictures differ":
        differ, run = document["calibration"]["pictures_differ"], shown(document["calibration"]["run"])
        by = listed([shown(name) for name in differ])
        return (
            f"No tagger or threshold can be recommended: by the tags of {by}, the pictures are of another kind than the "
            f"labelled images of {run}."
        )
    name, at = shown(choice["model"]), f"{choice['threshold']:g}"
    f1 = _with_ends(choice["micro_f1"])
    if reason == "only model":
        return f"Use {name} at threshold {at}: its expected micro F1 is {f1}."
    others = [f"{_ends(one)} against {shown(other)}" for other, one in choice["others"].items()]
    if reason == "better":
        return f"Take {name} at threshold {at}: its expected micro F1 is {f1}, {listed(others)}."
    close = {other: one for other, one in choice["others"].items() if one["p"] > 0.05}
    return (
        f"The estimate does not show which tagger is best: {name} at threshold {at} has the highest expected micro F1, {f1}, "
        f"but its lead over {listed([f'{shown(other)}, {_ends(one)},' for other, one in close.items()])} may be chance."
    )


def _ends(one: Mapping[str, Any]) -> str:
    return f"{signed(one['value'])} {_signed_ends(one)}"


def _signed_ends(one: Mapping[str, Any]) -> str:
    return interval(one["low"], one["high"], signed)


def _with_ends(one: Mapping[str, Any]) -> str:
    return f"{figure(one['value'])} {interval(one['low'], one['high'])}"


def _second(document: Mapping[str, Any]) -> str:
    judging = document["judging"]
    more = (
        "" if document["calibration"] else ", or a labelled run of the same taggers (--calibration) would estimate it"
    )
    if judging is None:
        return f"No tag is frequent and known to all taggers, so there is nothing to ask people about{more}."
    if len(document["models"]) < 2:
        return f"Answers of people to a sample of questions would measure it (arena judge){more}."
    difference = f"a difference of {judging['difference']:g}"
    wanted = [(title, judging[key]) for key, title in (("micro_f1", "micro F1"), ("macro_f1", "macro F1"))]
    known = [f"{count(answers)} for {title}" for title, answers in wanted if answers is not None]
    if not known:
        images = plural(judging["images"], "image", "images")
        return (
            f"No number of human answers decides {difference} on {images}; take more images, or ask for a larger "
            f"difference{more}."
        )
    return f"Human answers that decide {difference}: about {listed(known)} (arena judge){more}."


def notes(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a reader must know besides the conclusion, one sentence each."""
    images = document["images"]
    if skipped := images["skipped"]:
        yield (
            f"{plural(len(skipped), 'image', 'images')} of {count(images['listed'])} could not be read and "
            f"{'is' if len(skipped) == 1 else 'are'} left out."
        )
    if document["calibration"] and (shared := document["calibration"]["shared_images"]):
        yield (
            f"{plural(shared, 'picture is', 'pictures are')} in the calibration run too, so the expected metrics are fitted to "
            "labels of these pictures."
        )
    if len(document["models"]) < 2:
        yield "With one tagger there is no agreement to measure."
    elif not document["common_tags"]:
        yield "The taggers have no tag in common; renamed tags need a tag_aliases.csv (--relations)."
    for name, one in document["models"].items():
        if one["threshold_source"] == "default":
            yield f"{shown(name)} has no threshold of its own; {one['threshold']} is the default, not a recommendation."
    if not any(one["implications"]["rules"] for one in document["rules"].values()):
        yield "No implication between the tags is known; name a folder with a tag_implications.csv (--relations)."


def alarm(document: Mapping[str, Any]) -> str:
    """Return the sentence on pictures of another kind; empty without an alarm."""
    calibration = document["calibration"]
    if not calibration or not calibration["pictures_differ"]:
        return ""
    worst = max(
        (document["models"][name]["shift"] for name in calibration["pictures_differ"]), key=lambda one: one["distance"]
    )
    return (
        "The pictures are of another kind than the labelled images: the shares of the tags differ by "
        f"{figure(worst['distance'])} (0: equal, 1: no tag in common), by chance {figure(worst['by_chance'])}. The expected "
        "metrics below do not hold here."
    )
