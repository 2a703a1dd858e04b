"""Twyman's law: any figure that looks interesting or different is usually wrong."""

from __future__ import annotations

from paribus.charts.numbers import number
from paribus.experiments.checks.subject import Subject, answer
from paribus.experiments.plan import Prior
from paribus.experiments.result import Check
from paribus.stats.estimate import Estimate

NAME = "Twyman's law"
MANY_SDS = 3.0
# Beyond chance at any number of metrics, and larger than what is expected of a change.
TINY_P = 1e-8


def look(subject: Subject) -> Check:
    """Warns when an effect is so large that an error of measurement is likelier (Kohavi, Tang, Xu 2020, ch. 3).

    That is: more than three prior standard deviations and shown (p < .001), or more than one at p < 1e-8. Under no
    effect neither happens by chance.
    """
    strange = []
    for comparison in subject.comparisons:
        lift = comparison.relative
        if not isinstance(lift, Estimate):
            continue
        prior = subject.design.plan.priors.get(comparison.metric, Prior())
        sds = abs(lift.value - prior.mean) / prior.sd
        p = lift.p_value
        if (sds > MANY_SDS and p < 0.001) or (sds > 1 and p < TINY_P):
            strange.append((sds, comparison.metric, comparison.treatment.variant, lift.value))
    if not strange:
        return answer(NAME, "warning", False, "no effect is too good, or too bad, to be true")
    _, metric, arm, value = max(strange)
    sentence = (
        f"{metric} in {arm} moved by {number(value, unit='percent', signed=True)}, more than changes do: look for an "
        "error of measurement first"
    )
    return answer(NAME, "warning", True, sentence, evidence={"metrics": sorted({s[1] for s in strange})})
