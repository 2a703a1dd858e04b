"""Step 10: nothing is launched on instrumentation that was not seen to work, end to end, in staging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paribus.governance.quality import EVENTS, QualityPoint, history, keep
from paribus.lake.reading import LakeReader
from paribus.workflow import quality
from paribus.workflow.artifact import Artifact, Evidence, Measured, Outcome
from paribus.workflow.block import Block
from paribus.workflow.context import Context
from paribus.workflow.facts.code import BackendFacts
from paribus.workflow.facts.design import DesignFacts
from paribus.workflow.facts.explore import ExploreFacts
from paribus.workflow.facts.hypothesize import HypothesizeFacts
from paribus.workflow.facts.instrument import InstrumentFacts
from paribus.workflow.facts.validate import Coverage, PageCoverage, ValidateFacts
from paribus.workflow.launching.health import settled
from paribus.workflow.launching.randomization import taking_part
from paribus.workflow.validation import presenting, product, verdict
from paribus.workflow.validation.arrival import STATEMENT, arrived
from paribus.workflow.validation.covering import LABEL as CRAWL_LABEL
from paribus.workflow.validation.covering import cover
from paribus.workflow.validation.door import SDK
from paribus.workflow.validation.paging import LABEL as PAGE_CRAWL_LABEL
from paribus.workflow.validation.paging import PAGE_LABEL, cover_page
from paribus.workflow.validation.planting import LABEL, Planting
from paribus.workflow.validation.staging import STAGING, endpoint_of
from paribus.workflow.waiting import Waiting

Json = dict[str, Any]
SLUG = "validate"
OWN = (LABEL, CRAWL_LABEL, PAGE_CRAWL_LABEL, PAGE_LABEL, "rehearsal")
"""Source labels of the staging keys that steps 10 and 11 use themselves."""


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
        """Everything in order: what was planted and crawled once is counted now."""
        self._wait_for_product()
        context, planting = self.context, self.planting
        context.progress(0.1, "planting events in staging")
        sent = context.once("planted", lambda: planting.send(endpoint_of(context)))
        page = self._page()
        crawled = self._crawled(scripts_run=not page.why_not)
        settled(context)
        stored = arrived(self.reader, STAGING, LABEL)
        planted = planting.counted(stored, sent)
        invalid = planting.held(self.reader)
        with TemporaryDirectory(prefix="paribus-validation-") as folder:
            funnel, people, sessions = planting.measured(stored, context.store, Path(folder))
        self.context.progress(0.7, "the product's own staging traffic")
        own, passages = self.own, self._passages()
        self.context.progress(0.8, "replaying the experiment on history")
        replayed = self._replay()
        arriving = {name for name, each in own.items() if each.events}
        arriving |= {each.event for each in planted if each.stored}
        facts = ValidateFacts(
            environment=STAGING,
            planted=planted,
            coverage=crawled,
            page=page,
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
            quality_history=self._kept(own),
            replay=replayed,
            planned=tuple(sorted(self.planned)),
            seen=tuple(sorted(arriving & set(self.planned))),
            unplanned=tuple(sorted(name for name, each in own.items() if each.unplanned and not name.startswith("$"))),
        )
        checks = self._checks(facts, invalid, own, passages)
        return self.context.artifact(
            SLUG,
            presenting.summary(facts, checks, self.context.feature.key),
            facts,
            evidence=self._evidence(sent),
            assumptions=presenting.assumptions(facts, bool(own)),
            checks=checks,
        )

    @cached_property
    def planting(self) -> Planting:
        """What is planted."""
        steps = [step for step in self.instrument.funnel if step in self.planned]
        doors = (SDK, *self.context.config.analytics_platforms)
        return Planting(self.digest, self.planned, steps, self.now, doors)

    def _wait_for_product(self) -> None:
        """A simulated product plays its staging release before this step; a real one is validated by its code."""
        if not self.context.feature.simulated:
            return
        if not self.own:
            raise Waiting("staging traffic of the product is needed: a smoke run of its release with a staging key")

    def _page(self) -> PageCoverage:
        """The page in a real browser, clicked through; or why that was not done."""
        noted = self.context.once("clicked", lambda: cover_page(self.context, self.reader).model_dump(mode="json"))
        return PageCoverage.model_validate(noted)

    def _crawled(self, *, scripts_run: bool) -> Coverage | None:
        """The generated service, started and gone through without scripts; None where there is none."""
        if "backend" not in self.context.artifacts:
            return None
        backend = self.context.artifacts["backend"]
        if backend.not_applicable or not backend.facts:
            return None
        facts = BackendFacts.model_validate(backend.facts)
        files = {file.path: file.text for file in backend.files}
        noted = self.context.once(
            "crawled",
            lambda: cover(self.context, self.reader, facts, files, scripts_run=scripts_run).model_dump(mode="json"),
        )
        return Coverage.model_validate(noted)

    @cached_property
    def own(self) -> dict[str, product.EventHealth]:
        """What the product itself sent in staging, by event."""
        settled(self.context)
        found = product.events(self.reader, STAGING, OWN)
        return {name: each for name, each in found.items() if each.events or each.held}

    def _passages(self) -> list[product.Passage]:
        if not self.own:
            return []
        known = sorted(self.planned)
        return product.passages(self.reader, self.planting.steps, STAGING, OWN, wanted=self._judging(), planned=known)

    def _quality(self, own: Mapping[str, product.EventHealth]) -> dict[str, Measured]:
        return {
            name: Measured(value=good / of if of else None, unit="share", evidence="product")
            for name, (good, of) in self._shares(own).items()
        }

    def _kept(self, own: Mapping[str, product.EventHealth]) -> tuple[Json, ...]:
        """This run's metrics, kept beside those of earlier runs of the step; all runs, oldest first."""
        key, now = self.context.feature.key, self.now.astimezone(UTC).isoformat(timespec="seconds")
        points = [
            QualityPoint("default", STAGING, EVENTS, name, now, SLUG, good, of, key)
            for name, (good, of) in self._shares(own).items()
        ]
        keep(self.context.store, points)
        runs = history(self.context.store, STAGING, step=SLUG, feature=key)
        return tuple(quality.shown(each, "product") for each in runs if each.time <= now)

    def _shares(self, own: Mapping[str, product.EventHealth]) -> dict[str, tuple[int, int]]:
        planned = {name: each for name, each in own.items() if name in self.planned}
        total = sum(each.events for each in planned.values())
        held = sum(sum(each.held.values()) for each in planned.values())
        if not total + held:
            return {}
        wanted = self._wanted()
        arrived_ = sum(1 for name in wanted if own.get(name) is not None and own[name].events)
        doubled, late = (sum(getattr(each, name) for each in planned.values()) for name in ("doubled", "late"))
        return {
            "completeness": (arrived_, len(wanted)),
            "validity": (total, total + held),
            "uniqueness": (total - doubled, total),
            "timeliness": (total - late, total),
        }

    def _wanted(self) -> list[str]:
        """Events that the feature cannot be judged without: its funnel and its metrics."""
        return sorted({*self.instrument.funnel, *self._judging()} & set(self.planned))

    def _judging(self) -> list[str]:
        """Events of its metrics and the end of its funnel. A step in between is one that a feature may do without."""
        metrics = {event for each in self.instrument.metrics if each.role != "secondary" for event in each.events}
        return sorted({*self.instrument.funnel[-1:], *metrics} & set(self.planned))

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
        definitions = context.operations.snapshot(context.feature.environment)
        try:
            with past_of(context, explore, chosen, design.audience, hypotheses.metrics) as past:
                found = replay(
                    design.document,
                    design.flag,
                    past.lake,
                    definitions,
                    event=past.event,
                    since=past.since,
                    where=past.where,
                    attributes=taking_part(design.audience) or {},
                    links=past.links,
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
            verdict.page_covered(facts.page),
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
            "page": Evidence(
                kind="run",
                title="The page in a real browser, clicked through by many visitors",
                statement="every link, button and listening element as the scripts left it, and what a click reveals; "
                "tracked: an event of that visitor beyond what its page leaves by itself",
                data=self.context.config.implementation.page or "the generated page",
            ),
            "funnel": Evidence(
                kind="run",
                title="Synthetic users of known paths",
                statement="two users stop at each step; one goes backwards, one is late, one does all twice",
                data=f"label {LABEL}",
            ),
            "people": Evidence(
                kind="run",
                title="Synthetic people, their ids linked by what they sent",
                statement="an anonymous id is read as the user it was linked to first",
                data=f"label {LABEL}",
            ),
            "sessions": Evidence(
                kind="run",
                title="Synthetic visits",
                statement="a session ends after 30 minutes without an event, in the browser SDK and in the lake",
                data=f"label {LABEL}",
            ),
            "product": Evidence(
                kind="sql",
                title="The product's own events in staging",
                statement=product.STATEMENT.replace("{events}", "events").strip(),
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
    return presenting.blocks(artifact)
