"""E-values: evidence that can be multiplied, averaged and stopped at will.

An e-value has expected value at most 1 under the null hypothesis, so it exceeds 1 / alpha with probability at most
alpha (Vovk, Wang 2021; Ramdas, Grunwald, Vovk, Shafer 2023). Also here: two published boundaries that are not e-values,
kept so that their readings can be reproduced.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.errors import InputError
from paribus.stats.estimate import Alternative, Floats


@dataclass(frozen=True, slots=True, eq=False)
class EBH:
    """Which hypotheses the e-BH procedure rejects, shape (m,)."""

    rejected: NDArray[np.bool_]

    @property
    def count(self) -> int:
        return int(self.rejected.sum())

    @property
    def positions(self) -> list[int]:
        """Ranks of the rejected hypotheses in the input, the first is 1."""
        return [i for i, is_rejected in enumerate(self.rejected, start=1) if is_rejected]


def e_bh(e: ArrayLike, alpha: float = 0.05) -> EBH:
    """The e-BH procedure: false discovery rate at most alpha under any dependence (Wang, Ramdas 2022).

    Rejects the k largest e-values, with the largest k such that the k-th largest is at least m / (alpha k).

    >>> e_bh([870.28, 15.29, 1.0], 0.05).positions
    [1]
    """
    values = np.asarray(e, dtype=np.float64)
    if (values < 0).any():
        raise InputError("e-values are not negative")
    m = len(values)
    order = np.argsort(-values, kind="stable")
    enough = np.flatnonzero(np.arange(1, m + 1) * values[order] * alpha >= m)
    rejected = np.zeros(m, dtype=np.bool_)
    if len(enough):
        rejected[order[: enough[-1] + 1]] = True
    return EBH(rejected)


def e_to_p(e: ArrayLike) -> Floats:
    """The p-value min(1, 1 / e), the only admissible calibrator from e to p."""
    with np.errstate(divide="ignore"):
        return np.minimum(1.0, 1.0 / np.asarray(e, dtype=np.float64))


def p_to_e(p: ArrayLike, kappa: float | None = None) -> Floats:
    """An e-value from a p-value: kappa p^(kappa - 1), or for None its mixture over kappa (Vovk, Wang 2021, eqs. 1, 2).

    >>> p_to_e(0.01, 0.5).item()
    5.0
    """
    p = np.asarray(p, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        if kappa is not None:
            if not 0 < kappa < 1:
                raise InputError(f"kappa is {kappa}", rule="0 < kappa < 1")
            return np.asarray(kappa * p ** (kappa - 1))
        log_p = np.log(p)
        mixed = (1 - p + p * log_p) / (p * log_p**2)
        return np.where(p == 0, np.inf, np.where(1 - p < 1e-6, 0.5, mixed))


def e_average(e: ArrayLike, weights: ArrayLike | None = None, axis: int = -1) -> Floats:
    """Weighted mean of e-values (or of e-processes look by look): an e-value under any dependence."""
    values = np.asarray(e, dtype=np.float64)
    if weights is not None and not np.isclose(np.sum(weights), 1.0):
        raise InputError("weights of e-values must be fixed beforehand and sum to 1")
    shares = None if weights is None else np.asarray(weights, dtype=np.float64)
    return np.asarray(np.average(values, axis=axis, weights=shares))


def e_product(e: ArrayLike, axis: int = -1) -> Floats:
    """Product of e-values from independent (or sequentially dependent) data: an e-value."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(np.log(np.asarray(e, dtype=np.float64)).sum(axis=axis)))


