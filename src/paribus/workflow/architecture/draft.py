"""The flag as a draft: variants, the split as sealed, the audience, the schema of its value; nothing is served yet."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from paribus.flags.change import control_of
from paribus.flags.document import WHOLE, check
from paribus.workflow.context import Feature

Json = dict[str, Any]
RULE = "experiment"
STAGING = "staging"


def drafted(
    key: str,
    feature: Feature,
    document: Mapping[str, Any],
    *,
    audience: str,
    owner: str,
    seed: int,
    existing: Mapping[str, Any] | None = None,
    holdout: str = "",
) -> Json:
    """The flag's document: on, at no traffic in the feature's environment, at full traffic in staging.

    Args:
        key: the flag's.
        document: the experiment's document, whose arms and shares it takes.
        audience: key of the audience that takes part; empty for everyone.
        seed: of the installation; salts derive from it and the key, so that a repeated draft is the same draft.
        existing: the flag as it stands: its salts, and its other environments, stay.
        holdout: key of the holdout that the flag leaves out in the feature's environment; empty for none.

    Raises:
        DefinitionError: the document would be wrong.
    """
    weights = shares_bp(document)
    names = list(weights)
    control = str(document.get("control") or control_of(names))
    values: dict[str, Any] = {name: name != control for name in names} if len(names) == 2 else {n: n for n in names}
    salts = _salts_of(existing, feature.environment) or {
        each: salt(seed, key, each) for each in ("traffic_salt", "split_salt")
    }

    def rollout(traffic_bp: int) -> Json:
        return {
            **salts,
            "traffic_bp": traffic_bp,
            "split": [{"variant": name, "weight_bp": weight} for name, weight in weights.items()],
        }

    def rule(traffic_bp: int, when: str) -> Json:
        parts = [*([{"audience": when}] if when else []), *read_by_segments(document)]
        condition = {} if not parts else {"when": parts[0] if len(parts) == 1 else {"all": parts}}
        return {"id": RULE, **condition, "rollout": rollout(traffic_bp)}

    environments = dict((existing or {}).get("environments", {}))
    held_out = {"holdouts": [holdout]} if holdout else {}
    environments[feature.environment] = {**held_out, "rules": [rule(0, audience)]}
    if feature.environment != STAGING:
        environments[STAGING] = {"rules": [rule(WHOLE, "")]}
    kind = "boolean" if len(names) == 2 else "string"
    return check(
        "flag",
        key,
        {
            "type": kind,
            "description": feature.requirement,
            "owner": owner,
            "tags": ["experiment"],
            "variants": [{"name": name, "value": values[name], **_described(document, name)} for name in names],
            "default_variant": control,
            "unit_type": document.get("unit_type", "user"),
            "environments": environments,
        },
    )


def is_live(existing: Mapping[str, Any] | None, environment: str) -> bool:
    """Whether the flag has had traffic in the environment: then its rules are the rollout's and no draft any more."""
    rules = ((existing or {}).get("environments", {}).get(environment) or {}).get("rules", [])
    return any(
        rule.get("variant") or max(rule["rollout"].get("traffic_bp", 0), rule["rollout"].get("reached_bp", 0))
        for rule in rules
    )


def read_by_segments(document: Mapping[str, Any]) -> list[Json]:
    """Conditions that always hold and read the attributes that results are broken down by.

    An exposure carries the attributes that the rules read, and no others.
    """

    def exists(attribute: str, value: bool) -> Json:
        return {"attribute": attribute, "op": "exists", "value": value}

    return [{"any": [exists(name, True), exists(name, False)]} for name in document.get("segments", ())]


def shares_bp(document: Mapping[str, Any]) -> dict[str, int]:
    """The sealed split in basis points; what does not divide goes to the first arms."""
    shares = document.get("variants") or {"control": 50, "treatment": 50}
    parts = {str(name): _weight(share) for name, share in shares.items()}
    total = sum(parts.values())
    found = {name: int(share / total * WHOLE) for name, share in parts.items()}
    for name in list(found)[: WHOLE - sum(found.values())]:
        found[name] += 1
    return found


def _weight(share: Any) -> float:
    return float(share.get("weight") or 1) if isinstance(share, Mapping) else float(share)


def _described(document: Mapping[str, Any], name: str) -> Json:
    """The description that the document gives an arm, where it gives one."""
    arm = (document.get("variants") or {}).get(name)
    said = arm.get("description") if isinstance(arm, Mapping) else ""
    return {"description": said} if said else {}


def value_schema(flag: Mapping[str, Any]) -> Json:
    """JSON Schema 2020-12 of the flag's value: the only values that its variants have."""
    kinds = {"boolean": "boolean", "string": "string", "integer": "integer", "float": "number", "json": "object"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": flag.get("description", ""),
        "type": kinds[flag.get("type", "boolean")],
        "enum": [variant["value"] for variant in flag["variants"]],
    }


def salt(seed: int, *parts: str) -> str:
    """64 bits as text, the same for the same seed and parts.

    >>> salt(1, "a") == salt(1, "a") != salt(2, "a")
    True
    """
    return hashlib.sha256("\0".join((str(seed), *parts)).encode()).hexdigest()[:16]


def _salts_of(existing: Mapping[str, Any] | None, environment: str) -> Json | None:
    for rule in ((existing or {}).get("environments", {}).get(environment) or {}).get("rules", []):
        if rule.get("rollout"):
            return {name: rule["rollout"][name] for name in ("traffic_salt", "split_salt")}
    return None
