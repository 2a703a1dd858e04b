"""A service for a web framework: every file of it, from the decisions and events that were planned."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from paribus.errors import DefinitionError
from paribus.events.codegen import python_client
from paribus.events.plan import PlanDoc, parse_plan
from paribus.workflow.code.attribute import Attribute, attributes_of
from paribus.workflow.code.identifier import python_name
from paribus.workflow.code.journey import Journey, Sending, plan_journey
from paribus.workflow.code.rendering import reading, render
from paribus.workflow.facts.architect import ArchitectFacts
from paribus.workflow.facts.instrument import InstrumentFacts

MODULES = ("__init__", "__main__", "settings", "visit", "forms", "log", "measures", "variants", "pages", "assets")
REQUIREMENTS = {
    "fastapi": ("fastapi>=0.128,<1", "uvicorn>=0.38,<1"),
    "flask": ("flask>=3.1,<4",),
    "django": ("django>=5.2,<6",),
}
KINDS = {"boolean": "boolean", "string": "string", "integer": "integer", "float": "float", "json": "object"}
PYTHON_KINDS = {"boolean": "bool", "string": "str", "integer": "int", "float": "float", "object": "object"}
PANELS = (
    {
        "title": "95th percentile of latency by arm",
        "unit": "s",
        "expression": "histogram_quantile(0.95, sum by (le, variant) (rate(request_seconds_bucket[5m])))",
        "legend": "{{variant}}",
    },
    {
        "title": "Share of requests that fail, by arm",
        "unit": "percentunit",
        "expression": "sum by (variant) (rate(request_errors_total[5m])) / sum by (variant) "
        "(rate(request_seconds_count[5m]))",
        "legend": "{{variant}}",
    },
    {
        "title": "Requests a second by route",
        "unit": "reqps",
        "expression": "sum by (route) (rate(request_seconds_count[5m]))",
        "legend": "{{route}}",
    },
    {
        "title": "Control served because a variant raised",
        "unit": "ops",
        "expression": "sum by (point) (rate(fallbacks_total[5m]))",
        "legend": "{{point}}",
    },
)
Keep = Literal["both", "control", "treatment"]


@dataclass(frozen=True, slots=True)
class Service:
    """What is generated, and for what."""

    framework: str
    provider: str
    feature: str
    requirement: str
    flag_key: str
    flag: dict[str, Any]
    """The flag's document."""
    plan: PlanDoc
    journey: Journey
    attributes: tuple[Attribute, ...]

    @property
    def package(self) -> str:
        """The Python package of the service."""
        return python_name(self.feature)

    @property
    def control(self) -> str:
        """The variant that is served without a decision."""
        return str(self.flag["default_variant"])

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the variants, control first."""
        listed = self.flag["variants"]
        names = list(listed) if isinstance(listed, Mapping) else [str(each["name"]) for each in listed]
        return (self.control, *(name for name in names if name != self.control))

    @property
    def requirements(self) -> tuple[str, ...]:
        """What the service is installed with."""
        sdk = "paribus-sdk" if self.provider == "paribus" else "paribus-sdk[openfeature]"
        return (*REQUIREMENTS[self.framework], "prometheus-client>=0.22,<1", sdk)

    def files(self, keep: Keep = "both") -> dict[str, str]:
        """Every file by path; with an arm to keep, the service after the flag was removed."""
        values = self._values(keep)
        package = self.package
        made = {f"{package}/{name}.py": render(f"common/{name}.py.j2", values) for name in MODULES}
        if keep == "both":
            made[f"{package}/decisions.py"] = render("common/decisions.py.j2", values)
            if self.provider != "paribus":
                made[f"{package}/flags.py"] = render("common/flags.py.j2", values)
        made[f"{package}/events.py"] = python_client(self.plan)
        made[f"{package}/journey.py"] = render("common/journey.py.j2", values)
        made[f"{package}/application.py"] = render(f"{self.framework}/application.py.j2", values)
        made[f"{package}/py.typed"] = ""
        made["tests/__init__.py"] = ""
        made["tests/definitions.json"] = json.dumps(self._definitions(keep), indent=2, sort_keys=True) + "\n"
        made["tests/service.py"] = render("tests/service.py.j2", values)
        made["tests/test_service.py"] = render("tests/test_service.py.j2", values)
        made["requirements.txt"] = render("common/requirements.txt.j2", values)
        made["monitoring/alerts.yml"] = render("common/alerts.yml.j2", values)
        made["monitoring/dashboard.json"] = render("common/dashboard.json.j2", values)
        made["README.md"] = render("common/README.md.j2", values)
        return dict(sorted(made.items()))

    def removal(self, keep: Literal["control", "treatment"]) -> str:
        """One unified diff that takes the losing arm and the flag out; `patch -p1` applies it."""
        before, after = self.files(), self.files(keep)
        parts: list[str] = []
        for path in sorted({*before, *after}):
            old, new = before.get(path), after.get(path)
            if old != new:
                parts += difflib.unified_diff(
                    (old or "").splitlines(keepends=True),
                    (new or "").splitlines(keepends=True),
                    f"a/{path}" if old is not None else "/dev/null",
                    f"b/{path}" if new is not None else "/dev/null",
                )
        return "".join(parts)

    def _definitions(self, keep: Keep) -> dict[str, Any]:
        """The flag for tests: its own salts and split, everyone in it, no rules before it."""
        flags = {}
        if keep == "both":
            split = [{"variant": name, "weight_bp": weight} for name, weight in self._weights().items()]
            listed = self.flag["variants"]
            named = (
                listed.items() if isinstance(listed, Mapping) else ((each["name"], each["value"]) for each in listed)
            )
            flags[self.flag_key] = {
                "type": self.flag.get("type", "boolean"),
                "revision": 1,
                "enabled": True,
                "killed": False,
                "unit_type": self.flag.get("unit_type", "user"),
                "unit_attribute": None,
                "variants": [{"name": name, "value": value} for name, value in named],
                "default_variant": self.control,
                "client": True,
                "prerequisites": [],
                "holdouts": [],
                "overrides": {},
                "sticky": {},
                "rules": [
                    {
                        "id": "everyone",
                        "rollout": {
                            "traffic_salt": f"{self.flag_key}-traffic",
                            "split_salt": f"{self.flag_key}-split",
                            "traffic_bp": 10_000,
                            "epoch": 1,
                            "split": split,
                        },
                    }
                ],
            }
        return {
            "format": 1,
            "project": "default",
            "environment": "test",
            "revision": 1,
            "flags": flags,
            "audiences": {},
            "layers": {},
            "holdouts": {},
        }

    def _weights(self) -> dict[str, int]:
        part, rest = divmod(10_000, len(self.arms))
        return {name: part + (i < rest) for i, name in enumerate(self.arms)}

    def _default_value(self) -> Any:
        listed = self.flag["variants"]
        if isinstance(listed, Mapping):
            return listed[self.control]
        return next(each["value"] for each in listed if each["name"] == self.control)

    def _values(self, keep: Keep) -> dict[str, Any]:
        journey = self.journey
        kind = KINDS[self.flag.get("type", "boolean")]
        screens = [
            {
                "path": screen.path,
                "function": screen.function,
                "title": screen.title,
                "heading": screen.interactions[0].label if screen.interactions else screen.title,
                "enters": screen.enters,
                "every_time": screen.every_time,
                "defaults": {field.name: field.sample for sending in screen.enters for field in sending.fields},
                "readings": {
                    field.name: reading(field, "form") for sending in screen.enters for field in sending.fields
                }.items(),
                "decisions": screen.decisions,
                "outcomes": screen.outcomes,
                "outcome_defaults": {
                    field.name: field.sample for sending in screen.outcomes for field in sending.fields
                },
                "is_first": screen is journey.screens[0],
                "interactions": [
                    {
                        "id": each.id,
                        "label": each.label,
                        "method": each.method,
                        "path": each.path,
                        "pairs": tuple((field.name, field.sample) for field in each.fields),
                        "page_event": each.sends[0].event if each.by_page else "",
                    }
                    for each in screen.interactions
                ],
            }
            for screen in journey.screens
        ]
        interactions = [
            {
                "function": each.function,
                "method": each.method,
                "path": each.path,
                "sends": each.sends,
                "by_page": each.by_page,
                "leads_to": each.leads_to,
                "names": ", ".join(sending.event for sending in each.sends),
                "samples": {field.name: field.sample for field in each.fields},
            }
            for each in journey.interactions
        ]
        expected = {
            each.id: {
                "screen": screen.path,
                "method": each.method,
                "path": each.path,
                "leads_to": each.leads_to,
                "events": [sending.event for sending in each.sends],
                "properties": [_properties(sending) for sending in each.sends],
                "needs": any(field.is_required for field in each.sends[0].fields),
                "by_page": each.by_page,
            }
            for screen in journey.screens
            for each in screen.interactions
        }
        return {
            "package": self.package,
            "feature": self.feature,
            "requirement": self.requirement,
            "title": self.requirement,
            "framework": self.framework,
            "provider": self.provider,
            "flag": self.flag_key,
            "control": self.control,
            "unit_type": self.flag.get("unit_type", "user"),
            "kind": kind,
            "python_kind": PYTHON_KINDS[kind],
            "default_value": self._default_value(),
            "control_function": journey.control,
            "treatment_function": journey.treatment,
            "attributes": [each.values() for each in self.attributes],
            "decides": keep == "both",
            "keep": keep,
            "keep_variant": next(iter(self.arms[1:]), self.control),
            "arms": ("control", "treatment") if keep == "both" else (keep,),
            "screens": screens,
            "interactions": interactions,
            "decisions": journey.decisions,
            "decision_paths": {point.id: screen.path for screen in journey.screens for point in screen.decisions},
            "screen_paths": [screen.path for screen in journey.screens],
            "expected": expected,
            "entering": [sending.event for sending in (*journey.screens[0].enters, *journey.screens[0].outcomes)],
            "outcomes": {
                screen.path: [sending.event for sending in screen.outcomes]
                for screen in journey.screens[1:]
                if screen.outcomes
            },
            "every_time": journey.screens[0].every_time,
            "has_page_events": any(each.by_page for each in journey.interactions),
            "requirements": self.requirements,
            "panels": PANELS if keep == "both" else PANELS[:-1],
        }


def plan_service(
    architect: ArchitectFacts,
    instrument: InstrumentFacts,
    *,
    framework: str,
    provider: str,
    feature: str,
    requirement: str,
    flag_key: str,
) -> Service:
    """The service of a feature.

    Raises:
        DefinitionError: a name or event of the facts cannot stand in code.
    """
    if "default_variant" not in architect.flag or not architect.flag.get("variants"):
        raise DefinitionError("the flag has no variants", where="architect/flag", rule="a flag's document")
    plan = parse_plan(instrument.plan)
    return Service(
        framework=framework,
        provider=provider,
        feature=feature,
        requirement=requirement,
        flag_key=flag_key,
        flag=architect.flag,
        plan=plan,
        journey=plan_journey(architect, instrument),
        attributes=attributes_of(architect.flag, instrument.cohort_keys, plan),
    )


def _properties(sending: Sending) -> dict[str, Any]:
    """The properties that the sample form gives an event, as they are sent."""
    return {field.name: _typed(field.reader, field.sample, field.choices) for field in sending.fields}


def _typed(reader: str, sample: str, choices: tuple[Any, ...]) -> Any:
    if reader == "choice":
        return choices[0]
    if reader == "whole":
        return int(sample)
    if reader == "number":
        return float(sample)
    if reader == "truth":
        return sample == "true"
    if reader == "document":
        return json.loads(sample)
    if reader == "moment":
        return sample.replace("Z", "+00:00")
    return sample
