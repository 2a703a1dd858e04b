"""Where most units are lost against a plausible best: every transition of a funnel in every segment, tested together.

A segment's plausible best is the best rate among comparable segments (the same attributes with other values), each
shrunk towards their common rate so that a small group's luck is not taken for the best. What is lost is the difference
times the units at the step. Of segments that overlap, the one that the loss is concentrated in is named: candidates are
ranked by the lower end of what is lost, at a level corrected for all comparisons, and each next one is judged on the
units outside those named before. Nothing here is a cause: segments differ in more than their name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from paribus.exploration.funnel import FunnelResult, bounded_values, segment_counts
from paribus.exploration.shape import Attribute
from paribus.stats.multiplicity import adjusted_p_values
from paribus.stats.proportion import proportion_interval

FEWEST = 50  # units at a step, below which a segment is no candidate
DAYS_PER_YEAR = 365.25
MINOR = 0.4  # outside a part, the gap to the best against the whole segment's: up to this the loss is the part's


@dataclass(frozen=True, slots=True)
class Loss:
    """A transition of a funnel in a segment that falls short of a comparable one.

    Attributes:
        step: index of the event that is not reached; `step - 1` is where the units stand.
        segment: attribute values; empty: everyone.
        units, reached: at the two steps.
        rate, low, high: share that goes on, with Wilson's interval.
        best, best_low, best_high: the plausible best rate, with its interval.
        best_segment: whose rate that is.
        lost, lost_low, lost_high: units that the best rate would have added, in the days looked at.
        converted: of those lost, how many would have reached the end at the usual rates.
        p_value: of equality with the best, adjusted for all comparisons (Holm).
    """

    step: int
    segment: tuple[tuple[str, str], ...]
    units: int
    reached: int
    rate: float
    low: float
    high: float
    best: float
    best_low: float
    best_high: float
    best_segment: tuple[tuple[str, str], ...]
    lost: float
    lost_low: float
    lost_high: float
    converted: float
    converted_low: float
    p_value: float


def find_losses(result: FunnelResult, *, level: float = 0.95, most: int = 6) -> tuple[Loss, ...]:
    """The losses that stand out, the largest first; the whole funnel's weakest transitions are in the funnel itself."""
    counts = {tuple(segment.items()): segment_counts(result, segment) for segment in segments_of(result.attributes)}
    candidates = [
        loss
        for step in range(1, len(result.events))
        for segment in counts
        if (loss := _loss(result, step, dict(segment), counts, level)) is not None
    ]
    if not candidates:
        return ()
    adjusted = adjusted_p_values(np.array([each.p_value for each in candidates]), "holm")
    z = _z(1 - (1 - level) / len(candidates))
    named = [_with(each, float(p), z) for each, p in zip(candidates, adjusted, strict=True)]
    standing = [each for each in named if each.p_value < 1 - level and each.converted_low > 0]
    standing.sort(key=lambda each: (-each.converted_low, each.step, each.segment))
    found: list[Loss] = []
    for whole in standing:
        each = _concentrated(result, whole, standing)
        if each not in found and all(
            _is_new(result, each, earlier, z) for earlier in found if earlier.step == each.step
        ):
            found.append(each)
        if len(found) == most:
            break
    return tuple(found)


def _concentrated(result: FunnelResult, loss: Loss, standing: Sequence[Loss]) -> Loss:
    """The part of a segment that holds nearly all of its loss, else the loss itself."""
    own = dict(loss.segment)
    parts = []
    for each in standing:
        inner = dict(each.segment)
        if each.step != loss.step or len(inner) <= len(own) or any(inner.get(k) != v for k, v in own.items()):
            continue
        n, x = loss.units - each.units, loss.reached - each.reached
        if n >= FEWEST and loss.best - x / n <= MINOR * (loss.best - loss.rate):
            parts.append((each.units, each.segment, each))
    return min(parts, key=lambda part: part[:2])[2] if parts else loss


def segments_of(attributes: Sequence[Attribute]) -> list[dict[str, str]]:
    """Every value of one attribute, and every pair of values of two."""
    single = [{each.name: value} for each in attributes for value in bounded_values(each)]
    pairs = [
        {a.name: x, b.name: y}
        for a, b in combinations(attributes, 2)
        for x, y in product(bounded_values(a), bounded_values(b))
    ]
    return single + pairs


