"""The journey that a generated service walks: its screens, interactions and decision points, planned from the facts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from paribus.errors import DefinitionError
from paribus.events.plan import PlanDoc, PropertyDoc, parse_plan
from paribus.workflow.code.identifier import element_id, event_functions, exact_name, python_name, title
from paribus.workflow.code.sample import sample_text
from paribus.workflow.facts.architect import ArchitectFacts
from paribus.workflow.facts.instrument import InstrumentFacts

READERS = {
    "string": "text",
    "integer": "whole",
    "number": "number",
    "boolean": "truth",
    "datetime": "moment",
    "json": "document",
}
ROUTE = re.compile(r"(?:(GET|POST|PUT|PATCH|DELETE)\s+)?(/\S*)")


@dataclass(frozen=True, slots=True)
class Field:
    """A property as an argument of the typed client and a field of a form."""

    name: str
    argument: str
    reader: str
    sample: str
    is_required: bool
    choices: tuple[str | int | float, ...] = ()


@dataclass(frozen=True, slots=True)
class Sending:
    """One planned event that a route sends."""

    event: str
    function: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Interaction:
    """A link or form of a page: what it sends, and the screen it leads to."""

    id: str
    function: str
    method: Literal["GET", "POST"]
    path: str
    label: str
    sends: tuple[Sending, ...]
    leads_to: str
    by_page: bool
    """Whether the page sends the first event where scripts run."""

    @property
    def fields(self) -> tuple[Field, ...]:
        """The form's fields: of all events it sends, each property once."""
        return tuple({field.name: field for sending in self.sends for field in sending.fields}.values())


@dataclass(frozen=True, slots=True)
class Decision:
    """A place where the variant is decided."""

    id: str
    function: str
    where: str
    after: str


@dataclass(frozen=True, slots=True)
class Screen:
    """A page: what its showing sends, what can be done on it, what is decided on it.

    enters      sent by its first showing in a visit, before anything is decided
    outcomes    sent after the decision: what follows from it without an interaction
    """

    path: str
    function: str
    title: str
    enters: tuple[Sending, ...]
    interactions: tuple[Interaction, ...]
    decisions: tuple[Decision, ...]
    every_time: bool = False
    outcomes: tuple[Sending, ...] = ()


