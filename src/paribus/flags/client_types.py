"""The flag as types of its callers' languages: a variant or a value that it does not have does not compile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from paribus.flags.document import Flag

_PYTHON = {"float": "float", "json": "dict[str, object] | list[object]"}


def typescript_types(key: str, body: Mapping[str, Any]) -> str:
    """A TypeScript module: the key, the variants, the values, and the value of each variant.

    >>> body = {"variants": {"control": False, "treatment": True}, "default_variant": "control"}
    >>> print(typescript_types("fast", body).splitlines()[3])
    export type Variant = "control" | "treatment";
    """
    flag = Flag.model_validate(dict(body))
    variants = {each.name: each.value for each in flag.variants}
    values = list(dict.fromkeys(json.dumps(value, sort_keys=True) for value in variants.values()))
    value_type = {"json": "Readonly<Record<string, unknown>> | readonly unknown[]", "float": "number"}.get(
        flag.type, " | ".join(values)
    )
    lines = [
        "// Generated from the flag: do not edit.",
        f"export const FLAG = {json.dumps(key)};",
        f"export const CONTROL: Variant = {json.dumps(flag.default_variant)};",
        f"export type Variant = {' | '.join(json.dumps(name) for name in variants)};",
        f"export type Value = {value_type};",
        "export const VALUES: Readonly<Record<Variant, Value>> = {",
        *(f"  {json.dumps(name)}: {json.dumps(value, sort_keys=True)}," for name, value in variants.items()),
        "};",
    ]
    return "\n".join(lines) + "\n"


def python_types(key: str, body: Mapping[str, Any]) -> str:
    """A Python module: the same."""
    flag = Flag.model_validate(dict(body))
    variants = {each.name: each.value for each in flag.variants}
    literals = ", ".join(dict.fromkeys(repr(value) for value in variants.values()))
    lines = [
        '"""Generated from the flag: do not edit."""',
        "",
        "from collections.abc import Mapping",
        "from typing import Literal, TypeAlias",
        "",
        f"Variant: TypeAlias = Literal[{', '.join(map(repr, variants))}]",
        f"Value: TypeAlias = {_PYTHON.get(flag.type, f'Literal[{literals}]')}",
        f"FLAG = {key!r}",
        f"CONTROL: Variant = {flag.default_variant!r}",
        "VALUES: Mapping[Variant, Value] = {",
        *(f"    {name!r}: {value!r}," for name, value in variants.items()),
        "}",
    ]
    return "\n".join(lines) + "\n"
