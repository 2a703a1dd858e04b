"""What a flag decided for a unit, and why.

A decision is made in about a hundred nanoseconds: everything that is the same for each unit with the same fate is an
`Outcome`, made once when the flag is compiled; a `Decision` joins it with the unit and the context it was made for.
That is why it is written by hand, and is not one of the frozen dataclasses used elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

TARGETING_KEY = "targetingKey"


class Reason:
    """Why a flag decided as it did; only `SPLIT` is randomized."""

    SPLIT = "SPLIT"
    TARGETING_MATCH = "TARGETING_MATCH"
    DEFAULT = "DEFAULT"
    OVERRIDE = "OVERRIDE"
    STICKY = "STICKY"
    PREREQUISITE = "PREREQUISITE"
    HOLDOUT = "HOLDOUT"
    INVALID_UNIT = "INVALID_UNIT"
    DISABLED = "DISABLED"
    KILLED = "KILLED"
    BREAKER = "BREAKER"
    ERROR = "ERROR"


class ErrorCode:
    """What went wrong when the reason is `ERROR`."""

    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    PARSE_ERROR = "PARSE_ERROR"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    GENERAL = "GENERAL"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Outcome:
    """The part of a decision that all units with the same fate share."""

    flag: str
    value: Any
    variant: str | None
    reason: str
    assigned: str | None = None
    served: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    revision: int | None = None
    epoch: int | None = None
    traffic_bp: int | None = None
    split_bp: int | None = None
    rule: str | None = None
    unit_type: str | None = None
    attribute_names: tuple[str, ...] = ()
    breaker: Outcome | None = None


class Decision:
    """The variant and value that a flag gives to a unit, with the reason.

    Attributes:
        flag: Key of the flag.
        value: What the caller gets.
        variant: Name of the variant that `value` belongs to; None when `value` is the caller's default.
        assigned: The variant that analysis counts the unit under.
        served: The variant that the unit saw; differs from `assigned` only when a breaker is open.
        reason: One of `Reason`.
        error_code: One of `ErrorCode`, or None.
        error_message: A sentence for a person, or None.
        revision: Revision of the flag's definition.
        epoch: Epoch of the split; None unless the reason is SPLIT (or BREAKER).
        traffic_bp: Share of units in the rollout, in basis points; None as `epoch`.
        split_bp: Share of the assigned variant in the split, in basis points; None as `epoch`.
        probability: `split_bp` as a probability; None as `epoch`.
        rule: Id of the rule that decided, or None.
        unit: The unit that was bucketed, as text; None when there is no usable one.
        unit_type: Kind of the unit, such as "user".
        attributes: The context's attributes that the rules up to the deciding one name, present ones only. Read from
            the caller's context when asked for: a context changed afterwards shows its new values.
    """

    __slots__ = ("_context", "_outcome", "unit")

    _context: Mapping[str, Any]
    _outcome: Outcome
    unit: str | None

    def __init__(self, outcome: Outcome, unit: str | None, context: Mapping[str, Any]) -> None:
        self._outcome = outcome
        self.unit = unit
        self._context = context

    @property
    def flag(self) -> str:
        return self._outcome.flag

    @property
    def value(self) -> Any:
        return self._outcome.value

    @property
    def variant(self) -> str | None:
        return self._outcome.variant

    @property
    def assigned(self) -> str | None:
        return self._outcome.assigned

    @property
    def served(self) -> str | None:
        return self._outcome.served

    @property
    def reason(self) -> str:
        return self._outcome.reason

    @property
    def error_code(self) -> str | None:
        return self._outcome.error_code

    @property
    def error_message(self) -> str | None:
        return self._outcome.error_message

    @property
    def revision(self) -> int | None:
        return self._outcome.revision

    @property
    def epoch(self) -> int | None:
        return self._outcome.epoch

    @property
    def traffic_bp(self) -> int | None:
        return self._outcome.traffic_bp

    @property
    def split_bp(self) -> int | None:
        return self._outcome.split_bp

    @property
    def probability(self) -> float | None:
        split_bp = self._outcome.split_bp
        return None if split_bp is None else split_bp / 10_000

    @property
    def rule(self) -> str | None:
        return self._outcome.rule

    @property
    def unit_type(self) -> str | None:
        return self._outcome.unit_type

    @property
    def outcome(self) -> Outcome:
        """The shared part: the same object for each unit with the same fate, so `is` compares fates cheaply."""
        return self._outcome

    @property
    def context(self) -> Mapping[str, Any]:
        """The context that `attributes` are read from; empty when the rules name none."""
        return self._context if self._outcome.attribute_names else {}

    @property
    def attributes(self) -> dict[str, Any]:
        names = self._outcome.attribute_names
        if not names:
            return {}
        context = self._context
        return {name: context[name] for name in names if context.get(name) is not None}

    def tripped(self) -> Decision:
        """The same assignment, served as the default variant because a breaker is open; reason BREAKER.

        Only a SPLIT decision has one; any other is returned unchanged.
        """
        breaker = self._outcome.breaker
        if breaker is None:
            return self
        return Decision(breaker, self.unit, self.context)

    def with_value(self, value: Any) -> Decision:
        """The same decision with its value in another form: 7 as 7.0."""
        return Decision(replace(self._outcome, value=value), self.unit, self.context)

    def to_dict(self) -> dict[str, Any]:
        """All fields by name, ready for JSON when value and attributes are."""
        return {name: getattr(self, name) for name in FIELDS}

    def __repr__(self) -> str:
        return (
            f"Decision({self.flag!r}, unit={self.unit!r}, variant={self.variant!r}, value={self.value!r}, "
            f"reason={self.reason})"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decision) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]


FIELDS = (
    "flag",
    "value",
    "variant",
    "assigned",
    "served",
    "reason",
    "error_code",
    "error_message",
    "revision",
    "epoch",
    "traffic_bp",
    "split_bp",
    "probability",
    "rule",
    "unit",
    "unit_type",
    "attributes",
)
