"""A flag as Split's SDKs read it from a file (localhost mode, JSON)."""

from __future__ import annotations

import json
from collections.abc import Callable

from paribus.flags.document import WHOLE, Rule
from paribus.flags.providers.source import LOST, Clause, Json, Source, Unsupported, Written, apportioned, numbered, seed

RESERVED = "control"
"""What every SDK of Split answers where nothing was decided; no treatment may be called so."""
TEXTS = {"starts_with": "STARTS_WITH", "ends_with": "ENDS_WITH", "contains": "CONTAINS_STRING"}
WHOLE_NUMBERS = {
    "at_most": ("LESS_THAN_OR_EQUAL_TO", 0),
    "less_than": ("LESS_THAN_OR_EQUAL_TO", -1),
    "at_least": ("GREATER_THAN_OR_EQUAL_TO", 0),
    "greater_than": ("GREATER_THAN_OR_EQUAL_TO", 1),
}


def split(source: Source) -> Written:
    """The answer of /splitChanges that holds this one flag; a condition for each alternative."""
    flag = source.flag
    names = _names([variant.name for variant in flag.variants])
    different = source.gaps("Split", "MurmurHash3 of seed and unit, in hundredths")
    different += [
        f"the variant {ours} is called {theirs}: Split keeps the name {RESERVED} for answers without a decision"
        for ours, theirs in names.items()
        if ours != theirs
    ]
    traffic, conditions = _traffic(source, different), []
    has_rollout = False
    for rule in source.state.rules:
        try:
            alternatives = source.alternatives(rule)
            matchers = [[each for clause in one for each in _matchers(clause, flag.unit_type)] for one in alternatives]
        except Unsupported as gap:
            different.append(f"rule {rule.id}{LOST}Split has no {gap}")
            continue
        if has_rollout and traffic < 100:
            different.append(f"rule {rule.id}: only units within the traffic of the rules before it are asked")
        has_rollout = has_rollout or rule.rollout is not None
        partitions = _partitions(rule, names, different)
        for name, listed in zip(numbered(rule.id, alternatives), matchers, strict=True):
            conditions.append(_condition(name, listed, partitions, "ROLLOUT" if has_rollout else "WHITELIST"))
    last = [{"treatment": names[flag.default_variant], "size": 100}]
    conditions.append(_condition("default rule", [], last, "ROLLOUT"))
    written = {
        "name": source.key,
        "trafficTypeName": flag.unit_type,
        "status": "ACTIVE",
        "killed": not source.is_on,
        "defaultTreatment": names[flag.default_variant],
        "algo": 2,
        "seed": seed(source.salt()),
        "trafficAllocation": traffic,
        "trafficAllocationSeed": seed(source.salt(traffic=True)),
        "changeNumber": 1,
        "sets": [],
        "prerequisites": [],
        "conditions": conditions,
        "configurations": {
            names[variant.name]: json.dumps({"value": variant.value}, sort_keys=True) for variant in flag.variants
        },
    }
    document = {"ff": {"s": -1, "t": 1, "d": [written]}, "rbs": {"s": -1, "t": -1, "d": []}}
    return Written(document, tuple(different), {ours: theirs for ours, theirs in names.items() if ours != theirs})


def _names(ours: list[str]) -> dict[str, str]:
    free = next(name for name in ("off", "base", "unchanged", "first", "second") if name not in ours)
    return {name: free if name == RESERVED else name for name in ours}


def _traffic(source: Source, different: list[str]) -> int:
    """The share of units that all rollouts have in common, in percent."""
    rollouts = [(rule.id, rule.rollout.traffic_bp) for rule in source.state.rules if rule.rollout is not None]
    if not rollouts:
        return 100
    first = rollouts[0][1]
    percent = round(first / 100)
    for name, traffic in rollouts:
        if traffic != first:
            different.append(
                f"rule {name}: traffic of {traffic / 100:g}% becomes {percent}%, as that of the first rule"
            )
        elif traffic % 100:
            different.append(f"rule {name}: traffic of {traffic / 100:g}% becomes {percent}%")
    return percent


def _partitions(rule: Rule, names: dict[str, str], different: list[str]) -> list[Json]:
    if rule.rollout is None:
        return [{"treatment": names[rule.variant or ""], "size": 100}]
    weights = [(names[part.variant], part.weight_bp) for part in rule.rollout.split]
    sizes = apportioned(weights, 100)
    if any(size * WHOLE != weight * 100 for (_, size), (_, weight) in zip(sizes, weights, strict=True)):
        different.append(f"rule {rule.id}: shares become {', '.join(f'{size}% {name}' for name, size in sizes)}")
    return [{"treatment": name, "size": size} for name, size in sizes]


def _condition(label: str, matchers: list[Json], partitions: list[Json], kind: str) -> Json:
    return {
        "conditionType": kind,
        "label": label,
        "matcherGroup": {
            "combiner": "AND",
            "matchers": matchers or [{"keySelector": None, "matcherType": "ALL_KEYS", "negate": False}],
        },
        "partitions": partitions,
    }


def _matchers(of: Clause, traffic_type: str) -> list[Json]:
    """A clause as matchers that must all match; negated, an unknown attribute would match: it must be known too."""

    def matcher(kind: str, negate: bool, **data: object) -> Json:
        selector = {"trafficType": traffic_type, "attribute": of.attribute}
        return {"keySelector": selector, "matcherType": kind, "negate": negate, **data}

    known = matcher("MATCHES_STRING", False, stringMatcherData=".*")
    if of.op == "exists":
        return [{**known, "negate": of.negated}]
    return [_matcher(of, matcher), *([known] if of.negated else [])]


def _matcher(of: Clause, make: Callable[..., Json]) -> Json:
    values = of.values
    found: Json | None = None
    if of.op == "in" and all(isinstance(each, str) for each in values):
        found = make("WHITELIST", of.negated, whitelistMatcherData={"whitelist": list(values)})
    elif of.op == "in" and len(values) == 1 and isinstance(values[0], bool):
        found = make("EQUAL_TO_BOOLEAN", of.negated, booleanMatcherData=values[0])
    elif of.op == "in" and len(values) == 1 and _is_whole(values[0]):
        found = make("EQUAL_TO", of.negated, unaryNumericMatcherData={"dataType": "NUMBER", "value": int(values[0])})
    elif of.op in WHOLE_NUMBERS and _is_whole(values[0]):
        kind, step = WHOLE_NUMBERS[of.op]
        data = {"dataType": "NUMBER", "value": int(values[0]) + step}
        found = make(kind, of.negated, unaryNumericMatcherData=data)
    elif of.op in TEXTS:
        found = make(TEXTS[of.op], of.negated, whitelistMatcherData={"whitelist": list(values)})
    elif of.op == "matches":
        found = make("MATCHES_STRING", of.negated, stringMatcherData=values[0])
    elif of.op == "semver_equals":
        found = make("EQUAL_TO_SEMVER", of.negated, stringMatcherData=values[0])
    if found is None:
        of_what = " of this value" if of.op == "in" or of.op in WHOLE_NUMBERS else ""
        raise Unsupported(f"comparison by {of.op!r}{of_what}")
    return found


def _is_whole(value: object) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