@dataclass(frozen=True, slots=True)
class Journey:
    """All screens of the service, in the order of the feature's funnel."""

    screens: tuple[Screen, ...]
    control: str
    treatment: str

    @property
    def interactions(self) -> tuple[Interaction, ...]:
        """Every interaction, by screen."""
        return tuple(each for screen in self.screens for each in screen.interactions)

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Every decision point, by screen."""
        return tuple(each for screen in self.screens for each in screen.decisions)


def plan_journey(architect: ArchitectFacts, instrument: InstrumentFacts) -> Journey:
    """The journey of a feature.

    A funnel's event that an interaction performs opens the next screen; one without is sent by the interaction before
    it, or by the first screen. A decision point stands on the screen that its event leads to.

    Raises:
        DefinitionError: an event is not in the tracking plan, a name cannot stand in code, or no decision is planned.
    """
    if not architect.decision_points:
        raise DefinitionError("no decision point is planned", where="architect", rule="a feature decides somewhere")
    return _Planner(architect, instrument).journey()


class _Planner:
    def __init__(self, architect: ArchitectFacts, instrument: InstrumentFacts) -> None:
        self.plan: PlanDoc = parse_plan(instrument.plan)
        self.architect = architect
        self.functions = event_functions(self.plan)
        self.by_page = {
            event for metric in instrument.metrics if metric.sent_by == "frontend" for event in metric.events
        }
        self.funnel = [event for event in dict.fromkeys(instrument.funnel) if not event.startswith("$")]
        self.elements: dict[str, list[tuple[str, Literal["GET", "POST"], str, str]]] = {}
        self.entering: list[str] = []
        self.taken: set[str] = set()
        self.ids: set[str] = set()
        for key, event in sorted(instrument.interactions.items()):
            self._place(key, event)

    def _place(self, key: str, event: str) -> None:
        route = ROUTE.fullmatch(key)
        if event.startswith("$"):
            return
        self._event(event, f"instrument/interactions.{key}")
        if route is None:
            name = self._element(key)
            self.elements.setdefault(event, []).append((name, "POST", f"/interactions/{name}", name))
        elif route[2] == "/" and route[1] in (None, "GET"):
            self.entering.append(event)
        else:
            words = re.sub(r"[^A-Za-z0-9]+", "-", route[2]).strip("-") or "start"
            name = self._element(words)
            path = "/" + re.sub(r"[^A-Za-z0-9/_-]+", "-", route[2]).strip("/-")
            self.elements.setdefault(event, []).append((name, "GET" if route[1] == "GET" else "POST", path, name))

    def _element(self, key: str) -> str:
        wanted = element_id(key)
        unique, number = wanted, 2
        while unique in self.ids:
            unique, number = f"{wanted}-{number}", number + 1
        self.ids.add(unique)
        return unique

    def journey(self) -> Journey:
        """Screens along the funnel; what is not part of it stands on the first."""
        leading = [event for event in self.funnel if event not in self.elements]
        first_element = next((i for i, event in enumerate(self.funnel) if event in self.elements), len(self.funnel))
        enters = [*dict.fromkeys([*leading[:first_element], *self.entering])]
        groups: list[tuple[str, list[str]]] = []  # an event with elements, and the events that follow from it
        for event in self.funnel[first_element:]:
            if event in self.elements:
                groups.append((event, []))
            else:
                groups[-1][1].append(event)
        decided = {point.event for point in self.architect.decision_points}
        used = {path for listed in self.elements.values() for _, _, path, _ in listed}
        paths = {}
        for event, _ in groups:
            path = f"/{python_name(event).replace('_', '-')}"
            paths[event] = f"{path}-screen" if path in used else path
        shown: list[tuple[str, str, list[str]]] = [("/", "", [])]  # path, title's event, events shown before it
        for event, follow in groups:
            shown.append((paths[event], event, [event, *follow]))
        screens = []
        for i, (path, event, before) in enumerate(shown):
            interactions: list[Interaction] = []
            if i == 0:
                aside = [name for name in sorted(self.elements) if name not in self.funnel]
                interactions += [each for name in aside for each in self._interactions(name, [], "/")]
            if i < len(groups):
                name, follow = groups[i]
                sent_along, _ = _split([name, *follow], decided)
                interactions = [*self._interactions(name, sent_along[1:], paths[name]), *interactions]
            met, outcomes = _split(enters if i == 0 else before, decided)
            screens.append(
                Screen(
                    path=path,
                    function=self._function(event or "start"),
                    title=title(event) if event else "Start",
                    enters=self._sendings(met) if i == 0 else (),
                    outcomes=self._sendings(outcomes),
                    interactions=tuple(interactions),
                    decisions=tuple(
                        self._decision(point.id, point.where, point.event)
                        for point in self.architect.decision_points
                        if point.event in met or (i == 0 and not self._is_reached(point.event, enters, shown))
                    ),
                    every_time=any(self.plan.events[name].semantics == "page_view" for name in enters),
                )
            )
        return Journey(
            tuple(screens),
            exact_name(self.architect.control_function, "architect/control_function"),
            exact_name(self.architect.treatment_function, "architect/treatment_function"),
        )

    def _is_reached(self, event: str, enters: list[str], shown: list[tuple[str, str, list[str]]]) -> bool:
        return event in enters or any(event in before for _, _, before in shown)

    def _interactions(self, event: str, follow: list[str], leads_to: str) -> list[Interaction]:
        return [
            Interaction(
                id=name,
                function=self._function(f"on_{python_name(name)}"),
                method=method,
                path=path,
                label=title(label),
                sends=self._sendings([event, *follow]),
                leads_to=leads_to,
                by_page=event in self.by_page,
            )
            for name, method, path, label in self.elements[event]
        ]

    def _decision(self, key: str, where: str, after: str) -> Decision:
        return Decision(key, python_name(key), where, after)

    def _function(self, name: str) -> str:
        wanted = python_name(name)
        unique, number = wanted, 2
        while unique in self.taken:
            unique, number = f"{wanted}_{number}", number + 1
        self.taken.add(unique)
        return unique

    def _sendings(self, events: list[str]) -> tuple[Sending, ...]:
        found = []
        for event in events:
            declared = self._event(event, "instrument/funnel")
            function, arguments = self.functions[event]
            found.append(
                Sending(
                    event,
                    function,
                    tuple(_field(name, arguments[name], part) for name, part in declared.items()),
                )
            )
        return tuple(found)

    def _event(self, event: str, where: str) -> dict[str, PropertyDoc]:
        if event not in self.plan.events:
            raise DefinitionError(
                f"{event!r} is not in the tracking plan",
                where=where,
                rule="code sends planned events only",
                fix="add it to the plan (step instrument), or take it out of the funnel",
            )
        return self.plan.events[event].properties


def _split(events: list[str], decided: set[str]) -> tuple[list[str], list[str]]:
    """The events up to the first that a decision follows, and those after it."""
    place = next((i for i, event in enumerate(events) if event in decided), len(events))
    return events[: place + 1], events[place + 1 :]


def _field(name: str, argument: str, declared: PropertyDoc) -> Field:
    reader = READERS[declared.type]
    if declared.enum is not None and declared.type != "number":
        reader = "choice"
    return Field(name, argument, reader, sample_text(name, declared), declared.required, tuple(declared.enum or ()))
