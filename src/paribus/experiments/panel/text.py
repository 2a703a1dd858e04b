"""Effects from a panel as people read them: text for a terminal, a fragment for a notebook, a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from paribus.charts import numbers
from paribus.experiments.panel.result import ESTIMATORS

if TYPE_CHECKING:
    from paribus.charts.svg import Figure
    from paribus.experiments.panel.result import PanelEffect, PanelEffects

SHOWN_UNITS = 10


def text(result: PanelEffects) -> str:
    """A heading, the design, a table of effects, the same before treatment, weights and notes."""
    lines = [result.heading, "", _design(result), ""]
    lines += _table(result.effects, result)
    if result.before:
        lines += ["", f"before treatment, as if it had begun in {result.placebo_start}"]
        lines += _table(result.before, result)
    for each in result.effects:
        if each.weights:
            lines += ["", f"{ESTIMATORS[each.estimator]}: {_fit(each)}", f"  {_weights(each)}"]
    lines += ["", *(f"· {note}" for note in (*result.notes, *result.data_notes))]
    return "\n".join(lines)


def fragment(result: PanelEffects) -> str:
    """The result in a notebook: its text, in a face of equal widths."""
    from markupsafe import escape

    return f"<pre>{escape(text(result))}</pre>"


def page(result: PanelEffects) -> str:
    """The result as one HTML file that loads nothing: a picture of the intervals, then tables."""
    from markupsafe import escape

    before = _html_table(result.before, result) if result.before else ""
    weights = "".join(
        f"<h2>{escape(ESTIMATORS[each.estimator].capitalize())}</h2><p>{escape(_fit(each))}</p><p>{escape(_weights(each))}</p>"
        for each in result.effects
        if each.weights
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in (*result.notes, *result.data_notes))
    placebo = f"<h2>Before treatment, as if it had begun in {escape(str(result.placebo_start))}</h2>{before}"
    body = (
        f"<p>{escape(_design(result))}</p>"
        f"<figure>{_picture(result).inline()}</figure>{_html_table(result.effects, result)}"
        f"{placebo if before else ''}{weights}<h2>What to know</h2><ul>{notes}</ul>"
    )
    return one_page(result.metric, result.heading, body)


def one_page(title: str, heading: str, body: str) -> str:
    """An HTML file that loads nothing, with the styles of charts and tables; `body` is markup."""
    from markupsafe import escape

    from paribus.charts.theme import STYLE, scheme_rules

    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(title)}</title>"
        '<meta name=viewport content="width=device-width,initial-scale=1">'
        f"<style>{scheme_rules(':root')}{_SHEET}{STYLE}</style></head><body><main>"
        f"<p><strong>{escape(heading)}</strong></p><h1>{escape(title)}</h1>{body}</main></body></html>"
    )


_SHEET = (
    "body{margin:0;background:var(--pb-paper);color:var(--pb-ink);font:15px/1.5 system-ui,sans-serif}"
    "main{max-width:820px;margin:0 auto;padding:24px 20px 60px}h1{font-size:22px}h2{font-size:17px;margin:28px 0 8px}"
    "table{border-collapse:collapse;width:100%;font-size:13px}figure{margin:10px 0 18px}svg{width:100%;height:auto}"
    "th,td{text-align:left;padding:4px 10px 4px 0;border-bottom:1px solid var(--pb-line);vertical-align:top}"
    ".wide{overflow-x:auto}.wide th,.wide td{white-space:nowrap;font-variant-numeric:tabular-nums}"
)


def _picture(result: PanelEffects) -> Figure:
    from paribus.charts.interval import Interval, interval_plot

    rows = []
    for each in result.effects:
        row = Interval(ESTIMATORS[each.estimator], note=each.reason, unit="number")
        if each.lower is not None and each.upper is not None:
            row = replace(row, value=each.value, lower=each.lower, upper=each.upper, se=each.se)
        rows.append(row)
    return interval_plot(rows, title=f"Effect on {result.metric}", description=result.heading)


def _design(result: PanelEffects) -> str:
    treated = ", ".join(result.treated_units[:SHOWN_UNITS])
    more = len(result.treated_units) - SHOWN_UNITS
    treated += f" and {more:,} more" if more > 0 else ""
    return (
        f"{result.metric}: {_counted(result.n_treated, 'treated unit')} ({treated}) from {result.start} on, "
        f"{_counted(result.n_control, 'control unit')}; {_counted(result.n_before, 'period')} before "
        f"({result.first_period} on), {result.n_after:,} after (to {result.last_period})"
    )


def _counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def _head(result: PanelEffects) -> tuple[str, ...]:
    return ("", "effect", "se", f"{numbers.level(result.level)} interval", "p", "error from")


def _cells(effect: PanelEffect) -> tuple[str, ...]:
    name = ESTIMATORS[effect.estimator]
    if effect.value is None:
        return (name, numbers.NOTHING, numbers.NOTHING, numbers.NOTHING, numbers.NOTHING, effect.reason)
    if effect.se is None or effect.lower is None or effect.upper is None or effect.p_value is None:
        value = numbers.number(effect.value, signed=True)
        return (name, value, numbers.NOTHING, numbers.NOTHING, numbers.NOTHING, effect.reason)
    # One digit more than the error carries: published effects have it, and readers compare.
    places = numbers.decimals(effect.se) + 1
    value, low, high = (
        f"{'+' if x > 0 else ''}{numbers.fixed(x, places)}" for x in (effect.value, effect.lower, effect.upper)
    )
    se = numbers.fixed(effect.se, places)
    return (name, value, se, f"[{low}, {high}]", numbers.p_value(effect.p_value), effect.inference)


def _table(effects: Sequence[PanelEffect], result: PanelEffects) -> list[str]:
    """Rows that fit 80 columns, then where the errors come from or why there are none."""
    rows = [_head(result)[:-1], *(_cells(each)[:-1] for each in effects)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.rjust(n) if i else cell.ljust(n) for i, (cell, n) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    origins: dict[str, list[str]] = {}
    for each in effects:
        origin = f"no error: {each.reason}" if each.reason else f"error from {each.inference}"
        origins.setdefault(origin, []).append(ESTIMATORS[each.estimator])
    return lines + [
        f"  {origin}" if len(origins) == 1 else f"  {', '.join(names)}: {origin}" for origin, names in origins.items()
    ]


def _html_table(effects: Sequence[PanelEffect], result: PanelEffects) -> str:
    from markupsafe import escape

    head = "".join(f"<th>{escape(cell)}</th>" for cell in _head(result))
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(each)) + "</tr>" for each in effects)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _fit(effect: PanelEffect) -> str:
    return f"root mean squared gap before treatment {numbers.significant(effect.gap_before or 0.0, 3)}; largest weights"


def _weights(effect: PanelEffect) -> str:
    return ", ".join(f"{each.unit} {each.weight:.3f}" for each in effect.weights)
