import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.scores import implied, matrix
from arena.scores.implied import apply_implications, find_implying
from arena.scores.matrix import Matrix, stored_npy
from arena.tags import TagRelations, TagSpace

names = st.sampled_from("abcdefgh")
pairs = st.lists(st.tuples(names, names), max_size=14)


def by_hand(values: np.ndarray, tags: TagSpace, relations: TagRelations) -> np.ndarray:
    """Raise one column by one that implies it, again and again until nothing rises."""
    names, closed, before = [relations.canonical(name) for name in tags.names], values.copy(), np.zeros_like(values)
    while not np.array_equal(closed, before):
        before = closed.copy()
        for target, general in enumerate(names):
            for source, specific in enumerate(names):
                if general in relations.implications.get(specific, ()):
                    closed[:, target] = np.maximum(closed[:, target], closed[:, source])
    return closed


@given(aliases=pairs, implications=pairs, columns=st.permutations("abcdefgh"), seed=st.integers(0, 99))
def test_it_is_the_maximum_over_what_implies_a_tag(
    aliases: list[tuple[str, str]], implications: list[tuple[str, str]], columns: list[str], seed: int
) -> None:
    tags, relations = TagSpace(tuple(columns[:6])), TagRelations.of(aliases=aliases, implications=implications)
    values = np.random.default_rng(seed).random((5, 6), np.float32)
    closed = apply_implications(Matrix.of(values), tags, relations)
    np.testing.assert_array_equal(closed.read(), by_hand(values, tags, relations))
    np.testing.assert_array_equal(apply_implications(closed, tags, relations).read(), closed.read())
    assert closed.dtype == np.float32


def test_a_chain_reaches_through_a_tag_that_the_model_lacks() -> None:
    relations = TagRelations.of(implications=[("puppy", "dog"), ("dog", "animal")])
    tags = TagSpace(("animal", "puppy"))
    assert apply_implications(Matrix.of(np.array([[0.1, 0.7]])), tags, relations).read().tolist() == [[0.7, 0.7]]


def test_two_spellings_of_a_tag_do_not_raise_each_other_but_both_raise_what_they_imply() -> None:
    relations = TagRelations.of(aliases=[("doggy", "dog")], implications=[("dog", "animal")])
    tags = TagSpace(("dog", "doggy", "animal"))
    closed = apply_implications(Matrix.of(np.array([[0.2, 0.9, 0.1], [0.6, 0.3, 0.5]])), tags, relations)
    assert closed.read().tolist() == [[0.2, 0.9, 0.9], [0.6, 0.3, 0.6]]


def test_nothing_implied_leaves_the_matrix_as_it_is() -> None:
    scores = Matrix.of(np.ones((2, 2)))
    assert apply_implications(scores, TagSpace(("a", "b")), TagRelations.of(implications=[("b", "c")])) is scores


def test_rows_on_disk_in_parts_and_tiles_are_closed_alike(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    values = rng.random((500, 20)).astype(np.float16)
    tags = TagSpace(tuple(f"t{k}" for k in range(20)))
    relations = TagRelations.of(implications=[(f"t{k}", f"t{k // 2}") for k in range(1, 20)])
    np.save(tmp_path / "a.npy", values[:300])
    np.save(tmp_path / "b.npy", values[300:])
    stored = [stored_npy(tmp_path / name) for name in ("a.npy", "b.npy")]
    expected = by_hand(values, tags, relations)
    monkeypatch.setattr(matrix, "TILE_BYTES", 40 * 64)
    monkeypatch.setattr(implied, "GATHERED_BYTES", 2 * 60 * 7)
    closed = apply_implications(Matrix([part for part in stored if part]), tags, relations)
    np.testing.assert_array_equal(closed.read(), expected)
    place = rng.permutation(500)
    place[:100] = np.where(place[:100] >= 400, -1, place[:100])
    wanted = np.array([3, 1, 0, 19])
    kept = place >= 0
    ranks = np.where(kept, np.cumsum(np.isin(np.arange(500), place))[np.maximum(place, 0)] - 1, -1)
    gathered = closed.columns(wanted, ranks)
    np.testing.assert_array_equal(gathered[ranks[kept]], expected[kept][:, wanted])
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), values[:300])


def test_given_scores_are_never_changed() -> None:
    values = np.array([[0.1, 0.7]])
    apply_implications(Matrix.of(values), TagSpace(("a", "b")), TagRelations.of(implications=[("b", "a")])).read()
    assert values.tolist() == [[0.1, 0.7]]


def test_columns_that_reach_others_are_listed_once_each() -> None:
    found = find_implying(TagSpace(("a", "b", "c")), TagRelations.of(implications=[("a", "b"), ("b", "a"), ("c", "a")]))
    assert found.implied.tolist() == [0, 1]
    assert [part.tolist() for part in np.split(found.sources, found.starts[1:])] == [[0, 1, 2], [0, 1, 2]]
