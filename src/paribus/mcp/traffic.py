"""Traffic in an agent's hands: who has been exposed, how wide it may go, and the switch that is always allowed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from paribus.app import definition
from paribus.errors import InputError, NotFound
from paribus.flags.change import killed, ramped, rollout_of
from paribus.mcp.policy import PERCENT, Gate
from paribus.workflow.roles.limits import served

if TYPE_CHECKING:
    from paribus.app.feature import Workshop

Json = dict[str, Any]


def refuse_rollout(gate: Gate, shop: Workshop, key: str) -> None:
    """Makes sure that the policy lets an agent bring traffic as wide as the rollout plan does.

    Raises:
        AccessError: it does not.
    """
    found = shop.dossier.artifacts(key).get("architect")
    stages = found.facts["stages"] if found is not None and found.facts else ()
    widest = max((int(stage["traffic_bp"]) for stage in stages), default=10_000)
    gate.traffic(widest, unpowered=unpowered(shop, key), person=f"paribus feature run {key} --until rollout")


def unpowered(shop: Workshop, key: str) -> tuple[str, ...] | None:
    """Guardrails that ask for more units than the sealed plan expects; None when no plan is sealed.

    A guardrail without a computed size (a quantile) is not counted, unless the plan has no other: then none is powered.
    """
    found = shop.dossier.artifacts(key).get("design")
    if found is None or not found.facts:
        return None
    design = found.facts
    expected = (design["arrivals_per_day"]["value"] or 0) * (design["runtime_days"]["value"] or 0)
    guardrails = [each for each in design["metrics"] if each.get("role") == "guardrail"]
    sized = [each for each in guardrails if each.get("units") is not None]
    if not sized:
        return tuple(str(each["name"]) for each in guardrails) or ("every guardrail",)
    return tuple(str(each["name"]) for each in sized if each["units"] > expected)


def has_exposed(shop: Workshop, key: str) -> bool:
    """Whether units of the feature's environment may have met the difference."""
    feature, _ = shop.dossier.feature(key)
    if "rollout" in shop.dossier.artifacts(key):
        return True
    flag = shop.operations.find("flag", key)
    return flag is not None and bool(served(flag.body, feature.environment))


def ramp(gate: Gate, shop: Workshop, key: str, percent: float, *, why: str, author: str) -> Json:
    """The flag with another share of traffic; the split stays, and no unit changes its variant."""
    if not 0 <= percent <= PERCENT:
        raise InputError(f"{percent:g} is no share", where="percent", rule="0 to 100")
    if not why.strip():
        raise InputError("a move of traffic needs a reason", where="why", rule="every move says who, when and why")
    feature, _ = shop.dossier.feature(key)
    points = round(percent * PERCENT)
    before = _traffic(shop, key, feature.environment)
    if points > before:
        done = {each["step"]: each["state"] for each in shop.show(key)["steps"]}
        missing = [slug for slug in ("validate", "setup") if done[slug] != "done"]
        if missing:
            raise InputError(
                f"{missing[0]} of {key} is {done[missing[0]]}",
                where="ramp",
                rule="no traffic before validation has passed and the experiment is set up",
                fix=f"run the step {missing[0]} first",
            )
        gate.traffic(
            points,
            unpowered=unpowered(shop, key),
            person=f'paribus flag ramp {key} {percent:g}% -e {feature.environment} --why "…"',
        )
    revision = shop.operations.change(
        "flag", key, lambda body: ramped(key, body, feature.environment, points), author=author, reason=why
    )
    return {
        "feature": key,
        "environment": feature.environment,
        "from_percent": before / PERCENT,
        "to_percent": points / PERCENT,
        "revision": revision.number,
        "undo": {"tool": "ramp", "arguments": {"feature": key, "percent": before / PERCENT, "why": "undone"}},
    }


def kill(shop: Workshop, key: str, *, why: str, author: str) -> Json:
    """The flag killed in the feature's environment; paribus flag revive undoes it."""
    feature, _ = shop.dossier.feature(key)
    revision = shop.operations.change(
        "flag", key, lambda body: killed(key, body, feature.environment), author=author, reason=why or "killed by agent"
    )
    return {
        "feature": key,
        "environment": feature.environment,
        "revision": revision.number,
        "undo": f"a person can: paribus flag revive {key} -e {feature.environment}",
    }


def explain(shop: Workshop, key: str, unit: str, context: Json) -> Json:
    """What a unit gets from the feature's flag, and the steps that led there."""
    from paribus_sdk import Evaluator

    feature, _ = shop.dossier.feature(key)
    _flag(shop, key)
    snapshot = definition.snapshot(shop.operations.store, shop.operations.project, feature.environment)
    return {"feature": key, **asdict(Evaluator(snapshot).explain(key, unit, context))}


def _traffic(shop: Workshop, key: str, environment: str) -> int:
    body = _flag(shop, key)
    return int(rollout_of(key, body, environment)[1].traffic_bp)


def _flag(shop: Workshop, key: str) -> Json:
    found = shop.operations.find("flag", key)
    if found is None or found.body is None:
        raise NotFound(f"the feature {key} has no flag yet", where=f"feature {key}", fix="run the step architect")
    return dict(found.body)
