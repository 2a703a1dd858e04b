"""Synthetic control and synthetic difference in differences, with inference by placebo units.

A weighted average of control units is fitted to the treated units before treatment and stands for them afterwards
(Abadie, Diamond, Hainmueller 2010); synthetic difference in differences also weights periods and lets levels differ
(Arkhangelsky, Athey, Hirshberg, Imbens, Wager 2021). The fit is only as good as `pre_rmse` says, and the standard
error comes from pretending that control units were treated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.errors import InputError, did_you_mean
from paribus.stats.estimate import Floats, Reason, Undetermined

Estimator = Literal["sdid", "synthetic_control", "did"]
Solver = Literal["exact", "frank_wolfe"]
MANY_COLUMNS = 100  # from here on steps that change one weight at a time are slow


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticControl:
    """An effect on the treated units after treatment.

    effect        average effect over treated units and periods after treatment
    curve         effect by period after treatment
    unit_weights  weights of the control units, summing to 1
    time_weights  weights of the periods before treatment (all zero for synthetic control)
    pre_rmse      root mean squared gap before treatment, in units of the outcome, after any level shift
    estimator     which of the three
    """

    effect: float
    curve: Floats
    unit_weights: Floats
    time_weights: Floats
    pre_rmse: float
    estimator: Estimator


@dataclass(frozen=True, slots=True, eq=False)
class PlaceboTest:
    """The effect beside those of placebo treatments of control units.

    se       standard deviation of the placebo effects (Arkhangelsky et al. 2021, algorithm 4)
    p_value  share of effects, the true one included, that are as large in absolute value
    effects  the placebo effects
    """

    se: float
    p_value: float
    effects: Floats


def synthetic_did(outcomes: ArrayLike, n_control: int, n_before: int, *, solver: Solver = "exact") -> SyntheticControl:
    """Synthetic difference in differences (Arkhangelsky et al. 2021, algorithm 1).

    Args:
        outcomes: units by periods; the first `n_control` rows are the control units, the first `n_before` columns
            the periods before treatment.
        n_control: number of control units.
        n_before: number of periods before treatment.
        solver: "exact" finds the weights that fit best; "frank_wolfe" stops where the authors' program does.

    >>> base = np.add.outer([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 4.0, 2.0])  # unit plus period effects
    >>> base[3, 3] += 5  # the last unit, treated in the last period
    >>> round(synthetic_did(base, 3, 3).effect, 6)
    5.0
    """
    y = _checked(outcomes, n_control, n_before)
    noise = _noise(y[:n_control, :n_before])
    treated = y.shape[0] - n_control, y.shape[1] - n_before
    zeta = (treated[0] * treated[1]) ** 0.25 * noise
    target = y[n_control:, :n_before].mean(axis=0)
    omega = _simplex_fit(y[:n_control, :n_before].T, target, zeta, intercept=True, solver=solver, noise=noise)
    after = y[:n_control, n_before:].mean(axis=1)
    # A whiff of ridge only makes the period weights unique.
    lam = _simplex_fit(y[:n_control, :n_before], after, 1e-6 * noise, intercept=True, solver=solver, noise=noise)
    return _assemble(y, n_control, n_before, omega, lam, "sdid")


def synthetic_control(
    outcomes: ArrayLike, n_control: int, n_before: int, *, ridge: float = 1e-6, solver: Solver = "exact"
) -> SyntheticControl:
    """Synthetic control on the outcome's own past, without covariates (Abadie, Diamond, Hainmueller 2010).

    Args:
        outcomes: units by periods, control units and periods before treatment first.
        n_control: number of control units.
        n_before: number of periods before treatment.
        ridge: penalty on the weights, in standard deviations of the outcome's first differences; the default only
            makes the weights unique.
        solver: "exact" finds the weights that fit best; "frank_wolfe" stops where the program of Arkhangelsky et al.
            does (on Proposition 99 that moves the effect from -19.51 to the published -19.62).
    """
    y = _checked(outcomes, n_control, n_before)
    target = y[n_control:, :n_before].mean(axis=0)
    noise = _noise(y[:n_control, :n_before])
    omega = _simplex_fit(y[:n_control, :n_before].T, target, ridge * noise, intercept=False, solver=solver, noise=noise)
    return _assemble(y, n_control, n_before, omega, np.zeros(n_before), "synthetic_control")


def panel_did(outcomes: ArrayLike, n_control: int, n_before: int) -> SyntheticControl:
    """Difference in differences as the synthetic estimator with equal weights, so that the three stand side by side."""
    y = _checked(outcomes, n_control, n_before)
    equal = np.full(n_control, 1 / n_control), np.full(n_before, 1 / n_before)
    return _assemble(y, n_control, n_before, *equal, "did")


def placebo_test(
    outcomes: ArrayLike,
    n_control: int,
    n_before: int,
    *,
    estimator: Estimator = "sdid",
    replicates: int = 200,
    seed: int = 0,
) -> PlaceboTest | Undetermined:
    """Standard error and p-value from placebo treatments of control units.

    With one treated unit every control unit is its placebo once; with several, `replicates` random groups of as many
    control units. Assumes that control units are as noisy as the treated ones.

    Args:
        outcomes: units by periods, control units and periods before treatment first.
        n_control: number of control units.
        n_before: number of periods before treatment.
        estimator: "sdid", "synthetic_control" or "did".
        replicates: random groups, when more than one unit is treated.
        seed: of their choice, so that a result can be repeated.

    Returns:
        The test, or Undetermined with fewer control units than treated units plus two.
    """
    y = _checked(outcomes, n_control, n_before)
    treated = y.shape[0] - n_control
    if n_control < treated + 2:
        return Undetermined(Reason.TOO_FEW_UNITS, f"{n_control} control units for placebos of {treated}")
    fit = {"sdid": synthetic_did, "synthetic_control": synthetic_control, "did": panel_did}.get(estimator)
    if fit is None:
        methods = ("sdid", "synthetic_control", "did")
        raise InputError(f"no estimator {estimator!r}", fix=did_you_mean(estimator, methods))
    controls = y[:n_control]
    if treated == 1:
        orders = [np.append(np.delete(np.arange(n_control), i), i) for i in range(n_control)]
    else:
        rng = np.random.default_rng(seed)
        orders = [rng.permutation(n_control) for _ in range(replicates)]
    effects = np.array([fit(controls[order], n_control - treated, n_before).effect for order in orders])
    observed = abs(fit(y, n_control, n_before).effect)
    as_large = 1 + int((np.abs(effects) >= observed).sum())
    return PlaceboTest(float(np.std(effects)), as_large / (effects.size + 1), effects)


def _assemble(
    y: Floats, n_control: int, n_before: int, omega: Floats, lam: Floats, estimator: Estimator
) -> SyntheticControl:
    gap = y[n_control:].mean(axis=0) - omega @ y[:n_control]
    curve = gap[n_before:] - lam @ gap[:n_before]
    before = gap[:n_before]
    if estimator != "synthetic_control":
        before = before - before.mean()
    rmse = float(np.sqrt((before**2).mean()))
    return SyntheticControl(float(curve.mean()), curve, omega, lam, rmse, estimator)


def _noise(before: Floats) -> float:
    """Standard deviation of the control units' first differences before treatment, the scale of the penalty."""
    steps = np.diff(before, axis=1)
    return float(np.std(steps, ddof=1)) if steps.size > 1 else 0.0


