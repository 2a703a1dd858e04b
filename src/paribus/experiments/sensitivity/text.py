"""A sensitivity analysis in words, 80 columns wide."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

import numpy as np

from paribus.charts import numbers
from paribus.experiments.phrases import p_words
from paribus.experiments.sensitivity.findings import (
    Chance,
    Choice,
    Crossing,
    Family,
    LaterLooks,
    OtherReading,
    Sensitivity,
    SplitOverTime,
    Worth,
)
from paribus.stats.estimate import Undetermined

_WIDTH = 33  # of a method's name
_SIGNS = ("=", "<", ">")
_SMALLEST = 1e-6  # of a share that is written


def lines(found: Sensitivity) -> Iterator[str]:
    """The readings by comparison, then what stands beside them."""
    yield "The same data by other methods, each comparison by itself. The sealed plan"
    yield "decides; nothing here can change that. * holds at any look"
    before = ("", "")
    for r in found.readings:
        if (r.metric, r.treatment) != before:
            before = (r.metric, r.treatment)
            yield ""
            yield from _wrapped(f"{r.metric}, {r.treatment}: {100 * found.level:g}% intervals")
        line = f"{'*' if r.at_any_time else ' '} {r.method[:_WIDTH]:<{_WIDTH}} {_shown(r)}".rstrip()
        yield from [line] if len(line) <= 80 else wrap(line, 80, subsequent_indent=" " * (_WIDTH + 3))
    yield from _crossings(found.crossings)
    yield from _choices(found.choices)
    for w in found.worth:
        yield from _worth(w)
    for later in found.later_looks:
        yield from _later(later)
    if found.family is not None:
        yield from _family(found.family, found.level)
    yield from _chances(found.chances)
    for split in found.splits:
        yield from _split(split, is_only=len(found.splits) == 1)
    if found.units is not None:
        from paribus.experiments.unit_readings.text import lines as of_units

        yield ""
        yield from of_units(found.units)


def _shown(r: OtherReading) -> str:
    e = r.effect
    if isinstance(e, Undetermined):
        return f"undetermined: {e}"
    unit: numbers.Unit = "percent" if r.scale == "lift" else "points" if r.is_share else "number"
    ends = [end for end in (e.lower, e.upper) if np.isfinite(end)]
    width = (e.upper - e.lower) / 4 if len(ends) == 2 else abs(e.value - ends[0]) / 2 if ends else np.nan
    value = numbers.number(e.value, se=width if np.isfinite(width) else None, unit=unit, signed=True)
    p = "" if np.isnan(e.p_value) else p_words(e.p_value)
    interval = "" if np.isnan(e.lower) else numbers.interval(e.lower, e.upper, se=width, unit=unit)
    return f"{value:>10} {interval:>20} {p}"


def _crossings(crossings: tuple[Crossing, ...]) -> Iterator[str]:
    if crossings:
        yield ""
        yield "Events in treatment that show an effect at any look, by the planned split"
    before = ("", "")
    for c in crossings:
        if (c.metric, c.treatment) != before:
            before = (c.metric, c.treatment)
            yield from _wrapped(
                f"{c.metric}, {c.treatment}: {numbers.count(c.observed)} of {numbers.count(c.events)} events in "
                f"treatment, {c.expected:,.1f} expected without an effect"
            )
        few = "no number" if c.few is None else f"{numbers.count(c.few)} or fewer"
        many = "no number" if c.many is None else f"{numbers.count(c.many)} or more"
        yield f"    {c.method:<18} {few}; {many}"


def _choices(choices: tuple[Choice, ...]) -> Iterator[str]:
    if choices:
        yield ""
        yield "Chance that treatment is better, flat priors (average loss by choosing it,"
        yield "by staying with control)"
    for c in choices:
        losses = ", ".join(map(_loss, (c.loss_treatment, c.loss_control)))
        yield f"  {f'{c.metric}, {c.treatment}'[:_WIDTH]:<{_WIDTH}} {_chance(c.chance):>8} ({losses})"


def _loss(loss: float) -> str:
    return numbers.number(loss, unit="points") if loss >= _SMALLEST else "< 0.0001 pp"


def _worth(w: Worth) -> Iterator[str]:
    yield ""
    yield from _wrapped(
        f"{w.metric}, {w.treatment}: were the smallest worthwhile effect of {w.effect:.3g} true, a test like this "
        f"would find it with power {w.power:.2f}, in {w.type_s:.2g} of its findings with the wrong sign, "
        f"{w.exaggeration:.2g} times too large."
    )


def _later(k: LaterLooks) -> Iterator[str]:
    yield ""
    bound, shapes = _bound(k.boundary), (_bound(k.obrien_fleming), _bound(k.pocock))
    yield from _wrapped(
        f"{k.metric}, {k.treatment}: look {k.look} of {k.looks} at {k.statistic:.2f} standard errors (better: "
        f"positive); the plan shows an effect from {bound}, by O'Brien and Fleming's shape it would be {shapes[0]}, by "
        f"Pocock's {shapes[1]}."
    )
    if k.shown:
        yield "An effect is shown already."
        return
    said = f"A later look shows it better with a chance of {_chance(k.chance_as_seen)} if the effect is as seen"
    if k.chance_if_worthwhile is not None:
        said += f", {_chance(k.chance_if_worthwhile)} if it is the smallest worthwhile one"
    yield from _wrapped(f"{said}.")
    if k.rest_must_show is not None:
        unit: numbers.Unit = "points" if k.is_share else "number"
        need, now = (numbers.number(x, unit=unit, signed=True) for x in (k.rest_must_show, k.effect))
        yield from _wrapped(
            f"To be shown better at the end, the {numbers.count(round(k.units_to_come))} units to come must show "
            f"{need} (so far {now})."
        )


def _chance(chance: float | None) -> str:
    return "nothing" if chance is None else numbers.share(min(chance, 1 - 1e-9))


def _bound(z: float) -> str:
    return f"{z:.2f}" if np.isfinite(z) else "no value"


def _family(family: Family, level: float) -> Iterator[str]:
    yield ""
    if family.any_success is not None:
        yield from _wrapped(
            f"That no success metric moved in any arm: {p_words(family.any_success)} (Simes' test of "
            f"{family.hypotheses}; for tests that are independent or positively dependent)."
        )
    named = [f"{m.metric}, {m.treatment} (e = {m.e:.3g})" for m in family.moved if m.survives]
    yield from _wrapped(
        f"* Moved, with {100 * (1 - level):g}% of false discoveries under any dependence (e-BH over "
        f"{len(family.moved)} comparisons): {'; '.join(named) or 'none'}."
    )


def _chances(chances: tuple[Chance, ...]) -> Iterator[str]:
    if chances:
        yield ""
        yield "Chance to be the best arm, flat priors (share in top-two Thompson sampling)"
    for c in chances:
        yield f"  {f'{c.metric}, {c.variant}'[:_WIDTH]:<{_WIDTH}} {c.best:>10.3f} ({c.top_two:.3f})"


def _split(split: SplitOverTime, *, is_only: bool) -> Iterator[str]:
    yield ""
    epoch = "" if is_only or split.epoch is None else f" of epoch {split.epoch}"
    end = f"by {split.days[-1]}, {p_words(split.p_value[-1])}"
    said = f"did not fit since {split.since}" if split.since else "fit the split at every look"
    yield from _wrapped(f"* The units{epoch} counted day by day {said} ({end}).")


def _wrapped(sentence: str) -> Iterator[str]:
    # A number stays with what it is of.
    kept = sentence
    for sign in _SIGNS:
        kept = kept.replace(f" {sign} ", f"\N{NO-BREAK SPACE}{sign}\N{NO-BREAK SPACE}")
    yield from (line.replace("\N{NO-BREAK SPACE}", " ") for line in wrap(kept, 80))
