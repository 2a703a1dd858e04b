"""Effects that nobody randomized, from a panel: the estimators side by side, and the same ones before treatment.

Nothing here decides anything. Difference in differences rests on parallel trends, the synthetic estimators on a
weighted average of control units that goes on as the treated units would have; no statistic proves either. The same
estimators over the periods before treatment, as if it had begun halfway, show where they fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from paribus.errors import InputError, did_you_mean
from paribus.experiments.panel.result import ESTIMATORS, HEADING, PanelEffect, PanelEffects, UnitWeight
from paribus.stats.estimate import Estimate, Floats, Reason, Undetermined

if TYPE_CHECKING:
    from paribus.experiments.panel.table import Panel
    from paribus.stats.synthetic import Estimator, Solver

CHOICES = ("all", "did", "synthetic-control", "synthetic-did")
SOLVERS = ("frank_wolfe", "exact")
FEWEST_UNITS = 5  # below it the spread of a group of units says little
FEW_UNITS = 10  # below it errors clustered by unit come out too small (MacKinnon, Webb 2017)
FEW_PLACEBOS = 20
LISTED_WEIGHTS = 10
MOST_CELLS = 4_000_000  # of a regression with a column for each unit and period
MANY_CONTROLS, FEWER_GROUPS = 60, 50


def panel_effects(
    panel: Panel, *, estimator: str = "all", level: float = 0.95, solver: Solver = "frank_wolfe", seed: int = 0
) -> PanelEffects:
    """The effect on the treated units by each estimator asked for, and by the same ones before treatment.

    Args:
        panel: from `read_panel`.
        estimator: did (two-way fixed effects stand beside it), synthetic-control, synthetic-did, or all.
        level: confidence level.
        solver: of the synthetic estimators' weights: "frank_wolfe" stops where the published program does, "exact"
            finds those that fit best. Placebos use the exact ones.
        seed: of the random groups of control units that are the placebos of several treated units.

    Raises:
        InputError: no such estimator, or the one asked for needs more units or periods.
    """
    if estimator not in CHOICES:
        raise InputError(f"{estimator!r} is no estimator", where="estimator", fix=f"one of {', '.join(CHOICES)}")
    if solver not in SOLVERS:
        raise InputError(f"{solver!r} is no solver", where="solver", fix=did_you_mean(solver, SOLVERS))
    table = panel.table
    n_treated, periods = table.outcomes.shape[0] - table.n_control, table.outcomes.shape[1]
    if estimator.startswith("synthetic") and (table.n_control < 2 or table.n_before < 2):
        raise InputError(
            f"{table.n_control} control units and {table.n_before} periods before treatment",
            where=estimator,
            rule="a synthetic control needs at least 2 of each",
            fix="--estimator did",
        )
    fit = _Fit(panel.units[: table.n_control], level, solver, seed)
    names = [name for name in ("did", "synthetic-control", "synthetic-did") if estimator in ("all", name)]
    fewest = min(n_treated, table.n_control)
    clustered = ["two-way-fixed-effects"] if "did" in names and fewest > 1 else []
    cells = table.outcomes.size * sum(table.outcomes.shape)
    if clustered and fewest >= FEWEST_UNITS and min(table.n_before, periods - table.n_before) >= FEWEST_UNITS:
        clustered += ["two-way-clusters"] if cells <= MOST_CELLS else []
    effects = fit.effects([*names[:1], *clustered, *names[1:]], table.outcomes, table.n_before)
    half = (table.n_before + 1) // 2
    before = fit.effects(names, table.outcomes[:, : table.n_before], half) if table.n_before > 1 else ()
    return PanelEffects(
        heading=HEADING,
        metric=panel.metric,
        level=level,
        start=panel.start,
        first_period=panel.periods[0],
        last_period=panel.periods[-1],
        n_treated=n_treated,
        n_control=table.n_control,
        n_before=table.n_before,
        n_after=periods - table.n_before,
        treated_units=panel.units[table.n_control :],
        effects=effects,
        placebo_start=panel.periods[half] if before else None,
        before=before,
        notes=_notes(effects, before, n_treated, table.n_control, 1 - level),
        data_notes=panel.notes,
    )


@dataclass(frozen=True, slots=True)
class _Fit:
    """The estimators with what they share."""

    controls: tuple[str, ...]
    level: float
    solver: Solver
    seed: int

    def effects(self, names: Sequence[str], outcomes: Floats, n_before: int) -> tuple[PanelEffect, ...]:
        return tuple(
            self._synthetic(name, outcomes, n_before)
            if name.startswith("synthetic")
            else self._difference(name, outcomes, n_before)
            for name in names
        )

    def _difference(self, name: str, outcomes: Floats, n_before: int) -> PanelEffect:
        """By the means of two groups in two times; by placebos where a group is too small to show its own noise."""
        from paribus.stats import difference_in_differences, panel_did, two_way_fixed_effects

        n_control = len(self.controls)
        fewest = min(n_control, outcomes.shape[0] - n_control)
        unit, time = (axis.ravel() for axis in np.indices(outcomes.shape))
        rows = (unit, time, outcomes.ravel(), (unit >= n_control) & (time >= n_before))
        if name == "two-way-fixed-effects":
            found = _told(name, two_way_fixed_effects(*rows, level=self.level).at(), "clustering by unit")
            if fewest >= FEWEST_UNITS:
                return found
            reason = f"clustered errors need {FEWEST_UNITS} units in each group, there are {fewest}"
            return PanelEffect(name, found.value, reason=reason)
        if name == "two-way-clusters":
            return _told(name, _clustered_twice(*rows, level=self.level), "clustering by unit and by period")
        if fewest < FEWEST_UNITS and 2 * n_control >= outcomes.shape[0] + 2 and n_control > 1 and n_before > 1:
            effect = PanelEffect(name, panel_did(outcomes, n_control, n_before).effect)
            return self._by_placebos(effect, outcomes, n_before)
        both = difference_in_differences(*rows, level=self.level)
        told = both.effect.at()
        if isinstance(told, Undetermined):
            value = (both.treated_after - both.treated_before) - (both.control_after - both.control_before)
            return PanelEffect(name, value, reason=str(told))
        return _told(name, told, "Welch, between the changes of the units")

    def _synthetic(self, name: str, outcomes: Floats, n_before: int) -> PanelEffect:
        from paribus.stats import synthetic_control, synthetic_did

        n_control = len(self.controls)
        if n_control < 2 or n_before < 2:
            return PanelEffect(name, None, reason="needs 2 control units and 2 periods before treatment")
        estimate = synthetic_control if name == "synthetic-control" else synthetic_did
        found = estimate(outcomes, n_control, n_before, solver=self.solver)
        order = np.argsort(-found.unit_weights, kind="stable")[:LISTED_WEIGHTS]
        effect = PanelEffect(
            name,
            found.effect,
            gap_before=found.pre_rmse,
            weights=tuple(
                UnitWeight(self.controls[i], float(found.unit_weights[i])) for i in order if found.unit_weights[i] > 0
            ),
            by_period=tuple(float(x) for x in found.curve),
        )
        return self._by_placebos(effect, outcomes, n_before)

    def _by_placebos(self, effect: PanelEffect, outcomes: Floats, n_before: int) -> PanelEffect:
        """The effect with the error and the rank that placebo treatments of control units give."""
        from scipy.special import ndtri

        from paribus.stats import placebo_test

        n_control = len(self.controls)
        replicates = 200 if n_control <= MANY_CONTROLS else FEWER_GROUPS
        estimator = cast("Estimator", _STATS_NAMES[effect.estimator])
        found = placebo_test(outcomes, n_control, n_before, estimator=estimator, replicates=replicates, seed=self.seed)
        if isinstance(found, Undetermined):
            return replace(effect, reason=str(found))
        if found.se == 0 or effect.value is None:
            return replace(effect, reason=str(Reason.NO_VARIANCE.value))
        radius = float(ndtri((1 + self.level) / 2)) * found.se
        of = "control units" if outcomes.shape[0] == n_control + 1 else "random groups of control units"
        return replace(
            effect,
            se=found.se,
            lower=effect.value - radius,
            upper=effect.value + radius,
            p_value=found.p_value,
            inference=f"placebo, {found.effects.size} {of}",
        )


_STATS_NAMES = {"did": "did", "synthetic-control": "synthetic_control", "synthetic-did": "sdid"}


def _clustered_twice(
    unit: NDArray[np.intp], time: NDArray[np.intp], y: Floats, treated: NDArray[np.bool_], *, level: float
) -> Estimate | Undetermined:
    """Two-way fixed effects whose errors go together within units and within periods, as under shocks of a period."""
    from paribus.stats import Fixed, indicators, ols

    X = np.column_stack([treated, np.ones_like(y), indicators(unit), indicators(time)])
    with np.errstate(invalid="ignore"):  # the difference of variances can come out negative
        fit = ols(y, X, covariance="CR1", clusters=unit, second_clusters=time)
        found: Estimate | Undetermined = fit.estimates(Fixed(level)).at(0)
    if isinstance(found, Estimate) and not found.se > 0:
        return Undetermined(Reason.TOO_FEW_CLUSTERS, "the variance came out negative")
    return found


def _told(name: str, found: Estimate | Undetermined, inference: str) -> PanelEffect:
    if isinstance(found, Undetermined):
        return PanelEffect(name, None, reason=str(found))
    return PanelEffect(name, found.value, found.se, found.lower, found.upper, found.p_value, inference)


def _notes(
    effects: Sequence[PanelEffect], before: Sequence[PanelEffect], n_treated: int, n_control: int, alpha: float
) -> tuple[str, ...]:
    """What a reader has to know before believing a number."""
    notes = []
    for each in before:
        if each.p_value is not None and each.p_value < alpha:
            notes.append(
                f"{ESTIMATORS[each.estimator]} finds an effect before there was a treatment: do not believe what it "
                "finds afterwards"
            )
    if before and not notes:
        notes.append("nothing is found before treatment, which does not prove that trends would have stayed parallel")
    if not before:
        notes.append("with one period before treatment nothing can be said about trends before it")
    placebos = [each for each in effects if each.inference.startswith("placebo")]
    if placebos:
        notes.append("placebo errors hold when control units are as noisy as the treated ones")
    if n_treated == 1 and placebos and n_control < FEW_PLACEBOS:
        notes.append(f"with {n_control} control units no placebo p-value is below {1 / (n_control + 1):.2g}")
    fewest = min(n_treated, n_control)
    if FEWEST_UNITS <= fewest < FEW_UNITS and any(each.estimator == "two-way-fixed-effects" for each in effects):
        group = "treated" if n_treated == fewest else "control"
        notes.append(
            f"errors clustered by unit may come out too small with {fewest} {group} units (MacKinnon and Webb 2017)"
        )
    if 1 < fewest < FEWEST_UNITS and any(each.inference.startswith("Welch") for each in effects):
        notes.append(f"with {fewest} units in a group the error by Welch is itself uncertain")
    return tuple(notes)
