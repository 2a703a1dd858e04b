"""What makes a flag broken, as the reference reads the contracts."""

from __future__ import annotations

import re
from typing import Any

from tests.sdk.reference_conditions import instant, sort_of, version

TYPES = {"boolean", "string", "integer", "float", "json"}


class FaultError(Exception):
    """The definition cannot be used."""


def check_flag(snapshot: dict[str, Any], key: str) -> None:
    flag = snapshot["flags"][key]
    check_alone(snapshot, flag)
    for needed in flag.get("prerequisites") or []:
        need(needed["flag"] in snapshot["flags"])
        known = variant_names(snapshot["flags"][needed["flag"]])
        need(all(name in known for name in needed["variants"]))
    need(key not in reachable(snapshot, key))


def check_alone(snapshot: dict[str, Any], flag: Any) -> None:
    """Whatever can be told without looking at other flags."""
    need(isinstance(flag, dict))
    need(usable_default(flag) is not None)
    need(isinstance(flag.get("unit_type", "user"), str))
    need(flag.get("unit_attribute") is None or isinstance(flag["unit_attribute"], str))
    need(flag.get("revision") is None or whole_or_none(flag["revision"]) is not None)
    for name in ("enabled", "killed", "client"):
        need(isinstance(flag.get(name, False), bool))
    names = variant_names(flag)
    for part in ("overrides", "sticky"):
        need(flag.get(part) is None or isinstance(flag[part], dict))
    for part in ("prerequisites", "holdouts", "rules"):
        need(flag.get(part) is None or isinstance(flag[part], list))
    for needed in flag.get("prerequisites") or []:
        need(isinstance(needed, dict) and isinstance(needed.get("flag"), str))
        need(isinstance(needed.get("variants"), list) and all(isinstance(name, str) for name in needed["variants"]))
    for holdout in flag.get("holdouts") or []:
        need(isinstance(holdout, str))
        held = snapshot.get("holdouts", {}).get(holdout)
        need(isinstance(held, dict) and isinstance(held.get("salt"), str))
        need(is_share(held.get("share_bp")))
    for rule in flag.get("rules") or []:
        need(isinstance(rule, dict) and (rule.get("id") is None or isinstance(rule["id"], str)))
        if rule.get("when") is not None:
            check_condition(snapshot, rule["when"], ())
        need(("variant" in rule) + ("rollout" in rule) == 1)
        if "variant" in rule:
            need(isinstance(rule["variant"], str) and rule["variant"] in names)
        else:
            check_rollout(snapshot, rule["rollout"], names)


def check_rollout(snapshot: dict[str, Any], rollout: Any, names: set[str]) -> None:
    need(isinstance(rollout, dict) and isinstance(rollout.get("split"), list))
    need(isinstance(rollout.get("traffic_salt"), str) and isinstance(rollout.get("split_salt"), str))
    need(is_share(rollout.get("traffic_bp")))
    check_split(rollout, names)
    bands = rollout.get("bands")
    if bands is not None:
        need(isinstance(bands, list))
        below = 0
        for band in bands:
            need(isinstance(band, dict) and is_share(band.get("below_bp")) and band["below_bp"] > below)
            below = band["below_bp"]
            check_split(band, names)
    layer = rollout.get("layer")
    if layer is not None:
        need(isinstance(layer, dict) and isinstance(layer.get("key"), str))
        held = snapshot.get("layers", {}).get(layer["key"])
        need(isinstance(held, dict) and isinstance(held.get("salt"), str))
        need(is_share(layer.get("from_bp")) and is_share(layer.get("to_bp")))
        need(layer["from_bp"] <= layer["to_bp"])


def check_split(holder: dict[str, Any], names: set[str]) -> None:
    need(isinstance(holder.get("split"), list) and whole_or_none(holder.get("epoch")) is not None)
    for share in holder["split"]:
        need(isinstance(share, dict) and isinstance(share.get("variant"), str) and share["variant"] in names)
        need(is_share(share.get("weight_bp")))
    need(sum(share["weight_bp"] for share in holder["split"]) == 10000)
    need(len({share["variant"] for share in holder["split"]}) == len(holder["split"]))


