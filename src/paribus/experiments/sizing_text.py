"""A sizing as a paper's table, at most 80 columns wide."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from paribus.charts import numbers
from paribus.experiments.plan import Method
from paribus.experiments.sample_sizes import loss_threshold
from paribus.stats.estimate import Undetermined

if TYPE_CHECKING:
    from paribus.experiments.sizing import Row, Sizing

WIDTH = 80


def text(sizing: Sizing) -> str:
    """Title, table, the simulated rule, and notes."""
    parts = [_title(sizing), _table(sizing)]
    if sizing.operating is not None:
        parts.append(sizing.operating.text())
    return "\n\n".join([*parts, "\n".join(fill(note, WIDTH) for note in _notes(sizing))])


def _title(sizing: Sizing) -> str:
    asked = sizing.question
    effect = numbers.number(asked.effect, unit="percent", signed=True)
    kind = f"mean {asked.baseline:,.6g}, sd {asked.sd:,.6g}" if asked.sd is not None else f"{asked.baseline:.4g}"
    what = f"{sizing.metric} at {kind}" if sizing.metric else f"a {'metric' if asked.sd else 'proportion'} at {kind}"
    sentence = (
        f"To find {effect} of {what}: {asked.arms} arms of equal size, confidence "
        f"{numbers.level(asked.plan.confidence_level)}, power {asked.plan.power:.4g}"
    )
    if asked.guardrails:
        sentence += f" for the success metric and {asked.guardrails} guardrails together"
    return fill(sentence, WIDTH)


def _table(sizing: Sizing) -> str:
    from paribus.experiments.sizing import NAMES

    head = ["method", "n per arm", "total"]
    columns = [lambda row: numbers.count(row.per_arm), lambda row: numbers.count(row.total)]
    if sizing.variance_reduction is not None:
        head.append("no CUPED")
        columns.append(lambda row: _count(row.per_arm_unadjusted))
    head += ["E0[n]", "E1[n]"]
    columns += [lambda row: _count(row.expected_h0), lambda row: _count(row.expected_h1)]
    if sizing.daily_units is not None:
        head += ["days", "MDE 14 d"]
        columns += [_days, lambda row: _percent(row.detectable)]
    own = sizing.question.plan.method
    lines = [
        [("* " if row.method is own else "  ") + NAMES[row.method], *(cell(row) for cell in columns)]
        for row in sizing.rows
    ]
    lines.insert(0, [f"  {head[0]}", *head[1:]])
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    drawn = [
        line[0].ljust(widths[0]) + "".join("  " + cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))
        for line in lines
    ]
    rule = "-" * len(drawn[0])
    return "\n".join([drawn[0], rule, *drawn[1:], rule])


def _notes(sizing: Sizing) -> list[str]:
    asked, plan = sizing.question, sizing.question.plan
    notes = [
        "* the plan's method. E0[n], E1[n]: expected units in each arm without and with the effect, where a look may "
        "stop early (group sequential: the plan's looks or five; anytime valid: twenty readings)."
    ]
    if sizing.daily_units is not None:
        notes.append(
            f"Days are full weeks at {numbers.count(sizing.daily_units)} new units a day. MDE 14 d: the relative "
            "effect that 14 days find with this power."
        )
    if sizing.history_units is not None:
        notes.append(f"Value, spread and arrivals as measured on {numbers.count(sizing.history_units)} units.")
    if sizing.variance_reduction is not None:
        notes.append(f"CUPED explains {numbers.share(sizing.variance_reduction)} of the variance in these data.")
    if asked.arms > 2:
        method = {"none": "no correction", "dunnett": "Dunnett's method"}.get(plan.correction, "Bonferroni's level")
        notes.append(f"Each comparison with control has alpha {asked.alpha:.4f} ({method}).")
    if asked.guardrails:
        notes.append(f"Each metric has power {asked.power:.4g}: beta is divided over guardrails and success.")
    ships = "expected loss is judged against " + numbers.number(loss_threshold(plan), unit="percent")
    default = "" if plan.loss_threshold or plan.method is not Method.BAYESIAN else ", the default"
    notes.append(f"Bayesian: {ships}{default}; its error without an effect isn't held at a level.")
    return notes


def _count(n: int | None) -> str:
    return "" if n is None else numbers.count(n)


def _days(row: Row) -> str:
    if isinstance(row.days, Undetermined):
        return "> 365"
    return "" if row.days is None else numbers.count(row.days)


def _percent(effect: float | None) -> str:
    return "none" if effect is None else numbers.number(effect, unit="percent", signed=True)
