"""A second implementation of evaluation, written from the text of the contracts, plain and slow.

It shares no code with the SDKs: its own MurmurHash3 here, conditions with semantic versions and times in
`reference_conditions`, and what makes a flag broken in `reference_faults`. `python -m tests.sdk.reference write` writes
spec/vectors again.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import Any

from tests.sdk.reference_conditions import TRUE, attributes_named, weigh
from tests.sdk.reference_faults import TYPES, FaultError, check_flag, text_or_none, usable_default, whole_or_none


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
    absent = ("variant", "assigned", "served", "error_code", "revision", "epoch", "traffic_bp", "split_bp")
    blank: dict[str, Any] = dict.fromkeys((*absent, "probability", "rule", "unit_type"))
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
    traffic = bucket(rollout["traffic_salt"], unit)
    if traffic >= rollout["traffic_bp"]:
        return outside
    # Whoever was in traffic under an earlier split keeps it: the first band that reaches the unit's bucket.
    reaching = [band for band in rollout.get("bands") or [] if traffic < band["below_bp"]]
    chosen = reaching[0] if reaching else rollout
    place = bucket(rollout["split_salt"], unit)
    for share in chosen["split"]:
        place -= share["weight_bp"]
        if place < 0:
            return {
                "variant": share["variant"],
                "reason": "SPLIT",
                "epoch": chosen["epoch"],
                "traffic_bp": rollout["traffic_bp"],
                "split_bp": share["weight_bp"],
                "probability": float(Fraction(share["weight_bp"], 10000)),
            }
    raise AssertionError("a split sums to 10000")


if __name__ == "__main__":
    from tests.sdk.vectors import main

    sys.exit(main(sys.argv[1:]))
