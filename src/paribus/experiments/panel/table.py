"""A panel from any table: one row for each unit in each period, and who is under treatment when.

What the estimators of `paribus.stats` ask for is tested here first, so that a mistake is said with counts, names and a
way out: gaps, rows that occur twice, treatment from the first period on, treatment that begins at different times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paribus.errors import InputError
from paribus.experiments.cells import number_sql, ordered_periods, refuse_missing, summarized_rows, told
from paribus.experiments.columns import Facts, column_of, quoted
from paribus.experiments.panel.shape import listed, refuse_other_shapes

if TYPE_CHECKING:
    from paribus.stats.panel import PanelTable
    from paribus.warehouse.engine import Engine


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A balanced panel in which all treated units begin treatment in the same period.

    metric    the column that was measured
    units     names, control units first
    periods   names, earlier first
    table     outcomes in that order
    notes     how the source was read
    """

    metric: str
    units: tuple[str, ...]
    periods: tuple[str, ...]
    table: PanelTable
    notes: tuple[str, ...]

    @property
    def start(self) -> str:
        """The first period under treatment."""
        return self.periods[self.table.n_before]


def read_panel(engine: Engine, relation: str, *, unit: str, time: str, treated: str, metric: str) -> Panel:
    """The panel in a table.

    Args:
        engine: where the table is.
        relation: file, table, or the name a frame is registered under.
        unit: column of the unit's name.
        time: column of the period: a number, a date, or text in ISO 8601 (2026-01, 2026-W05, 2026-Q1).
        treated: column that is 1 in the rows in which the unit is under treatment, else 0.
        metric: column of the outcome.

    Raises:
        InputError: a column or a value cannot be used, or the table is no balanced panel with one start of treatment.
    """
    from paribus.stats import panel_table

    facts = Facts(engine.columns(relation))
    real = {part: column_of(name, facts, relation) for part, name in _parts(unit, time, treated, metric).items()}
    twice = [name for name, n in Counter(real.values()).items() if n > 1]
    if twice:
        raise InputError(
            f"{twice[0]!r} is named twice", where=relation, rule="unit, time, treated and metric are four columns"
        )
    rows = _rows(engine, relation, real, facts)
    units = [str(row[0]).strip() for row in rows]
    periods = ordered_periods([row[1] for row in rows], real["time"], relation)
    status = _status([row[2] for row in rows], real["treated"], relation)
    refuse_other_shapes(units, periods, status, treated=real["treated"], relation=relation)
    table = panel_table(units, periods, [float(row[3]) for row in rows], status)
    return Panel(
        metric=real["metric"],
        units=tuple(str(name) for name in table.units),
        periods=tuple(told(period) for period in table.periods.tolist()),
        table=table,
        notes=tuple(engine.notes),
    )


def _parts(unit: str, time: str, treated: str, metric: str) -> dict[str, str]:
    return {"unit": unit, "time": time, "treated": treated, "metric": metric}


def _rows(engine: Engine, relation: str, real: dict[str, str], facts: Facts) -> list[tuple[Any, ...]]:
    """Unit, period, status and outcome of every row; none of them missing."""
    said = [quoted(real[part], engine.dialect) for part in ("unit", "time")]
    for part in ("treated", "metric"):
        said.append(number_sql(engine, relation, real[part], facts, part))
    rows = summarized_rows(
        engine,
        relation,
        said,
        rule="a panel has one row for each unit in each period",
        fix="sum events up by unit and period first, or take coarser units",
    )
    refuse_missing(
        rows,
        list(real.values()),
        relation,
        numbers=2,
        rule="every unit has a value in every period",
        fix="fill them in, or leave out the units or the periods that they belong to",
    )
    return rows


def _status(values: Sequence[Any], column: str, relation: str) -> list[int]:
    other = Counter(f"{float(value):g}" for value in values if float(value) not in (0.0, 1.0))
    if other:
        raise InputError(
            f"the treated column {column!r} holds {listed(list(other))} in {other.total():,} rows",
            where=relation,
            rule="1 in the rows in which the unit is under treatment, else 0",
        )
    return [int(value) for value in values]
