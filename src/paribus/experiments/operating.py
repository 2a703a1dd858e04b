"""The operating characteristics of the whole decision rule: how often it ships, and how often wrongly.

Experiments with known truth are drawn as cells of moments and go through `analysis.verdicts`, health checks,
corrections, guardrails, looks and the table of verdicts included: the rates are those of the code that will decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np

from paribus.experiments.analysis import verdicts
from paribus.experiments.plan import Design, Kind, Method, Seal
from paribus.experiments.population import Population
from paribus.experiments.result import Verdict, VerdictValue
from paribus.metrics.cells import CellKey, Cells, Counts, Measurement
from paribus.metrics.definition import SHARES, Metric, MetricType, Role
from paribus.stats.moments import Moments

Progress = Callable[[float, str], None]

# Some seconds on one core: a sequential plan is inferred again at each of its looks.
REPLICATIONS = 400
REPLICATIONS_WITH_LOOKS = 120
AT_ONCE = 60  # experiments that are inferred together
START = datetime(2000, 1, 3, tzinfo=UTC)  # a Monday; only differences of days matter
_NO_CLUSTERS = "none because clusters are in the variance of what is drawn"
DECIDED = (VerdictValue.SHIP, VerdictValue.ROLL_BACK, VerdictValue.INVALID)


@dataclass(frozen=True, slots=True)
class Rate:
    """A simulated probability: `count` out of `of` experiments."""

    count: int
    of: int

    @property
    def value(self) -> float:
        return self.count / self.of

    @property
    def se(self) -> float:
        """Monte Carlo standard error, by (count + 2) / (of + 4): a count of zero is not known to be impossible."""
        p = (self.count + 2) / (self.of + 4)  # Agresti, Coull 1998
        return float(np.sqrt(p * (1 - p) / (self.of + 4)))


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true in the simulated world: the relative effect by metric, in the first treatment arm only.

    ships_rightly  whether shipping the first treatment is right here
    """

    name: str
    words: str
    effects: Mapping[str, float]
    ships_rightly: bool


@dataclass(frozen=True, slots=True)
class Characteristics:
    """What the rule does in one world.

    ship          ships the first treatment
    other         ships another treatment, which has no effect
    units         mean number of units when the verdict falls, all arms together
    """

    truth: Truth
    ship: Rate
    other: Rate
    roll_back: Rate
    invalid: Rate
    units: float
    days: float | None

    @property
    def false_ship(self) -> Rate:
        """Ships something that has no effect, or harms a guardrail."""
        wrong = 0 if self.truth.ships_rightly else self.ship.count
        return Rate(wrong + self.other.count, self.ship.of)

    @property
    def false_roll_back(self) -> Rate | None:
        """Rolls back though nothing is worse; None where something is."""
        return self.roll_back if all(e == 0 for e in self.truth.effects.values()) or self.truth.ships_rightly else None


