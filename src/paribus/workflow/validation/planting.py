"""Planting: events for every entry of the plan and synthetic users, sent in staging, counted where they arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paribus.lake.reading import LakeReader
from paribus.store import Store
from paribus.workflow.context import Endpoint
from paribus.workflow.facts.validate import Planted
from paribus.workflow.validation import door as doors
from paribus.workflow.validation import reading, scenario
from paribus.workflow.validation.arrival import Arrived, held_back, property_shares
from paribus.workflow.validation.door import SDK, Plant
from paribus.workflow.validation.sample import event as sample_event
from paribus.workflow.validation.scenario import Case, planted_id
from paribus.workflow.validation.staging import STAGING, key

Json = dict[str, Any]
LABEL = "validation"
COPIES = 3


@dataclass
class Planting:
    """What is planted for one feature and one state of its plan.

    Attributes:
        digest: what the ids hang on, so that planting again plants the same events.
        planned: the plan's events that are still sent, by name.
        steps: the feature's funnel, as far as it is planned.
        now: the time of planting.
        doors: the SDK's, and the vendors' dialects that are switched on.
    """

    digest: str
    planned: Mapping[str, Json]
    steps: Sequence[str]
    now: datetime
    doors: Sequence[str]

    def plants(self, door: str) -> list[Plant]:
        """The plan's events for one door; every other one without its optional properties."""
        plants = []
        for name, declared in self.planned.items():
            for number in range(COPIES):
                properties = sample_event(declared, number, whole=number != 1)
                if properties is None:
                    continue
                plants.append(
                    Plant(
                        planted_id(self.digest, "plan", door, name, number),
                        name,
                        f"staging-plan-{door}-{number}",
                        self.now - timedelta(seconds=60 - number),
                        properties,
                    )
                )
        return plants

    @cached_property
    def broken(self) -> Plant | None:
        """One event that breaks the plan, to see that it is held back."""
        for name, declared in self.planned.items():
            properties = declared.get("properties") or {}
            for prop, each in properties.items():
                wrong: Any = "not a number" if each.get("type") in {"integer", "number", "boolean"} else None
                if wrong is not None:
                    given = {**(sample_event(declared, 0) or {}), prop: wrong}
                    return Plant(planted_id(self.digest, "broken", name), name, "staging-plan-broken", self.now, given)
        return None

    @cached_property
    def cases(self) -> dict[str, tuple[Case, ...]]:
        """Synthetic users by what they show."""
        begin = self.now - timedelta(hours=scenario.WINDOW_HOURS + 3)

        def properties(name: str, number: int) -> Json:
            return sample_event(self.planned.get(name, {}), number) or {}

        plain = next(
            (name for name in self.planned if sample_event(self.planned[name], 0) is not None), "staging_event"
        )
        return {
            "funnel": (scenario.funnel(self.steps, begin, self.digest, properties),) if len(self.steps) > 1 else (),
            "people": scenario.people(plain, begin, self.digest, properties),
            "sessions": scenario.sessions(plain, begin - timedelta(days=2), self.digest, properties),
        }

    def send(self, endpoint: Endpoint) -> Json:
        """Sends everything; what was sent before a crash is sent again under the same ids."""
        plants = {name: self.plants(name) for name in self.doors}
        others = [plant for listed in self.cases.values() for case in listed for plant in case.plants]
        broken = [self.broken] if self.broken is not None else []
        received: Json = {}
        with (
            key(endpoint, "server", LABEL) as door,
            # a client that closed under load may still put its cache away
            TemporaryDirectory(prefix="paribus-planting-", ignore_cleanup_errors=True) as folder,
        ):
            by_sdk = [*plants[SDK], *others, *broken]
            received[SDK] = doors.send_by_sdk(door, by_sdk, Path(folder), self.now)
            for name, listed in plants.items():
                if name != SDK:
                    received[name] = doors.send_by(name, door, listed)
        return {"received": received, "sent": {SDK: len(by_sdk), **{n: len(p) for n, p in plants.items() if n != SDK}}}

    def counted(self, stored: Arrived, sent: Json) -> tuple[Planted, ...]:
        """Each event by door: sent, received, stored, and its properties."""
        found = []
        for door in self.doors:
            listed = self.plants(door)
            lost = sent["sent"][door] - sent["received"][door]
            rows = stored.of([plant.event_id for plant in listed])
            for name in self.planned:
                mine = [plant for plant in listed if plant.name == name]
                if mine:
                    found.append(
                        Planted(
                            event=name,
                            door=door,
                            sent=len(mine),
                            received=len(mine) if not lost else max(len(mine) - lost, 0),
                            stored=sum(plant.event_id in rows for plant in mine),
                            properties=property_shares(mine, rows),
                        )
                    )
        return tuple(found)

    def held(self, reader: LakeReader) -> Json:
        """Of the planted events, how many were held back that should not have been, and whether the broken one was."""
        ids = {plant.event_id for door in self.doors for plant in self.plants(door)}
        rows = held_back(reader, STAGING, [LABEL])
        broken = self.broken
        return {
            "wrongly": sorted({f"{row['name']}: {row['detail']}" for row in rows if row["event_id"] in ids}),
            "broken": None
            if broken is None
            else any(row["event_id"] == broken.event_id and row["reason"] == "contract" for row in rows),
        }

    def measured(self, stored: Arrived, store: Store, folder: Path) -> tuple[Json, tuple[Json, ...], tuple[Json, ...]]:
        """Funnel, persons and sessions as planted and as measured."""
        cases = self.cases
        rows = {row["event_id"]: row for row in stored.rows}
        funnel: Json = {}
        for case in cases["funnel"]:
            steps = list(self.steps)
            reached, statement = reading.funnel(
                [rows[plant.event_id] for plant in case.plants if plant.event_id in rows], steps, folder
            )
            funnel = {
                "steps": steps,
                "expected": list(case.expected),
                "measured": list(reached),
                "window_hours": scenario.WINDOW_HOURS,
                "statement": statement,
                "evidence": "funnel",
            }
        counted = reading.persons(cases["people"], rows, store, STAGING)
        people = tuple(
            {"case": case.name, "expected": case.expected[0], "measured": count, "evidence": "people"}
            for case, count in zip(cases["people"], counted, strict=True)
        )
        visiting = [
            [rows[plant.event_id] for plant in case.plants if plant.event_id in rows] for case in cases["sessions"]
        ]
        sessions = tuple(
            {"case": case.name, "expected": case.expected[0], "measured": count, "evidence": "sessions"}
            for case, count in zip(cases["sessions"], reading.visits(visiting, folder), strict=True)
        )
        return funnel, people, sessions
