"""Running summaries from any table: units, mean and variance of each arm at each checkpoint, nothing of any one unit.

Two layouts: one row for each checkpoint with a pair of columns for each number (control, treatment), or one row for
each arm and checkpoint. Rows are of all units so far; with `increments` each holds its own units, and the rows are
added up. Checkpoints that cannot be read are left out, counted and said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from paribus.errors import InputError
from paribus.experiments.cells import number_sql, ordered_periods, refuse_missing, summarized_rows, told
from paribus.experiments.columns import Facts, chosen_control, column_of, quoted
from paribus.experiments.levels import refuse_look_alikes
from paribus.experiments.running.rows import NAMED, Row, Summaries, arm_by_time, refuse_rows
from paribus.experiments.running.shape import refuse_falls, refuse_repeated, rising
from paribus.stats.arm import Arm

if TYPE_CHECKING:
    from paribus.warehouse.engine import Engine

NOBODY = "nobody"
NO_ROW, FEW_UNITS, INCOMPLETE = (
    "one arm has no row",
    "an arm has fewer than two units",
    "an arm has no count, mean or variance",
)


@dataclass(frozen=True, slots=True, eq=False)
class RunningSeries:
    """One treatment against its control by checkpoint, earlier first.

    key                 values of the columns that tell experiments and metrics apart
    times               of the checkpoints at which both arms can be read
    control, treatment  names
    arms                control and treatment at these checkpoints
    left_out            other checkpoints, by the reason
    """

    key: tuple[str, ...]
    control: str
    treatment: str
    times: tuple[Any, ...]
    arms: tuple[Arm, Arm]
    left_out: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class RunningTable:
    """All comparisons of a table; `notes` say how it was read."""

    summaries: Summaries
    series: tuple[RunningSeries, ...]
    notes: tuple[str, ...]


def read_running(engine: Engine, relation: str, summaries: Summaries, *, increments: bool = False) -> RunningTable:
    """The comparisons in a table of running summaries.

    Args:
        engine: where the table is.
        relation: file, table, or the name a frame is registered under.
        summaries: which columns hold what.
        increments: each row holds the units of its own period, not all so far.

    Raises:
        InputError: a column or a value cannot be used, a checkpoint occurs twice, or running counts fall.
    """
    facts = Facts(engine.columns(relation))
    real = {part: column_of(name, facts, relation) for part, name in summaries.parts}
    twice = [name for name, n in Counter(real.values()).items() if n > 1]
    if twice:
        raise InputError(f"{twice[0]!r} is named twice", where=relation, rule="each column has one part")
    found = _rows(engine, relation, summaries, real, facts)
    rows, control = _by_arm(found, summaries, real, relation)
    refuse_rows(rows, relation, increments=increments, is_sd=summaries.is_sd)
    refuse_repeated(engine, relation, rows, summaries, real, facts)
    notes: list[str] = []
    if increments:
        notes += rising(rows)
    else:
        refuse_falls(rows, relation)
    series, empty = _series(rows, control, increments=increments, is_sd=summaries.is_sd)
    if empty:
        notes.append(f"{empty:,} arms had no row at a checkpoint of the other arm: no units were added there")
    return RunningTable(summaries, series, (*engine.notes, *notes))


def _rows(
    engine: Engine, relation: str, summaries: Summaries, real: Mapping[str, str], facts: Facts
) -> list[tuple[Any, ...]]:
    """The named columns of every row, in the order of the parts; those that tell rows apart are never missing."""
    names = {part: real[part] for part in summaries.telling}
    columns = [quoted(name, engine.dialect) for name in names.values()]
    columns += [number_sql(engine, relation, real[part], facts, part) for part in summaries.measured]
    rows = summarized_rows(
        engine,
        relation,
        columns,
        rule="one row for each checkpoint and arm",
        fix="for one row per unit: --unit, --variant and --metric",
    )
    refuse_missing(
        rows,
        list(names.values()),
        relation,
        rule="a row says what it is about: the checkpoint, and the arm or series where they are columns",
        fix="fill them in, or leave these rows out",
    )
    return rows


def _by_arm(
    found: Sequence[tuple[Any, ...]], summaries: Summaries, real: Mapping[str, str], relation: str
) -> tuple[list[Row], str]:
    """One row for each arm and checkpoint, and the control's name."""
    by = len(summaries.by)
    times = ordered_periods([row[by] for row in found], real["time"], relation)
    keys = [tuple(_text(value) for value in row[:by]) for row in found]
    numbers = [[np.nan if value is None else float(value) for value in row[len(summaries.telling) :]] for row in found]
    if summaries.variant is None:
        rows = [
            Row(key, arm, time, *values[i::2])
            for key, time, values in zip(keys, times, numbers, strict=True)
            for i, arm in enumerate(NAMED)
        ]
        return rows, NAMED[0]
    arms = [_text(row[by + 1]) for row in found]
    levels = dict(sorted(Counter(arms).items()))
    refuse_look_alikes(levels, real["variant"], relation)
    if len(levels) < 2:
        raise InputError(
            f"the variant column {real['variant']!r} holds only the value {arms[0]!r}",
            where=relation,
            rule="an experiment compares at least two variants",
            fix="give a table with both arms",
        )
    control = chosen_control(list(levels), summaries.control, real["variant"], relation)
    rows = [Row(key, arm, time, *own) for key, arm, time, own in zip(keys, arms, times, numbers, strict=True)]
    return rows, control


