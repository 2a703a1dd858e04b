"""What each unit did, a row for each: the attributes that segments by behavior read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from paribus.exploration.behavior import units_statement
from paribus.exploration.days import measure_days
from paribus.exploration.funnel_choice import choose_funnel, conversion_event
from paribus.exploration.opening import open_lake, open_source
from paribus.exploration.quality import leave_out_bots

if TYPE_CHECKING:
    from paribus.lake.reading import LakeReader


def behavior_rows(
    source: str, reader: LakeReader | None, plan: Mapping[str, Any], *, window_hours: float
) -> list[tuple[Any, ...]]:
    """Unit, days since last seen, active days, actions per active day, conversions; over the days that step 1 reads.

    Args:
        source: "lake", files, or a database's URL#table.
        reader: of the lake.
        plan: the tracking plan's document, where there is one.
        window_hours: of the funnel.

    Raises:
        InputError: the source has no column for unit, event or time.
    """
    opened = (
        open_lake(reader, names=True) if source == "lake" and reader is not None else open_source(source, names=True)
    )
    with opened as log:
        leave_out_bots(log, conversion_event(log, plan))
        days = measure_days(log)
        choice = choose_funnel(log, plan=plan, window_hours=window_hours)
        return log.query(units_statement(log, days, choice.conversion if choice else None)).rows
