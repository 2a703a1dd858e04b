"""Decides a flag step by step: slower than the compiled function, takes values of any type, and can tell each step.

The same decision as `paribus_sdk.compile` makes; tests hold the two to each other and to the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from paribus_sdk.bucketing import bucket, unit_text
from paribus_sdk.compile import Decide, as_mapping, with_targeting_key
from paribus_sdk.condition import truth
from paribus_sdk.decision import Decision, Outcome
from paribus_sdk.definitions import BASIS_POINTS, BrokenFlag, Flag, Rollout
from paribus_sdk.fates import Fates, RuleFates, broken_outcome

Tell: TypeAlias = Callable[..., None]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Walk:
    """What deciding step by step needs.

    Attributes:
        flags: All flags.
        outcomes: The outcomes of a flag, by key.
        tell: Called with each step: its name, and what explains it.
    """

    flags: Mapping[str, Flag | BrokenFlag]
    outcomes: Callable[[str], Fates]
    tell: Tell

    def decide(self, key: str, given: object, context: object, default: Any = None) -> Decision:
        """The decision of the flag `key`, which must exist."""
        flag = self.flags[key]
        attributes = as_mapping(context)
        unit = unit_of(flag, given, attributes)
        if isinstance(flag, BrokenFlag):
            self.tell("broken", flag=flag)
            return Decision(broken_outcome(flag, default), unit, attributes)
        outcome = self._outcome(flag, given, unit, attributes)
        return Decision(outcome, unit, with_targeting_key(attributes, given))

    def decider(self, key: str) -> Decide:
        """`decide` for one flag."""
        return lambda given, context: self.decide(key, given, context)

    def _outcome(self, flag: Flag, given: object, unit: str | None, context: Mapping[str, Any]) -> Outcome:
        outcomes = self.outcomes(flag.key)
        self.tell("unit", flag=flag, unit=unit)
        if flag.is_killed:
            self.tell("killed")
            return outcomes.killed
        if not flag.is_enabled:
            self.tell("disabled")
            return outcomes.disabled
        if unit in outcomes.overrides:
            self.tell("override", unit=unit)
            return outcomes.overrides[unit]
        for prerequisite in flag.prerequisites:
            variant = self.decide_quietly(prerequisite.flag, given, context).variant
            is_met = variant in prerequisite.variants
            self.tell("prerequisite", prerequisite=prerequisite, variant=variant, is_met=is_met)
            if not is_met:
                return outcomes.prerequisite
        if unit in outcomes.sticky:
            self.tell("sticky", unit=unit)
            return outcomes.sticky[unit]
        for holdout in flag.holdouts:
            if unit is None:
                self.tell("no_holdout", holdout=holdout)
                continue
            place = bucket(holdout.salt, unit)
            self.tell("holdout", holdout=holdout, bucket=place)
            if place < holdout.share_bp:
                return outcomes.holdout
        read = with_targeting_key(context, given).get
        for rule, rule_outcomes in zip(flag.rules, outcomes.rules, strict=True):
            answer = True if rule.when is None else truth(rule.when, read)
            self.tell("rule", rule=rule, answer=answer, read=read)
            if answer is not True:
                continue
            if not isinstance(rule.gives, Rollout):
                return rule_outcomes.gives[0]
            return self._roll(rule.gives, rule_outcomes, unit)
        self.tell("default")
        return outcomes.default

    def decide_quietly(self, key: str, given: object, context: Mapping[str, Any]) -> Decision:
        return Walk(self.flags, self.outcomes, silence).decide(key, given, context)

    def _roll(self, rollout: Rollout, outcomes: RuleFates, unit: str | None) -> Outcome:
        if unit is None:
            self.tell("invalid_unit")
            return outcomes.invalid_unit
        if rollout.layer is not None:
            place = bucket(rollout.layer.salt, unit)
            self.tell("layer", layer=rollout.layer, bucket=place)
            if not rollout.layer.from_bp <= place < rollout.layer.to_bp:
                return outcomes.outside
        traffic = bucket(rollout.traffic_salt, unit)
        self.tell("traffic", rollout=rollout, bucket=traffic)
        if traffic >= rollout.traffic_bp:
            return outcomes.outside
        place, remaining = bucket(rollout.split_salt, unit), iter(outcomes.gives)
        for band in rollout.bands:
            end_bp = 0
            for share, outcome in zip(band.split, remaining, strict=False):
                end_bp += share.weight_bp
                if traffic < band.below_bp and place < end_bp:
                    if band is not rollout.bands[-1]:
                        self.tell("band", band=band)
                    self.tell("split", share=share, bucket=place, end_bp=end_bp)
                    return outcome
        raise AssertionError(f"a split ends at {BASIS_POINTS}")


def unit_of(flag: Flag | BrokenFlag, given: object, context: Mapping[str, Any]) -> str | None:
    """The unit that the flag decides for, as text; None when there is no usable one."""
    if isinstance(flag, BrokenFlag) and not flag.has_unit:
        return None
    if flag.unit_attribute is None:
        return unit_text(given)
    return unit_text(with_targeting_key(context, given).get(flag.unit_attribute))


def silence(step: str, **facts: Any) -> None:
    """Tells nothing."""
