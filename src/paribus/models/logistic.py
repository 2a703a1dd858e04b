"""Logistic regression by iteratively reweighted least squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paribus.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

STEPS = 50
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Logistic:
    """Weights on the features as they come, and the intercept."""

    weights: NDArray[np.float64]
    intercept: float

    def scores(self, features: ArrayLike) -> NDArray[np.float64]:
        """The probability of each row."""
        return np.asarray(_sigmoid(np.asarray(features, dtype=np.float64) @ self.weights + self.intercept))


def fit_logistic(features: ArrayLike, labels: ArrayLike, *, ridge: float = 1e-3) -> Logistic:
    """The regression of labels 0 and 1 on features, with a penalty of `ridge` per row on standardized weights.

    The penalty keeps separable data finite. McCullagh and Nelder 1989, section 2.5.

    Raises:
        InputError: a label never occurs, a value is no number, or there are fewer rows than features.
    """
    x, y = np.asarray(features, dtype=np.float64), np.asarray(labels, dtype=np.float64).ravel()
    if x.ndim != 2 or len(x) != len(y) or len(x) <= x.shape[1] or not np.isfinite(x).all():
        raise InputError("the features are no table of finite numbers, more rows than columns", where="logistic")
    if not np.isin(y, (0, 1)).all() or not 0 < y.sum() < len(y):
        raise InputError("labels must be 0 and 1, and both occur", where="logistic")
    mean, scale = x.mean(0), x.std(0)
    scale[scale == 0] = 1.0
    z = np.column_stack([np.ones(len(x)), (x - mean) / scale])
    penalty = np.diag([0.0, *[ridge * len(x)] * x.shape[1]])
    beta = np.zeros(z.shape[1])
    beta[0] = np.log(y.mean() / (1 - y.mean()))
    for _ in range(STEPS):
        p = _sigmoid(z @ beta)
        weight = np.maximum(p * (1 - p), 1e-10)
        step = np.linalg.solve(z.T @ (z * weight[:, None]) + penalty, z.T @ (y - p) - penalty @ beta)
        beta += step
        if np.abs(step).max() < TOLERANCE:
            break
    weights = beta[1:] / scale
    return Logistic(weights, float(beta[0] - weights @ mean))


def _sigmoid(value: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * (1 + np.tanh(value / 2)))
