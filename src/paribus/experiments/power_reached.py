"""How much a result could have seen: information reached of what was planned, and the effect that would be shown now.

The detectable effect is the method's own: the reach of its boundary at this look (a sequence that holds at all times
reaches further than a fixed test), after covariates, with the family's correction, plus the room that the plan's power
asks for. Under a Bayesian plan it is the effect whose posterior would decide for it, under the sealed prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf, isclose, sqrt
from typing import Any

from paribus.charts.numbers import Unit, count, number, share
from paribus.experiments.effects import N_OPT
from paribus.experiments.result import Comparison, Result, VerdictValue
from paribus.metrics.definition import SHARES, Role
from paribus.stats.anytime import AsymptoticSequence, tuned_rho
from paribus.stats.bayes import normal_posterior
from paribus.stats.estimate import Estimate, Undetermined
from paribus.stats.sequential_power import additional_units_factor


@dataclass(frozen=True, slots=True)
class Reached:
    """One success metric in one treatment arm.

    units          of both arms that the effect is computed from: their windows have closed
    planned_units  of the same two arms at the plan's end; None where the plan names none
    information    reached of planned, 1 at the plan's end; information per unit is that of the data
    detectable     smallest true effect that would be shown now with the plan's power; None where nothing can be read
    is_relative    whether it is relative to control's value
    power          the plan's
    is_only_arm    whether control is compared with this arm alone, so that it needs no name
    worthwhile     the plan's smallest worthwhile effect, relative
    needed_units   of both arms, with which a new plan of this kind would show it; None unless this one ended open
    """

    metric: str
    arm: str
    units: int
    planned_units: int | None
    information: float | None
    detectable: float | None
    is_relative: bool
    power: float
    is_share: bool = False
    is_only_arm: bool = True
    worthwhile: float | None = None
    needed_units: int | None = None

    @property
    def words(self) -> str:
        """The detectable effect for people."""
        unit: Unit = "percent" if self.is_relative else "points" if self.is_share else "number"
        return "nothing" if self.detectable is None else f"±{number(self.detectable, unit=unit)}"

    @property
    def sentence(self) -> str:
        """Units of those planned, and what they can show."""
        what = self.metric if self.is_only_arm else f"{self.metric} in {self.arm}"
        of = f" of {count(self.planned_units)} planned" if self.planned_units else ""
        reached = f" ({share(self.information)} of the information)" if self.information is not None else ""
        if self.detectable is None:
            return f"{what}: {count(self.units)}{of} units{reached}; they determine no effect."
        needed = ""
        if self.needed_units is not None and self.worthwhile is not None:
            # What was seen has decided whether to go on, so its units cannot count again.
            needed = (
                f" To show ±{number(self.worthwhile, unit='percent')} a new plan, sealed before its own data, needs "
                f"{count(self.needed_units)} units."
            )
        return (
            f"{what}: {count(self.units)}{of} units{reached}; a true effect of {self.words} would be shown now "
            f"with {self.power:.0%} power.{needed}"
        )


def reached(result: Result) -> tuple[Reached, ...]:
    """Every success metric in every treatment arm, in the result's order; nothing while effects are hidden."""
    if any(check.severity == "blocking" and check.status == "failed" for check in result.checks):
        return ()
    found = []
    arms = {c.treatment.variant for c in result.comparisons}
    for c in result.comparisons:
        if c.role is not Role.SUCCESS or c.method == "not read":
            continue
        units = c.control.units + c.treatment.units
        planned = _planned(result, c)
        detectable = c.detectable if result.method != "bayesian" else _by_posterior(result, c)
        factor = more_units(result, c, detectable)
        found.append(
            Reached(
                metric=c.metric,
                arm=c.treatment.variant,
                units=units,
                planned_units=planned,
                information=units / planned if planned else None,
                detectable=detectable,
                is_relative=isinstance(c.relative, Estimate),
                power=float(_plan(result, "power") or 0.8),
                is_share=c.type in SHARES,
                is_only_arm=len(arms) == 1,
                worthwhile=(_plan(result, "smallest_worthwhile") or {}).get(c.metric),
                needed_units=ceil(units * (1 + factor)) if factor else None,
            )
        )
    return tuple(found)


