"""Winsorizing arrays in memory: both ends, with one pair of limits for all arms.

Limits taken from each arm by itself would remove the effect that they should protect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.estimate import Floats


@dataclass(frozen=True, slots=True)
class Limits:
    """Values beyond these are set to them; infinite means no limit on that side."""

    lower: float = -np.inf
    upper: float = np.inf

    def __post_init__(self) -> None:
        if not self.lower <= self.upper:
            raise InputError(f"the lower limit {self.lower} is above the upper {self.upper}")


def percentile_limits(
    samples: Sequence[ArrayLike], *, lower: float | None = None, upper: float | None = None
) -> Limits:
    """Limits at percentiles of all samples together: the arms pooled, or one sample of the pre-period.

    Percentiles are order statistics (the smallest value with at least that share at or below it, type 1), so a limit
    is a value that occurred. A limit from the pre-period is fixed before the experiment; one from the pooled arms moves
    with the data and is for a fixed horizon only.

    Args:
        samples: one array per arm, each (n,).
        lower: share in (0, 1), for instance 0.001; None leaves that side open.
        upper: share in (0, 1), for instance 0.999; None leaves that side open.

    >>> percentile_limits([[1, 2, 3, 4, 5], [6, 7, 8, 9, 100]], upper=0.9)
    Limits(lower=-inf, upper=9.0)
    """
    pooled = np.concatenate([np.asarray(sample, dtype=np.float64).ravel() for sample in samples])
    if not len(pooled) or np.isnan(pooled).any():
        raise InputError("no percentile of an empty sample, or of one that holds NaN")
    ends = []
    for share, otherwise in ((lower, -np.inf), (upper, np.inf)):
        if share is None:
            ends.append(otherwise)
            continue
        if not 0 < share < 1:
            raise InputError(f"{share} is not a share between 0 and 1", rule="0.99 is the 99th percentile")
        ends.append(float(np.quantile(pooled, share, method="inverted_cdf")))
    return Limits(*ends)


def winsorize(values: ArrayLike, limits: Limits) -> tuple[Floats, int]:
    """The values with those beyond the limits set to them, and how many that were.

    >>> winsorize([-5.0, 1.0, 200.0], Limits(0.0, 100.0))
    (array([  0.,   1., 100.]), 2)
    """
    x = np.asarray(values, dtype=np.float64)
    beyond = int(np.count_nonzero((x < limits.lower) | (x > limits.upper)))
    return np.clip(x, limits.lower, limits.upper), beyond
