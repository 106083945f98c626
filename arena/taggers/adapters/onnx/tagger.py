"""An ONNX graph behind the interface."""

from dataclasses import replace

import numpy as np

from arena.base.errors import ScoresError
from arena.cards import ModelCard
from arena.taggers.adapters.onnx.ports import GraphPorts
from arena.taggers.adapters.onnx.runners import GraphOutputs, GraphRunner
from arena.taggers.base import Pixels, Probabilities
from arena.tags import TagSpace

_ENOUGH_LOGITS = 64
"""Number of logits that are never all in 0 to 1: more than half of a tagger's are below 0, and most are below -2."""


class OnnxTagger:
    """A tagger that runs an ONNX graph.

    Attributes:
        notes: notes for the user on how the graph runs, one line each.
    """

    def __init__(
        self,
        card: ModelCard,
        tags: TagSpace,
        ports: GraphPorts,
        runner: GraphRunner,
        *,
        place: str,
        notes: tuple[str, ...],
    ) -> None:
        self.card = card
        self.tags = tags
        self.preprocess = replace(card.preprocess, size=ports.size)
        self.precision = "fp16" if ports.dtype == np.float16 else "fp32"
        self.device = place
        self.notes = notes
        self._runner = runner
        self._logits = ports.logits

    def scores(self, batch: Pixels) -> Probabilities:
        """Return the probabilities of a batch, float32 (n, tags), in the order of `tags`.

        Raises:
            ScoresError: the card says logits, but the outputs are probabilities.
        """
        outputs = self._runner(batch)
        if not self._logits:
            return outputs
        refuse_double_sigmoid(self.card.name, outputs)
        return sigmoid(outputs)


def refuse_double_sigmoid(name: str, logits: GraphOutputs) -> None:
    """Raise if the card's logits are already probabilities; a second sigmoid would move all of them to 0.5 or above.

    Raises:
        ScoresError: there are at least `_ENOUGH_LOGITS` values, and all are in 0 to 1.
    """
    if logits.size < _ENOUGH_LOGITS:
        return
    low, high = float(logits.min()), float(logits.max())
    if low >= 0 and high <= 1:
        raise ScoresError(
            f'{name}: the card says output = "logits", but all {logits.size:,} values are in 0 to 1 ({low:.3g} to {high:.3g}); '
            'if the graph contains a sigmoid, set output = "probabilities" in the card'
        )


def sigmoid(logits: GraphOutputs) -> Probabilities:
    """Return the probabilities of logits, float32, without overflow for large magnitudes.

    >>> sigmoid(np.array([[-1000.0, 0.0, 1000.0]], np.float32)).tolist()
    [[0.0, 0.5, 1.0]]
    """
    probabilities: Probabilities = 0.5 + 0.5 * np.tanh(0.5 * logits)
    return probabilities.astype(np.float32, copy=False)
