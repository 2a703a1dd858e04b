"""Definitions that the tests of the client decide with."""

from __future__ import annotations

from typing import Any


def flag(kind: str = "boolean", values: tuple[Any, Any] = (False, True), **changes: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "revision": 4,
        "enabled": True,
        "killed": False,
        "unit_type": "user",
        "unit_attribute": None,
        "variants": [{"name": "control", "value": values[0]}, {"name": "treatment", "value": values[1]}],
        "default_variant": "control",
        "client": True,
        "prerequisites": [],
        "holdouts": [],
        "overrides": {},
        "sticky": {},
        "rules": [split()],
    } | changes


def split(control_bp: int = 5000, traffic_bp: int = 10000) -> dict[str, Any]:
    return {
        "id": "split",
        "rollout": {
            "traffic_salt": "traffic",
            "traffic_bp": traffic_bp,
            "split_salt": "split",
            "epoch": 2,
            "split": [
                {"variant": "control", "weight_bp": control_bp},
                {"variant": "treatment", "weight_bp": 10000 - control_bp},
            ],
        },
    }


def snapshot(revision: int = 17, **flags: dict[str, Any]) -> dict[str, Any]:
    return {
        "format": 1,
        "project": "default",
        "environment": "dev",
        "revision": revision,
        "flags": flags or {"checkout": flag()},
        "audiences": {},
        "layers": {},
        "holdouts": {},
    }


def treatment_to_all(**changes: Any) -> dict[str, Any]:
    return flag(rules=[split(control_bp=0)], **changes)
