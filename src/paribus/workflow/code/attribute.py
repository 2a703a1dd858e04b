"""Attributes that a flag's rules and an experiment's cohorts ask for, and how a service finds them in a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from paribus.errors import DefinitionError
from paribus.events.plan import PlanDoc

DEVICES = frozenset({"device", "device_type", "form_factor", "platform"})
READINGS = {"text": "given", "truth": 'given.lower() == "true"', "number": "float(given)"}


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: its type, and a recipe where a request tells it by itself."""

    name: str
    kind: Literal["text", "truth", "number"]
    recipe: Literal["device", "returning", ""]

    def values(self) -> dict[str, str]:
        """What templates need."""
        header = "x-attribute-" + "".join(letter if letter.isalnum() else "-" for letter in self.name.lower())
        return {"name": self.name, "header": header, "reading": READINGS[self.kind], "recipe": self.recipe}


def attributes_of(flag: Mapping[str, Any], cohorts: tuple[str, ...], plan: PlanDoc) -> tuple[Attribute, ...]:
    """The attributes of all rules, and of the cohorts that events tell, by name.

    Raises:
        DefinitionError: a name that cannot be the name of a header.
    """
    told = {name for event in plan.events.values() for name in event.properties}
    asked: dict[str, list[Any]] = {name: [] for name in cohorts if name in told}
    for name, value in _asked(flag.get("environments", {})):
        asked.setdefault(name, []).append(value)
    asked.pop("targetingKey", None)
    for name in asked:
        if not name.isascii() or not name.isprintable() or not name.strip():
            raise DefinitionError(f"{name!r} cannot be an attribute of a request", where="architect/flag")
    return tuple(_attribute(name, values, plan) for name, values in sorted(asked.items()))


def _attribute(name: str, values: list[Any], plan: PlanDoc) -> Attribute:
    declared = {event.properties[name].type for event in plan.events.values() if name in event.properties}
    kind: Literal["text", "truth", "number"] = "text"
    if "boolean" in declared or any(isinstance(value, bool) for value in values):
        kind = "truth"
    elif declared & {"integer", "number"} or any(isinstance(value, int | float) for value in values):
        kind = "number"
    recipe: Literal["device", "returning", ""] = ""
    if name in DEVICES and kind == "text":
        recipe = "device"
    elif "returning" in name and kind == "truth":
        recipe = "returning"
    return Attribute(name, kind, recipe)


def _asked(part: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(part, Mapping):
        if isinstance(part.get("attribute"), str):
            yield from ((part["attribute"], value) for key, value in part.items() if key != "attribute")
        for value in part.values():
            yield from _asked(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _asked(value)
