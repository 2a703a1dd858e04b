"""Step 10: nothing is launched on instrumentation that was not seen to work, end to end, in staging."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paribus.charts.bars import Bar, bars
from paribus.lake.reading import LakeReader
from paribus.lake.recent import waiting
from paribus.workflow.artifact import Artifact, Evidence, Measured, Outcome
from paribus.workflow.block import Block, Heading, Listing, Paragraph, Picture, Table
from paribus.workflow.context import Context
from paribus.workflow.facts.code import BackendFacts
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.hypothesize import HypothesizeFacts
from paribus.workflow.facts.instrument import InstrumentFacts
from paribus.workflow.facts.validate import Coverage, Planted, ValidateFacts
from paribus.workflow.launching.health import settled
from paribus.workflow.launching.randomization import taking_part
from paribus.workflow.validation import door as doors
from paribus.workflow.validation import product, reading, scenario, verdict
from paribus.workflow.validation.arrival import STATEMENT, Arrived, arrived, held_back, property_shares
from paribus.workflow.validation.crawl import crawl, tracked
from paribus.workflow.validation.door import SDK, Plant
from paribus.workflow.validation.sample import event as sample_event
from paribus.workflow.validation.scenario import Case, planted_id
from paribus.workflow.validation.service import running
from paribus.workflow.validation.staging import STAGING, endpoint_of, key
from paribus.workflow.waiting import Waiting

Json = dict[str, Any]
SLUG = "validate"
PLANTING, CRAWL = "validation", "crawl"
OWN = (PLANTING, CRAWL, "rehearsal")
COPIES = 3


def run(context: Context) -> Artifact:
    """The validation report; a failed check stops the launch.

    Raises:
        Waiting: a simulated product has sent nothing in staging yet.
    """
    return _Validation(context).artifact()


@dataclass
class _Validation:
    """One validation, part by part."""

    context: Context

    @cached_property
    def instrument(self) -> InstrumentFacts:
        return self.context.facts("instrument", InstrumentFacts)

    @cached_property
    def planned(self) -> dict[str, Json]:
        """The events of the plan that are still sent."""
        events = self.instrument.plan.get("events", {})
        return {name: each for name, each in events.items() if not each.get("deprecated")}

    @cached_property
    def reader(self) -> LakeReader:
        found = self.context.operations.lake()
        if found is None:
            raise Waiting("nothing has arrived yet: the lake is empty")
        return found

    @cached_property
    def digest(self) -> str:
        """What planted ids hang on: the feature, and the plan as it is now."""
        from paribus.store.canonical import canonical_text, text_hash

        plan = text_hash(canonical_text(self.instrument.plan, "plan"))
        return f"{self.context.feature.key}\n{plan}"

    @cached_property
    def now(self) -> datetime:
        noted = self.context.once("begun", lambda: {"time": self.context.clock().isoformat()})
        return datetime.fromisoformat(noted["time"])

    def artifact(self) -> Artifact:
        self._wait_for_product()
        doors_used = (SDK, *self.context.config.analytics_platforms)
        plants = {name: self._plants(name) for name in doors_used}
        cases = self._cases()
        self.context.progress(0.1, "planting events in staging")
        sent = self.context.once("planted", lambda: self._plant(plants, cases))
        crawled = self._crawled()
        settled(self.context)
        stored = arrived(self.reader, STAGING, PLANTING)
        planted = self._counted(plants, stored, sent)
        invalid = self._held(plants)
        with TemporaryDirectory(prefix="paribus-validation-") as folder:
            funnel, people, sessions = self._measured(cases, stored, Path(folder))
        self.context.progress(0.7, "the product's own staging traffic")
        own, passages = self._product()
        self.context.progress(0.8, "replaying the experiment on history")
        replayed = self._replay()
        arriving = {name for name, each in own.items() if each.events}
        arriving |= {each.event for each in planted if each.stored}
        facts = ValidateFacts(
            environment=STAGING,
            planted=planted,
            coverage=crawled,
            funnel=funnel,
            people=people,
            sessions=sessions,
            product=tuple(
                {
                    "event": each.event,
                    "events": each.events,
                    "units": each.units,
                    "held_back": sum(each.held.values()),
                    "why": sorted(each.held),
                    "doubled": each.doubled,
                    "late": each.late,
                    "evidence": "product",
                }
                for each in own.values()
            ),
            quality=self._quality(own),
            replay=replayed,
            planned=tuple(sorted(self.planned)),
            seen=tuple(sorted(arriving & set(self.planned))),
            unplanned=tuple(sorted(name for name, each in own.items() if each.unplanned and not name.startswith("$"))),
        )
        checks = self._checks(facts, invalid, own, passages)
        return self.context.artifact(
            SLUG,
            _summary(facts, checks, self.context.feature.key),
            facts,
            evidence=self._evidence(sent),
            assumptions=_assumptions(facts, bool(own)),
            checks=checks,
        )

    def _wait_for_product(self) -> None:
        """A simulated product plays its staging release before this step; a real one is validated by its code."""
        if not self.context.feature.simulated:
            return
        settled(self.context)
        if not any(each.events or each.held for each in product.events(self.reader, STAGING, OWN).values()):
            raise Waiting("staging traffic of the product is needed: a smoke run of its release with a staging key")

    def _plants(self, door: str) -> list[Plant]:
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

    def _cases(self) -> dict[str, tuple[Case, ...]]:
        steps = [step for step in self.instrument.funnel if step in self.planned]
        begin = self.now - timedelta(hours=scenario.WINDOW_HOURS + 3)

        def properties(name: str, number: int) -> Json:
            return sample_event(self.planned.get(name, {}), number) or {}

        plain = next(
            (name for name in self.planned if sample_event(self.planned[name], 0) is not None), "staging_event"
        )
        return {
            "funnel": (scenario.funnel(steps, begin, self.digest, properties),) if len(steps) > 1 else (),
            "people": scenario.people(plain, begin, self.digest, properties),
            "sessions": scenario.sessions(plain, begin - timedelta(days=2), self.digest, properties),
        }

    def _plant(self, plants: Mapping[str, Sequence[Plant]], cases: Mapping[str, Sequence[Case]]) -> Json:
        """Sends everything; what was sent before a crash is sent again under the same ids."""
        endpoint = endpoint_of(self.context)
        others = [plant for listed in cases.values() for case in listed for plant in case.plants]
        broken = [self.broken] if self.broken is not None else []
        received: Json = {}
        with key(endpoint, "server", PLANTING) as door, TemporaryDirectory(prefix="paribus-planting-") as folder:
            by_sdk = [*plants[SDK], *others, *broken]
            received[SDK] = doors.send_by_sdk(door, by_sdk, Path(folder), self.now)
            for name, listed in plants.items():
                if name != SDK:
                    received[name] = doors.send_by(name, door, listed)
        return {"received": received, "sent": {SDK: len(by_sdk), **{n: len(p) for n, p in plants.items() if n != SDK}}}

    def _counted(self, plants: Mapping[str, Sequence[Plant]], stored: Arrived, sent: Json) -> tuple[Planted, ...]:
        found = []
        for door, listed in plants.items():
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

    def _held(self, plants: Mapping[str, Sequence[Plant]]) -> Json:
        """Of the planted events, how many were held back that should not have been, and whether the broken one was."""
        ids = {plant.event_id for listed in plants.values() for plant in listed}
        rows = held_back(self.reader, STAGING, [PLANTING])
        broken = self.broken
        return {
            "wrongly": sorted({f"{row['name']}: {row['detail']}" for row in rows if row["event_id"] in ids}),
            "broken": None
            if broken is None
            else any(row["event_id"] == broken.event_id and row["reason"] == "contract" for row in rows),
        }

    def _measured(
        self, cases: Mapping[str, Sequence[Case]], stored: Arrived, folder: Path
    ) -> tuple[Json, tuple[Json, ...], tuple[Json, ...]]:
        rows = {row["event_id"]: row for row in stored.rows}
        funnel: Json = {}
        for case in cases["funnel"]:
            steps = [step for step in self.instrument.funnel if step in self.planned]
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
        counted = reading.persons(cases["people"], rows, self.context.store, STAGING)
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

    def _crawled(self) -> Coverage | None:
        """The generated service, started and gone through; None where there is none."""
        if "backend" not in self.context.artifacts:
            return None
        backend = self.context.artifacts["backend"]
        if backend.not_applicable or not backend.facts:
            return None
        noted = self.context.once("crawled", lambda: self._crawl(BackendFacts.model_validate(backend.facts)))
        return Coverage.model_validate(noted)

    def _crawl(self, facts: BackendFacts) -> Json:
        endpoint = endpoint_of(self.context)
        files = {file.path: file.text for file in self.context.artifacts["backend"].files}
        offset = (self.context.clock() - datetime.now(UTC)).total_seconds() if self.context.feature.simulated else 0.0
        self.context.progress(0.3, "crawling the generated service")
        with key(endpoint, "server", CRAWL) as door, TemporaryDirectory(prefix="paribus-crawl-") as folder:
            with running(files, facts, door, Path(folder), offset=offset) as service:
                found = crawl(service.url, facts.start_path)
                logged = service.requests()
            settled(self.context)
            stored = _complete(self.context, self.reader, CRAWL)
        by_unit: dict[str, Counter[str]] = {}
        for row in stored.rows:
            for unit in {row["unit"], row["user_id"], row["anonymous_id"]} - {None}:
                by_unit.setdefault(unit, Counter())[row["name"]] += 1
        units = {str(line["trace"]): str(line["unit"]) for line in logged if line.get("trace") and line.get("unit")}

        def visitors(ids: Sequence[str]) -> Counter[str]:
            return sum((by_unit.get(each, Counter()) for each in ids), Counter[str]())

        listed = tracked(found, visitors, units)
        missing = [each.interaction.name for each, events in listed if not events]
        return Coverage(
            performed=len(listed),
            tracked=len(listed) - len(missing),
            missing=tuple(missing),
            interactions=tuple(
                {
                    "page": each.interaction.page,
                    "element": each.interaction.element,
                    "request": f"{each.interaction.method} {each.interaction.path}".strip()
                    if each.interaction.path
                    else "script only",
                    "status": each.status,
                    "events": list(events),
                    "evidence": "crawl",
                }
                for each, events in listed
            ),
            pages=len(found.pages),
            logged=sum(1 for each, _ in listed if each.trace in units),
        ).model_dump(mode="json")

    def _product(self) -> tuple[dict[str, product.EventHealth], list[product.Passage]]:
        own = product.events(self.reader, STAGING, OWN)
        seen = {name: each for name, each in own.items() if each.events or each.held}
        if not seen:
            return {}, []
        steps = [step for step in self.instrument.funnel if step in self.planned]
        return seen, product.passages(self.reader, steps, STAGING, OWN)

    def _quality(self, own: Mapping[str, product.EventHealth]) -> dict[str, Measured]:
        planned = {name: each for name, each in own.items() if name in self.planned}
        total = sum(each.events for each in planned.values())
        held = sum(sum(each.held.values()) for each in planned.values())
        if not total + held:
            return {}
        wanted = self._wanted()
        arrived_ = sum(1 for name in wanted if own.get(name) is not None and own[name].events)
        doubled, late = (sum(getattr(each, name) for each in planned.values()) for name in ("doubled", "late"))

        def share(good: int, of: int) -> Measured:
            return Measured(value=good / of if of else None, unit="share", evidence="product")

        return {
            "completeness": share(arrived_, len(wanted)),
            "validity": share(total, total + held),
            "uniqueness": share(total - doubled, total),
            "timeliness": share(total - late, total),
        }

    def _wanted(self) -> list[str]:
        """Events that the feature cannot be judged without: its funnel and its metrics."""
        metrics = {event for each in self.instrument.metrics if each.role != "secondary" for event in each.events}
        return sorted({*self.instrument.funnel, *metrics} & set(self.planned))

    def _replay(self) -> Json:
        context = self.context
        if not {"explore", "hypothesize", "design"} <= set(context.artifacts):
            return {}
        from paribus.errors import EngineError, InputError
        from paribus.workflow.planning import past_of
        from paribus.workflow.validation.replay import replay, summary

        design = context.facts("design", DesignFacts)
        explore = context.facts("explore", ExploreFacts)
        hypotheses = context.facts("hypothesize", HypothesizeFacts)
        chosen = next(each for each in hypotheses.hypotheses if each.id == hypotheses.chosen)
        past = past_of(context, explore, chosen, design.audience)
        types = self.reader.snapshot(past.lake.version).columns
        definitions = context.operations.snapshot(context.feature.environment)
        try:
            found = replay(
                design.document,
                design.flag,
                past.lake,
                definitions,
                types,
                event=past.event,
                since=past.since,
                where=past.where,
                attributes=taking_part(design.audience) or {},
            )
        except (InputError, EngineError) as error:
            return {"why_not": error.what}
        certified = design.certificate.get("metrics", ())
        return {
            **summary(found),
            "type_i_errors": [
                {"metric": each["metric"], "share": each.get("type_i_error"), "alpha": each.get("alpha")}
                for each in certified
                if each.get("type_i_error") is not None
            ],
            "evidence": "replay",
        }

    def _checks(
        self,
        facts: ValidateFacts,
        invalid: Json,
        own: Mapping[str, product.EventHealth],
        passages: Sequence[product.Passage],
    ) -> tuple[Outcome, ...]:
        return (
            verdict.loss(facts, self.planned),
            verdict.contract(invalid),
            verdict.covered(facts.coverage),
            verdict.funnel(facts.funnel),
            verdict.equal("Persons", "people", facts.people),
            verdict.equal("Sessions", "sessions", facts.sessions),
            *verdict.product_checks(own, passages, self._wanted(), sorted(self.planned)),
            verdict.replayed(facts.replay),
        )

    def _evidence(self, sent: Json) -> dict[str, Evidence]:
        backend = self.context.artifacts.get("backend")
        command = " ".join(backend.facts.get("command", ())) if backend is not None else "no service was generated"
        return {
            "staging": Evidence(
                kind="config",
                title="The staging environment",
                statement=f"keys of the environment {STAGING}, their events under the labels {', '.join(OWN)}",
                data=f"planted as of {self.now.isoformat()}",
            ),
            "planted": Evidence(
                kind="run",
                title="Events planted through the real doors and counted in the lake",
                statement=STATEMENT.format(events="events"),
                data=", ".join(f"{door}: {count} sent" for door, count in sent["sent"].items()),
            ),
            "crawl": Evidence(
                kind="run",
                title="The generated service, gone through link by link, form by form, button by button",
                statement=f"{command}; html.parser over each page as served; a visitor for each interaction; "
                "tracked: an event of that visitor beyond what its page leaves by itself",
                data=self.context.input_hash("backend") if backend is not None else "",
            ),
            "funnel": Evidence(
                kind="run",
                title="Synthetic users of known paths",
                statement="two users stop at each step; one goes backwards, one is late, one does all twice",
                data=f"label {PLANTING}",
            ),
            "people": Evidence(
                kind="run",
                title="Synthetic people, their ids linked by what they sent",
                statement="an anonymous id is read as the user it was linked to first",
                data=f"label {PLANTING}",
            ),
            "sessions": Evidence(
                kind="run",
                title="Synthetic visits",
                statement="a session ends after 30 minutes without an event, in the browser SDK and in the lake",
                data=f"label {PLANTING}",
            ),
            "product": Evidence(
                kind="sql",
                title="The product's own events in staging",
                statement=product.STATEMENT,
                data=f"environment {STAGING}, without the labels {', '.join(OWN)}",
            ),
            "replay": Evidence(
                kind="result",
                title="The sealed experiment on history, split by the real flag, with no effect",
                statement="exposures at each unit's first event before the decision, decided by the SDK's evaluator; "
                "the statements and tests of the real analysis",
                data=self.context.feature.source,
            ),
        }


def present(artifact: Artifact) -> list[Block]:
    """Coverage and loss as pictures, then what failed, then each part."""
    facts = ValidateFacts.model_validate(artifact.facts)
    failed = [check for check in artifact.checks if check.status == "failed"]
    blocks: list[Block] = []
    if facts.planted:
        sent, received, stored = (sum(getattr(each, name) for each in facts.planted) for name in verdict.COUNTED)
        blocks.append(
            Picture(
                bars(
                    [Bar("sent", sent), Bar("received", received), Bar("stored", stored)],
                    title="Planted events from the door to the lake",
                ),
                f"{len(facts.planted)} events and doors",
                "loss",
            )
        )
    if failed:
        blocks += [Heading("What stops the launch"), Listing([f"**{each.name}**: {each.message}" for each in failed])]
    if facts.coverage is not None:
        blocks += [
            Heading("Coverage"),
            Paragraph(
                f"{facts.coverage.tracked} of {facts.coverage.performed} interactions on {facts.coverage.pages} pages "
                "left an event. What was performed comes from the pages and the access log, not from the plan."
            ),
            Table(
                ("page", "element", "request", "events it left"),
                [
                    (each["page"], each["element"], each["request"], ", ".join(each["events"]) or "**none**")
                    for each in facts.coverage.interactions
                ],
            ),
        ]
    if facts.funnel:
        found = facts.funnel
        blocks += [
            Heading("Funnel with known paths"),
            Table(
                ("step", "expected", "measured"),
                [
                    (step, f"{wanted:,}", f"{got:,}")
                    for step, wanted, got in zip(found["steps"], found["expected"], found["measured"], strict=True)
                ],
                right=("expected", "measured"),
            ),
        ]
    blocks += [
        Heading("People and sessions"),
        Table(
            ("case", "expected", "measured"),
            [
                (each["case"], f"{each['expected']:,}", f"{each['measured']:,}")
                for each in (*facts.people, *facts.sessions)
            ],
            right=("expected", "measured"),
        ),
    ]
    if facts.product:
        blocks += [
            Heading("The product's own events in staging"),
            Table(
                ("event", "events", "users", "held back", "doubled", "why"),
                [
                    (
                        each["event"],
                        f"{each['events']:,}",
                        f"{each['units']:,}",
                        f"{each['held_back']:,}",
                        f"{each['doubled']:,}",
                        "; ".join(each["why"])[:200],
                    )
                    for each in facts.product
                ],
                right=("events", "users", "held back", "doubled"),
            ),
        ]
    blocks += [
        Heading("Planted events"),
        Table(
            ("event", "door", "sent", "received", "stored", "properties stored as sent"),
            [
                (
                    each.event,
                    each.door,
                    f"{each.sent:,}",
                    f"{each.received:,}",
                    f"{each.stored:,}",
                    f"{sum(share == 1 for share in each.properties.values())} of {len(each.properties)}",
                )
                for each in facts.planted
            ],
            right=("sent", "received", "stored"),
        ),
        Heading("Checks"),
        Listing([f"**{check.name}** ({check.status}): {check.message}" for check in artifact.checks]),
    ]
    return blocks


def _complete(context: Context, reader: LakeReader, label: str) -> Arrived:
    """What came in, once two looks a moment apart say the same: the service delivers its last events as it ends."""
    before = -1
    for _ in range(40):
        if not waiting(context.folder):
            found = arrived(reader, STAGING, label)
            if len(found.rows) == before:
                return found
            before = len(found.rows)
        time.sleep(0.25)
    return arrived(reader, STAGING, label)


def _assumptions(facts: ValidateFacts, product_seen: bool) -> tuple[str, ...]:
    said = [
        "Staging runs the same release, plan and server as production will.",
        "An interaction counts as tracked when its visitor leaves an event beyond those of opening the page.",
        "Events are compared by value: what a client sends wrongly but in the right shape is not seen here.",
        "The crawl runs no scripts: what only a script does counts as performed and not tracked.",
    ]
    if product_seen:
        said.append(
            "Users in staging go on from step to step about as often as usual; a loss of less than a fifth is not seen."
        )
    if facts.coverage is None:
        said.append("No service was generated, so coverage of interactions is not known.")
    return tuple(said)


def _summary(facts: ValidateFacts, checks: Sequence[Outcome], feature: str) -> str:
    failed = [check for check in checks if check.blocking and check.status == "failed"]
    sent, stored = (sum(getattr(each, name) for each in facts.planted) for name in ("sent", "stored"))
    said = [f"{stored} of {sent} events planted in staging are in the lake with every property counted"]
    if facts.coverage is not None:
        said.append(f"{facts.coverage.tracked} of {facts.coverage.performed} interactions of the service are tracked")
    if facts.product:
        events = sum(each["events"] + each["held_back"] for each in facts.product)
        said.append(f"{events:,} events of the product's own staging release were examined")
    text = ". ".join(said) + "."
    if failed:
        names = "; ".join(f"{check.name.lower()}: {check.message}" for check in failed)
        return f"{feature} must not be launched yet. {names[:500]}. {text}"
    return f"The instrumentation of {feature} works end to end. {text}"
