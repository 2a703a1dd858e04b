"""Exposures of other systems, as the canonical `$exposure`."""

from __future__ import annotations

from typing import Any

RANDOMIZED = "SPLIT"


def exposure_properties(
    flag: str,
    assigned: Any,
    *,
    reason: str | None = None,
    revision: Any = None,
    sdk: str | None = None,
    environment: str | None = None,
    unit: str | None = None,
    rest: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The properties of `$exposure` from what another system says.

    The variant is text: true and false become "true" and "false". A reason that is not stated is `SPLIT`, because
    these systems report the evaluations of experiments. `rest` holds what has no canonical name, untouched; canonical
    names win.
    """
    known = {
        "flag": flag,
        "assigned": variant_text(assigned),
        "served": variant_text(assigned),
        "reason": (reason or RANDOMIZED).upper(),
        "revision": whole(revision),
        "sdk": sdk,
        "environment": environment,
        "unit": unit,
    }
    return {**(rest or {}), **{name: value for name, value in known.items() if value is not None}}


def variant_text(value: Any) -> str | None:
    """The variant's name as text; None when there is none."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def whole(value: Any) -> int | None:
    """The integer that a revision is, or None when it is something else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 18:
        return int(value)
    return None
