"""Features on the way through the sixteen steps: what the command line, HTTP and MCP do with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.app import definition
from paribus.clock import Clock
from paribus.errors import Conflict, InputError, NotFound
from paribus.experiments.hypothesis import checked_requirement
from paribus.workflow.config import Config
from paribus.workflow.context import Context, Endpoint, Feature
from paribus.workflow.dossier import Dossier, StepState, key_of
from paribus.workflow.effect import Effects
from paribus.workflow.roles.limits import bounded
from paribus.workflow.roles.model import agent_of
from paribus.workflow.step import Step

if TYPE_CHECKING:
    from paribus.experiments.document import Document
    from paribus.experiments.plan import Seal
    from paribus.experiments.result import Result
    from paribus.impact.causal_forest import Forest
    from paribus.lake import LakeReader
    from paribus.settings import Settings
    from paribus.store import Revision, Store
    from paribus.workflow.block import Block
    from paribus.workflow.durable import Made
    from paribus.workflow.walk import Ask, Stop

Json = dict[str, Any]
RUNS = "workflow.sqlite"


@dataclass(frozen=True, slots=True)
class Operating:
    """The installation of one data folder as steps see it; see `workflow.operations.Operations`."""

    store: Store
    folder: Path
    clock: Clock
    project: str = definition.PROJECT
    _results: dict[tuple[Any, ...], Result] = field(default_factory=dict, repr=False)

    def find(self, kind: str, key: str) -> Revision | None:
        from paribus.store import Address

        return self.store.find(Address(self.project, kind, key))

    def write(self, kind: str, key: str, body: Json, *, author: str, reason: str) -> Revision:
        from paribus.store import Address

        checked = definition.checker(kind)(key, body)
        history = self.store.history(Address(self.project, kind, key))
        if history and history[-1].body == checked:
            return history[-1]
        expected = history[-1].number if history else 0
        return definition.write(
            self.store, kind, key, checked, expected=expected, author=author, reason=reason, project=self.project
        )

    def change(self, kind: str, key: str, step: Callable[[Json], Json], *, author: str, reason: str) -> Revision:
        return definition.change(self.store, kind, key, step, author=author, reason=reason, project=self.project)

    def experiment(self, key: str) -> Document:
        from paribus.experiments.registry import stored

        return stored(self.store, key, project=self.project)

    def seal(self, key: str, *, author: str, amend: str | None = None) -> Seal:
        from paribus.app.lake import seal_experiment
        from paribus.experiments.registry import stored_seal

        before = stored_seal(self.store, key, project=self.project)
        if before is not None and amend is None:
            return before
        return seal_experiment(
            self.store, key, folder=self.folder, author=author, amend=amend, project=self.project, clock=self.clock
        )

    def analyze(
        self, key: str, *, as_of: datetime | None = None, segments: Sequence[str] = (), since_exposure: bool = False
    ) -> Result:
        from paribus.app.lake import analyze_experiment

        reader = self.lake()
        asked = (key, as_of, tuple(segments), *self._state_of(key, reader))
        known = self._results.get((*asked, True)) or self._results.get((*asked, since_exposure))
        if known is None:
            known = analyze_experiment(
                self.store,
                reader,
                key,
                project=self.project,
                as_of=as_of,
                segments=segments,
                since_exposure=since_exposure,
            )
            self._results.clear()  # of an older state; steps ask for the newest
            self._results[*asked, since_exposure] = known
        return known

    def _state_of(self, key: str, reader: LakeReader | None) -> tuple[object, ...]:
        """What a result follows from: the version and the watermark of the lake, the plan, its seal and the flag."""
        from paribus.experiments.registry import EXPERIMENT, SEAL

        documents = [self.find(kind, key) for kind in (EXPERIMENT, SEAL)]
        named = (documents[0].body or {}).get("flag", key) if documents[0] is not None else key
        revisions = tuple(each.number if each is not None else 0 for each in (*documents, self.find("flag", named)))
        if reader is None:
            return revisions
        snapshot = reader.snapshot()
        return (*revisions, snapshot.table_id, snapshot.version, snapshot.watermark)

    def forest(self, result: Result, *, metric: str, units: int, seed: int) -> Forest:
        from paribus.app.forest import TREES, grown
        from paribus.app.opened import on_lake

        reader = self.lake()
        if reader is None:
            raise NotFound("no event has arrived yet", where=str(self.folder))
        opened = on_lake(self.store, reader, project=self.project)
        return grown(result, opened, metric=metric, arm=result.verdict.arm or "", units=units, seed=seed, trees=TREES)

    def lake(self) -> LakeReader | None:
        from paribus.app.lake import reader_of

        return reader_of(self.folder, clock=self.clock)

    def snapshot(self, environment: str) -> Json:
        return definition.snapshot(self.store, self.project, environment)

    def tracking_plan(self) -> Json | None:
        found = self.find("tracking_plan", "default")
        return found.body if found is not None else None

    def reconcile(self) -> Mapping[str, Any]:
        from paribus.app.arrival import reconcile

        reader = self.lake()
        return reconcile(reader) if reader is not None else {}


@dataclass(slots=True)
class Workshop:
    """Every feature of one installation; open it with `workshop`."""

    settings: Settings
    operations: Operating
    endpoint: Endpoint | None = None
    seed: int = 20261124
    is_demo: bool = False

    @property
    def dossier(self) -> Dossier:
        """The documents of all features."""
        return Dossier(self.operations.store, project=self.operations.project)

    def features(self) -> list[Json]:
        """Every feature with the state of each step."""
        return [self.show(key) for key in self.dossier.keys()]  # noqa: SIM118 - a method, not a mapping's

    def new(
        self,
        requirement: str,
        *,
        config: Config | Path | None = None,
        source: str = "lake",
        environment: str = "production",
        key: str | None = None,
        previous: str = "",
        author: str,
    ) -> Json:
        """Writes a feature down; nothing runs yet.

        Raises:
            InputError, DefinitionError: the requirement is vague, or the configuration wrong.
            Conflict: there is a feature of this key.
        """
        checked_requirement(requirement)
        if previous:
            self.dossier.feature(previous)
        if isinstance(config, Path):
            from paribus.workflow.config import read

            config = read(config)
        feature = Feature(
            key=key or key_of(requirement),
            requirement=requirement.strip(),
            source=source,
            environment=environment,
            simulated=self.is_demo,
            previous=previous,
        )
        self.dossier.new(feature, config or Config(), author=author)
        return self.show(feature.key)

    def run(
        self,
        key: str,
        *,
        until: str | None = None,
        auto: bool = False,
        ask: Ask | None = None,
        told: Made | None = None,
        author: str,
    ) -> Stop:
        """Walks a feature on until it stops; durable, so that a killed run goes on at the next call.

        Args:
            key: the feature.
            until: the last step to make.
            auto: approve whatever waits for approval.
            ask: asked at each approval instead.
            told: hears of every step.
            author: in whose name.

        Raises:
            NotFound: no such feature.
            LockedError: another process runs features of this folder.
            ParibusError: a step could not be made.
        """
        from paribus.lake import WORKER_FILE, WriterLock
        from paribus.workflow.durable import Worker
        from paribus.workflow.step import named

        self.dossier.feature(key)
        if until is not None:
            named(until)
        with (
            WriterLock.acquire(self.operations.folder, clock=self.operations.clock, file=WORKER_FILE),
            Worker(self._runs(), self.dossier, self._context, told=told) as worker,
        ):
            return worker.run(key, until=until, auto=auto, ask=ask, author=author)

    def show(self, key: str, step: str | None = None) -> Json:
        """A feature with the state of its steps; with a step, its artifact."""
        feature, _ = self.dossier.feature(key)
        if step is not None:
            return self.dossier.artifact(key, step).body()
        return {
            "key": key,
            "requirement": feature.requirement,
            "source": feature.source,
            "environment": feature.environment,
            "previous": feature.previous,
            "simulated": feature.simulated,
            "steps": [_shown(state) for state in self.dossier.states(key)],
            "next": self.next_actions(key),
        }

    def next_actions(self, key: str) -> list[str]:
        """What may be done next, as commands."""
        from paribus.workflow.walk import Stop, next_stop

        at = next_stop(self.dossier, key)
        if not isinstance(at, Stop):
            return [f"paribus feature run {key}"]
        return {
            "approval": [
                f"paribus feature approve {key} {at.step}",
                f'paribus feature reject {key} {at.step} --why "…"',
            ],
            "blocked": [f"paribus feature redo {key} --step {at.step}"],
            "rejected": [f"paribus feature redo {key} --step {at.step}"],
            "done": [f"paribus feature export {key} ./dossier", f"paribus feature scorecard {key}"],
        }.get(at.kind, [f"paribus feature run {key}"])

    def blocks(self, key: str, step: str) -> list[Block]:
        """A step's artifact as a reader sees it."""
        from paribus.workflow.step import named

        return named(step).present(self.dossier.artifact(key, step))

    def segments(self, key: str) -> list[Json]:
        """The segments that the exploration found, each with its size and, where one was saved, its audience.

        Raises:
            NotFound: there is no such feature, or step 1 was not run.
        """
        from paribus.workflow.audience import attributes, behavioral
        from paribus.workflow.facts.explore import ExploreFacts

        facts = ExploreFacts.model_validate(self.dossier.artifact(key, "explore").facts)
        audiences = definition.documents(self.operations.store, self.operations.project, "audience")
        saved = {_plain(body["when"]): (name, number) for name, (number, body) in audiences.items()}
        found = []
        classes = [each for each in behavioral(facts) if each not in facts.segments]
        for each in (*facts.segments, *classes):
            when = each.rule or (each.behavior or {}).get("when")
            name, number = saved.get(_plain(when), ("", 0)) if when is not None else ("", 0)
            found.append(
                {
                    "segment": each.key,
                    "title": each.title,
                    "units": round(each.units.value or 0),
                    "stability": each.stability.value if each.stability is not None else None,
                    "when": when,
                    "needs": [] if each.rule is not None or when is None else attributes(when),
                    "audience": name,
                    "revision": number,
                }
            )
        return found

    def behavior(self, key: str, file: Path) -> int:
        """Writes what each unit did, as the attributes that segments by behavior read, as CSV; the number of units.

        It is for the system that knows the user when a flag is asked: it sends them with the context.

        Raises:
            NotFound: there is no such feature, or nothing has arrived.
            InputError: the file is there already.
        """
        import csv

        from paribus.exploration.behavior import ATTRIBUTES
        from paribus.workflow.exploring.members import behavior_rows

        if file.exists():
            raise InputError(f"{file} is there already", where="--attributes", fix="name another file")
        feature, _ = self.dossier.feature(key)
        reader = self.operations.lake()
        if feature.source == "lake" and reader is None:
            raise NotFound("no event has arrived yet", where=f"feature {key}")
        plan = self.operations.tracking_plan() or {}
        hours = self.config(key).exploration.funnel_window_hours
        rows = behavior_rows(feature.source, reader, plan, window_hours=hours)
        with file.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(["unit", *ATTRIBUTES.values()])
            writer.writerows(rows)
        return len(rows)

    def save_segment(self, key: str, segment: str, *, name: str | None = None, author: str) -> Json:
        """Keeps a segment as an audience, a versioned document with its size, which flags can name.

        Saved again after a new exploration it is a new revision with the new size.

        Args:
            key: the feature's.
            segment: its key in the exploration.
            name: the audience's; made of the segment's unless given.
            author: in whose name.

        Raises:
            NotFound: no such feature or segment.
            InputError: the segment is no condition that a flag can evaluate.
            Conflict: an audience of this name has another condition.
        """
        from paribus.workflow.audience import audience_key, saved

        explored = self.dossier.artifact(key, "explore")
        found, body = saved(explored, explored.hash, segment)
        named = name or audience_key(found)
        standing = self.operations.find("audience", named)
        if standing is not None and standing.body is not None and standing.body["when"] != body["when"]:
            raise Conflict(
                f"there is an audience {named!r} with another condition",
                where="--as",
                rule="flags that name it would mean somebody else",
                fix="give another name",
            )
        written = self.operations.write("audience", named, body, author=author, reason=f"saved from {key}")
        return {"audience": named, "revision": written.number, **(written.body or {})}

    def approve(self, key: str, step: str, *, author: str, why: str = "", role: str = "") -> Json:
        """Agrees to a step's artifact, in a role where the configuration asks for roles."""
        return _shown(self.dossier.approve(key, step, author=author, why=why, role=role))

    def comment(self, key: str, step: str, text: str, *, author: str) -> Json:
        """Says something about a step's artifact; it stays."""
        return self.dossier.comment(key, step, text, author=author)

    def comments(self, key: str, step: str) -> list[Json]:
        """What was said about a step, in order."""
        return self.dossier.comments(key, step)

    def assign(self, key: str, step: str, assignee: str, *, author: str, why: str = "") -> Json:
        """Gives a step to a person; an empty name to nobody."""
        return _shown(self.dossier.assign(key, step, assignee, author=author, why=why))

    def history(self, key: str) -> list[Json]:
        """Everything that was written about a feature, in order: artifacts, approvals, comments, assignments."""
        return [
            {
                "kind": each.address.kind,
                "key": each.address.key,
                "revision": each.number,
                "author": each.author,
                "time": each.time.isoformat(),
                "reason": each.reason,
            }
            for each in self.dossier.history(key)
        ]

    def close(self, key: str, insight: str, *, tags: Sequence[str] = (), author: str) -> Json:
        """Closes a feature with what was learned.

        Raises:
            InputError, Conflict: nothing was learned in words, or the sixteen steps are not done.
        """
        from paribus.workflow.learnings import close

        return close(self.dossier, key, insight, tags=tags, author=author).plain()

    def learnings(self, query: str = "") -> Json:
        """Learning cards that hold every word of the query, best first, and the learning rate over all features."""
        from paribus.workflow.learnings import all_learnings, learning_rate, search

        found = search(all_learnings(self.dossier), query)
        return {"learnings": [each.plain() for each in found], "rate": learning_rate(self.dossier).plain()}

    def follow(self, key: str, follow_up: str = "", *, author: str) -> Json:
        """The next feature, opened from a follow-up of this one: linked, with the same data and configuration.

        Args:
            key: the feature whose step 16 drafted it.
            follow_up: its id, f1; the first one unless named. One that was opened before is returned as it is.
            author: in whose name.

        Raises:
            NotFound: no such feature or follow-up, or step 16 was not run.
        """
        from paribus.workflow.facts.conclude import OptimizeFacts

        drafted = OptimizeFacts.model_validate(self.dossier.artifact(key, "optimize").facts).follow_ups
        chosen = next((each for each in drafted if each.id == (follow_up or each.id)), None)
        if chosen is None:
            raise NotFound(
                f"{key} has no follow-up {follow_up!r}" if drafted else f"{key} has no follow-up",
                where=f"feature {key}",
                rule=f"one of {', '.join(each.id for each in drafted)}" if drafted else "step 16 drafts them",
            )
        before, config = self.dossier.feature(key)
        for other in self.dossier.keys():  # noqa: SIM118 - a method, not a mapping's
            known = self.dossier.feature(other)[0]
            if known.previous == key and known.requirement == chosen.change:
                return self.show(other)
        return self.new(
            chosen.change,
            config=config,
            source=before.source,
            environment=before.environment,
            key=self._free_key(chosen.change),
            previous=key,
            author=author,
        )

    def _free_key(self, requirement: str) -> str:
        """A key of the requirement's words that no feature has."""
        base, taken = key_of(requirement), set(self.dossier.keys())
        return next(key for key in (base, *(f"{base}-{n}" for n in range(2, 1_000))) if key not in taken)

    def reject(self, key: str, step: str, *, author: str, why: str) -> Json:
        """Refuses a step's artifact."""
        return _shown(self.dossier.reject(key, step, author=author, why=why))

    def redo(self, key: str, step: str, *, author: str, why: str = "") -> tuple[str, ...]:
        """Takes a step's artifact back; the steps whose artifacts are stale now."""
        return self.dossier.redo(key, step, author=author, why=why)

    def export(self, key: str, folder: Path) -> Path:
        """Writes the whole dossier into a folder that reads without Paribus; the path of its first page."""
        from paribus.workflow.export import export

        return export(self.dossier, key, folder)

    def page(self, key: str) -> str:
        """The dossier as one self-contained HTML page."""
        from paribus.workflow.export import page

        return page(self.dossier, key)

    def scorecard(self, key: str) -> Json:
        """The seven success criteria, computed from the artifacts."""
        from paribus.workflow.scorecard import scorecard

        self.dossier.feature(key)
        from paribus.workflow.learnings import learning_rate

        found = scorecard(self.dossier.artifacts(key)).to_dict()
        rate = learning_rate(self.dossier)
        found["learning"] = {**found["learning"], "rate": rate.plain()}
        return found

    def config(self, key: str) -> Config:
        """A feature's configuration."""
        return self.dossier.feature(key)[1]

    def _context(self, feature: Feature, step: Step) -> Context:
        config = self.dossier.feature(feature.key)[1]
        generation = self.dossier.generation(feature.key, step.slug)
        once = Effects(self.operations.store, feature.key, step.slug, generation).once
        whole = Context(
            feature=feature,
            config=config,
            artifacts=self.dossier.artifacts(feature.key),
            operations=self.operations,
            folder=self.operations.folder,
            clock=self.operations.clock,
            once=once,
            agent=agent_of(config, feature=feature.key, step=step.slug, once=once, store=self.operations.store),
            endpoint=self.endpoint,
            seed=self.seed,
        )
        return bounded(whole, step)

    def _runs(self) -> str:
        return self.settings.store_url or f"sqlite:///{self.operations.folder / RUNS}"


@contextmanager
def workshop(
    settings: Settings, *, endpoint: Endpoint | None = None, create: bool = True, clock: Clock | None = None
) -> Iterator[Workshop]:
    """The features of a data folder.

    Raises:
        NotFound: there is no such folder and `create` is not set.
    """
    from paribus.app.folder import clock_of, definitions, is_demo

    with definitions(settings, create=create, clock=clock) as store:
        here = Operating(store, settings.data, clock or clock_of(settings.data))
        yield Workshop(settings, here, endpoint, is_demo=is_demo(settings.data))


def _plain(condition: Json) -> str:
    return json.dumps(condition, sort_keys=True)


def _shown(state: StepState) -> Json:
    return {
        "number": state.step.number,
        "step": state.step.slug,
        "title": state.step.title,
        "phase": state.step.phase,
        "role": state.step.role,
        "artifact": state.step.artifact,
        "state": state.state.value,
        "reason": state.reason,
        "hash": state.hash,
        "revision": state.revision,
        "approved_by": list(state.approved_by),
        "approved_as": dict(state.approved_as),
        "assignee": state.assignee,
        "comments": state.comments,
    }
