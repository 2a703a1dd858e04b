"""Cells as arrays: the cells of many metrics, pooled over days and strata into pairs of control and treatment.

Metrics with the same cells and the same variables are analyzed together, so that thousands of comparisons cost a few
numpy calls. The axes of every array of pairs are (treatment arm, group, metric); a group is the whole (`WHOLE`) or one
level of a segment attribute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from paribus.errors import InputError
from paribus.experiments.plan import Design
from paribus.metrics.cells import CellKey, Cells
from paribus.metrics.definition import Metric, MetricType
from paribus.stats.arm import Outcome
from paribus.stats.estimate import Floats
from paribus.stats.moments import Moments
from paribus.stats.stratify import hajek, poststratify

Group = tuple[str, str | None] | None  # (attribute, level); None is the whole
WHOLE: Group = None

# A stratum in which an arm has fewer units says nothing of its own; such strata are merged into one.
SMALLEST_STRATUM = 10


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Where each cell belongs: codes by cell; cells of variants outside the design have variant -1."""

    groups: tuple[Group, ...]
    strata: tuple[tuple[str | None, str | None], ...]  # (epoch, stratum)
    variant: NDArray[np.intp]
    group: NDArray[np.intp]
    stratum: NDArray[np.intp]
    day: NDArray[np.int64]  # proleptic ordinal; 0 where the source has no exposure times

    @classmethod
    def of(cls, keys: Sequence[CellKey], variants: Sequence[str]) -> Grid:
        """The grid of a metric's cells.

        Raises:
            InputError: a cell appears twice, so that its units would count twice.
        """
        by_variant = {name: i for i, name in enumerate(variants)}
        by_group: dict[Group, int] = {WHOLE: 0}
        by_stratum: dict[tuple[str | None, str | None], int] = {}
        codes = np.empty((4, len(keys)), dtype=np.int64)
        for i, key in enumerate(keys):
            group = None if key.attribute is None else (key.attribute, key.level)
            codes[0, i] = by_variant.get(key.variant, -1)
            codes[1, i] = by_group.setdefault(group, len(by_group))
            codes[2, i] = by_stratum.setdefault((key.epoch, key.stratum), len(by_stratum))
            codes[3, i] = 0 if key.day is None else key.day.toordinal()
        if len(keys) and len(np.unique(codes[:, codes[0] >= 0], axis=1).T) < int((codes[0] >= 0).sum()):
            raise InputError("a cell of units appears twice", rule="each unit is in exactly one cell of each attribute")
        variant, group, stratum = (codes[i].astype(np.intp) for i in range(3))
        return cls(tuple(by_group), tuple(by_stratum), variant, group, stratum, codes[3])

    @property
    def days(self) -> tuple[date, ...]:
        """The cohort days of the whole, in order; empty without exposure times."""
        own = np.unique(self.day[(self.group == 0) & (self.variant >= 0) & (self.day > 0)])
        return tuple(date.fromordinal(int(d)) for d in own)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Metrics that share their cells and variables; `moments` has cells (cell, metric).

    `known` holds metrics without a window as they were known at each cut-off.
    """

    metrics: tuple[Metric, ...]
    grid: Grid
    moments: Moments
    variants: tuple[str, ...]
    known: Mapping[str, Batch] = field(default_factory=dict)

    @property
    def arms(self) -> int:
        return len(self.variants)

    @property
    def outcome(self) -> Outcome:
        return ("y", "d") if "d" in self.moments.names else "y"

    @property
    def covariates(self) -> list[Outcome]:
        """Pre-exposure covariates (of ratios: ratios), then the indicators of history."""
        names = self.moments.names
        return [
            (name, f"{name}d") if f"{name}d" in names else name
            for name in names
            if name not in ("y", "d") and not (name.startswith("x") and name.endswith("d"))
        ]

    @property
    def window_days(self) -> int:
        return max(window_of(metric) for metric in self.metrics)

    def pooled(self, until: date | None = None, *, whole_only: bool = False) -> Moments:
        """Moments by (stratum, variant, group, metric), of cohort days up to and including `until`."""
        grid = self.grid
        keep = grid.variant >= 0
        if until is not None:
            keep &= grid.day <= until.toordinal()
        groups = 1 if whole_only else len(grid.groups)
        if whole_only:
            keep &= grid.group == 0
        stratum, strata = self._strata(keep)
        shape = (strata, self.arms, groups)
        place = np.ravel_multi_index((stratum[keep], grid.variant[keep], grid.group[keep]), shape)
        return _gather(self.moments, np.flatnonzero(keep), place, shape)

    def pairs(self, until: date | None = None, *, control: int = 0, whole_only: bool = False) -> Pairs:
        """Control and treatments by (treatment, group, metric); strata weigh as in both arms together."""
        by_stratum = self.pooled(until, whole_only=whole_only)
        others = [i for i in range(self.arms) if i != control]
        treatment = _at(by_stratum, others)
        same = _at(by_stratum, [control] * len(others))
        if by_stratum.cells[0] == 1:
            return Pairs(_first(same), _first(treatment), np.zeros(same.cells[1:], dtype=np.bool_))
        # A comparison with a stratum that an arm does not reach is pooled over strata: without units in both arms
        # a stratum has no effect to weigh.
        present = (same.n + treatment.n) > 0
        thin = np.asarray((present & ((same.n < 2) | (treatment.n < 2))).any(axis=0))
        absent = np.asarray(~present.all(axis=0))
        mixed = poststratify(_present(same), _present(treatment))
        plain = same.total(), treatment.total()
        if absent.any() and not thin.all():
            mixed = _without_absent(same, treatment, mixed, absent & ~thin)
        chosen = [_where(thin, a, b) for a, b in zip(plain, mixed, strict=True)]
        return Pairs(chosen[0], chosen[1], thin)

    def weighted(self, probabilities: Floats, until: date | None = None, *, control: int = 0) -> Pairs:
        """Control and treatments of the whole, every unit weighted by 1 over the probability that it was drawn with.

        Args:
            probabilities: of each of the grid's strata and variants, axes (stratum, variant).
            until: the last cohort day.
            control: its position.
        """
        grid = self.grid
        keep = (grid.variant >= 0) & (grid.group == 0)
        if until is not None:
            keep &= grid.day <= until.toordinal()
        shape = (len(grid.strata), self.arms, 1)
        place = np.ravel_multi_index((grid.stratum[keep], grid.variant[keep], np.zeros(int(keep.sum()), int)), shape)
        arms = hajek(_gather(self.moments, np.flatnonzero(keep), place, shape), probabilities)
        others = [i for i in range(self.arms) if i != control]
        same, treatments = arms.take([control] * len(others)), arms.take(others)
        return Pairs(same, treatments, np.zeros(same.cells, dtype=np.bool_))

    def by_stratum(self, control: int = 0) -> tuple[Moments, Moments]:
        """Control and treatments of the whole by (stratum, treatment, metric)."""
        own = self.pooled(whole_only=True)
        others = [i for i in range(self.arms) if i != control]
        return _one_group(_at(own, [control] * len(others))), _one_group(_at(own, others))

    def _strata(self, keep: NDArray[np.bool_]) -> tuple[NDArray[np.intp], int]:
        """Each cell's stratum, with strata that are small in some arm merged into one."""
        grid = self.grid
        if len(grid.strata) <= 1:
            return grid.stratum, 1
        whole = keep & (grid.group == 0)
        n = np.zeros((len(grid.strata), self.arms))
        np.add.at(n, (grid.stratum[whole], grid.variant[whole]), self.moments.n[whole].min(axis=-1))
        large = n.min(axis=1) >= SMALLEST_STRATUM
        code = np.where(large, np.cumsum(large) - 1, int(large.sum()))
        return code[grid.stratum].astype(np.intp), int(code.max()) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Moments of control and treatment by (treatment, group, metric); `pooled` where strata could not be kept apart."""

    control: Moments
    treatment: Moments
    pooled: NDArray[np.bool_]

    def without_whole(self) -> Pairs:
        """The segments alone."""
        return Pairs(_rest(self.control), _rest(self.treatment), self.pooled[:, 1:])


def batches(
    design: Design, cells: Mapping[str, Cells], cutoffs: Mapping[str, Mapping[str, Cells]] | None = None
) -> list[Batch]:
    """The design's metrics in batches; metrics without cells (quantiles, clusters) are in none."""
    cut = cutoffs or {}
    variants = tuple(variant.name for variant in design.variants)
    grids: list[tuple[tuple[CellKey, ...], Grid]] = []
    together: dict[tuple[int, tuple[str, ...], MetricType | None, int, tuple[str, ...]], list[Metric]] = {}
    for metric in design.metrics:
        if metric.name not in cells or metric.type is MetricType.QUANTILE:
            continue
        own = cells[metric.name]
        at = next((i for i, (keys, _) in enumerate(grids) if keys is own.keys or keys == own.keys), len(grids))
        if at == len(grids):
            grids.append((own.keys, Grid.of(own.keys, variants)))
        counted = metric.type if is_share(metric) else None
        looks = tuple(cut.get(metric.name, ()))
        together.setdefault((at, own.moments.names, counted, window_of(metric), looks), []).append(metric)
    return [
        Batch(
            tuple(metrics),
            grids[at][1],
            _stack([cells[m.name].moments for m in metrics]),
            variants,
            {label: _known(tuple(metrics), [cut[m.name][label] for m in metrics], variants) for label in looks},
        )
        for (at, _, _, _, looks), metrics in together.items()
    ]


