"""Flags, audiences, layers and holdouts as documents: what may stand in them, checked before anything is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from paribus.errors import DefinitionError

WHOLE = 10_000  # basis points
KEY = r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$"
FlagType = Literal["boolean", "string", "integer", "float", "json"]
Key = Annotated[str, Field(pattern=KEY)]
Salt = Annotated[str, Field(min_length=1, max_length=100)]
BasisPoints = Annotated[int, Field(ge=0, le=WHOLE)]
Condition = dict[str, Any]  # its grammar is the evaluator's; `flags.snapshot` asks it


class Part(BaseModel):
    """Closed to unknown keys; texts are not coerced to numbers nor back."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, defer_build=True)


class Variant(Part):
    """One value the flag can have."""

    name: Key
    value: Any
    """Of the flag's type."""
    description: str = ""


class Weight(Part):
    """One variant's part of a split."""

    variant: Key
    weight_bp: BasisPoints


class LayerSlice(Part):
    """The part of a layer that this rollout owns: rollouts with disjoint slices never share a unit."""

    key: Key
    from_bp: BasisPoints
    to_bp: BasisPoints


class Band(Part):
    """Traffic that was admitted under an earlier split, and keeps it."""

    below_bp: BasisPoints
    """Units whose traffic bucket is below this (and not below an earlier band's) belong to the band."""
    epoch: Annotated[int, Field(ge=1)]
    split: list[Weight]


class Rollout(Part):
    """A randomized share: traffic says how many units take part, the split what they get."""

    traffic_salt: Salt
    split_salt: Salt
    traffic_bp: BasisPoints
    epoch: Annotated[int, Field(ge=1)] = 1
    split: Annotated[list[Weight], Field(min_length=1)]
    bands: list[Band] = []
    reached_bp: BasisPoints = 0
    """The widest traffic so far: whoever was in it keeps the split of that time."""
    layer: LayerSlice | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Rollout:
        for split in (self.split, *(band.split for band in self.bands)):
            total = sum(part.weight_bp for part in split)
            if total != WHOLE:
                raise ValueError(f"the weights of a split add up to {total} basis points, not {WHOLE}")
        edges = [band.below_bp for band in self.bands]
        if edges != sorted(set(edges)):
            raise ValueError("bands stand in order of below_bp, each above the one before")
        if self.layer is not None and self.layer.from_bp >= self.layer.to_bp:
            raise ValueError("a layer's slice is empty: from_bp must be below to_bp")
        return self


class Rule(Part):
    """Whom it concerns, and what they get: one variant, or a randomized share."""

    id: Key
    when: Condition | None = None
    """A condition on the context; without it the rule holds for everyone."""
    variant: Key | None = None
    rollout: Rollout | None = None

    @model_validator(mode="after")
    def _serves_one_thing(self) -> Rule:
        if (self.variant is None) == (self.rollout is None):
            raise ValueError("a rule has either a variant or a rollout")
        return self


class Prerequisite(Part):
    """Another flag that must serve one of these variants."""

    flag: Key
    variants: Annotated[list[Key], Field(min_length=1)]


class Environment(Part):
    """The flag's state in one environment."""

    enabled: bool = True
    killed: bool = False
    """Everyone gets the default variant, at once, until it is revived."""
    prerequisites: list[Prerequisite] = []
    holdouts: list[Key] = []
    rules: list[Rule] = []


def _listed(value: object) -> object:
    """Variants written as a mapping of names to values are a list in that order."""
    return [{"name": name, "value": each} for name, each in value.items()] if isinstance(value, dict) else value


