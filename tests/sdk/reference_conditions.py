"""Conditions of the reference, weighed straight from the snapshot's JSON.

As numbers: true 1, unknown ½, false 0, so that `all` is the least, `any` the greatest and `not` the complement (Kleene
1938).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

TRUE, UNKNOWN, FALSE = 1.0, 0.5, 0.0


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
        return (
            None
            if mine is None
            else ordered({"before": "less_than", "after": "greater_than"}[op], mine, instant(value))
        )
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
        moment = datetime(year % 400 + 2000, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    moment = moment - shift if zone[0] != "-" else moment + shift
    cycles = (year - (year % 400 + 2000)) // 400
    whole = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) + cycles * 146097 * 86400
    return whole * 1000 + int(((found[7] or ".")[1:] + "000")[:3])
