"""A sizing in words, as plain values, and as a curve."""

from __future__ import annotations

import math
import textwrap
from dataclasses import asdict
from typing import Any

from paribus.charts import Figure, Line, numbers, power_curve
from paribus.experiments.operating import Characteristics, Rate
from paribus.experiments.plan import Method
from paribus.experiments.sizing_result import MDE_DAYS, Curve, MethodSize, Sizing
from paribus.stats.estimate import Undetermined

WIDTH = 80
NAMES = {
    Method.FIXED: "fixed horizon",
    Method.GROUP_SEQUENTIAL: "group sequential",
    Method.ANYTIME: "anytime valid",
    Method.BAYESIAN: "Bayesian",
}


def text(s: Sizing) -> str:
    """The sizing as a paper's table."""
    head = [f"Sample size: {s.title}", "═" * WIDTH]
    unit: numbers.Unit = "percent" if s.is_share else "number"
    said = f"{s.metric}: baseline {numbers.number(s.baseline, unit=unit)}"
    said += "" if s.is_share else f" (sd {numbers.number(s.sd)})"
    said += f", to detect {percent(s.mde)} relative; power {percent(s.plan.power)}, "
    said += f"confidence {percent(s.plan.confidence_level)}, {s.arms} arms"
    said += f", {s.guardrails} guardrail{'s' * (s.guardrails != 1)}" if s.guardrails else ""
    said += f"; about {numbers.count(s.daily_units)} new units a day" if s.daily_units else ""
    lines = [*head, *textwrap.wrap(f"{said}.", WIDTH), "", *_sizes(s), "", *_reading(s)]
    if len(s.by_metric) > 1:
        asked = ", ".join(f"{name} {numbers.count(n)}" for name, n in s.by_metric.items())
        lines += textwrap.wrap(f"Units asked for by each metric ({NAMES[s.plan.method]}): {asked}.", WIDTH)
    lines += ["", *_rule(s)]
    for note in s.notes:
        lines += textwrap.wrap(f"· {note}", WIDTH, subsequent_indent="  ")
    return "\n".join(line.rstrip() for line in lines)