def _simplex_fit(A: Floats, b: Floats, zeta: float, *, intercept: bool, solver: Solver, noise: float) -> Floats:
    """Weights w on the simplex that minimize ||A w - b||^2 + rows zeta^2 ||w||^2, with a free level if `intercept`."""
    if intercept:
        A, b = A - A.mean(axis=0), b - b.mean()
    return _frank_wolfe(A, b, zeta, 1e-5 * noise) if solver == "frank_wolfe" else _active_set(A, b, zeta)


def _frank_wolfe(A: Floats, b: Floats, zeta: float, tolerance: float) -> Floats:
    """Steps towards one vertex at a time; after 100 of them small weights are dropped (Arkhangelsky et al. 2021)."""
    columns = A.shape[1]
    w = _vertex_steps(A, b, zeta, np.full(columns, 1 / columns), 100, tolerance)
    w = np.where(w <= w.max() / 4, 0.0, w)
    return _vertex_steps(A, b, zeta, w / w.sum(), 10_000, tolerance)


def _vertex_steps(A: Floats, b: Floats, zeta: float, w: Floats, steps: int, tolerance: float) -> Floats:
    rows = A.shape[0]
    penalty, last = rows * zeta**2, np.inf
    fit = A @ w
    for step in range(steps):
        slope = (fit - b) @ A + penalty * w
        best = int(np.argmin(slope))
        towards = -w
        towards[best] += 1
        gain = A[:, best] - fit
        curvature = (gain**2).sum() + penalty * (towards**2).sum()
        if curvature > 0:
            length = min(1.0, max(0.0, -float(slope @ towards) / float(curvature)))
            w = w + length * towards
            fit = A @ w
        loss = zeta**2 * float((w**2).sum()) + float(((fit - b) ** 2).sum()) / rows
        if step > 0 and last - loss <= tolerance**2:
            break
        last = loss
    return w


