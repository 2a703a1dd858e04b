"""Turns a flag into a Python function that decides it.

The source that is generated holds structure only, written by this module; every key, value, salt and threshold of the
definition is bound to a name (`k0`, `k1`, …), so nothing of a definition is ever read as code. Flags of the same shape
share one code object.

The function may raise on values of strange types; the caller then decides by `paribus_sdk.walk`, which is slow and
takes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, TypeAlias

import mmh3

from paribus_sdk.bucketing import threshold, unit_text, well_formed
from paribus_sdk.condition import Condition, comparisons
from paribus_sdk.condition_source import CONDITION_NAMES, is_true
from paribus_sdk.decision import TARGETING_KEY, Decision, Outcome
from paribus_sdk.definitions import BASIS_POINTS, Band, Flag, Rollout
from paribus_sdk.fates import Fates, RuleFates

Decide: TypeAlias = Callable[[object, Any], Decision]
DecideOne: TypeAlias = Callable[[str, bytes, Mapping[str, Any]], Decision]
"""One of many flags for the same unit: the unit as text that is not empty, as UTF-8, and the context as a mapping."""

MAXIMUM_COMPARISONS = 1_000


def compile_flag(flag: Flag, outcomes: Fates, deciders: Mapping[str, Decide]) -> Decide | None:
    """The function that decides `flag`; None when the flag is too large to be worth compiling.

    Args:
        flag: The flag.
        outcomes: Its outcomes.
        deciders: Where the functions of its prerequisites are found when they are called.
    """
    return None if _is_too_large(flag) else _Writer(flag, outcomes, deciders).function()


def compile_one_of_many(flag: Flag, outcomes: Fates, deciders: Mapping[str, Decide]) -> DecideOne | None:
    """As `compile_flag`, for a unit and a context that were looked at once for many flags."""
    return None if _is_too_large(flag) else _Writer(flag, outcomes, deciders, is_one_of_many=True).function()


def _is_too_large(flag: Flag) -> bool:
    found = sum(1 for rule in flag.rules if rule.when is not None for _ in comparisons(rule.when))
    return found > MAXIMUM_COMPARISONS


@lru_cache(maxsize=2048)
def _code(source: str) -> CodeType:
    module = compile(source, "<flag>", "exec")
    return next(constant for constant in module.co_consts if isinstance(constant, CodeType))


def as_mapping(context: object) -> Mapping[str, Any]:
    """The context, or an empty one when it is no mapping."""
    return context if isinstance(context, Mapping) else {}


class _Writer:
    def __init__(
        self, flag: Flag, outcomes: Fates, deciders: Mapping[str, Decide], *, is_one_of_many: bool = False
    ) -> None:
        self.flag = flag
        self.outcomes = outcomes
        self._is_unit_known = is_one_of_many and flag.unit_attribute is None
        self._given = "unit" if self._is_unit_known else "given"
        signature = f"{self._given}, data, context" if is_one_of_many else "given, context"
        self.lines: list[str] = [f"def decide({signature}):"]
        self.names: dict[str, Any] = {
            "__builtins__": {"type": type, "isinstance": isinstance, "str": str, "bool": bool, "dict": dict},
            "new": object.__new__,
            "Decision": Decision,
            "hash_of": mmh3.mmh3_32_uintdigest,
            "unit_text": unit_text,
            "as_mapping": as_mapping,
            "deciders": deciders,
            **CONDITION_NAMES,
        }
        self._bound = 0
        self._attributes: dict[str, str] = {}
        self._reads_context = is_one_of_many

    def function(self) -> FunctionType:
        self.write()
        return FunctionType(_code("\n".join(self.lines)), self.names, "decide")

    def bind(self, value: Any) -> str:
        name = f"k{self._bound}"
        self._bound += 1
        self.names[name] = value
        return name

    def line(self, text: str, level: int = 1) -> None:
        self.lines.append("    " * level + text)

    def write(self) -> None:
        flag, outcomes = self.flag, self.outcomes
        self._write_unit()
        if flag.is_killed or not flag.is_enabled:
            self.give(outcomes.killed if flag.is_killed else outcomes.disabled)
            return
        self._write_assigned(outcomes.overrides)
        for prerequisite in flag.prerequisites:
            key, variants = self.bind(prerequisite.flag), self.bind(prerequisite.variants)
            self.line(f"if deciders[{key}]({self._given}, context)._outcome.variant not in {variants}:")
            self.give(outcomes.prerequisite, 2)
        self._write_assigned(outcomes.sticky)
        held = [holdout for holdout in flag.holdouts if holdout.share_bp > 0]
        if held:
            level = 1
            if not self._is_unit_known:
                self.line("if unit is not None:")
                self.line("data = unit.encode()", 2)
                level = 2
            for holdout in held:
                bound = self.bind(threshold(holdout.share_bp))
                self.line(f"if {self._hash(holdout.salt)} < {bound}:", level)
                self.give(outcomes.holdout, level + 1)
        if any(
            comparison.attribute == TARGETING_KEY
            for rule in flag.rules
            if rule.when is not None
            for comparison in comparisons(rule.when)
        ):
            self._read_context()
            self.line(f"context = with_targeting_key(context, {'unit' if flag.unit_attribute is None else 'given'})")
            self.names["with_targeting_key"] = with_targeting_key
        for rule, rule_outcomes in zip(flag.rules, outcomes.rules, strict=True):
            level = 1
            if rule.when is not None:
                self._read_attributes(rule.when)
                self.line(f"if {is_true(rule.when, self._attributes, self.bind)}:")
                level = 2
            if isinstance(rule.gives, Rollout):
                self._write_rollout(rule.gives, rule_outcomes, level)
            else:
                self.give(rule_outcomes.gives[0], level)
            if rule.when is None:
                return
        self.give(outcomes.default)

    def give(self, outcome: Outcome, level: int = 1) -> None:
        self._give(self.bind(outcome), level, bool(outcome.attribute_names))

    def _give(self, name: str, level: int, has_attributes: bool = False) -> None:
        self.line("decision = new(Decision)", level)
        self.line(f"decision._outcome = {name}", level)
        self.line("decision.unit = unit", level)
        if has_attributes:
            self.line("decision._context = context", level)
        self.line("return decision", level)

    def _write_unit(self) -> None:
        if self._is_unit_known:
            return
        source = "given"
        if self.flag.unit_attribute is not None:
            source = "unit"
            self._read_context()
            if self.flag.unit_attribute == TARGETING_KEY:
                self.line("unit = given")
            else:
                self.line(f"unit = context.get({self.bind(self.flag.unit_attribute)})")
        self.line(f"unit = {source} if type({source}) is str and {source} else unit_text({source})")

    def _write_assigned(self, units: dict[str, Outcome]) -> None:
        if units:
            self.line(f"outcome = {self.bind(units)}.get(unit)")
            self.line("if outcome is not None:")
            self._give("outcome", 2)

    def _write_rollout(self, rollout: Rollout, outcomes: RuleFates, level: int) -> None:
        *earlier, now = rollout.bands
        if not self._is_unit_known:
            self.line("if unit is None:", level)
            self.give(outcomes.invalid_unit, level + 1)
            is_whole = rollout.traffic_bp == BASIS_POINTS and not earlier
            if rollout.layer is not None or not is_whole or len(now.split) > 1:
                self.line("data = unit.encode()", level)
        layer = rollout.layer
        if layer is not None:
            start, end = self.bind(threshold(layer.from_bp)), self.bind(threshold(layer.to_bp))
            self.line(f"if not {start} <= {self._hash(layer.salt)} < {end}:", level)
            self.give(outcomes.outside, level + 1)
        if rollout.traffic_bp == 0:
            self.give(outcomes.outside, level)
            return
        if earlier:
            self.line(f"traffic = {self._hash(rollout.traffic_salt)}", level)
        if rollout.traffic_bp < BASIS_POINTS:
            traffic = "traffic" if earlier else self._hash(rollout.traffic_salt)
            self.line(f"if {traffic} >= {self.bind(threshold(rollout.traffic_bp))}:", level)
            self.give(outcomes.outside, level + 1)
        if any(len(band.split) > 1 for band in rollout.bands):
            self.line(f"place = {self._hash(rollout.split_salt)}", level)
        remaining = iter(outcomes.gives)
        for band in earlier:
            self.line(f"if traffic < {self.bind(threshold(band.below_bp))}:", level)
            self._write_split(band, remaining, level + 1)
        self._write_split(now, remaining, level)

    def _write_split(self, band: Band, outcomes: Iterator[Outcome], level: int) -> None:
        given = [(share.weight_bp, next(outcomes)) for share in band.split]
        shares = [(weight_bp, outcome) for weight_bp, outcome in given if weight_bp]
        end_bp = 0
        for weight_bp, outcome in shares[:-1]:
            end_bp += weight_bp
            self.line(f"if place < {self.bind(threshold(end_bp))}:", level)
            self.give(outcome, level + 1)
        self.give(shares[-1][1], level)

    def _hash(self, salt: str) -> str:
        return f"hash_of({self.bind(well_formed(f'{salt}:').encode())} + data)"

    def _read_context(self) -> None:
        if not self._reads_context:
            self._reads_context = True
            self.line("if type(context) is not dict:")
            self.line("context = as_mapping(context)", 2)

    def _read_attributes(self, condition: Condition) -> None:
        for comparison in comparisons(condition):
            if comparison.attribute not in self._attributes:
                self._read_context()
                if not self._attributes:
                    self.line("read = context.get")
                name = self._attributes[comparison.attribute] = f"a{len(self._attributes)}"
                self.line(f"{name} = read({self.bind(comparison.attribute)})")


def with_targeting_key(context: Mapping[str, Any], given: object) -> Mapping[str, Any]:
    """The context in which `targetingKey` is the unit given, whatever it held under that name."""
    return {**context, TARGETING_KEY: unit_text(given)}
