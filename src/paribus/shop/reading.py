"""Scenario files, read: YAML checked against the schema, with messages that name the key, the rule and the fix."""

from __future__ import annotations

import re
import typing
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from paribus.errors import DefinitionError, InputError, NotFound, did_you_mean
from paribus.shop import scenario
from paribus.shop.scenario import Scenario


class _Loader(yaml.SafeLoader):
    """YAML 1.2's truth values: `on` is a word, and NO is a country."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base class has it
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key, _ in node.value:
        name = loader.construct_object(key)
        if isinstance(name, str) and name in seen:
            raise yaml.MarkedYAMLError(problem=f"the key {name!r} is given twice", problem_mark=key.start_mark)
        if isinstance(name, str):
            seen.add(name)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))

CASES = ("winner", "null", "srm", "error", "latency", "novelty", "simpson", "inventory", "broken")
LARGEST_FILE = 1_000_000  # bytes


def case(name: str) -> Scenario:
    """The built-in scenario of that name.

    Raises:
        InputError: there is none.
    """
    if name not in CASES:
        raise InputError(
            f"there is no case {name!r}",
            where="demo",
            rule="the cases are " + ", ".join(CASES),
            fix=did_you_mean(name, CASES) + "  or: --scenario FILE",
        )
    return parse((files("paribus.shop") / "cases" / f"{name}.yaml").read_text("utf-8"), f"{name}.yaml")


def load(path: Path) -> Scenario:
    """The scenario of a file.

    Raises:
        NotFound: the file is not there.
        DefinitionError: it breaks the schema; every error is named.
    """
    if not path.is_file():
        raise NotFound("there is no such file", where=str(path), fix="name a scenario file")
    if path.stat().st_size > LARGEST_FILE:
        raise InputError("the file is too large for a scenario", where=str(path), rule=f"at most {LARGEST_FILE} bytes")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise DefinitionError(
            f"byte {error.start} is no UTF-8", where=str(path), fix="save the file as UTF-8"
        ) from None
    return parse(text, str(path))


def parse(text: str, name: str) -> Scenario:
    """The scenario that a YAML (or JSON) text describes; `name` is how messages call it.

    Raises:
        DefinitionError: it breaks the schema; every error is named.
    """
    try:
        found = yaml.load(text, _Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        raise DefinitionError(f"this cannot be read: {getattr(error, 'problem', error)}", where=place) from error
    if not isinstance(found, dict):
        raise DefinitionError(
            "the file holds no mapping", where=name, rule="a scenario maps names to values", fix="paribus_scenario: 1"
        )
    try:
        return Scenario.model_validate(found)
    except ValidationError as error:
        problems = [_told(each, found) for each in error.errors()]
        first = problems[0]
        if len(problems) == 1:
            raise DefinitionError(first[1], where=f"{name} ({first[0]})", rule=first[2], fix=first[3]) from None
        listed = "\n".join(f"{where}: {what}" + (f" — {fix}" if fix else "") for where, what, _, fix in problems)
        raise DefinitionError(f"{len(problems)} errors\n{listed}", where=name, rule=first[2]) from None


def _told(error: Any, document: Mapping[str, Any]) -> tuple[str, str, str | None, str | None]:
    """(where, what, rule, fix) of one error."""
    path = tuple(step for step in error["loc"] if step not in _KINDS and step != "[key]")
    where = _spelled(path)
    if error["type"] == "extra_forbidden":
        known = _fields_at(path[:-1], document)
        return where, f"there is no key {path[-1]!r} here", "known: " + ", ".join(known), did_you_mean(path[-1], known)
    if error["type"] == "missing":
        return where, f"{path[-1]} is missing", None, f"write {path[-1]}: …"
    if error["type"] == "union_tag_invalid":
        kind = str(error["input"].get("kind"))
        fix = did_you_mean(kind, _KINDS) or "one of " + ", ".join(_KINDS)
        return where, f"{kind!r} is no kind of defect", "one of " + ", ".join(_KINDS), fix
    if error["type"] == "union_tag_not_found":
        return where, "kind is missing", None, "write kind: and one of " + ", ".join(_KINDS)
    if error["type"] == "literal_error":
        allowed = [each.strip("' ") for each in re.split(r", | or ", error["ctx"]["expected"])]
        given = str(error["input"])
        return where, f"{given!r} is refused", "one of " + ", ".join(allowed), did_you_mean(given, allowed)
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    given = error["input"]
    told = given.isoformat() if isinstance(given, date) else repr(given)
    shown = f"{told} is refused: " if isinstance(given, str | int | float | bool | date) else ""
    return where, shown + message, None, None


def _spelled(path: tuple[Any, ...]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text or "the document"


def _fields_at(path: tuple[Any, ...], document: Mapping[str, Any]) -> list[str]:
    """Names of the fields that may stand at a place of the document."""
    model: Any = Scenario
    value: Any = document
    for step in path:
        value = value[step] if isinstance(value, list | dict) else None
        if isinstance(step, int):
            continue
        if isinstance(model, type) and issubclass(model, BaseModel) and step in model.model_fields:
            model = _model_of(model.model_fields[step].annotation, value)
    if isinstance(value, dict) and model is scenario.InstrumentationDefect:
        model = _DEFECTS.get(value.get("kind", ""), model)
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _model_of(annotation: Any, value: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = [_model_of(each, value) for each in typing.get_args(annotation)]
    found = [each for each in models if isinstance(each, type) and issubclass(each, BaseModel)]
    return found[-1] if found else annotation


_DEFECTS: dict[str, type[BaseModel]] = {
    "errors": scenario.ErrorDefect,
    "latency": scenario.LatencyDefect,
    "lost_exposures": scenario.LostExposureDefect,
    "event_missing": scenario.InstrumentationDefect,
    "event_doubled": scenario.InstrumentationDefect,
    "property_missing": scenario.InstrumentationDefect,
    "property_mistyped": scenario.InstrumentationDefect,
}
_KINDS = tuple(_DEFECTS)
