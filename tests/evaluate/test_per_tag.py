"""Figures of single tags and their intervals, against the formulas applied cell by cell."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk

from arena.dataset.frozen import Truth
from arena.evaluate import Entry, Settings, evaluate
from arena.metrics import intervals, ranking, significance
from arena.metrics.counts import TagCounts, f_beta, informedness, mcc
from arena.metrics.significance import Paired
from arena.results.run_folder import PER_TAG_COLUMNS, Result
from arena.tags import TagSpace

from .worlds import entry, labels_of, see, world

SETTINGS = Settings(5, replicates=5)
CLUSTERS = tuple(f"g{n // 2}" if n < 120 else f"s{n}" for n in range(240))


@pytest.fixture(scope="module")
def clustered() -> tuple[Truth, list[Entry], Result]:
    """Half of the images stand in pairs that share labels and nearly share scores."""
    truth, models = world()
    labels = truth.values.toarray()
    labels[1:120:2] = labels[0:120:2]
    models = [_paired(one) for one in models]
    truth = Truth.of(truth.image_ids, truth.tags, labels, groups=CLUSTERS)
    return truth, models, evaluate(truth, models, SETTINGS)


def _paired(model: Entry) -> Entry:
    values = model.scores.values.read().copy()
    values[1:110:2] = values[0:110:2]
    return entry(model.name, model.scores.image_ids, model.scores.tags.names, values)


def design_effect(clusters: np.ndarray, residuals: np.ndarray) -> float:
    """Variance of a sum of clusters' residuals against that of single ones, from its definition."""
    sums = np.array([residuals[clusters == one].sum() for one in np.unique(clusters)])
    return max(1.0, float((sums**2).sum() / (residuals**2).sum())) if residuals.any() else 1.0


def variance_clusters(groups: np.ndarray, marked: np.ndarray) -> float:
    squares = np.unique(groups[marked], return_counts=True)[1].astype(float) ** 2
    return float(squares.sum() ** 2 / (squares**2).sum())


def effective_clusters(clusters: np.ndarray, marked: np.ndarray) -> float:
    """(sum of sizes)^2 / sum of squared sizes of the clusters among the marked images."""
    sizes = np.array([marked[clusters == one].sum() for one in np.unique(clusters)], float)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def test_columns_are_those_of_the_contract() -> None:
    assert evaluate(*world(), SETTINGS).per_tag.columns.tolist() == list(PER_TAG_COLUMNS)


def test_figures_of_every_tag_are_those_of_its_column() -> None:
    truth, models = world()
    labels = truth.values.toarray()
    for model in models:
        scores = model.scores.values.read()
        rows = evaluate(truth, models, SETTINGS).tags_of(model.name)
        for tag, row in enumerate(rows.itertuples()):
            y, s = labels[:, tag], scores[:, tag].copy()
            predicted, column = s >= 0.5, ranking.sort_column(s, y)
            tn, fp, fn, tp = sk.confusion_matrix(y, predicted).ravel()
            assert (row.tp, row.fp, row.fn, row.tn, row.support) == (tp, fp, fn, tn, y.sum())
            counts = TagCounts(np.float32([0.5]), np.array([tp]), np.array([fp]), np.array([tp + fn]), 240)
            figures = (f_beta(counts, 2.0)[0], mcc(counts)[0], informedness(counts)[0])
            assert (row.f2, row.mcc, row.informedness) == tuple(map(pytest.approx, figures))
            assert row.f1 == pytest.approx(sk.f1_score(y, predicted))
            assert row.ap == pytest.approx(sk.average_precision_score(y, s), abs=1e-12)
            assert row.roc_auc == pytest.approx(sk.roc_auc_score(y, s), abs=1e-12)
            assert row.brier == pytest.approx(sk.brier_score_loss(y, s.astype(np.float64)), abs=1e-12)
            assert (row.best_threshold, row.best_f1) == tuple(map(np.ndarray.item, ranking.best_f1(column)))
            assert (row.break_even_threshold, row.break_even) == tuple(map(np.ndarray.item, ranking.break_even(column)))
            bins = np.minimum((s.astype(np.float64) * 20).astype(int), 19)
            ece = sum(abs((y[bins == b] - s[bins == b].astype(np.float64)).sum()) for b in range(20)) / 240
            assert row.ece == pytest.approx(ece, abs=1e-9)


