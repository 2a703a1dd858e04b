"""Our definitions as flagd's: every rule as JsonLogic with `fractional`, so that flagd and its providers decide alike.

The bucket is the same: flagd's second version of `fractional` hashes a `cat` text with murmur3 and scales it by the sum
of the weights, as we do with 10,000 basis points. Two things JsonLogic cannot say: regular expressions and times; a
flag that asks for them is left out and named, never decided otherwise. flagd reports no exposures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WHOLE = 10_000
SCHEMA = "https://flagd.dev/schema/v0/flags.json"
UNIT = "targetingKey"

Logic = Any
Json = Mapping[str, Any]


class Untranslatable(Exception):  # it is no error: the flag is left out, with this reason
    """Why a flag cannot be said in flagd's language."""


@dataclass(frozen=True, slots=True)
class FlagdDefinitions:
    """The configuration as flagd reads it, and the flags that it cannot express, with the reason."""

    configuration: dict[str, Any]
    left_out: dict[str, str]


def translate(snapshot: Json, broken: Sequence[str] = ()) -> FlagdDefinitions:
    """The definitions of an environment for flagd.

    Args:
        snapshot: format 1.
        broken: flags that our evaluator cannot use; flagd serves their default, as ours does.
    """
    flags: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for key, flag in snapshot["flags"].items():
        try:
            flags[key] = _flag(snapshot, key, flag, frozenset(broken))
        except Untranslatable as reason:
            left_out[key] = str(reason)
        except (KeyError, TypeError, AttributeError, ValueError):
            left_out[key] = "it is broken"  # one flag that flagd cannot read would stop all of them
    metadata = {
        "flagSetId": f"{snapshot['project']}/{snapshot['environment']}",
        "version": str(snapshot["revision"]),
    }
    if left_out:
        metadata["leftOut"] = "; ".join(f"{key}: {reason}" for key, reason in left_out.items())
    return FlagdDefinitions({"$schema": SCHEMA, "flags": flags, "metadata": metadata}, left_out)


def _flag(snapshot: Json, key: str, flag: Json, broken: frozenset[str]) -> dict[str, Any]:
    variants = {each["name"]: each["value"] for each in flag["variants"]}
    if not all(_fits(flag["type"], value) for value in variants.values()):
        raise Untranslatable("flagd has no such values: its structured ones are objects")
    if flag["default_variant"] not in variants:
        raise Untranslatable("its default is none of its variants")
    written = {
        "state": "ENABLED",
        "variants": variants,
        "defaultVariant": flag["default_variant"],
        "metadata": {"revision": flag["revision"], "unitType": flag["unit_type"]},
    }
    decided = _decision(snapshot, key, broken, ())
    if decided != flag["default_variant"]:
        written["targeting"] = decided
    return written


def _fits(kind: str, value: object) -> bool:
    if kind in ("integer", "float"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, {"boolean": bool, "string": str, "json": dict}[kind])


def _decision(snapshot: Json, key: str, broken: frozenset[str], path: tuple[str, ...]) -> Logic:
    """The name of the variant that the flag serves, in the order of our evaluation; a text where nothing varies."""
    flag = snapshot["flags"][key]
    default = flag["default_variant"]
    if key in broken or flag["killed"] or not flag["enabled"]:
        return default
    names = {each["name"] for each in flag["variants"]}
    unit = {"var": _path(flag["unit_attribute"] or UNIT)}
    known = _is_unit(unit)
    branches = _placed(flag["overrides"], unit, names)
    for prerequisite in flag["prerequisites"]:
        other = prerequisite["flag"]
        if other not in snapshot["flags"] or other in path:
            raise Untranslatable(f"the prerequisite {other} cannot be used")
        served = _decision(snapshot, other, broken, (*path, key))
        if isinstance(served, str):
            is_served = any(each["name"] == served for each in snapshot["flags"][other]["variants"])
            branches.append((not is_served or served not in prerequisite["variants"], default))
        else:
            branches.append(({"!": [{"in": [served, prerequisite["variants"]]}]}, default))
    branches += _placed(flag["sticky"], unit, names)
    for name in flag["holdouts"]:
        holdout = snapshot["holdouts"].get(name)
        if holdout is None:
            raise Untranslatable(f"the holdout {name} is not there")
        held = _below(holdout["salt"], unit, holdout["share_bp"])
        branches.append((_every([known, held]), default))
    for rule in flag["rules"]:
        condition = True if rule.get("when") is None else _Conditions(snapshot).is_true(rule["when"])
        if rule.get("rollout") is None:
            branches.append((condition, rule["variant"]))
        else:
            branches.append((condition, _rollout(snapshot, rule["rollout"], unit, known, default)))
    return _choose(branches, default)


