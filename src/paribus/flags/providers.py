"""The same flag as other providers write it: LaunchDarkly, Split, Optimizely, Unleash.

Targeting and shares carry over; who gets which variant does not, because every provider hashes units in its own way
with its own seeds. `differences` says so, and what else a provider cannot hold.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from paribus.flags.document import WHOLE, Audience, Flag, Rollout

Json = dict[str, Any]
_HASH = "units are assigned anew: {name} hashes them by {how}, Paribus by MurmurHash3 of salt and unit"


@dataclass(frozen=True, slots=True)
class Written:
    """A flag in a provider's own JSON, and how its meaning differs from ours."""

    document: Json
    differences: tuple[str, ...]


class _Unsupported(Exception):
    """A condition that the provider has no word for."""


def write(
    provider: str, key: str, body: Mapping[str, Any], environment: str, audiences: Mapping[str, Any] | None = None
) -> Written:
    """The flag's state in one environment, in the JSON of `launchdarkly`, `split`, `optimizely` or `unleash`.

    Args:
        provider: whose JSON.
        key, body: the flag.
        environment: whose rules.
        audiences: documents of the audiences that its conditions name.
    """
    flag = Flag.model_validate(dict(body))
    return WRITERS[provider](_Source(key, flag, environment, dict(audiences or {})))


@dataclass(frozen=True, slots=True)
class _Source:
    key: str
    flag: Flag
    environment: str
    audiences: Json

    @property
    def state(self) -> Any:
        return self.flag.environments[self.environment]

    def flat(self, condition: Json | None) -> list[Json]:
        """A condition as comparisons that must all hold.

        Raises:
            _Unsupported: it needs `any` or `not`.
        """
        if condition is None:
            return []
        if "all" in condition:
            return [each for part in condition["all"] for each in self.flat(part)]
        if "audience" in condition:
            named = self.audiences.get(condition["audience"])
            if named is None:
                raise _Unsupported(f"the audience {condition['audience']} is not there")
            return self.flat(Audience.model_validate(named).when)
        if "attribute" in condition:
            return [condition]
        raise _Unsupported(f"conditions with {next(iter(condition), 'nothing')!r}")


def _launchdarkly(source: _Source) -> Written:
    names = [variant.name for variant in source.flag.variants]
    different = [_HASH.format(name="LaunchDarkly", how="SHA-1 of key, salt and unit")]
    off = names.index(source.flag.default_variant)
    rules = []
    words = {
        "in": "in", "less_than": "lessThan", "at_most": "lessThanOrEqual", "greater_than": "greaterThan",
        "at_least": "greaterThanOrEqual", "starts_with": "startsWith", "ends_with": "endsWith", "contains": "contains",
        "matches": "matches", "before": "before", "after": "after", "semver_equals": "semVerEqual",
        "semver_less_than": "semVerLessThan", "semver_greater_than": "semVerGreaterThan",
    }  # fmt: skip
    for rule in source.state.rules:
        try:
            clauses = [_clause(part, words, "attribute", "op", "values", "negate") for part in source.flat(rule.when)]
        except _Unsupported as gap:
            different.append(f"rule {rule.id}: {gap}")
            continue
        written: Json = {"id": rule.id, "clauses": [{"contextKind": source.flag.unit_type, **each} for each in clauses]}
        if rule.rollout is None:
            written["variation"] = names.index(rule.variant)
        else:
            shares = [
                {"variation": names.index(variant), "weight": weight * 10, "untracked": untracked}
                for variant, weight, untracked in _shares(rule.rollout, source.flag.default_variant)
            ]
            written["rollout"] = {
                "kind": "experiment",
                "contextKind": source.flag.unit_type,
                "seed": _seed(rule.rollout.split_salt),
                "variations": shares,
            }
        rules.append(written)
    document = {
        "flags": {
            source.key: {
                "key": source.key,
                "on": source.state.enabled and not source.state.killed,
                "variations": [variant.value for variant in source.flag.variants],
                "offVariation": off,
                "fallthrough": {"variation": off},
                "targets": [],
                "rules": rules,
                "salt": _first_salt(source),
                "clientSideAvailability": {"usingEnvironmentId": source.flag.client},
                "version": 1,
            }
        },
        "segments": {},
    }
    return Written(document, tuple(different))


