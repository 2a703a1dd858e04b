"""Guardrails against their margins by other tests; one-sided, at half the error of a two-sided interval."""

from __future__ import annotations

import numpy as np

from paribus.experiments.guardrails import null_of
from paribus.experiments.sensitivity.pair import Found, Pair
from paribus.metrics.definition import Role
from paribus.stats.anytime import AsymptoticSequence
from paribus.stats.arm import bernoulli
from paribus.stats.boundary import Fixed
from paribus.stats.domain import within_domain
from paribus.stats.estimate import Alternative, Reason, Undetermined
from paribus.stats.margin import noninferiority
from paribus.stats.proportion import farrington_manning
from paribus.stats.two_proportions import proportion_difference_interval


def margins(pair: Pair) -> Found:
    """Welch's test, for shares also with variance p (1 - p) and by the score test of a difference.

    The score test is about a difference: a relative margin is brought to it by control's share, as if that were known.
    """
    if pair.metric.role is not Role.GUARDRAIL:
        return
    metric, margin = pair.metric, pair.metric.margin or 0.0
    relative = not metric.margin_absolute
    once = Fixed(1 - pair.alpha / 2)
    arms = [("Welch", pair.arms, False)]
    x_c, n_c, x_t, n_t = pair.table if pair.is_share else (0.0, 0.0, 0.0, 0.0)
    if pair.is_share and not pair.has_few_events:
        arms.append(("p (1 - p)", (bernoulli(n_c, x_c), bernoulli(n_t, x_t)), True))
    for name, (control, treatment), normal in arms:
        found = noninferiority(
            control,
            treatment,
            margin=margin,
            relative=relative,
            direction=metric.direction,
            boundary=once,
            normal=normal,
        )
        found = within_domain(found, "welch", *pair.arms)
        yield f"{_named(pair)}, {name}", "lift" if relative else "difference", found
    if pair.is_share:
        yield from _score(pair)


def margins_always(pair: Pair) -> Found:
    """The same question at any look, by the asymptotic sequence."""
    if pair.metric.role is not Role.GUARDRAIL:
        return
    found = noninferiority(
        *pair.arms,
        margin=pair.metric.margin or 0.0,
        relative=not pair.metric.margin_absolute,
        direction=pair.metric.direction,
        boundary=AsymptoticSequence(pair.n_opt, 1 - pair.alpha / 2),
        normal=True,
    )
    found = within_domain(found, "welch", *pair.arms)
    yield f"{_named(pair)}, any look", "difference" if pair.metric.margin_absolute else "lift", found


def _score(pair: Pair) -> Found:
    x_c, n_c, x_t, n_t = pair.table
    share = x_c / n_c
    null = null_of(pair.metric) * (1.0 if pair.metric.margin_absolute else share)
    name = f"margin {abs(null):.2g}, Farrington–Manning"
    if pair.has_few_events:
        yield name, "difference", Undetermined(Reason.TOO_FEW_EVENTS)
        return
    alternative: Alternative = "greater" if pair.is_increase else "less"
    test = farrington_manning(x_c, n_c, x_t, n_t, null=null, alternative=alternative)
    # Mee's limits are where this test's statistic takes the critical values.
    low, high = proportion_difference_interval(*pair.table, level=pair.level, method="mee")
    lower, upper = (float(low), np.inf) if pair.is_increase else (-np.inf, float(high))
    p = float(test.p_value)
    yield name, "difference", pair.interval(x_t / n_t - share, lower, upper, name, p, alternative)


def _named(pair: Pair) -> str:
    margin = pair.metric.margin or 0.0
    return f"margin {margin:.3g}" if pair.metric.margin_absolute else f"margin {100 * margin:.3g}%"
