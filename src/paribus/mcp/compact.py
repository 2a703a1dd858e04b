"""Answers short enough for an agent's memory: what was found, on which evidence, and what can come next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from paribus.errors import NotFound, did_you_mean
from paribus.workflow.step import STEPS
from paribus.workflow.walk import Stop, next_stop

if TYPE_CHECKING:
    from paribus.app.feature import Workshop

Json = dict[str, Any]
LONGEST_TEXT = 240  # characters
MOST_ITEMS = 3
DEEPEST = 3


def line(feature: Mapping[str, Any]) -> Json:
    """A feature in one line."""
    done = sum(1 for each in feature["steps"] if each["state"] == "done")
    at = next((each for each in feature["steps"] if each["state"] != "done"), None)
    return {
        "feature": feature["key"],
        "requirement": feature["requirement"],
        "done": f"{done} of {len(STEPS)}",
        "at": f"{at['step']}: {at['state']}" if at else "decided",
    }


def feature(found: Mapping[str, Any]) -> Json:
    """A feature with the state of its steps; reasons only where there are some."""
    return {
        "feature": found["key"],
        "requirement": found["requirement"],
        "environment": found["environment"],
        "simulated": found["simulated"],
        "steps": {
            each["step"]: each["state"] + (f" ({each['reason']})" if each["reason"] else "") for each in found["steps"]
        },
    }


def artifact(body: Mapping[str, Any], part: str = "") -> Json:
    """A step's artifact: summary, facts with long lists cut, checks that did not pass, evidence ids."""
    facts = at(body["facts"], part) if part else body["facts"]
    return {
        "feature": body["feature"],
        "step": body["step"],
        "role": body["role"],
        "summary": body["summary"],
        **({"not_applicable": body["not_applicable"]} if body["not_applicable"] else {}),
        **({"simulated": True} if body["simulated"] else {}),
        "facts": {part: facts} if part else trimmed(facts),
        "checks": [
            {name: check[name] for name in ("name", "status", "message", "blocking")}
            for check in body["checks"]
            if check["status"] != "passed"
        ],
        "assumptions": list(body["assumptions"]),
        "evidence": {f"{body['step']}/{name}": each["title"] for name, each in body["evidence"].items()},
        "files": [file["path"] for file in body["files"]],
        "inputs": dict(body["inputs"]),
    }


def at(facts: Any, path: str) -> Any:
    """The part of the facts at a dotted path: funnels.0.steps.

    Raises:
        NotFound: it leads nowhere; what is there is named.
    """
    here = facts
    for name in path.split("."):
        try:
            here = here[int(name)] if isinstance(here, list) else here[name]
        except (KeyError, IndexError, ValueError, TypeError):
            known = list(here) if isinstance(here, Mapping) else [str(i) for i in range(len(here or []))]
            raise NotFound(f"the facts have no {path!r}", where="part", fix=did_you_mean(name, known)) from None
    return here


def trimmed(value: Any, depth: int = 0) -> Any:
    """The value with long texts and lists cut; what was cut is counted, nothing is silent."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}… ({len(value):,} characters)"
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        if "value" in value and "evidence" in value:  # a number with its interval is never cut
            return {name: trimmed(item) for name, item in value.items() if item not in (None, "")}
        if depth >= DEEPEST:
            return f"{len(value)} keys: {', '.join(list(map(str, value))[:MOST_ITEMS])}…" if value else {}
        return {str(name): trimmed(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        if depth >= DEEPEST:
            return f"{len(value)} items" if value else []
        shown = [trimmed(item, depth + 1) for item in value[:MOST_ITEMS]]
        return [*shown, f"… {len(value) - MOST_ITEMS} more"] if len(value) > MOST_ITEMS else shown
    return value


def plain(value: Any) -> Json:
    """A dataclass as JSON."""
    import json

    found = asdict(value) if is_dataclass(value) and not isinstance(value, type) else dict(value)
    result: Json = json.loads(json.dumps(found, default=str))
    return trimmed(result)  # type: ignore[no-any-return]


def actions(shop: Workshop, key: str) -> list[Json]:
    """The tools that make sense next, with their arguments."""
    where = next_stop(shop.dossier, key)
    if not isinstance(where, Stop):
        return [{"tool": where.step.slug, "arguments": {"feature": key}}]
    about = {"feature": key, "step": where.step}
    redo: Json = {"tool": "redo", "arguments": {**about, "why": "…"}}
    if where.kind == "approval":
        return [
            {"tool": "approve", "arguments": about},
            {"tool": "reject", "arguments": {**about, "why": "…"}},
            redo,
        ]
    if where.kind in {"blocked", "rejected"}:
        return [redo]
    return [{"tool": "scorecard", "arguments": {"feature": key}}, {"tool": "export", "arguments": {"feature": key}}]
