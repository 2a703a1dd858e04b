"""Makes comparisons and curves from a few numbers, for the results of `tests.experiments.results`."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from paribus.experiments.result import ArmValue, Comparison, Conclusion, CurvePoint
from paribus.metrics.definition import Direction, MetricType, Role
from paribus.stats.estimate import Alternative, Estimate, Reason, Undetermined

START = datetime(2026, 3, 2, tzinfo=UTC)
END = datetime(2026, 3, 16, tzinfo=UTC)
Z = 1.959963984540054


def estimate(
    value: float,
    se: float,
    *,
    level: float = 0.95,
    alternative: Alternative = "two-sided",
    method: str = "Welch t",
    reach: float | None = None,
    p: float | None = None,
) -> Estimate:
    """An estimate with a normal interval (or one of `reach` standard errors)."""
    one_sided = alternative != "two-sided"
    z = reach if reach is not None else Z
    p = math.erfc(abs(value / se) / math.sqrt(2)) if p is None else p
    lower = -math.inf if alternative == "less" else value - z * se
    upper = math.inf if alternative == "greater" else value + z * se
    return Estimate(
        value, se, lower, upper, p, math.inf, 0.975 if one_sided and level == 0.95 else level, alternative, method
    )


def comparison(
    metric: str,
    kind: MetricType,
    role: Role,
    control: float,
    treatment: float,
    se: float,
    conclusion: Conclusion,
    *,
    direction: Direction = "increase",
    arm: str = "treatment",
    units: tuple[int, int] = (50_212, 49_987),
    arm_se: float | None = None,
    alternative: Alternative = "two-sided",
    method: str = "Welch t",
    reach: float | None = None,
    p: float | None = None,
    **more: object,
) -> Comparison:
    """A comparison from the two arms' values and the standard error of their difference."""
    arm_se = se / math.sqrt(2) if arm_se is None else arm_se
    numerators = (None, None)
    if kind is MetricType.PROPORTION:
        numerators = (round(control * units[0]), round(treatment * units[1]))
    kwargs = {"alternative": alternative, "method": method, "reach": reach, "p": p}
    made = Comparison(
        metric,
        kind,
        role,
        direction,
        ArmValue("control", units[0], control, arm_se, numerators[0]),
        ArmValue(arm, units[1], treatment, arm_se, numerators[1]),
        estimate(treatment - control, se, **kwargs),  # type: ignore[arg-type]
        estimate((treatment - control) / control, se / control, **kwargs),  # type: ignore[arg-type]
        estimate(treatment - control, se * 1.2, reach=reach, p=p, method=method),
        method,
        conclusion=conclusion,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def undetermined(
    metric: str, reason: Reason, detail: str = "", *, role: Role = Role.SUCCESS, arm: str = "treatment"
) -> Comparison:
    """A comparison without a result."""
    nothing = Undetermined(reason, detail)
    return Comparison(
        metric,
        MetricType.MEAN,
        role,
        "increase",
        ArmValue("control", 12, 0.0, 0.0),
        ArmValue(arm, 9, 0.0, 0.0),
        nothing,
        nothing,
        nothing,
        "Welch t",
    )


NAMES = (
    """
sessions, page views, search used, search clicked, product viewed, added to cart, cart value,
checkout begun, checkout done, orders, order value, revenue, items per order, discount used, refunds,
support tickets, returned within 7 days, returned within 28 days, notifications opened,
notification opt-outs, page load p95, time to first byte, error rate, crash rate, rage clicks,
sign-ups, referrals sent, reviews written, wishlist adds,
very_long_metric_name_from_a_warehouse_column_per_user
""".replace(",\n", ", ")
    .strip()
    .split(", ")
)


def many() -> tuple[Comparison, ...]:
    made = []
    for arm_index, arm in enumerate(("short form", "one page")):
        for i, name in enumerate(NAMES):
            role = Role.SUCCESS if i in (8, 11) else Role.GUARDRAIL if i in (14, 20, 22, 23) else Role.SECONDARY
            kind = (MetricType.PROPORTION, MetricType.MEAN, MetricType.RATIO, MetricType.COUNT)[i % 4]
            base = (
                (0.034 * (i + 1) / 3 % 0.9 + 0.004) if kind is MetricType.PROPORTION else (0.7 * (i + 1)) ** 2.2 + 0.13
            )
            z = ((i * 7 + arm_index * 11) % 13 - 5) / 1.7  # spread out, the same in every run
            se = base * (0.004 + 0.003 * (i % 5) + (0.12 if i == 23 else 0))
            lower_is_better = i in (14, 15, 19, 20, 21, 22, 23, 24)
            good = (z < 0) if lower_is_better else (z > 0)
            clear = abs(z) > 2.6
            conclusion: Conclusion
            if role is Role.GUARDRAIL:
                conclusion = "harmful" if clear and not good else "safe" if i != 23 else "not shown safe"
            else:
                conclusion = ("better" if good else "worse") if clear else "inconclusive"
            made.append(
                comparison(
                    name,
                    kind,
                    role,
                    base,
                    base + z * se,
                    se,
                    conclusion,
                    arm=arm,
                    units=(1_203_441, 1_204_002 - 811 * arm_index),
                    direction="decrease" if lower_is_better else "increase",
                    method="asymptotic confidence sequence",
                    reach=2.9,
                    p=min(1.0, math.erfc(abs(z) / math.sqrt(2)) * 3.1),
                    margin=0.02 if role is Role.GUARDRAIL else None,
                    variance_reduction=0.21 if i % 3 == 0 else None,
                )
            )
    return tuple(made)


def segments() -> tuple[Comparison, ...]:
    levels = {"country": ("DE", "FR", "IT", "US", None), "platform": ("android", "ios", "web")}
    made = []
    for attribute, names in levels.items():
        for i, level in enumerate(names):
            se = 0.004 * (1 + 0.6 * i)
            lift = (0.0069, 0.0131, -0.002, 0.0077, 0.024)[i]
            whole = comparison(
                "converted",
                MetricType.PROPORTION,
                Role.SUCCESS,
                0.12 - 0.007 * i,
                0.12 - 0.007 * i + lift,
                se,
                "better" if lift > 2.6 * se else "inconclusive",
                units=(21_000 // (i + 1), 20_800 // (i + 1)),
            )
            raw = lift / (0.12 - 0.007 * i)
            made.append(
                replace(
                    whole,
                    segment=(attribute, level),
                    shrunk=estimate(0.057 + 0.3 * (raw - 0.057), 0.02),
                    adjusted_p=0.04 * (i + 1),
                )
            )
    made.append(replace(undetermined("converted", Reason.TOO_FEW_UNITS, "12 and 9 units"), segment=("platform", "tv")))
    return tuple(made)


def curve(
    metric: str, control: float, treatment: float, se_end: float, reach: float, looks: tuple[int, ...], days: int = 14
) -> tuple[CurvePoint, ...]:
    wobble = (2.6, -1.4, 0.8, 1.1, -0.5, 0.2, -0.3, 0.6, 0.1, -0.2, 0.15, -0.1, 0.05, 0.0)
    points = []
    for day in range(1, days + 1):
        at = (START + timedelta(days=day - 1)).date()
        units = round(100_199 * (1 - math.exp(-day / 7)) / (1 - math.exp(-2)))
        se = se_end * math.sqrt(100_199 / units)
        if day == 1:
            nothing = Undetermined(Reason.TOO_FEW_UNITS, "the first day has no closed window")
            points.append(CurvePoint(metric, "treatment", at, units, nothing, nothing))
            continue
        value = treatment - control + wobble[day - 1] * se * 0.6
        wide = reach * (1 + 0.5 / day)
        absolute = estimate(value, se, reach=wide, method="asymptotic confidence sequence")
        relative = estimate(value / control, se / control, reach=wide, method="asymptotic confidence sequence")
        boundary = (
            (-4.9 * se * math.sqrt(14 / day) / 2, 4.9 * se * math.sqrt(14 / day) / 2)
            if looks and day in looks
            else None
        )
        points.append(CurvePoint(metric, "treatment", at, units, absolute, relative, boundary, day in looks))
    return tuple(points)