def _sizes(s: Sizing) -> list[str]:
    calendar = s.chosen.days is not None
    titles = ["", "per arm", "at most", "if effect", "if none"]
    titles += ["days", "if effect", f"MDE {MDE_DAYS}d"] if calendar else ["false +"]
    widths = [18, *([9, 10, 10, 10] if calendar else [10] * 4), *([5, 10, 8] if calendar else [9])]
    rows = [titles]
    for m in s.sizes:
        row = [("▸ " if m.method is s.plan.method else "  ") + NAMES[m.method]]
        counted = (m.per_arm, m.maximum, m.expected_h1, m.expected_h0)
        row += [fitting(n, width) for n, width in zip(counted, widths[1:], strict=False)]
        row += [_days(m.days), _days(m.days_h1), _mde(m.detectable)] if calendar else [percent(m.false_positive)]
        rows.append(row)
    drawn = [
        row[0].ljust(widths[0]) + "".join(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
    rule = "─" * sum(widths)
    return [drawn[0], rule, *drawn[1:], rule]


def _reading(s: Sizing) -> list[str]:
    chosen = s.chosen
    said = [
        "Units of all arms together: at most, and expected when the effect is as planned or absent "
        f"(until {s.metric} decides)."
    ]
    if isinstance(chosen.days, Undetermined):
        said.append(f"Too long: {chosen.days.detail or chosen.days.reason.value}.")
    elif chosen.days is not None:
        said.append(f"The plan needs {chosen.days} days ({chosen.days // 7} full weeks).")
    if chosen.looks and s.plan.method is not Method.FIXED:
        said.append(f"Looks on days {', '.join(map(str, chosen.looks))}.")
    if chosen.binding != s.metric:
        said.append(f"{chosen.binding} asks for the most units.")
    if s.plain is not None:
        without = f"Without CUPED: {numbers.count(s.plain.maximum)} units"
        without += f", {s.plain.days} days" if isinstance(s.plain.days, int) else ""
        without += f", MDE at {MDE_DAYS} days {_mde(s.plain.detectable)}" if s.plain.detectable is not None else ""
        said.append(f"{without}; covariates remove {percent(s.variance_reduction)} of the variance.")
    bayesian = next(m for m in s.sizes if m.method is Method.BAYESIAN)
    said.append(
        f"Without any effect the Bayesian rule, which ships at an expected loss up to {percent(s.loss_threshold)}, "
        f"calls {s.metric} better in {percent(bayesian.false_positive)} of experiments; a fixed horizon does in "
        f"{percent(s.sizes[0].false_positive)}."
    )
    if s.peeking is not None:
        said.append(s.peeking.sentence)
    if s.assurance is not None:
        said.append(s.assurance.sentence(s.metric))
    return textwrap.wrap(" ".join(said), WIDTH)


def _rule(s: Sizing) -> list[str]:
    if not s.rule:
        return []
    of = s.rule[0].ship.of
    lines = textwrap.wrap(
        f"The whole decision rule ({NAMES[s.plan.method]}, guardrails and health checks included), simulated {of} "
        "times through the analysis itself; ± is one standard error of the simulation:",
        WIDTH,
    )
    row = "{:<38}{:>14}{:>14}{:>14}"
    lines += ["", row.format("if …", "ships", "ships wrongly", "rolls back"), "─" * WIDTH]
    for found in s.rule:
        words = textwrap.wrap(found.truth.words, 37)
        cells = [rate(found.ship), rate(found.false_ship), rate(found.roll_back)]
        lines.append(row.format(words[0], *cells))
        lines += [f"  {more}" for more in words[1:]]
    lines.append("─" * WIDTH)
    return lines


def percent(share: float) -> str:
    """A share as percent, without trailing zeros: .95 is 95%."""
    return f"{float(f'{share * 100:.3g}'):g}%"


def fitting(n: float, width: int) -> str:
    """A number of units that leaves a space in a column this wide, else in millions: 35,371,228 is 35.37M."""
    told = numbers.count(n)
    return told if len(told) < width else f"{n / 1e6:,.4g}M"


def rate(r: Rate) -> str:
    """A simulated rate with its Monte Carlo error; a count of zero says how far it may be from impossible."""
    if r.count == 0:
        return f"<{percent(3 / r.of)}"  # the rule of three: its 95% bound
    if r.count == r.of:
        return f">{percent(1 - 3 / r.of)}"
    return f"{100 * r.value:.1f}% ± {100 * r.se:.1f}"


def _days(days: int | Undetermined | None) -> str:
    if days is None:
        return numbers.NOTHING
    return ">365" if isinstance(days, Undetermined) else str(days)


def _mde(effect: float | None) -> str:
    return numbers.NOTHING if effect is None or not math.isfinite(effect) else percent(effect)


def plain(s: Sizing) -> dict[str, Any]:
    """The sizing as plain JSON values; what is not determined is null, with its reason beside."""
    return {
        "title": s.title,
        "metric": s.metric,
        "baseline": s.baseline,
        "sd": s.sd,
        "is_share": s.is_share,
        "mde": s.mde,
        "method": s.plan.method.value,
        "power": s.plan.power,
        "confidence_level": s.plan.confidence_level,
        "arms": s.arms,
        "guardrails": s.guardrails,
        "daily_units": s.daily_units,
        "sizes": {m.method.value: _plain_size(m) for m in s.sizes},
        "without_cuped": None if s.plain is None else _plain_size(s.plain),
        "variance_reduction": s.variance_reduction,
        "loss_threshold": s.loss_threshold,
        "peeking": None if s.peeking is None else asdict(s.peeking),
        "assurance": None if s.assurance is None else asdict(s.assurance),
        "other_sizes": s.compare().to_dict(),
        "units_by_metric": dict(s.by_metric),
        "curves": {"x": s.x, "lines": [_plain_curve(c) for c in (*s.curves, s.plain_curve) if c is not None]},
        "rule": [_plain_world(c) for c in s.rule],
        "seed": s.seed,
        "notes": list(s.notes),
    }


def _plain_size(m: MethodSize) -> dict[str, Any]:
    detectable = m.detectable if m.detectable is not None and math.isfinite(m.detectable) else None
    days = {
        name: getattr(m, name) if isinstance(getattr(m, name), int) else None for name in ("days", "days_h1", "days_h0")
    }
    found = {
        "per_arm": m.per_arm,
        "maximum": m.maximum,
        "expected_h1": m.expected_h1,
        "expected_h0": m.expected_h0,
        **days,
        "false_positive": m.false_positive,
        f"detectable_at_{MDE_DAYS}_days": detectable,
        "looks": list(m.looks),
        "binding": m.binding,
    }
    if isinstance(m.days, Undetermined):
        found["days_reason"] = m.days.detail or m.days.reason.value
    return found


def _plain_curve(c: Curve) -> dict[str, Any]:
    def known(values: tuple[float, ...]) -> list[float | None]:
        return [v if math.isfinite(v) else None for v in values]

    return {"name": c.name, "x": list(c.x), "detectable": known(c.detectable), "power": known(c.power)}


def _plain_world(c: Characteristics) -> dict[str, Any]:
    def of(r: Rate | None) -> dict[str, float] | None:
        return None if r is None else {**asdict(r), "value": r.value, "se": r.se}

    return {
        "truth": c.truth.name,
        "words": c.truth.words,
        "effects": dict(c.truth.effects),
        "ship": of(c.ship),
        "false_ship": of(c.false_ship),
        "roll_back": of(c.roll_back),
        "false_roll_back": of(c.false_roll_back),
        "invalid": of(c.invalid),
        "mean_units": c.units,
        "mean_days": c.days,
    }


def plot(s: Sizing, *, width: float = 720) -> Figure:
    """The detectable effect against days or units; the plan's own point is marked."""
    chosen = s.chosen
    own = next(c for c in s.curves if c.name == s.plan.method.value)
    others = [c for c in s.curves if c is not own]
    drawn = [own, *([s.plain_curve] if s.plain_curve else others)]
    words = {m.value: name for m, name in NAMES.items()}
    end = float(chosen.days) if isinstance(chosen.days, int) else None
    if s.x == "units":
        end = float(chosen.maximum)
    return power_curve(
        [Line(words.get(c.name, c.name), c.x, c.detectable) for c in drawn],
        title=f"Detectable effect of {s.title}",
        x_title="days" if s.x == "days" else "units in all arms",
        y_title=f"smallest relative effect on {s.metric} found with {percent(s.plan.power)} power",
        planned=None if end is None else (end, s.mde),
        width=width,
    )
