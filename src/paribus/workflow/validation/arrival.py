"""What of the planted events stands in the lake: by event, by property, and what was held back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paribus.lake.reading import LakeReader
from paribus.lake.recent import held
from paribus.lake.rows import ask
from paribus.workflow.validation.door import Plant

Json = dict[str, Any]
COLUMNS = ("name", "event_id", "source", "unit", "user_id", "anonymous_id", "session_id", "properties", "planned")
STATEMENT = (
    "SELECT name, event_id, source, unit, user_id, anonymous_id, session_id, epoch_us(corrected_time) AS time, "
    "properties, planned FROM {events} WHERE environment = $environment AND source LIKE '%:' || $label "
    "ORDER BY corrected_time, event_id"
)

OF_VISITORS = (
    "SELECT name, event_id, unit, user_id, anonymous_id FROM {events} WHERE environment = $environment "
    "AND (list_contains($ids, unit) OR list_contains($ids, user_id) OR list_contains($ids, anonymous_id)) "
    "ORDER BY event_id"
)


@dataclass(frozen=True, slots=True)
class Arrived:
    """Events of one source label in one environment, each once, in the order of time."""

    rows: tuple[Json, ...]

    def of(self, ids: Sequence[str]) -> dict[str, Json]:
        """The rows with these ids, by id."""
        wanted = set(ids)
        return {row["event_id"]: row for row in self.rows if row["event_id"] in wanted}


def arrived(reader: LakeReader, environment: str, label: str) -> Arrived:
    """What came in with keys of this label."""
    rows = ask(
        reader,
        STATEMENT,
        columns=(*COLUMNS, "corrected_time", "environment"),
        values={"environment": environment, "label": label},
    )
    return Arrived(tuple({**row, "properties": json.loads(row["properties"] or "{}")} for row in rows))


def arrived_of(reader: LakeReader, environment: str, ids: Sequence[str]) -> list[Json]:
    """The events of these visitors, whoever sent them."""
    columns = ("name", "event_id", "unit", "user_id", "anonymous_id", "environment")
    return list(ask(reader, OF_VISITORS, columns=columns, values={"environment": environment, "ids": list(ids)}))


def property_shares(plants: Sequence[Plant], stored: Mapping[str, Json]) -> dict[str, float]:
    """By property, the share of the events sent with it that are stored with the same value."""
    sent: dict[str, int] = {}
    kept: dict[str, int] = {}
    for plant in plants:
        row = stored.get(plant.event_id)
        for name, value in plant.properties.items():
            sent[name] = sent.get(name, 0) + 1
            if row is not None and row["properties"].get(name) == value:
                kept[name] = kept.get(name, 0) + 1
    return {name: kept.get(name, 0) / count for name, count in sorted(sent.items())}


def held_back(reader: LakeReader, environment: str, labels: Sequence[str], *, but: bool = False) -> list[Json]:
    """Events of an environment that wait in quarantine, of these source labels; with `but` of all others."""
    found: list[Json] = []
    after: str | None = ""
    while after is not None:
        page = held(reader, after=after, limit=1000)
        mine = (row for row in page.rows if row["environment"] == environment)
        found += [row for row in mine if (str(row["source"]).rpartition(":")[2] in labels) is not but]
        after = page.next
    return found
