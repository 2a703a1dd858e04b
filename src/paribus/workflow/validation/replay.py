"""The experiment on history as if it had run then: split by the real flag, analyzed by the real statements, no effect.

Nothing can be found, because nobody was treated; what is found all the same says that this split divides history
unevenly, or that assignment, statements or statistics are wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paribus.experiments.on_lake import Snapshot, analyze_on_lake, as_history, lake_engine
from paribus.experiments.registry import document_of_body
from paribus.experiments.result import Result
from paribus.lake.record import Record
from paribus.lake.rows import write_records
from paribus.metrics.definition import Role
from paribus.warehouse.event_links import Links
from paribus.warehouse.event_views import exposures_of
from paribus.workflow.launching.randomization import at_traffic

Json = dict[str, Any]
ENVIRONMENT = "replay"
WHOLE = 10_000


@dataclass(frozen=True, slots=True)
class Replay:
    """What the experiment says of a history in which nothing happened."""

    result: Result
    units: dict[str, int]
    excluded: int
    """Units of the history that the flag would not have taken."""


def replay(
    body: Mapping[str, Any],
    key: str,
    snapshot: Snapshot,
    definitions: Mapping[str, Any],
    *,
    event: str,
    since: Any,
    where: Mapping[str, Sequence[str]] | None,
    attributes: Mapping[str, Any],
    links: Links | None = None,
) -> Replay:
    """The analysis of a stored experiment on its history: its success metrics, which decide, and its health.

    Args:
        body: the experiment's document.
        key: of the flag.
        snapshot: the lake.
        definitions: as every evaluator reads them.
        event, since, where: which events stand directly before the decision.
        attributes: a context that takes part.
        links: whom anonymous ids are read as, where the experiment joins them.
    """
    from paribus_sdk import Evaluator

    document = document_of_body(body, str(body["experiment"]))
    history = as_history(document, event, since=since, where=where)
    exposures = history.data.exposures
    if exposures is None or document.data.exposures is None:
        raise ValueError("an experiment on a flag has exposures")
    with lake_engine(history.design, history.data, snapshot, links=links) as engine:
        relation = engine.relation_sql(exposures.relation)
        rows = engine.query(
            f"SELECT {exposures.unit} AS unit, epoch_us(min(time)) AS time FROM {relation} "
            f"WHERE {exposures.unit} IS NOT NULL GROUP BY 1 ORDER BY 2, 1"
        ).rows
    evaluate = Evaluator(at_traffic(definitions, key, WHOLE)).evaluate
    unit_type = exposures.unit.removesuffix("_unit")
    records, excluded = [], 0
    for number, (unit, time) in enumerate(rows):
        decision = evaluate(key, str(unit), attributes)
        if decision.reason != "SPLIT":
            excluded += 1
            continue
        records.append(_exposure(key, str(unit), unit_type, int(time) + 1, number, decision))
    with TemporaryDirectory(prefix="paribus-replay-") as folder:
        made = write_records(records, Path(folder) / "exposures.parquet")
        whole = replace(snapshot, files=(*snapshot.files, made))
        data = replace(
            document.data, exposures=replace(document.data.exposures, relation=exposures_of(key, ENVIRONMENT))
        )
        judged = tuple(each for each in document.design.metrics if each.role is Role.SUCCESS)
        design = replace(document.design, plan=replace(document.design.plan, start=None), metrics=judged)
        result = analyze_on_lake(replace(document, data=data, design=design), whole, segments=(), links=links)
    return Replay(result, result.units, excluded)


def summary(found: Replay) -> Json:
    """The replay as plain values: units, effects with their p-values, checks that failed."""
    return {
        "units": dict(found.units),
        "excluded": found.excluded,
        "effects": [
            {
                "metric": each.metric,
                "role": each.role.value,
                **{name: getattr(each.relative, name, None) for name in ("value", "lower", "upper", "p_value")},
            }
            for each in found.result.comparisons
        ],
        "failed_checks": [
            {"check": each.name, "sentence": each.sentence}
            for each in found.result.checks
            if each.status == "failed" and each.severity == "blocking"
        ],
    }


def _exposure(key: str, unit: str, unit_type: str, time: int, number: int, decision: Any) -> Record:
    properties = {
        "flag": key,
        "unit_type": unit_type,
        "unit": unit,
        "assigned": decision.assigned,
        "served": decision.served,
        "reason": "SPLIT",
        "revision": 1,
        "epoch": 1,
        "traffic_bp": WHOLE,
        "split_bp": decision.split_bp,
        "probability": decision.split_bp / WHOLE if decision.split_bp else None,
        "environment": ENVIRONMENT,
    }
    return Record(
        source="replay:replay",
        event_id=f"replay-{number}",
        name="$exposure",
        original_time=time,
        received_time=time,
        corrected_time=time,
        unit_type=unit_type,
        unit=unit,
        properties=json.dumps(properties),
        environment=ENVIRONMENT,
    )