def _placed(units: Mapping[str, str], unit: Logic, variants: set[str]) -> list[tuple[Logic, Logic]]:
    by_variant: dict[str, list[str]] = {}
    for name, variant in units.items():
        if variant in variants:
            by_variant.setdefault(variant, []).append(name)
    return [({"in": [{"cat": [unit]}, names]}, variant) for variant, names in by_variant.items()]


def _rollout(snapshot: Json, rollout: Json, unit: Logic, known: Logic, default: str) -> Logic:
    inside = [known]
    layer = rollout.get("layer")
    if layer is not None:
        space = snapshot["layers"].get(layer["key"])
        if space is None:
            raise Untranslatable(f"the layer {layer['key']} is not there")
        inside.append(_between(space["salt"], unit, layer["from_bp"], layer["to_bp"]))
    inside.append(_below(rollout["traffic_salt"], unit, rollout["traffic_bp"]))
    salt = rollout["split_salt"]
    earlier = [
        (_below(rollout["traffic_salt"], unit, band["below_bp"]), _split(salt, unit, band["split"]))
        for band in rollout.get("bands") or ()
    ]
    return _choose([(_every(inside), _choose(earlier, _split(salt, unit, rollout["split"])))], default)


def _split(salt: str, unit: Logic, split: Sequence[Json]) -> Logic:
    return _fractional(salt, unit, [(part["variant"], part["weight_bp"]) for part in split])


def _fractional(salt: str, unit: Logic, parts: Sequence[tuple[str, int]]) -> Logic:
    """The name of the part that the unit's bucket falls in."""
    shares = [[name, weight] for name, weight in parts if weight]
    if len(shares) == 1:
        return shares[0][0]
    return {"fractional": [{"cat": [f"{salt}:", unit]}, *shares]}


def _below(salt: str, unit: Logic, share_bp: int) -> Logic:
    return _between(salt, unit, 0, share_bp)


def _between(salt: str, unit: Logic, low: int, high: int) -> Logic:
    if low >= high:
        return False
    if (low, high) == (0, WHOLE):
        return True
    parts = [("before", low), ("in", high - low), ("after", WHOLE - high)]
    return {"===": [_fractional(salt, unit, parts), "in"]}


def _is_unit(unit: Logic) -> Logic:
    """Text that is not empty, or a whole number."""
    text = _every([_is_text(unit), {"!==": [unit, ""]}])
    whole = {"===": [{"%": [unit, 1]}, 0]}
    return _some([text, _every([_is_number(unit), whole])])


def _is_text(value: Logic) -> Logic:
    return {"===": [{"cat": [value]}, value]}


def _is_list(value: Logic) -> Logic:
    """Merging takes a list apart, so that it is no element of what comes out; anything else is."""
    return _every([{"!==": [value, None]}, {"!": [{"in": [value, {"merge": [value]}]}]}])


def _is_boolean(value: Logic) -> Logic:
    return _some([{"===": [value, True]}, {"===": [value, False]}])


def _is_number(value: Logic) -> Logic:
    """Neither missing nor anything else that can be told; an object cannot, and is an error where numbers are asked."""
    others = [_is_boolean(value), _is_text(value), _is_list(value)]
    return _every([{"!==": [value, None]}, *({"!": [other]} for other in others)])


def _path(attribute: str) -> str:
    if "." in attribute or not attribute:
        raise Untranslatable(f"flagd reads the attribute {attribute!r} as a path")
    return attribute


