"""Typed clients from the tracking plan: a function per event for Python, an interface and a function for TypeScript."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Callable, Iterable

from paribus.errors import DefinitionError
from paribus.events.plan import EventDoc, PlanDoc, PropertyDoc

_PYTHON = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "datetime": "datetime",
    "json": "Any",
}
_TYPESCRIPT = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "datetime": "string | Date",
    "json": "unknown",
}
_TYPESCRIPT_WORDS = frozenset(
    re.findall(
        r"\w+",
        "break case catch class const continue debugger default delete do else enum export extends false finally for "
        "function if import in instanceof new null return super switch this throw true try typeof var void while with "
        "await yield let static implements interface package private protected public client unit arguments eval",
    )
)
_PYTHON_TAKEN = frozenset({"client", "unit", "time", "properties"})


GENERATED = "Typed events, generated from the tracking plan: do not edit."
"""What every generated client begins with."""


def function_names(plan: PlanDoc) -> dict[str, tuple[str, str]]:
    """By event, its function in the Python and in the TypeScript client."""
    return {name: (_snake(name), _camel(name)) for name in plan.events}


def python_client(plan: PlanDoc) -> str:
    """A Python module with one function per event, on `paribus_sdk.Client.track`.

    Raises:
        DefinitionError: two names become one identifier.
    """
    names = _identifiers(plan.events, _snake, frozenset({"Client", "Any", "datetime", "Literal"}))
    lines = [
        f'"""{GENERATED}"""',
        "",
        "from __future__ import annotations",
        "",
        "from datetime import datetime",
        "from typing import Any, Literal, Protocol",
        "",
        "",
        "class Tracker(Protocol):",
        '    """What sends events: `paribus_sdk.Client`, or a test\'s own."""',
        "",
        "    def track(self, name: str, /, unit: Any = ..., time: Any = ..., *, properties: Any = ...) -> Any: ...",
    ]
    for name, event in plan.events.items():
        lines += ["", "", *_python_function(names[name], name, event)]
    return "\n".join(lines) + "\n"


def typescript_client(plan: PlanDoc) -> str:
    """A TypeScript module with an interface and a function per event, on any client with `track(name, properties)`.

    Raises:
        DefinitionError: two names become one identifier.
    """
    names = _identifiers(plan.events, _camel, _TYPESCRIPT_WORDS)
    lines = [
        f"// {GENERATED}",
        "",
        "export interface Tracker {",
        "  track(name: string, properties?: Record<string, unknown>, about?: About): unknown;",
        "}",
        "",
        "/** Whose event it is and when it happened, where that is not the current user and now. */",
        "export interface About {",
        "  unit?: string | number;",
        "  time?: Date | number;",
        "}",
    ]
    for name, event in plan.events.items():
        shape = names[name][:1].upper() + names[name][1:] + "Properties"
        lines += ["", *_comment(event), f"export interface {shape} {{"]
        for key, declared in event.properties.items():
            mark = "" if declared.required else "?"
            lines += [f"  {line}" for line in _doc(declared.description)]
            lines.append(f"  {json.dumps(key)}{mark}: {_typescript_type(declared)};")
        lines.append("}")
        default = "" if any(part.required for part in event.properties.values()) else " = {}"
        lines += [
            "",
            f"export function {names[name]}(client: Tracker, properties: {shape}{default}, about?: About): void {{",
            f"  client.track({json.dumps(name)}, {{ ...properties }}, about);",
            "}",
        ]
    return "\n".join(lines) + "\n"


def _python_function(function: str, name: str, event: EventDoc) -> list[str]:
    arguments = _identifiers(event.properties, _snake, _PYTHON_TAKEN)
    required = [key for key, part in event.properties.items() if part.required]
    optional = [key for key, part in event.properties.items() if not part.required]
    lines = [f"def {function}(", "    client: Tracker,", "    unit: str | int | None = None,", "    *,"]
    lines += [f"    {arguments[key]}: {_python_type(event.properties[key])}," for key in required]
    lines += [f"    {arguments[key]}: {_python_type(event.properties[key])} | None = None," for key in optional]
    lines += ["    time: datetime | None = None,", ") -> None:"]
    lines += [f"    {(event.description or name)!r}"]
    lines.append("    properties: dict[str, Any] = {")
    lines += [f"        {key!r}: {_python_value(arguments[key], event.properties[key])}," for key in required]
    lines.append("    }")
    for key in optional:
        lines.append(f"    if {arguments[key]} is not None:")
        lines.append(f"        properties[{key!r}] = {_python_value(arguments[key], event.properties[key])}")
    lines.append(f"    client.track({name!r}, unit=unit, time=time, properties=properties)")
    return lines


def _python_value(argument: str, declared: PropertyDoc) -> str:
    return f"{argument}.isoformat()" if declared.type == "datetime" else argument


def _python_type(declared: PropertyDoc) -> str:
    if declared.enum is not None and declared.type != "number":
        return f"Literal[{', '.join(_python_literal(value) for value in declared.enum)}]"
    return _PYTHON[declared.type]


def _python_literal(value: object) -> str:
    return repr(value)


def _typescript_type(declared: PropertyDoc) -> str:
    if declared.enum is not None:
        return " | ".join(json.dumps(value) for value in declared.enum)
    return _TYPESCRIPT[declared.type]


def _comment(event: EventDoc) -> list[str]:
    return _doc(event.description)


def _doc(text: str) -> list[str]:
    words = " ".join(text.split()).replace("*/", "* /")
    return [f"/** {words} */"] if words else []


def _identifiers(names: Iterable[str], spell: Callable[[str], str], taken: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        identifier = spell(name)
        if keyword.iskeyword(identifier) or identifier in taken:
            identifier += "_"
        twin = next((other for other, spelled in found.items() if spelled == identifier), None)
        if twin is not None:
            raise DefinitionError(
                f"{name!r} and {twin!r} both become {identifier}",
                rule="generated clients need names that differ by more than punctuation",
                fix="rename one of them",
            )
        found[name] = identifier
    return found


def _words(name: str) -> list[str]:
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word for word in re.split(r"[^A-Za-z0-9]+", split) if word] or ["event"]


def _snake(name: str) -> str:
    spelled = "_".join(_words(name)).lower()
    return spelled if spelled[0].isalpha() else f"_{spelled}"


def _camel(name: str) -> str:
    first, *rest = _words(name)
    spelled = first.lower() + "".join(word[:1].upper() + word[1:].lower() for word in rest)
    return spelled if spelled[0].isalpha() else f"_{spelled}"
