"""The page of a generated service: its script, plain or React, and the tests that drive it in Chromium."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from paribus.events.codegen import typescript_client
from paribus.workflow.code.identifier import python_name, typescript_functions
from paribus.workflow.code.journey import Field, Interaction
from paribus.workflow.code.rendering import render
from paribus.workflow.code.service import Service

TYPES = {"whole": "number", "number": "number", "truth": "boolean", "document": "json"}
READINGS = {"number": "Number({})", "boolean": '{} === "true"', "json": "JSON.parse({})"}
BUILD = {"plain": (), "react": ("npm install", "npm run build")}
MOBILE = ("App.tsx", "package.json", "paribus.ts", "tsconfig.json")
Kind = Literal["plain", "react"]


@dataclass(frozen=True, slots=True)
class PageCode:
    """The page of a service."""

    kind: Kind
    service: Service

    @property
    def assets(self) -> str:
        """The folder with page.js, after the build."""
        return "dist" if self.kind == "react" else "."

    @property
    def sent_by_page(self) -> tuple[str, ...]:
        """Planned events that the page sends where scripts run."""
        return tuple(dict.fromkeys(each.sends[0].event for each in self.service.journey.interactions if each.by_page))

    def files(self) -> dict[str, str]:
        """Every file by path."""
        values = self._values()
        made = {
            "README.md": render("page_tests/README.md.j2", values),
            "test_page.py": render("page_tests/test_page.py.j2", values),
            "mobile/events.ts": typescript_client(self.service.plan),
            **{f"mobile/{name}": render(f"mobile/{name}.j2", values) for name in MOBILE},
        }
        if self.kind == "plain":
            made["page.js"] = render("plain/page.js.j2", values)
            made["treatment.js"] = render("plain/treatment.js.j2", values)
        else:
            made |= {
                name: render(f"react/{name}.j2", values) for name in ("package.json", "tsconfig.json", "build.mjs")
            }
            sources = ("screen.ts", "api.ts", "tracked.ts", "page.tsx", "main.tsx")
            made |= {f"src/{name}": render(f"react/{name}.j2", values) for name in sources}
            made["src/events.ts"] = typescript_client(self.service.plan)
        return dict(sorted(made.items()))

    def _values(self) -> dict[str, Any]:
        service = self.service
        screens = service.journey.screens
        functions = typescript_functions(service.plan)
        first = {each.sends[0].event: each for each in service.journey.interactions if each.by_page}
        return {
            "name": python_name(service.feature).replace("_", "-") + "-page",
            "mobile_name": python_name(service.feature).replace("_", "-") + "-mobile",
            "actions": [
                {
                    "id": each.id,
                    "label": each.label,
                    "function": functions[each.sends[0].event],
                    "properties": {field.name: _sample(field) for field in each.sends[0].fields if field.is_required},
                }
                for each in service.journey.interactions
            ],
            "feature": service.feature,
            "requirement": service.requirement,
            "framework": service.framework,
            "flag": service.flag_key,
            "flag_path": quote(service.flag_key),
            "control": service.control,
            "unit_type": service.flag.get("unit_type", "user"),
            "control_component": _component(service.journey.control),
            "treatment_component": _component(service.journey.treatment),
            "types": {
                event: {field.name: TYPES.get(_plain(field), "string") for field in each.sends[0].fields}
                for event, each in first.items()
            },
            "page_events": [
                {
                    "event": event,
                    "function": functions[event],
                    "readings": [(field.name, _reading(field)) for field in each.sends[0].fields],
                }
                for event, each in first.items()
            ],
            "operations": [_operation(each) for each in service.journey.interactions],
            "interactions": {
                each.id: (screen.path, each.sends[0].event, each.leads_to)
                for screen in screens
                for each in screen.interactions
            },
            "by_page": sorted(first),
            "decision_path": next(screen.path for screen in screens if screen.decisions),
            "build": BUILD[self.kind],
            "assets_words": "its folder `dist`, after the build" if self.kind == "react" else "this folder",
        }


def _operation(each: Interaction) -> dict[str, Any]:
    name = _component(each.function)
    return {
        "element": each.id,
        "function": name[:1].lower() + name[1:],
        "shape": f"{name}Form",
        "method": each.method,
        "path": each.path,
        "summary": each.label,
        "events": ", ".join(sending.event for sending in each.sends),
        "fields": [(field.name, field.is_required) for field in each.fields],
    }


def _plain(field: Field) -> str:
    if field.reader == "choice":
        return "number" if isinstance(field.choices[0], int | float) else "text"
    return field.reader


def _sample(field: Field) -> Any:
    """The field's sample value, typed as planned."""
    if field.reader == "choice":
        return field.choices[0]
    kind = TYPES.get(field.reader, "string")
    return field.sample if kind == "string" else json.loads(field.sample)


def _reading(field: Field) -> str:
    value = f"form[{json.dumps(field.name)}]!"
    if field.reader == "choice":
        choices = " | ".join(json.dumps(choice) for choice in field.choices)
        return f"{READINGS['number'].format(value) if _plain(field) == 'number' else value} as {choices}"
    return READINGS.get(TYPES.get(field.reader, "string"), "{}").format(value)


def _component(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))
