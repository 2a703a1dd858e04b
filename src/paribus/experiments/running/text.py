"""Running summaries as text that fits a terminal of 80 columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from paribus.charts import numbers

if TYPE_CHECKING:
    from paribus.experiments.running.result import IntervalRead, RunningComparison, RunningReadings

WIDTH = 80
SHOWN = 60
GAP = "  "


def text(result: RunningReadings) -> str:
    """A heading, what was found, a table of the last checkpoints, one of what peeking did, and notes."""
    lines = [result.heading, "", result.summary]
    lines += [f"warning: {warning}" for warning in result.warnings]
    read = [each for each in result.comparisons if each.checkpoints]
    if len(read) == 1:
        lines += ["", *_single(read[0], result)]
    elif read:
        names = ", ".join((*result.by, *(("treatment",) if result.has_variants else ())))
        lines += [
            "",
            f"difference at the last checkpoint, by {names}" if names else "difference at the last checkpoint",
        ]
        lines += _table([_head(result), *(_last(each, result) for each in read[:SHOWN])])
        if len(read) > SHOWN:
            lines.append(f"  and {len(read) - SHOWN:,} more comparisons: --json has all")
        lines += _peeked(read, result)
    lines += ["", *(f"· {note}" for note in (*result.notes, *result.data_notes))]
    return "\n".join(lines)


def label(each: RunningComparison, result: RunningReadings) -> str:
    """What tells the comparison apart from the others."""
    return " ".join((*each.key, *((each.treatment,) if result.has_variants else ()))) or each.treatment


def interval_cell(reading: IntervalRead, se: float | None) -> str:
    """An interval, open where it has no end, a dash where there is none."""
    if reading.p_value is None:
        return numbers.NOTHING
    lower = -math.inf if reading.lower is None else reading.lower
    upper = math.inf if reading.upper is None else reading.upper
    return numbers.interval(lower, upper, se=se)


def p_cell(reading: IntervalRead) -> str:
    """A p-value, a dash where there is none."""
    return numbers.NOTHING if reading.p_value is None else numbers.p_value(reading.p_value)


def _head(result: RunningReadings) -> tuple[str, ...]:
    return ("", "difference", f"{numbers.level(result.level)} read once", "read always")


def _last(each: RunningComparison, result: RunningReadings) -> tuple[str, ...]:
    last = each.checkpoints[-1]
    value = numbers.number(last.difference, se=last.se, signed=True)
    cells = (interval_cell(last.fixed, last.se), interval_cell(last.anytime, last.se))
    return (label(each, result), value, *((last.reason, "") if last.reason else cells))


def _peeked(read: Sequence[RunningComparison], result: RunningReadings) -> list[str]:
    """The comparisons that some reading showed, in the order of the table."""
    shown = [each for each in read if each.naive_first is not None or each.anytime_first or each.mixture_first]
    if not shown:
        return []
    below = f"p < {f'{1 - result.level:.4g}'.removeprefix('0')}"
    has_mixture = result.effect_sd is not None
    head = ("", f"{below} at", "checkpoints", "at the end", "read always", *(("mixture",) if has_mixture else ()))
    rows = [
        (
            label(each, result),
            each.naive_first or numbers.NOTHING,
            f"{each.naive_shown:,} of {len(each.checkpoints):,}",
            f"p {p_cell(each.checkpoints[-1].fixed)}",
            f"from {each.anytime_first}" if each.anytime_first else numbers.NOTHING,
            *((f"from {each.mixture_first}" if each.mixture_first else numbers.NOTHING,) if has_mixture else ()),
        )
        for each in shown[:SHOWN]
    ]
    more = [f"  and {len(shown) - SHOWN:,} more comparisons: --json has all"] if len(shown) > SHOWN else []
    lines = ["", f"where some reading showed an effect ({result.time})", *_table([head, *rows]), *more]
    return lines + [
        f"{label(each, result)}: {stop}" for each in shown[:SHOWN] if (stop := stopped(each, result)) is not None
    ]


def _single(each: RunningComparison, result: RunningReadings) -> list[str]:
    last = each.checkpoints[-1]
    named = f"{' '.join(each.key)}: " if each.key else ""
    lines = [
        f"{named}{each.treatment} minus {each.control} at {result.time} {last.time}: "
        f"{last.n_treatment:,} and {last.n_control:,} units, means "
        f"{numbers.number(last.mean_treatment, se=last.se)} and {numbers.number(last.mean_control, se=last.se)}"
    ]
    if last.reason:
        return [*lines, f"undetermined: {last.reason}"]
    value = numbers.number(last.difference, se=last.se, signed=True)
    rows = [("", "difference", f"{numbers.level(result.level)} interval", "p")]
    kinds = [("read once, at the end", last.fixed), ("read always", last.anytime)]
    kinds += [("read always, mixture", last.mixture)] if last.mixture is not None else []
    rows += [(name, value, interval_cell(reading, last.se), p_cell(reading)) for name, reading in kinds]
    stop = stopped(each, result)
    return lines + _table(rows) + ([stop] if stop is not None else [])


def stopped(each: RunningComparison, result: RunningReadings) -> str | None:
    """The effect where the sequence first showed it, with and without what stopping there adds."""
    if each.at_stop is None:
        return None
    there = next(point for point in each.checkpoints if point.time == each.anytime_first)
    seen, cleared = (numbers.number(x, se=there.se, signed=True) for x in (there.difference, each.at_stop.value))
    return f"{seen} at {result.time} {there.time}, {cleared} without what stopping there adds"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns side by side; where they would not fit the width, each row's name stands on a line of its own."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    cells = [GAP.join(cell.rjust(n) for cell, n in zip(row[1:], widths[1:], strict=True)).rstrip() for row in rows]
    names = [row[0] for row in rows]
    if widths[0] + len(GAP) + max(map(len, cells)) <= WIDTH:
        return [f"{name.ljust(widths[0])}{GAP}{cell}".rstrip() for name, cell in zip(names, cells, strict=True)]
    lines = []
    for name, cell in zip(names, cells, strict=True):
        lines += [name, f"{GAP}{cell}"] if name else [f"{GAP}{cell}"]
    return lines
