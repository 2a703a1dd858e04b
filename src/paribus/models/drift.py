"""Drift of inputs and scores against what was trained on: PSI and Kolmogorov–Smirnov, with a stated false-alarm rate.

Under no drift PSI is about (1/n + 1/m)·χ² with bins − 1 degrees of freedom (Yurdakul 2018, Statistical Properties of
the Population Stability Index), so its limit follows from the rate and the rows; the customary 0.1 and 0.25 do not know
how many rows there are. Both tests of all series share the rate by Bonferroni: the rate per window is at most that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from paribus.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

BINS = 10
SAMPLE = 20_000


@dataclass(frozen=True, slots=True)
class Reference:
    """A series as it was when the model was trained: edges of its bins, rows in each, and its sorted values."""

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, values: ArrayLike, *, bins: int = BINS) -> Reference:
        """The reference of these values: bins of equal shares, or one per value where there are few values.

        Raises:
            InputError: fewer than 100 values, or one that is no number.
        """
        given = np.sort(np.asarray(values, dtype=np.float64).ravel())
        if len(given) < 100 or not np.isfinite(given).all():
            raise InputError(f"{len(given)} values are no reference", where="drift", rule="at least 100 finite values")
        distinct = np.unique(given)
        if len(distinct) <= bins:
            edges = (distinct[1:] + distinct[:-1]) / 2
        else:
            edges = np.unique(np.quantile(given, np.arange(1, bins) / bins))
        counts = np.bincount(np.searchsorted(edges, given, side="left"), minlength=len(edges) + 1)
        if len(given) > SAMPLE:
            given = given[np.linspace(0, len(given) - 1, SAMPLE).astype(int)]
        return cls(edges, counts.astype(np.int64), given)

    @property
    def rows(self) -> int:
        """Rows that it was made of."""
        return int(self.counts.sum())


@dataclass(frozen=True, slots=True)
class SeriesDrift:
    """One series in one window."""

    name: str
    psi: float
    psi_limit: float
    ks: float
    """Largest distance between the two distribution functions."""
    ks_p: float
    ks_limit: float
    """An alarm is a p below this."""
    has_drifted: bool


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All series in one window of `rows`."""

    rows: int
    false_alarm_rate: float
    series: tuple[SeriesDrift, ...]

    @property
    def drifted(self) -> tuple[str, ...]:
        """Names of the series that drifted."""
        return tuple(each.name for each in self.series if each.has_drifted)


class DriftWatch:
    """Compares windows of fresh rows with the references.

    Args:
        references: by series: each input, and the score.
        false_alarm_rate: the chance, at most, that a window without drift raises an alarm in any series.
    """

    def __init__(self, references: Mapping[str, Reference], *, false_alarm_rate: float = 0.01) -> None:
        self.references = dict(references)
        self.false_alarm_rate = false_alarm_rate

    def check(self, window: Mapping[str, ArrayLike]) -> DriftReport:
        """The drift of a window.

        Raises:
            InputError: a series is missing, or has fewer than 50 rows, or no numbers.
        """
        share = self.false_alarm_rate / (2 * max(len(self.references), 1))
        found, rows = [], 0
        for name, reference in self.references.items():
            if name not in window:
                raise InputError(f"the series {name!r} is missing", where="drift")
            values = np.asarray(window[name], dtype=np.float64).ravel()
            if len(values) < 50 or not np.isfinite(values).all():
                raise InputError(f"{len(values)} values of {name}", where="drift", rule="at least 50 finite values")
            rows = len(values)
            found.append(_compared(name, reference, values, share))
        return DriftReport(rows, self.false_alarm_rate, tuple(found))


def psi(reference: Reference, values: ArrayLike) -> float:
    """The population stability index: Σ (a − e)·ln(a / e) over bins, half a row in each empty bin.

    >>> round(psi(Reference.of(range(1000)), range(1000)), 6)
    0.0
    """
    given = np.asarray(values, dtype=np.float64).ravel()
    counts = np.bincount(np.searchsorted(reference.edges, given, side="left"), minlength=len(reference.counts))
    actual, expected = _shares(counts), _shares(reference.counts)
    return float(np.sum((actual - expected) * np.log(actual / expected)))


def psi_limit(reference: Reference, rows: int, false_alarm_rate: float) -> float:
    """The PSI that a window of so many rows exceeds with this chance when nothing has drifted."""
    from scipy.special import chdtri

    freedom = max(len(reference.counts) - 1, 1)
    return float(chdtri(freedom, false_alarm_rate) * (1 / rows + 1 / reference.rows))


def _compared(name: str, reference: Reference, values: NDArray[np.float64], share: float) -> SeriesDrift:
    from scipy.stats import ks_2samp

    found, limit = psi(reference, values), psi_limit(reference, len(values), share)
    distance, p = ks_2samp(reference.values, values, method="asymp")
    return SeriesDrift(name, found, limit, float(distance), float(p), share, bool(found > limit or p < share))


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    kept = np.maximum(counts, 0.5)
    return np.asarray(kept / kept.sum(), dtype=np.float64)
