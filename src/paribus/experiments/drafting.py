"""A first document for an experiment on a flag: arms and split from the flag, metrics from short notations.

    success, secondary   order_completed              share of units with the event (more is better)
                         order_completed:revenue      the property's sum per unit, averaged over units
                         -refund_requested            a minus before the event: less is better
    guardrails           error:-0.1%                  less is better; the share of units with the event may rise by at
                                                      most 0.1 percentage points
                         search:+2%                   more is better; the share may fall by at most 2 points
                         error:-5% relative           at most 5% of the control's share

The sign says which way is better and is never left out; the size is the largest harm that is still acceptable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from paribus.errors import DefinitionError, InputError
from paribus.flags.change import rollout_of
from paribus.flags.document import Flag

Method = Literal["anytime", "fixed"]
_GUARDRAIL = re.compile(
    r"^(?P<event>.+?):\s*(?P<sign>[+\-\u2212])\s*(?P<size>\d+(?:\.\d+)?|\.\d+)\s*%\s*(?P<relative>relative)?$"
)
_OUTCOME = re.compile(r"^(?P<sign>[-\u2212])?(?P<event>[^:]+?)(?::(?P<value>[^:]+))?$")
_NAME = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Draft:
    """A document for the store or a file, and what was assumed on the way."""

    body: dict[str, Any]
    assumed: tuple[str, ...]


def draft(
    key: str,
    flag_key: str,
    flag: Mapping[str, Any],
    environment: str,
    *,
    success: Sequence[str],
    guardrails: Sequence[str] = (),
    secondary: Sequence[str] = (),
    window_days: int | None = None,
    method: Method = "anytime",
    runtime_days: int | None = None,
    rule: str | None = None,
    title: str = "",
) -> Draft:
    """The document of an experiment on a flag.

    Args:
        key: the experiment's key.
        flag_key, flag: the flag and its document.
        environment: whose rollout is the experiment; only its exposures count.
        success, guardrails, secondary: metrics in the notation above.
        window_days: events within this many days after exposure, of units whose window has closed; None counts every
            event up to the watermark, so that a result is there minutes after the first exposure.
        method: anytime may be read at any time; fixed is read once, after `runtime_days`.
        runtime_days: length of a fixed plan.
        rule: the flag's rule that splits, where there are several.
        title: in words.

    Raises:
        InputError, NotFound: a notation that is not understood, or a flag that splits nobody in the environment.
        DefinitionError: the flag's document is wrong, or the split has fewer than two variants with a share.
    """
    if not success:
        raise InputError(
            "the experiment has no success metric",
            where="success",
            fix="name the event to raise: --success order_completed",
        )
    if method == "fixed" and runtime_days is None:
        raise InputError("a fixed plan has no runtime", where="runtime", fix="say after how many days it is read: 14")
    meant = Flag.model_validate(dict(flag))
    _, rollout = rollout_of(flag_key, dict(flag), environment, rule)
    weights = {part.variant: part.weight_bp for part in rollout.split if part.weight_bp}
    if len(weights) < 2:
        raise DefinitionError(
            f"the flag's split gives everyone {next(iter(weights), 'nothing')}",
            where=f"flag {flag_key}, {environment}",
            rule="an experiment compares at least two variants",
            fix="split the traffic first",
        )
    control = meant.default_variant if meant.default_variant in weights else next(iter(weights))
    metrics = [_outcome(text, "success", window_days) for text in success]
    metrics += [_guardrail(text, window_days) for text in guardrails]
    metrics += [_outcome(text, "secondary", window_days) for text in secondary]
    names = [metric["name"] for metric in metrics]
    for i, metric in enumerate(metrics):
        if names.index(metric["name"]) != i:
            metric["name"] = f"{metric['name']}_{metric['role']}"
    plan: dict[str, Any] = {"method": method, **({"runtime_days": runtime_days} if runtime_days else {})}
    body: dict[str, Any] = {
        "paribus": 1,
        "experiment": key,
        **({"title": title} if title else {}),
        "flag": flag_key,
        "environment": environment,
        **({"unit_type": meant.unit_type} if meant.unit_type != "user" else {}),
        "interference": f"none because each {meant.unit_type} meets only its own variant",
        "variants": {name: bp / 100 for name, bp in weights.items()},
        "control": control,
        "metrics": metrics,
        "plan": plan,
    }
    return Draft(body, _assumed(body, window_days, rollout.epoch))


def _outcome(text: str, role: str, window_days: int | None) -> dict[str, Any]:
    found = _OUTCOME.match(text.strip())
    if found is None:
        raise InputError(
            f"{text!r} is no metric",
            where=role,
            rule="an event, or an event and one of its properties",
            fix="order_completed, or order_completed:revenue, or -refund where less is better",
        )
    event, value = found["event"].strip(), found["value"]
    metric: dict[str, Any] = {"name": _name(event, value), "type": "proportion", "role": role, "event": event}
    if value is not None:
        metric |= {"type": "mean", "value": value.strip()}
    if found["sign"]:
        metric["direction"] = "decrease"
    return metric | ({"window_days": window_days} if window_days else {})


def _guardrail(text: str, window_days: int | None) -> dict[str, Any]:
    found = _GUARDRAIL.match(text.strip())
    if found is None or float(found["size"]) == 0:
        event = text.partition(":")[0].strip() or "error"
        raise InputError(
            f"{text!r} is no guardrail",
            where="guardrail",
            rule="an event, a sign for what is better (- less, + more), and the largest acceptable harm in percent",
            fix=f"{event}:-0.1% (may rise by 0.1 points at most), {event}:+1% (may fall by 1 point at most), "
            f"or {event}:-5% relative",
        )
    size = float(found["size"])
    event = found["event"].strip()
    margin: Any = f"{size:g}%" if found["relative"] else {"absolute": float(f"{size / 100:.12g}")}
    return {
        "name": _name(event, None),
        "type": "proportion",
        "role": "guardrail",
        "event": event,
        "direction": "increase" if found["sign"] == "+" else "decrease",
        "margin": margin,
        **({"window_days": window_days} if window_days else {}),
    }


def _name(event: str, value: str | None) -> str:
    return _NAME.sub("_", f"{event}_{value}" if value else event).strip("_") or "metric"


def _assumed(body: Mapping[str, Any], window_days: int | None, epoch: int) -> tuple[str, ...]:
    """What a person should look at before sealing."""
    said = [f"interference: {body['interference']}", f"control: {body['control']}"]
    if window_days is None:
        said.append("window_days: none; every event after exposure counts, up to the time of reading")
    if body["plan"]["method"] == "anytime":
        said.append("plan: anytime; results are valid whenever they are read")
    if epoch > 1:
        said.append(f"variants: the split of epoch {epoch}; earlier epochs had others")
    return tuple(said)
