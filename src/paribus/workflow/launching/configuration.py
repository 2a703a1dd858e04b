"""Is the flag configured as the plan was sealed? Every difference is named, and refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paribus.flags.change import rollout_of
from paribus.flags.document import WHOLE, Flag

Json = dict[str, Any]
TOLERANCE_BP = 1  # a split such as 1/3 does not divide into basis points


def differences(key: str, flag: Mapping[str, Any], environment: str, document: Mapping[str, Any]) -> tuple[str, ...]:
    """Where the flag is not what the sealed experiment says; empty when it is."""
    read = Flag.model_validate(dict(flag))
    found = []
    if document.get("flag") not in {None, key}:
        found.append(f"the experiment reads the exposures of {document['flag']}, the flag is {key}")
    if document.get("environment") not in {None, environment}:
        found.append(f"the experiment reads {document['environment']}, the flag is set up in {environment}")
    unit_type = document.get("unit_type") or "user"
    if read.unit_type != unit_type:
        found.append(f"the flag draws {read.unit_type}s, the plan {unit_type}s")
    names = [variant.name for variant in read.variants]
    sealed = shares(document)
    if set(names) != set(sealed):
        found.append(f"the flag has the variants {', '.join(names)}, the plan {', '.join(sealed)}")
    control = document.get("control")
    if control and read.default_variant != control:
        found.append(f"the flag falls back to {read.default_variant}, the plan's control is {control}")
    if environment not in read.environments:
        return (*found, f"the flag has no environment {environment}")
    _, rollout = rollout_of(key, dict(flag), environment)
    split = {part.variant: part.weight_bp for part in rollout.split}
    for name, share in sealed.items():
        if abs(split.get(name, 0) - share * WHOLE) > TOLERANCE_BP:
            found.append(f"{name} gets {split.get(name, 0) / 100:g}% of traffic, the plan says {share:.2%}")
    return tuple(found)


def shares(document: Mapping[str, Any]) -> dict[str, float]:
    """Each arm's share of the split, as sealed; equal parts where no weights stand."""
    variants = document.get("variants") or {"control": 1, "treatment": 1}
    if not isinstance(variants, Mapping):
        variants = dict.fromkeys(variants, 1)
    weights = {
        name: float((each or {}).get("weight") or 1) if isinstance(each, Mapping) or each is None else float(each)
        for name, each in variants.items()
    }
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def control_of(flag: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """The control: the plan's, else what the flag serves when it is killed."""
    return str(document.get("control") or flag["default_variant"])


def targeting(key: str, flag: Mapping[str, Any], environment: str) -> list[Json]:
    """Who takes part, rule by rule, in words and as the condition stands."""
    state = Flag.model_validate(dict(flag)).environments[environment]
    return [
        {
            "rule": rule.id,
            "who": "everyone" if rule.when is None else _words(rule.when),
            "gets": rule.variant or "the sealed split",
            "traffic_bp": None if rule.rollout is None else rule.rollout.traffic_bp,
        }
        for rule in state.rules
    ]


def reads_only(condition: Mapping[str, Any]) -> bool:
    """Whether it always holds: an attribute is there or not. It is asked so that exposures carry the attribute."""
    either = condition.get("any", ())
    return (
        len(either) == 2
        and all(each.get("op") == "exists" for each in either)
        and either[0].get("attribute") == either[1].get("attribute")
        and {each.get("value") for each in either} == {True, False}
    )


def _words(condition: Mapping[str, Any]) -> str:
    if "audience" in condition:
        return f"the audience {condition['audience']}"
    if "all" in condition:
        asked = [each for each in condition["all"] if not reads_only(each)]
        read = [str(each["any"][0]["attribute"]) for each in condition["all"] if reads_only(each)]
        said = " and ".join(_words(each) for each in asked) or "everyone"
        return f"{said} (exposures carry {', '.join(read)})" if read else said
    if "any" in condition:
        return " or ".join(_words(each) for each in condition["any"])
    if "not" in condition:
        return f"not ({_words(condition['not'])})"
    operator = str(condition.get("op", "equals")).replace("_", " ")
    return f"{condition.get('attribute')} {operator} {condition.get('value')!r}"
