"""Assignment tested through the real evaluator: uniform, independent across salts, monotone, sticky, in its share."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paribus.flags.document import WHOLE

Json = dict[str, Any]
UNITS = 100_000
RAMP_UNITS = 20_000
BINS = 100
ALPHA = 1e-5
"""Of each test: salts are drawn once, so a sound assignment is refused in one feature of about twenty thousand."""


def examine(
    snapshot: Mapping[str, Any],
    key: str,
    *,
    attributes: Mapping[str, Any],
    start_bp: int,
    stages_bp: Sequence[int],
    units: int = UNITS,
) -> Json:
    """What the tests found, each with its numbers and whether it passed.

    Args:
        snapshot: the environment's definitions, as every evaluator reads them.
        key: of the flag.
        attributes: a context that takes part in the experiment.
        start_bp: traffic at which randomized units first enter.
        stages_bp: traffic of each stage, for the monotone ramp.
        units: how many are assigned.
    """
    rollout = _rollout(snapshot, key)
    ids = [f"unit-{number:06d}" for number in range(units)]
    traffic = _buckets(rollout["traffic_salt"], ids)
    split = _buckets(rollout["split_salt"], ids)
    taken = _assigned(at_traffic(snapshot, key, start_bp), key, ids, attributes)
    inside = Counter(variant for variant in taken if variant is not None)
    entered = sum(inside.values())
    weights = {part["variant"]: part["weight_bp"] / WHOLE for part in rollout["split"]}
    ramp = _ramp(snapshot, key, ids[:RAMP_UNITS], attributes, sorted({start_bp, *stages_bp}))
    return {
        "units": units,
        "uniform_traffic": _uniform(traffic),
        "uniform_split": _uniform(split),
        "independent": _independent(traffic, split),
        "independent_of_flags": [
            {"flag": other, **_independent(split, _buckets(salt, ids))} for other, salt in _others(snapshot, key)
        ],
        "traffic_share": _share(entered, units, start_bp / WHOLE),
        "split_shares": {arm: _share(inside.get(arm, 0), entered, weight) for arm, weight in weights.items()},
        "monotone": ramp,
        "sticky": _sticky(snapshot, key, ids[:RAMP_UNITS], attributes, start_bp),
    }


def failures(found: Mapping[str, Any]) -> list[str]:
    """Names of the tests that failed."""
    flat = {name: each for name, each in found.items() if isinstance(each, Mapping) and "passed" in each}
    flat |= {f"split_shares.{arm}": each for arm, each in found["split_shares"].items()}
    flat |= {f"independent_of_flags.{each['flag']}": each for each in found["independent_of_flags"]}
    return [name for name, each in flat.items() if not each["passed"]]


def taking_part(audience: Mapping[str, Any] | None) -> Json | None:
    """A context that meets a condition of equalities joined by `all`; None where the condition is more than that."""
    if not audience:
        return {}
    parts = audience["all"] if set(audience) == {"all"} else [audience]
    found: Json = {}
    for part in parts:
        if "all" in part:
            inner = taking_part(part)
            if inner is None:
                return None
            found |= inner
        elif part.get("op", "equals") == "equals" and "attribute" in part:
            found[part["attribute"]] = part.get("value", part.get("equals"))
        elif part.get("op") == "in" and part.get("value"):
            found[part["attribute"]] = part["value"][0]
        else:
            return None
    return found


def _assigned(
    snapshot: Mapping[str, Any], key: str, ids: Sequence[str], attributes: Mapping[str, Any]
) -> list[str | None]:
    """The variant of each unit in traffic; None outside."""
    from paribus_sdk import Evaluator
    from paribus_sdk.decision import Reason

    evaluate = Evaluator(snapshot).evaluate
    decided = (evaluate(key, unit, attributes) for unit in ids)
    return [each.assigned if each.reason == Reason.SPLIT else None for each in decided]


def at_traffic(snapshot: Mapping[str, Any], key: str, traffic_bp: int) -> Json:
    """The same definitions with another share of traffic, and without rules for single people before the split."""
    made: Json = {**snapshot, "flags": {**snapshot["flags"], key: copy.deepcopy(snapshot["flags"][key])}}
    flag = made["flags"][key]
    flag["killed"], flag["enabled"] = False, True
    flag["rules"] = [rule for rule in flag["rules"] if rule.get("rollout")]
    for rule in flag["rules"]:
        rule["rollout"]["traffic_bp"] = traffic_bp
    return made


def _rollout(snapshot: Mapping[str, Any], key: str) -> Json:
    found: Json = next(rule["rollout"] for rule in snapshot["flags"][key]["rules"] if rule.get("rollout"))
    return found


def _others(snapshot: Mapping[str, Any], key: str) -> list[tuple[str, str]]:
    return [
        (other, rule["rollout"]["split_salt"])
        for other, flag in sorted(snapshot["flags"].items())
        for rule in flag["rules"][:1]
        if other != key and rule.get("rollout")
    ][:10]


def _buckets(salt: str, ids: Sequence[str]) -> np.ndarray:
    from paribus_sdk.bucketing import bucket

    return np.fromiter((bucket(salt, unit) for unit in ids), dtype=np.int64, count=len(ids))


def _uniform(buckets: np.ndarray) -> Json:
    counts = np.bincount(buckets * BINS // WHOLE, minlength=BINS)
    expected = len(buckets) / BINS
    p_value = _beyond(((counts - expected) ** 2 / expected).sum(), BINS - 1)
    return {"bins": BINS, "p_value": p_value, "passed": p_value >= ALPHA}


def _independent(one: np.ndarray, other: np.ndarray, parts: int = 10) -> Json:
    table = np.zeros((parts, parts))
    np.add.at(table, (one * parts // WHOLE, other * parts // WHOLE), 1)
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / table.sum()
    p_value = _beyond(((table - expected) ** 2 / expected).sum(), (parts - 1) ** 2)
    return {"p_value": p_value, "passed": p_value >= ALPHA}


def _share(count: int, units: int, expected: float) -> Json:
    """The measured share and the interval that holds it in all but one of 100,000 sound assignments."""
    if not units:
        return {"share": None, "expected": expected, "low": None, "high": None, "passed": expected == 0}
    low, high = (_quantile(tail, units, expected) for tail in (ALPHA / 2, 1 - ALPHA / 2))
    return {
        "share": count / units,
        "expected": expected,
        "low": low / units,
        "high": high / units,
        "passed": low <= count <= high,
    }


def _ramp(
    snapshot: Mapping[str, Any], key: str, ids: Sequence[str], attributes: Mapping[str, Any], stages: Sequence[int]
) -> Json:
    """Whether a unit that is in stays in, with its variant, whenever traffic widens."""
    moved = left = 0
    before: list[str | None] = [None] * len(ids)
    for traffic_bp in stages:
        now = _assigned(at_traffic(snapshot, key, traffic_bp), key, ids, attributes)
        left += sum(old is not None and new is None for old, new in zip(before, now, strict=True))
        moved += sum(old is not None and new not in {None, old} for old, new in zip(before, now, strict=True))
        before = now
    return {
        "units": len(ids),
        "stages_bp": list(stages),
        "moved": moved,
        "left": left,
        "passed": not moved and not left,
    }


def _sticky(
    snapshot: Mapping[str, Any], key: str, ids: Sequence[str], attributes: Mapping[str, Any], traffic_bp: int
) -> Json:
    """Whether another evaluator, asked in another order, says the same."""
    one = _assigned(at_traffic(snapshot, key, traffic_bp), key, ids, attributes)
    other = _assigned(at_traffic(snapshot, key, traffic_bp), key, ids[::-1], attributes)[::-1]
    differing = sum(a != b for a, b in zip(one, other, strict=True))
    return {"units": len(ids), "differing": differing, "passed": not differing}


def _beyond(statistic: float, degrees: int) -> float:
    """P-value of a chi-squared statistic."""
    from scipy.special import chdtrc

    return float(chdtrc(degrees, statistic))


def _quantile(tail: float, units: int, share: float) -> int:
    """The smallest count that a binomial reaches with probability `tail`."""
    from scipy.special import bdtr

    low, high = -1, units
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if bdtr(middle, units, share) >= tail else (middle, high)
    return high