class _Conditions:
    """Our three-valued conditions in JsonLogic's two: what makes one true, and what makes it false."""

    def __init__(self, snapshot: Json) -> None:
        self._audiences = snapshot["audiences"]
        self._open: tuple[str, ...] = ()

    def is_true(self, condition: Json) -> Logic:
        """True where the condition is true; false where it is false or unknown."""
        return self._holds(condition, wanted=True)

    def _holds(self, condition: Json, *, wanted: bool) -> Logic:
        if "all" in condition or "any" in condition:
            together = "all" in condition
            parts = [self._holds(part, wanted=wanted) for part in condition["all" if together else "any"]]
            return _every(parts) if together == wanted else _some(parts)
        if "not" in condition:
            return self._holds(condition["not"], wanted=not wanted)
        if "audience" in condition:
            return self._named(condition["audience"], wanted)
        value = {"var": _path(condition["attribute"])}
        return _comparison(condition["op"], value, condition["value"], wanted)

    def _named(self, key: str, wanted: bool) -> Logic:
        if key not in self._audiences or key in self._open:
            raise Untranslatable(f"the audience {key} cannot be used")
        before, self._open = self._open, (*self._open, key)
        try:
            return self._holds(self._audiences[key], wanted=wanted)
        finally:
            self._open = before


_NEGATED = {"not_equals": "equals", "not_in": "in"}
_ORDER = {"less_than": ("<", ">="), "at_most": ("<=", ">"), "greater_than": (">", "<="), "at_least": (">=", "<")}
_SEMVER = {
    "semver_equals": ("=", "!="),
    "semver_less_than": ("<", ">="),
    "semver_at_most": ("<=", ">"),
    "semver_greater_than": (">", "<="),
    "semver_at_least": (">=", "<"),
}


def _comparison(op: str, value: Logic, operand: Any, wanted: bool) -> Logic:
    if op in _NEGATED:
        return _comparison(_NEGATED[op], value, operand, not wanted)
    if op == "exists":
        return {"!==" if operand == wanted else "===": [value, None]}
    if op in ("equals", "in"):
        operands = [operand] if op == "equals" else list(operand)
        if wanted:
            return _some([_same(value, one) for one in operands])
        comparable = _some([_kind(value, one) for one in operands or ("", 0, True)])
        return _every([comparable, *({"!": [_same(value, one)]} for one in operands)])
    if op in _ORDER:
        return _every([_is_number(value), {_ORDER[op][not wanted]: [value, operand]}])
    if op in _SEMVER:
        plain = operand.removeprefix("v")
        return _every([_is_text(value), {"sem_ver": [value, _SEMVER[op][not wanted], plain]}])
    texts = [operand] if isinstance(operand, str) else operand
    if op in ("starts_with", "ends_with"):
        found = _some([{op: [value, one]} for one in texts])
        return _every([_is_text(value), found if wanted else {"!": [found]}])
    if op == "contains":
        inside = _some([{"in": [one, value]} for one in texts])
        element = _some([{"in": [one, {"merge": [value]}]} for one in texts])
        kinds = ((_is_text(value), inside), (_is_list(value), element))
        return _some([_every([kind, found if wanted else {"!": [found]}]) for kind, found in kinds])
    raise Untranslatable(f"flagd has nothing like {op}")


def _same(value: Logic, operand: Any) -> Logic:
    if isinstance(operand, bool | str):
        return {"===": [value, operand]}
    return _every([_is_number(value), {"==": [value, operand]}])


def _kind(value: Logic, operand: Any) -> Logic:
    """Whether the value is of the operand's kind."""
    if isinstance(operand, bool):
        return _is_boolean(value)
    return _is_text(value) if isinstance(operand, str) else _is_number(value)


def _every(parts: Sequence[Logic]) -> Logic:
    left = [part for part in parts if part is not True]
    if any(part is False for part in left):
        return False
    return True if not left else left[0] if len(left) == 1 else {"and": left}


def _some(parts: Sequence[Logic]) -> Logic:
    left = [part for part in parts if part is not False]
    if any(part is True for part in left):
        return True
    return False if not left else left[0] if len(left) == 1 else {"or": left}


def _choose(branches: Sequence[tuple[Logic, Logic]], otherwise: Logic) -> Logic:
    """The first branch whose condition is true."""
    listed: list[Logic] = []
    for condition, then in branches:
        if condition is False:
            continue
        if condition is True:
            otherwise = then
            break
        listed += [condition, then]
    return {"if": [*listed, otherwise]} if listed else otherwise
