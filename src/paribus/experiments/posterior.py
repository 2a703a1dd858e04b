"""The Bayesian reading: a sealed normal prior on the relative effect, its posterior, chances and expected losses.

Beside a frequentist deciding method the posterior is a description and touches no conclusion. Where the plan is
Bayesian it decides: a success metric is better when choosing the treatment is expected to lose no more than the plan's
threshold and the posterior mean is good, worse when the chance of harm reaches one minus the deterioration alpha; a
guardrail is judged by its credible interval against the margin. Sequential looks need no correction for coherence, but
their error rates do depend on them: those are simulated when the plan is designed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from paribus.experiments.comparisons import against_margin
from paribus.experiments.family import deterioration_p
from paribus.experiments.plan import Design, Prior
from paribus.experiments.result import Comparison, Conclusion, Quantity
from paribus.metrics.definition import Direction, Role
from paribus.stats.bayes import NormalPosterior, normal_posterior
from paribus.stats.estimate import Estimate, Floats


@dataclass(frozen=True, slots=True)
class _Read:
    """Posteriors of some comparisons, in the order of `at`, with `good` +1 where more is better."""

    at: list[int]
    posterior: NormalPosterior
    good: Floats

    @property
    def chance_better(self) -> Floats:
        above = self.posterior.probability_above(0.0)
        return np.where(self.good > 0, above, 1 - above)

    @property
    def losses(self) -> tuple[Floats, Floats]:
        """Expected loss of choosing the treatment, and of choosing control."""
        up, down = self.posterior.expected_loss()
        return np.where(self.good > 0, up, down), np.where(self.good > 0, down, up)


def with_posteriors(design: Design, comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons with the posterior of their relative effect, where there is an estimate with an error."""
    read = _read(design, comparisons)
    if read is None:
        return tuple(comparisons)
    lower, upper = read.posterior.interval(design.plan.confidence_level)
    chance, (treatment, control) = read.chance_better, read.losses
    rope = design.plan.rope
    inside = None if rope is None else read.posterior.probability_between(*rope)
    out = list(comparisons)
    for j, i in enumerate(read.at):
        prior = _prior(design, comparisons[i].metric)
        described = {
            "mean": float(read.posterior.mean[j]),
            "sd": float(read.posterior.sd[j]),
            "lower": float(lower[j]),
            "upper": float(upper[j]),
            "chance_better": float(chance[j]),
            "loss_treatment": float(treatment[j]),
            "loss_control": float(control[j]),
            "prior_mean": prior.mean,
            "prior_sd": prior.sd,
        }
        if inside is not None:
            described["chance_in_rope"] = float(inside[j])
        out[i] = replace(comparisons[i], posterior=described)
    return tuple(out)


def decided_by_posterior(design: Design, comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The comparisons of a Bayesian plan: credible intervals, and conclusions by loss and chance.

    What is unadjusted stays a frequentist description, by an anytime-valid sequence.
    """
    out = []
    for c in comparisons:
        if c.role is Role.GUARDRAIL and c.margin_absolute and c.posterior is None and _has_error(c.absolute):
            out.append(_by_difference(design, c))
            continue
        if c.posterior is None or not isinstance(c.relative, Estimate):
            out.append(replace(c, conclusion="undetermined", adjusted_p=None, simultaneous=None, margin_p=None))
            continue
        relative = credible(design, c.metric, c.relative)
        scale = abs(c.control.value)
        absolute = replace(
            relative,
            value=relative.value * scale,
            se=relative.se * scale,
            lower=relative.lower * scale,
            upper=relative.upper * scale,
        )
        decided = replace(
            c,
            absolute=absolute,
            relative=relative,
            method=relative.method + (", CUPED" if c.variance_reduction is not None else ""),
            adjusted_p=None,
            simultaneous=None,
            margin_p=None,
            detectable=None,
            required_units=None,
        )
        out.append(replace(decided, conclusion=_concluded(design, decided, c.posterior)))
    return tuple(out)


def _by_difference(design: Design, c: Comparison) -> Comparison:
    """A guardrail with an absolute margin whose relative effect is not determined: few events leave its base open.

    The prior is of relative effects, so the difference is read under a flat one.
    """
    from scipy.special import ndtri

    assert isinstance(c.absolute, Estimate)  # noqa: S101
    reach = float(ndtri((1 + design.plan.confidence_level) / 2)) * c.absolute.se
    absolute = replace(
        c.absolute,
        lower=c.absolute.value - reach,
        upper=c.absolute.value + reach,
        p_value=float("nan"),
        df=float("inf"),
        method="posterior of the difference, flat prior",
    )
    return replace(
        c,
        absolute=absolute,
        method=absolute.method,
        adjusted_p=None,
        simultaneous=None,
        margin_p=None,
        detectable=None,
        required_units=None,
        conclusion=against_margin(c.margin or 0.0, absolute, _good(c.direction)),
    )


def credible(design: Design, metric: str, effect: Estimate) -> Estimate:
    """The posterior of a relative effect as an estimate with its credible interval; it has no p-value."""
    prior = _prior(design, metric)
    posterior = normal_posterior(effect.value, effect.se, prior_mean=prior.mean, prior_sd=prior.sd)
    lower, upper = posterior.interval(design.plan.confidence_level)
    return Estimate(
        value=float(posterior.mean),
        se=float(posterior.sd),
        lower=float(lower),
        upper=float(upper),
        p_value=float("nan"),
        df=float("inf"),
        level=design.plan.confidence_level,
        alternative="two-sided",
        method=f"posterior, {prior.origin}",
    )


def _concluded(design: Design, c: Comparison, posterior: dict[str, float]) -> Conclusion:
    plan = design.plan
    if c.role is Role.GUARDRAIL:
        return against_margin(c.margin or 0.0, c.absolute if c.margin_absolute else c.relative, _good(c.direction))
    low, high = sorted((_good(c.direction) * posterior["lower"], _good(c.direction) * posterior["upper"]))
    good_mean = _good(c.direction) * posterior["mean"] > 0
    if plan.loss_threshold is None:
        better = low > 0
    else:
        better = good_mean and posterior["loss_treatment"] <= plan.loss_threshold
    if better:
        return "better"
    harm = 1 - posterior["chance_better"]
    if harm >= 1 - deterioration_p(design) / 2 if c.role is Role.SUCCESS else high < 0:
        return "worse"
    worth = plan.smallest_worthwhile.get(c.metric)
    if worth is not None and -worth < low and high < worth:
        return "equivalent"
    return "inconclusive"


def _read(design: Design, comparisons: Sequence[Comparison]) -> _Read | None:
    at = [i for i, c in enumerate(comparisons) if _has_error(c.relative)]
    if not at:
        return None
    effects = [comparisons[i].relative for i in at]
    priors = [_prior(design, comparisons[i].metric) for i in at]
    values, errors = (
        np.array([getattr(e, name) for e in effects if isinstance(e, Estimate)]) for name in ("value", "se")
    )
    posterior = normal_posterior(values, errors, prior_mean=[p.mean for p in priors], prior_sd=[p.sd for p in priors])
    return _Read(at, posterior, np.array([_good(comparisons[i].direction) for i in at]))


def _has_error(effect: Quantity) -> bool:
    return isinstance(effect, Estimate) and bool(np.isfinite(effect.se)) and effect.se > 0


def _prior(design: Design, metric: str) -> Prior:
    return design.plan.priors.get(metric, Prior())


def _good(direction: Direction) -> float:
    return 1.0 if direction == "increase" else -1.0