def _split(source: _Source) -> Written:
    different = [_HASH.format(name="Split", how="MurmurHash3 of seed and unit, in hundredths")]
    conditions = []
    traffic = WHOLE
    matchers = {
        "in": "WHITELIST", "at_most": "LESS_THAN_OR_EQUAL_TO", "at_least": "GREATER_THAN_OR_EQUAL_TO",
        "starts_with": "STARTS_WITH", "ends_with": "ENDS_WITH", "contains": "CONTAINS_STRING",
        "matches": "MATCHES_STRING", "semver_equals": "EQUAL_TO_SEMVER",
    }  # fmt: skip
    for rule in source.state.rules:
        try:
            clauses = [
                _clause(part, matchers, "attribute", "op", "values", "negate") for part in source.flat(rule.when)
            ]
        except _Unsupported as gap:
            different.append(f"rule {rule.id}: {gap}")
            continue
        if rule.rollout is None:
            partitions = [{"treatment": rule.variant, "size": 100}]
        else:
            traffic = rule.rollout.traffic_bp
            if traffic % 100:
                different.append(f"rule {rule.id}: traffic of {traffic / 100:g}% becomes {round(traffic / 100)}%")
            partitions = [
                {"treatment": part.variant, "size": round(part.weight_bp / 100)} for part in rule.rollout.split
            ]
        conditions.append(
            {
                "conditionType": "ROLLOUT",
                "label": rule.id,
                "matcherGroup": {"combiner": "AND", "matchers": [_matcher(source, each) for each in clauses]
                                 or [{"matcherType": "ALL_KEYS", "negate": False}]},
                "partitions": partitions,
            }
        )  # fmt: skip
    document = {
        "name": source.key,
        "trafficTypeName": source.flag.unit_type,
        "status": "ACTIVE",
        "killed": source.state.killed or not source.state.enabled,
        "defaultTreatment": source.flag.default_variant,
        "algo": 2,
        "seed": _seed(_first_salt(source)),
        "trafficAllocation": round(traffic / 100),
        "trafficAllocationSeed": _seed(_first_salt(source, traffic=True)),
        "changeNumber": 1,
        "conditions": conditions,
        "configurations": {
            variant.name: json.dumps({"value": variant.value}, sort_keys=True) for variant in source.flag.variants
        },
    }
    return Written(document, tuple(different))


def _matcher(source: _Source, clause: Json) -> Json:
    numeric = clause["op"] in {"LESS_THAN_OR_EQUAL_TO", "GREATER_THAN_OR_EQUAL_TO"}
    values = clause["values"]
    matcher: Json = {
        "keySelector": {"trafficType": source.flag.unit_type, "attribute": clause["attribute"]},
        "matcherType": clause["op"],
        "negate": clause["negate"],
    }
    if len(values) == 1 and isinstance(values[0], bool):
        return {**matcher, "matcherType": "EQUAL_TO_BOOLEAN", "booleanMatcherData": values[0]}
    if numeric:
        return {**matcher, "unaryNumericMatcherData": {"dataType": "NUMBER", "value": values[0]}}
    return {**matcher, "whitelistMatcherData": {"whitelist": [str(value) for value in values]}}


def _optimizely(source: _Source) -> Written:
    different = [_HASH.format(name="Optimizely", how="MurmurHash3 with seed 1 of unit and experiment id")]
    words = {
        "in": "exact", "less_than": "lt", "at_most": "le", "greater_than": "gt", "at_least": "ge",
        "contains": "substring", "semver_equals": "semver_eq",
    }  # fmt: skip
    audiences: list[Json] = []
    experiments: list[Json] = []
    attributes: set[str] = set()
    names = [variant.name for variant in source.flag.variants]
    ids = {name: _id(source.key, "variation", name) for name in names}
    for rule in source.state.rules:
        try:
            clauses = [_clause(part, words, "name", "match", "values", "negate") for part in source.flat(rule.when)]
        except _Unsupported as gap:
            different.append(f"rule {rule.id}: {gap}")
            continue
        if rule.rollout is None:
            different.append(f"rule {rule.id}: a fixed variant is a rollout rule of the project, not of the experiment")
            continue
        attributes |= {each["name"] for each in clauses}
        condition: list[Any] = ["and"]
        for each in clauses:
            one: list[Any] = ["or", *({"type": "custom_attribute", "name": each["name"], "match": each["match"],
                                       "value": value} for value in each["values"])]  # fmt: skip
            condition.append(["not", one] if each["negate"] else one)
        audience = _id(source.key, "audience", rule.id)
        if clauses:
            audiences.append({"id": audience, "name": rule.id, "conditions": condition})
        ranges, end = [], 0
        for part in rule.rollout.split:
            end += part.weight_bp * rule.rollout.traffic_bp // WHOLE
            ranges.append({"entityId": ids[part.variant], "endOfRange": end})
        experiments.append(
            {
                "id": _id(source.key, "experiment", rule.id),
                "key": f"{source.key}-{rule.id}",
                "layerId": _id(source.key, "layer", rule.id),
                "status": "Running" if source.state.enabled and not source.state.killed else "Paused",
                "audienceIds": [audience] if clauses else [],
                "trafficAllocation": [*ranges, {"entityId": "", "endOfRange": WHOLE}] if end < WHOLE else ranges,
                "variations": [
                    {"id": ids[name], "key": name, "featureEnabled": name != source.flag.default_variant,
                     "variables": []}
                    for name in names
                ],
                "forcedVariations": {},
            }
        )  # fmt: skip
        if rule.rollout.traffic_bp < WHOLE:
            different.append("widening traffic moves the ranges of the variants: units near their ends change")
    document = {
        "version": "4", "revision": "1", "projectId": _id("project"), "accountId": _id("account"),
        "anonymizeIP": True, "botFiltering": False, "groups": [], "events": [], "rollouts": [], "integrations": [],
        "attributes": [{"id": _id("attribute", name), "key": name} for name in sorted(attributes)],
        "audiences": [], "typedAudiences": audiences, "variables": [],
        "featureFlags": [{"id": _id(source.key), "key": source.key, "rolloutId": "", "variables": [],
                          "experimentIds": [each["id"] for each in experiments]}],
        "experiments": experiments,
    }  # fmt: skip
    return Written(document, tuple(dict.fromkeys(different)))


