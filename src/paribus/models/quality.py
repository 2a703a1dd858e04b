"""How good scores turned out to be, once the labels are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paribus.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of probabilities against labels of 0 and 1.

    auc                the chance that a positive row scores above a negative one, ties half; with its 95% interval
                       (DeLong, DeLong and Clarke-Pearson 1988)
    log_loss           mean −ln of the probability that the label had; `base_log_loss` is that of the label's mean
    brier              mean squared difference
    calibration_error  mean over tenths of the scores of |mean label − mean score|, weighted by rows
    """

    rows: int
    positives: int
    auc: float
    auc_low: float
    auc_high: float
    log_loss: float
    base_log_loss: float
    brier: float
    calibration_error: float


def quality(labels: ArrayLike, scores: ArrayLike) -> Quality:
    """The quality of these scores.

    Raises:
        InputError: the lengths differ, a label is neither 0 nor 1, or one of them never occurs.
    """
    y = np.asarray(labels, dtype=np.float64).ravel()
    p = np.asarray(scores, dtype=np.float64).ravel()
    if len(y) != len(p) or not np.isin(y, (0, 1)).all() or not 0 < y.sum() < len(y):
        raise InputError(
            "scores cannot be judged by these labels", where="quality", rule="labels 0 and 1, both, one for each score"
        )
    clipped = np.clip(p, 1e-12, 1 - 1e-12)
    base = y.mean()
    auc, error = _auc(p[y == 1], p[y == 0])
    return Quality(
        rows=len(y),
        positives=int(y.sum()),
        auc=auc,
        auc_low=max(auc - 1.959963984540054 * error, 0.0),
        auc_high=min(auc + 1.959963984540054 * error, 1.0),
        log_loss=float(-np.mean(y * np.log(clipped) + (1 - y) * np.log(1 - clipped))),
        base_log_loss=float(-(base * np.log(base) + (1 - base) * np.log(1 - base))),
        brier=float(np.mean((p - y) ** 2)),
        calibration_error=_calibration_error(y, p),
    )


def quality_by_arm(labels: Sequence[float], scores: Sequence[float], arms: Sequence[str]) -> Mapping[str, Quality]:
    """The quality in each arm: a score is judged where it was served."""
    y, p, of = np.asarray(labels), np.asarray(scores), np.asarray(arms)
    return {str(arm): quality(y[of == arm], p[of == arm]) for arm in np.unique(of)}


def _auc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> tuple[float, float]:
    """The area and its standard error, by the ranks of DeLong's structural components."""
    from scipy.stats import rankdata

    m, n = len(positive), len(negative)
    both = rankdata(np.concatenate([positive, negative]))
    v10 = (both[:m] - rankdata(positive)) / n
    v01 = 1 - (both[m:] - rankdata(negative)) / m
    variance = (v10.var(ddof=1) / m if m > 1 else 0.0) + (v01.var(ddof=1) / n if n > 1 else 0.0)
    return float(v10.mean()), float(np.sqrt(variance))


def _calibration_error(y: NDArray[np.float64], p: NDArray[np.float64]) -> float:
    tenths = np.array_split(np.argsort(p, kind="stable"), 10)
    return float(sum(len(part) * abs(y[part].mean() - p[part].mean()) for part in tenths if len(part)) / len(y))
