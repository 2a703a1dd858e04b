"""A second implementation of evaluation, written from the text of the contracts, plain and slow.

It shares no code with the SDKs: its own MurmurHash3, semantic versions and times, and conditions weighed straight
from the snapshot's JSON, as numbers: true 1, unknown ½, false 0, so that `all` is the least, `any` the greatest and
`not` the complement (Kleene 1938). `python -m tests.sdk.reference write` writes spec/vectors again.
"""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

TRUE, UNKNOWN, FALSE = 1.0, 0.5, 0.0
TYPES = {"boolean", "string", "integer", "float", "json"}


class FaultError(Exception):
    """The definition cannot be used."""


def murmur3(data: bytes, seed: int = 0) -> int:
    """MurmurHash3_x86_32, after Austin Appleby's public-domain C++ source."""
    mask = 0xFFFFFFFF

    def rotated(number: int, by: int) -> int:
        return ((number << by) | (number >> (32 - by))) & mask

    state = seed
    full = len(data) - len(data) % 4
    for start in range(0, full, 4):
        block = int.from_bytes(data[start : start + 4], "little")
        block = block * 0xCC9E2D51 & mask
        block = rotated(block, 15) * 0x1B873593 & mask
        state = (rotated(state ^ block, 13) * 5 + 0xE6546B64) & mask
    if full < len(data):
        tail = int.from_bytes(data[full:], "little")
        state ^= rotated(tail * 0xCC9E2D51 & mask, 15) * 0x1B873593 & mask
    state ^= len(data)
    state = (state ^ (state >> 16)) * 0x85EBCA6B & mask
    state = (state ^ (state >> 13)) * 0xC2B2AE35 & mask
    return state ^ (state >> 16)


def bucket(salt: str, unit: str) -> int:
    return murmur3((salt + ":" + unit).encode()) * 10000 >> 32


def unit_of(given: Any) -> str | None:
    if type(given) is str and given != "":
        return given
    if type(given) is int:
        return str(given)
    return None


# ---------------------------------------------------------------- evaluation


def decide(
    snapshot: dict[str, Any],
    flag: str,
    unit: Any = None,
    context: Any = None,
    kind: str | None = None,
    default: Any = None,
) -> dict[str, Any]:
    """All fields of the decision but flag and error_message."""
    attributes = dict(context) if isinstance(context, dict) else {}
    attributes["targetingKey"] = unit_of(unit)
    attributes = {name: value for name, value in attributes.items() if value is not None}
    blank = dict.fromkeys(
        "variant assigned served error_code revision epoch traffic_bp split_bp probability rule unit_type".split()
    )
    blank |= {"value": default, "unit": unit_of(unit), "attributes": {}}
    if flag not in snapshot["flags"]:
        return blank | {"reason": "ERROR", "error_code": "FLAG_NOT_FOUND"}
    written = snapshot["flags"][flag]
    if not isinstance(written, dict):
        return blank | {"reason": "ERROR", "error_code": "PARSE_ERROR", "unit": None}
    blank |= {"revision": whole_or_none(written.get("revision"))}
    blank |= {"unit_type": text_or_none(written.get("unit_type", "user"))}
    blank |= {"unit": flag_unit(written, attributes)}
    flag_type = written.get("type")
    if kind is not None and flag_type in TYPES and kind != flag_type and (kind, flag_type) != ("float", "integer"):
        return blank | {"reason": "ERROR", "error_code": "TYPE_MISMATCH"}
    found, seen = settle(snapshot, flag, unit, attributes)
    chosen = {**blank, **found}
    if chosen["variant"] is not None:
        values = {variant["name"]: variant["value"] for variant in written["variants"]}
        chosen["value"] = values[chosen["variant"]]
        chosen["assigned"] = chosen["served"] = chosen["variant"]
    chosen["attributes"] = {name: attributes[name] for name in seen if name in attributes}
    return chosen


def flag_unit(written: dict[str, Any], attributes: dict[str, Any]) -> str | None:
    source = written.get("unit_attribute")
    if source is None:
        return attributes.get("targetingKey")
    return unit_of(attributes.get(source)) if isinstance(source, str) else None


