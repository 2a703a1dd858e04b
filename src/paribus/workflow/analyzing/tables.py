"""The tables of the statistical report: effects by role, the Bayesian reading, segments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from paribus.charts import numbers
from paribus.experiments.report.document import segments_words
from paribus.experiments.report.method import interval_name, p_name
from paribus.experiments.report.row import ROLES, arms, row
from paribus.experiments.result import Comparison, Result
from paribus.stats.estimate import Estimate
from paribus.workflow.block import Table

NEGLIGIBLE = 1e-5
SURE = 0.975
"""The chance that a two-sided test at 95% stands for under a flat prior."""


def effect_table(result: Result) -> Table:
    """Every metric in every arm: both arms' own numbers, the effect with its interval, the margin, the conclusion."""
    several = len(arms(result.comparisons)) > 1
    ordered = sorted(result.comparisons, key=lambda c: ROLES.index(c.role))
    interval, p = interval_name(ordered), p_name(result)
    control = ordered[0].control.variant if ordered else "control"
    treatment = "treatment" if several or not ordered else ordered[0].treatment.variant
    rows = []
    for c in ordered:
        of = row(c)
        name = f"{c.metric}, {c.treatment.variant}" if several else c.metric
        effect = of.effect or f"undetermined: {of.reason}"
        rows.append((name, c.role.value, of.control, of.treatment, effect, of.interval, of.margin, of.p, c.conclusion))
    return Table(
        ("metric", "role", control, treatment, "effect", interval, "margin", p, "conclusion"),
        rows,
        right=(control, treatment, "effect", interval, "margin", p),
    )


def posterior_table(posterior: Mapping[str, Any]) -> Table:
    """Chances and expected losses, by metric and arm; losses are relative to control's value."""
    of = [(name, each) for name, each in posterior.items() if isinstance(each, dict)]
    heads = ("chance of being better", "expected loss of shipping", "expected loss of not shipping")
    sds = sorted({float(each["prior_sd"]) for _, each in of if each.get("prior_sd")})
    prior = f"; sd {' or '.join(numbers.number(sd, unit='percent') for sd in sds)}" if sds else ""
    return Table(
        ("metric", *heads),
        [
            (
                name,
                numbers.chance(each["chance_better"]),
                _loss(each["loss_treatment"]),
                _loss(each["loss_control"]),
            )
            for name, each in of
        ],
        caption=f"Normal prior on the relative effect, mean 0{prior}. It describes; the sealed rule decides.",
        right=heads,
    )


def disagreements(result: Result) -> Iterator[str]:
    """Where the Bayesian reading and the sealed test say different things, and why."""
    for c in result.comparisons:
        chance = (c.posterior or {}).get("chance_better")
        if chance is None or c.role.value == "guardrail":
            continue
        is_sure = chance >= SURE or chance <= 1 - SURE
        is_shown = c.conclusion in {"better", "worse"}
        if is_sure and not is_shown:
            yield (
                f"{c.metric}: the chance of being better is {numbers.chance(chance)}, and the sealed test shows "
                "nothing: its interval is wider, because it holds whenever it is read, or for its whole family at once."
            )
        elif is_shown and not is_sure:
            yield (
                f"{c.metric}: the sealed test shows {c.conclusion}, and the chance of being better is only "
                f"{numbers.chance(chance)}: the prior expects smaller effects and draws the estimate in."
            )


def segment_table(result: Result) -> Table:
    """The success metrics by segment; attributes that do not divide the units are left out."""
    explored = divided(result)
    interval = interval_name(explored)
    rows = []
    for c in explored:
        of = row(c)
        attribute, level = c.segment or ("", None)
        shrunk = c.shrunk
        rows.append(
            (
                c.metric,
                f"{attribute} {level if level is not None else '(missing)'}",
                numbers.count(c.control.units + c.treatment.units),
                of.effect or f"undetermined: {of.reason}",
                of.interval,
                numbers.number(shrunk.value, se=shrunk.se, unit="percent", signed=True)
                if isinstance(shrunk, Estimate)
                else numbers.NOTHING,
                of.p,
                c.conclusion,
            )
        )
    return Table(
        ("metric", "segment", "units", "effect", interval, "shrunk", "p", "conclusion"),
        rows,
        caption=segments_words(explored) if explored else "",
        right=("units", "effect", interval, "shrunk", "p"),
    )


def level_notes(result: Result) -> Iterator[str]:
    """Whether the levels of each attribute differ: one sentence for each metric and attribute."""
    of = divided(result)
    several = len({c.metric for c in of}) > 1
    said = dict.fromkeys(
        (f"{c.metric}: " if several else "") + note for c in of for note in c.notes if note != "exploratory"
    )
    yield from said
    if said:
        yield "A segment's interval is its own, not corrected for how many are shown; p and conclusion are."


def divided(result: Result) -> Sequence[Comparison]:
    """The success metrics' segments of attributes with more than one level."""
    success = [c for c in result.segments if c.role.value == "success" and c.segment is not None]
    levels: dict[str, set[str | None]] = {}
    for c in success:
        attribute, level = c.segment or ("", None)
        levels.setdefault(attribute, set()).add(level)
    return [c for c in success if c.segment is not None and len(levels[c.segment[0]]) > 1]


def _loss(loss: float) -> str:
    if 0 < loss < NEGLIGIBLE:
        return "< 0.001%"
    return numbers.number(loss, unit="percent")