def _active_set(A: Floats, b: Floats, zeta: float) -> Floats:
    """Exact up to rounding, by an active set on the normal equations (Lawson, Hanson 1974, ch. 23)."""
    rows, columns = A.shape
    scale = max(float(np.abs(A).max()), 1e-300)
    A, b, zeta = A / scale, b / scale, zeta / scale
    mean_square = max(float(np.trace(A.T @ A)) / columns, 1e-300)
    penalty = max(rows * zeta**2, 1e-14 * mean_square)
    is_regular = penalty > 1e-6 * mean_square
    H = A.T @ A + np.eye(columns) * penalty
    g = A.T @ b
    w = np.zeros(columns)
    w[int(np.argmin(np.diag(H) / 2 - g))] = 1.0  # few weights are positive: from the best of them, not from all
    w = _near_minimum(A, g, penalty, w) if is_regular and columns > MANY_COLUMNS else w
    active = w > 0
    for _ in range(20 * columns + 100):
        target, level = _equality_solution(H, g, active, is_regular=is_regular)
        if np.all(target[active] > -1e-12):
            w = np.maximum(target, 0)
            gradient = H @ w - g - level  # at an optimum no weight outside wants to grow
            outside = np.where(active, np.inf, gradient)
            entering = int(np.argmin(outside))
            if outside[entering] >= -1e-10 * max(1.0, float(np.abs(g).max())):
                break
            active[entering] = True
            continue
        falling = active & (target < 0)
        room = np.where(falling, w / np.where(falling, w - target, 1.0), np.inf)
        step = float(room.min())
        w = w + step * (target - w)
        active &= ~(falling & (room <= step + 1e-15))
        w = np.where(active, w, 0.0)
    return np.asarray(w / w.sum())


def _near_minimum(A: Floats, g: Floats, penalty: float, w: Floats) -> Floats:
    """Near the best weights by accelerated projected gradients (Beck, Teboulle 2009): who of many is positive."""
    step = 1 / (float(np.linalg.eigvalsh(A @ A.T)[-1]) + penalty)
    ahead, momentum = w, 1.0
    for _ in range(200):
        before, w = w, _on_simplex(ahead - step * ((A @ ahead) @ A + penalty * ahead - g))
        last, momentum = momentum, (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = w + (last - 1) / momentum * (w - before)
    return w


def _on_simplex(x: Floats) -> Floats:
    """The nearest point with no negative part and sum 1 (Held, Wolfe, Crowder 1974)."""
    falling = np.sort(x)[::-1]
    shifts = (np.cumsum(falling) - 1) / np.arange(1, x.size + 1)
    return np.asarray(np.maximum(x - shifts[np.flatnonzero(falling > shifts)[-1]], 0))


def _equality_solution(H: Floats, g: Floats, active: NDArray[np.bool_], *, is_regular: bool) -> tuple[Floats, float]:
    """The minimizer over the active weights that sum to 1, and the multiplier of that sum."""
    inside = np.flatnonzero(active)
    k = inside.size
    system = np.zeros((k + 1, k + 1))
    system[:k, :k] = H[np.ix_(inside, inside)]
    system[:k, k] = system[k, :k] = 1.0
    right = np.append(g[inside], 1.0)
    solved = np.linalg.solve(system, right) if is_regular else np.linalg.lstsq(system, right, rcond=None)[0]
    target = np.zeros(g.size)
    target[inside] = solved[:k]
    return target, float(-solved[k])


def _checked(outcomes: ArrayLike, n_control: int, n_before: int) -> Floats:
    y = np.asarray(outcomes, dtype=np.float64)
    if y.ndim != 2 or not np.all(np.isfinite(y)):
        raise InputError("outcomes are not a complete table", rule="units by periods, every value finite")
    if not (2 <= n_control < y.shape[0] and 2 <= n_before < y.shape[1]):
        raise InputError(
            f"{n_control} control units of {y.shape[0]} and {n_before} earlier periods of {y.shape[1]}",
            rule="at least 2 control units and 2 periods before treatment, and something treated after",
        )
    return y
