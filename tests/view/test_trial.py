"""A file is scored through the usual decoding with its limits; what fails is one line."""

import io

import numpy as np
import pytest
from PIL import Image

from arena.base.errors import ArenaError
from arena.cards import Preprocess
from arena.tags import TagSpace
from arena.view.trial import Trial
from arena.view.viewed_run import ViewedRun

from .conftest import Client


class Brightness:
    """A tagger whose score of the second tag is the brightness of the image."""

    def __init__(self, card: object = None) -> None:
        self.card = type("Card", (), {"name": "a"})()
        self.tags = TagSpace(("tag_one", "bright", "never"))
        self.preprocess = Preprocess(size=8)
        self.precision, self.device = "fp32", "cpu"

    def scores(self, batch: np.ndarray) -> np.ndarray:
        bright = batch.reshape(len(batch), -1).mean(1) / 255
        return np.stack([1 - bright, bright, 0 * bright], 1).astype(np.float32)


def png(grey: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9), (grey, grey, grey)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def trial(viewed: ViewedRun) -> Trial:
    made = Trial(viewed, None)
    made._loaded["a"] = Brightness()
    return made


def test_tags_of_a_file_by_the_thresholds_of_the_run(trial: Trial) -> None:
    tried = trial.score(png(204), ["a"])
    assert [one.name for one in tried.models] == ["a"]
    assert [(one.tag, one.recorded) for one in tried.tags] == [("bright", None)]
    assert [one.tag for one in tried.others] == ["tag_1", "never"]  # tag_one is an alias of tag_1
    (score,) = tried.tags[0].scores
    assert score is not None
    assert (round(score.score, 3), score.threshold, score.predicted) == (0.8, 0.5, True)


@pytest.mark.parametrize(
    ("content", "names", "message"),
    [
        (b"", ["a"], "empty"),
        (b"<svg></svg>", ["a"], "not an image: an SVG drawing"),
        (png(3)[:45], ["a"], "truncated"),
        (png(3), [], "choose at least one model"),
        (png(3), ["a", "b"], "b: the weights that the run used are not on this machine"),
    ],
)
def test_what_fails_is_one_line(trial: Trial, content: bytes, names: list[str], message: str) -> None:
    with pytest.raises(ArenaError, match=message):
        trial.score(content, names)


def test_the_page_and_its_answer(client: Client) -> None:
    assert 'value="b" checked' in client.get("/try").text
    answer = client.post("/try?model=a", content=b"no image")
    assert answer.status_code == 409
    assert "the weights that the run used are not on this machine" in answer.text
    assert answer.text.strip().startswith('<p class="problem"')
