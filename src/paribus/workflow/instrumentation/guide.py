"""The instrumentation guide: for every event the call that sends it, ready to be copied, in each SDK."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

from paribus.events.codegen import python_client, typescript_client
from paribus.events.plan import EventDoc, PlanDoc, PropertyDoc

VENDORS = {
    "segment": ("analytics.track({0}, {1})", "Segment's analytics.js, its host set to the server"),
    "amplitude": ("amplitude.track({0}, {1})", "Amplitude's SDK, its serverUrl set to /intake/amplitude/2/httpapi"),
    "mixpanel": ("mixpanel.track({0}, {1})", "Mixpanel's SDK, its api_host set to /intake/mixpanel"),
}


def guide(
    plan: PlanDoc, senders: Mapping[str, str], flag: str, decision: str, events: Sequence[str], platforms: Sequence[str]
) -> str:
    """The guide as Markdown.

    Args:
        plan: the tracking plan.
        senders: who sends an event.
        flag: the feature's flag.
        decision: the event directly before the decision.
        events: those of the feature first.
        platforms: other SDKs that are in use.
    """
    parts = [
        f"# Instrumentation of {flag}\n",
        "Backend events go through the typed client `events.py`, page events through `events.ts`; both are generated "
        "from the plan and refuse what it does not know. `variant()` alone records an exposure.\n",
        "## Python\n",
        _python_setup(flag, decision),
    ]
    backend = [name for name in events if senders.get(name) == "backend"]
    parts += [_python(name, plan) for name in backend]
    parts.append("## Browser\n")
    parts.append(
        '```ts\nimport { Paribus } from "paribus";\nimport * as events from "./events";\n\n'
        'export const client = new Paribus({ url: location.origin, key: "…" });\n```\n'
    )
    parts += [_typescript(name, plan) for name in events if senders.get(name) == "frontend"]
    for platform in platforms:
        call, setup = VENDORS[platform]
        parts += [f"## {platform.capitalize()}\n", f"{setup}; the same events arrive in the same plan.\n", "```js"]
        for name in events:
            if name in plan.events:
                parts.append(call.format(json.dumps(name), json.dumps(_samples(plan.events[name]), ensure_ascii=False)))
        parts.append("```\n")
    parts += ["## Every event\n", "| event | sent by | properties |", "|---|---|---|"]
    for name, event in plan.events.items():
        listed = ", ".join(f"`{key}`{'' if each.required else '?'}" for key, each in event.properties.items())
        parts.append(f"| `{name}` | {senders.get(name, '')} | {listed} |")
    return "\n".join(parts) + "\n"


def sample(name: str, declared: PropertyDoc) -> Any:
    """A value that the plan accepts."""
    if declared.enum is not None:
        return declared.enum[0]
    low = declared.minimum if declared.minimum is not None else 1
    high = declared.maximum if declared.maximum is not None else low
    values: dict[str, Any] = {
        "string": name.replace("_", "-"),
        "integer": int(min(low, high)),
        "number": float(min(low, high)),
        "boolean": True,
        "datetime": "2026-01-01T00:00:00Z",
        "json": {},
    }
    return values[declared.type]


def _python_setup(flag: str, decision: str) -> str:
    return (
        "```python\nfrom datetime import datetime\n\nfrom paribus_sdk import Client\n\nimport events\n\n"
        'client = Client("http://127.0.0.1:8700", "…")\n'
        f'variant = client.variant("{flag}", unit="u1")  # after {decision or "the request arrives"}\n```\n'
    )


def _python(name: str, plan: PlanDoc) -> str:
    functions = _python_functions(plan)
    if name not in functions:
        return ""
    function, arguments = functions[name]
    event = plan.events[name]
    given = ", ".join(
        f"{arguments[key]}={_python_value(sample(key, each), each)}"
        for key, each in event.properties.items()
        if each.required
    )
    call = f'events.{function}(client, "u1"{", " + given if given else ""})'
    return f"```python\n{call}\n```\n"


def _python_value(value: Any, declared: PropertyDoc) -> str:
    return f'datetime.fromisoformat("{value}")' if declared.type == "datetime" else repr(value)


def _python_functions(plan: PlanDoc) -> dict[str, tuple[str, dict[str, str]]]:
    """The typed client's function of each event, and its argument by property."""
    found = {}
    bodies = [node for node in ast.parse(python_client(plan)).body if isinstance(node, ast.FunctionDef)]
    for (name, event), function in zip(plan.events.items(), bodies, strict=True):
        keys = [key for key, part in event.properties.items() if part.required]
        keys += [key for key, part in event.properties.items() if not part.required]
        arguments = [argument.arg for argument in function.args.kwonlyargs if argument.arg != "time"]
        found[name] = (function.name, dict(zip(keys, arguments, strict=True)))
    return found


def _typescript(name: str, plan: PlanDoc) -> str:
    if name not in plan.events:
        return ""
    functions = [
        line.split("(")[0].removeprefix("export function ")
        for line in typescript_client(plan).splitlines()
        if line.startswith("export function ")
    ]
    function = dict(zip(plan.events, functions, strict=True))[name]
    given = {key: sample(key, each) for key, each in plan.events[name].properties.items() if each.required}
    shown = f", {json.dumps(given, ensure_ascii=False)}" if given else ""
    return f"```ts\nevents.{function}(client{shown});\n```\n"


def _samples(event: EventDoc) -> dict[str, Any]:
    return {key: sample(key, each) for key, each in event.properties.items()}
