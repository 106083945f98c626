"""Ensembles: the mean over common tags, members that are run once, and cards that are refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from arena import pipeline, taggers
from arena.cards import ModelCard, Preprocess, find_model
from arena.errors import ArenaError
from arena.scores.predict import ImageSource, Job, predict
from arena.scores.store import ScoreStore, read_store
from arena.taggers.base import Tagger
from arena.taggers.conformance import CHECKS, check
from arena.taggers.ensemble import Ensemble
from arena.tags import TagSpace

from ..conftest import Wd, draw

pytestmark = pytest.mark.usefixtures("no_plots")


class Fixed:
    """Gives each tag the same score, whatever it sees, and counts what it was shown."""

    precision, device = "fp32", "cpu"

    def __init__(self, name: str, scores: dict[str, float], size: int = 8) -> None:
        self.card = ModelCard(name, name, "onnx", Path(), ("x",))
        self.tags = TagSpace(tuple(scores))
        self.preprocess = Preprocess(size)
        self.row = np.array(list(scores.values()), np.float32)
        self.images = 0

    def scores(self, batch: np.ndarray) -> np.ndarray:
        assert batch.shape[1] == self.preprocess.size
        self.images += len(batch)
        return np.tile(self.row, (len(batch), 1))


def ensemble(*members: Tagger, weights: tuple[float, ...] = ()) -> Ensemble:
    names = tuple(member.card.name for member in members)
    return Ensemble(ModelCard("both", "both", "ensemble", Path(), (), members=names, weights=weights), members)


def write(root: Path, members: list[str], more: str = "", name: str = "both") -> Path:
    (root / "models").mkdir(exist_ok=True)
    text = f'name = "{name}"\nadapter = "ensemble"\nmembers = {json.dumps(members)}\n{more}'
    (root / "models" / f"{name}.toml").write_text(text)
    return root


@pytest.fixture
def root(tmp_path: Path, joytag_folder: Path, onnx_folder: Wd) -> Path:
    """Cards `a` (JoyTag's layout) and `b` (SmilingWolf's), both of 64 pixels, and `both`."""
    write(tmp_path, ["a", "b"])
    for name, adapter, folder in (("a", "joytag", joytag_folder), ("b", "onnx", onnx_folder.folder)):
        files = json.dumps(sorted((path.name for path in folder.iterdir()), key=lambda file: "model." not in file))
        output = "logits" if adapter == "joytag" else "probabilities"
        (tmp_path / f"models/{name}.toml").write_text(
            f'name = "{name}"\nadapter = "{adapter}"\nfolder = "{folder}"\nfiles = {files}\noutput = "{output}"'
        )
    return tmp_path


def test_the_mean_is_over_common_tags_in_the_order_of_the_first() -> None:
    both = ensemble(Fixed("a", {"x": 0.2, "y": 0.4, "z": 0.6}), Fixed("b", {"z": 0.0, "w": 1.0, "x": 0.8}))
    assert both.tags.names == ("x", "z")
    np.testing.assert_allclose(both.scores(np.zeros((2, 8, 8, 3), np.uint8)), [[0.5, 0.3]] * 2, atol=1e-7)


def test_weights_are_shares() -> None:
    both = ensemble(Fixed("a", {"x": 0.2}), Fixed("b", {"x": 0.8}), weights=(3, 1))
    np.testing.assert_allclose(both.scores(np.zeros((1, 8, 8, 3), np.uint8)), [[0.35]], atol=1e-7)


def test_a_mean_of_ones_is_no_more_than_one() -> None:
    both = ensemble(*(Fixed(name, {"x": 1.0}) for name in "abc"), weights=(0.1, 0.2, 0.7))
    assert both.scores(np.zeros((1, 8, 8, 3), np.uint8)).max() <= 1


def test_members_without_a_common_tag_are_refused() -> None:
    with pytest.raises(ArenaError, match="ensemble both: its members have no tag in common"):
        ensemble(Fixed("a", {"x": 0.1}), Fixed("b", {"y": 0.1}))


def test_members_are_run_once_on_squares_of_their_own(tmp_path: Path) -> None:
    draw(0).save(tmp_path / "0.png")
    source = ImageSource(("0",), (tmp_path / "0.png",), ("",), verified=False)
    first, second = Fixed("a", {"x": 0.2}, size=8), Fixed("b", {"x": 0.6}, size=16)
    both = ensemble(first, second)
    jobs = []
    for tagger in (both, first, second):
        store = ScoreStore(tmp_path / tagger.card.name, key="k", shards=source.shards)
        store.prepare(tagger.tags, {})
        jobs.append(Job(tagger, store))
    predict(source, jobs)
    assert (first.images, second.images) == (1, 1)
    np.testing.assert_allclose(read_store(tmp_path / "both").values.read(), [[0.4]], atol=1e-7)
    with pytest.raises(ArenaError, match=r"different squares \(a 8, b 16 pixels\)"):
        both.scores(np.zeros((1, 8, 8, 3), np.uint8))


def test_a_run_loads_members_once_and_scores_their_mean(root: Path, drawn_dataset: Path, tmp_path: Path) -> None:
    folder = pipeline.run(["a", "both", "b"], str(drawn_dataset), tmp_path / "run", root=root)
    a, b, both = (read_store(folder / "scores" / name) for name in ("a", "b", "both"))
    assert both.tags.names == tuple(name for name in a.tags.names if name in b.tags.index)
    columns = [[scores.tags.index[name] for name in both.tags.names] for scores in (a, b)]
    mean = (a.values.read()[:, columns[0]] + b.values.read()[:, columns[1]]) / 2
    np.testing.assert_allclose(both.values.read(), mean, atol=1e-6)


def test_a_loaded_member_is_used_again(root: Path) -> None:
    a = taggers.load(find_model("a", root))
    both = taggers.load(find_model("both", root), among=[a])
    assert isinstance(both, Ensemble)
    assert both.members[0] is a
    assert taggers.load(find_model("b", root), among=[both]) is both.members[1]


def test_an_ensemble_passes_every_check(root: Path) -> None:
    outcomes = list(check(find_model("both", root)))
    assert [outcome for outcome in outcomes if not outcome.passed] == []
    assert len(outcomes) == 1 + len(CHECKS)


def test_its_identity_follows_members_and_weights(root: Path, onnx_folder: Wd) -> None:
    def identity() -> dict:
        return taggers.identify(find_model("both", root))

    plain = identity()
    write(root, ["a", "b"], "weights = [2, 1]")
    assert identity() != plain
    write(root, ["b", "a"])
    assert identity() != plain
    write(root, ["a", "b"])
    assert identity() == plain
    tags = onnx_folder.folder / "selected_tags.csv"
    tags.write_text(tags.read_text().replace("tag_one", "tag_two"))
    assert identity() != plain


@pytest.mark.parametrize(
    ("members", "more", "message"),
    [
        (["a"], "", "an ensemble has at least two, each named once"),
        (["a", "a"], "", "an ensemble has at least two, each named once"),
        (["a", "joytga"], "", r"ensemble both: no model is called 'joytga'\. Did you mean joytag"),
        (["a", "both"], "", "its member both is an ensemble; name single models instead"),
        (["a", "nested"], "", "its member nested is an ensemble"),
        (["a", "b"], "weights = [1]", "1 weights for 2 members"),
        (["a", "b"], "weights = [1, 0]", "each must be a number above 0"),
        (["a", "b"], "weights = [1, inf]", "each must be a number above 0"),
        (["a", "b"], 'weights = ["1", 2]', "each must be a number above 0"),
        (["a", "b"], 'files = ["model.onnx"]', "files is no field of a card"),
    ],
)
def test_a_wrong_ensemble_is_one_line(root: Path, members: list[str], more: str, message: str) -> None:
    write(root, ["a", "b"], name="nested")
    write(root, members, more)
    with pytest.raises(ArenaError, match=message):
        find_model("both", root)


def test_a_card_file_enters_by_its_path(root: Path) -> None:
    card = find_model(f"mine={root / 'models/both.toml'}", root)
    assert (card.name, [member.name for member in card.member_cards]) == ("mine", ["a", "b"])
