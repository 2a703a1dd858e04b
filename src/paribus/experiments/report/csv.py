"""The result as CSV: one row for each comparison, segments after the whole, numbers in full precision."""

from __future__ import annotations

import csv as writer
import io
import math
from collections.abc import Iterator

from paribus.experiments.report.lines import printable
from paribus.experiments.report.method import cause, effects_hidden
from paribus.experiments.report.row import is_forbidden
from paribus.experiments.result import ArmValue, Comparison, Quantity, Result
from paribus.stats.estimate import Estimate, Undetermined

COLUMNS = {
    "experiment": "key of the experiment",
    "verdict": "the verdict of the whole experiment",
    "rule": "row of the decision table that gave it (0: unregistered)",
    "as_of": "time up to which data were read, ISO 8601; empty without times",
    "segment_attribute": "empty: the whole",
    "segment_value": "value of the attribute; empty with an attribute: missing",
    "metric": "name of the metric",
    "type": "mean, proportion, count, ratio, quantile, funnel or retention",
    "role": "success, guardrail or secondary",
    "direction": "increase or decrease: which way is better",
    "control": "name of the control",
    "control_units": "units in the control",
    "control_value": "the control's value (proportions as shares)",
    "control_se": "its standard error",
    "control_numerator": "sum above, for ratios and proportions",
    "control_denominator": "sum below, for ratios",
    "treatment": "name of the treatment",
    "treatment_units": "units in the treatment",
    "treatment_value": "the treatment's value",
    "treatment_se": "its standard error",
    "treatment_numerator": "sum above",
    "treatment_denominator": "sum below",
    "absolute_effect": "treatment minus control, adjusted as the plan says",
    "absolute_se": "its standard error",
    "absolute_lower": "lower end of its interval; empty: no limit",
    "absolute_upper": "upper end of its interval; empty: no limit",
    "relative_effect": "the same, relative to the control (0.05 is +5%)",
    "relative_se": "its standard error",
    "relative_lower": "lower end of its interval; empty: no limit",
    "relative_upper": "upper end of its interval; empty: no limit",
    "simultaneous_lower": "lower end of the interval (relative, or absolute where only that is known) after correction",
    "simultaneous_upper": "upper end of the same; empty: no limit",
    "level": "confidence level of the intervals",
    "alternative": "two-sided, greater or less",
    "p_value": "p-value that belongs to the interval",
    "adjusted_p": "p-value adjusted by the plan's correction",
    "margin_p": "guardrails: one-sided p-value against the margin; small: safe",
    "detectable": "smallest true effect that would be shown now with the plan's power, on the scale that is shown",
    "at_stop_effect": "relative effect without what an early stop adds; empty where nothing was shown early",
    "at_stop_lower": "lower end of its interval",
    "at_stop_upper": "upper end of its interval",
    "method": "how the effect was tested",
    "margin": "guardrails: the largest acceptable harm",
    "margin_absolute": "true: the margin is an absolute difference; false: relative",
    "conclusion": "what is concluded",
    "unadjusted_effect": "absolute effect without covariates",
    "unadjusted_se": "its standard error",
    "shrunk_relative_effect": "segments: relative effect after shrinkage",
    "variance_reduction": "share of the variance removed by covariates",
    "capped_control": "share of control units capped",
    "capped_treatment": "share of treatment units capped",
    "immature_units": "units left out because their window is open",
    "required_units": "guardrails not shown safe: units per arm that would do",
    "undetermined": "why there is no effect",
    "notes": "what else must be known, separated by semicolons",
}
DANGEROUS = ("=", "+", "-", "@")

Cell = str | int | float | bool | None


def csv(result: Result) -> str:
    """The table as CSV with a header; `COLUMNS` describes the columns.

    Texts stand on one line, and one that a spreadsheet would read as a formula is written after an apostrophe. Where
    the result is invalid the rows stand without effects, and say why.
    """
    out = io.StringIO()
    table = writer.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    for comparison in (*result.comparisons, *result.segments):
        values = dict(_cells(result, comparison))
        table.writerow([_written(values.get(name)) for name in COLUMNS])
    return out.getvalue()


def _cells(result: Result, c: Comparison) -> Iterator[tuple[str, Cell]]:
    yield "experiment", result.experiment
    yield "verdict", result.verdict.value.value
    yield "rule", result.verdict.rule
    yield "as_of", result.as_of.isoformat() if result.as_of else None
    if c.segment is not None:
        yield "segment_attribute", c.segment[0]
        yield "segment_value", c.segment[1]
    yield from (("metric", c.metric), ("type", c.type.value), ("role", c.role.value), ("direction", c.direction))
    yield from (("control", c.control.variant), ("control_units", c.control.units))
    yield from (("treatment", c.treatment.variant), ("treatment_units", c.treatment.units))
    yield from (("margin", c.margin), ("margin_absolute", None if c.margin is None else c.margin_absolute))
    yield from (("immature_units", c.immature_units), ("notes", "; ".join(c.notes)), ("method", c.method))
    if effects_hidden(result):
        yield "undetermined", f"hidden: {cause(result)}"
        return
    if not is_forbidden(c):
        yield from _arm("control", c.control)
        yield from _arm("treatment", c.treatment)
    yield from _effect("absolute", c.absolute)
    yield from _effect("relative", c.relative)
    tested = next((q for q in (c.relative, c.absolute) if isinstance(q, Estimate)), None)
    if tested is not None:
        yield from (("level", tested.level), ("alternative", tested.alternative), ("p_value", tested.p_value))
    if c.simultaneous is not None:
        yield from zip(("simultaneous_lower", "simultaneous_upper"), c.simultaneous, strict=True)
    if isinstance(c.unadjusted, Estimate):
        yield from (("unadjusted_effect", c.unadjusted.value), ("unadjusted_se", c.unadjusted.se))
    if isinstance(c.shrunk, Estimate):
        yield "shrunk_relative_effect", c.shrunk.value
    if c.capped_share is not None:
        yield from zip(("capped_control", "capped_treatment"), c.capped_share, strict=True)
    yield from (("margin_p", c.margin_p), ("detectable", c.detectable))
    yield from _effect("at_stop", c.at_stop) if c.at_stop is not None else ()
    yield from (("adjusted_p", c.adjusted_p), ("variance_reduction", c.variance_reduction))
    yield from (("conclusion", c.conclusion), ("required_units", c.required_units))
    reasons = {str(q) for q in (c.absolute, c.relative) if isinstance(q, Undetermined)}
    yield "undetermined", "; ".join(sorted(reasons))


def _arm(name: str, arm: ArmValue) -> Iterator[tuple[str, Cell]]:
    yield f"{name}_value", arm.value
    yield f"{name}_se", arm.se
    yield f"{name}_numerator", arm.numerator
    yield f"{name}_denominator", arm.denominator


def _effect(name: str, of: Quantity) -> Iterator[tuple[str, Cell]]:
    if isinstance(of, Estimate):
        yield from ((f"{name}_effect", of.value), (f"{name}_se", of.se))
        yield from ((f"{name}_lower", of.lower), (f"{name}_upper", of.upper))


def _written(value: Cell) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = printable(value)
        return f"'{text}" if text.lstrip(" ").startswith(DANGEROUS) else text
    return repr(value)
