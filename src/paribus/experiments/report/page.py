"""The result as one HTML file: no network, no script that runs, readable on a phone, a wide screen and paper."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from paribus.charts import Figure, axis_of, axis_strip, interval_strip
from paribus.charts.numbers import count, number, p_value, share
from paribus.charts.theme import MARKS as CHART_STYLE
from paribus.charts.theme import scheme_rules
from paribus.experiments.power_reached import reached
from paribus.experiments.report import method
from paribus.experiments.report.csv import csv
from paribus.experiments.report.document import KEY, VERDICT_MARKS, segments_words
from paribus.experiments.report.lines import is_control
from paribus.experiments.report.plot import curves, interval_of, units_by_day
from paribus.experiments.report.row import (
    ROLES,
    SIDES,
    Reading,
    Row,
    absolute_effect,
    arm_detail,
    arms,
    reading,
    row,
)
from paribus.experiments.result import Check, Comparison, Result
from paribus.metrics.definition import Role
from paribus.stats.estimate import Estimate

if TYPE_CHECKING:
    from jinja2 import Environment

WIDE, NARROW = 960.0, 340.0  # one drawing for screens and paper, one for phones, whose type would shrink otherwise
STATUS_MARKS = {"passed": "✓", "failed": "✗", "not_applicable": "–"}
STATUS_WORDS = {"passed": "passed", "failed": "failed", "not_applicable": "not applicable"}


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the page's table: its cells, its strip on the shared axis, and how its parts came about."""

    row: Row
    absolute: str
    control_detail: str
    treatment_detail: str
    strip: Markup
    shrunk: str
    label: str
    is_repeated: bool = False  # the line above is the same metric in another arm


@dataclass(frozen=True, slots=True)
class Table:
    """Lines under one heading with their shared axis."""

    heading: str
    lines: tuple[Line, ...]
    axis: Markup
    id: str


@dataclass(frozen=True, slots=True)
class Picture:
    """One chart, drawn twice for two widths."""

    title: str
    wide: Markup
    narrow: Markup


def page(result: Result) -> str:
    """The whole report as one HTML document, in the order in which a result is to be read."""
    return render("page.html.j2", result)


def render(template: str, result: Result) -> str:
    """A template of this package filled with the result; all text is escaped."""
    return _environment().get_template(template).render(view(result))


def view(result: Result) -> dict[str, Any]:
    """All that the templates show, as words and drawings."""
    plain = result.to_dict()  # without passwords
    document = json.dumps(plain, ensure_ascii=False, indent=1, allow_nan=False)
    hidden = method.effects_hidden(result)
    return {
        "result": result,
        "style": _drawn(style()),
        "name": result.title or result.experiment,
        "heading": method.heading(result),
        "mark": VERDICT_MARKS[result.verdict.value],
        "tone": result.verdict.value.value,
        "rule": method.rule(result),
        "may_be_read": method.may_be_read(result),
        "hidden": hidden,
        "cause": method.cause(result) if hidden else "",
        "checks": sorted(result.checks, key=_check_order),
        "failed": [c for c in sorted(result.checks, key=_check_order) if c.status == "failed"],
        "progress": method.progress(result),
        "progress_words": method.progress_words(result),
        "reached": [] if hidden else [each.sentence for each in reached(result)],
        "precision": _precision(result.comparisons),
        "tables": tables(result.comparisons, is_valid=not hidden),
        "several_arms": len(arms(result.comparisons)) > 1,
        "has_numbers": any(isinstance(reading(c), Reading) for c in result.comparisons),
        "interval_name": method.interval_name(result.comparisons),
        "p_name": method.p_name(result),
        "basis": method.basis(result, result.comparisons),
        "key": [KEY[m] for m in KEY if m in {row(c).mark for c in result.comparisons}],
        "pictures": _pictures(curves(result, width=WIDE, height=280), curves(result, width=NARROW, height=240)),
        "looks": any(p.is_look for p in result.curve),
        "boundaries": any(p.boundary for p in result.curve),
        "days": _days(result),
        "segments": segments(result.segments),
        "segments_words": segments_words(result.segments),
        "arms": method.arms_words(result),
        "freshness": method.freshness(result),
        "registration": method.registration(result),
        "statements": plain["statements"],
        "notes": [*plain["data_notes"], *plain["warnings"], *(n["sentence"] for n in plain["novelty"])],
        "deviations": plain["deviations"],
        "plan": json.dumps(plain["plan"], indent=1, ensure_ascii=False),
        "proof": json.dumps(plain["proof"], indent=1, ensure_ascii=False),
        "data_block": _drawn(_script_safe(document)),
        "json_link": _data_link("application/json", document),
        "csv_link": _data_link("text/csv", csv(result)),
        "status_marks": STATUS_MARKS,
        "status_words": STATUS_WORDS,
    }