def error_share_log_e(
    control: ArrayLike,
    treatment: ArrayLike,
    *,
    treatment_share: float = 0.5,
    tolerated_ratio: float = 1.0,
    prior_events: float = 10.0,
    alternative: Alternative = "greater",
) -> Floats:
    """Logarithm of the e-process for events (errors, crashes) in treatment against control, from counts alone.

    With units entering at random, each event falls in the treatment arm with probability `treatment_share` if the
    rates are equal, whatever they are and however they move in time. The e-process mixes over the share of events in
    treatment with a beta distribution worth `prior_events`, truncated to the alternative. Read it after any event.

    Args:
        control: events in control so far.
        treatment: events in treatment so far.
        treatment_share: probability that a unit is in the treatment arm.
        tolerated_ratio: rate in treatment over rate in control under the null ("greater": at most this ratio).
        prior_events: how many events the prior is worth.
        alternative: "greater" for harm, "less", or "two-sided".

    >>> log_e = error_share_log_e(0, 3, prior_events=2, alternative="two-sided")    # uniform prior: (1/4) / (1/2)^3
    >>> round(float(np.exp(log_e)), 12)
    2.0
    """
    from scipy.special import betainc, betaincc, betaln

    if not 0 < treatment_share < 1 or not tolerated_ratio > 0 or not prior_events > 0:
        raise InputError("treatment_share lies in (0, 1); tolerated_ratio and prior_events are positive")
    c, t = np.asarray(control, dtype=np.float64), np.asarray(treatment, dtype=np.float64)
    odds = tolerated_ratio * treatment_share / (1 - treatment_share)
    null = odds / (1 + odds)
    a, b = prior_events * null, prior_events * (1 - null)
    log_e = betaln(a + t, b + c) - betaln(a, b) - t * np.log(null) - c * np.log1p(-null)
    if alternative == "two-sided":
        return np.asarray(log_e)
    tail = betaincc if alternative == "greater" else betainc
    with np.errstate(divide="ignore"):
        return np.asarray(log_e + np.log(tail(a + t, b + c, null)) - np.log(tail(a, b, null)))


def error_rates_log_e(
    control_events: ArrayLike,
    control_units: ArrayLike,
    treatment_events: ArrayLike,
    treatment_units: ArrayLike,
    *,
    prior: tuple[float, float] = (0.5, 0.5),
    alternative: Alternative = "greater",
) -> Floats:
    """Logarithm of the beta-binomial e-process for two rates: each arm's own mixture over the best common rate.

    Valid for any split of the units (universal inference: Wasserman, Ramdas, Balakrishnan 2020), so it serves where
    `error_share_log_e` cannot because units do not enter at random. It is the weaker of the two.

    Args:
        control_events: events in control so far.
        control_units: units in control so far.
        treatment_events: events in treatment so far.
        treatment_units: units in treatment so far.
        prior: parameters of the beta mixture in each arm.
        alternative: "greater" when the rate in treatment is suspected to be higher; the null is then "not higher".
    """
    from scipy.special import betaln, xlogy

    arrays = (control_events, control_units, treatment_events, treatment_units)
    x_c, n_c, x_t, n_t = (np.asarray(a, dtype=np.float64) for a in arrays)
    if ((x_c > n_c) | (x_t > n_t)).any():
        raise InputError("more events than units")

    def mixture(x: Floats, n: Floats) -> Floats:
        return np.asarray(betaln(prior[0] + x, prior[1] + n - x) - betaln(*prior))

    def best(x: Floats, n: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = np.where(n > 0, x / n, 0.0)
        return np.asarray(xlogy(x, rate) + xlogy(n - x, 1 - rate))

    apart, common = best(x_c, n_c) + best(x_t, n_t), best(x_c + x_t, n_c + n_t)
    if alternative == "two-sided":
        null = common
    else:
        with np.errstate(invalid="ignore", divide="ignore"):
            sign = 1 if alternative == "greater" else -1
            beyond = sign * (x_t * n_c - x_c * n_t) > 0
        null = np.where(beyond, common, apart)
    return np.asarray(mixture(x_c, n_c) + mixture(x_t, n_t) - null)


def random_walk_crossing(n: int, barrier: int) -> float:
    """Probability that a fair random walk reaches +barrier within n steps (reflection principle: Feller, ch. III.7).

    It is the type I error of Evan Miller's simple sequential test (2015): count conversions T and C in equal arms,
    and stop when T - C reaches the barrier before T + C reaches n.

    >>> random_walk_crossing(2, 1)    # up at once, or not after down: 1/2
    0.5
    """
    from scipy.special import bdtrc

    if n < 1 or barrier < 1:
        raise InputError(f"{n} steps to a barrier at {barrier}", rule="both are at least 1")
    # The walk is at 2 * ups - n. P(max >= b) = P(end >= b) + P(end > b).
    at_least = bdtrc((n + barrier + 1) // 2 - 1, n, 0.5)
    beyond = bdtrc((n + barrier) // 2, n, 0.5)
    return float(at_least + beyond)


def evan_miller_barrier(n: int, sides: int = 1) -> int:
    """Evan Miller's barrier: 2 sqrt(n) one-sided, 2.25 sqrt(n) two-sided, rounded up (for alpha about .05)."""
    return int(np.ceil((2.0 if sides == 1 else 2.25) * np.sqrt(n)))