def test_intervals_are_wilsons_and_their_like_where_images_are_independent() -> None:
    rows = evaluate(*world(), SETTINGS).per_tag
    tp, fp, fn = (rows[name].to_numpy() for name in ("tp", "fp", "fn"))
    expected = {
        "precision": intervals.wilson(tp, tp + fp), "recall": intervals.wilson(tp, tp + fn),
        "f1": intervals.f1_interval(tp, fp, fn),
    }  # fmt: skip
    for name, interval in expected.items():
        np.testing.assert_allclose(rows[f"{name}_low"], interval.low, atol=1e-12)
        np.testing.assert_allclose(rows[f"{name}_high"], interval.high, atol=1e-12)
    for name in ("precision", "recall", "f1", "ap"):
        assert ((rows[f"{name}_low"] <= rows[name]) & (rows[name] <= rows[f"{name}_high"])).all()


def test_intervals_of_ap_follow_from_the_influence_of_clusters(clustered: tuple[Truth, list[Entry], Result]) -> None:
    truth, models, result = clustered
    labels, groups = truth.values.toarray(), np.array(truth.groups)
    for model in models:
        scores, rows = model.scores.values.read(), result.tags_of(model.name)
        for tag, row in enumerate(rows.itertuples()):
            column = ranking.sort_column(scores[:, tag].copy(), labels[:, tag], images=True)
            found, values = ranking.influence(column), np.zeros(240)
            values[column.images[0, found.start[0] :]] = found.values
            error = np.sqrt(sum(values[groups == one].sum() ** 2 for one in np.unique(groups)))
            together = sum(labels[groups == one, tag].sum() ** 2 for one in np.unique(groups)) / labels[:, tag].sum()
            effect = min(max(1.0, error**2 / (values**2).sum()), max(1.0, together))
            positives = min(row.support / effect, effective_clusters(groups, labels[:, tag]))
            interval = intervals.ap_interval(
                row.ap, error, positives, bias=ranking.average_precision_bias(column)[0] * effect
            )
            assert (row.ap_low, row.ap_high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_clusters_widen_intervals_by_their_design_effect(clustered: tuple[Truth, list[Entry], Result]) -> None:
    truth, models, result = clustered
    labels, groups = truth.values.toarray(), np.array(truth.groups)
    effects = []
    for model in models:
        predicted, rows = model.scores.values.read() >= 0.5, result.tags_of(model.name)
        for tag, row in enumerate(rows.itertuples()):
            if not row.compared:
                continue
            y, p = labels[:, tag], predicted[:, tag]
            hit = (y & p).astype(float)
            for name, base in (("precision", p), ("recall", y), ("f1", y | p)):
                share = hit.sum() / base.sum()
                effects.append(design_effect(groups, hit - share * base))
                given = (row.tp, row.fp, row.fn) if name == "f1" else (row.tp, int(base.sum()))
                formula = intervals.f1_interval if name == "f1" else intervals.wilson
                interval = formula(*given, design_effect=effects[-1], clusters=variance_clusters(groups, base))
                low, high = getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
                assert (low, high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert np.mean(effects) > 1.2, "there is something to widen"


def test_differences_of_f1_are_tested_by_swapping_names(clustered: tuple[Truth, list[Entry], Result]) -> None:
    truth, models, result = clustered
    loose = evaluate(replace(truth, groups=None), models, SETTINGS).tables["tag_differences"]
    labels, (a, b) = truth.values.toarray(), (one.scores.values.read() >= 0.5 for one in models)
    cells = (
        a & b & labels,
        a & ~b & labels,
        ~a & b & labels,
        labels,
        a & b & ~labels,
        a & ~b & ~labels,
        ~a & b & ~labels,
    )
    names = np.array(truth.tags.names)
    chosen = np.isin(names, loose["tag"])
    paired = Paired(*(x[:, chosen].sum(0) for x in cells))
    np.testing.assert_allclose(loose["f1_p"], significance.exact_p(paired), atol=1e-12)
    assert loose["tag"].tolist() == names[chosen].tolist()
    assert loose["support"].tolist() == labels[:, chosen].sum(0).tolist()
    tight = result.tables["tag_differences"]
    assert (tight["f1_difference"] == loose["f1_difference"]).all()
    assert (tight["f1_p"] != loose["f1_p"]).any()
    per_tag = {name: result.tags_of(name).set_index("tag").loc[names[chosen]] for name in ("fine", "poor")}
    for figure in ("f1", "ap"):
        difference = (per_tag["fine"][figure] - per_tag["poor"][figure]).to_numpy()
        np.testing.assert_allclose(tight[f"{figure}_difference"], difference, atol=1e-12)
        assert ((tight[f"{figure}_low"] <= difference) & (difference <= tight[f"{figure}_high"])).all()


def test_the_error_of_a_difference_of_ap_is_that_of_its_influence(clustered: tuple[Truth, list[Entry], Result]) -> None:
    from scipy.stats import t as student

    truth, models, result = clustered
    labels, groups = truth.values.toarray(), np.array(truth.groups)
    for row in result.tables["tag_differences"].itertuples():
        tag, moved = truth.tags.names.index(row.tag), np.zeros(240)
        for model, sign in zip(models, (1, -1), strict=True):
            column = ranking.sort_column(model.scores.values.read()[:, tag].copy(), labels[:, tag], images=True)
            found = ranking.influence(column)
            moved[column.images[0, found.start[0] :]] += sign * found.values
        error = np.sqrt(sum(moved[groups == one].sum() ** 2 for one in np.unique(groups)))
        freedom = effective_clusters(groups, labels[:, tag]) - 1
        assert row.ap_p == pytest.approx(2 * student.sf(abs(row.ap_difference) / error, freedom), rel=1e-6)
        reach = student.ppf(0.975, freedom) * error
        assert row.ap_low == pytest.approx(max(-1, row.ap_difference - reach), abs=1e-9)
        assert row.ap_high == pytest.approx(min(1, row.ap_difference + reach), abs=1e-9)


def test_counts_of_training_are_kept_and_missing_where_there_are_none() -> None:
    rng = np.random.default_rng(0)
    labels, ids, names = labels_of(rng, 60, 3), [f"i{n}" for n in range(60)], ("a", "b", "c")
    truth, scores = Truth.of(ids, TagSpace(names), labels), see(rng, labels)
    models = [entry("with", ids, names, scores, counts=(7, 8, 9)), entry("without", ids, names, scores)]
    result = evaluate(truth, models, Settings(1, replicates=0))
    assert result.tags_of("with")["training_count"].tolist() == [7, 8, 9]
    assert result.tags_of("without")["training_count"].isna().all()


def test_thresholds_for_production_are_a_row_a_model_regime_and_tag() -> None:
    truth, models = world()
    result = evaluate(truth, models, SETTINGS)
    table = result.tables["thresholds"]
    assert len(table) == 2 * 7 * 10
    assert (
        table.groupby(["model", "regime"])["tag"].apply(list).map(lambda names: names == list(truth.tags.names)).all()
    )
    own = table[table["regime"] == "own"].merge(result.per_tag, on=["model", "tag"], suffixes=("", "_there"))
    assert (own["threshold"] == 0.5).all()
    for figure in ("precision", "recall", "f1"):
        for column in (figure, f"{figure}_low", f"{figure}_high"):
            np.testing.assert_allclose(own[column], own[f"{column}_there"], rtol=0, atol=5.1e-8)  # seven decimals
        known = table.dropna(subset=[figure])
        assert (known[f"{figure}_low"] <= known[figure] + 1e-12).all()
        assert (known[figure] <= known[f"{figure}_high"] + 1e-12).all()
    assert table[table["regime"] == "macro_f1"].groupby("model")["threshold"].nunique().tolist() == [1, 1]
    assert table["threshold"].between(0, 1).all()
    assert all(float(str(np.float32(x))) == x for x in table["threshold"]), "as short as they can be written"
