"""A flag as Optimizely's SDKs read it: a datafile of version 4 with this one flag."""

from __future__ import annotations

import json
import zlib
from typing import Any

from paribus.flags.document import WHOLE, Rule
from paribus.flags.providers.source import LOST, Clause, Json, Source, Unsupported, Written, later_rules, shares

WORDS = {
    "in": "exact", "less_than": "lt", "at_most": "le", "greater_than": "gt", "at_least": "ge", "contains": "substring",
    "semver_equals": "semver_eq", "semver_less_than": "semver_lt", "semver_greater_than": "semver_gt",
}  # fmt: skip
VARIABLE = "value"
"""The variable of the flag that holds its value."""
TYPES = {"boolean": "boolean", "string": "string", "integer": "integer", "float": "double", "json": "string"}


def optimizely(source: Source) -> Written:
    """Every rule is an experiment, in the rules' order; the flag's value is its variable `value`."""
    flag = source.flag
    different = source.gaps("Optimizely", "MurmurHash3 with seed 1 of unit and experiment id")
    audiences: list[Json] = []
    experiments: list[Json] = []
    attributes: set[str] = set()
    for rule in source.state.rules:
        try:
            alternatives = source.alternatives(rule)
            condition = ["or", *(["and", *map(_condition, one)] for one in alternatives)]
        except Unsupported as gap:
            different.append(f"rule {rule.id}{LOST}Optimizely has no {gap}")
            continue
        if not alternatives:
            continue
        audience = _id(source.key, "audience", rule.id)
        is_for_everyone = alternatives == ((),)
        if not is_for_everyone:
            attributes |= {clause.attribute for one in alternatives for clause in one}
            audiences.append({"id": audience, "name": rule.id, "conditions": condition})
        experiments.append(
            {
                "id": _id(source.key, "experiment", rule.id),
                "key": f"{source.key}-{rule.id}",
                "layerId": _id(source.key, "layer", rule.id),
                "status": "Running" if source.is_on else "Paused",
                "audienceIds": [] if is_for_everyone else [audience],
                "trafficAllocation": _ranges(source, rule),
                "variations": [_variation(source, rule, variant.name, variant.value) for variant in flag.variants],
                "forcedVariations": {},
            }
        )
        if rule.rollout is not None and rule.rollout.traffic_bp < WHOLE and len(rule.rollout.split) != 2:
            different.append(f"rule {rule.id}: widening its traffic moves the ranges of the variants")
    different.append("where no rule holds, and outside traffic, no variation is given, and the value is the default's")
    default = next(variant.value for variant in flag.variants if variant.name == flag.default_variant)
    variable: Json = {"id": _id(source.key, VARIABLE), "key": VARIABLE, "type": TYPES[flag.type]}
    variable["defaultValue"] = _text(default)
    if flag.type == "json":
        variable["subType"] = "json"
    document = {
        "version": "4", "revision": "1", "projectId": _id("project"), "accountId": _id("account"),
        "anonymizeIP": True, "botFiltering": False, "sendFlagDecisions": True,
        "groups": [], "events": [], "rollouts": [], "integrations": [],
        "attributes": [{"id": _id("attribute", name), "key": name} for name in sorted(attributes)],
        "audiences": [], "typedAudiences": audiences, "variables": [],
        "featureFlags": [{"id": _id(source.key), "key": source.key, "rolloutId": "", "variables": [variable],
                          "experimentIds": [each["id"] for each in experiments]}],
        "experiments": experiments,
    }  # fmt: skip
    return Written(document, tuple(dict.fromkeys([*different, *later_rules(source)])))


def _ranges(source: Source, rule: Rule) -> list[Json]:
    """Ends of ranges in basis points; a range without a variation is outside traffic."""
    if rule.rollout is None:
        return [{"entityId": _variation_id(source, rule, rule.variant or ""), "endOfRange": WHOLE}]
    ranges, end = [], 0
    for variant, size, is_outside in shares(rule.rollout, source.flag.default_variant, WHOLE):
        end += size
        entity = "" if is_outside else _variation_id(source, rule, variant)
        ranges.append({"entityId": entity, "endOfRange": end})
    return ranges


def _variation(source: Source, rule: Rule, name: str, value: Any) -> Json:
    return {
        "id": _variation_id(source, rule, name),
        "key": name,
        "featureEnabled": name != source.flag.default_variant,
        "variables": [{"id": _id(source.key, VARIABLE), "value": _text(value)}],
    }


def _variation_id(source: Source, rule: Rule, name: str) -> str:
    return _id(source.key, "variation", rule.id, name)


def _condition(of: Clause) -> list[Any] | Json:
    """An unknown attribute makes a condition unknown, negated or not; `exists` alone asks whether it is known."""
    base = {"type": "custom_attribute", "name": of.attribute}
    if of.op == "exists":
        known: Json = {**base, "match": "exists", "value": ""}
        return ["not", known] if of.negated else known
    if of.op not in WORDS:
        raise Unsupported(f"comparison by {of.op!r}")
    one = ["or", *({**base, "match": WORDS[of.op], "value": value} for value in of.values)]
    return ["not", one] if of.negated else one


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _id(*parts: str) -> str:
    return str(10**9 + zlib.crc32("/".join(parts).encode()) % 10**9)
