"""A flag as LaunchDarkly's SDKs read it from a file."""

from __future__ import annotations

from paribus.flags.document import WHOLE
from paribus.flags.providers.source import LOST, Clause, Json, Source, Unsupported, Written, numbered, seed, shares

WORDS = {
    "in": "in", "less_than": "lessThan", "at_most": "lessThanOrEqual", "greater_than": "greaterThan",
    "at_least": "greaterThanOrEqual", "starts_with": "startsWith", "ends_with": "endsWith", "contains": "contains",
    "matches": "matches", "before": "before", "after": "after", "semver_equals": "semVerEqual",
    "semver_less_than": "semVerLessThan", "semver_greater_than": "semVerGreaterThan",
}  # fmt: skip
PARTS = 100_000


def launchdarkly(source: Source) -> Written:
    """`flags` by key; a rule for each alternative, all of a rollout with one seed."""
    flag = source.flag
    names = [variant.name for variant in flag.variants]
    different = source.gaps("LaunchDarkly", "SHA-1 of seed and unit")
    off = names.index(flag.default_variant)
    rules: list[Json] = []
    for rule in source.state.rules:
        try:
            alternatives = source.alternatives(rule)
            clauses = [[_clause(each, flag.unit_type) for each in one] for one in alternatives]
        except Unsupported as gap:
            different.append(f"rule {rule.id}{LOST}LaunchDarkly has no {gap}")
            continue
        gives: Json = {"variation": names.index(rule.variant)} if rule.variant is not None else {}
        if rule.rollout is not None:
            gives["rollout"] = {
                "kind": "experiment",
                "contextKind": flag.unit_type,
                "seed": seed(rule.rollout.split_salt),
                "variations": [
                    {"variation": names.index(variant), "weight": weight, "untracked": untracked}
                    for variant, weight, untracked in shares(rule.rollout, flag.default_variant, PARTS)
                ],
            }
            if rule.rollout.traffic_bp < WHOLE and len(rule.rollout.split) != 2:
                different.append(f"rule {rule.id}: widening its traffic moves the ranges of the variants")
        ids = numbered(rule.id, alternatives)
        rules += [{"id": name, "clauses": listed, **gives} for name, listed in zip(ids, clauses, strict=True)]
    document = {
        "flags": {
            source.key: {
                "key": source.key,
                "on": source.is_on,
                "variations": [variant.value for variant in flag.variants],
                "offVariation": off,
                "fallthrough": {"variation": off},
                "prerequisites": [],
                "targets": [],
                "rules": rules,
                "salt": source.salt(),
                "clientSideAvailability": {"usingEnvironmentId": flag.client},
                "version": 1,
            }
        },
        "segments": {},
    }
    return Written(document, tuple(different))


def _clause(of: Clause, kind: str) -> Json:
    """An unknown attribute meets no clause, negated or not; `in` nothing, negated, asks that it is known."""
    if of.op == "exists":
        if of.negated:
            raise Unsupported("word for an attribute that is not known")
        return {"contextKind": kind, "attribute": of.attribute, "op": "in", "values": [], "negate": True}
    if of.op not in WORDS:
        raise Unsupported(f"comparison by {of.op!r}")
    return {
        "contextKind": kind,
        "attribute": of.attribute,
        "op": WORDS[of.op],
        "values": list(of.values),
        "negate": of.negated,
    }
