"""The tracking plan: the document that says which events exist, what they carry, and whose data that is.

One document per project, kind `tracking_plan`, key `default`; its revision number is the `plan_revision` of every event
that is checked against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paribus.errors import DefinitionError

KIND = "tracking_plan"
KEY = "default"

PropertyType = Literal["string", "integer", "number", "boolean", "datetime", "json"]
PersonalClass = Literal["none", "pseudonymous", "personal", "sensitive"]
Semantics = Literal["action", "conversion", "funnel_step", "exposure", "page_view", "error", "performance", "system"]
UnplannedPolicy = Literal["accept", "quarantine"]

PERSONAL_ORDER: tuple[PersonalClass, ...] = ("none", "pseudonymous", "personal", "sensitive")
NAME_PATTERN = r"^[^\x00-\x1f\x7f]{1,200}$"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Bound = int | float


class Part(BaseModel):
    """Strict about types, closed to unknown keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)


class PropertyDoc(Part):
    """One property of an event."""

    type: PropertyType
    """The type of the value; one per property name across the plan."""
    required: bool = False
    """An event without it goes to quarantine."""
    enum: tuple[str | int | float, ...] | None = Field(default=None, strict=False, min_length=1)
    """The only values allowed."""
    minimum: Bound | None = None
    """Least value allowed, itself included; for numbers."""
    maximum: Bound | None = None
    """Greatest value allowed, itself included; for numbers."""
    pattern: str | None = None
    """RE2 expression that must be found in the text."""
    personal: PersonalClass = "none"
    """Whose data this is: it decides what samples, exports and erasure may show."""
    description: str = ""


class FunnelStep(Part):
    """The place of an event in a funnel."""

    funnel: Name
    step: int = Field(ge=1)


class EventDoc(Part):
    """One event of the plan."""

    version: int = Field(default=1, ge=1)
    """Grows by one with each breaking change."""
    description: str = ""
    owner: str = ""
    """Team or person who answers for it."""
    semantics: Semantics = "action"
    """What it means to analyses."""
    funnel: FunnelStep | None = None
    deprecated: bool = False
    """Still accepted; may be removed in the next revision."""
    properties: Annotated[dict[Name, PropertyDoc], Field(default_factory=dict)]


class PlanDoc(Part):
    """The tracking plan of a project."""

    events: Annotated[dict[Name, EventDoc], Field(default_factory=dict)]
    unplanned: Annotated[dict[str, UnplannedPolicy], Field(default_factory=dict)]
    """What happens to events outside the plan, per environment; `accept` where nothing is said."""


def column_name(property_name: str) -> str:
    """The lake's column of a property: `p_` and the name with anything but letters, digits and `_` replaced.

    >>> column_name("Order ID")
    'p_Order_ID'
    """
    return f"p_{typed_name(property_name)}"


def typed_name(property_name: str) -> str:
    """The property's name in a record's typed values: an identifier of ASCII letters, digits and `_`."""
    spelled = re.sub(r"[^A-Za-z0-9_]", "_", property_name)
    return spelled if spelled.isidentifier() and not spelled.startswith("__") else f"x{spelled}"


def parse_plan(body: Mapping[str, Any]) -> PlanDoc:
    """The plan in a document's body, checked as a whole.

    Raises:
        DefinitionError: a key is unknown or of a wrong type, a property name has two types, two names share a column,
            a constraint does not fit its type, or an expression is not RE2.
    """
    try:
        plan = PlanDoc.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise DefinitionError(
            f"{first['msg']}{more}",
            where=_where(*map(str, first["loc"])),
            rule="a tracking plan holds `events` and `unplanned`; each event holds version, description, owner, "
            "semantics, funnel, deprecated, properties",
        ) from error
    _check_names(plan)
    for event_name, event in plan.events.items():
        for property_name, declared in event.properties.items():
            _check_constraints(_where("events", event_name, "properties", property_name), declared)
    return plan


def plan_body(plan: PlanDoc) -> dict[str, Any]:
    """The document's body, without the fields that hold their defaults."""
    body: dict[str, Any] = plan.model_dump(mode="json", exclude_defaults=True)
    return body


def declared_properties(plan: PlanDoc) -> Iterator[tuple[str, str, PropertyDoc]]:
    """(event, property, declaration) for all that the plan and the reserved events declare."""
    from paribus.events.reserved import RESERVED

    for events in (RESERVED, plan.events):
        for event_name, event in events.items():
            for property_name, declared in event.properties.items():
                yield event_name, property_name, declared


def _where(*path: str) -> str:
    return f"{KIND}/{KEY}: {'.'.join(path)}"


def _check_names(plan: PlanDoc) -> None:
    from paribus.events.reserved import RESERVED

    for event_name in plan.events:
        if event_name in RESERVED:
            raise DefinitionError(
                f"{event_name!r} is an event of Paribus itself",
                where=_where("events", event_name),
                rule="reserved events are always part of the plan and cannot be declared again",
                fix="choose another name",
            )
    first_seen: dict[str, tuple[str, str, PropertyDoc]] = {}
    for event_name, property_name, declared in declared_properties(plan):
        column = column_name(property_name).lower()
        seen = first_seen.setdefault(column, (event_name, property_name, declared))
        where = _where("events", event_name, "properties", property_name)
        if seen[1] != property_name:
            raise DefinitionError(
                f"{property_name!r} and {seen[1]!r} (event {seen[0]!r}) would share the column {column}",
                where=where,
                rule="property names differ by more than case and punctuation",
                fix=f"spell it {seen[1]!r} or choose a clearly different name",
            )
        if seen[2].type != declared.type:
            raise DefinitionError(
                f"{property_name!r} is {declared.type} here and {seen[2].type} in event {seen[0]!r}",
                where=where,
                rule="a property name has one type across the plan, because it is one column of the lake",
                fix=f"use type {seen[2].type}, or another name",
            )


def _check_constraints(where: str, declared: PropertyDoc) -> None:
    numeric = declared.type in ("integer", "number")
    low, high = declared.minimum, declared.maximum
    if not numeric and (low is not None or high is not None):
        raise DefinitionError(f"minimum and maximum do not apply to {declared.type}", where=where)
    if low is not None and high is not None and low > high:
        raise DefinitionError(f"minimum {low} is above maximum {high}", where=where)
    if declared.type == "integer" and any(isinstance(bound, float) for bound in (low, high)):
        raise DefinitionError("minimum and maximum of an integer are whole numbers", where=where)
    if declared.enum is not None:
        kinds: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "number": (int, float)}
        if declared.type not in kinds:
            raise DefinitionError(f"enum does not apply to {declared.type}", where=where)
        for value in declared.enum:
            if not isinstance(value, kinds[declared.type]):
                raise DefinitionError(f"enum value {value!r} is not of type {declared.type}", where=where)
    if declared.pattern is not None:
        if declared.type != "string":
            raise DefinitionError(f"pattern does not apply to {declared.type}", where=where)
        compile_pattern(declared.pattern, where)


def compile_pattern(pattern: str, where: str) -> Any:
    """The compiled RE2 expression.

    Raises:
        DefinitionError: it is not RE2 syntax.
    """
    import re2  # type: ignore[import-untyped]

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        raise DefinitionError(
            f"pattern {pattern!r} is not RE2: {error}",
            where=where,
            rule="patterns are RE2 (no look-around, no back-references), so that none can run away",
        ) from error