def characteristics(
    design: Design,
    populations: Mapping[str, Population],
    truths: Sequence[Truth],
    *,
    units: int,
    looks: Sequence[int] = (),
    replications: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[Characteristics, ...]:
    """Ship, false-ship and false-rollback rates of the whole rule under each truth.

    Args:
        design: the experiment; its metrics are those with a population (others are left out).
        populations: what each metric is; metrics are drawn independently of each other.
        truths: the worlds to simulate.
        units: all arms together at the plan's end.
        looks: days of the looks, the last being the end; units arrive in proportion. A fixed plan has none.
        replications: simulated experiments per truth.
        seed: the same seed gives the same numbers.
        progress: called with the share done and a word.
    """
    fixed = design.plan.method is Method.FIXED
    looks = () if fixed else tuple(looks)
    count = replications or (REPLICATIONS if fixed else REPLICATIONS_WITH_LOOKS)
    simulated = _as_simulated(design, populations, units, looks)
    found = []
    for i, truth in enumerate(truths):
        rng = np.random.default_rng([seed, i])
        samples = _Samples.drawn(simulated, populations, truth, rng, units, looks, count)
        decided: list[tuple[Verdict, float]] = []
        for first in range(0, count, AT_ONCE):
            decided += _verdicts(simulated, samples, range(first, min(first + AT_ONCE, count)), looks)
            if progress is not None:
                progress((i + len(decided) / count) / len(truths), truth.words)
        found.append(_summary(simulated, truth, decided, units, looks))
    return tuple(found)


def _as_simulated(design: Design, populations: Mapping[str, Population], units: int, looks: tuple[int, ...]) -> Design:
    """The design with the end that is simulated.

    Windows have closed for every unit drawn, clusters are in the variance, and a quantile is drawn as a mean of its
    variance, so none of these is asked for again. Without `planned_units` the fractions of information are those of
    the planned looks, as drawn.
    """
    metrics = tuple(_drawn(m, populations[m.name]) for m in design.metrics if m.name in populations)
    plan = replace(
        design.plan,
        start=START if looks else None,
        end=None,
        runtime_days=looks[-1] if looks else None,
        looks=looks,
        planned_units=None,
        n_opt=design.plan.n_opt or units,
        min_sample_size=min(design.plan.min_sample_size, int(units * min(v.weight for v in design.variants) * 0.9)),
    )
    return replace(
        design, metrics=metrics, plan=plan, segments=(), kind=Kind.AB, interference=_NO_CLUSTERS, time_zone="UTC"
    )


def _drawn(metric: Metric, population: Population) -> Metric:
    """The metric as it is drawn; a share of clustered units has not the variance of a share."""
    plain = replace(metric, window_days=None, cap=None)
    if metric.type is MetricType.QUANTILE or (population.clustered and metric.type in SHARES):
        return replace(plain, type=MetricType.MEAN, covariates=())
    return plain


@dataclass(frozen=True, slots=True, eq=False)
class _Samples:
    """All replications' cells: keys by look and arm, moments by metric with cells (replication, cell)."""

    keys: tuple[CellKey, ...]
    n: np.ndarray
    moments: Mapping[str, Moments]

    @classmethod
    def drawn(
        cls,
        design: Design,
        populations: Mapping[str, Population],
        truth: Truth,
        rng: np.random.Generator,
        units: int,
        looks: tuple[int, ...],
        count: int,
    ) -> _Samples:
        weights = np.array([variant.weight for variant in design.variants])
        blocks = np.diff([0, *looks]) / looks[-1] if looks else np.ones(1)
        sizes = np.rint(units * np.cumsum(blocks)).astype(np.int64)
        sizes = np.diff([0, *sizes])
        # Every unit's arm is drawn, as in life: the sample ratio varies, and its check may fail.
        n = np.stack([rng.multinomial(size, weights / weights.sum(), size=count) for size in sizes], axis=1)
        days: list[date | None] = [(START + timedelta(days=day - 1)).date() for day in looks] or [None]
        keys = tuple(CellKey(variant.name, day=day) for day in days for variant in design.variants)
        treated = next(variant.name for variant in design.variants if variant.name != design.control)
        column = [variant.name for variant in design.variants].index(treated)
        moments = {}
        for metric in design.metrics:
            population = populations[metric.name]
            plain = population.draw(rng, n)
            effect = truth.effects.get(metric.name, 0.0)
            if effect:
                moved = population.moved(effect * abs(population.value)).draw(rng, n[..., column])
                for part in ("n", "mean", "m2", "m3"):
                    getattr(plain, part)[:, :, column] = getattr(moved, part)
            moments[metric.name] = plain.reshape_cells((count, len(keys)))
        return cls(keys, n.reshape(count, -1), moments)

    def measurement(self, r: int, cells: int, now: datetime | None) -> Measurement:
        """What the warehouse would return for replication `r` when its first `cells` cells are there."""
        keys = self.keys[:cells]
        units: dict[str, int] = {}
        by_day: dict[tuple[str | None, str, str], int] = {}
        for key, n in zip(keys, self.n[r].tolist(), strict=False):
            units[key.variant] = units.get(key.variant, 0) + n
            if key.day is not None:
                by_day[None, key.day.isoformat(), key.variant] = n
        first = None if now is None else START
        counts = Counts(sum(units.values()), units, by_day=by_day, first_time=first, last_time=now)
        found = {
            name: Cells(
                name, keys, Moments(m.names, m.n[r, :cells], m.mean[r, :cells], m.m2[r, :cells], m.m3[r, :cells])
            )
            for name, m in self.moments.items()
        }
        return Measurement(counts, found)


_SEAL = Seal("simulated", "simulated", START - timedelta(days=1), None, 0, "sealed before data", {})


def _verdicts(
    design: Design, samples: _Samples, of: Sequence[int], looks: tuple[int, ...]
) -> list[tuple[Verdict, float]]:
    """The first deciding verdict of each experiment, or the last look's; with the share of its length.

    What an earlier look decided is recomputed at every later one, so an end without a decision had none before.
    """

    def at(k: int, chosen: Sequence[int]) -> dict[int, Verdict]:
        now = START + timedelta(days=looks[k]) if looks else None
        cells = (k + 1) * len(design.variants)
        measured = [samples.measurement(r, cells, now) for r in chosen]
        return dict(zip(chosen, verdicts(design, measured, registered=_SEAL, as_of=now), strict=True))

    last = max(len(looks) - 1, 0)
    found = {r: (verdict, 1.0) for r, verdict in at(last, of).items()}
    open_ = [r for r, (verdict, _) in found.items() if verdict.value in DECIDED]
    for k in range(last):
        early = {r: verdict for r, verdict in at(k, open_).items() if verdict.value in DECIDED}
        found |= {r: (verdict, looks[k] / looks[-1]) for r, verdict in early.items()}
        open_ = [r for r in open_ if r not in early]
    return [found[r] for r in of]


def _summary(
    design: Design, truth: Truth, verdicts: Sequence[tuple[Verdict, float]], units: int, looks: tuple[int, ...]
) -> Characteristics:
    treated = next(variant.name for variant in design.variants if variant.name != design.control)
    of = len(verdicts)

    def rate(value: VerdictValue, *arms: str | None) -> Rate:
        return Rate(sum(v.value is value and (not arms or v.arm in arms) for v, _ in verdicts), of)

    length = float(np.mean([share for _, share in verdicts]))
    shipped, first = rate(VerdictValue.SHIP), rate(VerdictValue.SHIP, treated)
    return Characteristics(
        truth=truth,
        ship=first,
        other=Rate(shipped.count - first.count, of),
        roll_back=rate(VerdictValue.ROLL_BACK),
        invalid=rate(VerdictValue.INVALID),
        units=length * units,
        days=length * looks[-1] if looks else None,
    )


def truths_of(design: Design, effects: Mapping[str, float], populations: Mapping[str, Population]) -> tuple[Truth, ...]:
    """The worlds worth knowing: the effect as planned, none at all, a guardrail at its margin, a success that is worse.

    `effects` are the planned relative effects of the success metrics, as sizes.
    """

    def good(name: str) -> float:
        return 1.0 if next(m for m in design.metrics if m.name == name).direction == "increase" else -1.0

    planned = {name: good(name) * size for name, size in effects.items()}
    truths = [
        Truth("planned", "the effect is as planned", planned, True),
        Truth("none", "there is no effect", {}, False),
    ]
    guardrails = [m for m in design.metrics if m.role is Role.GUARDRAIL and m.name in populations and m.margin]
    if guardrails:
        first = guardrails[0]
        margin = first.margin or 0.0
        size = margin / abs(populations[first.name].value) if first.margin_absolute else margin
        at_margin = {**planned, first.name: -good(first.name) * size}
        truths.append(Truth("margin", f"as planned, {first.name} at its margin", at_margin, False))
    worse = {name: -effect for name, effect in planned.items()}
    truths.append(Truth("harm", "as large, but the wrong way", worse, False))
    return tuple(truths)
