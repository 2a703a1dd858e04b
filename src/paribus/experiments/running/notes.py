"""The sentences beside running summaries: what was found, what to mind, and what the numbers rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from paribus.charts.numbers import share
from paribus.experiments.checks.subject import ALPHA
from paribus.experiments.panel.shape import listed
from paribus.experiments.phrases import agreeing, counted, listing, p_words
from paribus.experiments.running.result import RunningComparison

NAMED_FAILURES = 5


def summary(comparisons: Sequence[RunningComparison], level: float, time: str) -> str:
    """What peeking would have shown, whether it lasted, and what the sequence shows."""
    read = [each for each in comparisons if each.checkpoints]
    below = f"p < {f'{1 - level:.4g}'.removeprefix('0')}"
    if not read:
        return "No comparison has a checkpoint at which both arms can be read."
    said = _of_one(read[0], below, time) if len(read) == 1 else _of_many(read, below)
    errors = [each.peeking_error for each in read if each.peeking_error is not None]
    if errors and max(len(each.checkpoints) for each in read) > 1:
        low, high = share(min(errors)), share(max(errors))
        said += (
            f" Without any effect, reading by {below} at every checkpoint finds one with a chance of "
            f"{low if low == high else f'{low} to {high}'}, not {100 * (1 - level):.4g}%."
        )
    return said


def _of_one(one: RunningComparison, below: str, time: str) -> str:
    looks = counted(len(one.checkpoints), "checkpoint")
    if one.naive_first is None:
        peeked = f"Read at each of {looks}, the difference is never shown by {below}."
    else:
        lasted = "that effect is still shown" if one.naive_held else "that effect is no longer shown"
        if one.naive_at_end and not one.naive_held:
            lasted = "the opposite is shown"
        peeked = (
            f"Read at each of {looks} by {below}, this would have been stopped for an effect at {time} "
            f"{one.naive_first}; at the end {lasted}."
        )
    if one.anytime_first is None:
        return f"{peeked} The anytime-valid sequence shows none."
    lost = "" if one.anytime_at_end else ", but its interval at the end holds zero"
    return f"{peeked} The anytime-valid sequence shows an effect from {time} {one.anytime_first} on{lost}."


def _of_many(read: Sequence[RunningComparison], below: str) -> str:
    looks = sorted({len(each.checkpoints) for each in read})
    span = counted(looks[0], "checkpoint") if len(looks) == 1 else f"{looks[0]:,} to {looks[-1]:,} checkpoints"
    naive = [each for each in read if each.naive_first is not None]
    held = sum(bool(each.naive_held) for each in naive)
    turned = sum(each.naive_at_end and not each.naive_held for each in naive)
    opposite = f", {turned:,} {agreeing(turned, 'show')} the opposite" if turned else ""
    valid = [each for each in read if each.anytime_first is not None]
    lost = sum(not each.anytime_at_end for each in valid)
    but = f", of which {lost:,} at the end {agreeing(lost, 'have')} an interval that holds zero" if lost else ""
    return (
        f"{counted(len(read), 'comparison')}, {span} each. Read at every checkpoint by {below}, {len(naive):,} would "
        f"have been stopped for an effect; at the end {held:,} of these still {agreeing(held, 'show')} it{opposite}. "
        f"The anytime-valid sequence shows an effect in {len(valid):,}{but}."
    )


def warnings(comparisons: Sequence[RunningComparison], split: Mapping[str, float] | None) -> tuple[str, ...]:
    """Arms that did not get their share of the units."""
    failed: dict[tuple[int, int], tuple[RunningComparison, float]] = {}
    for each in comparisons:
        p = each.sample_ratio_p
        if p is not None and p <= ALPHA and each.last is not None:
            failed.setdefault((each.last.n_control, each.last.n_treatment), (each, p))
    said = []
    for (n_control, n_treatment), (each, p) in failed.items():
        planned = " to ".join(f"{(split or {})[name]:g}" for name in (each.control, each.treatment))
        where = f"{' '.join(each.key)}: " if each.key else ""
        said.append(
            f"{where}{n_control:,} units in {each.control} and {n_treatment:,} in {each.treatment} do not fit the "
            f"split of {planned} ({p_words(p)}): units got lost or counted twice, and no difference can be believed "
            "until it is known why"
        )
    rest = len(said) - NAMED_FAILURES
    return (*said[:NAMED_FAILURES], f"{rest:,} more pairs of counts do not fit it either") if rest > 0 else tuple(said)


def notes(
    comparisons: Sequence[RunningComparison],
    n_opt: float | None,
    effect_sd: float | None,
    split: Mapping[str, float] | None,
    *,
    has_variants: bool,
) -> tuple[str, ...]:
    """What the readings rest on, and what was left out."""
    read = [each for each in comparisons if each.checkpoints]
    said = []
    if n_opt is None and read:
        said.append(
            "the sequence is tightest at a number of units named before the start; here it is each comparison's number "
            "at the end, as if that had been planned. Give the planned one with --n-opt"
        )
    if effect_sd is not None:
        said.append(
            f"the mixture test expects effects with a standard deviation of {effect_sd:g}, in the metric's unit"
        )
    if any(each.peeking_error is not None and len(each.checkpoints) > 1 for each in read):
        said.append(
            "chances of peeking are an approximation by the units at the checkpoints of the table; who looked at "
            "other times erred otherwise"
        )
    growing = sum(each.is_growing for each in read)
    if growing:
        said.append(
            f"in {growing:,} of {counted(len(read), 'comparison')} information (1/se²) falls while units arrive: the "
            "values of a unit go on growing, so checkpoints measure different means. Neither reading promises its "
            "error there, and each interval is that of its checkpoint alone; a metric with a window, so many days "
            "from exposure, does not have this"
        )
    if any(each.anytime_first is not None and not each.anytime_at_end for each in read):
        said.append(
            "a sequence's interval at the end holds zero after it showed an effect where checkpoints contradict each "
            "other: the effect, or what is measured, changed; the smallest p-value stays"
        )
    corrected = sum(each.at_stop is not None for each in read)
    early = sum(each.anytime_first not in (None, each.checkpoints[-1].time) for each in read)
    if early:
        said.append(
            "an effect is shown early because its estimate was large; the estimate at the stop without what stopping "
            f"adds is given for {corrected:,} of the {counted(early, 'comparison')} that were shown early"
        )
    if len(read) > 1:
        said.append(f"no interval or p-value is corrected for there being {len(read):,} comparisons")
    if split is None and read:
        said.append("no split was declared (--split), so whether an arm lost units is not tested")
    return (*said, *_left_out(comparisons, has_variants=has_variants))


def _left_out(comparisons: Sequence[RunningComparison], *, has_variants: bool) -> list[str]:
    total: Counter[str] = Counter()
    for each in comparisons:
        total.update(each.left_out or {})
    said = []
    if total:
        out = total.total()
        everything = counted(out + sum(len(each.checkpoints) for each in comparisons), "checkpoint")
        why = listing([f"{n:,} where {reason}" for reason, n in total.most_common()])
        said.append(f"{out:,} of {everything} {agreeing(out, 'are')} left out: {why}")
    nothing = [each for each in comparisons if not each.checkpoints]
    if nothing:
        named = [" ".join((*each.key, *((each.treatment,) if has_variants else ()))) for each in nothing]
        words = f": {listed(named)}" if any(named) else ""
        said.append(f"{counted(len(nothing), 'comparison', 'have')} no checkpoint that can be read{words}")
    return said