def check_condition(snapshot: dict[str, Any], condition: Any, open_audiences: tuple[str, ...]) -> None:
    need(isinstance(condition, dict))
    forms = [form for form in ("all", "any", "not", "audience", "attribute") if form in condition]
    need(len(forms) == 1)
    form = forms[0]
    inner = condition[form]
    if form in {"all", "any"}:
        need(isinstance(inner, list))
        for part in inner:
            check_condition(snapshot, part, open_audiences)
    elif form == "not":
        check_condition(snapshot, inner, open_audiences)
    elif form == "audience":
        need(isinstance(inner, str) and inner in snapshot.get("audiences", {}) and inner not in open_audiences)
        check_condition(snapshot, snapshot["audiences"][inner], (*open_audiences, inner))
    else:
        need(isinstance(inner, str) and "value" in condition)
        need(is_operand(condition.get("op"), condition["value"]))


def is_operand(op: Any, value: Any) -> bool:
    """Whether the operator can use the value."""
    is_finite = sort_of(value) == "number" and abs(value) != float("inf")
    match op:
        case "equals" | "not_equals":
            return sort_of(value) in {"text", "boolean"} or is_finite
        case "in" | "not_in":
            return isinstance(value, list) and all(is_operand("equals", item) for item in value)
        case "less_than" | "at_most" | "greater_than" | "at_least":
            return is_finite
        case "semver_equals" | "semver_less_than" | "semver_at_most" | "semver_greater_than" | "semver_at_least":
            return isinstance(value, str) and version(value) is not None
        case "before" | "after":
            return isinstance(value, str) and instant(value) is not None
        case "starts_with" | "ends_with" | "contains":
            return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))
        case "matches":
            return isinstance(value, str) and is_regular(value)
        case "exists":
            return isinstance(value, bool)
        case _:
            return False


def is_regular(pattern: str) -> bool:
    """Whether RE2 takes the pattern: one that Python takes, without what is beyond regular languages."""
    if re.search(r"\(\?(?:=|!|<=|<!|>|\()|\\[1-9]|[*+?}]\+", pattern):
        return False
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True


def reachable(snapshot: dict[str, Any], key: str) -> set[str]:
    """The flags that `key` needs, directly or by way of others that are in order themselves."""
    found: set[str] = set()
    waiting = [key]
    while waiting:
        flag = snapshot["flags"].get(waiting.pop())
        try:
            check_alone(snapshot, flag)
        except FaultError:
            continue
        for needed in flag.get("prerequisites") or []:
            if needed["flag"] not in found:
                found.add(needed["flag"])
                waiting.append(needed["flag"])
    return found


def usable_default(flag: Any) -> str | None:
    name = flag.get("default_variant") if isinstance(flag, dict) else None
    return name if isinstance(name, str) and name in variant_names(flag) else None


def variant_names(flag: Any) -> set[str]:
    """Names of the variants; none when type or variants are not in order."""
    if not isinstance(flag, dict) or flag.get("type") not in TYPES or not isinstance(flag.get("variants"), list):
        return set()
    names = []
    for variant in flag["variants"]:
        if not isinstance(variant, dict) or "value" not in variant or not isinstance(variant.get("name"), str):
            return set()
        if not variant["name"] or not is_of_type(variant["value"], flag["type"]):
            return set()
        names.append(variant["name"])
    return set(names) if len(set(names)) == len(names) else set()


def is_of_type(value: Any, flag_type: str) -> bool:
    match flag_type:
        case "boolean":
            return isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "integer":
            return whole_or_none(value) is not None
        case "float":
            return sort_of(value) == "number" and abs(value) != float("inf")
        case _:
            return True


def is_share(value: Any) -> bool:
    return whole_or_none(value) is not None and 0 <= value <= 10000


def whole_or_none(value: Any) -> int | None:
    if sort_of(value) != "number" or abs(value) == float("inf") or value != int(value):
        return None
    return int(value)


def text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def need(holds: object) -> None:
    if not holds:
        raise FaultError
