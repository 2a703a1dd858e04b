"""The snapshot of one environment: all that an evaluator needs, in the format that every SDK reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from paribus.errors import DefinitionError
from paribus.flags.document import Audience, Environment, Flag, Holdout, Layer, Rule
from paribus.flags.record import Placement

FORMAT = 1

Documents = Mapping[str, tuple[int, Mapping[str, Any]]]  # by key: number of the revision, body


def build(
    *,
    project: str,
    environment: str,
    revision: int,
    flags: Documents,
    audiences: Documents,
    layers: Documents,
    holdouts: Documents,
    placements: Iterable[Placement] = (),
) -> dict[str, Any]:
    """The definitions of one environment (format 1).

    Args:
        revision: position of the store up to which documents were read; it names this snapshot.
        placements: fixed variants of single units, of this environment.
    """
    fixed: dict[str, dict[str, dict[str, str]]] = {}
    for each in placements:
        fixed.setdefault(each.flag, {"override": {}, "sticky": {}})[each.kind][each.unit] = each.variant
    return {
        "format": FORMAT,
        "project": project,
        "environment": environment,
        "revision": revision,
        "flags": {
            key: plain
            for key, (number, body) in sorted(flags.items())
            if (plain := _flag(number, Flag.model_validate(body), environment, fixed.get(key, {})))
        },
        "audiences": {key: Audience.model_validate(body).when for key, (_, body) in sorted(audiences.items())},
        "layers": {key: {"salt": Layer.model_validate(body).salt} for key, (_, body) in sorted(layers.items())},
        "holdouts": {
            key: Holdout.model_validate(body).model_dump(include={"salt", "share_bp"})
            for key, (_, body) in sorted(holdouts.items())
        },
    }


def for_clients(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """The part that browsers and apps may see."""
    visible = {key: flag for key, flag in snapshot["flags"].items() if flag["client"]}
    return {**snapshot, "flags": visible}


def refuse_broken(snapshot: Mapping[str, Any], key: str) -> None:
    """Lets the evaluator compile the snapshot, so that a rule it cannot use is refused when it is written.

    Raises:
        DefinitionError: the flag, where in it, and what is wrong.
    """
    from paribus_sdk import Evaluator

    wrong = [problem for problem in Evaluator(snapshot).problems if problem.flag == key]
    if wrong:
        raise DefinitionError(
            "; ".join(problem.why for problem in wrong[:3]),
            where=f"flag {key}, {wrong[0].where}" if wrong[0].where else f"flag {key}",
            rule="a rule must be usable before it is delivered",
        )


def _flag(number: int, flag: Flag, environment: str, placed: Mapping[str, Mapping[str, str]]) -> dict[str, Any] | None:
    state = flag.environments.get(environment)
    if flag.archived:
        return None
    state = state or Environment(enabled=False)
    return {
        "type": flag.type,
        "revision": number,
        "enabled": state.enabled,
        "killed": state.killed,
        "unit_type": flag.unit_type,
        "unit_attribute": flag.unit_attribute,
        "variants": [{"name": each.name, "value": each.value} for each in flag.variants],
        "default_variant": flag.default_variant,
        "client": flag.client,
        "prerequisites": [each.model_dump() for each in state.prerequisites],
        "holdouts": state.holdouts,
        "overrides": dict(placed.get("override", {})),
        "sticky": dict(placed.get("sticky", {})),
        "rules": [_rule(rule) for rule in state.rules],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    plain = rule.model_dump(exclude_none=True)
    if rule.rollout is not None:
        plain["rollout"].pop("reached_bp")
        if not rule.rollout.bands:
            plain["rollout"].pop("bands")
    return plain
