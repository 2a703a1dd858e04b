"""A flag as Unleash's SDKs read it: the answer of /api/client/features with this one feature."""

from __future__ import annotations

import json

from paribus.flags.document import WHOLE
from paribus.flags.providers.source import LOST, Clause, Json, Source, Unsupported, Written, apportioned, later_rules

WORDS = {
    "in": "IN", "less_than": "NUM_LT", "at_most": "NUM_LTE", "greater_than": "NUM_GT", "at_least": "NUM_GTE",
    "starts_with": "STR_STARTS_WITH", "ends_with": "STR_ENDS_WITH", "contains": "STR_CONTAINS",
    "before": "DATE_BEFORE", "after": "DATE_AFTER", "semver_equals": "SEMVER_EQ", "semver_less_than": "SEMVER_LT",
    "semver_greater_than": "SEMVER_GT",
}  # fmt: skip
SPELLINGS = {True: ("true", "True"), False: ("false", "False")}
"""SDKs hand booleans on as texts, each in its own language's spelling."""


def unleash(source: Source) -> Written:
    """A strategy for each alternative of each rule; the value is the payload of the variant."""
    flag = source.flag
    different = source.gaps("Unleash", "MurmurHash3 of group and unit, in hundredths and thousandths")
    values = {variant.name: variant.value for variant in flag.variants}
    stickiness = "userId" if flag.unit_type == "user" else flag.unit_type
    strategies = []
    for rule in source.state.rules:
        try:
            alternatives = [
                [each for clause in one for each in _constraints(clause)] for one in source.alternatives(rule)
            ]
        except Unsupported as gap:
            different.append(f"rule {rule.id}{LOST}Unleash has no {gap}")
            continue
        traffic, split = WHOLE, [(rule.variant or "", WHOLE)]
        if rule.rollout is not None:
            traffic = rule.rollout.traffic_bp
            split = [(part.variant, part.weight_bp) for part in rule.rollout.split]
        weights = apportioned(split, 1000)
        if traffic % 100:
            different.append(f"rule {rule.id}: traffic of {traffic / 100:g}% becomes {round(traffic / 100)}%")
        if any(weight * 10 != exact for (_, weight), (_, exact) in zip(weights, split, strict=True)):
            said = ", ".join(f"{weight / 10:g}% {name}" for name, weight in weights)
            different.append(f"rule {rule.id}: shares become {said}")
        strategies += [
            {
                "name": "flexibleRollout",
                "parameters": {"rollout": str(round(traffic / 100)), "stickiness": stickiness, "groupId": source.key},
                "constraints": constraints,
                "variants": [
                    {"name": name, "weight": weight, "weightType": "fix", "stickiness": stickiness,
                     "payload": {"type": "json", "value": json.dumps(values[name], sort_keys=True)}}
                    for name, weight in weights
                ],
            }
            for constraints in alternatives
        ]  # fmt: skip
    different.append("where no rule holds, and outside traffic, the feature is off: the caller's default is served")
    document = {
        "version": 2,
        "features": [
            {
                "name": source.key,
                "type": "experiment",
                "description": flag.description,
                "enabled": source.is_on and bool(strategies),
                "stale": flag.archived,
                "impressionData": True,
                "strategies": strategies,
            }
        ],
    }
    return Written(document, tuple(dict.fromkeys([*different, *later_rules(source)])))


def _constraints(of: Clause) -> list[Json]:
    """A clause as constraints that must all hold; inverted, an unknown property would hold: it must be known too."""
    base: Json = {"contextName": of.attribute, "caseInsensitive": False}
    known = {**base, "operator": "STR_CONTAINS", "inverted": False, "values": [""]}
    if of.op == "exists":
        return [{**known, "inverted": of.negated}]
    if of.op not in WORDS:
        raise Unsupported(f"comparison by {of.op!r}")
    word = WORDS[of.op]
    made: Json = {**base, "operator": word, "inverted": of.negated}
    texts = [text for value in of.values for text in (SPELLINGS[value] if isinstance(value, bool) else (str(value),))]
    made |= {"values": texts} if word[:3] in ("IN", "STR") else {"value": texts[0]}
    return [made, *([known] if of.negated else [])]