def settle(snapshot: dict[str, Any], key: str, given: Any, attributes: dict[str, Any]) -> tuple[dict[str, Any], list]:
    """Variant, reason and what belongs to them, and the attributes that the rules on the way name."""
    flag = snapshot["flags"][key]
    try:
        check_flag(snapshot, key)
    except FaultError:
        return {
            "variant": usable_default(flag),
            "reason": "ERROR",
            "error_code": "PARSE_ERROR",
        }, []
    default, unit = flag["default_variant"], flag_unit(flag, attributes)
    if flag.get("killed", False):
        return {"variant": default, "reason": "KILLED"}, []
    if not flag.get("enabled", True):
        return {"variant": default, "reason": "DISABLED"}, []
    names = {variant["name"] for variant in flag["variants"]}
    override = (flag.get("overrides") or {}).get(unit)
    if override in names:
        return {"variant": override, "reason": "OVERRIDE"}, []
    for needed in flag.get("prerequisites") or []:
        other = snapshot["flags"][needed["flag"]]
        given_variant = usable_default(other)
        if isinstance(other, dict):
            given_variant = settle(snapshot, needed["flag"], given, attributes)[0]["variant"]
        if given_variant not in needed["variants"]:
            return {"variant": default, "reason": "PREREQUISITE"}, []
    sticky = (flag.get("sticky") or {}).get(unit)
    if sticky in names:
        return {"variant": sticky, "reason": "STICKY"}, []
    for holdout in flag.get("holdouts") or []:
        held = snapshot["holdouts"][holdout]
        if unit is not None and bucket(held["salt"], unit) < held["share_bp"]:
            return {"variant": default, "reason": "HOLDOUT"}, []
    seen: list[str] = []
    for rule in flag.get("rules") or []:
        condition = rule.get("when") or {"all": []}
        seen += attributes_named(snapshot, condition)
        if weigh(snapshot, condition, attributes) != TRUE:
            continue
        if "variant" in rule:
            return {"variant": rule["variant"], "reason": "TARGETING_MATCH", "rule": rule.get("id")}, seen
        return {"rule": rule.get("id"), **roll(snapshot, rule["rollout"], unit, default)}, seen
    return {"variant": default, "reason": "DEFAULT"}, seen


def roll(snapshot: dict[str, Any], rollout: dict[str, Any], unit: str | None, default: str) -> dict[str, Any]:
    if unit is None:
        return {"variant": default, "reason": "INVALID_UNIT"}
    outside = {"variant": default, "reason": "DEFAULT"}
    layer = rollout.get("layer")
    if layer is not None:
        place = bucket(snapshot["layers"][layer["key"]]["salt"], unit)
        if place < layer["from_bp"] or place >= layer["to_bp"]:
            return outside
    if bucket(rollout["traffic_salt"], unit) >= rollout["traffic_bp"]:
        return outside
    place = bucket(rollout["split_salt"], unit)
    for share in rollout["split"]:
        place -= share["weight_bp"]
        if place < 0:
            return {
                "variant": share["variant"],
                "reason": "SPLIT",
                "epoch": rollout["epoch"],
                "traffic_bp": rollout["traffic_bp"],
                "split_bp": share["weight_bp"],
                "probability": float(Fraction(share["weight_bp"], 10000)),
            }
    raise AssertionError("a split sums to 10000")


# ---------------------------------------------------------------- conditions


def weigh(snapshot: dict[str, Any], condition: dict[str, Any], attributes: dict[str, Any]) -> float:
    if "all" in condition:
        return min((weigh(snapshot, part, attributes) for part in condition["all"]), default=TRUE)
    if "any" in condition:
        return max((weigh(snapshot, part, attributes) for part in condition["any"]), default=FALSE)
    if "not" in condition:
        return 1 - weigh(snapshot, condition["not"], attributes)
    if "audience" in condition:
        return weigh(snapshot, snapshot["audiences"][condition["audience"]], attributes)
    present = condition["attribute"] in attributes
    if condition["op"] == "exists":
        return TRUE if present is condition["value"] else FALSE
    if not present:
        return UNKNOWN
    answer = compare(condition["op"], attributes[condition["attribute"]], condition["value"])
    return UNKNOWN if answer is None else float(answer)


def attributes_named(snapshot: dict[str, Any], condition: dict[str, Any]) -> list[str]:
    if "attribute" in condition:
        return [condition["attribute"]]
    if "audience" in condition:
        return attributes_named(snapshot, snapshot["audiences"][condition["audience"]])
    parts = condition.get("all") or condition.get("any") or [condition[form] for form in ("not",) if form in condition]
    return [name for part in parts for name in attributes_named(snapshot, part)]


def compare(op: str, attribute: Any, value: Any) -> bool | None:
    """True, false, or None when the attribute is of a type that the operator cannot compare."""
    sort = sort_of(attribute)
    if op in {"equals", "not_equals"}:
        return None if sort is None or sort != sort_of(value) else (attribute == value) is (op == "equals")
    if op in {"in", "not_in"}:
        held = [item for item in value if sort_of(item) == sort]
        if sort is None or (value and not held):
            return None
        return (attribute in held) is (op == "in")
    if op in {"less_than", "at_most", "greater_than", "at_least"}:
        return None if sort != "number" else ordered(op, attribute, value)
    if op.startswith("semver_"):
        mine = version(attribute) if sort == "text" else None
        return None if mine is None else ordered(op.removeprefix("semver_"), newer(mine, version(value)), 0)
    if op in {"before", "after"}:
        mine = instant(attribute)
        return None if mine is None else ordered({"before": "less_than", "after": "greater_than"}[op], mine, instant(value))
    if op == "matches":
        return None if sort != "text" else bool(re.search(value, attribute))
    texts = [value] if isinstance(value, str) else value
    if op == "contains" and isinstance(attribute, list):
        return any(text in attribute for text in texts)
    if sort != "text":
        return None
    within = {"starts_with": str.startswith, "ends_with": str.endswith, "contains": str.__contains__}[op]
    return any(within(attribute, text) for text in texts)