def _loss(
    result: FunnelResult,
    step: int,
    segment: Mapping[str, str],
    counted: Mapping[tuple[tuple[str, str], ...], tuple[int, ...]],
    level: float,
) -> Loss | None:
    counts = counted[tuple(segment.items())]
    n, x = counts[step - 1], counts[step]
    if n < FEWEST:
        return None
    attributes = [each for each in result.attributes if each.name in segment]
    siblings = [
        dict(zip(segment, values, strict=True))
        for values in product(*(bounded_values(a) for name in segment for a in attributes if a.name == name))
    ]
    rates: list[tuple[dict[str, str], int, int]] = []
    for sibling in siblings:
        if sibling != dict(segment):
            of = counted[tuple(sibling.items())]
            if of[step - 1] >= FEWEST:
                rates.append((sibling, of[step - 1], of[step]))
    if not rates:
        return None
    best_segment, best_n, best = _best([*rates], n, x)
    rate = x / n
    gap = best - rate
    # the best is a shrunk rate of best_n units; its error is at most that of the plain rate
    error = math.sqrt(max(rate * (1 - rate), 1 / n) / n + best * (1 - best) / best_n) if 0 < best < 1 else 1.0
    pooled = (x + best * best_n) / (n + best_n)
    under_null = math.sqrt(max(pooled * (1 - pooled), 1e-12) * (1 / n + 1 / best_n))
    p = 0.5 * math.erfc(gap / under_null / math.sqrt(2)) if gap > 0 else 1.0
    p = min(1.0, p * len(rates))  # the best of several was chosen
    low, high = (float(end) for end in proportion_interval(x, n, level=level))
    z = _z(1 - (1 - level) / 2)
    half = math.sqrt(best * (1 - best) / best_n)
    onward = counts[-1] / counts[step] if counts[step] else 0.0
    onward = onward or (result.reached[-1] / result.reached[step] if result.reached[step] else 0.0)
    return Loss(
        step,
        tuple(segment.items()),
        n,
        x,
        rate,
        low,
        high,
        best,
        max(best - z * half, 0.0),
        min(best + z * half, 1.0),
        tuple(best_segment.items()),
        n * gap,
        n * (gap - z * error),
        n * (gap + z * error),
        n * gap * onward,
        n * (gap - z * error) * onward,
        p,
    )


def _best(rates: list[tuple[dict[str, str], int, int]], n: int, x: int) -> tuple[dict[str, str], int, float]:
    """The comparable segment of the highest rate after shrinking all towards their mean (beta-binomial, by moments)."""
    sizes = np.array([size for _, size, _ in rates] + [n], dtype=float)
    hits = np.array([hit for *_, hit in rates] + [x], dtype=float)
    mean = hits.sum() / sizes.sum()
    p = hits / sizes
    spread = float(np.average((p - mean) ** 2, weights=sizes))
    noise = float(mean * (1 - mean) * len(sizes) / sizes.sum())
    between = max(spread - noise, 1e-9)
    strength = max(mean * (1 - mean) / between - 1, 0.0)
    shrunk = (hits + strength * mean) / (sizes + strength)
    i = int(np.argmax(shrunk[:-1]))
    return rates[i][0], int(sizes[i]), float(shrunk[i])


def _with(loss: Loss, p: float, z: float) -> Loss:
    """The loss with its adjusted p-value, and its lower end at the level of all comparisons together."""
    from dataclasses import replace

    error = (loss.lost - loss.lost_low) / _z(0.975)
    onward = loss.converted / loss.lost if loss.lost else 0.0
    return replace(loss, p_value=p, converted_low=(loss.lost - z * error) * onward)


def _is_new(result: FunnelResult, loss: Loss, earlier: Loss, z: float) -> bool:
    """Whether the loss stands without the units of one named before: not its part, not its whole."""
    own, other = dict(loss.segment), dict(earlier.segment)
    if any(own.get(name, value) != value for name, value in other.items()):
        return True  # no unit in common
    both = segment_counts(result, {**own, **other})
    n, x = loss.units - both[loss.step - 1], loss.reached - both[loss.step]
    if n < FEWEST:  # it lies inside: does it fall short of the rest of the earlier one?
        n, x = loss.units, loss.reached
        rest_n, rest_x = earlier.units - both[loss.step - 1], earlier.reached - both[loss.step]
        if rest_n < FEWEST:
            return False
        gap = rest_x / rest_n - x / n
        error = math.sqrt(_variance(rest_x, rest_n) + _variance(x, n))
        return gap > z * error
    gap = loss.best - x / n
    if gap <= MINOR * (loss.best - loss.rate):
        return False
    return gap > z * math.sqrt(_variance(x, n) + loss.best * (1 - loss.best) / max(n, 1))


def _variance(x: float, n: float) -> float:
    p = (x + 0.5) / (n + 1)
    return p * (1 - p) / n


def _z(probability: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(probability))
