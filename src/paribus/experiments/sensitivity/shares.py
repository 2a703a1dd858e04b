"""Two shares read once, as a table of counts: intervals, tests, and what a choice costs under flat priors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from paribus.experiments.sensitivity.findings import Choice
from paribus.experiments.sensitivity.pair import Found, Pair
from paribus.stats.bayes import beta_binomial
from paribus.stats.estimate import Reason, Undetermined
from paribus.stats.proportion import TableTest, proportion_test
from paribus.stats.two_proportions import (
    DifferenceMethod,
    RatioMethod,
    proportion_difference_interval,
    risk_ratio_interval,
)

MOST_ENUMERATED = 1_000  # units up to which all tables are enumerated for an exact test


def tables(pair: Pair) -> Found:
    """Two shares: intervals of the difference and of the ratio, and tests of the table of counts."""
    if not pair.is_share:
        return
    x_c, n_c, x_t, n_t = pair.table
    value = x_t / n_t - x_c / n_c
    differences: tuple[tuple[str, DifferenceMethod], ...] = (
        ("Miettinen–Nurminen score", "miettinen_nurminen"),
        ("Mee score", "mee"),
        ("Newcombe hybrid score", "newcombe"),
        ("Wald", "wald"),
        ("Wald, pooled variance", "pooled"),
    )
    for name, method in differences:
        ends = proportion_difference_interval(*pair.table, level=pair.level, method=method)
        yield name, "difference", pair.interval(value, float(ends[0]), float(ends[1]), name)
    ratios: tuple[tuple[str, RatioMethod], ...] = (("Katz log ratio", "katz"), ("Koopman score", "koopman"))
    for name, ratio_method in ratios:
        ratio = risk_ratio_interval(*pair.table, level=pair.level, method=ratio_method, as_lift=True)
        at, low, high = map(float, ratio)
        none = Undetermined(Reason.TOO_FEW_EVENTS)
        yield name, "lift", pair.interval(at, low, high, name) if np.isfinite([at, low, high]).all() else none
    tests: list[tuple[str, TableTest, bool]] = [("chi-square, Yates", "chi2", True), ("likelihood ratio", "g", False)]
    tests.append(("Fisher exact", "fisher", False))
    if n_c + n_t <= MOST_ENUMERATED:
        tests += [("Barnard exact", "barnard", False), ("Boschloo exact", "boschloo", False)]
    for name, test, correction in tests:
        p = float(proportion_test(*pair.table, method=test, correction=correction).p_value)
        yield name, "difference", pair.interval(value, np.nan, np.nan, name, p)


def choices(pair: Pair, treatment: str) -> Iterator[Choice]:
    """What choosing either arm costs if all shares were as likely before; no error rate, whenever it is read."""
    if not pair.is_share or not min(float(pair.control.n), float(pair.treatment.n)) > 0:
        return
    both = beta_binomial(*pair.table)
    higher, lower = float(both.chance_to_win), float(both.chance_to_lose)
    if_higher, if_lower = float(both.loss_control), float(both.loss_treatment)
    if pair.is_increase:
        yield Choice(pair.metric.name, treatment, higher, if_lower, if_higher)
    else:
        yield Choice(pair.metric.name, treatment, lower, if_higher, if_lower)