def _unleash(source: _Source) -> Written:
    different = [_HASH.format(name="Unleash", how="MurmurHash3 of group and unit, modulo 100 and 1000")]
    words = {
        "in": "IN", "less_than": "NUM_LT", "at_most": "NUM_LTE", "greater_than": "NUM_GT", "at_least": "NUM_GTE",
        "starts_with": "STR_STARTS_WITH", "ends_with": "STR_ENDS_WITH", "contains": "STR_CONTAINS",
        "before": "DATE_BEFORE", "after": "DATE_AFTER", "semver_equals": "SEMVER_EQ", "semver_less_than": "SEMVER_LT",
        "semver_greater_than": "SEMVER_GT",
    }  # fmt: skip
    values = {variant.name: variant.value for variant in source.flag.variants}
    stickiness = "userId" if source.flag.unit_type == "user" else source.flag.unit_type
    strategies = []
    for rule in source.state.rules:
        try:
            parts = source.flat(rule.when)
            clauses = [_clause(part, words, "contextName", "operator", "values", "inverted") for part in parts]
        except _Unsupported as gap:
            different.append(f"rule {rule.id}: {gap}")
            continue
        constraints = [_constraint(each) for each in clauses]
        traffic = WHOLE if rule.rollout is None else rule.rollout.traffic_bp
        if traffic % 100:
            different.append(f"rule {rule.id}: traffic of {traffic / 100:g}% becomes {round(traffic / 100)}%")
        shares = (
            [(rule.variant or "", WHOLE)]
            if rule.rollout is None
            else [(part.variant, part.weight_bp) for part in rule.rollout.split]
        )
        strategies.append(
            {
                "name": "flexibleRollout",
                "parameters": {"rollout": str(round(traffic / 100)), "stickiness": stickiness, "groupId": source.key},
                "constraints": constraints,
                "variants": [
                    {"name": name, "weight": weight // 10, "weightType": "fix", "stickiness": stickiness,
                     "payload": {"type": "json", "value": json.dumps(values[name], sort_keys=True)}}
                    for name, weight in shares
                ],
            }
        )  # fmt: skip
    different.append("outside traffic the feature is off: the caller's default is the control")
    document = {
        "version": 2,
        "features": [
            {
                "name": source.key,
                "type": "experiment",
                "description": source.flag.description,
                "enabled": source.state.enabled and not source.state.killed,
                "stale": source.flag.archived,
                "impressionData": True,
                "strategies": strategies,
            }
        ],
    }
    return Written(document, tuple(different))


WRITERS: dict[str, Callable[[_Source], Written]] = {
    "launchdarkly": _launchdarkly,
    "split": _split,
    "optimizely": _optimizely,
    "unleash": _unleash,
}


def _clause(part: Json, words: Mapping[str, str], name: str, op: str, values: str, negate: str) -> Json:
    """A comparison in a provider's words: equality and lists are membership, their opposites are negated."""
    ours = part["op"]
    negated = ours in ("not_equals", "not_in")
    membership = ours in ("equals", "not_equals", "in", "not_in")
    word = words.get("in" if membership else ours)
    if word is None:
        raise _Unsupported(f"comparisons by {ours!r}")
    listed = part["value"] if isinstance(part["value"], list) else [part["value"]]
    return {name: part["attribute"], op: word, values: list(listed), negate: negated}


def _constraint(clause: Json) -> Json:
    """A clause with its values as texts: a list for lists and texts, one value for numbers, dates and versions."""
    listed = [str(value).lower() if isinstance(value, bool) else str(value) for value in clause["values"]]
    rest = {name: part for name, part in clause.items() if name != "values"}
    held = {"values": listed} if clause["operator"][:3] in ("IN", "STR") else {"value": listed[0]}
    return {**rest, **held, "caseInsensitive": False}


def _shares(rollout: Rollout, default: str) -> list[tuple[str, int, bool]]:
    """Parts of all units in basis points: variant, weight, whether outside the experiment."""
    inside = [(part.variant, part.weight_bp * rollout.traffic_bp // WHOLE, False) for part in rollout.split]
    rest = WHOLE - sum(weight for _, weight, _ in inside)
    return [*inside, (default, rest, True)] if rest else inside


def _first_salt(source: _Source, *, traffic: bool = False) -> str:
    for rule in source.state.rules:
        if rule.rollout is not None:
            return str(rule.rollout.traffic_salt if traffic else rule.rollout.split_salt)
    return source.key


def _seed(salt: str) -> int:
    return zlib.crc32(salt.encode()) & 0x7FFFFFFF


def _id(*parts: str) -> str:
    return str(10**9 + zlib.crc32("/".join(parts).encode()) % 10**9)
