"""Builders of snapshots for tests: short forms of what the definitions' schema asks for."""

from __future__ import annotations

from typing import Any

BOOLEANS = [{"name": "control", "value": False}, {"name": "treatment", "value": True}]
EVEN = {"control": 5000, "treatment": 5000}


def snapshot(flags: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "project": "default",
        "environment": "test",
        "revision": 1,
        "flags": flags,
        "audiences": parts.get("audiences", {}),
        "layers": parts.get("layers", {}),
        "holdouts": parts.get("holdouts", {}),
    }


def flag(*rules: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {
        "type": "boolean",
        "revision": 3,
        "enabled": True,
        "killed": False,
        "unit_type": "user",
        "unit_attribute": None,
        "variants": BOOLEANS,
        "default_variant": "control",
        "client": True,
        "prerequisites": [],
        "holdouts": [],
        "overrides": {},
        "sticky": {},
        "rules": list(rules),
        **parts,
    }


def strings(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "value": name.upper()} for name in names]


def gives(variant: str, when: dict[str, Any] | None = None, rule: str = "r1") -> dict[str, Any]:
    return {"id": rule, "variant": variant} | ({} if when is None else {"when": when})


def rolls(
    split: dict[str, int] | None = None,
    traffic_bp: int = 10_000,
    *,
    salt: str = "checkout",
    when: dict[str, Any] | None = None,
    rule: str = "r1",
    epoch: int = 1,
    layer: dict[str, Any] | None = None,
) -> dict[str, Any]:
    rollout: dict[str, Any] = {
        "traffic_salt": f"{salt}-traffic",
        "traffic_bp": traffic_bp,
        "split_salt": f"{salt}-split",
        "epoch": epoch,
        "split": [{"variant": name, "weight_bp": weight} for name, weight in (split or EVEN).items()],
    }
    if layer is not None:
        rollout["layer"] = layer
    return {"id": rule, "rollout": rollout} | ({} if when is None else {"when": when})


def compare(attribute: str, op: str, value: Any) -> dict[str, Any]:
    return {"attribute": attribute, "op": op, "value": value}
