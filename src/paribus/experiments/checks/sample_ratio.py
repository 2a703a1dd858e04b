"""Did each arm get its share of the units?

One error of alpha = .001 over the experiment's life (`plan.srm_alpha`), though the check is read every day:

- Until the planned end a Dirichlet-multinomial e-process per epoch (Lindon, Malek 2022), multiplied over epochs and
  looked at after every cohort day, may block at 5% of alpha: gross failures are found at once.
- At the end the exact test (chi-square for three arms or more) has the other 95%: at z = 3.31 for 3.29, it finds a
  small loss with practically the power of an exact test that nobody looked at before.
- Without a planned end a registered sequential plan gives all of alpha to the e-process, and an unregistered reading
  all of it to the exact test, which is then read once.

The probabilities are those that the exposures of an epoch say they were drawn with, else the planned weights.

With several epochs a quarter of the end's share goes to the epochs one by one, against their own probabilities. Where
units met several variants, first exposures are tested as well as units analyzed, at half of alpha each: leaving out
must not hide what happened at assignment.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from paribus.charts.numbers import share
from paribus.experiments.checks.subject import Subject, answer
from paribus.experiments.epochs import split_of
from paribus.experiments.phrases import counted, listing, p_words
from paribus.experiments.plan import Method
from paribus.experiments.result import Check
from paribus.stats.estimate import Floats
from paribus.stats.srm import life_p_value, sample_ratio_test, sequential_sample_ratio_epochs

NAME = "sample ratio"
AT_END = 0.95
BY_EPOCH = 0.25


def look(subject: Subject) -> Check:
    """Blocks when the units by arm do not fit the split of their epochs."""
    if not subject.design.split_declared and not subject.counts.probabilities:
        return answer(NAME, "blocking", None, "nobody declared how the units were to be split: no ratio can be tested")
    names, _ = split(subject)
    units = np.array([subject.counts.units.get(name, 0) for name in names], dtype=np.float64)
    if units.sum() == 0:
        return answer(NAME, "blocking", None, "there are no units")
    by_epoch = cumulative(subject.counts.by_day, names)
    epochs = list(by_epoch)
    weights = [weights_of(subject, epoch) for epoch in epochs] or [weights_of(subject, None)]
    last = [by_epoch[epoch][-1] for epoch in epochs] or [units]
    expected = np.sum([n.sum() * w for n, w in zip(last, weights, strict=True)], axis=0)
    pooled = expected / expected.sum()
    is_one = all(np.allclose(w, weights[0]) for w in weights)
    p = _over_life(subject, units, list(by_epoch.values()), weights, is_one)
    mixed = np.array([subject.counts.mixed_units.get(name, 0) for name in names], dtype=np.float64)
    if mixed.any() and subject.ended:
        p = min(1.0, 2 * min(p, at_end(units + mixed, pooled)))
    failed = p <= subject.design.plan.srm_alpha
    expected = units.sum() * pooled
    planned = f"split of {_parts(weights[0])}" if is_one else f"splits of their {len(weights)} epochs"
    shown = listing([f"{counted(n, 'unit')} in {name}" for name, n in zip(names, units, strict=True)])
    sentence = f"{shown} {'do not fit' if failed else 'fit'} the planned {planned} ({p_words(p)})"
    if failed:
        # Units get lost more often than they appear: of two arms equally far off, the one with fewer is named.
        off = (units - expected) / np.sqrt(expected)
        worst = int(np.argmax(np.round(np.abs(off), 9) + 1e-6 * (off < 0)))
        gap = units[worst] / expected[worst] - 1
        sentence += f": {share(abs(gap))} {'more' if gap > 0 else 'fewer'} in {names[worst]} than expected"
    return answer(NAME, "blocking", failed, sentence, p, {"units": units.tolist(), "expected": expected.tolist()})


def _parts(weights: Floats) -> str:
    return ":".join(f"{100 * w:.4g}" for w in weights)


def weights_of(subject: Subject, epoch: str | None) -> Floats:
    """The shares of the variants in an epoch: as its exposures say, where all say one number, else as planned."""
    names, planned = split(subject)
    known = split_of(subject.counts.probabilities, epoch, names)
    return planned if known is None else known


def split(subject: Subject) -> tuple[tuple[str, ...], Floats]:
    """The variants with a share of the units, and their shares."""
    declared = [(variant.name, variant.weight) for variant in subject.design.variants if variant.weight > 0]
    weights = np.array([weight for _, weight in declared])
    return tuple(name for name, _ in declared), weights / weights.sum()


def at_end(units: Floats, weights: Floats) -> float:
    """P-value of the units at a single reading: exact for two arms, else chi-square."""
    if units.sum() == 0 or len(units) < 2:
        return 1.0
    return float(sample_ratio_test(units, weights, method="binomial" if len(units) == 2 else "chi2").p_value)


def _over_life(subject: Subject, units: Floats, by_epoch: list[Floats], weights: list[Floats], is_one: bool) -> float:
    """The p-value over the experiment's life; at most alpha with probability alpha, however often it is read."""
    watched = 1.0
    if by_epoch or not subject.ended:
        watched = float(sequential_sample_ratio_epochs(by_epoch or [units[None, :]], weights).p_value[-1])
    if not subject.horizon:
        is_sequential = subject.design.plan.method is not Method.FIXED
        return watched if is_sequential else _at_end(units, by_epoch, weights, is_one)
    if not subject.ended:
        return float(life_p_value(watched, 1.0, end_share=AT_END))
    end = _at_end(units, by_epoch, weights, is_one)
    return float(life_p_value(watched, end, end_share=AT_END)) if by_epoch else end


def _at_end(units: Floats, by_epoch: list[Floats], weights: list[Floats], is_one: bool) -> float:
    """The p-value of all units where the epochs share one split, and of each epoch where there are several."""
    if len(by_epoch) < 2:
        return at_end(units, weights[0])
    worst = min(at_end(epoch[-1], own) for epoch, own in zip(by_epoch, weights, strict=True))
    if not is_one:  # units of several splits together have no multinomial distribution
        return min(1.0, worst * len(by_epoch))
    return min(1.0, at_end(units, weights[0]) / (1 - BY_EPOCH), worst * len(by_epoch) / BY_EPOCH)


def cumulative(by_day: Mapping[tuple[str | None, str, str], int], names: tuple[str, ...]) -> dict[str | None, Floats]:
    """Units by epoch: cumulative counts after every day of the experiment, axes (day, variant)."""
    days = sorted({day for _, day, _ in by_day})
    place = {day: i for i, day in enumerate(days)}
    column = {name: i for i, name in enumerate(names)}
    found: dict[str | None, Floats] = {}
    for (epoch, day, variant), n in by_day.items():
        if variant in column:
            found.setdefault(epoch, np.zeros((len(days), len(names))))[place[day], column[variant]] += n
    return {epoch: counts.cumsum(axis=0) for epoch, counts in found.items()}
