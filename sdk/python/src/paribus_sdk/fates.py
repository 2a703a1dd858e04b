"""All that can become of a unit at a flag, made once: the outcomes that decisions point to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from paribus_sdk.condition import comparisons
from paribus_sdk.decision import ErrorCode, Outcome, Reason
from paribus_sdk.definitions import BrokenFlag, Flag, Rollout, Rule, Variant


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RuleFates:
    """Outcomes of one rule.

    Attributes:
        gives: One outcome for a fixed variant, one for each share of each band's split in order.
        outside: The unit is not in the rollout.
        invalid_unit: There is no unit to bucket.
    """

    gives: tuple[Outcome, ...]
    outside: Outcome
    invalid_unit: Outcome


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fates:
    """Outcomes of one flag."""

    killed: Outcome
    disabled: Outcome
    prerequisite: Outcome
    holdout: Outcome
    default: Outcome
    overrides: dict[str, Outcome]
    sticky: dict[str, Outcome]
    rules: tuple[RuleFates, ...]


def fates(flag: Flag) -> Fates:
    """The outcomes of a flag that is in order."""
    rules: list[RuleFates] = []
    names: tuple[str, ...] = ()
    for rule in flag.rules:
        names = tuple(dict.fromkeys((*names, *_attributes(rule))))
        rules.append(_rule_fates(flag, rule, names))
    return Fates(
        killed=_outcome(flag, flag.default, Reason.KILLED),
        disabled=_outcome(flag, flag.default, Reason.DISABLED),
        prerequisite=_outcome(flag, flag.default, Reason.PREREQUISITE),
        holdout=_outcome(flag, flag.default, Reason.HOLDOUT),
        default=_outcome(flag, flag.default, Reason.DEFAULT, attribute_names=names),
        overrides=_assigned(flag, flag.overrides, Reason.OVERRIDE),
        sticky=_assigned(flag, flag.sticky, Reason.STICKY),
        rules=tuple(rules),
    )


def broken_outcome(flag: BrokenFlag, default: Any = None) -> Outcome:
    """What a broken flag answers: its own default where that is usable, else the caller's."""
    variant = flag.default
    name = variant.name if variant else None
    return Outcome(
        flag=flag.key,
        value=variant.value if variant else default,
        variant=name,
        reason=Reason.ERROR,
        assigned=name,
        served=name,
        error_code=ErrorCode.PARSE_ERROR,
        error_message=str(flag.problem),
        revision=flag.revision,
        unit_type=flag.unit_type,
    )


def forced_outcome(flag: Flag | BrokenFlag, name: str) -> Outcome | None:
    """The outcome of an override to the variant; None when the flag has no such variant."""
    variant = next((variant for variant in flag.variants if variant.name == name), None)
    return None if variant is None else _outcome(flag, variant, Reason.OVERRIDE)


def _outcome(flag: Flag | BrokenFlag, variant: Variant, reason: str, **fields: Any) -> Outcome:
    return Outcome(
        flag=flag.key,
        value=variant.value,
        variant=variant.name,
        reason=reason,
        assigned=fields.pop("assigned", variant.name),
        served=variant.name,
        revision=flag.revision,
        unit_type=flag.unit_type,
        **fields,
    )


def _assigned(flag: Flag, units: dict[str, Variant], reason: str) -> dict[str, Outcome]:
    outcomes = {variant.name: _outcome(flag, variant, reason) for variant in flag.variants} if units else {}
    return {unit: outcomes[variant.name] for unit, variant in units.items()}


def _rule_fates(flag: Flag, rule: Rule, names: tuple[str, ...]) -> RuleFates:
    shared = {"rule": rule.id, "attribute_names": names}
    if isinstance(rule.gives, Rollout):
        gives = tuple(_split(flag, rule.gives, shared))
    else:
        gives = (_outcome(flag, rule.gives, Reason.TARGETING_MATCH, **shared),)
    return RuleFates(
        gives=gives,
        outside=_outcome(flag, flag.default, Reason.DEFAULT, **shared),
        invalid_unit=_outcome(flag, flag.default, Reason.INVALID_UNIT, **shared),
    )


def _split(flag: Flag, rollout: Rollout, shared: dict[str, Any]) -> Iterable[Outcome]:
    for band in rollout.bands:
        for share in band.split:
            facts = {**shared, "epoch": band.epoch, "traffic_bp": rollout.traffic_bp, "split_bp": share.weight_bp}
            breaker = _outcome(flag, flag.default, Reason.BREAKER, assigned=share.variant.name, **facts)
            yield _outcome(flag, share.variant, Reason.SPLIT, breaker=breaker, **facts)


def _attributes(rule: Rule) -> list[str]:
    return [] if rule.when is None else [comparison.attribute for comparison in comparisons(rule.when)]