def joined_by_metric(each: Sequence[Batch]) -> Batch:
    """Batches of experiments that have the same cells as one, the metrics of one experiment after those of another."""
    first = each[0].moments
    n, mean, m2, m3 = (
        np.concatenate([getattr(b.moments, name) for b in each], axis=1) for name in ("n", "mean", "m2", "m3")
    )
    metrics = tuple(metric for batch in each for metric in batch.metrics)
    return Batch(metrics, each[0].grid, Moments(first.names, n, mean, m2, m3), each[0].variants)


def _known(metrics: tuple[Metric, ...], cells: list[Cells], variants: tuple[str, ...]) -> Batch:
    return Batch(metrics, Grid.of(cells[0].keys, variants), _stack([own.moments for own in cells]), variants)


def whole_by_arm(cells: Cells) -> dict[str, NDArray[np.intp]]:
    """Positions of the cells of the whole, by variant."""
    positions: dict[str, list[int]] = {}
    for i, key in enumerate(cells.keys):
        if key.attribute is None:
            positions.setdefault(key.variant, []).append(i)
    return {variant: np.array(at, dtype=np.intp) for variant, at in positions.items()}


def window_of(metric: Metric) -> int:
    """Days after exposure until a unit's value of the metric is final; 0 without a window."""
    return metric.retention_days[1] + 1 if metric.retention_days else metric.window_days or 0


