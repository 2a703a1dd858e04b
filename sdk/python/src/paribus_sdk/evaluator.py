"""Decides flags for units from a snapshot of the definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from paribus_sdk.decision import Decision

if TYPE_CHECKING:
    from paribus_sdk.definitions import Problem
    from paribus_sdk.explain import Explanation


class Evaluator:
    """Decisions from one snapshot of the definitions; immutable, safe to share between threads.

    Args:
        snapshot: Definitions in format 1 (`spec/definitions.schema.json`).
        previous: The evaluator in use until now: flags whose definition did not change are taken over from it.
    """

    def __init__(self, snapshot: Mapping[str, Any], previous: Evaluator | None = None) -> None:
        raise NotImplementedError

    @property
    def usable(self) -> bool:
        """Whether the snapshot could be read at all; a client keeps its last good one when not."""
        raise NotImplementedError

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is broken in the definitions, each with flag, where and why."""
        raise NotImplementedError

    @property
    def flags(self) -> tuple[str, ...]:
        """Keys of the flags, in the order of the snapshot."""
        raise NotImplementedError

    def evaluate(
        self,
        flag: str,
        unit: object,
        context: Mapping[str, Any] | None = None,
        *,
        kind: str | None = None,
        default: Any = None,
    ) -> Decision:
        """What `flag` decides for `unit`; never raises.

        Args:
            flag: Key of the flag.
            unit: The targeting key: text, or an integer.
            context: Attributes that the rules read.
            kind: The type asked for (boolean, string, integer, float, json); None takes any.
            default: The value when the flag is unknown, broken without a usable default, or of another type.
        """
        raise NotImplementedError

    def evaluate_all(
        self, unit: object, context: Mapping[str, Any] | None = None, client_only: bool = False
    ) -> list[Decision]:
        """Decisions of all flags for `unit`, in the order of the snapshot; with `client_only`, those for browsers."""
        raise NotImplementedError

    def force(self, flag: str, unit: object, variant: str) -> Decision | None:
        """The decision that an override of `flag` to `variant` gives; None when there is no such flag or variant."""
        raise NotImplementedError

    def explain(self, flag: str, unit: object, context: Mapping[str, Any] | None = None) -> Explanation:
        """Each step of the decision, in sentences."""
        raise NotImplementedError
