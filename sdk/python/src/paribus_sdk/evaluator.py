"""Decides flags for units from a snapshot of the definitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from paribus_sdk.bucketing import unit_text
from paribus_sdk.compile import Decide, DecideOne, as_mapping, compile_flag, compile_one_of_many
from paribus_sdk.decision import Decision, ErrorCode, Outcome, Reason
from paribus_sdk.definitions import BrokenFlag, Definitions, Flag, Problem
from paribus_sdk.fates import Fates, fates, forced_outcome
from paribus_sdk.reading import read_snapshot
from paribus_sdk.walk import Walk, silence, unit_of

if TYPE_CHECKING:
    from paribus_sdk.explain import Explanation


class Evaluator:
    """Decisions from one snapshot of the definitions; never changes, and threads may share it.

    A flag is compiled when it is first decided. Values of flags are handed out as they stand in the snapshot: whoever
    changes a JSON value changes it for all.

    Args:
        snapshot: Definitions in format 1 (`spec/definitions.schema.json`). A snapshot that cannot be read makes an
            evaluator without flags whose `usable` is False; nothing is raised.
    """

    __slots__ = ("_client_keys", "_deciders", "_definitions", "_fates", "_many", "_types")

    def __init__(self, snapshot: Mapping[str, Any]) -> None:
        try:
            definitions = read_snapshot(snapshot)
        except Exception as error:  # noqa: BLE001  hostile definitions must not stop a service
            problem = Problem(None, "snapshot", f"the snapshot cannot be read: {error!r}")
            definitions = Definitions(None, None, None, {}, (problem,), is_usable=False)
        self._definitions = definitions
        self._fates: dict[str, Fates] = {}
        self._many: dict[bool, tuple[DecideOne, ...]] = {}
        self._types = {key: flag.type for key, flag in definitions.flags.items()}
        self._client_keys = tuple(key for key, flag in definitions.flags.items() if flag.is_client)
        # A broken flag without a usable default gives the caller's: `_decide_carefully` knows that one.
        self._deciders: dict[str, Decide] = {
            key: self._compiling(key)
            for key, flag in definitions.flags.items()
            if isinstance(flag, Flag) or flag.default is not None
        }

    @property
    def usable(self) -> bool:
        """Whether the snapshot could be read at all; a client keeps its last good one when not."""
        return self._definitions.is_usable

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong in the definitions: flag, where and why; those with `broken` make the flag answer ERROR."""
        return self._definitions.problems

    @property
    def flags(self) -> tuple[str, ...]:
        """Keys of the flags, in the order of the snapshot."""
        return tuple(self._definitions.flags)

    @property
    def revision(self) -> int | None:
        """Revision of the snapshot."""
        return self._definitions.revision

    @property
    def project(self) -> str | None:
        """Project that the snapshot belongs to."""
        return self._definitions.project

    @property
    def environment(self) -> str | None:
        """Environment that the snapshot belongs to."""
        return self._definitions.environment

    def flag_type(self, flag: str) -> str | None:
        """Type of the flag (boolean, string, integer, float, json); None when it is unknown."""
        return self._types.get(flag)

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
        try:
            if kind is None or kind == self._types[flag]:
                return self._deciders[flag](unit, context)
        except Exception:  # noqa: BLE001, S110  whatever the caller passed is decided carefully
            pass
        return self._decide_carefully(flag, unit, context, kind, default)

    def evaluate_all(
        self, unit: object, context: Mapping[str, Any] | None = None, client_only: bool = False
    ) -> list[Decision]:
        """Decisions of all flags for `unit`, in the order of the snapshot; with `client_only`, those for browsers.

        Broken flags are among them, with the reason ERROR.
        """
        if type(unit) is str and unit:
            try:
                data, attributes = unit.encode(), as_mapping(context)
                return [decide(unit, data, attributes) for decide in self._for_many(client_only)]
            except Exception:  # noqa: BLE001, S110  whatever the caller passed is decided flag by flag
                pass
        return [self.evaluate(key, unit, context) for key in (self._client_keys if client_only else self._types)]

    def force(self, flag: str, unit: object, variant: str) -> Decision | None:
        """The decision that an override of `flag` to `variant` gives; None when there is no such flag or variant."""
        definition = self._definitions.flags.get(flag)
        outcome = None if definition is None else forced_outcome(definition, variant)
        return None if outcome is None else Decision(outcome, unit_text(unit), {})

    def explain(self, flag: str, unit: object, context: Mapping[str, Any] | None = None) -> Explanation:
        """Each step of the decision, in sentences; never raises."""
        from paribus_sdk.explain import Explanation, Step, explain

        try:
            if flag in self._definitions.flags:
                return explain(self._definitions.flags, self._fates_of, flag, unit, context)
            sentence = f"There is no flag {flag!r}."
        except Exception as error:  # noqa: BLE001  an explanation must not stop a service either
            sentence = f"The steps cannot be told: {error!r}."
        return Explanation(self.evaluate(flag, unit, context), (Step("error", sentence),))

    def _compiling(self, key: str) -> Decide:
        def decide(given: object, context: Any) -> Decision:
            definition = self._definitions.flags[key]
            compiled = None
            if isinstance(definition, Flag):
                compiled = compile_flag(definition, self._fates_of(key), self._deciders)
            self._deciders[key] = compiled or Walk(self._definitions.flags, self._fates_of, silence).decider(key)
            return self._deciders[key](given, context)

        return decide

    def _for_many(self, client_only: bool) -> tuple[DecideOne, ...]:
        """What decides each flag, in the order of the snapshot; made when it is first asked for."""
        known = self._many.get(client_only)
        if known is None:
            keys = self._client_keys if client_only else tuple(self._types)
            known = self._many[client_only] = tuple(map(self._one_of_many, keys))
        return known

    def _one_of_many(self, key: str) -> DecideOne:
        definition = self._definitions.flags[key]
        if isinstance(definition, Flag):
            compiled = compile_one_of_many(definition, self._fates_of(key), self._deciders)
            if compiled is not None:
                return compiled
        return lambda unit, _, attributes: self.evaluate(key, unit, attributes)

    def _fates_of(self, key: str) -> Fates:
        known = self._fates.get(key)
        if known is None:
            definition = self._definitions.flags[key]
            assert isinstance(definition, Flag)  # noqa: S101  broken flags have one outcome, and are not asked
            known = self._fates[key] = fates(definition)
        return known

    def _decide_carefully(self, flag: Any, unit: object, context: Any, kind: str | None, default: Any) -> Decision:
        text: str | None = None
        try:
            text = unit_text(unit)
            definition = self._definitions.flags.get(flag)
            if definition is None:
                return _failed(flag, default, ErrorCode.FLAG_NOT_FOUND, f"there is no flag {flag!r}", text)
            text = unit_of(definition, unit, as_mapping(context))
            is_widened = kind == "float" and definition.type == "integer"
            if kind is not None and definition.type not in {None, kind} and not is_widened:
                message = f"the flag is of type {definition.type}, asked for was {kind}"
                return _failed(flag, default, ErrorCode.TYPE_MISMATCH, message, text, definition)
            if is_widened:
                decision = self.evaluate(flag, unit, context, default=default)
                return decision if decision.variant is None else decision.with_value(float(decision.value))
            return Walk(self._definitions.flags, self._fates_of, silence).decide(flag, unit, context, default)
        except Exception as error:  # noqa: BLE001  a strange context must not stop a service
            return _failed(flag, default, ErrorCode.GENERAL, f"the flag cannot be decided: {error!r}", text)


def _failed(
    flag: Any,
    default: Any,
    code: str,
    message: str,
    unit: str | None,
    definition: Flag | BrokenFlag | None = None,
) -> Decision:
    outcome = Outcome(
        flag=flag,
        value=default,
        variant=None,
        reason=Reason.ERROR,
        error_code=code,
        error_message=message,
        revision=definition.revision if definition else None,
        unit_type=definition.unit_type if definition else None,
    )
    return Decision(outcome, unit, {})
