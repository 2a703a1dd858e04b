"""Flags as they are defined, read and checked; what is wrong with them is a `Problem`.

Their classes compare by identity and have no text of their own: each method that is not made saves import time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from paribus_sdk.condition import Condition

FORMAT = 1
BASIS_POINTS = 10_000
TYPES = ("boolean", "string", "integer", "float", "json")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the definitions that cannot be used.

    Attributes:
        flag: Key of the flag; None when the snapshot itself is at fault.
        where: The part of the flag (or of the snapshot).
        why: The reason, as a sentence.
        broken: Whether the flag answers with an error; False when only the named part is ignored.
    """

    flag: str | None
    where: str
    why: str
    broken: bool = True

    def __str__(self) -> str:
        return f"{self.flag}: {self.where}: {self.why}" if self.flag is not None else f"{self.where}: {self.why}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Variant:
    """A named value of a flag."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Share:
    """A variant's part of a split, in basis points."""

    variant: Variant
    weight_bp: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Layer:
    """The part of a layer's buckets that a rollout owns, half-open; flags of one layer exclude each other by it."""

    key: str
    salt: str
    from_bp: int
    to_bp: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Band:
    """Units whose traffic bucket is below `below_bp`, and not below an earlier band's: split as in their epoch."""

    below_bp: int
    epoch: int
    split: tuple[Share, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Rollout:
    """A share of units (`traffic_bp`), split between variants; each by a salt of its own.

    Who was in traffic when the split changed keeps the earlier one: `bands` stand in order, the split of now last.
    """

    traffic_salt: str
    traffic_bp: int
    split_salt: str
    bands: tuple[Band, ...]
    layer: Layer | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Rule:
    """Who (`when`; None: everyone) gets what: a variant or a rollout."""

    id: str | None
    when: Condition | None
    gives: Variant | Rollout


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Holdout:
    """A share of units that several flags leave on their defaults."""

    key: str
    salt: str
    share_bp: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Prerequisite:
    """Another flag, and the variants of it that this flag needs."""

    flag: str
    variants: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Flag:
    """A flag in order.

    Attributes:
        unit_attribute: The attribute that holds the unit; None: the targeting key is the unit.
        overrides: Variants of testers, by unit.
        sticky: Variants of units that must not move, by unit.
    """

    key: str
    type: str
    revision: int | None
    is_enabled: bool
    is_killed: bool
    is_client: bool
    unit_type: str
    unit_attribute: str | None
    variants: tuple[Variant, ...]
    default: Variant
    prerequisites: tuple[Prerequisite, ...]
    holdouts: tuple[Holdout, ...]
    overrides: dict[str, Variant]
    sticky: dict[str, Variant]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BrokenFlag:
    """A flag that cannot be evaluated, with what of it could be read.

    Attributes:
        type: None when it is not one of `TYPES`.
        default: None when type, variants or default are not in order.
        has_unit: Whether it can be told what its unit is.
    """

    key: str
    problem: Problem
    type: str | None = None
    revision: int | None = None
    is_client: bool = False
    unit_type: str | None = None
    unit_attribute: str | None = None
    has_unit: bool = False
    variants: tuple[Variant, ...] = ()
    default: Variant | None = None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Definitions:
    """A snapshot, read.

    Attributes:
        flags: All flags in the order of the snapshot, broken ones among them.
        problems: What is wrong, flag by flag.
        is_usable: False when the snapshot as a whole could not be read.
    """

    project: str | None
    environment: str | None
    revision: int | None
    flags: dict[str, Flag | BrokenFlag]
    problems: tuple[Problem, ...]
    is_usable: bool = True