def is_share(metric: Metric) -> bool:
    """Whether each unit's value is 0 or 1, so that the arm is a number of successes among its units."""
    return metric.type in (MetricType.PROPORTION, MetricType.RETENTION) or (
        metric.type is MetricType.FUNNEL and not metric.given
    )


def _stack(moments: list[Moments]) -> Moments:
    return Moments(
        moments[0].names,
        np.stack([m.n for m in moments], axis=1),
        np.stack([m.mean for m in moments], axis=1),
        np.stack([m.m2 for m in moments], axis=1),
        np.stack([m.m3 for m in moments], axis=1),
    )


def _gather(m: Moments, cells: NDArray[np.intp], place: NDArray[np.intp], shape: tuple[int, ...]) -> Moments:
    """The cells merged by place; places without cells have no units."""
    size = int(np.prod(shape))
    own = m.take(cells)
    trailing = m.n.shape[1:]
    used, compact = np.unique(place, return_inverse=True)
    if len(used) < len(place):
        own = own.total(compact)
        compact = np.arange(len(used))
    at = used[compact]
    n = np.zeros((size, *trailing))
    mean = np.full((size, *trailing, m.k), np.nan)
    m2 = np.full((size, *trailing, m.k, m.k), np.nan)
    m3 = np.full((size, *trailing, m.k), np.nan)
    n[at], mean[at], m2[at], m3[at] = own.n, own.mean, own.m2, own.m3
    flat = Moments(m.names, n, mean, m2, m3)
    return flat.reshape_cells((*shape, *trailing))


def _at(m: Moments, arms: list[int]) -> Moments:
    return Moments(m.names, m.n[:, arms], m.mean[:, arms], m.m2[:, arms], m.m3[:, arms])


def _one_group(m: Moments) -> Moments:
    return Moments(m.names, m.n[:, :, 0], m.mean[:, :, 0], m.m2[:, :, 0], m.m3[:, :, 0])


def _rest(m: Moments) -> Moments:
    return Moments(m.names, m.n[:, 1:], m.mean[:, 1:], m.m2[:, 1:], m.m3[:, 1:])


def _first(m: Moments) -> Moments:
    return Moments(m.names, m.n[0], m.mean[0], m.m2[0], m.m3[0])


def _present(m: Moments) -> Moments:
    """Absent strata with harmless numbers: they get no weight."""
    has = m.n > 0
    return replace(
        m,
        mean=np.where(has[..., None], m.mean, 0.0),
        m2=np.where(has[..., None, None], m.m2, 0.0),
        m3=np.where(has[..., None], m.m3, 0.0),
    )


def _without_absent(
    control: Moments, treatment: Moments, mixed: tuple[Moments, Moments], where: NDArray[np.bool_]
) -> tuple[Moments, Moments]:
    """The comparisons at `where` reweighted over the strata that they have."""
    parts = [Moments(m.names, m.n.copy(), m.mean.copy(), m.m2.copy(), m.m3.copy()) for m in mixed]
    for index in np.argwhere(where):
        i = tuple(index)
        has = np.flatnonzero((control.n[:, *i] + treatment.n[:, *i]) > 0)
        if len(has) == 0:
            continue
        own = [
            Moments(m.names, m.n[(has, *i)], m.mean[(has, *i)], m.m2[(has, *i)], m.m3[(has, *i)])
            for m in (control, treatment)
        ]
        for part, found in zip(parts, poststratify(*own), strict=True):
            part.n[i], part.mean[i], part.m2[i], part.m3[i] = found.n, found.mean, found.m2, found.m3
    return parts[0], parts[1]


def _where(mask: NDArray[np.bool_], a: Moments, b: Moments) -> Moments:
    one, two = mask[..., None], mask[..., None, None]
    return Moments(
        a.names,
        np.where(mask, a.n, b.n),
        np.where(one, a.mean, b.mean),
        np.where(two, a.m2, b.m2),
        np.where(one, a.m3, b.m3),
    )
