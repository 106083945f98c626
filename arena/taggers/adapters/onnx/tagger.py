"""An ONNX graph behind the interface."""

from dataclasses import replace

import numpy as np

from arena.base.errors import ScoresError
from arena.cards import ModelCard
from arena.taggers.adapters.onnx.ports import Ports
from arena.taggers.adapters.onnx.runners import Outputs, Runner
from arena.taggers.base import Pixels, Scores
from arena.tags import TagSpace

ENOUGH_LOGITS = 64
"""So many logits never all lie in 0 to 1: half of a tagger's are below 0, and most are below -2."""


class OnnxTagger:
    """The adapter; probabilities in the order of `tags`.

    Attributes:
        notes: what a user should know of how the graph runs, a line each.
    """

    def __init__(
        self, card: ModelCard, tags: TagSpace, ports: Ports, runner: Runner, *, place: str, notes: tuple[str, ...]
    ) -> None:
        self.card = card
        self.tags = tags
        self.preprocess = replace(card.preprocess, size=ports.size)
        self.precision = "fp16" if ports.dtype == np.float16 else "fp32"
        self.device = place
        self.notes = notes
        self._runner = runner

    def scores(self, batch: Pixels) -> Scores:
        """Probabilities of a batch, float32 (n, tags)."""
        outputs = self._runner(batch)
        if self.card.output != "logits":
            return outputs
        refuse_own_sigmoid(self.card.name, outputs)
        return sigmoid(outputs)


def refuse_own_sigmoid(name: str, logits: Outputs) -> None:
    """Raise where what the card calls logits are probabilities already: a second sigmoid would put all above 0.5.

    Raises:
        ScoresError: at least `ENOUGH_LOGITS` values, and all in 0 to 1.
    """
    if logits.size < ENOUGH_LOGITS:
        return
    low, high = float(logits.min()), float(logits.max())
    if low >= 0 and high <= 1:
        raise ScoresError(
            f'{name}: the card says output = "logits", but all {logits.size:,} values lie in 0 to 1 ({low:.3g} to {high:.3g}); '
            'does this graph hold its own sigmoid? Then its card says output = "probabilities"'
        )


def sigmoid(logits: Outputs) -> Scores:
    """Logits to probabilities, float32 to float32, without overflow at either end.

    >>> sigmoid(np.array([[-1000.0, 0.0, 1000.0]], np.float32)).tolist()
    [[0.0, 0.5, 1.0]]
    """
    probabilities: Scores = 0.5 + 0.5 * np.tanh(0.5 * logits)
    return probabilities.astype(np.float32, copy=False)
