"""Running summaries as one HTML file: what was found, then each comparison with its picture over time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from paribus.charts import numbers
from paribus.experiments.panel.text import one_page
from paribus.experiments.running.text import interval_cell, label, p_cell, stopped, text

if TYPE_CHECKING:
    from paribus.charts.svg import Figure
    from paribus.experiments.running.result import IntervalRead, RunningComparison, RunningReadings

DRAWN = 100


def fragment(result: RunningReadings) -> str:
    """The result in a notebook: its text, in a face of equal widths."""
    from markupsafe import escape

    return f"<pre>{escape(text(result))}</pre>"


def picture(result: RunningReadings, each: RunningComparison) -> Figure:
    """The difference over time with both intervals, and where they first showed an effect."""
    from paribus.charts.two_readings import TwoReadings, two_readings

    points = [
        TwoReadings(p.time, p.difference, p.se, _ends(p.fixed), _ends(p.anytime))
        for p in each.checkpoints
        if not p.reason
    ]
    marks = [(each.naive_first, "stopped by peeking")] if each.naive_first else []
    marks += [(each.anytime_first, "shown at any time")] if each.anytime_first else []
    level = numbers.level(result.level)
    return two_readings(
        points,
        title=label(each, result),
        names=(f"{level} interval read once", f"{level} interval read always"),
        marks=marks,
    )


def page(result: RunningReadings) -> str:
    """The result as one HTML file that loads nothing."""
    from markupsafe import escape

    warnings = "".join(f"<p><strong>Warning:</strong> {escape(warning)}</p>" for warning in result.warnings)
    notes = "".join(f"<li>{escape(note)}</li>" for note in (*result.notes, *result.data_notes))
    read = [each for each in result.comparisons if each.checkpoints]
    drawn = "".join(
        f"<h2>{escape(label(each, result))}</h2><figure>{picture(result, each).inline()}</figure>{_words(each, result)}"
        for each in read[:DRAWN]
    )
    if len(read) > DRAWN:
        drawn += f"<p>{len(read) - DRAWN:,} more comparisons are not drawn; --json has them.</p>"
    body = (
        f"<p>{escape(result.summary)}</p>{warnings}{_table(result)}"
        "<p>The line is the difference, the ribbon the interval that may be read at every checkpoint, the dashed lines "
        "the interval that may be read once.</p>"
        f"{drawn}<h2>What to know</h2><ul>{notes}</ul>"
    )
    return one_page("Running summaries", result.heading, body)


def _ends(reading: IntervalRead) -> tuple[float, float]:
    return (
        -math.inf if reading.lower is None else reading.lower,
        math.inf if reading.upper is None else reading.upper,
    )


def _words(each: RunningComparison, result: RunningReadings) -> str:
    from markupsafe import escape

    last = each.checkpoints[-1]
    said = [f"{last.n_control:,} units in {each.control} and {last.n_treatment:,} in {each.treatment} at the end"]
    if each.peeking_error is not None:
        said.append(
            f"without an effect, peeking at {len(each.checkpoints):,} checkpoints finds one with a chance of "
            f"{numbers.share(each.peeking_error)}"
        )
    stop = stopped(each, result)
    said += [stop] if stop is not None else []
    return f"<p>{escape('; '.join(said))}.</p>"


def _table(result: RunningReadings) -> str:
    from markupsafe import escape

    head = ("", "difference", f"{numbers.level(result.level)} read once", "p", "read always", "p", "peeking", "always")
    rows = []
    for each in result.comparisons:
        if each.last is None:  # the notes name those that cannot be read
            continue
        last = each.last
        peeked = f"from {each.naive_first}, {each.naive_shown:,} of {len(each.checkpoints):,}"
        rows.append(
            (
                label(each, result),
                numbers.number(last.difference, se=last.se, signed=True),
                last.reason or interval_cell(last.fixed, last.se),
                p_cell(last.fixed),
                interval_cell(last.anytime, last.se),
                p_cell(last.anytime),
                peeked if each.naive_first else numbers.NOTHING,
                f"from {each.anytime_first}" if each.anytime_first else numbers.NOTHING,
            )
        )
    cells = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f"<div class=wide><table><thead><tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr></thead>"
        f"<tbody>{cells}</tbody></table></div>"
    )
