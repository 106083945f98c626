"""A slice is what a comparison of that part alone would be; a part has to be named rightly."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from arena.base.errors import ArenaError
from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.metrics.registry import AGGREGATES
from arena.metrics.slices import support_band
from arena.results.run_folder import Result
from arena.tags import TagRelations, TagSpace
from arena.tags.groups import TagGroup

from .worlds import assert_same, entry, see, world

SETTINGS = Settings(0, replicates=40)
OF_COUNTS = [name for name in AGGREGATES if name != "map"]


def slice_of(result: Result, kind: str, value: str, model: str) -> dict:
    table = result.tables["slices"]
    [row] = table[(table["slice"] == kind) & (table["value"] == value) & (table["model"] == model)].to_dict("records")
    return row


def images_where(truth: Truth, models: list[Entry], member: np.ndarray) -> tuple[Truth, list[Entry]]:
    rows = np.flatnonzero(member)
    some = truth.take(rows)
    return some, [
        entry(one.name, some.image_ids, truth.tags.names, one.scores.values.read()[rows], one.thresholds)
        for one in models
    ]


@pytest.mark.parametrize("value", ["g", "q", "e"])
def test_a_slice_of_images_is_what_these_images_alone_would_give(value: str) -> None:
    truth, models = world()
    whole = evaluate(truth, models, SETTINGS)
    member = np.array(truth.images["rating"]) == value
    alone = evaluate(*images_where(truth, models, member), replace(SETTINGS, replicates=0))
    for model in ("fine", "poor"):
        row, own = slice_of(whole, "rating", value, model), alone.summary["models"][model]["regimes"]["own"]
        assert row["images"] == member.sum() == alone.summary["images"]
        for name in AGGREGATES:
            assert row[name] == pytest.approx(own[name], abs=1e-12)
            assert name.startswith("micro") or row[f"{name}_tags"] == own[f"{name}_tags"]
        labels, scores = truth.values.toarray()[member], models[0].scores.values.read()[member]
        known = labels.any(0)
        expected = average_precision_score(labels[:, known], scores[:, known])
        assert model != "fine" or row["map"] == pytest.approx(expected, abs=1e-12)
    pair = whole.tables["differences"].query(f"slice == 'rating' and value == '{value}' and figure == 'map'")
    expected = slice_of(whole, "rating", value, "fine")["map"] - slice_of(whole, "rating", value, "poor")["map"]
    assert pair["difference"].tolist() == [pytest.approx(expected, abs=1e-12)]


def test_the_parts_of_a_column_are_all_images_each_once() -> None:
    truth, models = world()
    table = evaluate(truth, models, SETTINGS).tables["slices"].query("model == 'fine'")
    for column in ("rating", "size"):
        assert table[table["slice"] == column]["images"].sum() == 240
    assert table[table["slice"] == "rating"]["value"].tolist() == ["g", "s", "q", "e"]
    assert table[table["slice"] == "size"]["value"].tolist() == ["<0.1 MP", "0.1–0.5 MP", "0.5–1 MP", "1–2 MP"]
    assert table[table["slice"] == "category"]["tags"].sum() == table[table["slice"] == "support"]["tags"].sum() == 10


def test_a_slice_of_tags_is_what_these_tags_alone_would_give() -> None:
    truth, models = world()
    whole, support = evaluate(truth, models, SETTINGS), np.diff(truth.values.indptr)
    bands, categories = support_band(support), np.array(truth.tags.categories)
    parts = [("category", one, categories == one) for one in set(categories)]
    parts += [("support", one, bands == one) for one in set(bands)]
    assert len(parts) > 4
    for kind, value, member in parts:
        names = tuple(np.array(truth.tags.names)[member])
        smaller = Truth.of(truth.image_ids, TagSpace(names), truth.values.toarray()[:, member])
        alone = evaluate(smaller, models, replace(SETTINGS, replicates=0))
        for model in ("fine", "poor"):
            row, own = slice_of(whole, kind, value, model), alone.summary["models"][model]["regimes"]["own"]
            assert (row["tags"], row["images"]) == (member.sum(), 240)
            for name in AGGREGATES:
                assert row[name] == pytest.approx(own[name], abs=1e-12)


def test_the_slice_of_all_is_the_summary() -> None:
    result = evaluate(*world(), Settings(replicates=40))
    for model in ("fine", "poor"):
        row, own = slice_of(result, "all", "all", model), result.summary["models"][model]["regimes"]["own"]
        ends = [f"{name}{end}" for name in AGGREGATES for end in ("", "_low", "_high")]
        assert {name: row[name] for name in ends} == {name: own[name] for name in ends}
        assert row["title"] == "all compared tags"


def test_groups_of_tags_are_slices_with_a_title() -> None:
    truth, models = world()
    groups = [
        TagGroup("low", "Low numbers", "", ("t0", "t1", "t2", "nowhere")),
        TagGroup("empty", "Nobody", "", ("nowhere",)),
        TagGroup("most", "Most", "", ("t*",), ("t9",)),
    ]
    for replicates in (0, 20):
        result = evaluate(truth, models, replace(SETTINGS, tag_groups=groups, replicates=replicates))
        table = result.tables["slices"].query("slice == 'group' and model == 'fine'")
        assert table[["value", "title", "tags"]].to_numpy().tolist() == [["low", "Low numbers", 3], ["most", "Most", 9]]
        own = result.per_tag.query("model == 'fine' and tag in ('t0', 't1', 't2')")
        assert table["map"].iloc[0] == pytest.approx(own["ap"].mean(), abs=1e-12)
        assert table["macro_f1"].iloc[0] == pytest.approx(own["f1"].mean(), abs=1e-12)


def test_a_group_holds_compared_tags_only() -> None:
    truth, models = world()
    support = np.diff(truth.values.indptr)
    rare = [name for name, n in zip(truth.tags.names, support, strict=True) if n < 10]
    assert rare
    group = TagGroup("some", "Some", "", (*rare, "t8"))
    table = evaluate(truth, models, Settings(10, replicates=0, tag_groups=[group])).tables["slices"]
    assert table.query("slice == 'group'")["tags"].tolist() == [1, 1]


def test_an_alias_is_a_member_under_the_truths_name() -> None:
    rng = np.random.default_rng(0)
    labels, ids = rng.random((60, 2)) < 0.5, [f"i{n}" for n in range(60)]
    relations = TagRelations.of(aliases=[("pup", "dog")])
    truth = Truth.of(ids, TagSpace(("cat", "dog")), labels, relations=relations)
    model = entry("m", ids, ("pup", "cat"), see(rng, labels)[:, ::-1].copy())
    settings = Settings(replicates=0, tag_groups=[TagGroup("dogs", "Dogs", "", ("dog",))])
    assert slice_of(evaluate(truth, [model], settings), "group", "dogs", "m")["tags"] == 1


def test_a_column_asked_for_must_be_there_and_a_default_one_need_not() -> None:
    truth, models = world()
    bare = Truth.of(truth.image_ids, truth.tags, truth.values)
    assert set(evaluate(bare, models, SETTINGS).tables["slices"]["slice"]) == {"all", "category", "support"}
    with pytest.raises(ArenaError, match=r"ratign: the images have no such column\. Did you mean rating"):
        evaluate(truth, models, replace(SETTINGS, slices=("ratign",)))
    found = evaluate(truth, models, replace(SETTINGS, slices=("width",))).tables["slices"]
    assert found[found["slice"] == "width"]["value"].unique().tolist() == ["300", "900", "2000"]
    assert "rating" not in set(found["slice"])


def test_a_column_of_one_value_parts_nothing_and_an_unknown_rating_is_a_part() -> None:
    truth, models = world()
    alike = replace(truth, images={"rating": ["g"] * 240})
    assert "rating" not in set(evaluate(alike, models, SETTINGS).tables["slices"]["slice"])
    some = replace(truth, images={"rating": [None] * 40 + ["s"] * 200})
    table = evaluate(some, models, SETTINGS).tables["slices"].query("slice == 'rating' and model == 'fine'")
    assert table[["value", "images"]].to_numpy().tolist() == [["s", 200], ["unknown", 40]]


def test_slices_of_images_move_no_figure_of_the_whole() -> None:
    truth, models = world()
    with_slices, without = (evaluate(truth, models, replace(SETTINGS, slices=s)) for s in (("rating",), ()))
    assert_same(with_slices.summary, without.summary)


def test_skipped_images_are_in_no_slice() -> None:
    truth, models = world()
    gone = truth.image_ids[5]
    keep = [n for n in range(240) if n != 5]
    scores = models[0].scores
    short = entry("fine", [truth.image_ids[n] for n in keep], scores.tags.names, scores.values.read()[keep])
    short = replace(short, scores=replace(short.scores, skipped={gone: "broken"}))
    table = (
        evaluate(truth, [short, models[1]], SETTINGS).tables["slices"].query("slice == 'rating' and model == 'poor'")
    )
    assert table["images"].sum() == 239
    member = np.array(truth.images["rating"]) == truth.images["rating"][5]
    assert table.set_index("value")["images"][truth.images["rating"][5]] == member.sum() - 1
