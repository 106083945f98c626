"""Logistic regression by Newton's method, compared with scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from arena.metrics.logistic import fit_logistic


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("seed", range(3))
def test_weights_are_those_of_scikit_learn(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    features = rng.normal(0, scale, (400, 5)) * [1, 1, 1, 3, 0.1]
    labels = rng.random(400) < 1 / (1 + np.exp(-(features @ [1, -1, 0.3, 0, 2] / scale - 2)))
    wanted = LogisticRegression(solver="newton-cholesky", tol=1e-10).fit(features, labels)
    found = fit_logistic(features, labels)
    np.testing.assert_allclose(found.weights, wanted.coef_[0], atol=1e-6, rtol=1e-6)
    assert found.start == pytest.approx(wanted.intercept_[0], abs=1e-6)


def test_a_feature_that_separates_the_labels_keeps_finite_weights() -> None:
    features = np.array([[-1000.0, 0.0], [-900.0, 0.0], [900.0, 0.0], [1000.0, 0.0]])
    found = fit_logistic(features, np.array([False, False, True, True]))
    assert np.isfinite(found.weights).all()
    assert 0 < found.weights[0] < 1
    assert found.weights[1] == 0  # a constant feature says nothing


@pytest.mark.parametrize(("label", "share"), [(True, 4.5 / 5), (False, 0.5 / 5)])
def test_equal_labels_give_their_share(label: bool, share: float) -> None:
    found = fit_logistic(np.ones((4, 2)), np.full(4, label))
    assert found.weights.tolist() == [0, 0]
    assert 1 / (1 + np.exp(-found.start)) == pytest.approx(share)
