"""Do effects of disjoint segments have opposite signs? A test of qualitative interaction (Gail, Simon 1985)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Opposition:
    """The likelihood ratio against all effects being of one sign, and its p-value under the least favorable truth."""

    statistic: float
    p_value: float


def opposition(effects: ArrayLike, ses: ArrayLike) -> Opposition:
    """Whether some segment is truly better and another truly worse.

    Args:
        effects: by segment, independent, shape (k,).
        ses: their standard errors, positive.

    Source: Gail, Simon 1985, Biometrics 41, eq. 2.2 and Table 1: with two segments 2.71 is the 5% point.

    >>> found = opposition([1.645, -3.0], [1.0, 1.0])
    >>> round(found.statistic, 3), round(found.p_value, 3)
    (2.706, 0.05)
    """
    from scipy.special import chdtrc, gammaln

    z2 = np.square(np.asarray(effects, dtype=np.float64) / np.asarray(ses, dtype=np.float64))
    positive = np.asarray(effects, dtype=np.float64) > 0
    statistic = float(min(z2[positive].sum(), z2[~positive].sum()))
    k = z2.size
    if k < 2 or statistic <= 0:
        return Opposition(0.0, 1.0)
    h = np.arange(1, k)
    choose = np.exp(gammaln(k) - gammaln(h + 1) - gammaln(k - h))
    return Opposition(statistic, float((choose * 0.5 ** (k - 1) * chdtrc(h, statistic)).sum()))
