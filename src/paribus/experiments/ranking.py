"""Which hypothesis first: ICE and RICE from data, and how stable the order is when the inputs vary.

impact      10 times the successes a year that it may add, over the largest of the candidates
confidence  by the class of evidence it rests on, 1 to 10
ease        10 times the planned runtime over planned runtime plus the days its experiment would take
ICE         impact x confidence x ease
RICE        reach a quarter x impact (0.25 to 3) x confidence (share) / effort (1 = the configured build)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paribus.experiments.hypothesis import Class
from paribus.stats.estimate import Floats

CONFIDENCE: Mapping[Class, float] = {"follow_up": 8.0, "finding": 5.0, "model": 3.0, "opinion": 2.0}
"""An experiment showed it, observational data suggest it, a model proposed it, somebody thinks so."""

DRAWS = 4_000
# How far an input may be off: a factor of 1.25 for what is counted, of 1.5 for what is judged (one standard deviation).
COUNTED, JUDGED = np.log(1.25), np.log(1.5)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a score is computed from.

    reach     units a year that would meet the change
    gain      successes a year that it may add
    evidence  class of what it rests on
    days      until its experiment has its answer; infinite where it never has
    effort    build effort, 1 = the configured build cost
    value     expected money a year, None where it is not known
    spent     the part of it that does not move with what is gained
    """

    id: str
    reach: float
    gain: float
    evidence: Class
    days: float
    effort: float = 1.0
    value: float | None = None
    spent: float = 0.0


@dataclass(frozen=True, slots=True)
class Score:
    """A score with the interval over varied inputs (5% to 95%), and the share of variations in which it comes first."""

    value: float
    low: float
    high: float
    first: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores by candidate, and the order.

    order       ids, best first: by expected value where all have one, else by RICE
    by          what the order follows
    stability   share of variations in which the first stays first
    agreement   mean Kendall tau between the order and the varied orders, -1 to 1; 1 with a single candidate
    """

    ice: Mapping[str, Score]
    rice: Mapping[str, Score]
    order: tuple[str, ...]
    by: str
    stability: float
    agreement: float


def rank(candidates: Sequence[Candidate], *, planned_days: float, seed: int) -> Ranking:
    """Scores and order of the candidates; the same seed gives the same variations."""
    if not candidates:
        return Ranking({}, {}, (), "RICE", 1.0, 1.0)
    ids = [each.id for each in candidates]
    reach, gain, effort = (np.array([getattr(c, f) for c in candidates], float) for f in ("reach", "gain", "effort"))
    confidence = np.array([CONFIDENCE[c.evidence] for c in candidates])
    days = np.array([c.days for c in candidates], float)
    rng = np.random.default_rng([seed, 41])
    shape = (DRAWS, len(ids))

    def about(x: Floats, spread: float) -> Floats:
        return np.asarray(x * np.exp(spread * rng.standard_normal(shape)))

    varied_gain, varied_reach = about(gain, JUDGED), about(reach, COUNTED)
    varied = (varied_reach, varied_gain, np.clip(about(confidence, JUDGED), 1, 10), about(days, COUNTED))
    ice, many_ice = _ice(gain, confidence, days, planned_days), _ice(*varied[1:], planned_days)
    rice = _rice(reach, gain, confidence, effort)
    many_rice = _rice(*varied[:3], about(effort, JUDGED))
    valued = all(c.value is not None for c in candidates)
    if valued:
        leading = np.array([c.value or 0.0 for c in candidates])
        spent = np.array([c.spent for c in candidates])
        many = (leading + spent) * varied_gain / np.maximum(gain, 1e-300) - spent
    else:
        leading, many = rice, many_rice
    order = sorted(range(len(ids)), key=lambda i: (-leading[i], -ice[i], ids[i]))
    return Ranking(
        ice=_scores(ids, ice, many_ice),
        rice=_scores(ids, rice, many_rice),
        order=tuple(ids[i] for i in order),
        by="expected value" if valued else "RICE",
        stability=float((many.argmax(axis=1) == order[0]).mean()),
        agreement=_agreement(many, order),
    )


def _ice(gain: Floats, confidence: Floats, days: Floats, planned: float) -> Floats:
    top = gain.max(axis=-1, keepdims=True)
    impact = 10 * np.divide(gain, top, out=np.zeros_like(gain), where=top > 0)
    return np.asarray(impact * confidence * 10 * planned / (planned + days))


def _rice(reach: Floats, gain: Floats, confidence: Floats, effort: Floats) -> Floats:
    """Impact per unit on the usual scale, from .25 (minimal) to 3 (massive), by its share of the largest."""
    per_unit = np.divide(gain, reach, out=np.zeros_like(gain), where=reach > 0)
    top = per_unit.max(axis=-1, keepdims=True)
    share = np.divide(per_unit, top, out=np.zeros_like(gain), where=top > 0)
    impact = 0.25 + 2.75 * share
    return np.asarray(reach / 4 * impact * confidence / 10 / effort)


def _scores(ids: Sequence[str], at: Floats, many: Floats) -> dict[str, Score]:
    low, high = np.quantile(many, (0.05, 0.95), axis=0)
    first = np.bincount(many.argmax(axis=1), minlength=len(ids)) / len(many)
    return {i: Score(*map(float, found)) for i, *found in zip(ids, at, low, high, first, strict=True)}


def _agreement(many: Floats, order: Sequence[int]) -> float:
    pairs = [(a, b) for i, a in enumerate(order) for b in order[i + 1 :]]
    if not pairs:
        return 1.0
    return float(np.mean([np.sign(many[:, a] - many[:, b]).mean() for a, b in pairs]))