class Flag(Part):
    """A flag: its variants, and its state in every environment."""

    type: FlagType = "boolean"
    description: str = ""
    owner: str = ""
    tags: list[str] = []
    variants: Annotated[list[Variant], Field(min_length=1), BeforeValidator(_listed)]
    default_variant: Key
    """Served when no rule applies, outside traffic, and when killed: the control."""
    unit_type: Key = "user"
    """What is randomized."""
    unit_attribute: str | None = None
    """Attribute of the context that holds the unit's id; without it the targeting key."""
    client: bool = True
    """Whether keys of browsers and apps may see it."""
    value_schema: dict[str, Any] | None = None
    """JSON Schema that every value of a json flag meets."""
    archived: bool = False
    environments: dict[Key, Environment] = {}

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Flag:
        names = [variant.name for variant in self.variants]
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise ValueError(f"variants: {', '.join(sorted(repeated))} stands twice")
        for variant in self.variants:
            if not fits(self.type, variant.value):
                raise ValueError(f"variants.{variant.name}: {variant.value!r} is not a value of type {self.type}")
        used = [("default_variant", self.default_variant)]
        for name, state in self.environments.items():
            ids = [rule.id for rule in state.rules]
            if len(set(ids)) != len(ids):
                raise ValueError(f"environments.{name}: two rules have the same id")
            for rule in state.rules:
                where = f"environments.{name}.rules.{rule.id}"
                used += [(where, rule.variant)] if rule.variant else []
                if rule.rollout:
                    splits = (rule.rollout.split, *(band.split for band in rule.rollout.bands))
                    used += [(where, part.variant) for split in splits for part in split]
        for where, variant_name in used:
            if variant_name not in names:
                raise ValueError(f"{where}: {variant_name!r} is none of the variants {', '.join(names)}")
        return self


class Counted(Part):
    """How many an audience was when it was found."""

    units: Annotated[int, Field(ge=0)]
    of: Annotated[int, Field(ge=0)]
    """Units that were looked at."""
    begin: str
    """Date, UTC."""
    end: str
    """Date, UTC, not in it."""
    source: str
    """The artifact that counted: feature/step and its hash."""


class Audience(Part):
    """A named condition that many flags share."""

    description: str = ""
    owner: str = ""
    when: Condition
    counted: Counted | None = None
    """Where a segment of a history was saved: its size there."""


class Layer(Part):
    """A space of units that rollouts share without overlapping."""

    description: str = ""
    salt: Salt


class Holdout(Part):
    """Units that get the default of every flag that names it, for measuring the sum of all launches."""

    description: str = ""
    salt: Salt
    share_bp: BasisPoints


KINDS: dict[str, type[Part]] = {"flag": Flag, "audience": Audience, "layer": Layer, "holdout": Holdout}


def check(kind: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body in its canonical form, defaults left out.

    Raises:
        DefinitionError: what is wrong, under which key, and the rule.
    """
    if not re.fullmatch(KEY, key):
        raise DefinitionError(
            f"{key!r} cannot be the key of a {kind}",
            where=f"{kind} {key!r}",
            rule="letters, digits, dot, dash and underscore, at most 100, beginning with a letter or digit",
        )
    try:
        return KINDS[kind].model_validate(dict(body)).model_dump(mode="json", exclude_defaults=True)
    except ValidationError as error:
        raise DefinitionError(
            "; ".join(_sentence(each["loc"], each["msg"]) for each in error.errors()[:5]),
            where=f"{kind} {key}",
            rule="the document's schema: spec/" + kind + ".schema.json",
        ) from error


def fits(flag_type: str, value: object) -> bool:
    """Whether a value is of a flag's type; a whole number is a float, a boolean is no number."""
    if flag_type == "json":
        return isinstance(value, dict | list)
    if isinstance(value, bool):
        return flag_type == "boolean"
    accepted = {"string": str, "integer": int, "float": (int, float), "boolean": bool}[flag_type]
    return isinstance(value, accepted)  # type: ignore[arg-type]


def _sentence(loc: tuple[int | str, ...], message: str) -> str:
    path = ".".join(str(part) for part in loc)
    text = message.removeprefix("Value error, ")
    return f"{path}: {text}" if path else text
