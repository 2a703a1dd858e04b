"""Units that met several variants."""

from __future__ import annotations

from paribus.charts.numbers import share
from paribus.experiments.checks.rates import rate_difference_p
from paribus.experiments.checks.subject import ALPHA, Subject, answer, by_arm
from paribus.experiments.phrases import agreeing, counted, p_words
from paribus.experiments.result import Check
from paribus.metrics.cells import UNKNOWN_FIRST

NAME = "multiple exposure"
# From this share of units on, exclusion alone is worth a warning.
MANY = 0.01


def look(subject: Subject) -> Check:
    """Units in several variants are left out; that blocks when it happens more in one arm than in another.

    The rate is by the first variant met: units that leave one arm more often than another leave arms that are not
    comparable any more (statistics.md, mistake 16).
    """
    mixed = {name: subject.counts.mixed_units.get(name, 0) for name in subject.variants}
    unknown = subject.counts.mixed_units.get(UNKNOWN_FIRST, 0)
    total = sum(mixed.values())
    if unknown and not total:
        left_out = f"{counted(unknown, 'unit')} met several variants and {agreeing(unknown, 'are')} left out"
        said = f"{left_out}; which they met first is not known, so no rates by arm can be compared"
        return answer(NAME, "blocking", None, said, evidence={"mixed_units": {UNKNOWN_FIRST: unknown}})
    met = {name: subject.counts.units.get(name, 0) + n for name, n in mixed.items()}
    if not total:
        return answer(NAME, "blocking", False, "no unit met several variants")
    p = rate_difference_p(mixed, met, subject.design.control)
    left_out = (
        f"{counted(total + unknown, 'unit')} met several variants and {agreeing(total + unknown, 'are')} left out, "
        "by the first one met: "
    )
    left_out += by_arm([*mixed.items(), *([("unknown", unknown)] if unknown else [])])
    evidence = {"mixed_units": mixed, "share": (total + unknown) / max(sum(met.values()) + unknown, 1)}
    if p < ALPHA:
        return answer(NAME, "blocking", True, f"{left_out}; the rates differ ({p_words(p)})", p, evidence)
    return answer(NAME, "blocking", False, f"{left_out}; the rates do not differ ({p_words(p)})", p, evidence)


def look_share(subject: Subject) -> Check:
    """Warns when many units are left out, even if alike in all arms: something assigns twice."""
    mixed = sum(subject.counts.mixed_units.values())
    total = mixed + sum(subject.counts.units.values())
    part = mixed / total if total else 0.0
    sentence = f"{share(part)} of the units met several variants"
    return answer("share with multiple exposure", "warning", part > MANY, sentence, evidence={"share": part})
