"""What ran out while an experiment went on: a limited stock that the history did not show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from paribus.lake.reading import LakeReader
from paribus.lake.rows import ask
from paribus.workflow.planning import RUN_OUT, SHARED

FEWEST = 5  # units that met it: one strange event is no shortage
STATEMENT = """SELECT name, count(DISTINCT coalesce(unit, user_id, anonymous_id)) AS units FROM {events}
WHERE environment = $environment AND corrected_time >= $since
  AND (regexp_matches(name, $shared) OR regexp_matches(properties, $run_out, 'i'))
GROUP BY name ORDER BY units DESC, name"""
_COLUMNS = ("name", "unit", "user_id", "anonymous_id", "properties", "corrected_time", "environment")


@dataclass(frozen=True, slots=True)
class Shortage:
    """An event that tells of something that ran out, and how many units met it."""

    event: str
    units: int

    @property
    def sentence(self) -> str:
        """What it means for the effect."""
        return (
            f"While the experiment ran, {self.units:,} units met something that had run out ({self.event}): the arms "
            "share a limited stock"
        )


def shortage(reader: LakeReader | None, environment: str, since: datetime) -> Shortage | None:
    """The most frequent event since then that tells of something that ran out; None where nothing did."""
    if reader is None:
        return None
    values = {"environment": environment, "since": since, "shared": SHARED.pattern, "run_out": RUN_OUT.pattern}
    rows = ask(reader, STATEMENT, columns=_COLUMNS, values=values)
    if not rows or rows[0]["units"] < FEWEST:
        return None
    return Shortage(str(rows[0]["name"]), int(rows[0]["units"]))
