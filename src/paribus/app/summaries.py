"""Experiments that are known by running summaries, from a file, a database or memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from paribus.app.experiment import as_level, names, table_engine
from paribus.errors import InputError

if TYPE_CHECKING:
    from paribus.experiments.running.result import RunningReadings


def running(
    source: object,
    *,
    count: str | Sequence[str],
    mean: str | Sequence[str],
    time: str,
    variance: str | Sequence[str] | None = None,
    sd: str | Sequence[str] | None = None,
    variant: str | None = None,
    control: str | None = None,
    by: str | Sequence[str] = (),
    increments: bool = False,
    split: Mapping[str, float] | None = None,
    n_opt: float | None = None,
    effect_sd: float | None = None,
    confidence_level: float | None = None,
    connection: str | None = None,
) -> RunningReadings:
    """Every difference at every checkpoint, read once and read always, with no verdict: *unregistered*.

    Args:
        source: one row for each checkpoint, or with `variant` for each arm and checkpoint: a file or glob, a table's
            name when `connection` is given, or a pandas, Polars, Arrow or DuckDB table in memory.
        count: columns of the units so far: (control, treatment), or one beside `variant`.
        mean: columns of their means.
        time: column of the checkpoint: numbers, dates, or text in ISO 8601.
        variance: columns of the variance of single units; or give `sd`.
        sd: columns of the standard deviation of single units.
        variant: column of the arm.
        control: the control's name in it.
        by: columns that tell experiments, treatments and metrics apart.
        increments: each row holds the units of its own period; they are added up.
        split: planned weights by arm; without `variant` the arms are called control and treatment.
        n_opt: units of both arms together at which the sequence is tightest, named before the start; each comparison's
            own number at the end when omitted, which the result says.
        effect_sd: adds a mixture sequential probability ratio test for effects of this standard deviation.
        confidence_level: 0.95 when omitted.
        connection: database URL for a table's name.

    Returns:
        For each comparison both intervals at every checkpoint, where peeking would have stopped it, whether that
        lasted, and where the anytime-valid sequence shows an effect; in units of the metric.

    Raises:
        InputError: a column or value cannot be used, a checkpoint occurs twice, or running counts fall.
        EngineError: the database failed.
    """
    from paribus.experiments.running.readings import running_readings
    from paribus.experiments.running.rows import Summaries
    from paribus.experiments.running.table import read_running

    level = as_level(confidence_level)
    if (variance is None) == (sd is None):
        raise InputError(
            "the spread of the units is not named" if sd is None else "both variance and sd are named",
            where="variance",
            rule="either the variance or the standard deviation of single units",
            fix="of a share p among n units the variance is p·(1−p)·n/(n−1); a standard error times √n is the sd",
        )
    summaries = Summaries(
        count=names(count),
        mean=names(mean),
        spread=names(variance if variance is not None else sd or ()),
        is_sd=variance is None,
        time=time,
        by=names(by),
        variant=variant,
        control=control,
    )
    with table_engine(source, connection) as (engine, relation):
        table = read_running(engine, relation, summaries, increments=increments)
    return running_readings(table, level=level, n_opt=n_opt, effect_sd=effect_sd, split=split)
