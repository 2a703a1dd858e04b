"""Logistic regression against statsmodels and known truth; ONNX against the regression; quality by hand."""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import pytest
from tests.models.scenes import linear

from paribus.errors import InputError, MissingExtra
from paribus.models import FeatureDoc, ModelDoc, OnnxModel, check_model, quality
from paribus.models.logistic import Logistic, fit_logistic
from paribus.models.onnx_export import to_onnx
from paribus.models.quality import quality_by_arm


def data(rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    x = np.column_stack([rng.normal(size=rows), rng.poisson(3, rows), 100 * rng.normal(size=rows)])
    p = 1 / (1 + np.exp(-(x @ [0.8, -0.4, 0.01] + 0.3)))
    return x, (rng.random(rows) < p).astype(float)


def test_it_is_the_maximum_likelihood_of_statsmodels() -> None:
    import statsmodels.api as sm

    x, y = data()
    found = fit_logistic(x, y, ridge=0.0)
    expected = sm.Logit(y, sm.add_constant(x)).fit(disp=0).params
    np.testing.assert_allclose([found.intercept, *found.weights], expected, rtol=1e-6)


def test_separable_data_stay_finite() -> None:
    x = np.arange(100.0)[:, None]
    found = fit_logistic(x, (x[:, 0] > 50).astype(float))
    assert np.isfinite([found.intercept, *found.weights]).all()
    assert found.scores([[0.0], [99.0]])[1] > 0.9


@pytest.mark.parametrize("labels", [[0.0] * 50, [1.0] * 50, [0.0, 2.0] * 25])
def test_labels_that_cannot_be_fitted_are_refused(labels: list[float]) -> None:
    with pytest.raises(InputError):
        fit_logistic(np.random.default_rng(1).normal(size=(50, 2)), labels)


def test_the_file_scores_as_the_regression_and_is_the_same_each_time() -> None:
    x, y = data()
    found = fit_logistic(x, y)
    content = to_onnx(found)
    assert content == to_onnx(found)
    inputs = tuple(FeatureDoc(name=name) for name in "abc")
    document = ModelDoc(sha256=hashlib.sha256(content).hexdigest(), size=len(content), inputs=inputs, owner="ml")
    model = OnnxModel(content, document)
    np.testing.assert_allclose(model.scores(x.astype(np.float32)), found.scores(x), atol=2e-6)
    assert to_onnx(Logistic(found.weights, found.intercept + 1)) != content


def test_quality_by_hand() -> None:
    """Of the six pairs of a positive and a negative five are in order: AUC 5/6; the rest by its definition."""
    found = quality([1, 1, 0, 0, 0], [0.9, 0.4, 0.5, 0.2, 0.1])
    assert found.auc == pytest.approx(5 / 6)
    assert found.brier == pytest.approx((0.01 + 0.36 + 0.25 + 0.04 + 0.01) / 5)
    expected = -np.mean(np.log([0.9, 0.4, 0.5, 0.8, 0.9]))
    assert found.log_loss == pytest.approx(expected)
    assert found.base_log_loss == pytest.approx(-(0.4 * np.log(0.4) + 0.6 * np.log(0.6)))


def test_the_interval_of_the_auc_covers_the_truth() -> None:
    """Binormal with distance 1: AUC = Φ(1/√2) = 0.7602. 300 samples; 95% within three standard errors."""
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(300):
        y = rng.random(300) < 0.4
        found = quality(y, rng.normal(y, 1.0))
        covered += found.auc_low <= 0.76025 <= found.auc_high
    assert abs(covered / 300 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 300)


def test_calibration_and_arms() -> None:
    rng = np.random.default_rng(12)
    p = rng.uniform(0.05, 0.95, 20_000)
    y = (rng.random(20_000) < p).astype(float)
    assert quality(y, p).calibration_error < 0.01
    assert quality(y, p / 2).calibration_error > 0.2
    arms = ["control", "treatment"] * 10_000
    by = quality_by_arm(list(y), list(np.where(np.arange(20_000) % 2, p, 0.5)), arms)
    assert by["treatment"].auc > 0.75
    assert by["control"].auc == pytest.approx(0.5)
    with pytest.raises(InputError):
        quality([1, 1], [0.5, 0.5])


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    content = linear([1.0])
    document = ModelDoc(sha256=check_model(content, "x"), size=len(content), inputs=(FeatureDoc(name="a"),), owner="ml")
    for package in ("onnx", "onnxruntime"):
        monkeypatch.setitem(sys.modules, package, None)
    for use in (lambda: OnnxModel(content, document), lambda: to_onnx(Logistic(np.array([1.0]), 0.0))):
        with pytest.raises(MissingExtra, match="not installed") as error:
            use()
        assert error.value.fix == 'pip install "paribus[ml]"'
