"""What many experiments are worth together: the sum of the true effects of those that were chosen.

Summing the estimates of winners overstates them all (the winner's curse). Under a normal prior fitted to ALL
experiments, chosen or not, choosing by the data does no harm: the posterior already conditions on them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.stats.estimate import Estimate, Floats, Undetermined
from paribus.stats.meta import random_effects


def summed_effect(
    estimates: ArrayLike, variances: ArrayLike, chosen: ArrayLike, *, level: float = 0.95
) -> Estimate | Undetermined:
    """The sum of the chosen experiments' true effects, with its interval; it has no p-value.

    Its variance has three parts: each effect's own posterior variance, and, because the prior is estimated and all
    effects share it, the uncertainty of the prior's mean and of its variance (delta method; Morris 1983).

    Args:
        estimates: one effect for each experiment, shape (k,), all that were completed.
        variances: their squared standard errors.
        chosen: true where the experiment is in the sum.
        level: of the interval.

    >>> found = summed_effect([1.0, 3.0, 5.0], [1.0, 1.0, 1.0], [False, False, True])
    >>> round(found.value, 2)  # tau2 = 4 - 1, so 5 keeps 3/4 of its distance from 3
    4.5
    """
    from scipy.special import ndtri

    y, v = np.asarray(estimates, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    mask = np.asarray(chosen, dtype=np.bool_)
    fitted = random_effects(y, v, method="REML")
    if isinstance(fitted, Undetermined):
        return fitted
    tau2 = fitted.tau2
    w = 1 / (v + tau2)
    keep = tau2 * w
    own = float((keep * v)[mask].sum())
    from_mean = float((1 - keep)[mask].sum() * fitted.se) ** 2
    # Fisher information of tau2 in the restricted likelihood: tr(PP) / 2 for P = W - W 1 1' W / 1' W 1.
    information = (np.sum(w**2) - 2 * np.sum(w**3) / w.sum() + (np.sum(w**2) / w.sum()) ** 2) / 2
    step = 0.01 / np.sqrt(information)
    low, high = max(tau2 - step, 0.0), tau2 + step
    slope = (_sum(y, v, mask, high) - _sum(y, v, mask, low)) / (high - low)
    se = float(np.sqrt(own + from_mean + slope**2 / information))
    value = _sum(y, v, mask, tau2)
    radius = float(-ndtri((1 - level) / 2)) * se
    return Estimate(
        value, se, value - radius, value + radius, np.nan, np.inf, level, "two-sided", "empirical Bayes, REML"
    )


def _sum(y: Floats, v: Floats, chosen: NDArray[np.bool_], tau2: float) -> float:
    w = 1 / (v + tau2)
    keep = tau2 * w
    center = (w * y).sum() / w.sum()
    return float((keep * y + (1 - keep) * center)[chosen].sum())
