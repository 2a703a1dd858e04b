"""How good scores turned out to be while they were served: by arm, once the labels have come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from paribus.lake.reading import LakeReader
from paribus.lake.record import microseconds
from paribus.lake.rows import ask
from paribus.models.quality import Quality, quality_by_arm

SCORED = "model_scored"
STATEMENT = """
WITH arm AS (
  SELECT unit, min_by(properties ->> '$.assigned', corrected_time) AS arm FROM {events}
  WHERE name = '$exposure' AND environment = $environment AND properties ->> '$.flag' = $flag
    AND properties ->> '$.reason' = 'SPLIT' GROUP BY unit),
scored AS (
  SELECT unit, min_by(TRY_CAST(properties ->> '$.score' AS DOUBLE), corrected_time) AS score,
         min(epoch_us(corrected_time)) AS time
  FROM {events} WHERE name = $scored AND environment = $environment GROUP BY unit),
labelled AS (
  SELECT coalesce(unit, user_id) AS unit, epoch_us(corrected_time) AS time FROM {events}
  WHERE name = $label AND environment = $environment)
SELECT arm.arm, scored.score, max(coalesce(labelled.time, 0) > 0) AS label FROM scored JOIN arm USING (unit)
LEFT JOIN labelled ON labelled.unit = scored.unit AND labelled.time > scored.time
  AND labelled.time <= scored.time + $horizon
WHERE scored.time + $horizon <= $until AND isfinite(scored.score) GROUP BY arm.arm, scored.unit, scored.score
ORDER BY arm.arm, scored.unit
"""


def online_quality(
    reader: LakeReader, flag: str, label: str, *, horizon: timedelta, until: datetime, environment: str = "production"
) -> Mapping[str, Quality]:
    """The quality of each unit's first score, in the arm that it was randomized to; empty while no label can have come.

    Args:
        reader: of the lake.
        flag: whose exposures say the arm.
        label: the event that makes a unit's label 1 when it follows its score within the horizon.
        horizon: how long a label may take; younger scores are left out, since their labels may still come.
        until: now.
        environment: of exposures, scores and labels.

    Raises:
        InputError: an arm has only one kind of label yet.
    """
    rows = ask(
        reader,
        STATEMENT,
        names=["$exposure", SCORED, label],
        columns=("name", "unit", "user_id", "properties", "environment", "corrected_time"),
        values={
            "environment": environment,
            "flag": flag,
            "scored": SCORED,
            "label": label,
            "horizon": round(horizon.total_seconds() * 1e6),
            "until": microseconds(until),
        },
    )
    return quality_by_arm(
        [float(row["label"]) for row in rows], [float(row["score"]) for row in rows], [str(row["arm"]) for row in rows]
    )
