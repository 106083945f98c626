"""Tags that were renamed between two releases, as a truth finds them under either name."""

from collections.abc import Mapping
from dataclasses import replace

from arena.dataset.frozen import Truth


def with_aliases(truth: Truth, renamed: Mapping[str, str]) -> Truth:
    """A truth by whose relations a tag is found under its old name and its new one.

    The truth's own spelling stands for both; where it has neither, the new one does.

    >>> from arena.tags import TagSpace
    >>> import numpy as np
    >>> truth = Truth.of(["a"], TagSpace(("hat",)), np.array([[True]]))
    >>> dict(with_aliases(truth, {"hat": "headwear"}).relations.aliases)
    {'headwear': 'hat'}
    """
    known = truth.tags.index
    aliases = dict(truth.relations.aliases)
    for old, new in renamed.items():
        kept = old if old in known and new not in known else new
        other = old if kept == new else new
        aliases[other] = aliases.get(kept, kept)
    return replace(truth, relations=replace(truth.relations, aliases=aliases))
