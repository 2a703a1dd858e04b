"""The configuration file to start from: every key with its default and what it means."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from paribus.workflow.config import Config

_HEAD = """\
# What Paribus is to do for your features. Every key may be left out; these are the defaults.
# paribus config check paribus.yaml says what each value does, or what it waits for.
"""


def commented() -> str:
    """A paribus.yaml that states every default, each with a comment, and loads to the same as an empty one."""
    return _HEAD + "\n".join(_lines(Config(), 0)) + "\n"


def _lines(section: BaseModel, depth: int) -> list[str]:
    lines: list[str] = []
    pad = "  " * depth
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            about = field.description or (type(value).__doc__ or "").split("\n")[0]
            lines += ["", *(f"{pad}# {about}",), f"{pad}{name}:", *_lines(value, depth + 1)]
            continue
        if depth == 0:
            lines.append("")
        choices = _choices(field)
        about = " ".join((field.description or "").split())
        lines += [f"{pad}# {text}" for text in (about, choices) if text]
        lines.append(f"{pad}# {name}:" if value is None else f"{pad}{name}: {_written(value)}")
    return lines


def _choices(field: FieldInfo) -> str:
    import typing

    words: list[str] = []
    waiting: list[Any] = [field.annotation]
    while waiting:
        hint = waiting.pop(0)
        if typing.get_origin(hint) is typing.Literal:
            words += [str(word) for word in typing.get_args(hint)]
        elif typing.get_args(hint):
            waiting += typing.get_args(hint)
    return "One of: " + ", ".join(words) if words else ""


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return '""' if value == "" else f"{value:g}" if isinstance(value, float) else str(value)
