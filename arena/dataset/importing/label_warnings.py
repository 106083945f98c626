"""Warnings on tags that suggest that a source was read in the wrong form."""

import re
from collections.abc import Mapping

from arena.base.format import listed, plural, shown

MAX_NAME_LENGTH = 64
"""Length in characters above which a name is suspicious; few real tags are longer."""

MIN_SUSPICIOUS_SHARE = 0.005
"""Share of the tags above which suspicious names are reported; booru sites have a few odd names."""

_LEFTOVER = re.compile(r"""["\[\]{}]|^'.*'$|^[('].*[^\W_]|:\d+\.\d+\)?$|\\""")
"""Signs that remain of a list or a prompt that was not split: quotes, brackets, weights, backslashes."""


def label_warnings(images: int, single: Mapping[str, int], positives: Mapping[str, int]) -> tuple[str, ...]:
    """Return one line for each way in which the tags of an import look wrong; empty if none does.

    Args:
        images: number of images.
        single: tag -> number of images that have only this tag.
        positives: tag -> number of images.

    >>> label_warnings(3, {"1girl_solo": 1, "1girl_hat": 1}, {"1girl_solo": 1, "1girl_hat": 1, "hat": 1})[0]
    '2 of 3 images have one tag, which no other image has, such as 1girl_hat; if it holds several tags, choose --separator'
    """
    found = []
    alone = sorted(name for name, count in single.items() if count == 1 and positives[name] == 1)
    if len(alone) > max(1, images / 2):
        found.append(
            f"{len(alone):,} of {images:,} images have one tag, which no other image has, such as {shown(alone[0])}; "
            "if it holds several tags, choose --separator"
        )
    for what, names in (
        ("with quotes, brackets or weights", [name for name in positives if _is_leftover(name)]),
        (f"of more than {MAX_NAME_LENGTH} characters", [name for name in positives if len(name) > MAX_NAME_LENGTH]),
    ):
        if len(names) > MIN_SUSPICIOUS_SHARE * len(positives):
            examples = listed([shown(name) for name in sorted(names)], keep=2)
            tags = plural(len(names), "tag", "tags")
            found.append(
                f"{tags} {what}: {examples}; if the texts were split wrongly, choose their form with --separator"
            )
    return tuple(found)


def _is_leftover(name: str) -> bool:
    """Return whether a name with two letters in a row has signs of a list or a prompt; kaomoji have only single letters.

    >>> [_is_leftover(name) for name in ("['1girl'", '"solo"', "(hat:1.2)", ">_<", "(o)_(o)", "miku_(cosplay)", "another's")]
    [True, True, True, False, False, False, False]
    """
    words = re.findall(r"[^\W_]{2,}", name)
    return bool(words) and (bool(_LEFTOVER.search(name)) or name.count("(") != name.count(")"))