def sort_of(value: Any) -> str | None:
    if value is True or value is False:
        return "boolean"
    if isinstance(value, str):
        return "text"
    if isinstance(value, (int, float)) and value == value:
        return "number"
    return None


def ordered(op: str, left: Any, right: Any) -> bool:
    return {
        "equals": left == right,
        "less_than": left < right,
        "at_most": left <= right,
        "greater_than": left > right,
        "at_least": left >= right,
    }[op]


def version(text: str) -> tuple[list[int], list[str]] | None:
    """Numbers and pre-release identifiers of a semantic version, by the grammar of semver.org, read part by part."""
    if len(text) > 256:
        return None
    text = text[1:] if text[:1] == "v" else text
    text, plus, build = text.partition("+")
    numbers, dash, labels = text.partition("-")
    alphabet = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-")
    triple, identifiers, metadata = numbers.split("."), labels.split("."), build.split(".")
    if len(triple) != 3 or not all(is_numeral(part) for part in triple):
        return None
    if dash and not all(part and set(part) <= alphabet for part in identifiers):
        return None
    if dash and any(set(part) <= set("0123456789") and not is_numeral(part) for part in identifiers):
        return None
    if plus and not all(part and set(part) <= alphabet for part in metadata):
        return None
    return [int(part) for part in triple], identifiers if dash else []


def is_numeral(text: str) -> bool:
    return bool(text) and set(text) <= set("0123456789") and (text == "0" or text[0] != "0")


def newer(left: tuple[list[int], list[str]], right: tuple[list[int], list[str]]) -> int:
    """1 when left takes precedence, -1 when right does, 0 when neither (SemVer 2.0.0, item 11)."""
    if left[0] != right[0]:
        return 1 if left[0] > right[0] else -1
    if not left[1] or not right[1]:
        return bool(right[1]) - bool(left[1])
    for mine, other in zip(left[1], right[1], strict=False):
        if mine == other:
            continue
        if is_numeral(mine) and is_numeral(other):
            return 1 if int(mine) > int(other) else -1
        if is_numeral(mine) or is_numeral(other):
            return -1 if is_numeral(mine) else 1
        return 1 if mine > other else -1
    return (len(left[1]) > len(right[1])) - (len(left[1]) < len(right[1]))


def instant(value: Any) -> Any:
    """Milliseconds since 1970."""
    if sort_of(value) == "number":
        return value
    if not isinstance(value, str):
        return None
    pattern = r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
    found = re.fullmatch(pattern, value, re.ASCII)
    if not found:
        return None
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    zone = found[8]
    if zone not in "Zz" and (int(zone[1:3]) > 23 or int(zone[4:]) > 59):
        return None
    shift = timedelta() if zone in "Zz" else timedelta(hours=int(zone[1:3]), minutes=int(zone[4:]))
    try:
        # A cycle of the calendar is 400 years: year 0 becomes 2000, and the way back is exact.
        moment = datetime(year % 400 + 2000, month, day, hour, minute, second, tzinfo=timezone.utc)
    except ValueError:
        return None
    moment = moment - shift if zone[0] != "-" else moment + shift
    cycles = (year - (year % 400 + 2000)) // 400
    whole = (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(seconds=1) + cycles * 146097 * 86400
    return whole * 1000 + int(((found[7] or ".")[1:] + "000")[:3])


# ---------------------------------------------------------------- what makes a flag broken


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
    need(is_share(rollout.get("traffic_bp")) and whole_or_none(rollout.get("epoch")) is not None)
    for share in rollout["split"]:
        need(isinstance(share, dict) and isinstance(share.get("variant"), str) and share["variant"] in names)
        need(is_share(share.get("weight_bp")))
    need(sum(share["weight_bp"] for share in rollout["split"]) == 10000)
    need(len({share["variant"] for share in rollout["split"]}) == len(rollout["split"]))
    layer = rollout.get("layer")
    if layer is not None:
        need(isinstance(layer, dict) and isinstance(layer.get("key"), str))
        held = snapshot.get("layers", {}).get(layer["key"])
        need(isinstance(held, dict) and isinstance(held.get("salt"), str))
        need(is_share(layer.get("from_bp")) and is_share(layer.get("to_bp")))
        need(layer["from_bp"] <= layer["to_bp"])


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


if __name__ == "__main__":
    from tests.sdk.vectors import main

    sys.exit(main(sys.argv[1:]))
