"""Ensembles: the mean over common tags, members that are run once, and cards that are refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena import taggers
from arena.base.errors import ArenaError
from arena.cards import ModelCard, Preprocess, find_model
from arena.pipeline import run as pipeline
from arena.pipeline.entrants import find_entrant
from arena.pipeline.parity.parity import ParityOptions, compare_ports
from arena.pipeline.stages import Compute, Execution, Scoring
from arena.results.recipe import Settings
from arena.scores.store import ScoreStore, read_store
from arena.taggers.adapters.ensemble import Ensemble, match_members_tags, normalised_spelling
from arena.taggers.base import Tagger
from arena.taggers.conformance import CHECKS, check
from arena.taggers.predict import ImageSource, ScoringJob, predict_scores
from arena.tags import TagRelations, TagSpace
from tests.conftest import Wd, draw

PLAIN = Scoring(Settings(replicates=0))

pytestmark = pytest.mark.usefixtures("no_page")


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


def common(*spaces: list[str], relations: TagRelations = TagRelations()) -> dict[str, list[str]]:
    """Each common tag with the name that every member has for it."""
    known = [TagSpace(tuple(names)) for names in spaces]
    tags, columns = match_members_tags("both", known, relations)
    rows = zip(*([space.names[c] for c in one] for space, one in zip(known, columns, strict=True)), strict=True)
    return dict(zip(tags.names, map(list, rows), strict=True))


def test_spellings_that_canonicalise_to_one_are_one_tag_without_relations() -> None:
    names = [["long_hair", "ganyu_(genshin_impact)", ":d"], ["Long Hair", r"Ganyu \(Genshin Impact\)", ":D"]]
    assert common(*names) == {name: [name, other] for name, other in zip(*names, strict=True)}
    both = ensemble(Fixed("a", {"x": 0.9, "long_hair": 0.2}), Fixed("b", {"Long Hair": 0.8, "y": 0.1}))
    np.testing.assert_allclose(both.scores(np.zeros((1, 8, 8, 3), np.uint8)), [[0.5]], atol=1e-7)
    assert both.tags.names == ("long_hair",)
    assert both.notes == ("1 of 1 common tags have another spelling in a member: long_hair = Long Hair",)
    assert ensemble(Fixed("a", {"x": 0.9}), Fixed("b", {"x": 0.8})).notes == ()


def test_aliases_make_one_tag_of_two_names_in_any_spelling() -> None:
    relations = TagRelations.of(aliases=[("pup", "dog"), ("doggy", "dog"), ("big_cat", "lion")])
    first, second = ["pup", "sun", "Big Cat"], ["doggy", "lion", "moon"]
    assert common(first, second, relations=relations) == {"pup": ["pup", "doggy"], "Big Cat": ["Big Cat", "lion"]}
    with pytest.raises(ArenaError, match="no tag in common"):
        common(first, second)


def test_a_column_stands_for_one_tag_its_own_spelling_first() -> None:
    relations = TagRelations.of(aliases=[("pup", "dog")])
    assert common(["pup", "dog"], ["dog", "cat"], relations=relations) == {"dog": ["dog", "dog"]}
    assert common(["pup", "Dog"], ["dog", "cat"], relations=relations) == {"pup": ["pup", "dog"]}
    assert common([":D", ":d"], [":d", ":D"]) == {":D": [":D", ":D"], ":d": [":d", ":d"]}


@given(
    st.lists(st.lists(st.sampled_from(["a", "A", "a b", "A_b", "b", "B", "c"]), min_size=1, unique=True), min_size=1)
)
def test_no_column_is_taken_twice_and_exact_spellings_stay_together(spaces: list[list[str]]) -> None:
    exact = [name for name in spaces[0] if all(name in names for names in spaces)]
    try:
        found = common(*spaces)
    except ArenaError:
        assert not exact
        return
    for member, names in enumerate(spaces):
        taken = [others[member] for others in found.values()]
        assert len(set(taken)) == len(taken)
        assert set(taken) <= set(names)
    assert all(found[name] == [name] * len(spaces) for name in exact)
    assert all(len({normalised_spelling(other) for other in others}) == 1 for others in found.values())


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
        jobs.append(ScoringJob(tagger, store))
    predict_scores(source, jobs)
    assert (first.images, second.images) == (1, 1)
    np.testing.assert_allclose(read_store(tmp_path / "both").values.read(), [[0.4]], atol=1e-7)
    with pytest.raises(ArenaError, match=r"different squares \(a 8, b 16 pixels\)"):
        both.scores(np.zeros((1, 8, 8, 3), np.uint8))


def test_a_run_loads_members_once_and_scores_their_mean(root: Path, drawn_dataset: Path, tmp_path: Path) -> None:
    folder = pipeline.run_benchmark(
        ["a", "both", "b"], str(drawn_dataset), tmp_path / "run", scoring=PLAIN, execution=Execution(root=root)
    )
    a, b, both = (read_store(folder / "scores" / name) for name in ("a", "b", "both"))
    spelt = {"tag_1": "tag_one"}  # an alias of the dataset, by which b knows the tag
    assert both.tags.names == tuple(name for name in a.tags.names if spelt.get(name, name) in b.tags.index)
    assert "tag_1" in both.tags.names
    columns = [[a.tags.index[name], b.tags.index[spelt.get(name, name)]] for name in both.tags.names]
    columns = np.array(columns).T.tolist()
    mean = (a.values.read()[:, columns[0]] + b.values.read()[:, columns[1]]) / 2
    np.testing.assert_allclose(both.values.read(), mean, atol=1e-6)


def test_scores_are_made_again_when_other_aliases_match_other_tags(
    root: Path, drawn_dataset: Path, tmp_path: Path
) -> None:
    def tags() -> tuple[str, ...]:
        pipeline.run_benchmark(
            ["both"], str(drawn_dataset), tmp_path / "run", scoring=PLAIN, execution=Execution(root=root)
        )
        return read_store(tmp_path / "run/scores/both").tags.names

    assert "tag_1" in tags()
    (drawn_dataset / "tag_aliases.csv").unlink()
    assert "tag_1" not in tags()


def test_two_ports_of_an_ensemble_are_matched_by_the_aliases_of_a_dataset(
    root: Path, drawn_dataset: Path, tmp_path: Path
) -> None:
    how = ParityOptions(dataset=str(drawn_dataset), root=root, folder=tmp_path / "kept", compute=Compute("cpu"))
    report = compare_ports(find_entrant("a", root=root), find_entrant("both", root=root), how)
    assert "tag_1" not in report.parity.only_a
    assert "tag_3" in report.parity.only_a
    assert report.tried_on > 0


def test_a_loaded_member_is_used_again(root: Path) -> None:
    a = taggers.load(find_model("a", root))
    both = taggers.load(find_model("both", root), among=[a])
    assert isinstance(both, Ensemble)
    assert both.members[0] is a
    assert taggers.load(find_model("b", root), among=[both]) is both.members[1]


def test_an_ensemble_tells_what_its_members_tell() -> None:
    a, b = Fixed("a", {"x": 0.2}), Fixed("b", {"x": 0.6})
    b.card = replace(b.card, preprocess_notes=("config.json: has no mean",))
    assert ensemble(a, b).notes == ("b: config.json: has no mean",)


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
    card = find_model("both", root)
    assert taggers.identify(card, relations=TagRelations.of(aliases=[("tag_one", "tag_1")])) != plain
    assert taggers.identify(card, relations=TagRelations.of(implications=[("tag_2", "tag_1")])) == plain
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
        (["a", "b"], 'files = ["model.onnx"]', "files is not a field of a card"),
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