def tables(comparisons: Sequence[Comparison], *, is_valid: bool = True) -> list[Table]:
    """The comparisons by role on one shared axis; the treatments of a metric stand together."""
    order = {name: i for i, name in enumerate(dict.fromkeys(c.metric for c in comparisons))}
    ordered = sorted(comparisons, key=lambda c: (ROLES.index(c.role), order[c.metric]))
    axis, header = _axis(comparisons)
    made = []
    for role, group in groupby(ordered, key=lambda c: c.role):
        lines: list[Line] = []
        for c in group:
            made_line = _line(c, axis, is_valid=is_valid)
            is_repeated = bool(lines) and lines[-1].row.metric == c.metric
            lines.append(replace(made_line, is_repeated=is_repeated))
        made.append(Table(_role_name(role), tuple(lines), header, role.value))
    return made


def segments(comparisons: Sequence[Comparison]) -> list[Table]:
    """Segments by metric, treatment and attribute, all on one shared axis."""
    several = len(arms(tuple(comparisons))) > 1
    axis, header = _axis(comparisons)
    groups: dict[str, list[Comparison]] = {}
    for c in comparisons:
        attribute = (c.segment or ("", None))[0]
        heading = f"{c.metric} by {attribute}" + (f", {c.treatment.variant}" if several else "")
        groups.setdefault(heading, []).append(c)
    return [
        Table(heading, tuple(_line(c, axis) for c in of), header, f"segment-{i}")
        for i, (heading, of) in enumerate(groups.items(), start=1)
    ]


@cache
def style() -> str:
    """The style of page and notebook: colors, charts, layout."""
    sheet = _environment().get_template("result.css").render()
    return scheme_rules(".pb-result") + CHART_STYLE + sheet


def _axis(comparisons: Sequence[Comparison]) -> tuple[tuple[float, float], Markup]:
    """The shared axis and its drawing, empty where no interval can be drawn."""
    rows = [interval_of(c) for c in comparisons]
    axis = axis_of(rows)
    return axis, _drawn(axis_strip(axis) if any(r.value is not None for r in rows) else "")


def _line(c: Comparison, axis: tuple[float, float], *, is_valid: bool = True) -> Line:
    made = row(c)
    level = (c.segment[1] if c.segment[1] is not None else "(missing)") if c.segment else ""
    shrunk = (
        number(c.shrunk.value, se=c.shrunk.se, unit="percent", signed=True) if isinstance(c.shrunk, Estimate) else ""
    )
    return Line(
        row=made,
        absolute=absolute_effect(c) if isinstance(made.reading, Reading) else "",
        control_detail=arm_detail(c, c.control),
        treatment_detail=arm_detail(c, c.treatment),
        strip=_drawn(interval_strip(interval_of(c) if is_valid else replace(interval_of(c), tone="neutral"), axis)),
        shrunk=shrunk,
        label=level,
    )


def _role_name(role: Role) -> str:
    return {Role.SUCCESS: "Success metrics", Role.GUARDRAIL: "Guardrails", Role.SECONDARY: "Secondary metrics"}[role]


def _check_order(check: Check) -> tuple[int, int]:
    return (
        ("failed", "passed", "not_applicable").index(check.status),
        ("blocking", "warning", "diagnostic").index(check.severity),
    )


def _precision(comparisons: Sequence[Comparison]) -> list[str]:
    """How far each success metric's interval reaches now."""
    widest: dict[str, tuple[float, str]] = {}
    for c in comparisons:
        shown = reading(c)
        if c.role is Role.SUCCESS and isinstance(shown, Reading):
            reach = max(abs(shown.value - end) for end in (shown.lower, shown.upper))
            words = f"{c.metric} ±{number(reach, se=shown.se, unit=shown.unit)}"
            widest[c.metric] = max(widest.get(c.metric, (0.0, "")), (reach, words))
    return [words for _, words in widest.values()]


def _pictures(wide: Sequence[Figure], narrow: Sequence[Figure]) -> list[Picture]:
    return [Picture(w.title, _drawn(w.inline()), _drawn(n.inline())) for w, n in zip(wide, narrow, strict=True)]


def _days(result: Result) -> Picture | None:
    wide, narrow = units_by_day(result, width=WIDE), units_by_day(result, width=NARROW)
    return _pictures([wide], [narrow])[0] if wide and narrow else None


def _drawn(markup: str) -> Markup:
    """Markup that needs no escaping: charts and `_script_safe` have escaped every user text in it."""
    return Markup(markup)  # noqa: S704


def _script_safe(document: str) -> str:
    """JSON in which no `</script>` and no comment can begin."""
    return document.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _data_link(kind: str, content: str) -> str:
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(content.encode()).decode()}"


def _visible(value: object) -> object:
    """Text without control characters; drawings and numbers as they are."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return "".join(c for c in value if c in "\n\t" or not is_control(c))
    return value


def _minus(words: str) -> str:
    """Numbers with a true minus sign."""
    return re.sub(r"-(?=[\d∞.])", "−", words)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("paribus.experiments.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(minus=_minus, count=count, p_value=p_value, share=share)
    environment.globals.update(sides=SIDES)
    return environment