def _text(value: Any) -> str:
    return told(value) if isinstance(value, float) else str(value).strip()


def _series(
    rows: Sequence[Row], control: str, *, increments: bool, is_sd: bool
) -> tuple[tuple[RunningSeries, ...], int]:
    """Every treatment of every key against the control, and how many arms had no row where increments were asked."""
    cells: dict[tuple[str, ...], dict[str, dict[Any, Row]]] = {}
    for row in rows:
        cells.setdefault(row.key, {}).setdefault(row.arm, {})[row.time] = row
    found, empty = [], 0
    for key in sorted(cells, key=_order):
        arms = cells[key]
        for name in sorted(set(arms) - {control}) or [NOBODY]:
            own = [arms.get(control, {}), arms.get(name, {})]
            times = sorted({time for arm in own for time in arm})
            if increments:
                empty += sum(time not in arm for arm in own if arm for time in times)
            found.append(_one(key, control, name, times, own, increments=increments, is_sd=is_sd))
    return tuple(found), empty


def _order(key: tuple[str, ...]) -> tuple[tuple[bool, float, str], ...]:
    """Numbers by size, before words."""
    parts = []
    for text in key:
        try:
            parts.append((False, float(text), text))
        except ValueError:
            parts.append((True, 0.0, text))
    return tuple(parts)


def _one(
    key: tuple[str, ...],
    control: str,
    treatment: str,
    times: Sequence[Any],
    own: Sequence[Mapping[Any, Row]],
    *,
    increments: bool,
    is_sd: bool,
) -> RunningSeries:
    arms = [arm_by_time(arm, times, increments=increments, is_sd=is_sd) for arm in own]
    n, mean, var = (np.array([getattr(arm, name) for arm in arms]) for name in ("n", "value", "var"))
    absent = np.array([[not increments and time not in arm for time in times] for arm in own])
    reasons = np.full(len(times), "", dtype=object)
    with np.errstate(invalid="ignore"):
        reasons[(np.isnan(n) | np.isnan(mean) | np.isnan(var)).any(axis=0)] = INCOMPLETE
        reasons[(n < 2).any(axis=0)] = FEW_UNITS
    reasons[absent.any(axis=0)] = NO_ROW
    keep = reasons == ""
    return RunningSeries(
        key,
        control,
        treatment,
        tuple(time for time, kept in zip(times, keep, strict=True) if kept),
        (_at(arms[0], keep), _at(arms[1], keep)),
        dict(Counter(reasons[~keep])),
    )


def _at(arm: Arm, keep: Any) -> Arm:
    return Arm(arm.n[keep], arm.value[keep], arm.var[keep], arm.skewness[keep])
