"""What an agent may ask and do, before it is a protocol: compact answers, evidence ids, the next legal actions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.app.admission import check_key, refuse_far
from paribus.app.feature import workshop
from paribus.errors import InputError, NotFound, ParibusError
from paribus.mcp import compact, traffic
from paribus.mcp.policy import Gate, read
from paribus.workflow.step import BY_SLUG, named

if TYPE_CHECKING:
    from paribus.app.feature import Workshop
    from paribus.mcp.running import Run
    from paribus.settings import Settings

Json = dict[str, Any]
Tick = Callable[[], None]
SETTLED = frozenset({"done", "waits for approval", "rejected", "blocked"})
EXPORTS, RESULT = "exports", "result.json"


@dataclass(frozen=True, slots=True)
class Desk:
    """One data folder, one agent.

    settings  the data folder
    run       how a feature is walked on: in this process, or in one of its own
    author    in whose name: agent:NAME
    """

    settings: Settings
    run: Run
    author: str = "agent"

    def named(self, author: str) -> Desk:
        """The same desk for another agent."""
        return replace(self, author=author)

    def policy(self) -> Json:
        """What an agent may do alone in this folder."""
        return read(self.settings.data).plain()

    def new(
        self,
        requirement: str,
        *,
        config: str = "",
        source: str = "lake",
        key: str = "",
        environment: str = "production",
    ) -> Json:
        """Writes a feature down; `config` is the text of a paribus.yaml."""
        from paribus.workflow.config import parse

        wanted, gate = parse(config), self._gate()
        gate.new(has_model=bool(wanted.model.url), person="paribus feature new … --config")
        refuse_far(source, self.settings.data, gate.policy.sources)
        with workshop(self.settings, create=True) as shop:
            made = shop.new(
                requirement,
                config=wanted,
                source=source,
                key=check_key(key or None),
                environment=environment,
                author=self.author,
            )
            return self._feature(shop, made["key"])

    def features(self) -> Json:
        """Every feature and how far it is."""
        with self._shop() as shop:
            return {"features": [compact.line(each) for each in shop.features()]}

    def show(self, key: str, step: str = "", part: str = "") -> Json:
        """How far a feature is; with a step, its artifact; with a part, that part of its facts in full."""
        with self._shop() as shop:
            if not step:
                return self._feature(shop, key)
            artifact = shop.dossier.artifact(key, step)
            found = compact.artifact(artifact.body(), part)
            return {**found, "next": self._next(shop, key)}

    def walk(self, key: str, slug: str, tick: Tick = lambda: None) -> Json:
        """Makes the steps that are missing or stale up to one; refuses what the policy does not allow."""
        step = named(slug)
        with self._shop() as shop:
            gate = self._gate()
            states = {each["step"]: each for each in shop.show(key)["steps"]}
            due = [
                each.slug
                for each in BY_SLUG.values()
                if each.number <= step.number and states[each.slug]["state"] not in SETTLED
            ]
            for each in due:
                gate.run(each, f"paribus feature run {key} --until {each}")
                if each == "rollout":
                    traffic.refuse_rollout(gate, shop, key)
        said = self.run(key, slug, self.author, tick)
        with self._shop() as shop:
            state = next(each for each in shop.show(key)["steps"] if each["step"] == slug)
            found: Json = {"feature": key, "step": slug, "state": state["state"], "run": said}
            if state["state"] not in {"open", "stale"}:
                found |= compact.artifact(shop.dossier.artifact(key, slug).body())
            return {**found, "next": self._next(shop, key)}

    def approve(self, key: str, step: str, why: str = "") -> Json:
        """Agrees to a step's artifact, where the policy lets an agent agree."""
        named(step)
        self._gate().approve(step, f"paribus feature approve {key} {step}")
        with self._shop() as shop:
            return {**shop.approve(key, step, author=self.author, why=why), "next": self._next(shop, key)}

    def reject(self, key: str, step: str, why: str) -> Json:
        """Refuses a step's artifact, with the reason for whoever makes it again."""
        named(step)
        with self._shop() as shop:
            exposed = traffic.has_exposed(shop, key)
            self._gate().redo(step, exposed=exposed, person=f'paribus feature reject {key} {step} --why "…"')
            return {**shop.reject(key, step, author=self.author, why=why), "next": self._next(shop, key)}

    def redo(self, key: str, step: str, why: str) -> Json:
        """Takes a step's artifact back, so that it is made again; which others are stale now."""
        named(step)
        with self._shop() as shop:
            exposed = traffic.has_exposed(shop, key)
            self._gate().redo(step, exposed=exposed, person=f"paribus feature redo {key} --step {step}")
            stale = shop.redo(key, step, author=self.author, why=why)
            return {"feature": key, "step": step, "stale": list(stale), "next": self._next(shop, key)}

    def export(self, key: str) -> Json:
        """Writes the dossier into the data folder's exports."""
        with self._shop() as shop:
            page = shop.export(key, self.settings.data / EXPORTS / key)
            return {"feature": key, "folder": str(page.parent), "page": str(page)}

    def scorecard(self, key: str) -> Json:
        """The seven success criteria."""
        with self._shop() as shop:
            return {"feature": key, "criteria": shop.scorecard(key), "next": self._next(shop, key)}

    def learnings(self, query: str) -> Json:
        """Learning cards that hold every word of the query, and the learning rate."""
        with self._shop() as shop:
            return compact.plain(shop.learnings(query))

    def comment(self, key: str, step: str, text: str) -> Json:
        """Says something about a step's artifact; with an empty text, what was said."""
        named(step)
        with self._shop() as shop:
            if text.strip():
                shop.comment(key, step, text, author=self.author)
            return {"feature": key, "step": step, "comments": shop.comments(key, step)}

    def follow(self, key: str, follow_up: str) -> Json:
        """Opens the next feature from a follow-up, linked to this one; nothing of it runs yet."""
        with self._shop() as shop:
            config, gate = shop.config(key), self._gate()
            gate.new(has_model=bool(config.model.url), person=f"paribus feature follow {key} {follow_up}")
            made = shop.follow(key, follow_up, author=self.author)
            return self._feature(shop, made["key"])

    def ramp(self, key: str, percent: float, why: str) -> Json:
        """Widens or narrows the traffic of a feature's flag, within the policy."""
        with self._shop() as shop:
            return traffic.ramp(self._gate(), shop, key, percent, why=why, author=self.author)

    def kill(self, key: str, why: str) -> Json:
        """Serves control to everyone; always allowed, for it only makes safer."""
        with self._shop() as shop:
            return traffic.kill(shop, key, why=why, author=self.author)

    def explain(self, key: str, unit: str, context: Mapping[str, Any] | None = None) -> Json:
        """Why a unit gets what it gets; nothing is recorded."""
        with self._shop() as shop:
            return traffic.explain(shop, key, unit, dict(context or {}))

    def simulate(self, **numbers: Any) -> Json:
        """Sample size, runtime and detectable effect under every method, and how often the decision errs."""
        from paribus import app
        from paribus.experiments.plan import Method, Plan

        method = str(numbers.pop("method", "fixed"))
        if method not in list(Method):
            raise InputError(f"{method!r} is no method", where="method", rule=", ".join(each.value for each in Method))
        plan = Plan(
            method=Method(method),
            confidence_level=app.as_level(numbers.pop("confidence", None)),
            power=float(numbers.pop("power", 0.8)),
        )
        compare = bool(numbers.pop("compare", False))
        sizing = app.design(plan=plan, **numbers)
        found = sizing.to_dict()
        found.pop("curves", None)
        others = found.pop("other_sizes")
        told = compact.plain(found)
        return {**told, "other_sizes": others} if compare else told

    def verify(self, key: str, data: bool = True) -> Json:
        """Recomputes the registered result of a feature: verdict from moments, moments from data."""
        from paribus import app

        with self._shop() as shop:
            artifact = shop.dossier.artifact(key, "analyze")
        files = {file.path: file.text for file in artifact.files}
        # The file keeps the order in which the result was written; a stored document does not.
        result = json.loads(files[RESULT]) if RESULT in files else artifact.facts.get("result")
        if not result:
            raise NotFound(f"the analysis of {key} holds no result", where=f"feature {key}", fix=f"analyze {key} again")
        found = app.verify(result, data=data)
        return {"feature": key, **compact.plain(found)}

    def config_check(self, text: str) -> Json:
        """What each value of a paribus.yaml does, or what it waits for."""
        from paribus.workflow import config

        found = config.parse(text)
        return {"accepted": True, "hash": found.hash, "values": [row.plain() for row in config.check(found)]}

    @contextmanager
    def _shop(self) -> Iterator[Workshop]:
        with workshop(self.settings, create=False) as shop:
            yield shop

    def _gate(self) -> Gate:
        return Gate(read(Path(self.settings.data)).policy)

    def _feature(self, shop: Workshop, key: str) -> Json:
        return {**compact.feature(shop.show(key)), "next": self._next(shop, key)}

    def _next(self, shop: Workshop, key: str) -> list[Json]:
        """Each action that can come next: the tool, its arguments, whether policy lets an agent do it alone."""
        try:
            gate: Gate | None = self._gate()
        except ParibusError:
            gate = None
        return [
            {**action, **_allowed(gate, shop, action)} if gate else {**action, "alone": False, "rule": "policy broken"}
            for action in compact.actions(shop, key)
        ]


def _allowed(gate: Gate, shop: Workshop, action: Json) -> Json:
    tool, arguments = str(action["tool"]), action["arguments"]
    key, step = str(arguments["feature"]), str(arguments.get("step", ""))
    try:
        if tool in BY_SLUG:
            gate.run(tool, "")
            if tool == "rollout":
                traffic.refuse_rollout(gate, shop, key)
        elif tool == "approve":
            gate.approve(step, "")
        elif tool in {"redo", "reject"}:
            gate.redo(step, exposed=traffic.has_exposed(shop, key), person="")
    except ParibusError as error:
        return {"alone": False, "rule": error.rule}
    return {"alone": True}