def more_units(result: Result, c: Comparison, detectable: float | None) -> float | None:
    """How many times the present units a comparison lacks for the plan's power at the smallest worthwhile effect.

    Told only where the plan is over and left the metric open, and where its method has a closed answer: one reading
    at the end, an anytime-valid sequence, or a posterior whose interval decides. 0 where they suffice.
    """
    from scipy.special import ndtr, ndtri

    worth, power = (_plan(result, "smallest_worthwhile") or {}).get(c.metric), float(_plan(result, "power") or 0.8)
    open_at_end = result.verdict.value is VerdictValue.ITERATE and c.conclusion == "inconclusive"
    if not (open_at_end and worth and detectable and isinstance(c.relative, Estimate)):
        return None
    se = c.absolute.se / abs(c.control.value) if isinstance(c.absolute, Estimate) and c.control.value else 0.0
    alpha, more = 1 - result.confidence_level, _Reading()
    if result.method == "bayesian":
        if c.posterior is None or _plan(result, "loss_threshold") is not None:
            return None
        se = _data_se(c.posterior)
        good = 1.0 if c.direction == "increase" else -1.0
        more = _Reading(prior=(good * c.posterior["prior_mean"], c.posterior["prior_sd"] ** 2))
    elif not se > 0:
        return None
    else:
        # How far the interval reaches in standard errors, with what the family's correction left to this comparison.
        reach = detectable / se - float(ndtri(power))
        if result.method == "fixed":
            alpha = float(2 * ndtr(-reach))
        elif (sequence := _sequence(result, c, se, reach)) is not None:
            more = sequence
        else:
            return None
    if not (se > 0 and 0 < alpha < power):
        return None
    factor = additional_units_factor(
        se, float(worth), power=power, alpha=alpha, n=more.n, n_opt=more.n_opt, tests=more.tests, prior=more.prior
    )
    return None if isinstance(factor, Undetermined) else factor


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a method adds to effect, error and power."""

    n: float | None = None
    n_opt: float | None = None
    tests: int = 1
    prior: tuple[float, float] | None = None


def _sequence(result: Result, c: Comparison, se: float, reach: float) -> _Reading | None:
    """The anytime-valid sequence that reached so far, None where it is another one (of clusters, by a graph)."""
    if result.method != "anytime":
        return None
    alpha = 1 - result.confidence_level
    tests = sum(each.role is Role.SUCCESS for each in result.comparisons)
    n = float(c.control.units + c.treatment.units)
    n_opt = float(_plan(result, "n_opt") or _plan(result, "planned_units") or N_OPT)
    n_opt *= (tuned_rho(1.0, alpha / tests) / tuned_rho(1.0, alpha)) ** 2
    told = float(AsymptoticSequence(n_opt, 1 - alpha / tests).radius(se, n, inf)) / se
    return _Reading(n, n_opt, tests) if isclose(told, reach, rel_tol=1e-6) else None


def _data_se(posterior: dict[str, float]) -> float:
    """The estimate's own standard error under a posterior: what the prior's precision leaves."""
    return 1 / sqrt(1 / posterior["sd"] ** 2 - 1 / posterior["prior_sd"] ** 2)


def _planned(result: Result, c: Comparison) -> int | None:
    """Units of both arms at the plan's end: their weights' part of all that are planned."""
    whole = _plan(result, "planned_units")
    weights = {v["name"]: float(v["weight"]) for v in result.plan.get("variants") or ()}
    if not whole or not weights:
        return None
    pair = weights.get(c.control.variant, 0.0) + weights.get(c.treatment.variant, 0.0)
    return round(float(whole) * pair / sum(weights.values()))


def _by_posterior(result: Result, c: Comparison) -> float | None:
    """The relative effect that a Bayesian plan would decide for now, with the plan's power.

    The estimate that just decides is found first (its expected loss meets the threshold, or its credible interval
    leaves zero); the true effect lies above it by the room of the power.
    """
    from scipy.special import ndtri

    read = c.posterior
    if read is None or not read["sd"] > 0 or read["sd"] >= read["prior_sd"]:
        return None
    se = _data_se(read)
    good = 1.0 if c.direction == "increase" else -1.0
    threshold = _plan(result, "loss_threshold")

    def decides(estimate: float) -> bool:
        posterior = normal_posterior(estimate, se, prior_mean=good * read["prior_mean"], prior_sd=read["prior_sd"])
        if threshold is None:
            return bool(posterior.interval(result.confidence_level)[0] > 0)
        return bool(posterior.mean > 0) and bool(posterior.expected_loss()[0] <= float(threshold))

    high = se
    while not decides(high):
        high *= 2
        if high > 1e6 * se:
            return None
    low = -high
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    power = float(_plan(result, "power") or 0.8)
    size = high + float(ndtri(power)) * se
    return size if 0 < size < inf else None


def _plan(result: Result, name: str) -> Any:
    inner = result.plan.get("plan")
    return inner.get(name) if isinstance(inner, dict) else result.plan.get(name)
