"""Comparison of arms randomized by cluster, from one row of sums per cluster.

The unit of analysis is never finer than the unit of randomization: the arm's value is a ratio of sums over clusters
(a mean over units when the denominator counts them), and its variance counts clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from paribus.errors import InputError
from paribus.stats.arm import Arm
from paribus.stats.boundary import Boundary, Fixed, bounded
from paribus.stats.domain import domain_of
from paribus.stats.estimate import Estimates, Floats, Reason

ClusterCovariance = Literal["CR0", "CR1", "CR2"]

FEW_CLUSTERS = 30  # in both arms together: below, say so (Cameron, Gelbach, Miller 2008)


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """Clusters of one arm: sums of the metric and of its denominator (units, for a mean), shape (G,) each."""

    sums: Floats
    sizes: Floats

    @classmethod
    def from_rows(cls, y: ArrayLike, clusters: ArrayLike, denominator: ArrayLike | None = None) -> ClusterSums:
        """Sums by cluster of unit rows, shape (n,) each; without `denominator` each row counts one.

        >>> ClusterSums.from_rows([1.0, 2, 4], ["a", "a", "b"])
        ClusterSums(sums=array([3., 4.]), sizes=array([2., 1.]))
        """
        y = np.asarray(y, dtype=np.float64)
        codes = np.unique(np.asarray(clusters), return_inverse=True)[1]
        d = np.ones_like(y) if denominator is None else np.asarray(denominator, dtype=np.float64)
        sums, sizes = (np.bincount(codes, weights=weights).astype(np.float64) for weights in (y, d))
        return cls(sums, sizes)

    def __len__(self) -> int:
        return len(self.sums)

    @property
    def value(self) -> float:
        """Ratio of the sums over all clusters; NaN for a zero denominator."""
        total = float(self.sizes.sum())
        return float(self.sums.sum()) / total if total else float("nan")


def cluster_arm(clusters: ClusterSums) -> Arm:
    """One arm as a ratio of sums over clusters, whose units are the clusters (delta method; CR1 within the arm).

    Use it for lifts, margins and sequences; `cluster_difference` corrects for few and uneven clusters.

    >>> a = cluster_arm(ClusterSums(np.array([3.0, 4.0, 5.0]), np.array([2.0, 2.0, 2.0])))
    >>> float(a.value), float(a.n), float(a.var)  # means 1.5, 2, 2.5 of equal clusters
    (2.0, 3.0, 0.25)
    """
    g = len(clusters)
    n = np.asarray(float(g))
    nothing = np.asarray(np.nan)
    if g < 2 or not clusters.sizes.sum():
        return Arm(n, np.asarray(clusters.value), nothing, nothing)
    u = (clusters.sums - clusters.value * clusters.sizes) / clusters.sizes.mean()
    var = np.asarray((u @ u) / (g - 1))
    skewness = (u**3).mean() / (u**2).mean() ** 1.5 if var > 0 else nothing
    return Arm(n, np.asarray(clusters.value), var, np.asarray(skewness))


def cluster_difference(
    control: ClusterSums,
    treatment: ClusterSums,
    *,
    covariance: ClusterCovariance = "CR2",
    boundary: Boundary | None = None,
    min_clusters: int | None = None,
    min_df: float | None = None,
) -> Estimates:
    """Treatment minus control with cluster-robust interval and p-value; one cell.

    Equals OLS on (1, treated) over unit rows with clusters wholly in one arm, in closed form:
        CR0  Liang & Zeger 1986, df G - 1;
        CR1  CR0 x G/(G-1) x (N-1)/(N-2) (Stata), df G - 1;
        CR2  residual sums scaled by (1 - n_g / N_arm)^(-1/2), df of Bell & McCaffrey 2002.
    For a ratio of sums, leverage and working variance are in proportion to the denominator. `extra` holds the
    clusters in each arm and whether they are `few` (1 below 30 in all).

    Args:
        control: sums by cluster.
        treatment: sums by cluster.
        covariance: see above.
        boundary: interval and p-value rule (default: fixed horizon, 95%, two-sided).
        min_clusters: clusters in the smaller arm below which the result is TOO_FEW_CLUSTERS (default: the domain's).
        min_df: degrees of freedom below which it is (default: the domain's).

    >>> c = ClusterSums(np.array([2.0, 4, 6]), np.array([2.0, 2, 2]))
    >>> t = ClusterSums(np.array([4.0, 6, 8]), np.array([2.0, 2, 2]))
    >>> found = cluster_difference(c, t, min_clusters=3).at()  # Welch on the cluster means 1, 2, 3 against 2, 3, 4
    >>> found.value, round(found.se, 4), round(found.df, 4)
    (1.0, 0.8165, 4.0)
    """
    domain = domain_of("cluster")
    min_clusters = domain.min_clusters if min_clusters is None else min_clusters
    min_df = domain.min_df if min_df is None else min_df
    if covariance not in {"CR0", "CR1", "CR2"}:
        raise InputError(f"no cluster covariance {covariance!r}", rule="covariance is CR0, CR1 or CR2")
    arms = (control, treatment)
    groups = np.array([len(arm) for arm in arms], dtype=np.float64)
    value = treatment.value - control.value
    var = sum(_variance(arm, covariance == "CR2") for arm in arms)
    df = groups.sum() - 1
    if covariance == "CR1":
        units = sum(float(arm.sizes.sum()) for arm in arms)
        var *= groups.sum() / (groups.sum() - 1) * (units - 1) / (units - 2)
    if covariance == "CR2":
        traces = [_traces(arm) for arm in arms]
        square = sum(t[1] for t in traces)
        df = sum(t[0] for t in traces) ** 2 / square if square > 0 else np.nan
    se, n, degrees = np.sqrt(np.asarray(var)), np.asarray(groups.sum()), np.asarray(df)
    return bounded(
        value,
        se,
        boundary or Fixed(),
        n=n,
        df=degrees,
        method=f"clustered ({covariance})",
        reasons=(
            (groups.min() == 0, Reason.NO_DATA),
            (groups.min() < max(min_clusters, 2), Reason.TOO_FEW_CLUSTERS),
            (any(not arm.sizes.sum() for arm in arms), Reason.ZERO_DENOMINATOR),
            (~(degrees >= min_df), Reason.TOO_FEW_CLUSTERS),
            (se == 0, Reason.NO_VARIANCE),
        ),
        extra={
            "clusters_control": groups[0],
            "clusters_treatment": groups[1],
            "few": float(groups.sum() < FEW_CLUSTERS),
        },
    )


def crossed_arms(control: ClusterSums, treatment: ClusterSums) -> tuple[Arm, Arm]:
    """Two arms whose difference and lift have cluster-robust variances where clusters have units in both arms.

    Position g of both arguments is the same cluster, with sum and size 0 in an arm that it is not in. The variance of
    the difference equals OLS on (1, treated) over unit rows with CR1: sum of (e_Tg - e_Cg)^2 for e = (sum - value x
    size) / N_arm, times G/(G-1) x (N-1)/(N-2) (Liang & Zeger 1986; Stata). What the arms share within a cluster is
    inside; half of it is booked on each arm, so read the arms through `difference` and `lift` alone. df is G - 2.

    >>> same = ClusterSums(np.array([2.0, 4, 6]), np.array([2.0, 2, 2]))
    >>> more = ClusterSums(np.array([3.0, 5, 7]), np.array([2.0, 2, 2]))
    >>> c, t = crossed_arms(same, more)  # each cluster gains exactly .5 per unit: its level cancels
    >>> float(t.value - c.value), float(c.var + t.var)
    (0.5, 0.0)
    """
    if len(control) != len(treatment):
        raise InputError("crossed arms list the same clusters", rule="one position for one cluster in both arms")
    g = len(control)
    nothing = np.asarray(np.nan)
    n = np.asarray(g / 2)
    totals = [float(arm.sizes.sum()) for arm in (control, treatment)]
    if g < 3 or not all(totals) or sum(totals) <= 2:
        return Arm(n, np.asarray(control.value), nothing, nothing), Arm(
            n, np.asarray(treatment.value), nothing, nothing
        )
    units = sum(totals)
    factor = g / (g - 1) * (units - 1) / (units - 2)
    c, t = ((arm.sums - arm.value * arm.sizes) / total for arm, total in zip((control, treatment), totals, strict=True))
    gap = np.asarray(factor * float((t - c) @ (t - c)) * g / 4)
    base, shared = factor * float(c @ c), factor * float(c @ t)
    first = Arm(
        n,
        np.asarray(control.value),
        gap,
        nothing,
        baseline=np.asarray(control.value),
        baseline_var=np.asarray(base * g / 2),
        baseline_cov=np.asarray((base - shared) * g / 2),
    )
    return first, Arm(n, np.asarray(treatment.value), gap, nothing)


def _variance(arm: ClusterSums, reduced: bool) -> float:
    total = float(arm.sizes.sum())
    if not total:
        return float("nan")
    residual = arm.sums - arm.value * arm.sizes
    if reduced:
        room = 1 - arm.sizes / total
        residual = np.where(room > 0, residual / np.sqrt(np.where(room > 0, room, 1.0)), 0.0)
    return float(residual @ residual) / total**2


def _traces(arm: ClusterSums) -> tuple[float, float]:
    """tr(P) and tr(P^2) of the arm's CR2 variance as a quadratic form in iid unit errors.

    P_gh = (d_gh n_g - n_g n_h / N) / (N^2 sqrt(1 - n_g/N) sqrt(1 - n_h/N)).
    """
    total = float(arm.sizes.sum())
    if not total:
        return 0.0, 0.0
    share = arm.sizes / total
    room = 1 - share
    kept = room > 0
    off = np.where(kept, share**2 / np.where(kept, room, 1.0), 0.0)
    diagonal = (share[kept] / total) ** 2
    return float(share[kept].sum()) / total, float(diagonal.sum() + (off.sum() ** 2 - (off**2).sum()) / total**2)
